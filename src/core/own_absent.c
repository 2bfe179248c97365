#include "core/own_absent.h"

#include "codec/writer.h"

static sotto_error change_write(struct room *room, const struct account_id *sender, uint64_t seq,
                                sotto_bytes data, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_CHANGE);
    writer_fixed(&writer, sotto_bytes_of(room->id.bytes, ROOM_ID_SIZE));
    writer_u64(&writer, seq);
    writer_fixed(&writer, sotto_bytes_of(sender->bytes, ACCOUNT_ID_SIZE));
    writer_u64(&writer, core_now_s(room->core));
    writer_vector(&writer, data);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

static sotto_error tell(struct room *room, const struct device_id *device,
                        const struct account_id *sender, uint64_t seq, sotto_bytes data)
{
    sotto_buf record;
    sotto_buf_init(&record, room->core->env);
    sotto_error error = change_write(room, sender, seq, data, &record);
    /* What no record holds, because a stranger's program made it as large as can be, is not told.
     */
    if (error == SOTTO_OK && record.size <= CONTENT_OWN_MAX)
        error = own_queue(room->core, device, sotto_buf_view(&record));
    sotto_buf_free(&record);
    return error;
}

sotto_error own_change_tell(struct room *room, const struct account_id *sender, uint64_t seq,
                            sotto_bytes data, struct arena *arena)
{
    struct sotto *core = room->core;
    const struct account_id *self = &core->identity.account;
    struct manifest manifest;
    bool found = false;
    TRY(manifest_newest(core, self, arena, &manifest, &found));
    for (size_t i = 0; found && i < manifest.device_count; i++) {
        const struct device_id *device = &manifest.devices[i].id;
        bool gives = false;
        if (!group_has(room->group, self, device, NULL))
            TRY(own_history_gives(core, device, &gives));
        if (gives)
            TRY(tell(room, device, sender, seq, data));
    }
    return SOTTO_OK;
}

sotto_error own_change_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct room_id room;
    struct account_id sender;
    struct store_room row;
    struct content_message content;
    sotto_fault fault;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    uint64_t seq = reader_u64(reader, "own.seq");
    reader_copy(reader, sender.bytes, ACCOUNT_ID_SIZE, "own.sender");
    uint64_t time_s = reader_u64(reader, "own.time");
    sotto_bytes data = reader_vector(reader, CONTENT_MAX, "own.content");
    TRY(reader->fault.error);
    sotto_error error = store_room_get(core->store, &room, arena, &row);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK; /* a conversation that was erased here */
    TRY(error);
    TRY(content_read(data, &sender, &room, arena, &content, &fault));
    return change_told(core, &room, &sender, seq, time_s, data, &content, arena);
}
