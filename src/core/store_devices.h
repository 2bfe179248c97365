/* Several devices of one account in the store: one's own manifest, whose lists of devices changed,
 * what devices are called, and the histories that are given to new ones. See store.h. */
#ifndef CORE_STORE_DEVICES_H
#define CORE_STORE_DEVICES_H

#include "core/store.h"

/* One's own newest manifest; NOT_FOUND: there is no account. */
sotto_error store_own_manifest_get(struct store *store, struct arena *arena, sotto_bytes *manifest);
/* [tx] */
sotto_error store_own_manifest_put(struct store *store, sotto_bytes manifest);

/* [tx] The account's list of devices is another one from now on. */
sotto_error store_manifest_changed(struct store *store, const struct account_id *account);
/* The number of the newest change; 0: none yet. */
sotto_error store_manifest_changes(struct store *store, uint64_t *newest);
/* The number of the account's last change; 0: none. */
sotto_error store_manifest_change(struct store *store, const struct account_id *account,
                                  uint64_t *number);
/* Up to which change the room's members were looked at; 0: never. [tx] for put. */
sotto_error store_room_judged_get(struct store *store, const struct room_id *room,
                                  uint64_t *number);
sotto_error store_room_judged_put(struct store *store, const struct room_id *room, uint64_t number);

/* How many rows of the outbox, in all rooms, have that client id. */
sotto_error store_outgoing_named(struct store *store, const char *client_id, uint32_t *count);

/* Empty: it has none. [tx] for put. */
sotto_error store_device_name_get(struct store *store, const struct device_id *device,
                                  struct arena *arena, const char **name);
sotto_error store_device_name_put(struct store *store, const struct device_id *device,
                                  const char *name);

struct store_history {
    struct device_id device; /* whom it is given to */
    int64_t position; /* of the last message that was given; -1: not even the list of rooms */
    uint64_t given;   /* messages */
};

/* The first that is under way. NOT_FOUND. */
sotto_error store_history_next(struct store *store, struct store_history *history);
/* Whether that device's is. */
sotto_error store_history_is(struct store *store, const struct device_id *device, bool *is);
/* [tx] Inserts or replaces. */
sotto_error store_history_put(struct store *store, const struct store_history *history);
/* [tx] From the beginning, unless one is under way. */
sotto_error store_history_begin(struct store *store, const struct device_id *device);
/* [tx] NOT_FOUND is no error. */
sotto_error store_history_erase(struct store *store, const struct device_id *device);

#endif
