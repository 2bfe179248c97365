#include "core/statement.h"

#include <string.h>

#include "codec/writer.h"
#include "core/account.h"

/* ---- Which of several counts ----------------------------------------------------------------- */

static void heard_name(const struct account_id *account, char out[static 80])
{
    char hex[2 * ACCOUNT_ID_SIZE + 1];
    core_id_hex(account->bytes, ACCOUNT_ID_SIZE, hex);
    (void)snprintf(out, 80, "statement.%s", hex);
}

sotto_error statement_heard(struct sotto *core, const struct account_id *account, uint64_t number)
{
    char name[80];
    uint64_t before = 0;
    heard_name(account, name);
    TRY(store_number_get(core->store, name, &before));
    return number > before ? store_number_put(core->store, name, number) : SOTTO_OK;
}

/* ---- Saying ---------------------------------------------------------------------------------- */

sotto_error statement_make(struct sotto *core, enum statement_kind kind, uint64_t number,
                           const char *relay, sotto_buf *out)
{
    const struct statement statement = {
        .kind = kind, .number = number, .relay = sotto_bytes_str(relay)};
    return statement_write(&statement, core->identity.account_private.data, out);
}

static sotto_error tell_room(struct sotto *core, const struct room_id *room, sotto_bytes statement,
                             uint64_t number)
{
    struct content_message message;
    char client_id[STORE_CLIENT_ID_MAX + 1];
    sotto_buf content;
    memset(&message, 0, sizeof message);
    message.kind = CONTENT_STATEMENT;
    message.text = statement;
    (void)snprintf(client_id, sizeof client_id, "statement.%llu", (unsigned long long)number);
    sotto_buf_init(&content, core->env);
    sotto_error error = content_write(core->env, &message, &core->identity.account, room, &content);
    if (error == SOTTO_OK)
        error = room_queue_content(core, room, MESSAGE_INTENT_STATEMENT,
                                   sotto_bytes_of(message.id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&content), client_id);
    sotto_buf_free(&content);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

sotto_error statement_tell_all(struct sotto *core, sotto_bytes statement, uint64_t number)
{
    struct arena arena;
    struct store_room *rooms = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        if (store_room_alive(rooms[i].state)) /* one that is come back to is told then */
            error = tell_room(core, &rooms[i].room, statement, number);
    arena_free(&arena);
    return error;
}

/* ---- Hearing --------------------------------------------------------------------------------- */

static sotto_error contact_moved(struct sotto *core, struct store_contact *contact,
                                 sotto_bytes relay, struct arena *arena)
{
    char *text = arena_array(arena, relay.size + 1, 1);
    if (text == NULL)
        return SOTTO_NO_MEMORY;
    memcpy(text, relay.data, relay.size);
    contact->relay = text;
    /* What waited for them there goes on at once. */
    for (struct room *room = core->rooms; room != NULL; room = room->next)
        room->wake = room->wake || room->in_scope;
    TRY(store_outgoing_moved(core->store, &contact->account, text));
    return store_contact_put(core->store, contact);
}

static sotto_error contact_ended(struct sotto *core, const struct store_room *row, uint64_t seq,
                                 struct store_contact *contact)
{
    contact->contact = false;
    TRY(store_contact_put(core->store, contact));
    if (row->kind == STORE_ROOM_OWN)
        return SOTTO_OK;
    sotto_error error =
        event_add(core, &row->room, seq, 0, SOTTO_KIND_ACCOUNT_DELETED, &contact->account, NULL);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

sotto_error statement_take(struct sotto *core, const struct store_room *row, uint64_t seq,
                           sotto_bytes bytes, struct arena *arena)
{
    struct statement statement;
    struct account_id account;
    struct store_contact contact;
    sotto_fault fault;
    char name[80];
    uint64_t heard = 0;
    if (statement_read(bytes, &statement, &fault) != SOTTO_OK)
        return SOTTO_OK; /* whoever brought it: the log goes on */
    account_id_of(statement.account_key, &account);
    heard_name(&account, name);
    TRY(store_number_get(core->store, name, &heard));
    /* It is told in every room: an end shows in each. */
    if (statement.number < heard ||
        (statement.number == heard && statement.kind != STATEMENT_DELETED))
        return SOTTO_OK;
    if (core_is_own(core, &account)) {
        TRY(statement_heard(core, &account, statement.number));
        return statement.kind == STATEMENT_DELETED
                   ? account_told_end(core)
                   : account_told_move(core, statement.relay, statement.number);
    }
    sotto_error error = store_contact_get(core->store, &account, arena, &contact);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    TRY(statement_heard(core, &account, statement.number));
    return statement.kind == STATEMENT_MOVED ? contact_moved(core, &contact, statement.relay, arena)
                                             : contact_ended(core, row, seq, &contact);
}
