#include "sotto/sotto.h"
#include "core/store_query.h"

sotto_error store_messages_due(struct store *store, uint64_t now_s, bool *due)
{
    struct query q;
    query_read(&q, store,
               "SELECT EXISTS (SELECT 1 FROM message WHERE erase_s > 0 AND erase_s <= ?)");
    query_u64(&q, now_s);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *due = found;
    return SOTTO_OK;
}

sotto_error store_messages_expire(struct store *store, uint64_t now_s)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO event (kind, about, position) SELECT ?, room, position FROM message"
                " WHERE erase_s > 0 AND erase_s <= ? ORDER BY position");
    query_u64(&q, SOTTO_EVENT_MESSAGE_ERASED);
    query_u64(&q, now_s);
    TRY(query_run(&q));
    query_write(&q, store,
                "INSERT INTO event (kind, about) SELECT DISTINCT ?, room FROM message"
                " WHERE erase_s > 0 AND erase_s <= ? AND unread");
    query_u64(&q, SOTTO_EVENT_CONVERSATION);
    query_u64(&q, now_s);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM message WHERE erase_s > 0 AND erase_s <= ?");
    query_u64(&q, now_s);
    TRY(query_run(&q));
    store->scrub = true;
    return SOTTO_OK;
}

sotto_error store_room_timer(struct store *store, const struct room_id *room, uint32_t *timer_s)
{
    struct query q;
    query_read(&q, store, "SELECT timer_s FROM room WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    uint32_t found = query_next(&q) ? column_u32(&q) : 0;
    TRY(query_end(&q));
    *timer_s = found;
    return SOTTO_OK;
}

sotto_error store_room_timer_put(struct store *store, const struct room_id *room, uint32_t timer_s)
{
    struct query q;
    query_write(&q, store, "UPDATE room SET timer_s = ? WHERE room = ?");
    query_u64(&q, timer_s);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return query_run_one(&q);
}
