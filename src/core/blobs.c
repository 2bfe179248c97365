/* Deleting at relays what nobody may fetch any more, and taking files back that are not sent yet.
 * What is owed stands in the store (store_blobs.h); one request at a time, on the connection for
 * files, repeated until the relay has said that it is gone. */
#include <string.h>

#include "core/internal.h"

enum {
    LOOK_EVERY_MS = 1000,
    REFUSED_PAUSE_S = 600, /* after a refusal that may pass */
    WAIT_MS = 5000,        /* a command does not wait longer for this */
};

static void note(struct sotto *core, bool gone)
{
    const sotto_bytes blob = sotto_bytes_of(core->blobs.doing.bytes, BLOB_ID_SIZE);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = gone ? store_blob_erase(core->store, blob)
                     : store_blob_later(core->store, blob, core_now_s(core) + REFUSED_PAUSE_S);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        core->blobs.failed = true; /* it is owed as before: in the next run */
    }
}

static void on_deleted(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->blobs.busy = false;
    core->blobs.look_ms = 0;
    if (error == SOTTO_OK || error == SOTTO_REFUSED)
        note(core, error == SOTTO_OK || !net_transient(error, answer));
    else
        core->blobs.look_ms = net_now_ms(core) + LOOK_EVERY_MS;
}

/* Asks for it. False: not now. */
static bool ask(struct sotto *core, const struct store_blob *blob)
{
    struct message message;
    struct conn *conn = net_blob_conn(core, blob->relay);
    if (conn == NULL || conn_failed(conn))
        core->blobs.failed = !core->patient;
    if (conn == NULL || !conn_up(conn))
        return false;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_DELETE;
    memcpy(message.blob_owner.blob.bytes, blob->blob.data, BLOB_ID_SIZE);
    message.blob_owner.write_token = blob->write_token;
    if (link_request(conn->link, &message, on_deleted, core, NULL) != SOTTO_OK)
        return false;
    core->blobs.doing = message.blob_owner.blob;
    core->blobs.asked_ms = net_now_ms(core);
    core->blobs.busy = true;
    return true;
}

bool blobs_step(struct sotto *core)
{
    const uint64_t now = net_now_ms(core), changes = store_changes(core->store);
    if (core->blobs.busy)
        return now - core->blobs.asked_ms < WAIT_MS;
    if (core->blobs.failed || (now < core->blobs.look_ms && changes == core->blobs.changes))
        return false;
    struct arena arena;
    struct store_blob blob;
    bool asked = false;
    core->blobs.look_ms = now + LOOK_EVERY_MS;
    core->blobs.changes = changes;
    arena_init(&arena, core->env);
    if (store_blob_due(core->store, core_now_s(core), &arena, &blob) == SOTTO_OK)
        asked = ask(core, &blob);
    arena_free(&arena);
    return asked;
}

void blobs_reset(struct sotto *core)
{
    core->blobs.failed = false;
    core->blobs.look_ms = 0;
}

/* ---- A file that will not be sent --------------------------------------------------------------
 */

sotto_error file_fail(struct sotto *core, const struct room_id *room, const char *client_id)
{
    struct arena arena;
    struct store_message message;
    sotto_error error = store_upload_fail(core->store, room, client_id);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    arena_init(&arena, core->env);
    error = store_message_by_client(core->store, room, client_id, &arena, &message);
    if (error == SOTTO_OK)
        error = store_blob_release(core->store, message.local, core_now_s(core));
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

static sotto_error too_late(struct sotto *core)
{
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANNOT_CHANGE,
                       "Delete it when it is there.", "It is on its way already.");
}

/* Inside a transaction: the row of the outbox goes, if nothing of it can have left. */
static sotto_error outgoing_take_back(struct sotto *core, const struct room_id *room,
                                      const char *client_id, struct arena *arena)
{
    struct store_outgoing outgoing;
    sotto_error error = store_outgoing_by_client(core->store, room, client_id, arena, &outgoing);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    TRY(error);
    return outgoing.state == STORE_OUT_READY ? too_late(core)
                                             : store_outgoing_erase(core->store, outgoing.id);
}

sotto_error file_take_back(struct sotto *core, const struct room_id *room, const char *client_id,
                           struct arena *arena)
{
    struct store_message message;
    TRY(store_message_by_client(core->store, room, client_id, arena, &message));
    if (message.kind != SOTTO_KIND_FILE)
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANNOT_CHANGE, "",
                           "That message is no file.");
    if (message.state != STORE_MESSAGE_WAITING && message.state != STORE_MESSAGE_FAILED)
        return too_late(core);
    TRY(outgoing_take_back(core, room, client_id, arena));
    sotto_error error = store_upload_erase(core->store, room, client_id);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    TRY(store_blob_release(core->store, message.local, core_now_s(core)));
    return store_message_withdraw(core->store, message.local);
}

sotto_error sotto_cancel_file(struct sotto *core, const struct sotto_id *conversation,
                              const char *client_id)
{
    struct arena arena;
    struct room_id id;
    TRY(core_need_account(core));
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    problem_clear(&core->problem);
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = file_take_back(core, &id, client_id, &arena);
    if (error == SOTTO_NOT_FOUND)
        error = album_take_back(core, &id, client_id, &arena);
    if (error == SOTTO_NOT_FOUND)
        (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, NULL,
                          "No message was sent with that id in this conversation.");
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    arena_free(&arena);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return core->problem.code != SOTTO_CODE_OK
                   ? error
                   : core_store_problem(core, error, "taking the file back");
    }
    store_scrub(core->store, false);
    return SOTTO_OK;
}
