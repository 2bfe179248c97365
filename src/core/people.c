/* Contacts: names of one's own for them, blocking, deleting, and whose keys were compared. */
#include "core/profile_picture.h"

#include <string.h>

#include "codec/writer.h"
#include "base/text.h"

const char *people_name(const struct store_contact *contact)
{
    return contact->label[0] != '\0' ? contact->label : contact->name;
}

/* ---- Showing -------------------------------------------------------------------------------- */

const char *sotto_verified_name(enum sotto_verified verified)
{
    switch (verified) {
    case SOTTO_VERIFIED_COMPARED:
        return "compared";
    case SOTTO_VERIFIED_LINK:
        return "link";
    case SOTTO_UNVERIFIED:
        break;
    }
    return "";
}

static sotto_error contact_show(struct sotto *core, const struct store_contact *from,
                                struct arena *arena,
                                void (*each)(void *ctx, const struct sotto_contact *contact),
                                void *ctx)
{
    struct sotto_contact contact = {.name = people_name(from),
                                    .profile_name = from->name,
                                    .relay = from->relay,
                                    .contact = from->contact,
                                    .blocked = from->blocked,
                                    .verified = (enum sotto_verified)from->verified,
                                    .conflict = from->conflict};
    TRY(store_pin_of(core->store, &from->account, arena, &contact.found_by));
    TRY(profile_picture_hash(core, &from->account, contact.picture));
    memcpy(contact.account.bytes, from->account.bytes, ACCOUNT_ID_SIZE);
    each(ctx, &contact);
    return SOTTO_OK;
}

static sotto_error contacts_show(struct sotto *core, bool blocked,
                                 void (*each)(void *ctx, const struct sotto_contact *contact),
                                 void *ctx)
{
    TRY(core_need_past(core));
    struct arena arena;
    struct store_contact *contacts = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_contacts(core->store, &arena, &contacts, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        if (blocked ? contacts[i].blocked : contacts[i].contact)
            error = contact_show(core, &contacts[i], &arena, each, ctx);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the contacts");
    arena_free(&arena);
    return error;
}

sotto_error sotto_contacts(struct sotto *core,
                           void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx)
{
    return contacts_show(core, false, each, ctx);
}

sotto_error sotto_blocked(struct sotto *core,
                          void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx)
{
    return contacts_show(core, true, each, ctx);
}

sotto_error sotto_contact(struct sotto *core, const struct sotto_id *account,
                          void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx)
{
    struct arena arena;
    struct store_contact contact;
    struct account_id id;
    memcpy(id.bytes, account->bytes, ACCOUNT_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = store_contact_get(core->store, &id, &arena, &contact);
    if (error == SOTTO_OK && !contact.contact && !contact.blocked)
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_OK)
        error = contact_show(core, &contact, &arena, each, ctx);
    if (error == SOTTO_NOT_FOUND)
        (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, NULL,
                          "There is no contact of that id.");
    else if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the contact");
    arena_free(&arena);
    return error;
}

bool people_conversation(struct sotto *core, const struct account_id *account, struct arena *arena,
                         struct room_id *room)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    const struct store_room *best = NULL;
    if (store_rooms(core->store, arena, &rooms, &count) != SOTTO_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (rooms[i].kind == STORE_ROOM_DIRECT && rooms[i].has_peer &&
            account_id_equal(&rooms[i].peer, account) && store_room_alive(rooms[i].state) &&
            (best == NULL ||
             (best->state == STORE_ROOM_REJOINING && rooms[i].state != STORE_ROOM_REJOINING)))
            best = &rooms[i];
    if (best != NULL)
        *room = best->room;
    return best != NULL;
}

/* ---- Blocked -------------------------------------------------------------------------------- */

sotto_error people_peer_blocked(struct sotto *core, const struct store_room *room, bool *blocked)
{
    *blocked = false;
    if (room->kind != STORE_ROOM_DIRECT || !room->has_peer)
        return SOTTO_OK;
    return store_contact_blocked(core->store, &room->peer, blocked);
}

sotto_error people_room_open(struct sotto *core, const struct room_id *id, struct arena *arena,
                             struct store_room *row)
{
    bool blocked = false;
    TRY(core_room_open(core, id, arena, row));
    sotto_error error = people_peer_blocked(core, row, &blocked);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the contact");
    if (!blocked)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_BLOCKED,
                       "Unblock them first: sotto unblock WHO", "You have blocked %s.",
                       names_title(core, row, arena));
}

sotto_error people_silence(struct sotto *core, const struct account_id *account)
{
    return store_contact_silence(core->store, account);
}

/* ---- Greeting -------------------------------------------------------------------------------- */

/* The text on one line, cut between two characters. */
static sotto_error one_line(sotto_bytes text, struct arena *arena, sotto_bytes *line)
{
    uint8_t *copy = arena_array(arena, WIRE_GREETING_MAX, 1);
    size_t size = 0, used = 0;
    if (copy == NULL)
        return SOTTO_NO_MEMORY;
    while (used < text.size) {
        uint32_t scalar = 0;
        size_t next = text_next(sotto_bytes_of(text.data + used, text.size - used), &scalar);
        bool shown = scalar >= 0x20 && (scalar < 0x7F || scalar > 0x9F);
        if (next == 0 || size + next > WIRE_GREETING_MAX)
            break;
        if (shown)
            memcpy(copy + size, text.data + used, next);
        else
            copy[size] = ' ';
        size += shown ? next : 1;
        used += next;
    }
    *line = sotto_bytes_of(copy, size);
    return SOTTO_OK;
}

sotto_error people_greeting(struct room *room, const struct store_room *row, struct arena *arena,
                            sotto_bytes *greeting)
{
    struct sotto *core = room->core;
    struct store_outgoing outgoing;
    int64_t after = 0;
    sotto_error error = SOTTO_OK;
    *greeting = sotto_bytes_of(NULL, 0);
    while (row->kind == STORE_ROOM_DIRECT &&
           (error = store_outgoing_next(core->store, &room->id, STORE_OUT_ENTRIES, after, arena,
                                        &outgoing)) == SOTTO_OK) {
        struct queued_message queued;
        struct content_message content;
        sotto_fault fault;
        after = outgoing.id;
        if (outgoing.kind != STORE_OUT_MESSAGE)
            continue;
        TRY(queued_message_read(outgoing.intent, &queued));
        if (queued.intent != MESSAGE_INTENT_TEXT)
            continue;
        TRY(content_read(queued.content, &core->identity.account, &room->id, arena, &content,
                         &fault));
        return one_line(content.text, arena, greeting);
    }
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Records among one's own devices --------------------------------------------------------- */

sotto_error people_label_write(const struct account_id *account, const char *label, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_LABEL);
    writer_fixed(&writer, sotto_bytes_of(account->bytes, ACCOUNT_ID_SIZE));
    writer_vector(&writer, sotto_bytes_str(label));
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error people_label_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_contact contact;
    struct account_id account;
    reader_copy(reader, account.bytes, ACCOUNT_ID_SIZE, "own.account");
    const char *label = own_text(reader, arena, WIRE_NAME_MAX, "own.label");
    TRY(reader->fault.error);
    sotto_error error = store_contact_get(core->store, &account, arena, &contact);
    if (error != SOTTO_OK || strcmp(contact.label, label) == 0)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    contact.label = label;
    return store_contact_put(core->store, &contact);
}

static sotto_error tell_label(struct sotto *core, const struct store_contact *contact)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = people_label_write(&contact->account, contact->label, &record);
    return own_tell(core, error, &record);
}

sotto_error people_declined_read(struct sotto *core, struct reader *reader)
{
    struct room_id room;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    return reader_ok(reader) ? store_request_erase_of(core->store, &room) : reader->fault.error;
}

sotto_error people_request_gone(struct sotto *core, const struct store_request *request)
{
    sotto_buf record;
    struct writer writer;
    TRY(store_request_erase(core->store, request->id));
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_DECLINED);
    writer_fixed(&writer, sotto_bytes_of(request->room.bytes, ROOM_ID_SIZE));
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

/* ---- Changing a contact ---------------------------------------------------------------------- */

/* One change of one person's row: made on what stands there now, and told to one's own devices. */
struct person_change {
    /* Changes the row. False: it is so already. */
    bool (*apply)(struct store_contact *contact, const void *with);
    const void *with;
    bool only_contacts;
    bool label; /* it is about what they are called */
};

/* What they were not told meanwhile. */
static sotto_error introduce(struct sotto *core, const struct account_id *account,
                             struct arena *arena)
{
    struct room_id room;
    uint64_t unique = 0;
    if (!people_conversation(core, account, arena, &room))
        return SOTTO_OK;
    TRY(core->env->random(core->env->ctx, (uint8_t *)&unique, sizeof unique));
    TRY(room_queue_name(core, &room, unique));
    return profile_picture_queue(core, &room, true);
}

static sotto_error change_store(struct sotto *core, const struct account_id *account,
                                const struct person_change *change, struct arena *arena)
{
    struct store_contact contact;
    TRY(store_contact_get(core->store, account, arena, &contact));
    bool was_blocked = contact.blocked;
    if (!change->apply(&contact, change->with))
        return SOTTO_OK;
    TRY(store_contact_put(core->store, &contact));
    if (contact.blocked && !was_blocked)
        TRY(people_silence(core, account));
    if (!contact.blocked && was_blocked)
        TRY(introduce(core, account, arena));
    if (change->label)
        TRY(tell_label(core, &contact));
    return own_tell_contact(core, account);
}

static sotto_error change_person(struct sotto *core, const char *who,
                                 const struct person_change *change)
{
    struct arena arena;
    struct store_contact contact;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = names_person(core, who, &arena, &contact);
    if (error == SOTTO_OK && change->only_contacts && !contact.contact)
        error = problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                            "See `sotto contacts`.", "%s is no contact of yours.",
                            contact.name[0] != '\0' ? people_name(&contact) : who);
    if (error == SOTTO_OK) {
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = change_store(core, &contact.account, change, &arena);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            (void)core_store_problem(core, error, "saving the contact");
        }
    }
    arena_free(&arena);
    return error;
}

static bool apply_blocked(struct store_contact *contact, const void *with)
{
    bool blocked = *(const bool *)with;
    bool changed = contact->blocked != blocked;
    contact->blocked = blocked;
    return changed;
}

sotto_error sotto_block(struct sotto *core, const char *who, bool blocked)
{
    const struct person_change change = {.apply = apply_blocked, .with = &blocked};
    return change_person(core, who, &change);
}

static bool apply_label(struct store_contact *contact, const void *with)
{
    bool changed = strcmp(contact->label, with) != 0;
    contact->label = with;
    return changed;
}

sotto_error sotto_contact_rename(struct sotto *core, const char *who, const char *name)
{
    sotto_bytes text = sotto_bytes_str(name);
    if (text.size > WIRE_NAME_MAX || !text_is_utf8(text) || !text_is_line(text))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_NAME,
                           "Choose another name.",
                           "A name is one line of text of at most %d bytes.", WIRE_NAME_MAX);
    const struct person_change change = {.apply = apply_label, .with = name, .label = true};
    return change_person(core, who, &change);
}

static bool apply_delete(struct store_contact *contact, const void *with)
{
    (void)with;
    contact->contact = false;
    contact->verified = STORE_UNVERIFIED;
    contact->label = "";
    return true;
}

sotto_error sotto_contact_delete(struct sotto *core, const char *who)
{
    const struct person_change change = {
        .apply = apply_delete, .only_contacts = true, .label = true};
    return change_person(core, who, &change);
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Inside a transaction. */
static sotto_error block_sender(struct sotto *core, const struct store_request *request,
                                struct arena *arena)
{
    const bool blocked = true;
    const struct person_change change = {.apply = apply_blocked, .with = &blocked};
    return change_store(core, &request->sender, &change, arena);
}

static sotto_error answer(struct sotto *core, const char *what,
                          sotto_error (*decide)(struct sotto *core,
                                                const struct store_request *request,
                                                struct arena *arena))
{
    struct arena arena;
    struct store_request request = {0};
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = request_find(core, what, &arena, &request);
    if (error == SOTTO_OK) {
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = decide(core, &request, &arena);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            (void)core_store_problem(core, error, "answering the request");
        }
    }
    arena_free(&arena);
    return error;
}

static sotto_error decline(struct sotto *core, const struct store_request *request,
                           struct arena *arena)
{
    (void)arena;
    return people_request_gone(core, request);
}

sotto_error sotto_decline(struct sotto *core, const char *what)
{
    return answer(core, what, decline);
}

sotto_error sotto_block_request(struct sotto *core, const char *what)
{
    return answer(core, what, block_sender);
}
