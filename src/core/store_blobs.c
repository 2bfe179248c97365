#include "core/store_blobs.h"

#include "core/store_query.h"

sotto_error store_blob_add(struct store *store, const struct store_blob *blob)
{
    struct query q;
    query_write(&q, store, "INSERT INTO blob (blob, relay, write_token) VALUES (?, ?, ?)");
    query_bytes(&q, blob->blob);
    query_text(&q, blob->relay);
    query_bytes(&q, blob->write_token);
    return query_run(&q);
}

static sotto_error one_blob(struct query *q, struct arena *arena, struct store_blob *out)
{
    struct store_blob found = {0};
    if (query_next(q)) {
        found.blob = column_bytes(q, arena);
        found.relay = column_text(q, arena);
        found.write_token = column_bytes(q, arena);
        if (q->error == SOTTO_OK &&
            (found.blob.size != BLOB_ID_SIZE || found.write_token.size != TOKEN_SIZE))
            q->error = store_fail(q->store, SOTTO_VALUE, "blob");
    }
    TRY(query_end_one(q));
    *out = found;
    return SOTTO_OK;
}

sotto_error store_blob_get(struct store *store, sotto_bytes blob, struct arena *arena,
                           struct store_blob *out)
{
    struct query q;
    query_read(&q, store, "SELECT blob, relay, write_token FROM blob WHERE blob = ?");
    query_bytes(&q, blob);
    return one_blob(&q, arena, out);
}

/* ---- Messages that speak of them ------------------------------------------------------------- */

sotto_error store_blob_refer(struct store *store, const struct room_id *room, const char *client_id,
                             sotto_bytes blob)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO message_blob (local, blob) SELECT local, ?1 FROM message"
                " WHERE room = ?2 AND client_id = ?3"
                " AND EXISTS (SELECT 1 FROM blob WHERE blob = ?1)");
    query_bytes(&q, blob);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    TRY(query_run(&q));
    query_write(&q, store, "UPDATE blob SET delete_s = NULL WHERE blob = ?");
    query_bytes(&q, blob);
    return query_run(&q);
}

sotto_error store_blob_refer_local(struct store *store, int64_t local, sotto_bytes blob)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO message_blob (local, blob) SELECT ?1, ?2"
                " WHERE EXISTS (SELECT 1 FROM blob WHERE blob = ?2)");
    query_i64(&q, local);
    query_bytes(&q, blob);
    return query_run(&q);
}

sotto_error store_blob_of(struct store *store, int64_t local, struct arena *arena,
                          struct store_blob *out)
{
    struct query q;
    query_read(&q, store,
               "SELECT blob, relay, write_token FROM blob WHERE blob ="
               " (SELECT blob FROM message_blob WHERE local = ?)");
    query_i64(&q, local);
    return one_blob(&q, arena, out);
}

sotto_error store_blob_release(struct store *store, int64_t local, uint64_t from_s)
{
    struct query q;
    query_write(&q, store,
                "UPDATE blob SET delete_s = ?1 WHERE blob ="
                " (SELECT blob FROM message_blob WHERE local = ?2) AND NOT EXISTS"
                " (SELECT 1 FROM message_blob m WHERE m.blob = blob.blob AND m.local <> ?2)");
    query_u64(&q, from_s);
    query_i64(&q, local);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM message_blob WHERE local = ?");
    query_i64(&q, local);
    return query_run(&q);
}

sotto_error store_blobs_expire(struct store *store, uint64_t now_s, uint32_t grace_s)
{
    struct query q;
    query_write(&q, store,
                "UPDATE blob SET delete_s = ?1 + max(?2, coalesce((SELECT max(m.timer_s) FROM"
                " message m JOIN message_blob b USING (local) WHERE b.blob = blob.blob), 0))"
                " WHERE blob IN (SELECT b.blob FROM message m JOIN message_blob b USING (local)"
                " WHERE m.erase_s > 0 AND m.erase_s <= ?1)"
                " AND NOT EXISTS (SELECT 1 FROM message m JOIN message_blob b USING (local)"
                " WHERE b.blob = blob.blob AND NOT (m.erase_s > 0 AND m.erase_s <= ?1))");
    query_u64(&q, now_s);
    query_u64(&q, grace_s);
    return query_run(&q);
}

sotto_error store_blobs_end(struct store *store, uint64_t from_s)
{
    struct query q;
    query_write(&q, store, "UPDATE blob SET delete_s = ?");
    query_u64(&q, from_s);
    return query_run(&q);
}

/* ---- Deletions that are owed ----------------------------------------------------------------- */

sotto_error store_blob_due(struct store *store, uint64_t now_s, struct arena *arena,
                           struct store_blob *blob)
{
    struct query q;
    query_read(&q, store,
               "SELECT blob, relay, write_token FROM blob WHERE delete_s <= ?"
               " ORDER BY delete_s LIMIT 1");
    query_u64(&q, now_s);
    return one_blob(&q, arena, blob);
}

sotto_error store_blob_later(struct store *store, sotto_bytes blob, uint64_t from_s)
{
    struct query q;
    query_write(&q, store, "UPDATE blob SET delete_s = ? WHERE blob = ? AND delete_s IS NOT NULL");
    query_u64(&q, from_s);
    query_bytes(&q, blob);
    return query_run(&q);
}

sotto_error store_blob_erase(struct store *store, sotto_bytes blob)
{
    struct query q;
    query_write(&q, store, "DELETE FROM blob WHERE blob = ? AND delete_s IS NOT NULL");
    query_bytes(&q, blob);
    return query_run(&q);
}
