/* Whom this device added and whose Welcome their relay has not taken: in the group's list, and not
 * in yet. See store.h. */
#ifndef CORE_STORE_ARRIVING_H
#define CORE_STORE_ARRIVING_H

#include "core/store.h"

struct store_arriving {
    bool given_up;     /* else it is tried again */
    const char *error; /* what was said at the last try; empty: not tried yet */
};

/* Of that device. NOT_FOUND: it was let in, or by somebody else. */
sotto_error store_arriving_get(struct store *store, const struct room_id *room,
                               const struct account_id *account, const struct device_id *device,
                               struct arena *arena, struct store_arriving *arriving);
/* Of whoever was refused first. NOT_FOUND: nobody was. */
sotto_error store_arriving_refused(struct store *store, const struct room_id *room,
                                   struct arena *arena, struct store_arriving *arriving);
/* [tx] The Welcome is not tried again. */
sotto_error store_arriving_give_up(struct store *store, const struct room_id *room,
                                   const struct account_id *account, const struct device_id *device,
                                   const char *error);
/* [tx] The device was removed: what had been refused until then is not posted any more. */
sotto_error store_arriving_gone(struct store *store, const struct room_id *room,
                                const struct account_id *account, const struct device_id *device);

#endif
