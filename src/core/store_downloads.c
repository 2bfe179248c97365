#include "core/store_downloads.h"

#include <string.h>

#include "core/store_query.h"

sotto_error store_download_add(struct store *store, int64_t local,
                               const char name[static DOWNLOAD_NAME_SIZE + 1], uint64_t size)
{
    struct query q;
    query_write(&q, store, "INSERT INTO download (local, name, size, state) VALUES (?, ?, ?, 1)");
    query_i64(&q, local);
    query_text(&q, name);
    query_u64(&q, size);
    return query_run(&q);
}

static void read_name(struct query *q, char name[static DOWNLOAD_NAME_SIZE + 1])
{
    const sotto_bytes text = column_borrow(q);
    if (q->error == SOTTO_OK && text.size != DOWNLOAD_NAME_SIZE)
        q->error = store_fail(q->store, SOTTO_VALUE, "download.name");
    if (q->error == SOTTO_OK)
        memcpy(name, text.data, DOWNLOAD_NAME_SIZE);
    name[q->error == SOTTO_OK ? DOWNLOAD_NAME_SIZE : 0] = '\0';
}

static sotto_error one_download(struct query *q, struct store_download *download)
{
    struct store_download found = {0};
    if (query_next(q)) {
        found.local = column_i64(q);
        read_name(q, found.name);
        found.state = column_between(q, STORE_DOWNLOAD_WANTED, STORE_DOWNLOAD_FAILED);
    }
    TRY(query_end_one(q));
    *download = found;
    return SOTTO_OK;
}

sotto_error store_download_next(struct store *store, struct store_download *download)
{
    struct query q;
    query_read(&q, store,
               "SELECT local, name, state FROM download WHERE state = 1"
               " ORDER BY local DESC LIMIT 1");
    return one_download(&q, download);
}

sotto_error store_download_get(struct store *store, int64_t local, struct store_download *download)
{
    struct query q;
    query_read(&q, store, "SELECT local, name, state FROM download WHERE local = ?");
    query_i64(&q, local);
    return one_download(&q, download);
}

sotto_error store_download_end(struct store *store, int64_t local, enum store_download_state state)
{
    struct query q;
    query_write(&q, store, "UPDATE download SET state = ? WHERE local = ?");
    query_u64(&q, state);
    query_i64(&q, local);
    return query_run_one(&q);
}

sotto_error store_download_trim(struct store *store, uint64_t most)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM download WHERE state = 2 AND local IN (SELECT local FROM"
                " (SELECT local, sum(size) OVER (ORDER BY local DESC) AS whole FROM download"
                " WHERE state = 2) WHERE whole > ?)");
    query_u64(&q, most);
    return query_run(&q);
}

sotto_error store_download_left(struct store *store, char name[static DOWNLOAD_NAME_SIZE + 1])
{
    struct query q;
    query_read(&q, store, "SELECT name FROM download_left LIMIT 1");
    if (query_next(&q))
        read_name(&q, name);
    return query_end_one(&q);
}

sotto_error store_download_gone(struct store *store, const char *name)
{
    struct query q;
    query_write(&q, store, "DELETE FROM download_left WHERE name = ?");
    query_text(&q, name);
    return query_run(&q);
}
