#include "core/store_query.h"

/* ---- Owed ----------------------------------------------------------------------------------- */

sotto_error store_receipts_owed(struct store *store, const struct room_id *room, uint32_t limit,
                                struct arena *arena, struct store_receipt_owed **owed,
                                size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **owed};
    query_read(&q, store,
               "SELECT local, content_id, owed FROM message WHERE room = ? AND owed > 0"
               " ORDER BY local LIMIT ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, limit);
    while (query_next(&q)) {
        struct store_receipt_owed *row = rows_add(&rows, &q);
        if (row == NULL)
            continue;
        row->local = column_i64(&q);
        row->content_id = column_bytes(&q, arena);
        row->state = column_between(&q, STORE_DELIVERED, STORE_READ);
    }
    TRY(query_end(&q));
    *owed = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_receipts_any(struct store *store, const struct room_id *room, bool *any)
{
    struct query q;
    query_read(&q, store, "SELECT EXISTS (SELECT 1 FROM message WHERE room = ? AND owed > 0)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *any = found;
    return SOTTO_OK;
}

sotto_error store_receipts_paid(struct store *store, const struct room_id *room, int64_t local)
{
    struct query q;
    query_write(&q, store,
                "UPDATE message SET owed = 0 WHERE room = ? AND owed > 0 AND local <= ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, local);
    return query_run(&q);
}

sotto_error store_receipts_rooms(struct store *store, struct arena *arena, struct room_id **rooms,
                                 size_t *count)
{
    struct query q;
    /* From one room to the next, however much each owes. */
    query_read(&q, store,
               "WITH RECURSIVE each (room) AS (SELECT min(room) FROM message WHERE owed > 0"
               " UNION ALL SELECT (SELECT min(room) FROM message WHERE owed > 0"
               " AND room > each.room) FROM each WHERE each.room IS NOT NULL)"
               " SELECT room FROM each WHERE room IS NOT NULL");
    return query_end_rooms(&q, arena, rooms, count);
}

sotto_error store_receipts_time(struct store *store, const struct room_id *room, uint64_t *time_s)
{
    struct query q;
    query_read(&q, store, "SELECT receipt_s FROM room WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *time_s = found;
    return SOTTO_OK;
}

sotto_error store_receipts_time_put(struct store *store, const struct room_id *room,
                                    uint64_t time_s)
{
    struct query q;
    query_write(&q, store, "UPDATE room SET receipt_s = ? WHERE room = ?");
    query_u64(&q, time_s);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return query_run_one(&q);
}

/* ---- Of others ------------------------------------------------------------------------------ */

sotto_error store_receipt_about(struct store *store, const struct room_id *room,
                                sotto_bytes content_id, int64_t *local)
{
    struct query q;
    query_read(&q, store,
               "SELECT local FROM message WHERE room = ?1 AND content_id = ?2"
               " AND own AND kind IN (1, 9)" /* SOTTO_KIND_TEXT, SOTTO_KIND_FILE */
               " UNION ALL SELECT local FROM message WHERE own AND kind IN (1, 9) AND local ="
               " (SELECT local FROM revision WHERE room = ?1 AND content_id = ?2) LIMIT 1");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_bytes(&q, content_id);
    int64_t found = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end_one(&q));
    *local = found;
    return SOTTO_OK;
}

sotto_error store_receipt_put(struct store *store, int64_t local,
                              const struct store_receipt *receipt)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO receipt (local, account, state, time_s) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (local, account) DO UPDATE"
                " SET state = excluded.state, time_s = excluded.time_s"
                " WHERE excluded.state > state");
    query_i64(&q, local);
    query_fixed(&q, receipt->account.bytes, sizeof receipt->account.bytes);
    query_u64(&q, receipt->state);
    query_u64(&q, receipt->time_s);
    return query_run(&q);
}

sotto_error store_receipt_keep(struct store *store, const struct room_id *room,
                               sotto_bytes content_id, const struct store_receipt *receipt)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO early_receipt (room, target, account, state, time_s)"
                " SELECT ?1, ?2, ?3, ?4, ?5 WHERE"
                " NOT EXISTS (SELECT 1 FROM message WHERE room = ?1 AND content_id = ?2)"
                " AND NOT EXISTS (SELECT 1 FROM revision WHERE room = ?1 AND content_id = ?2)"
                " ON CONFLICT (room, target, account) DO UPDATE"
                " SET state = excluded.state, time_s = excluded.time_s"
                " WHERE excluded.state > state");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_bytes(&q, content_id);
    query_fixed(&q, receipt->account.bytes, sizeof receipt->account.bytes);
    query_u64(&q, receipt->state);
    query_u64(&q, receipt->time_s);
    return query_run(&q);
}

sotto_error store_receipts_keep_limit(struct store *store, const struct room_id *room,
                                      const struct account_id *account, uint64_t before_s)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM early_receipt WHERE number IN (SELECT number FROM early_receipt"
                " WHERE room = ? AND account = ? ORDER BY number DESC LIMIT -1 OFFSET ?)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_fixed(&q, account->bytes, sizeof account->bytes);
    query_u64(&q, STORE_EARLY_RECEIPTS_SENDER);
    TRY(query_run(&q));
    query_write(&q, store,
                "DELETE FROM early_receipt WHERE room = ?1 AND (time_s < ?2 OR number IN"
                " (SELECT number FROM early_receipt WHERE room = ?1"
                " ORDER BY number DESC LIMIT -1 OFFSET ?3))");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, before_s);
    query_u64(&q, STORE_EARLY_RECEIPTS_ROOM);
    return query_run(&q);
}

sotto_error store_receipts_kept(struct store *store, const struct room_id *room, int64_t local)
{
#define OF_THIS                                                           \
    "room = ?1 AND target IN (SELECT content_id FROM message WHERE local" \
    " = ?2 UNION ALL SELECT content_id FROM revision WHERE local = ?2)"
    struct query q;
    query_write(&q, store,
                "INSERT INTO receipt (local, account, state, time_s)"
                " SELECT ?2, account, state, time_s FROM early_receipt WHERE " OF_THIS
                " AND EXISTS (SELECT 1 FROM message WHERE local = ?2 AND own AND kind IN (1, 9))"
                " ON CONFLICT (local, account) DO UPDATE"
                " SET state = excluded.state, time_s = excluded.time_s"
                " WHERE excluded.state > state");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, local);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM early_receipt WHERE " OF_THIS);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, local);
    return query_run(&q);
#undef OF_THIS
}

sotto_error store_receipts(struct store *store, int64_t local, struct arena *arena,
                           struct store_receipt **receipts, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **receipts};
    query_read(&q, store,
               "SELECT account, state, time_s FROM receipt WHERE local = ?"
               " ORDER BY time_s, account");
    query_i64(&q, local);
    while (query_next(&q)) {
        struct store_receipt *row = rows_add(&rows, &q);
        if (row == NULL)
            continue;
        column_fixed(&q, row->account.bytes, sizeof row->account.bytes);
        row->state = column_between(&q, STORE_DELIVERED, STORE_READ);
        row->time_s = column_u64(&q);
    }
    TRY(query_end(&q));
    *receipts = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_receipts_best(struct store *store, int64_t local, enum store_receipt_state *state)
{
    struct query q;
    query_read(&q, store, "SELECT coalesce(max(state), 0) FROM receipt WHERE local = ?");
    query_i64(&q, local);
    uint32_t found = query_next(&q) ? column_between(&q, STORE_NO_RECEIPT, STORE_READ) : 0;
    TRY(query_end(&q));
    *state = (enum store_receipt_state)found;
    return SOTTO_OK;
}

sotto_error store_receipts_clear(struct store *store)
{
    struct query q;
    query_write(&q, store, "UPDATE message SET owed = 0 WHERE owed > 0");
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM receipt");
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM early_receipt");
    TRY(query_run(&q));
    store->scrub = true;
    return SOTTO_OK;
}
