#include "core/store_query.h"

/* Of the sender, or of all if sender is NULL: whether there is more than that, and the oldest. */
static sotto_error look(struct store *store, const struct room_id *room,
                        const struct account_id *sender, uint64_t count, uint64_t size, bool *above,
                        uint64_t *oldest)
{
    struct query q;
    query_read(&q, store,
               sender == NULL
                   ? "SELECT count(*), total(length(content)) > ?2, coalesce(min(seq), 0)"
                     " FROM early_change WHERE room = ?1"
                   : "SELECT count(*), total(length(content)) > ?2, coalesce(min(seq), 0)"
                     " FROM early_change WHERE room = ?1 AND sender = ?3");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, size);
    if (sender != NULL)
        query_fixed(&q, sender->bytes, sizeof sender->bytes);
    bool found = false;
    uint64_t first = 0;
    if (query_next(&q)) {
        found = column_u64(&q) > count;
        found = column_bool(&q) || found;
        first = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *above = found;
    *oldest = first;
    return SOTTO_OK;
}

/* The oldest go until that is left. */
static sotto_error limit(struct store *store, const struct room_id *room,
                         const struct account_id *sender, uint64_t count, uint64_t size)
{
    bool above = false;
    uint64_t oldest = 0;
    TRY(look(store, room, sender, count, size, &above, &oldest));
    while (above) {
        TRY(store_early_erase(store, room, oldest));
        TRY(look(store, room, sender, count, size, &above, &oldest));
    }
    return SOTTO_OK;
}

sotto_error store_early_put(struct store *store, const struct room_id *room,
                            const struct store_early *early)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO early_change (room, seq, sender, target, content, time_s,"
                " erase_s) VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, early->seq);
    query_fixed(&q, early->sender.bytes, sizeof early->sender.bytes);
    query_bytes(&q, early->target);
    query_bytes(&q, early->content);
    query_u64(&q, early->time_s);
    query_u64(&q, early->erase_s);
    TRY(query_run(&q));
    TRY(limit(store, room, &early->sender, STORE_EARLY_SENDER_COUNT, STORE_EARLY_SENDER_SIZE));
    return limit(store, room, NULL, STORE_EARLY_ROOM_COUNT, STORE_EARLY_ROOM_SIZE);
}

sotto_error store_early_next(struct store *store, const struct room_id *room, int64_t local,
                             struct arena *arena, struct store_early *early)
{
    struct query q;
    struct store_early found = {0};
    query_read(&q, store,
               "SELECT seq, sender, target, content, time_s, erase_s FROM early_change"
               " WHERE room = ?1 AND target IN (SELECT content_id FROM message WHERE local = ?2"
               " UNION ALL SELECT content_id FROM revision WHERE local = ?2"
               " UNION ALL SELECT content_id FROM reaction WHERE local = ?2)"
               " ORDER BY seq LIMIT 1");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, local);
    if (query_next(&q)) {
        found.seq = column_u64(&q);
        column_fixed(&q, found.sender.bytes, sizeof found.sender.bytes);
        found.target = column_bytes(&q, arena);
        found.content = column_bytes(&q, arena);
        found.time_s = column_u64(&q);
        found.erase_s = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *early = found;
    return SOTTO_OK;
}

sotto_error store_early_erase(struct store *store, const struct room_id *room, uint64_t seq)
{
    struct query q;
    query_write(&q, store, "DELETE FROM early_change WHERE room = ? AND seq = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    store->scrub = true;
    return query_run(&q);
}

sotto_error store_early_clear(struct store *store, const struct room_id *room, uint64_t seq)
{
    struct query q;
    query_write(&q, store, "DELETE FROM early_change WHERE room = ? AND seq <= ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    store->scrub = true;
    return query_run(&q);
}

sotto_error store_early_due(struct store *store, uint64_t now_s, bool *due)
{
    struct query q;
    query_read(&q, store, "SELECT EXISTS (SELECT 1 FROM early_change WHERE erase_s <= ?)");
    query_u64(&q, now_s);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *due = found;
    return SOTTO_OK;
}

sotto_error store_early_expire(struct store *store, uint64_t now_s)
{
    struct query q;
    query_write(&q, store, "DELETE FROM early_change WHERE erase_s <= ?");
    query_u64(&q, now_s);
    store->scrub = true;
    return query_run(&q);
}
