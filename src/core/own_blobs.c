#include "core/own_blobs.h"

#include "codec/writer.h"

static sotto_error blob_write(const struct store_blob *blob, const struct store_message *message,
                              sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_BLOB);
    writer_fixed(&writer, blob->blob);
    writer_fixed(&writer, blob->write_token);
    writer_vector(&writer, sotto_bytes_str(blob->relay));
    writer_fixed(&writer, sotto_bytes_of(message->room.bytes, ROOM_ID_SIZE));
    writer_fixed(&writer, message->content_id);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

/* NOT_FOUND: there is no such blob. */
static sotto_error record_of(struct sotto *core, const struct store_message *message,
                             struct arena *arena, sotto_buf *out)
{
    struct store_blob blob;
    if (!message->own || message->kind != SOTTO_KIND_FILE ||
        message->content_id.size != CONTENT_ID_SIZE)
        return SOTTO_NOT_FOUND;
    TRY(store_blob_of(core->store, message->local, arena, &blob));
    return blob_write(&blob, message, out);
}

sotto_error own_blob_tell(struct sotto *core, const struct room_id *room, const char *client_id,
                          struct arena *arena)
{
    struct store_message message;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = store_message_by_client(core->store, room, client_id, arena, &message);
    if (error == SOTTO_OK)
        error = record_of(core, &message, arena, &record);
    if (error == SOTTO_OK)
        error = own_queue(core, NULL, sotto_buf_view(&record));
    sotto_buf_free(&record);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error own_blobs_write(struct sotto *core, const struct store_message *messages, size_t count,
                            struct arena *arena, struct own_sink *sink)
{
    for (size_t i = 0; i < count; i++) {
        sotto_error error = record_of(core, &messages[i], arena, &sink->records);
        if (error == SOTTO_OK)
            error = own_sink_flush(sink, false);
        if (error != SOTTO_NOT_FOUND)
            TRY(error);
    }
    return SOTTO_OK;
}

sotto_error own_blob_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_blob blob, known;
    struct store_message message;
    struct room_id room;
    blob.blob = reader_fixed(reader, BLOB_ID_SIZE, "own.blob");
    blob.write_token = reader_fixed(reader, TOKEN_SIZE, "own.write_token");
    blob.relay = own_text(reader, arena, WIRE_ADDRESS_MAX, "own.relay");
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    sotto_bytes content_id = reader_fixed(reader, CONTENT_ID_SIZE, "own.content_id");
    TRY(reader->fault.error);
    sotto_error error = store_blob_get(core->store, blob.blob, arena, &known);
    if (error == SOTTO_NOT_FOUND)
        error = store_blob_add(core->store, &blob);
    TRY(error);
    error = store_message_by_content(core->store, &room, content_id, arena, &message);
    if (error == SOTTO_OK && message.own)
        error = store_blob_refer_local(core->store, message.local, blob.blob);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error; /* it is on its way: content_store */
}
