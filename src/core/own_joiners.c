#include "core/own_joiners.h"

#include "codec/writer.h"

static sotto_error joiner_write(const struct store_joiner *joiner, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_JOINER);
    writer_fixed(&writer, sotto_bytes_of(joiner->room.bytes, ROOM_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(joiner->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(joiner->device.bytes, DEVICE_ID_SIZE));
    writer_vector(&writer, sotto_bytes_str(joiner->relay));
    writer_vector(&writer, joiner->capability);
    writer_vector(&writer, sotto_bytes_str(joiner->name));
    writer_u64(&writer, joiner->time_s);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error own_joiner_tell(struct sotto *core, const struct store_joiner *joiner)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    return own_tell(core, joiner_write(joiner, &record), &record);
}

sotto_error own_joiner_gone_tell(struct sotto *core, const struct store_joiner *joiner)
{
    struct writer writer;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_JOINER_GONE);
    writer_fixed(&writer, sotto_bytes_of(joiner->room.bytes, ROOM_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(joiner->account.bytes, ACCOUNT_ID_SIZE));
    writer_u64(&writer, joiner->time_s);
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

sotto_error own_joiners_write(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    struct store_joiner *joiners = NULL;
    size_t count = 0;
    TRY(store_joiners(core->store, arena, &joiners, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(joiner_write(&joiners[i], &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    return SOTTO_OK;
}

sotto_error own_joiner_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_joiner joiner = {0}, known;
    struct store_room row;
    reader_copy(reader, joiner.room.bytes, ROOM_ID_SIZE, "own.room");
    reader_copy(reader, joiner.account.bytes, ACCOUNT_ID_SIZE, "own.account");
    reader_copy(reader, joiner.device.bytes, DEVICE_ID_SIZE, "own.device");
    joiner.relay = own_text(reader, arena, WIRE_ADDRESS_MAX, "own.relay");
    joiner.capability = reader_vector(reader, CAPABILITY_SIZE, "own.capability");
    joiner.name = own_text(reader, arena, WIRE_NAME_MAX, "own.name");
    joiner.time_s = reader_u64(reader, "own.time");
    if (reader_ok(reader) && joiner.capability.size != CAPABILITY_SIZE)
        reader_fail(reader, SOTTO_LENGTH, "own.capability");
    TRY(reader->fault.error);
    sotto_error error = store_room_get(core->store, &joiner.room, arena, &row);
    if (error == SOTTO_OK && row.kind != STORE_ROOM_GROUP)
        return SOTTO_OK;
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND) /* this device may be added later */
        return error;
    error = store_joiner_of(core->store, &joiner.room, &joiner.account, arena, &known);
    if (error == SOTTO_OK && known.time_s >= joiner.time_s)
        return SOTTO_OK; /* it is here, under the number that people were given */
    return error == SOTTO_OK || error == SOTTO_NOT_FOUND ? store_joiner_put(core->store, &joiner)
                                                         : error;
}

sotto_error own_joiner_gone_read(struct sotto *core, struct reader *reader)
{
    struct room_id room;
    struct account_id account;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    reader_copy(reader, account.bytes, ACCOUNT_ID_SIZE, "own.account");
    uint64_t time_s = reader_u64(reader, "own.time");
    return reader_ok(reader) ? store_joiner_answered(core->store, &room, &account, time_s)
                             : reader->fault.error;
}
