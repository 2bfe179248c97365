#include "core/store_query.h"

sotto_error store_renewal_get(struct store *store, const struct room_id *room,
                              struct store_renewal *renewal)
{
    struct query q;
    query_read(&q, store, "SELECT due_s, due_seq FROM renewal WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    struct store_renewal found = {0};
    if (query_next(&q)) {
        found.due_s = column_u64(&q);
        found.due_seq = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *renewal = found;
    return SOTTO_OK;
}

sotto_error store_renewal_put(struct store *store, const struct room_id *room,
                              const struct store_renewal *renewal)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO renewal (room, due_s, due_seq) VALUES (?, ?, ?)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, renewal->due_s);
    query_u64(&q, renewal->due_seq);
    return query_run(&q);
}
