#include "core/store_query.h"
#include "wire/limits.h"

#include <string.h>

sotto_error store_upload_add(struct store *store, const struct store_upload *upload)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO upload (room, client_id, blob, key, write_token, path, size, mtime_ns,"
                " inode, form, sent, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_fixed(&q, upload->room.bytes, sizeof upload->room.bytes);
    query_text(&q, upload->client_id);
    query_bytes(&q, upload->blob);
    query_bytes(&q, upload->key);
    query_bytes(&q, upload->write_token);
    query_bytes(&q, upload->path);
    query_u64(&q, upload->size);
    query_i64(&q, upload->mtime_ns);
    query_i64(&q, (int64_t)upload->inode);
    query_u64(&q, upload->form);
    query_u64(&q, upload->sent);
    query_bytes(&q, upload->digest);
    return query_run(&q);
}

sotto_error store_upload_erase(struct store *store, const struct room_id *room,
                               const char *client_id)
{
    struct query q;
    query_write(&q, store, "DELETE FROM upload WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return query_run_one(&q);
}

sotto_error store_upload_fail(struct store *store, const struct room_id *room,
                              const char *client_id)
{
    struct query q;
    query_write(&q, store, "UPDATE upload SET failed = 1 WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return query_run_one(&q);
}

/* As a string: with a NUL behind. */
static sotto_bytes column_path(struct query *q, struct arena *arena)
{
    sotto_bytes bytes = column_borrow(q);
    uint8_t *path = arena_array(arena, bytes.size + 1, 1);
    if (path == NULL) {
        if (q->error == SOTTO_OK)
            q->error = store_fail(q->store, SOTTO_NO_MEMORY, "upload.path");
        return sotto_bytes_of(NULL, 0);
    }
    if (bytes.size > 0)
        memcpy(path, bytes.data, bytes.size);
    return sotto_bytes_of(path, bytes.size);
}

#define UPLOAD_COLUMNS                                                                           \
    "room, client_id, blob, key, write_token, path, size, mtime_ns, inode, form, sent, digest, " \
    "failed"

static void read_upload(struct query *q, struct arena *arena, struct store_upload *out)
{
    column_fixed(q, out->room.bytes, sizeof out->room.bytes);
    out->client_id = column_text(q, arena);
    out->blob = column_bytes(q, arena);
    out->key = column_bytes(q, arena);
    out->write_token = column_bytes(q, arena);
    out->path = column_path(q, arena);
    out->size = column_u64(q);
    out->mtime_ns = column_i64(q);
    out->inode = (uint64_t)column_i64(q);
    out->form = column_between(q, STORE_UPLOAD_FILE, STORE_UPLOAD_COPY);
    out->sent = column_u64(q);
    out->digest = column_bytes(q, arena);
    out->failed = column_bool(q);
    if (q->error == SOTTO_OK &&
        (out->blob.size != BLOB_ID_SIZE || out->write_token.size != TOKEN_SIZE ||
         out->path.size == 0 ||
         (out->form == STORE_UPLOAD_COPY &&
          (out->digest.size != BLOB_ID_SIZE || out->path.size > WIRE_ADDRESS_MAX))))
        q->error = store_fail(q->store, SOTTO_VALUE, "upload");
}

static sotto_error one_upload(struct query *q, struct arena *arena, struct store_upload *upload)
{
    struct store_upload found = {0};
    if (query_next(q))
        read_upload(q, arena, &found);
    TRY(query_end_one(q));
    *upload = found;
    return SOTTO_OK;
}

sotto_error store_upload_get(struct store *store, const struct room_id *room, const char *client_id,
                             struct arena *arena, struct store_upload *upload)
{
    struct query q;
    query_read(&q, store, "SELECT " UPLOAD_COLUMNS " FROM upload WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return one_upload(&q, arena, upload);
}

sotto_error store_upload_next(struct store *store, const struct room_id *room, struct arena *arena,
                              struct store_upload *upload)
{
    struct query q;
    query_read(&q, store,
               "SELECT " UPLOAD_COLUMNS " FROM upload WHERE room = ? AND NOT failed"
               " ORDER BY id LIMIT 1");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return one_upload(&q, arena, upload);
}

sotto_error store_upload_waits(struct store *store, const struct room_id *room,
                               const char *client_id, bool *waits)
{
    struct query q;
    query_read(&q, store, "SELECT 1 FROM upload WHERE room = ? AND client_id = ? AND NOT failed");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    bool found = query_next(&q);
    TRY(query_end(&q));
    *waits = found;
    return SOTTO_OK;
}
