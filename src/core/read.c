/* What faces read: conversations, messages, members, people, status. All from the store. */
#include <string.h>

#include "core/arriving.h"
#include "core/downloads.h"
#include "core/file_name.h"
#include "core/listing.h"
#include "core/notices.h"
#include "core/order_log.h"
#include "core/people.h"
#include "core/rejoin.h"
#include "core/room_settings.h"
#include "base/text.h"

/* ---- Names of states and kinds ---- */

const char *sotto_room_state_name(enum sotto_room_state state)
{
    switch (state) {
    case SOTTO_ROOM_CREATING:
        return "creating";
    case SOTTO_ROOM_ACTIVE:
        return "active";
    case SOTTO_ROOM_REMOVED:
        return "removed";
    case SOTTO_ROOM_LEFT:
        return "left";
    case SOTTO_ROOM_FORKED:
        return "forked";
    case SOTTO_ROOM_ASKED:
        return "asked";
    case SOTTO_ROOM_REJOINING:
        return "rejoining";
    }
    return "unknown";
}

const char *sotto_message_kind_name(enum sotto_message_kind kind)
{
    switch (kind) {
    case SOTTO_KIND_TEXT:
        return "text";
    case SOTTO_KIND_UNREADABLE:
        return "unreadable";
    case SOTTO_KIND_NEWER:
        return "newer";
    case SOTTO_KIND_ADDED:
        return "added";
    case SOTTO_KIND_REMOVED:
        return "removed";
    case SOTTO_KIND_LEFT:
        return "left";
    case SOTTO_KIND_JOINED:
        return "joined";
    case SOTTO_KIND_FORK:
        return "forked";
    case SOTTO_KIND_FILE:
        return "file";
    case SOTTO_KIND_DELETED:
        return "deleted";
    case SOTTO_KIND_PICTURE:
        return "picture";
    case SOTTO_KIND_VOICE:
        return "voice";
    case SOTTO_KIND_DEVICE_ADDED:
        return "deviceAdded";
    case SOTTO_KIND_DEVICE_REMOVED:
        return "deviceRemoved";
    case SOTTO_KIND_CONFLICT:
        return "identityConflict";
    case SOTTO_KIND_MISSING:
        return "missing";
    case SOTTO_KIND_TITLE:
        return "title";
    case SOTTO_KIND_ROLE:
        return "role";
    case SOTTO_KIND_SETTING:
        return "setting";
    case SOTTO_KIND_BAN:
        return "ban";
    case SOTTO_KIND_REFUSED:
        return "refused";
    case SOTTO_KIND_ACCOUNT_DELETED:
        return "accountDeleted";
    }
    return "newer";
}

const char *sotto_message_status_name(enum sotto_message_status status)
{
    switch (status) {
    case SOTTO_STATUS_RECEIVED:
        return "received";
    case SOTTO_STATUS_SENT:
        return "sent";
    case SOTTO_STATUS_WAITING:
        return "waiting";
    case SOTTO_STATUS_FAILED:
        return "failed";
    case SOTTO_STATUS_DELIVERED:
        return "delivered";
    case SOTTO_STATUS_READ:
        return "read";
    }
    return "unknown";
}

static void id_out(struct sotto_id *out, const uint8_t bytes[32])
{
    memcpy(out->bytes, bytes, sizeof out->bytes);
}

static struct room_id id_in(const struct sotto_id *id)
{
    struct room_id out;
    memcpy(out.bytes, id->bytes, ROOM_ID_SIZE);
    return out;
}

/* ---- Conversations ---- */

/* Of whom nothing is known: neither. */
static void person_show(struct sotto *core, const struct account_id *account, struct arena *arena,
                        bool *blocked, enum sotto_verified *verified)
{
    struct store_contact contact;
    if (store_contact_get(core->store, account, arena, &contact) != SOTTO_OK)
        return;
    *blocked = contact.blocked;
    *verified = (enum sotto_verified)contact.verified;
}

sotto_error conversation_show(struct sotto *core, const struct store_room *row, struct arena *arena,
                              void (*each)(void *ctx, const struct sotto_conversation *one),
                              void *ctx)
{
    static const uint8_t zeros[32];
    struct sotto_conversation one;
    memset(&one, 0, sizeof one);
    id_out(&one.id, row->room.bytes);
    one.group = row->kind == STORE_ROOM_GROUP;
    one.state = (enum sotto_room_state)row->state;
    one.title = names_title(core, row, arena);
    one.relay = row->relay;
    one.epoch = row->epoch;
    one.seq = row->next_seq - 1;
    one.members = row->members;
    one.trouble = row->trouble;
    if (row->trouble[0] == '\0' && row->state == STORE_ROOM_ACTIVE)
        TRY(arriving_trouble(core, row, arena, &one.trouble));
    if (row->kind == STORE_ROOM_DIRECT && row->has_peer)
        person_show(core, &row->peer, arena, &one.blocked, &one.verified);
    if (row->state == STORE_ROOM_ACTIVE && memcmp(row->authenticator, zeros, sizeof zeros) != 0)
        core_id_hex(row->authenticator, sizeof row->authenticator, one.authenticator);
    TRY(store_outgoing_count(core->store, &row->room, STORE_OUT_ALL, &one.waiting));
    TRY(store_room_timer(core->store, &row->room, &one.timer_s));
    TRY(listing_show(core, row, arena, &one));
    TRY(room_settings_show(core, &row->room, arena, &one.settings));
    each(ctx, &one);
    return SOTTO_OK;
}

sotto_error sotto_conversation(struct sotto *core, const struct sotto_id *id,
                               void (*each)(void *ctx, const struct sotto_conversation *one),
                               void *ctx)
{
    struct arena arena;
    struct store_room row;
    struct room_id room = id_in(id);
    arena_init(&arena, core->env);
    sotto_error error = store_room_get(core->store, &room, &arena, &row);
    if (error == SOTTO_OK && row.kind == STORE_ROOM_OWN)
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_OK)
        error = conversation_show(core, &row, &arena, each, ctx);
    if (error == SOTTO_NOT_FOUND)
        (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, NULL,
                          "There is no conversation of that id.");
    else if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the conversation");
    arena_free(&arena);
    return error;
}

/* ---- Members ---- */

static sotto_error members_show(struct sotto *core, const struct room_id *room,
                                const sotto_mls_group *group, struct arena *arena,
                                void (*each)(void *ctx, const struct sotto_member *member),
                                void *ctx)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        struct sotto_member member;
        memset(&member, 0, sizeof member);
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK)
            continue;
        id_out(&member.account, account.bytes);
        core_id_hex(device.bytes, DEVICE_ID_SIZE, member.device);
        member.name = names_of(core, &account, arena);
        member.own = core_is_own(core, &account);
        person_show(core, &account, arena, &member.blocked, &member.verified);
        TRY(arriving_member(core, room, &account, &device, arena, &member.waits, &member.trouble));
        each(ctx, &member);
    }
    return SOTTO_OK;
}

sotto_error sotto_members(struct sotto *core, const struct sotto_id *conversation,
                          void (*each)(void *ctx, const struct sotto_member *member), void *ctx)
{
    TRY(core_need_past(core));
    struct arena arena;
    struct store_room row;
    struct room_id id = id_in(conversation);
    arena_init(&arena, core->env);
    struct room *room = room_of(core, &id);
    sotto_error error = core_room_open(core, &id, &arena, &row);
    if (error != SOTTO_OK)
        goto out;
    error = room != NULL ? store_begin(core->store) : SOTTO_NO_MEMORY;
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &row);
    store_rollback(core->store); /* nothing was changed */
    if (error == SOTTO_OK && room->group != NULL)
        error = members_show(core, &id, room->group, &arena, each, ctx);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the members");
out:
    arena_free(&arena);
    return error;
}

/* ---- Messages ---- */

/* A preview that is no JPEG of a small size is none. */
static sotto_bytes preview_check(sotto_bytes preview)
{
    enum { SIDE_MAX = 1024 };
    struct picture picture;
    sotto_fault fault;
    bool fits = preview.size > 0 && picture_look(preview, &picture, &fault) == SOTTO_OK &&
                picture.type == PICTURE_JPEG && picture.width <= SIDE_MAX &&
                picture.height <= SIDE_MAX;
    return fits ? preview : sotto_bytes_of(NULL, 0);
}

/* A media type as RFC 6838 writes one, or nothing. */
static const char *type_show(sotto_bytes type, struct arena *arena)
{
    enum { TYPE_MAX = 127 };
    static const char others[] = "!#$&-^_.+/";
    char *shown = type.size <= TYPE_MAX ? arena_array(arena, type.size + 1, 1) : NULL;
    size_t slashes = 0;
    for (size_t i = 0; shown != NULL && i < type.size; i++) {
        const char c = (char)type.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr(others, c) == NULL))
            return "";
        slashes += c == '/';
        shown[i] = c;
    }
    return shown != NULL && slashes == 1 && strcmp(shown, "application/octet-stream") != 0 ? shown
                                                                                           : "";
}

/* The file that a message speaks of. */
static void file_show(const struct store_message *from, struct arena *arena,
                      struct sotto_message *out)
{
    struct content_message content;
    sotto_fault fault;
    char *name = arena_array(arena, FILE_NAME_MAX + 1, 1);
    out->file_name = "file";
    if (name == NULL || content_read(from->content, &from->sender, &from->room, arena, &content,
                                     &fault) != SOTTO_OK)
        return;
    file_name_clean(content.file.name, name);
    out->file_name = name;
    out->file_size = content.file.size;
    out->file_type = type_show(content.file.type, arena);
    if (content.file.album.id.size > 0) {
        core_id_hex(content.file.album.id.data, content.file.album.id.size, out->album);
        out->album_place = content.file.album.place + 1;
        out->album_of = content.file.album.of;
    }
    if (content.file.form == CONTENT_AS_PICTURE) {
        out->kind = SOTTO_KIND_PICTURE;
        out->width = content.file.width;
        out->height = content.file.height;
        out->preview = preview_check(content.file.preview);
    } else if (content.file.form == CONTENT_AS_VOICE) {
        out->kind = SOTTO_KIND_VOICE;
        out->duration_ms = content.file.duration_ms;
        out->waveform = content.file.waveform;
    }
}

static void mentions_show(const struct store_message *from, struct arena *arena,
                          struct sotto_message *out)
{
    struct account_id account;
    size_t at = 0, count = 0;
    struct sotto_id *list = NULL;
    while (count < SOTTO_MENTIONS_MAX && mention_next(from->text, &at, &account)) {
        if (list == NULL)
            list = arena_array(arena, SOTTO_MENTIONS_MAX, sizeof *list);
        if (list == NULL)
            return;
        id_out(&list[count++], account.bytes);
    }
    out->mentions = list;
    out->mention_count = count;
}

/* As much of the first line as fits, without half a character. */
static sotto_bytes first_line(sotto_bytes text)
{
    size_t size = 0;
    while (size < text.size && text.data[size] != '\n') {
        uint32_t scalar = 0;
        size_t next = text_next(sotto_bytes_of(text.data + size, text.size - size), &scalar);
        if (next == 0 || size + next > SOTTO_QUOTE_MAX)
            break;
        size += next;
    }
    return sotto_bytes_of(text.data, size);
}

static void quote_show(struct sotto *core, const struct store_message *from, struct arena *arena,
                       struct sotto_message *out)
{
    struct store_message to;
    out->reply = from->kind == SOTTO_KIND_TEXT && from->target.size > 0;
    out->quote.name = "";
    if (!out->reply ||
        store_message_meant(core->store, &from->room, from->target, arena, &to) != SOTTO_OK)
        return;
    out->quote.id = to.position;
    id_out(&out->quote.sender, to.sender.bytes);
    out->quote.name = names_of(core, &to.sender, arena);
    out->quote.own = to.own;
    out->quote.text = first_line(to.text);
}

static void reactions_show(struct sotto *core, const struct store_message *from,
                           struct arena *arena, struct sotto_message *out)
{
    struct store_reaction *rows = NULL;
    size_t count = 0;
    if (store_reactions(core->store, from->local, arena, &rows, &count) != SOTTO_OK || count == 0)
        return;
    struct sotto_reaction *shown = arena_array(arena, count, sizeof *shown);
    if (shown == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        id_out(&shown[i].sender, rows[i].sender.bytes);
        shown[i].name = names_of(core, &rows[i].sender, arena);
        shown[i].own = core_is_own(core, &rows[i].sender);
        shown[i].text = rows[i].text;
    }
    out->reactions = shown;
    out->reaction_count = count;
}

void message_show(struct sotto *core, const struct store_message *from, struct arena *arena,
                  struct sotto_message *out)
{
    struct store_room row;
    memset(out, 0, sizeof *out);
    out->id = from->position;
    id_out(&out->conversation, from->room.bytes);
    out->title = "";
    out->status = (enum sotto_message_status)from->state;
    if (store_room_get(core->store, &from->room, arena, &row) == SOTTO_OK) {
        out->title = names_title(core, &row, arena);
        out->status = receipt_status(core, from, &row);
    }
    out->seq = from->seq;
    out->imported = (from->part & STORE_PART_IMPORTED) != 0;
    out->kind = (enum sotto_message_kind)from->kind;
    out->own = from->own;
    (void)store_contact_blocked(core->store, &from->sender, &out->blocked);
    id_out(&out->sender, from->sender.bytes);
    out->sender_name = names_of(core, &from->sender, arena);
    out->subject_name = "";
    if (from->has_subject) {
        id_out(&out->subject, from->subject.bytes);
        out->subject_name = names_of(core, &from->subject, arena);
        out->subject_own = core_is_own(core, &from->subject);
    }
    out->time_s = from->time_s;
    out->text = from->text;
    if (from->kind >= SOTTO_KIND_TITLE && from->kind <= SOTTO_KIND_REFUSED)
        out->detail = from->content;
    out->file_name = out->file_type = "";
    if (from->kind == SOTTO_KIND_FILE) {
        file_show(from, arena, out);
        out->fetched = downloads_have(core, from->local);
    }
    if (from->kind == SOTTO_KIND_MISSING)
        out->since_s = rejoin_missing_since(from->content);
    out->client_id = from->client_id;
    out->markdown = from->markdown;
    out->timer_s = from->timer_s;
    out->erase_s = from->erase_s;
    out->edited_s = from->edited_s;
    if (from->markdown)
        mentions_show(from, arena, out);
    quote_show(core, from, arena, out);
    if (from->kind == SOTTO_KIND_TEXT || from->kind == SOTTO_KIND_FILE)
        reactions_show(core, from, arena, out);
}

void messages_show(struct sotto *core, const struct store_message *messages, size_t count,
                   sotto_message_fn *each, void *ctx)
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        struct sotto_message message;
        arena_init(&arena, core->env);
        message_show(core, &messages[i], &arena, &message);
        each(ctx, &message);
        arena_free(&arena);
    }
}

sotto_error sotto_message(struct sotto *core, int64_t id, sotto_message_fn *each, void *ctx)
{
    struct arena arena;
    struct store_message message;
    TRY(core_need_past(core));
    arena_init(&arena, core->env);
    sotto_error error = core_message_at(core, id, &arena, &message);
    if (error == SOTTO_OK)
        messages_show(core, &message, 1, each, ctx);
    arena_free(&arena);
    return error;
}

sotto_error sotto_mark_read(struct sotto *core, const struct sotto_id *conversation, int64_t id)
{
    TRY(core_need_past(core));
    struct room_id room = id_in(conversation);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = own_read(core, &room, id);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    return core_store_problem(core, error, "noting what was read");
}

sotto_error sotto_history(struct sotto *core, const struct sotto_id *conversation, uint32_t limit,
                          int64_t before, sotto_message_fn *each, void *ctx)
{
    TRY(core_need_past(core));
    struct arena arena;
    struct store_message *messages = NULL, *waiting = NULL;
    size_t count = 0, waiting_count = 0;
    struct room_id id = id_in(conversation);
    arena_init(&arena, core->env);
    (void)expire_sweep(core); /* what is over is not shown once more */
    sotto_error error = store_messages(core->store, &id, before, limit, &arena, &messages, &count);
    if (error == SOTTO_OK && before == 0)
        error = store_messages_waiting(core->store, &id, &arena, &waiting, &waiting_count);
    if (error == SOTTO_OK) {
        messages_show(core, messages, count, each, ctx);
        messages_show(core, waiting, waiting_count, each, ctx);
    } else
        (void)core_store_problem(core, error, "reading the messages");
    arena_free(&arena);
    return error;
}

sotto_error sotto_sending(struct sotto *core, const struct sotto_id *conversation,
                          const char *client_id, enum sotto_message_status *status, uint64_t *seq)
{
    struct arena arena;
    struct store_message message;
    struct room_id id = id_in(conversation);
    arena_init(&arena, core->env);
    sotto_error error = store_message_by_client(core->store, &id, client_id, &arena, &message);
    if (error == SOTTO_OK) {
        struct sotto_message shown;
        message_show(core, &message, &arena, &shown);
        *status = shown.status;
        *seq = shown.seq;
    } else if (error == SOTTO_NOT_FOUND) {
        enum store_message_state state = STORE_MESSAGE_WAITING;
        error = store_change_get(core->store, &id, client_id, &state, seq);
        if (error == SOTTO_OK)
            *status = (enum sotto_message_status)state;
    }
    if (error == SOTTO_NOT_FOUND)
        (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, NULL,
                          "No message was sent with that id in this conversation.");
    else if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the message back");
    arena_free(&arena);
    return error;
}

/* ---- Events ---- */

static sotto_error event_show(struct sotto *core, const struct store_event *from,
                              void (*each)(void *ctx, const struct sotto_event *event), void *ctx)
{
    struct arena arena;
    struct store_message row;
    struct sotto_message message;
    struct sotto_event event = {.number = from->number,
                                .kind = (enum sotto_event_kind)from->kind,
                                .erased = from->position};
    if (from->has_about)
        id_out(&event.about, from->about);
    arena_init(&arena, core->env);
    sotto_error error = SOTTO_NOT_FOUND;
    if (from->local != 0)
        error = store_message_local(core->store, from->local, &arena, &row);
    if (error == SOTTO_OK) {
        message_show(core, &row, &arena, &message);
        event.message = &message;
    }
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND) {
        each(ctx, &event);
        error = SOTTO_OK;
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_events(struct sotto *core, uint64_t after, uint32_t limit,
                         void (*each)(void *ctx, const struct sotto_event *event), void *ctx)
{
    struct arena arena;
    struct store_event *events = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    store_reads(core->store);
    sotto_error error = store_events(core->store, after, limit, &arena, &events, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        error = event_show(core, &events[i], each, ctx);
    store_reads_end(core->store);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading what changed");
    arena_free(&arena);
    return error;
}

sotto_error sotto_events_range(struct sotto *core, uint64_t *oldest, uint64_t *newest)
{
    sotto_error error = store_events_range(core->store, oldest, newest);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading what changed");
}

/* ---- Status ---- */

static void count_request(void *ctx, const struct sotto_request *request)
{
    (void)request;
    ++*(uint32_t *)ctx;
}

static void count_contact(void *ctx, const struct sotto_contact *contact)
{
    (void)contact;
    ++*(uint32_t *)ctx;
}

sotto_error sotto_status(struct sotto *core, struct sotto_status *status)
{
    memset(status, 0, sizeof *status);
    TRY(sotto_passphrase_is_set(core, &status->passphrase));
    TRY(core_load_profile(core));
    if (!core->has_identity || core->profile.registration != STORE_REGISTERED)
        return SOTTO_OK;
    struct arena arena;
    struct store_room *rooms = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    if (error == SOTTO_OK)
        error = store_outgoing_count(core->store, NULL, STORE_OUT_ALL, &status->waiting);
    struct store_token_chain chain = {0};
    if (error == SOTTO_OK)
        error = store_tokens_count(core->store, &status->tokens);
    if (error == SOTTO_OK)
        error = store_token_chain_get(core->store, &arena, &chain);
    status->token_key = chain.number;
    memcpy(status->token_key_hash, chain.hash, HASH_SIZE);
    for (size_t i = 0; i < count; i++)
        status->conversations += rooms[i].kind != STORE_ROOM_OWN;
    if (error == SOTTO_OK)
        error = own_history_status(core, &status->history, &status->history_of);
    if (error == SOTTO_OK)
        error = clock_off(core, &status->clock_off_s);
    if (error == SOTTO_OK)
        error = store_notices_count(core->store, true, &status->notices);
    if (error == SOTTO_OK)
        error = order_log_is_convicted(core, &arena, &status->relay_convicted);
    arena_free(&arena);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the profile");
    TRY(sotto_requests(core, count_request, &status->requests));
    return sotto_contacts(core, count_contact, &status->contacts);
}
