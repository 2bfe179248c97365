#include "core/store_order_log.h"

#include "core/store_query.h"

sotto_error store_order_log_get(struct store *store, const char *relay, struct arena *arena,
                                struct store_order_log *log)
{
    struct query q;
    query_read(&q, store,
               "SELECT relay, key, note, counted, looked_s, grew_s, verdict, convicted_s"
               " FROM order_log WHERE relay = ?");
    query_text(&q, relay);
    struct store_order_log found = {0};
    if (query_next(&q)) {
        found.relay = column_text(&q, arena);
        found.key = column_text(&q, arena);
        found.note = column_bytes(&q, arena);
        found.counted = column_bytes(&q, arena);
        found.looked_s = column_u64(&q);
        found.grew_s = column_u64(&q);
        found.verdict = column_u32(&q);
        found.convicted_s = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *log = found;
    return SOTTO_OK;
}

/* An upsert, not a replacement, so that what changed is told to triggers. */
sotto_error store_order_log_put(struct store *store, const struct store_order_log *log)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO order_log (relay, key, note, counted, looked_s, grew_s, verdict,"
                " convicted_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (relay) DO UPDATE SET"
                " key = excluded.key, note = excluded.note, counted = excluded.counted,"
                " looked_s = excluded.looked_s, grew_s = excluded.grew_s,"
                " verdict = excluded.verdict, convicted_s = excluded.convicted_s");
    query_text(&q, log->relay);
    query_text(&q, log->key);
    query_bytes(&q, log->note);
    query_bytes(&q, log->counted);
    query_u64(&q, log->looked_s);
    query_u64(&q, log->grew_s);
    query_u64(&q, log->verdict);
    query_u64(&q, log->convicted_s);
    return query_run(&q);
}

sotto_error store_order_evidence_add(struct store *store,
                                     const struct store_order_evidence *evidence)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO order_evidence (relay, verdict, time_s, key, other_key, old_note,"
                " new_note) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS"
                " (SELECT 1 FROM order_evidence WHERE relay = ?1 AND verdict = ?2"
                " AND other_key = ?5 AND old_note = ?6 AND new_note = ?7)"
                " AND (SELECT count(*) FROM order_evidence WHERE relay = ?1) < ?8");
    query_text(&q, evidence->relay);
    query_u64(&q, evidence->verdict);
    query_u64(&q, evidence->time_s);
    query_text(&q, evidence->key);
    query_text(&q, evidence->other_key);
    query_bytes(&q, evidence->before);
    query_bytes(&q, evidence->after);
    query_u64(&q, STORE_ORDER_EVIDENCE_MAX);
    return query_run(&q);
}

sotto_error store_order_evidence(struct store *store, struct arena *arena,
                                 struct store_order_evidence **list, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **list};
    query_read(&q, store,
               "SELECT number, relay, verdict, time_s, key, other_key, old_note, new_note"
               " FROM order_evidence ORDER BY number");
    while (query_next(&q)) {
        struct store_order_evidence *row = rows_add(&rows, &q);
        if (row == NULL)
            continue;
        row->number = column_i64(&q);
        row->relay = column_text(&q, arena);
        row->verdict = column_u32(&q);
        row->time_s = column_u64(&q);
        row->key = column_text(&q, arena);
        row->other_key = column_text(&q, arena);
        row->before = column_bytes(&q, arena);
        row->after = column_bytes(&q, arena);
    }
    TRY(query_end(&q));
    *list = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}
