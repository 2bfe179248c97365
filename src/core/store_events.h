/* What changed in the profile, in order, whichever process changed it. See store.h. */
#ifndef CORE_STORE_EVENTS_H
#define CORE_STORE_EVENTS_H

#include "core/store.h"

struct store_event {
    uint64_t number; /* 1, 2, ...: never given twice */
    uint32_t kind;   /* enum sotto_event_kind */
    bool has_about;
    uint8_t about[32]; /* a room's id; of a contact, the account's */
    int64_t local;     /* of a message: its row; else 0 */
    int64_t position;  /* of a message that was erased: its position; else 0 */
};

/* Those above `after`, in order, at most limit. */
sotto_error store_events(struct store *store, uint64_t after, uint32_t limit, struct arena *arena,
                         struct store_event **events, size_t *count);
/* [tx] Adds one; those of messages, rooms, contacts and requests are added by themselves. */
sotto_error store_event_add(struct store *store, uint32_t kind, const uint8_t about[static 32]);
/* The oldest that is kept and the newest that was given; both 0: none yet. */
sotto_error store_events_range(struct store *store, uint64_t *oldest, uint64_t *newest);

#endif
