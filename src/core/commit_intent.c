/* What is to be changed in a room, as it waits in the outbox, and what a commit made of it. */
#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"
#include "core/internal.h"

sotto_error commit_intent_write(const struct commit_intent *intent, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u8(&writer, intent->action);
    writer_fixed(&writer, sotto_bytes_of(intent->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(intent->device.bytes, DEVICE_ID_SIZE));
    writer_vector(&writer, intent->relay);
    writer_vector(&writer, intent->capability);
    writer_vector(&writer, intent->made);
    writer_vector(&writer, intent->change);
    return writer_finish(&writer);
}

sotto_error commit_intent_read(sotto_bytes bytes, struct commit_intent *intent)
{
    struct reader reader;
    reader_init(&reader, bytes);
    intent->action = reader_u8(&reader, "intent.action");
    reader_copy(&reader, intent->account.bytes, ACCOUNT_ID_SIZE, "intent.account");
    reader_copy(&reader, intent->device.bytes, DEVICE_ID_SIZE, "intent.device");
    intent->relay = reader_vector(&reader, WIRE_ADDRESS_MAX, "intent.relay");
    intent->capability = reader_vector(&reader, CAPABILITY_SIZE, "intent.capability");
    intent->made = reader_vector(&reader, 1u << 20, "intent.made");
    intent->change = sotto_bytes_of(NULL, 0);
    if (reader_more(&reader)) /* profiles of earlier versions have none */
        intent->change = reader_vector(&reader, SETTINGS_CHANGE_MAX, "intent.change");
    return reader_finish(&reader, "intent");
}

sotto_error commit_made_write(const struct commit_made *made, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u8(&writer, made->action);
    writer_fixed(&writer, sotto_bytes_of(made->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(made->device.bytes, DEVICE_ID_SIZE));
    return writer_finish(&writer);
}

bool commit_made_next(struct reader *reader, struct commit_made *made)
{
    if (!reader_more(reader))
        return false;
    made->action = reader_u8(reader, "made.action");
    reader_copy(reader, made->account.bytes, ACCOUNT_ID_SIZE, "made.account");
    reader_copy(reader, made->device.bytes, DEVICE_ID_SIZE, "made.device");
    return reader_ok(reader);
}

/* ---- Queueing ---- */

sotto_error commit_queue(struct sotto *core, const struct room_id *room,
                         const struct commit_intent *intent, const char *client_id,
                         uint64_t not_before_s)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error = commit_intent_write(intent, &bytes);
    struct store_outgoing outgoing;
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.room = *room;
    outgoing.kind = STORE_OUT_COMMIT;
    outgoing.state = STORE_OUT_WANTED;
    outgoing.client_id = client_id;
    outgoing.intent = sotto_buf_view(&bytes);
    outgoing.relay = outgoing.error = "";
    outgoing.not_before_s = not_before_s;
    outgoing.created_s = core_now_s(core);
    if (error == SOTTO_OK)
        error = core->env->random(core->env->ctx, outgoing.request.bytes, REQUEST_ID_SIZE);
    if (error == SOTTO_OK)
        error = store_outgoing_add(core->store, &outgoing, &(int64_t){0});
    sotto_buf_free(&bytes);
    return error;
}

/* ---- Leaves ---- */

void commit_leave_id(const struct account_id *account, char out[static STORE_CLIENT_ID_MAX + 1])
{
    char hex[65];
    core_id_hex(account->bytes, sizeof account->bytes, hex);
    (void)snprintf(out, STORE_CLIENT_ID_MAX + 1, "leave.%.50s", hex);
}

sotto_error commit_left(struct sotto *core, const struct room_id *room,
                        const struct account_id *account, int64_t but, bool *asked)
{
    struct arena arena;
    struct store_outgoing row;
    char client_id[STORE_CLIENT_ID_MAX + 1];
    commit_leave_id(account, client_id);
    arena_init(&arena, core->env);
    sotto_error error = store_outgoing_by_client(core->store, room, client_id, &arena, &row);
    *asked = error == SOTTO_OK;
    if (*asked && row.id != but)
        error = store_outgoing_erase(core->store, row.id);
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}
