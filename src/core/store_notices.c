#include "core/store_notices.h"

#include <string.h>

#include "core/store_query.h"

#define COLUMNS "number, hash, relay, note, received_s, good, entry, read FROM notice "

static void read_notice(struct query *q, struct arena *arena, struct store_notice *out)
{
    out->number = column_i64(q);
    (void)column_fixed(q, out->hash, sizeof out->hash);
    out->relay = column_text(q, arena);
    out->note = column_bytes(q, arena);
    out->received_s = column_u64(q);
    out->good = column_bool(q);
    out->entry =
        (enum store_notice_entry)column_between(q, STORE_ENTRY_UNCHECKED, STORE_ENTRY_OTHER);
    out->read = column_bool(q);
}

static sotto_error one_notice(struct query *q, struct arena *arena, struct store_notice *notice)
{
    struct store_notice found;
    memset(&found, 0, sizeof found);
    if (query_next(q))
        read_notice(q, arena, &found);
    TRY(query_end_one(q));
    *notice = found;
    return SOTTO_OK;
}

static sotto_error all_notices(struct query *q, struct arena *arena, struct store_notice **list,
                               size_t *count)
{
    struct rows rows = {.arena = arena, .size = sizeof **list};
    while (query_next(q)) {
        struct store_notice *row = rows_add(&rows, q);
        if (row != NULL)
            read_notice(q, arena, row);
    }
    TRY(query_end(q));
    *list = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

/* ---- Changing ------------------------------------------------------------------------------- */

sotto_error store_notice_add(struct store *store, const struct store_notice *notice, bool *added)
{
    struct query q;
    int64_t number = 0;
    bool good = false;
    query_read(&q, store, "SELECT number, good FROM notice WHERE hash = ?");
    query_fixed(&q, notice->hash, sizeof notice->hash);
    if (query_next(&q)) {
        number = column_i64(&q);
        good = column_bool(&q);
    }
    TRY(query_end(&q));
    *added = notice->good && !good;
    if (number != 0)
        return *added ? store_notice_set_good(store, number) : SOTTO_OK;
    query_write(&q, store,
                "INSERT INTO notice (hash, relay, note, received_s, good, entry, read)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_fixed(&q, notice->hash, sizeof notice->hash);
    query_text(&q, notice->relay);
    query_bytes(&q, notice->note);
    query_u64(&q, notice->received_s);
    query_u64(&q, notice->good);
    query_u64(&q, notice->entry);
    query_u64(&q, notice->read);
    return query_run(&q);
}

sotto_error store_notice_set_good(struct store *store, int64_t number)
{
    struct query q;
    query_write(&q, store,
                "UPDATE notice SET good = 1, number = (SELECT max(number) + 1 FROM notice)"
                " WHERE number = ?");
    query_i64(&q, number);
    return query_run(&q);
}

sotto_error store_notices_limit(struct store *store, const char *relay)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM notice WHERE number IN (SELECT number FROM (SELECT number,"
                " row_number() OVER newest AS place, sum(length(note)) OVER newest AS size"
                " FROM notice WHERE good = 1 AND relay = ?"
                " WINDOW newest AS (ORDER BY number DESC)) WHERE place > ? OR size > ?)");
    query_text(&q, relay);
    query_u64(&q, STORE_NOTICES_MAX);
    query_u64(&q, STORE_NOTICES_SIZE);
    return query_run(&q);
}

sotto_error store_notice_set_entry(struct store *store, int64_t number,
                                   enum store_notice_entry entry)
{
    struct query q;
    query_write(&q, store, "UPDATE notice SET entry = ?1 WHERE number = ?2 AND entry <> ?1");
    query_u64(&q, entry);
    query_i64(&q, number);
    return query_run(&q);
}

sotto_error store_notice_set_read(struct store *store, const uint8_t hash[static HASH_SIZE])
{
    struct query q;
    query_write(&q, store, "UPDATE notice SET read = 1 WHERE hash = ? AND read = 0");
    query_fixed(&q, hash, HASH_SIZE);
    return query_run(&q);
}

sotto_error store_notice_erase(struct store *store, int64_t number)
{
    struct query q;
    query_write(&q, store, "DELETE FROM notice WHERE number = ?");
    query_i64(&q, number);
    return query_run(&q);
}

/* ---- Reading -------------------------------------------------------------------------------- */

sotto_error store_notices(struct store *store, uint64_t offset, uint64_t limit, bool unread,
                          struct arena *arena, struct store_notice **list, size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT " COLUMNS
               "WHERE good = 1 AND read <= ? ORDER BY number DESC LIMIT ? OFFSET ?");
    query_u64(&q, !unread);
    query_u64(&q, limit);
    query_u64(&q, offset);
    return all_notices(&q, arena, list, count);
}

sotto_error store_notices_count(struct store *store, bool unread, uint64_t *count)
{
    struct query q;
    uint64_t found = 0;
    query_read(&q, store, "SELECT count(*) FROM notice WHERE good = 1 AND read <= ?");
    query_u64(&q, !unread);
    if (query_next(&q))
        found = column_u64(&q);
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

sotto_error store_notices_newest(struct store *store, int64_t *number)
{
    struct query q;
    int64_t found = 0;
    query_read(&q, store, "SELECT coalesce(max(number), 0) FROM notice");
    if (query_next(&q))
        found = column_i64(&q);
    TRY(query_end(&q));
    *number = found;
    return SOTTO_OK;
}

sotto_error store_notices_after(struct store *store, int64_t number, struct arena *arena,
                                struct store_notice **list, size_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT " COLUMNS "WHERE good = 1 AND number > ? ORDER BY number");
    query_i64(&q, number);
    return all_notices(&q, arena, list, count);
}

sotto_error store_notice_get(struct store *store, const uint8_t hash[static HASH_SIZE],
                             struct arena *arena, struct store_notice *notice)
{
    struct query q;
    query_read(&q, store, "SELECT " COLUMNS "WHERE good = 1 AND hash = ?");
    query_fixed(&q, hash, HASH_SIZE);
    return one_notice(&q, arena, notice);
}

sotto_error store_notice_numbered(struct store *store, int64_t number, struct arena *arena,
                                  struct store_notice *notice)
{
    struct query q;
    query_read(&q, store, "SELECT " COLUMNS "WHERE good = 1 AND number = ?");
    query_i64(&q, number);
    return one_notice(&q, arena, notice);
}

sotto_error store_notices_waiting(struct store *store, const char *relay, struct arena *arena,
                                  struct store_notice **list, size_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT " COLUMNS "WHERE good = 0 AND relay = ? ORDER BY number");
    query_text(&q, relay);
    return all_notices(&q, arena, list, count);
}

sotto_error store_notice_unconfirmed(struct store *store, const char *relay, int64_t number,
                                     struct arena *arena, struct store_notice *notice)
{
    struct query q;
    query_read(&q, store,
               "SELECT " COLUMNS "WHERE good = 1 AND relay = ? AND number > ? AND entry IN (0, 2)"
               " ORDER BY number LIMIT 1");
    query_text(&q, relay);
    query_i64(&q, number);
    return one_notice(&q, arena, notice);
}
