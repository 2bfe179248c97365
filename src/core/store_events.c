#include "core/store_query.h"

sotto_error store_events(struct store *store, uint64_t after, uint32_t limit, struct arena *arena,
                         struct store_event **events, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **events};
    query_read(&q, store,
               "SELECT number, kind, about, local, position FROM event WHERE number > ?"
               " ORDER BY number LIMIT ?");
    query_u64(&q, after);
    query_u64(&q, limit);
    while (query_next(&q)) {
        struct store_event *row = rows_add(&rows, &q);
        if (row == NULL)
            continue;
        row->number = column_u64(&q);
        row->kind = column_u32(&q);
        row->has_about = column_fixed(&q, row->about, sizeof row->about);
        row->local = column_i64(&q);
        row->position = column_i64(&q); /* NULL reads as 0 */
    }
    TRY(query_end(&q));
    *events = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_event_add(struct store *store, uint32_t kind, const uint8_t about[static 32])
{
    struct query q;
    query_write(&q, store, "INSERT INTO event (kind, about) VALUES (?, ?)");
    query_u64(&q, kind);
    query_fixed(&q, about, 32);
    return query_run(&q);
}

sotto_error store_events_range(struct store *store, uint64_t *oldest, uint64_t *newest)
{
    struct query q;
    query_read(&q, store,
               "SELECT coalesce((SELECT min(number) FROM event), 0),"
               " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)");
    uint64_t first = 0, last = 0;
    if (query_next(&q)) {
        first = column_u64(&q);
        last = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *oldest = first;
    *newest = last;
    return SOTTO_OK;
}
