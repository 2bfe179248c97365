/* PROTOCOL.md section 5, "Blobs": files, on the room connection. */
#include "wire/codec_rows.h"

static void write_blob_id(struct writer *writer, const struct blob_id *id)
{
    writer_fixed(writer, sotto_bytes_of(id->bytes, BLOB_ID_SIZE));
}

/* ---- Permissions: a vector of them, since a large blob costs several tokens -------------------
 */

static size_t count_permissions(struct reader *inner)
{
    struct permission permission;
    size_t count = 0;
    while (reader_more(inner)) {
        if (count == WIRE_PERMISSIONS_MAX)
            reader_fail(inner, SOTTO_LIMIT, "blob_create.permissions");
        read_permission(inner, &permission);
        count++;
    }
    if (count == 0)
        reader_fail(inner, SOTTO_LENGTH, "blob_create.permissions");
    return count;
}

static void read_permissions(struct reader *reader, struct arena *arena, struct blob_create *body)
{
    struct reader inner, counted;
    reader_enter(reader, &inner, WIRE_MESSAGE_MAX, "blob_create.permissions");
    counted = inner;
    size_t count = count_permissions(&counted);
    reader_leave(reader, &counted, "blob_create.permissions");
    if (!reader_ok(reader))
        return;
    struct permission *list = arena_array(arena, count, sizeof *list);
    if (list == NULL) {
        reader_fail(reader, SOTTO_NO_MEMORY, "blob_create.permissions");
        return;
    }
    for (size_t i = 0; i < count; i++)
        read_permission(&inner, &list[i]);
    body->permissions = list;
    body->permission_count = count;
}

static void write_permissions(struct writer *writer, const struct blob_create *body)
{
    writer_check(writer, body->permission_count > 0);
    if (body->permission_count > WIRE_PERMISSIONS_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < body->permission_count && writer->error == SOTTO_OK; i++)
        write_permission(writer, &body->permissions[i]);
    writer_close(writer, opened);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static void read_create(struct reader *reader, struct arena *arena, struct message *message)
{
    struct blob_create *body = &message->blob_create;
    read_permissions(reader, arena, body);
    reader_copy(reader, body->blob.bytes, BLOB_ID_SIZE, "blob_create.blob");
    size_t at = reader->pos;
    body->size = reader_u64(reader, "blob_create.size");
    if (body->size == 0)
        reader_fail_at(reader, at, SOTTO_VALUE, "blob_create.size");
    if (body->size > WIRE_BLOB_MAX)
        reader_fail_at(reader, at, SOTTO_LIMIT, "blob_create.size");
    reader_copy(reader, body->write_gate.bytes, GATE_SIZE, "blob_create.write_gate");
}

static void write_create(struct writer *writer, const struct message *message)
{
    const struct blob_create *body = &message->blob_create;
    write_permissions(writer, body);
    write_blob_id(writer, &body->blob);
    writer_check(writer, body->size > 0);
    if (body->size > WIRE_BLOB_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    writer_u64(writer, body->size);
    writer_fixed(writer, sotto_bytes_of(body->write_gate.bytes, GATE_SIZE));
}

static void read_put(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct blob_put *body = &message->blob_put;
    reader_copy(reader, body->blob.bytes, BLOB_ID_SIZE, "blob_put.blob");
    body->write_token = reader_fixed(reader, TOKEN_SIZE, "blob_put.write_token");
    size_t at = reader->pos;
    body->offset = reader_u64(reader, "blob_put.offset");
    if (body->offset >= WIRE_BLOB_MAX)
        reader_fail_at(reader, at, SOTTO_LIMIT, "blob_put.offset");
    body->bytes = reader_limited(reader, 1, WIRE_BLOB_PIECE_MAX, "blob_put.bytes");
}

static void write_put(struct writer *writer, const struct message *message)
{
    const struct blob_put *body = &message->blob_put;
    write_blob_id(writer, &body->blob);
    writer_exact(writer, body->write_token, TOKEN_SIZE);
    if (body->offset >= WIRE_BLOB_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    writer_u64(writer, body->offset);
    writer_limited(writer, body->bytes, 1, WIRE_BLOB_PIECE_MAX);
}

static void read_put_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->blob_stored = reader_u64(reader, "blob_put_ok.stored");
}

static void write_put_ok(struct writer *writer, const struct message *message)
{
    writer_u64(writer, message->blob_stored);
}

static void read_owner(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct blob_owner *body = &message->blob_owner;
    reader_copy(reader, body->blob.bytes, BLOB_ID_SIZE, "blob.blob");
    body->write_token = reader_fixed(reader, TOKEN_SIZE, "blob.write_token");
}

static void write_owner(struct writer *writer, const struct message *message)
{
    const struct blob_owner *body = &message->blob_owner;
    write_blob_id(writer, &body->blob);
    writer_exact(writer, body->write_token, TOKEN_SIZE);
}

static void read_status_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct blob_state *body = &message->blob_state;
    body->size = reader_u64(reader, "blob_status_ok.size");
    size_t at = reader->pos;
    body->stored = reader_u64(reader, "blob_status_ok.stored");
    if (body->stored > body->size)
        reader_fail_at(reader, at, SOTTO_VALUE, "blob_status_ok.stored");
    body->finished = reader_choice(reader, 0, 1, "blob_status_ok.finished") != 0;
}

static void write_status_ok(struct writer *writer, const struct message *message)
{
    const struct blob_state *body = &message->blob_state;
    writer_check(writer, body->stored <= body->size);
    writer_u64(writer, body->size);
    writer_u64(writer, body->stored);
    writer_u8(writer, body->finished);
}

static void read_get(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct blob_get *body = &message->blob_get;
    reader_copy(reader, body->blob.bytes, BLOB_ID_SIZE, "blob_get.blob");
    body->offset = reader_u64(reader, "blob_get.offset");
    size_t at = reader->pos;
    body->length = reader_u32(reader, "blob_get.length");
    if (body->length == 0)
        reader_fail_at(reader, at, SOTTO_VALUE, "blob_get.length");
    if (body->length > WIRE_BLOB_PIECE_MAX)
        reader_fail_at(reader, at, SOTTO_LIMIT, "blob_get.length");
}

static void write_get(struct writer *writer, const struct message *message)
{
    const struct blob_get *body = &message->blob_get;
    write_blob_id(writer, &body->blob);
    writer_u64(writer, body->offset);
    writer_check(writer, body->length > 0);
    if (body->length > WIRE_BLOB_PIECE_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    writer_u32(writer, body->length);
}

static void read_get_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->blob_bytes = reader_limited(reader, 1, WIRE_BLOB_PIECE_MAX, "blob_get_ok.bytes");
}

static void write_get_ok(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->blob_bytes, 1, WIRE_BLOB_PIECE_MAX);
}

const struct message_row message_rows_blob[] = {
    ROW_REQUEST(MESSAGE_BLOB_CREATE, "blob_create", CONNECTION_ROOM, read_create, write_create),
    ROW_REQUEST(MESSAGE_BLOB_PUT, "blob_put", CONNECTION_ROOM, read_put, write_put),
    ROW_REQUEST(MESSAGE_BLOB_STATUS, "blob_status", CONNECTION_ROOM, read_owner, write_owner),
    ROW_REQUEST(MESSAGE_BLOB_FINISH, "blob_finish", CONNECTION_ROOM, read_owner, write_owner),
    ROW_REQUEST(MESSAGE_BLOB_GET, "blob_get", CONNECTION_ROOM, read_get, write_get),
    ROW_REQUEST(MESSAGE_BLOB_DELETE, "blob_delete", CONNECTION_ROOM, read_owner, write_owner),
    ROW_ANSWER(MESSAGE_BLOB_CREATE_OK, "blob_create_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_BLOB_PUT_OK, "blob_put_ok", read_put_ok, write_put_ok),
    ROW_ANSWER(MESSAGE_BLOB_STATUS_OK, "blob_status_ok", read_status_ok, write_status_ok),
    ROW_ANSWER(MESSAGE_BLOB_FINISH_OK, "blob_finish_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_BLOB_GET_OK, "blob_get_ok", read_get_ok, write_get_ok),
    ROW_ANSWER(MESSAGE_BLOB_DELETE_OK, "blob_delete_ok", NULL, NULL),
    {0},
};
