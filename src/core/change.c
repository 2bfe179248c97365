/* Edits, deletions and reactions: queueing one's own, and what the log shows of anybody's. */
#include <string.h>

#include "core/listing.h"
#include "core/people.h"
#include "core/room_settings.h"
#include "base/text.h"

/* How long a change waits for what it is about: for as long as giving a device the past may take.
 */
#define KEEP_S (30u * 86400u)

/* ---- What the log shows ---- */

/* The message that a change is about. NOT_FOUND: none that sender may change so. */
static sotto_error own_target(struct sotto *core, const struct room_id *room,
                              const struct account_id *sender,
                              const struct content_message *content, struct arena *arena,
                              struct store_message *target)
{
    TRY(store_message_meant(core->store, room, sotto_bytes_of(content->target, CONTENT_ID_SIZE),
                            arena, target));
    return memcmp(target->sender.bytes, sender->bytes, ACCOUNT_ID_SIZE) == 0 ? SOTTO_OK
                                                                             : SOTTO_NOT_FOUND;
}

static sotto_error apply_edit(struct sotto *core, const struct room_id *room,
                              const struct account_id *sender, uint64_t time_s, sotto_bytes data,
                              const struct content_message *content, struct arena *arena)
{
    struct store_message target;
    TRY(own_target(core, room, sender, content, arena, &target));
    if (target.kind != SOTTO_KIND_TEXT)
        return SOTTO_NOT_FOUND;
    TRY(store_message_edit(core->store, target.local, content->text, content->markdown, data,
                           sotto_bytes_of(content->id, CONTENT_ID_SIZE), time_s));
    return store_message_mention(core->store, target.local,
                                 !target.own &&
                                     listing_mentions(core, content->text, content->markdown));
}

/* Of a message, or of a reaction: both are taken back in the same way. */
static sotto_error apply_delete(struct sotto *core, const struct room_id *room,
                                const struct account_id *sender,
                                const struct content_message *content, struct arena *arena)
{
    struct store_message target;
    sotto_error error = own_target(core, room, sender, content, arena, &target);
    if (error == SOTTO_NOT_FOUND)
        return store_reaction_erase(core->store, room, sender,
                                    sotto_bytes_of(content->target, CONTENT_ID_SIZE));
    TRY(error);
    if (target.kind != SOTTO_KIND_TEXT && target.kind != SOTTO_KIND_FILE &&
        target.kind != SOTTO_KIND_NEWER)
        return SOTTO_NOT_FOUND;
    TRY(store_blob_release(core->store, target.local, core_now_s(core)));
    return store_message_erase(core->store, target.local);
}

static sotto_error apply_reaction(struct sotto *core, const struct room_id *room,
                                  const struct account_id *sender, uint64_t time_s,
                                  const struct content_message *content, struct arena *arena)
{
    struct store_message target;
    TRY(store_message_meant(core->store, room, sotto_bytes_of(content->target, CONTENT_ID_SIZE),
                            arena, &target));
    if (target.kind != SOTTO_KIND_TEXT && target.kind != SOTTO_KIND_FILE &&
        target.kind != SOTTO_KIND_NEWER)
        return SOTTO_NOT_FOUND;
    const struct store_reaction reaction = {
        .sender = *sender,
        .content_id = sotto_bytes_of(content->id, CONTENT_ID_SIZE),
        .text = content->text,
        .time_s = time_s,
    };
    return store_reaction_put(core->store, target.local, &reaction);
}

/* NOT_FOUND: what it is about is not here, or not for that sender to change. */
static sotto_error apply(struct sotto *core, const struct room_id *room,
                         const struct account_id *sender, uint64_t time_s, sotto_bytes data,
                         const struct content_message *content, struct arena *arena)
{
    if (content->kind == CONTENT_EDIT)
        return apply_edit(core, room, sender, time_s, data, content, arena);
    if (content->kind == CONTENT_DELETE)
        return apply_delete(core, room, sender, content, arena);
    if (content->kind == CONTENT_REACTION)
        return apply_reaction(core, room, sender, time_s, content, arena);
    return SOTTO_NOT_FOUND;
}

/* The text of an edit is kept no longer than messages stay in that conversation. */
static sotto_error keep_until(struct sotto *core, const struct room_id *room, uint64_t now_s,
                              const struct content_message *content, uint64_t *until_s)
{
    uint32_t timer_s = 0;
    *until_s = now_s + KEEP_S;
    if (content->kind != CONTENT_EDIT)
        return SOTTO_OK;
    TRY(store_room_timer(core->store, room, &timer_s));
    if (timer_s == 0 || (content->expires_s > 0 && content->expires_s < timer_s))
        timer_s = content->expires_s;
    if (timer_s > 0 && timer_s < KEEP_S)
        *until_s = now_s + timer_s;
    if (content->expires_at_s > 0 && content->expires_at_s < *until_s)
        *until_s = content->expires_at_s;
    return SOTTO_OK;
}

/* The log has a message before what changes it. So what is not here came before this member, who
 * may be given it yet, or was erased here. */
static sotto_error keep(struct sotto *core, const struct room_id *room,
                        const struct account_id *sender, uint64_t seq, uint64_t time_s,
                        sotto_bytes data, const struct content_message *content,
                        struct arena *arena)
{
    struct store_message target;
    const uint64_t now_s = core_now_s(core);
    const sotto_bytes id = sotto_bytes_of(content->target, CONTENT_ID_SIZE);
    struct store_early early = {
        .seq = seq, .sender = *sender, .target = id, .content = data, .time_s = time_s};
    sotto_error error = store_message_meant(core->store, room, id, arena, &target);
    if (error != SOTTO_NOT_FOUND)
        return error; /* it is here: somebody else's, or nothing that can be changed so */
    TRY(keep_until(core, room, now_s, content, &early.erase_s));
    return store_early_put(core->store, room, &early);
}

sotto_error change_apply(struct sotto *core, const struct room_id *room,
                         const struct account_id *sender, uint64_t seq, sotto_bytes data,
                         const struct content_message *content, struct arena *arena)
{
    const uint64_t now_s = core_now_s(core);
    sotto_error error = apply(core, room, sender, now_s, data, content, arena);
    return error == SOTTO_NOT_FOUND ? keep(core, room, sender, seq, now_s, data, content, arena)
                                    : error;
}

/* Whether the message has a later change of that sort already, of the same sender. */
static sotto_error is_late(struct sotto *core, const struct store_message *target,
                           const struct account_id *sender, uint64_t time_s,
                           const struct content_message *content, struct arena *arena, bool *late)
{
    struct store_reaction *rows = NULL;
    size_t count = 0;
    *late = content->kind == CONTENT_EDIT && target->edited_s > time_s;
    if (content->kind != CONTENT_REACTION)
        return SOTTO_OK;
    TRY(store_reactions(core->store, target->local, arena, &rows, &count));
    for (size_t i = 0; i < count && !*late; i++)
        *late = account_id_equal(&rows[i].sender, sender) && rows[i].time_s > time_s;
    return SOTTO_OK;
}

sotto_error change_told(struct sotto *core, const struct room_id *room,
                        const struct account_id *sender, uint64_t seq, uint64_t time_s,
                        sotto_bytes data, const struct content_message *content,
                        struct arena *arena)
{
    struct store_message target;
    bool late = false;
    sotto_error found = store_message_meant(
        core->store, room, sotto_bytes_of(content->target, CONTENT_ID_SIZE), arena, &target);
    if (found == SOTTO_OK)
        TRY(is_late(core, &target, sender, time_s, content, arena, &late));
    else if (found != SOTTO_NOT_FOUND)
        return found;
    if (late)
        return SOTTO_OK;
    sotto_error error = apply(core, room, sender, time_s, data, content, arena);
    if (error == SOTTO_NOT_FOUND)
        return keep(core, room, sender, seq, time_s, data, content, arena);
    /* The log may have shown the end of a reaction that was not here. */
    return error == SOTTO_OK && found == SOTTO_OK
               ? change_apply_kept(core, room, target.local, arena)
               : error;
}

sotto_error change_apply_kept(struct sotto *core, const struct room_id *room, int64_t local,
                              struct arena *arena)
{
    struct store_early early;
    sotto_error error;
    /* Each may make more of them mean this message: an edit of an edit, the end of a reaction. */
    while ((error = store_early_next(core->store, room, local, arena, &early)) == SOTTO_OK) {
        struct content_message content;
        sotto_fault fault;
        TRY(store_early_erase(core->store, room, early.seq));
        error = content_read(early.content, &early.sender, room, arena, &content, &fault);
        if (error == SOTTO_NO_MEMORY)
            return error;
        if (error != SOTTO_OK)
            continue; /* of a version that read more */
        error = apply(core, room, &early.sender, early.time_s, early.content, &content, arena);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
    }
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Queueing ---- */

sotto_error core_message_at(struct sotto *core, int64_t id, struct arena *arena,
                            struct store_message *message)
{
    sotto_error error =
        id > 0 ? store_message_at(core->store, id, arena, message) : SOTTO_NOT_FOUND;
    if (error == SOTTO_NOT_FOUND)
        return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND,
                           "`sotto history` shows the number of each message.",
                           "There is no message %lld.", (long long)id);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the message");
}

static sotto_error cannot(struct sotto *core, enum sotto_code code, const char *what)
{
    return problem_set(&core->problem, SOTTO_STATE, code, "", "%s", what);
}

/* Inside a transaction: whether that may be done to it, else a problem. */
static sotto_error target_check(struct sotto *core, const struct content_message *content,
                                const struct store_message *target)
{
    if (target->kind == SOTTO_KIND_DELETED)
        return cannot(core, SOTTO_CODE_CANNOT_CHANGE, "The message was deleted.");
    if (target->kind != SOTTO_KIND_TEXT &&
        (target->kind != SOTTO_KIND_FILE || content->kind == CONTENT_EDIT))
        return cannot(core, SOTTO_CODE_CANNOT_CHANGE,
                      content->kind == CONTENT_EDIT ? "Only a text can be edited."
                                                    : "That is no message of a person's.");
    if (!target->own && content->kind != CONTENT_REACTION)
        return cannot(core, SOTTO_CODE_NOT_YOURS, "Somebody else wrote that message.");
    return SOTTO_OK;
}

/* A reaction in place of an earlier one says so; taking one back means that one. NOT_FOUND: there
 * is none to take back. */
static sotto_error reaction_before(struct sotto *core, const struct store_message *target,
                                   struct arena *arena, struct content_message *content)
{
    struct store_reaction *rows = NULL;
    size_t count = 0;
    TRY(store_reactions(core->store, target->local, arena, &rows, &count));
    for (size_t i = 0; i < count; i++) {
        if (!core_is_own(core, &rows[i].sender) || rows[i].content_id.size != CONTENT_ID_SIZE)
            continue;
        if (content->text.size > 0) {
            content->has_replaced = true;
            memcpy(content->replaced, rows[i].content_id.data, CONTENT_ID_SIZE);
        } else {
            content->kind = CONTENT_DELETE;
            memcpy(content->target, rows[i].content_id.data, CONTENT_ID_SIZE);
        }
        return SOTTO_OK;
    }
    return content->text.size > 0 ? SOTTO_OK : SOTTO_NOT_FOUND;
}

/* Inside a transaction. */
static sotto_error change_store(struct sotto *core, const struct store_room *row,
                                struct content_message *content, const char *client_id)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error =
        content_write(core->env, content, &core->identity.account, &row->room, &bytes);
    if (error == SOTTO_OK)
        error = store_change_add(core->store, &row->room, client_id);
    if (error == SOTTO_OK)
        error = room_queue_content(core, &row->room, MESSAGE_INTENT_CHANGE,
                                   sotto_bytes_of(content->id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&bytes), client_id);
    sotto_buf_free(&bytes);
    return error;
}

/* Inside a transaction. *told: the problem is set. */
static sotto_error change_make(struct sotto *core, const struct store_message *target,
                               struct content_message *content, const char *client_id,
                               struct arena *arena, bool *told)
{
    struct store_room row;
    *told = true;
    TRY(target_check(core, content, target));
    TRY(core_room_open_to_write(core, &target->room, arena, &row));
    *told = false;
    const sotto_bytes id = target->content_id;
    if (id.data == NULL || id.size != CONTENT_ID_SIZE)
        return SOTTO_INTERNAL; /* every text and file has one */
    memcpy(content->target, id.data, CONTENT_ID_SIZE);
    if (content->kind == CONTENT_REACTION) {
        sotto_error error = reaction_before(core, target, arena, content);
        if (error == SOTTO_NOT_FOUND) {
            *told = true;
            return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, "",
                               "There is no reaction of yours to take back.");
        }
        TRY(error);
    }
    return change_store(core, &row, content, client_id);
}

/* Queues the content, whose target is message `id`. */
static sotto_error change(struct sotto *core, int64_t id, const char *client_id,
                          struct content_message *content, struct sotto_change *done)
{
    char fresh[33];
    struct arena arena;
    struct store_message target = {0};
    bool told = false;
    TRY(core_need_account(core));
    TRY(core_client_id_choose(core, &client_id, fresh));
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK) {
        error = core_message_at(core, id, &arena, &target);
        told = error != SOTTO_OK;
    }
    if (error == SOTTO_OK) {
        error = core_client_id_used(core, &target.room, client_id);
        if (error == SOTTO_NOT_FOUND)
            error = change_make(core, &target, content, client_id, &arena, &told);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (told)
        store_rollback(core->store);
    else if (error != SOTTO_OK)
        (void)core_text_failed(core, error);
    else if (done != NULL) {
        memcpy(done->conversation.bytes, target.room.bytes, ROOM_ID_SIZE);
        (void)snprintf(done->client_id, sizeof done->client_id, "%s", client_id);
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_edit(struct sotto *core, int64_t id, const char *client_id, sotto_bytes text,
                       bool markdown, struct sotto_change *done)
{
    TRY(core_text_check(core, text));
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_EDIT;
    content.text = text;
    content.markdown = markdown;
    return change(core, id, client_id, &content, done);
}

sotto_error sotto_delete(struct sotto *core, int64_t id, const char *client_id,
                         struct sotto_change *done)
{
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_DELETE;
    return change(core, id, client_id, &content, done);
}

sotto_error sotto_react(struct sotto *core, int64_t id, const char *client_id, sotto_bytes reaction,
                        struct sotto_change *done)
{
    if (reaction.size > SOTTO_REACTION_MAX || !text_is_line(reaction))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_TEXT, "Give one emoji.",
                           "A reaction is one line of UTF-8, of %d bytes at most.",
                           SOTTO_REACTION_MAX);
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_REACTION;
    content.text = reaction;
    return change(core, id, client_id, &content, done);
}
