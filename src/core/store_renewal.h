/* When one's own leaf of a room gets fresh keys (renew.h). See store.h. */
#ifndef CORE_STORE_RENEWAL_H
#define CORE_STORE_RENEWAL_H

#include "core/store.h"

struct store_renewal {
    uint64_t due_s;   /* then, */
    uint64_t due_seq; /* or when the log has come so far */
};

sotto_error store_renewal_get(struct store *store, const struct room_id *room,
                              struct store_renewal *renewal); /* NOT_FOUND */
/* [tx] Inserts or replaces. */
sotto_error store_renewal_put(struct store *store, const struct room_id *room,
                              const struct store_renewal *renewal);

#endif
