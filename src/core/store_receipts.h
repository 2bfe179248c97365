/* Delivery and read receipts: what is owed to others, and what others said. See store.h. */
#ifndef CORE_STORE_RECEIPTS_H
#define CORE_STORE_RECEIPTS_H

#include "core/store.h"

enum store_receipt_state {
    STORE_NO_RECEIPT = 0,
    STORE_DELIVERED = 1,
    STORE_READ = 2,
};

/* What is owed for a message of somebody else's. */
struct store_receipt_owed {
    int64_t local; /* the message's row */
    sotto_bytes content_id;
    enum store_receipt_state state;
};

/* What a room owes, oldest first, at most limit. */
sotto_error store_receipts_owed(struct store *store, const struct room_id *room, uint32_t limit,
                                struct arena *arena, struct store_receipt_owed **owed,
                                size_t *count);
/* Whether it owes any. */
sotto_error store_receipts_any(struct store *store, const struct room_id *room, bool *any);
/* [tx] What the room owed up to that row, as store_receipts_owed gives them, was queued. */
sotto_error store_receipts_paid(struct store *store, const struct room_id *room, int64_t local);
/* The rooms that owe any. */
sotto_error store_receipts_rooms(struct store *store, struct arena *arena, struct room_id **rooms,
                                 size_t *count);
/* When the room last sent some; 0: never. */
sotto_error store_receipts_time(struct store *store, const struct room_id *room, uint64_t *time_s);
/* [tx] NOT_FOUND: the room. */
sotto_error store_receipts_time_put(struct store *store, const struct room_id *room,
                                    uint64_t time_s);

/* What somebody said of a message of one's own. */
struct store_receipt {
    struct account_id account;
    enum store_receipt_state state;
    uint64_t time_s; /* when this device stored it */
};

/* The text or file of one's own that this content id, or that of an edit, means. NOT_FOUND: none.
 * In a group most receipts are about others' messages. */
sotto_error store_receipt_about(struct store *store, const struct room_id *room,
                                sotto_bytes content_id, int64_t *local);
/* [tx] Unless that account said as much or more before. */
sotto_error store_receipt_put(struct store *store, int64_t local,
                              const struct store_receipt *receipt);
/* [tx] The same of a message that is not here: kept for when the past brings it, within limits, the
 * oldest goes first; nothing, if it is here and nobody's who waits for that. */
enum { STORE_EARLY_RECEIPTS_SENDER = 1024, STORE_EARLY_RECEIPTS_ROOM = 8192 };
sotto_error store_receipt_keep(struct store *store, const struct room_id *room,
                               sotto_bytes content_id, const struct store_receipt *receipt);
/* [tx] Those of the room that are above the limits, or from before that, go. */
sotto_error store_receipts_keep_limit(struct store *store, const struct room_id *room,
                                      const struct account_id *account, uint64_t before_s);
/* [tx] What was kept of that row, which has come, counts. */
sotto_error store_receipts_kept(struct store *store, const struct room_id *room, int64_t local);
/* Of a message, in the order in which they came. */
sotto_error store_receipts(struct store *store, int64_t local, struct arena *arena,
                           struct store_receipt **receipts, size_t *count);
/* The most that anybody said of it. */
sotto_error store_receipts_best(struct store *store, int64_t local,
                                enum store_receipt_state *state);
/* [tx] Forgets all that is owed and all that others said. */
sotto_error store_receipts_clear(struct store *store);

#endif
