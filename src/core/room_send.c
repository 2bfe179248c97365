/* The outbox of a room: encrypting, appending, posting Welcomes. */
#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"
#include "core/leaving.h"
#include "core/profile_picture.h"
#include "core/successor.h"

/* ---- What is queued ---- */

sotto_error queued_message_write(const struct queued_message *message, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u8(&writer, message->intent);
    writer_vector(&writer, message->content_id);
    writer_vector(&writer, message->content);
    return writer_finish(&writer);
}

sotto_error queued_message_read(sotto_bytes intent, struct queued_message *message)
{
    struct reader reader;
    reader_init(&reader, intent);
    message->intent = reader_u8(&reader, "queued.intent");
    message->content_id = reader_vector(&reader, CONTENT_ID_SIZE, "queued.content_id");
    message->content = reader_vector(&reader, CONTENT_MAX, "queued.content");
    return reader_finish(&reader, "queued");
}

sotto_error room_queue_content(struct sotto *core, const struct room_id *room, uint8_t intent,
                               sotto_bytes content_id, sotto_bytes content, const char *client_id)
{
    return room_queue_content_later(core, room, intent, content_id, content, client_id, 0);
}

sotto_error room_queue_content_later(struct sotto *core, const struct room_id *room, uint8_t intent,
                                     sotto_bytes content_id, sotto_bytes content,
                                     const char *client_id, uint64_t not_before_s)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    struct queued_message queued = {intent, content_id, content};
    sotto_error error = queued_message_write(&queued, &bytes);
    struct store_outgoing outgoing;
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.room = *room;
    outgoing.kind = STORE_OUT_MESSAGE;
    outgoing.state = STORE_OUT_WANTED;
    outgoing.client_id = client_id;
    outgoing.intent = sotto_buf_view(&bytes);
    outgoing.relay = outgoing.error = "";
    outgoing.created_s = core_now_s(core);
    outgoing.not_before_s = not_before_s;
    if (error == SOTTO_OK)
        error = core->env->random(core->env->ctx, outgoing.request.bytes, REQUEST_ID_SIZE);
    if (error == SOTTO_OK)
        error = store_outgoing_add(core->store, &outgoing, &(int64_t){0});
    if (error == SOTTO_OK && core->gathers && core->written == NULL && intent != MESSAGE_INTENT_OWN)
        core->written = room_of(core, room);
    sotto_buf_free(&bytes);
    return error;
}

static sotto_error room_peer_blocked(struct sotto *core, const struct room_id *room, bool *blocked)
{
    struct arena arena;
    struct store_room row;
    arena_init(&arena, core->env);
    sotto_error error = store_room_get(core->store, room, &arena, &row);
    if (error == SOTTO_OK)
        error = people_peer_blocked(core, &row, blocked);
    arena_free(&arena);
    return error;
}

sotto_error room_queue_profile(struct sotto *core, const struct room_id *room, uint64_t epoch)
{
    TRY(room_queue_name(core, room, epoch));
    return profile_picture_queue(core, room, false);
}

sotto_error room_queue_name(struct sotto *core, const struct room_id *room, uint64_t epoch)
{
    bool blocked = false;
    TRY(room_peer_blocked(core, room, &blocked));
    if (blocked || core->profile.name[0] == '\0')
        return SOTTO_OK;
    struct content_message message;
    memset(&message, 0, sizeof message);
    message.kind = CONTENT_PROFILE;
    message.text = sotto_bytes_str(core->profile.name);
    char client_id[40];
    (void)snprintf(client_id, sizeof client_id, "profile.%llu", (unsigned long long)epoch);
    sotto_buf content;
    sotto_buf_init(&content, core->env);
    sotto_error error = content_write(core->env, &message, &core->identity.account, room, &content);
    if (error == SOTTO_OK)
        error = room_queue_content(core, room, MESSAGE_INTENT_PROFILE,
                                   sotto_bytes_of(message.id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&content), client_id);
    sotto_buf_free(&content);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* A member who just came learns one's name with the next text: a thousand members do not all
 * introduce themselves at once. */
static void profile_owed_name(const struct room_id *room, char out[static 80])
{
    char hex[65];
    core_id_hex(room->bytes, ROOM_ID_SIZE, hex);
    (void)snprintf(out, 80, "introduce.%s", hex);
}

sotto_error room_queue_profile_later(struct sotto *core, const struct room_id *room)
{
    char name[80];
    profile_owed_name(room, name);
    return store_number_put(core->store, name, 1);
}

sotto_error room_queue_profile_if_owed(struct sotto *core, const struct room_id *room,
                                       uint64_t epoch)
{
    char name[80];
    uint64_t owed = 0;
    profile_owed_name(room, name);
    TRY(store_number_get(core->store, name, &owed));
    if (owed == 0)
        return SOTTO_OK;
    TRY(store_number_put(core->store, name, 0));
    return room_queue_profile(core, room, epoch);
}

static sotto_error unless_missing(sotto_error error)
{
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* Inside a transaction: a message, or a change of one, that will not be sent leaves the outbox. */
static sotto_error outgoing_fail(struct sotto *core, const struct store_outgoing *outgoing)
{
    const struct room_id *room = &outgoing->room;
    const char *client_id = outgoing->client_id;
    if (outgoing->kind == STORE_OUT_MESSAGE) {
        TRY(unless_missing(store_message_fail(core->store, room, client_id)));
        TRY(file_fail(core, room, client_id));
        TRY(unless_missing(
            store_change_end(core->store, room, client_id, STORE_MESSAGE_FAILED, 0)));
    }
    return store_outgoing_erase(core->store, outgoing->id);
}

sotto_error room_fail_outbox(struct sotto *core, const struct room_id *room)
{
    struct arena arena;
    arena_init(&arena, core->env);
    struct store_outgoing outgoing;
    sotto_error error;
    while ((error = store_outgoing_next(core->store, room, STORE_OUT_ENTRIES, 0, &arena,
                                        &outgoing)) == SOTTO_OK) {
        error = outgoing_fail(core, &outgoing);
        if (error != SOTTO_OK)
            break;
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- sotto_send ---- */

static sotto_error client_id_check(struct sotto *core, const char *client_id)
{
    size_t size = strlen(client_id);
    bool fits = size >= 1 && size <= SOTTO_CLIENT_ID_MAX;
    for (size_t i = 0; i < size && fits; i++)
        fits = client_id[i] > 0x20 && client_id[i] < 0x7F;
    /* Sotto's own ids have a dot in them. */
    if (fits && (strncmp(client_id, "profile.", 8) == 0 || strncmp(client_id, "leave.", 6) == 0))
        fits = false;
    if (fits)
        return SOTTO_OK;
    return problem_set(
        &core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_ID, "Leave it out, and a fresh one is made.",
        "A message id has 1 to %d printable ASCII characters without spaces.", SOTTO_CLIENT_ID_MAX);
}

sotto_error core_client_id_choose(struct sotto *core, const char **client_id, char fresh[static 33])
{
    if (*client_id != NULL)
        return client_id_check(core, *client_id);
    sotto_error error = core_random_client_id(core, fresh);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "making a message id");
    *client_id = fresh;
    return SOTTO_OK;
}

sotto_error core_client_id_used(struct sotto *core, const struct room_id *room,
                                const char *client_id)
{
    struct arena arena;
    struct store_message message;
    enum store_message_state state;
    uint64_t seq;
    arena_init(&arena, core->env);
    sotto_error error = store_message_by_client(core->store, room, client_id, &arena, &message);
    if (error == SOTTO_NOT_FOUND)
        error = store_change_get(core->store, room, client_id, &state, &seq);
    arena_free(&arena);
    return error;
}

sotto_error core_text_check(struct sotto *core, sotto_bytes text)
{
    if (text.size == 0)
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_TEXT, "Write something.",
                           "The message is empty.");
    if (text.size > SOTTO_TEXT_MAX)
        return problem_set(&core->problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG,
                           "Send it in several messages.", "A message has at most %u bytes.",
                           (unsigned)SOTTO_TEXT_MAX);
    return SOTTO_OK;
}

static sotto_error room_open_check(struct sotto *core, const struct store_room *row)
{
    switch (row->state) {
    case STORE_ROOM_ACTIVE:
    case STORE_ROOM_CREATING:
    case STORE_ROOM_REJOINING:
        return SOTTO_OK;
    case STORE_ROOM_FORKED:
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_FORKED,
                           "Begin a new conversation with the same people.", "%s",
                           row->trouble[0] != '\0' ? row->trouble
                                                   : "The relay's record contradicts itself.");
    case STORE_ROOM_LEFT:
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_NOT_MEMBER,
                           "Ask a member to add you again.", "You have left this conversation.");
    case STORE_ROOM_ASKED:
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_NOT_MEMBER,
                           "Wait, or ask them another way.", "%s", row->trouble);
    case STORE_ROOM_REMOVED:
    case STORE_ROOM_REQUEST:
        break;
    }
    return problem_set(
        &core->problem, SOTTO_STATE, SOTTO_CODE_NOT_MEMBER, "Ask a member to add you again.", "%s",
        row->trouble[0] != '\0' ? row->trouble : "You are no longer in this conversation.");
}

sotto_error core_room_open(struct sotto *core, const struct room_id *id, struct arena *arena,
                           struct store_room *row)
{
    sotto_error error = store_room_get(core->store, id, arena, row);
    if (error == SOTTO_OK && row->kind == STORE_ROOM_OWN)
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_NOT_FOUND)
        return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND,
                           "See `sotto conversations`.", "There is no such conversation.");
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the conversation");
    return room_open_check(core, row);
}

sotto_error room_show_waiting(struct sotto *core, const struct room_id *room,
                              enum sotto_message_kind kind, const struct content_message *message,
                              sotto_bytes content, const char *client_id)
{
    struct store_message row;
    memset(&row, 0, sizeof row);
    row.room = *room;
    row.kind = kind;
    row.state = STORE_MESSAGE_WAITING;
    row.own = true;
    row.sender = core->identity.account;
    row.time_s = core_now_s(core);
    row.client_id = client_id;
    row.content_id = sotto_bytes_of(message->id, CONTENT_ID_SIZE);
    if (message->kind == CONTENT_REPLY)
        row.target = sotto_bytes_of(message->target, CONTENT_ID_SIZE);
    row.content = content;
    row.text = message->text;
    row.markdown = message->markdown;
    row.timer_s = message->expires_s;
    return store_message_add(core->store, &row, &(int64_t){0}, &(int64_t){0});
}

/* The content id of what is answered: a message of this conversation that people wrote. */
static sotto_error reply_target(struct sotto *core, const struct room_id *room, int64_t id,
                                struct arena *arena, struct content_message *content)
{
    struct store_message message;
    sotto_error error = store_message_at(core->store, id, arena, &message);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return core_store_problem(core, error, "reading what is answered");
    if (error == SOTTO_NOT_FOUND || memcmp(message.room.bytes, room->bytes, ROOM_ID_SIZE) != 0 ||
        message.content_id.size != CONTENT_ID_SIZE)
        return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                           "`sotto history` shows the number of each message.",
                           "There is no message %lld to answer in this conversation.",
                           (long long)id);
    content->kind = CONTENT_REPLY;
    memcpy(content->target, message.content_id.data, CONTENT_ID_SIZE);
    return SOTTO_OK;
}

sotto_error room_text_queue(struct sotto *core, const struct store_room *row,
                            struct content_message *content, const char *client_id)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error = store_room_timer(core->store, &row->room, &content->expires_s);
    if (error == SOTTO_OK)
        error = content_write(core->env, content, &core->identity.account, &row->room, &bytes);
    if (error == SOTTO_OK)
        error = room_show_waiting(core, &row->room, SOTTO_KIND_TEXT, content, (sotto_bytes){0},
                                  client_id);
    if (error == SOTTO_OK)
        error = room_queue_profile_if_owed(core, &row->room, row->epoch);
    if (error == SOTTO_OK)
        error = room_queue_content(core, &row->room, MESSAGE_INTENT_TEXT,
                                   sotto_bytes_of(content->id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&bytes), client_id);
    sotto_buf_free(&bytes);
    return error;
}

sotto_error core_text_failed(struct sotto *core, sotto_error error)
{
    store_rollback(core->store);
    if (error == SOTTO_VALUE)
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_TEXT, "Send text in UTF-8.",
                           "The message is not valid UTF-8 text.");
    return core_store_problem(core, error, "saving the message");
}

sotto_error sotto_send(struct sotto *core, const struct sotto_id *conversation,
                       const char *client_id, const struct sotto_text *text, char *client_id_out)
{
    char fresh[33];
    TRY(core_need_account(core));
    TRY(core_text_check(core, text->text));
    TRY(core_client_id_choose(core, &client_id, fresh));
    struct room_id id;
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_TEXT;
    content.text = text->text;
    content.markdown = text->markdown;
    struct arena arena;
    arena_init(&arena, core->env);
    struct store_room row;
    bool told = false;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = core_client_id_used(core, &id, client_id); /* said before: the same message */
    if (error == SOTTO_NOT_FOUND) {
        error = core_room_open_to_write(core, &id, &arena, &row);
        if (error == SOTTO_OK && text->reply_to != 0)
            error = reply_target(core, &id, text->reply_to, &arena, &content);
        told = error != SOTTO_OK;
        if (error == SOTTO_OK)
            error = room_text_queue(core, &row, &content, client_id);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (told)
        store_rollback(core->store);
    else if (error != SOTTO_OK)
        (void)core_text_failed(core, error);
    else if (client_id_out != NULL)
        (void)snprintf(client_id_out, SOTTO_CLIENT_ID_MAX + 1, "%s", client_id);
    arena_free(&arena);
    return error;
}

/* ---- Encrypting: the ratchet's advance and the ciphertext in one transaction ---- */

static sotto_error seal_message(struct room *room, struct store_outgoing *outgoing,
                                sotto_buf *bytes)
{
    struct queued_message queued;
    TRY(queued_message_read(outgoing->intent, &queued));
    return sotto_mls_encrypt(room->group, queued.content, sotto_bytes_of(NULL, 0),
                             content_padding(queued.content.size), bytes);
}

static sotto_error seal_leave(struct room *room, sotto_buf *bytes)
{
    sotto_mls_proposal proposal;
    memset(&proposal, 0, sizeof proposal);
    proposal.type = SOTTO_MLS_REMOVE;
    proposal.u.remove.index = sotto_mls_own_index(room->group);
    return sotto_mls_propose(room->group, &proposal, NULL, SOTTO_MLS_PRIVATE, bytes);
}

/* Inside a transaction, before room_save. Fresh append_id: these are other bytes than in the epoch
 * before. */
static sotto_error seal(struct room *room, struct store_outgoing *outgoing, sotto_buf *bytes)
{
    struct sotto *core = room->core;
    TRY(outgoing->kind == STORE_OUT_LEAVE ? seal_leave(room, bytes)
                                          : seal_message(room, outgoing, bytes));
    TRY(core->env->random(core->env->ctx, outgoing->request.bytes, REQUEST_ID_SIZE));
    outgoing->state = STORE_OUT_READY;
    outgoing->epoch = sotto_mls_epoch(room->group);
    outgoing->bytes = sotto_buf_view(bytes);
    return store_outgoing_put(core->store, outgoing);
}

/* ---- Appending ---- */

/* Accepted. What was accepted is applied when the log shows it; a leave alone counts from here on,
 * for who has left may not be shown anything more. */
static sotto_error appended_leave(struct room *room, int64_t out, uint64_t seq)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room row;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &row);
    bool first = error == SOTTO_OK && row.state == STORE_ROOM_ACTIVE;
    if (first || (error == SOTTO_OK && row.state == STORE_ROOM_LEFT))
        error = leaving_said(room, &row, out, &arena);
    if (first && error == SOTTO_OK) {
        error = event_add(core, &room->id, seq, 0, SOTTO_KIND_LEFT, &core->identity.account,
                          &core->identity.account);
        if (error == SOTTO_OK || error == SOTTO_EXISTS)
            error = room_save(room, &row);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        room_abort(room);
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error; /* the log was faster */
}

void room_outgoing_refused(struct room *room, int64_t id)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_outgoing_get(core->store, id, &arena, &outgoing);
    if (error == SOTTO_OK)
        error = outgoing_fail(core, &outgoing);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error != SOTTO_NOT_FOUND)
            room_local_failure(room, error, "taking a message out of the outbox");
    }
    arena_free(&arena);
}

static void append_accepted(struct append_slot *slot, uint64_t seq)
{
    struct room *room = slot->room;
    if (slot->leave) {
        sotto_error error = appended_leave(room, slot->row, seq);
        if (error != SOTTO_OK)
            room_local_failure(room, error, "leaving the conversation");
    } else if (seq > room->head) {
        room->head = seq;
        room->await_ms = net_now_ms(room->core);
    }
}

/* The room can be read at the epoch that the relay has, and what is derived from that epoch does
 * not open it: who made the last commit gave the relay another gate. */
static bool gate_lost(struct room *room, int64_t out)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room row;
    struct store_outgoing outgoing;
    if (room->subscribed != ROOM_SUBSCRIBED)
        return false;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_outgoing_get(core->store, out, &arena, &outgoing);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &row);
    if (error == SOTTO_OK && (row.state != STORE_ROOM_ACTIVE || room->group == NULL ||
                              outgoing.epoch != sotto_mls_epoch(room->group)))
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_OK)
        error = successor_shut_out(room, &row, &arena);
    if (error == SOTTO_OK)
        error = store_room_put(core->store, &row);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        room_abort(room);
    arena_free(&arena);
    return error == SOTTO_OK;
}

static void on_appended(void *ctx, sotto_error error, const struct message *answer)
{
    struct append_slot *slot = ctx;
    struct room *room = slot->room;
    room->appends_left--;
    room->busy = room->appends_left > 0;
    room->wake = true;
    if (error == SOTTO_OK) {
        append_accepted(slot, answer->seq);
        return;
    }
    if (error == SOTTO_REFUSED && answer != NULL && answer->error.code == WIRE_CODE_STALE_EPOCH) {
        /* Somebody's commit was first: the log shows it, and then this is encrypted anew. */
        if (answer->error.detail > room->await_epoch)
            room->await_epoch = answer->error.detail;
        room->await_ms = net_now_ms(room->core);
        return;
    }
    if (error == SOTTO_REFUSED && answer != NULL && answer->error.code == WIRE_CODE_ROOM_FULL) {
        room_full(room, answer->error.detail);
        return;
    }
    struct sotto_problem problem;
    problem_clear(&problem);
    net_problem(room->conn, error, answer, &problem);
    if (error == SOTTO_REFUSED && answer != NULL && answer->error.code == WIRE_CODE_LIMIT)
        room_outgoing_refused(room, slot->row);
    if (error == SOTTO_REFUSED && answer != NULL && answer->error.code == WIRE_CODE_NO_ROOM &&
        room->appends_left == 0 && gate_lost(room, slot->row))
        return;
    room_stuck(room, &problem);
}

/* What is sent at once: one commit or leave, or messages in a row. */
struct train {
    struct store_outgoing rows[APPENDS_MAX];
    sotto_buf bytes[APPENDS_MAX]; /* of those that were sealed now */
    size_t count;
};

static sotto_error append_request(struct room *room, const struct store_outgoing *outgoing,
                                  sotto_bytes token)
{
    struct append_slot *slot = &room->appends[room->appends_left];
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_ROOM_APPEND;
    struct append *append = &message.append;
    append->room = room->id;
    append->append_id = outgoing->request;
    append->epoch = outgoing->epoch;
    append->kind = outgoing->kind == STORE_OUT_COMMIT ? ENTRY_COMMIT : ENTRY_MESSAGE;
    append->next_write_gate = outgoing->next_write_gate;
    append->has_next_read_gate = outgoing->has_read_gate;
    append->next_read_gate = outgoing->next_read_gate;
    append->bytes = outgoing->bytes;
    append->write_token = token;
    *slot = (struct append_slot){room, outgoing->id, outgoing->kind == STORE_OUT_LEAVE};
    TRY(link_request(room->conn->link, &message, on_appended, slot, NULL));
    room->appends_left++;
    return SOTTO_OK;
}

/* In order, on one connection: the relay takes them in order. A connection that takes no more now
 * gets the rest after its answers. */
static sotto_error train_send(struct room *room, const struct train *train)
{
    sotto_buf token;
    sotto_buf_init(&token, room->core->env);
    sotto_error error = room_write_token(room, &token);
    for (size_t i = 0; i < train->count && error == SOTTO_OK; i++)
        error = append_request(room, &train->rows[i], sotto_buf_view(&token));
    sotto_buf_free(&token);
    if (room->appends_left == 0)
        return error;
    room->busy = true;
    room->progress = ROOM_BUSY;
    return SOTTO_OK;
}

/* ---- Choosing what to do next ---- */

/* Inside a transaction: makes the row's bytes if they are not there. *ready: outgoing can be sent.
 */
static sotto_error prepare(struct room *room, struct store_room *row,
                           struct store_outgoing *outgoing, struct arena *arena, sotto_buf *bytes,
                           bool *ready, bool *no_commit)
{
    struct sotto *core = room->core;
    *ready = true;
    if (outgoing->state == STORE_OUT_READY && outgoing->epoch == sotto_mls_epoch(room->group))
        return SOTTO_OK;
    if (outgoing->kind == STORE_OUT_MESSAGE) {
        bool waits = false; /* for its file; what was written after it goes before it */
        TRY(store_upload_waits(core->store, &room->id, outgoing->client_id, &waits));
        *ready = !waits;
        if (waits)
            return SOTTO_OK;
    }
    if (outgoing->kind != STORE_OUT_COMMIT)
        return seal(room, outgoing, bytes);
    int64_t carrier = 0;
    sotto_error error =
        *no_commit ? SOTTO_NOT_FOUND : commit_make(room, row, &carrier); /* it looks at all */
    if (error == SOTTO_NOT_FOUND) {
        *no_commit = true;
        *ready = false;
        return SOTTO_OK;
    }
    TRY(error);
    return store_outgoing_get(core->store, carrier, arena, outgoing);
}

/* Inside a transaction: the first row that is due and can be made ready, and if it is a message,
 * those behind it: of those whose client id begins so, or of all (NULL). NOT_FOUND: none. */
static sotto_error choose_among(struct room *room, struct store_room *row, const char *prefix,
                                struct arena *arena, struct train *train)
{
    struct sotto *core = room->core;
    int64_t after = 0;
    size_t size = 0;
    bool no_commit = false;
    while (train->count < APPENDS_MAX && size < APPENDS_BYTES) {
        struct store_outgoing *next = &train->rows[train->count];
        sotto_error error =
            prefix != NULL
                ? store_outgoing_named_next(core->store, &room->id, prefix, after, arena, next)
                : store_outgoing_next(core->store, &room->id, STORE_OUT_ENTRIES, after, arena,
                                      next);
        if (error == SOTTO_NOT_FOUND)
            break;
        TRY(error);
        after = next->id;
        if (next->state == STORE_OUT_SAID)
            continue;
        if (next->not_before_s > core_now_s(core)) {
            if (core->patient && room->retry_ms == 0)
                room->retry_ms = net_now_ms(room->core) + 1000;
            continue;
        }
        if (train->count > 0 && next->kind != STORE_OUT_MESSAGE)
            break;
        bool ready = false;
        TRY(prepare(room, row, next, arena, &train->bytes[train->count], &ready, &no_commit));
        if (!ready)
            continue;
        size += next->bytes.size;
        train->count++;
        if (next->kind != STORE_OUT_MESSAGE)
            break;
    }
    if (train->count == 0)
        return SOTTO_NOT_FOUND;
    return train->rows[0].kind == STORE_OUT_COMMIT ? SOTTO_OK : room_save(room, row);
}

static sotto_error choose(struct room *room, struct store_room *row, struct arena *arena,
                          struct train *train)
{
    /* What the members have to know, and who has to be out, comes before anything is said. */
    sotto_error error = choose_among(room, row, OUT_MANIFEST, arena, train);
    if (error == SOTTO_NOT_FOUND)
        error = choose_among(room, row, OUT_GONE, arena, train);
    return error == SOTTO_NOT_FOUND ? choose_among(room, row, NULL, arena, train) : error;
}

/* What is prepared in a transaction and sent when that is durable. */
struct sending {
    struct room *room;
    struct arena arena;
    struct store_room row;
    struct train train;
};

static void sending_begin(struct sending *s, struct room *room)
{
    memset(s, 0, sizeof *s);
    s->room = room;
    arena_init(&s->arena, room->core->env);
    for (size_t i = 0; i < APPENDS_MAX; i++)
        sotto_buf_init(&s->train.bytes[i], room->core->env);
}

static void sending_end(struct sending *s)
{
    for (size_t i = 0; i < APPENDS_MAX; i++)
        sotto_buf_free(&s->train.bytes[i]);
    arena_free(&s->arena);
}

static sotto_error sending_go(struct sending *s)
{
    sotto_error error = train_send(s->room, &s->train);
    if (error != SOTTO_OK)
        room_local_failure(s->room, error, "sending");
    return error;
}

bool room_send_next(struct room *room)
{
    struct sotto *core = room->core;
    struct sending s;
    sending_begin(&s, room);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &s.arena, &s.row);
    if (error == SOTTO_OK && s.row.state != STORE_ROOM_ACTIVE && s.row.state != STORE_ROOM_LEFT)
        error = SOTTO_NOT_FOUND;
    /* Another process may have applied more in the meantime; what matters is that the group that
     * encrypts is the stored one, and room_enter saw to that. */
    if (error == SOTTO_OK)
        error = choose(room, &s.row, &s.arena, &s.train);
    if (error == SOTTO_NOT_FOUND && s.row.state == STORE_ROOM_ACTIVE) {
        error = receipts_queue(room, &s.row, &s.arena);
        if (error == SOTTO_OK)
            error = choose(room, &s.row, &s.arena, &s.train);
    }
    bool nothing = error == SOTTO_NOT_FOUND;
    if (error == SOTTO_OK || nothing)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "preparing what is to be sent");
    } else if (!nothing)
        error = sending_go(&s);
    sending_end(&s);
    return error == SOTTO_OK && !nothing;
}

/* ---- What is written and sent at once ----
 *
 * A text that somebody writes where nothing else is owed is encrypted in the transaction that puts
 * it into the outbox: the disk is waited for once before it leaves. */

/* Its last step left nothing to do, and nothing came since. */
static bool room_rests(const struct room *room)
{
    const struct conn *conn = room->conn;
    return room->in_scope && !room->wake && !room->busy && !room->gone && !room->left &&
           !room->unknown && room->progress == ROOM_IDLE && room->full_size == 0 &&
           room->upload == NULL && room->subscribed == ROOM_SUBSCRIBED && conn->link != NULL &&
           !conn->dead && conn->generation == room->conn_generation;
}

/* Inside a transaction: whether it still does, whatever other processes did. */
static sotto_error still_rests(struct sending *s, bool *rests)
{
    struct room *room = s->room;
    struct store *store = room->core->store;
    struct store_outgoing commit;
    uint64_t lists = 0;
    bool moved = false;
    TRY(store_settings_moved(store, &room->id, &moved));
    TRY(store_manifest_changes(store, &lists));
    sotto_error error =
        store_outgoing_next(store, &room->id, STORE_OUT_COMMITS, 0, &s->arena, &commit);
    *rests = error == SOTTO_NOT_FOUND && !moved && lists == room->core->lists_seen &&
             s->row.state == STORE_ROOM_ACTIVE && s->row.next_seq > room->head &&
             s->row.epoch >= room->await_epoch &&
             memcmp(s->row.read_token, room->subscribed_token, TOKEN_SIZE) == 0;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* Whether something was prepared. A failure spoils what is gathered: it is done again without this,
 * and says then what is wrong. */
static bool prepare_at_once(struct sending *s)
{
    struct room *room = s->room;
    struct store *store = room->core->store;
    bool rests = false;
    sotto_error error = store_begin(store);
    if (error == SOTTO_OK)
        error = room_enter(room, &s->arena, &s->row);
    if (error == SOTTO_OK)
        error = still_rests(s, &rests);
    if (error == SOTTO_OK)
        error = rests ? choose(room, &s->row, &s->arena, &s->train) : SOTTO_NOT_FOUND;
    bool nothing = error == SOTTO_NOT_FOUND;
    if (error == SOTTO_OK || nothing)
        error = store_commit(store);
    if (error != SOTTO_OK)
        room_abort(room);
    return error == SOTTO_OK && !nothing;
}

void sotto_gather(struct sotto *core)
{
    store_gather(core->store);
    core->gathers = true;
    core->written = NULL;
}

static sotto_error gather_end(struct sotto *core, struct sending *s)
{
    bool prepared = s != NULL && core->host != NULL && room_rests(s->room) && prepare_at_once(s);
    TRY(store_gather_end(core->store));
    if (prepared && sending_go(s) == SOTTO_OK)
        net_flush(s->room->conn);
    return SOTTO_OK;
}

sotto_error sotto_gather_end(struct sotto *core)
{
    struct sending s;
    struct room *room = core->written;
    core->gathers = false;
    core->written = NULL;
    if (room != NULL)
        sending_begin(&s, room);
    sotto_error error = gather_end(core, room != NULL ? &s : NULL);
    if (room != NULL)
        sending_end(&s);
    store_scrub(core->store, false);
    if (error == SOTTO_OK)
        return error;
    room_abort_all(core); /* cached groups may be ahead of the store */
    return core_store_problem(core, error, "saving what is to be sent");
}
