/* Links with which people ask to join groups: made by this account, asked with from elsewhere,
 * taken by oneself. See store.h. */
#ifndef CORE_STORE_JOINING_H
#define CORE_STORE_JOINING_H

#include "core/store.h"

/* A link that a device of the account made; uses and lifetime are those of the invitation of that
 * capability. */
struct store_join_link {
    int64_t number; /* given by the store */
    uint8_t capability[CAPABILITY_SIZE];
    struct room_id room;
    bool revoked; /* the relay has to be told, then it goes */
};
sotto_error store_join_link_get(struct store *store, sotto_bytes capability,
                                struct store_join_link *link); /* NOT_FOUND */
sotto_error store_join_link_at(struct store *store, int64_t number,
                               struct store_join_link *link); /* NOT_FOUND */
sotto_error store_join_links(struct store *store, struct arena *arena,
                             struct store_join_link **links, size_t *count);
/* [tx] */
sotto_error store_join_link_add(struct store *store, const struct store_join_link *link);
/* [tx] NOT_FOUND. */
sotto_error store_join_link_revoke(struct store *store, int64_t number);
/* [tx] So many asked with it, if it is here and fewer did by what is known. */
sotto_error store_join_link_used(struct store *store, sotto_bytes capability, uint32_t used);
/* [tx] With its invitation. NOT_FOUND is no error. */
sotto_error store_join_link_erase(struct store *store, sotto_bytes capability);

/* Somebody who asks. */
struct store_joiner {
    int64_t id; /* given by the store */
    struct room_id room;
    struct account_id account; /* one a room and account: the newest counts */
    struct device_id device;
    const char *relay; /* the account's */
    sotto_bytes capability;
    const char *name; /* as the request says */
    uint64_t time_s;
};
sotto_error store_joiner_get(struct store *store, int64_t id, struct arena *arena,
                             struct store_joiner *joiner); /* NOT_FOUND */
sotto_error store_joiners(struct store *store, struct arena *arena, struct store_joiner **joiners,
                          size_t *count);
/* [tx] */
sotto_error store_joiner_put(struct store *store, const struct store_joiner *joiner);
/* Of that room and account. NOT_FOUND. */
sotto_error store_joiner_of(struct store *store, const struct room_id *room,
                            const struct account_id *account, struct arena *arena,
                            struct store_joiner *joiner);
/* [tx] Erases what that account had asked by then. NOT_FOUND is no error. */
sotto_error store_joiner_answered(struct store *store, const struct room_id *room,
                                  const struct account_id *account, uint64_t time_s);
/* [tx] NOT_FOUND is no error. */
sotto_error store_joiner_erase(struct store *store, int64_t id);

/* What this device asked. */
struct store_asked {
    struct room_id room; /* of the row that shows it: a hash of the link */
    sotto_bytes link;    /* its capability */
    struct account_id account;
    struct device_id device;
    sotto_bytes capability; /* of one's own, which the answer carries */
};
sotto_error store_asked_get(struct store *store, const struct room_id *room, struct arena *arena,
                            struct store_asked *asked); /* NOT_FOUND */
/* By one's own capability. NOT_FOUND. */
sotto_error store_asked_room(struct store *store, sotto_bytes capability, struct room_id *room);
/* [tx] It goes with its room. */
sotto_error store_asked_put(struct store *store, const struct store_asked *asked);

#endif
