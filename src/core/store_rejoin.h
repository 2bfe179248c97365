/* Coming back into rooms that this device lost track of, and letting others come back, in the store
 * (rejoin.h). See store.h. */
#ifndef CORE_STORE_REJOIN_H
#define CORE_STORE_REJOIN_H

#include "core/store.h"

/* ---- Asking --------------------------------------------------------------------------------- */

/* A room that this device asks to be let into again. */
struct store_rejoin {
    struct room_id room; /* the key */
    uint64_t since_s;    /* of one's own clock: since when it was lost */
    uint64_t asked_s;    /* RejoinRequest.time of the newest request; 0: none yet */
    uint64_t next_s;     /* when the next round begins */
    uint32_t rounds;     /* that are over */
    uint32_t step;       /* how many accounts were asked in the present one */
};

sotto_error store_rejoin_get(struct store *store, const struct room_id *room,
                             struct store_rejoin *rejoin); /* NOT_FOUND */
/* [tx] Inserts or replaces. */
sotto_error store_rejoin_put(struct store *store, const struct store_rejoin *rejoin);
/* [tx] The peers and what was made for requests stay: late answers may come. NOT_FOUND is no error.
 */
sotto_error store_rejoin_erase(struct store *store, const struct room_id *room);

/* [tx] A device of a member, whom to ask. One that is there already stays as it is. */
sotto_error store_rejoin_peer_add(struct store *store, const struct room_id *room,
                                  const struct account_id *account, const struct device_id *device);
sotto_error store_rejoin_peers_clear(struct store *store, const struct room_id *room); /* [tx] */
sotto_error store_rejoin_peers(struct store *store, const struct room_id *room, uint64_t *count);
struct store_rejoin_peer {
    struct account_id account;
    struct device_id device;
};
/* max at most, into the arena. */
sotto_error store_rejoin_peers_list(struct store *store, const struct room_id *room, size_t max,
                                    struct arena *arena, struct store_rejoin_peer **peers,
                                    size_t *count);
sotto_error store_rejoin_is_peer(struct store *store, const struct room_id *room,
                                 const struct account_id *account, bool *is);
/* The account that was asked the longest ago, before that round; of several a random one. except:
 * one's own. NOT_FOUND: all were asked. */
sotto_error store_rejoin_peer_next(struct store *store, const struct room_id *room,
                                   const struct account_id *except, uint32_t round,
                                   struct account_id *account);
/* [tx] It was asked in that round. */
sotto_error store_rejoin_peer_asked(struct store *store, const struct room_id *room,
                                    const struct account_id *account, uint32_t round);

/* [tx] A KeyPackage that was made for a request. */
sotto_error store_rejoin_package_put(struct store *store, sotto_bytes ref,
                                     const struct room_id *room);
sotto_error store_rejoin_package_is(struct store *store, sotto_bytes ref,
                                    const struct room_id *room, bool *is);

/* [tx] Those of the room, with their keys: nobody can use them any more. */
sotto_error store_rejoin_packages_erase(struct store *store, const struct room_id *room);

/* ---- Being asked ------------------------------------------------------------------------------
 */

/* [tx] A request, by the reference of its KeyPackage. EXISTS: it was seen before; LIMIT: so many
 * are remembered that no more can be taken. Those that ended before now_s are forgotten. */
#define STORE_REJOIN_SEEN_MAX 4096
sotto_error store_rejoin_seen(struct store *store, sotto_bytes ref, uint64_t now_s,
                              uint64_t ends_s);

/* When the lifetime began of the KeyPackage by which the device came into the room, where it, or
 * another device of its account, was in before; 0: it did not. [tx] for put. */
sotto_error store_rejoin_came_get(struct store *store, const struct room_id *room,
                                  const struct account_id *account, const struct device_id *device,
                                  uint64_t *not_before_s);
sotto_error store_rejoin_came_put(struct store *store, const struct room_id *room,
                                  const struct account_id *account, const struct device_id *device,
                                  uint64_t not_before_s);

#endif
