/* Sending again: what somebody wrote, elsewhere; and what failed, once more. */
#include <string.h>

#include "core/file_copy.h"
#include "core/people.h"
#include "core/room_settings.h"

/* ---- Forwarding ---- */

/* One's own file is not sent once more: the message names the same blob. What somebody else put
 * there goes when they take it back, and what is at another relay is not where that conversation's
 * members look: of that a copy is made. Inside a transaction. */
static sotto_error file_forward(struct sotto *core, const struct store_message *from,
                                const struct store_room *to, const char *client_id,
                                struct arena *arena)
{
    struct content_message content;
    struct store_room there;
    struct store_blob blob;
    struct store_upload copy;
    sotto_fault fault;
    TRY(store_room_get(core->store, &from->room, arena, &there));
    TRY(content_read(from->content, &from->sender, &from->room, arena, &content, &fault));
    content.expires_s = content.expires_at_s = 0;
    content.file.album = (struct content_album){0};
    TRY(store_room_timer(core->store, &to->room, &content.expires_s));
    sotto_error error = store_blob_get(core->store, content.file.blob, arena, &blob);
    if (error == SOTTO_OK && strcmp(blob.relay, to->relay) == 0) {
        TRY(file_message_queue(core, to, &content, client_id));
        return store_blob_refer(core->store, &to->room, client_id, content.file.blob);
    }
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    TRY(file_copy_make(core, &to->room, client_id, there.relay, &content, arena, &copy));
    TRY(file_message_queue(core, to, &content, client_id));
    return file_copy_store(core, to, &copy);
}

/* Inside a transaction. */
static sotto_error forward(struct sotto *core, int64_t id, const struct room_id *room,
                           const char *client_id, struct arena *arena)
{
    struct store_message from;
    struct store_room to;
    TRY(core_message_at(core, id, arena, &from));
    TRY(core_room_open_to_write(core, room, arena, &to));
    if (from.kind == SOTTO_KIND_FILE)
        return file_forward(core, &from, &to, client_id, arena);
    if (from.kind != SOTTO_KIND_TEXT)
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANNOT_CHANGE, "",
                           "Only texts and files can be forwarded.");
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_TEXT;
    content.text = from.text;
    content.markdown = from.markdown;
    return room_text_queue(core, &to, &content, client_id);
}

/* The end of both: commits, or rolls back with a problem. */
static sotto_error finish(struct sotto *core, sotto_error error)
{
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return error;
    store_rollback(core->store);
    return core->problem.code != SOTTO_CODE_OK
               ? error
               : core_store_problem(core, error, "saving the message");
}

sotto_error sotto_forward(struct sotto *core, int64_t id, const struct sotto_id *conversation,
                          const char *client_id, char *client_id_out)
{
    char fresh[33];
    struct arena arena;
    struct room_id room;
    TRY(core_need_account(core));
    TRY(core_client_id_choose(core, &client_id, fresh));
    memcpy(room.bytes, conversation->bytes, ROOM_ID_SIZE);
    problem_clear(&core->problem);
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = core_client_id_used(core, &room, client_id);
    if (error == SOTTO_NOT_FOUND)
        error = forward(core, id, &room, client_id, &arena);
    error = finish(core, error);
    if (error == SOTTO_OK && client_id_out != NULL)
        (void)snprintf(client_id_out, SOTTO_CLIENT_ID_MAX + 1, "%s", client_id);
    arena_free(&arena);
    return error;
}

/* ---- Once more ---- */

sotto_error message_again(struct sotto *core, const struct store_room *row,
                          const struct store_message *message, struct content_message *content)
{
    const bool file = content->kind == CONTENT_FILE;
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error =
        content_write(core->env, content, &core->identity.account, &row->room, &bytes);
    const sotto_bytes id = sotto_bytes_of(content->id, CONTENT_ID_SIZE);
    if (error == SOTTO_OK) /* of a text the row has what is said */
        error = store_message_again(core->store, message->local, id,
                                    file ? sotto_buf_view(&bytes) : sotto_bytes_of(NULL, 0));
    if (error == SOTTO_OK)
        error = room_queue_profile_if_owed(core, &row->room, row->epoch);
    if (error == SOTTO_OK)
        error =
            room_queue_content(core, &row->room, file ? MESSAGE_INTENT_FILE : MESSAGE_INTENT_TEXT,
                               id, sotto_buf_view(&bytes), message->client_id);
    sotto_buf_free(&bytes);
    return error;
}

/* Inside a transaction. *file: it is one, and has to be read first. */
static sotto_error retry(struct sotto *core, const struct room_id *room, const char *client_id,
                         struct arena *arena, bool *file)
{
    struct store_message message;
    struct store_room row;
    sotto_error error = store_message_by_client(core->store, room, client_id, arena, &message);
    if (error == SOTTO_NOT_FOUND)
        return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, NULL,
                           "No message was sent with that id in this conversation.");
    TRY(error);
    if (message.state != STORE_MESSAGE_FAILED)
        return SOTTO_OK; /* it is on its way, or there */
    *file = message.kind == SOTTO_KIND_FILE;
    if (*file)
        return SOTTO_OK;
    TRY(core_room_open_to_write(core, room, arena, &row));
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_TEXT;
    content.text = message.text;
    content.markdown = message.markdown;
    if (message.target.size == CONTENT_ID_SIZE) {
        content.kind = CONTENT_REPLY;
        memcpy(content.target, message.target.data, CONTENT_ID_SIZE);
    }
    content.expires_s = message.timer_s;
    return message_again(core, &row, &message, &content);
}

sotto_error sotto_retry(struct sotto *core, const struct sotto_id *conversation,
                        const char *client_id)
{
    struct arena arena;
    struct room_id room;
    bool file = false;
    TRY(core_need_account(core));
    memcpy(room.bytes, conversation->bytes, ROOM_ID_SIZE);
    problem_clear(&core->problem);
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = retry(core, &room, client_id, &arena, &file);
    error = finish(core, error);
    arena_free(&arena);
    return error == SOTTO_OK && file ? file_retry(core, &room, client_id) : error;
}
