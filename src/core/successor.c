#include "core/successor.h"

#include <string.h>

#define TROUBLE_MOVED "It goes on in another conversation, which an owner made."

/* ---- Who makes it ---------------------------------------------------------------------------- */

/* This device's place among those of owners; SIZE_MAX: it is none. */
static size_t own_turn(struct room *room, const struct settings *settings,
                       const struct account_id *offender)
{
    size_t turn = 0;
    uint32_t at = 0, own = sotto_mls_own_index(room->group);
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(room->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK ||
            account_id_equal(&account, offender) ||
            rules_role(room->group, settings, &account) != SOTTO_ROLE_OWNER)
            continue;
        if (leaf.index == own)
            return turn;
        turn++;
    }
    return SIZE_MAX;
}

/* ---- Making ---------------------------------------------------------------------------------- */

/* The settings go along, but for the offender's role; who makes the room is an owner by name. */
static sotto_error settings_for(struct room *room, const struct account_id *offender,
                                struct arena *arena, struct settings *settings)
{
    bool changed;
    struct settings_change role = {.what = SETTINGS_ROLE};
    TRY(rules_settings(room->group, arena, settings, NULL));
    if (offender != NULL && settings_role(settings, offender) > settings->others) {
        role.account = *offender;
        role.value = settings->others;
        TRY(settings_apply(settings, &role, arena, &changed));
    }
    role.account = room->core->identity.account;
    role.value = SOTTO_ROLE_OWNER;
    TRY(settings_apply(settings, &role, arena, &changed));
    settings->continues = true;
    settings->before = room->id;
    return SOTTO_OK;
}

/* All people of the old room but the offender; each once. One's own devices follow by themselves
 * (room_judge.c). */
static sotto_error people_queue(struct room *from, const struct room_id *to,
                                const struct account_id *offender, struct arena *arena)
{
    struct sotto *core = from->core;
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    char hex[65], client_id[STORE_CLIENT_ID_MAX + 1];
    while (sotto_mls_next_member(from->group, &at, &leaf)) {
        struct commit_intent intent;
        struct device_id device;
        struct store_contact contact;
        memset(&intent, 0, sizeof intent);
        intent.action = COMMIT_ADD;
        if (identity_leaf_ids(&leaf, &intent.account, &device) != SOTTO_OK ||
            core_is_own(core, &intent.account) ||
            (offender != NULL && account_id_equal(&intent.account, offender)))
            continue;
        sotto_error error = store_contact_get(core->store, &intent.account, arena, &contact);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
        intent.relay = sotto_bytes_str(
            error == SOTTO_OK && contact.relay[0] != '\0' ? contact.relay : core->profile.relay);
        core_id_hex(intent.account.bytes, ACCOUNT_ID_SIZE, hex);
        (void)snprintf(client_id, sizeof client_id, "moves.%.50s", hex);
        error = commit_queue(core, to, &intent, client_id, 0);
        if (error != SOTTO_OK && error != SOTTO_EXISTS) /* of several devices */
            return error;
    }
    return SOTTO_OK;
}

static sotto_error moved(struct sotto *core, const struct room_id *from, const struct room_id *to,
                         struct arena *arena)
{
    struct store_settings stored;
    struct store_room row;
    TRY(store_settings_get(core->store, from, arena, &stored));
    stored.has_successor = true;
    stored.successor = *to;
    stored.resume_s = 0;
    TRY(store_settings_put(core->store, from, &stored));
    TRY(store_room_get(core->store, from, arena, &row));
    if (row.state != STORE_ROOM_FORKED)
        return SOTTO_OK;
    char *trouble = arena_array(arena, 1000, 1);
    if (trouble == NULL)
        return SOTTO_NO_MEMORY;
    (void)snprintf(trouble, 1000, "%s " TROUBLE_MOVED, row.trouble);
    row.trouble = trouble;
    return store_room_put(core->store, &row);
}

static sotto_error make(struct room *from, const struct store_room *row, struct arena *arena,
                        const struct account_id *offender, struct room_id *to)
{
    struct sotto *core = from->core;
    struct settings settings;
    TRY(settings_for(from, offender, arena, &settings));
    TRY(room_make_with(core, STORE_ROOM_GROUP, row->title, NULL, &settings, to));
    TRY(people_queue(from, to, offender, arena));
    TRY(moved(core, &from->id, to, arena));
    struct room *room = room_of(core, to);
    if (room == NULL)
        return SOTTO_NO_MEMORY;
    room->in_scope = room->wake = true; /* in this run */
    room->progress = ROOM_BUSY;
    return SOTTO_OK;
}

sotto_error successor_after(struct room *room, const struct store_room *row, struct arena *arena,
                            const struct account_id *offender)
{
    struct sotto *core = room->core;
    struct settings settings;
    struct store_settings stored;
    struct room_id to;
    if (row->kind != STORE_ROOM_GROUP || core_is_own(core, offender))
        return SOTTO_OK;
    TRY(rules_settings(room->group, arena, &settings, NULL));
    TRY(store_settings_get(core->store, &room->id, arena, &stored));
    size_t turn = own_turn(room, &settings, offender);
    if (stored.has_successor || turn == SIZE_MAX)
        return SOTTO_OK;
    if (turn == 0)
        return make(room, row, arena, offender, &to);
    stored.resume_s = core_now_s(core) + turn * SUCCESSOR_TURN_S;
    return store_settings_put(core->store, &room->id, &stored);
}

/* ---- Later, and by hand ---------------------------------------------------------------------- */

/* Inside a transaction: the group of a room that was stopped, as it was then. */
static sotto_error enter_stopped(struct sotto *core, const struct room_id *id, struct arena *arena,
                                 struct room **room, struct store_room *row,
                                 struct store_settings *stored)
{
    TRY(store_room_get(core->store, id, arena, row)); /* first: others name rooms as they like */
    TRY(store_settings_get(core->store, id, arena, stored));
    *room = room_of(core, id);
    if (*room == NULL)
        return SOTTO_NO_MEMORY;
    return room_load_group(*room);
}

static sotto_error resume(struct sotto *core, const struct room_id *id, struct arena *arena)
{
    struct room *room = NULL;
    struct store_room row;
    struct store_settings stored;
    struct room_id to;
    TRY(store_begin(core->store));
    sotto_error error = enter_stopped(core, id, arena, &room, &row, &stored);
    if (error == SOTTO_OK && !stored.has_successor && stored.resume_s > 0)
        error = make(room, &row, arena, stored.has_offender ? &stored.offender : NULL, &to);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (room != NULL)
        room_forget_group(room);
    if (error != SOTTO_OK)
        room_abort_all(core);
    return error;
}

sotto_error successor_sweep(struct sotto *core)
{
    struct arena arena;
    struct room_id *rooms = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error =
        store_settings_resume(core->store, core_now_s(core), &arena, &rooms, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        error = resume(core, &rooms[i], &arena);
    arena_free(&arena);
    return error;
}

static sotto_error continue_by_hand(struct sotto *core, const struct room_id *id,
                                    struct arena *arena, struct room_id *to)
{
    struct room *room = NULL;
    struct store_room row;
    struct store_settings stored;
    struct settings settings;
    sotto_error error = enter_stopped(core, id, arena, &room, &row, &stored);
    if (error == SOTTO_NOT_FOUND)
        return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND,
                           "See `sotto conversations`.", "There is no such group.");
    if (error == SOTTO_OK)
        error = rules_settings(room->group, arena, &settings, NULL);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the group");
    if (row.kind != STORE_ROOM_GROUP || row.state != STORE_ROOM_FORKED)
        error = problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANNOT_CHANGE,
                            "Go on writing there.", "Only a group that was stopped is continued.");
    else if (stored.has_successor)
        error = problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_EXISTS,
                            "See `sotto conversations`.", "It goes on in another one already.");
    else if (rules_role(room->group, &settings, &core->identity.account) != SOTTO_ROLE_OWNER)
        error = room_not_allowed(core, "only an owner continues a group");
    else {
        error = make(room, &row, arena, stored.has_offender ? &stored.offender : NULL, to);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "making the new group");
    }
    room_forget_group(room);
    return error;
}

sotto_error sotto_group_continue(struct sotto *core, const struct sotto_id *conversation,
                                 struct sotto_id *successor)
{
    struct arena arena;
    struct room_id id, to;
    TRY(core_need_account(core));
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "making the new group");
    else {
        error = continue_by_hand(core, &id, &arena, &to);
        if (error == SOTTO_OK) {
            error = store_commit(core->store);
            if (error != SOTTO_OK)
                (void)core_store_problem(core, error, "making the new group");
        }
        if (error != SOTTO_OK)
            room_abort_all(core);
        else
            memcpy(successor->bytes, to.bytes, ROOM_ID_SIZE);
    }
    arena_free(&arena);
    return error;
}

/* ---- Moving ---------------------------------------------------------------------------------- */

sotto_error successor_expected(struct sotto *core, const struct settings *settings,
                               const struct account_id *sender, bool *expected)
{
    struct arena arena;
    struct room *room = NULL;
    struct store_room row;
    struct store_settings stored;
    struct settings before;
    *expected = false;
    if (!settings->continues)
        return SOTTO_OK;
    arena_init(&arena, core->env);
    sotto_error error = enter_stopped(core, &settings->before, &arena, &room, &row, &stored);
    if (error == SOTTO_OK)
        error = rules_settings(room->group, &arena, &before, NULL);
    if (error == SOTTO_OK)
        *expected = row.kind == STORE_ROOM_GROUP && !stored.has_successor &&
                    (row.state == STORE_ROOM_ACTIVE || row.state == STORE_ROOM_FORKED) &&
                    !(stored.has_offender && account_id_equal(&stored.offender, sender)) &&
                    group_has(room->group, sender, NULL, NULL) &&
                    rules_role(room->group, &before, sender) == SOTTO_ROLE_OWNER;
    if (room != NULL)
        room_forget_group(room);
    arena_free(&arena);
    /* A room that is not known, or has no group here any more, goes on nowhere. */
    return error_is_local(error) ? error : SOTTO_OK;
}

sotto_error successor_joined(struct sotto *core, const struct room_id *room,
                             const struct settings *settings, const struct account_id *sender)
{
    struct arena arena;
    bool expected = false, own = core_is_own(core, sender);
    if (!settings->continues)
        return SOTTO_OK;
    TRY(successor_expected(core, settings, sender, &expected));
    if (!expected && !own)
        return SOTTO_OK;
    arena_init(&arena, core->env);
    sotto_error error = moved(core, &settings->before, room, &arena);
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

static sotto_error close_it(struct room *room, struct arena *arena)
{
    struct store_room row;
    TRY(room_enter(room, arena, &row));
    if (row.state != STORE_ROOM_ACTIVE)
        return SOTTO_OK;
    row.state = STORE_ROOM_FORKED;
    row.trouble = "This conversation was stopped. " TROUBLE_MOVED;
    TRY(room_fail_outbox(room->core, &room->id));
    return store_room_put(room->core->store, &row);
}

bool successor_close(struct room *room)
{
    struct sotto *core = room->core;
    struct arena arena;
    bool is_moved = false;
    sotto_error error = store_settings_moved(core->store, &room->id, &is_moved);
    if (error == SOTTO_OK && !is_moved)
        return false;
    arena_init(&arena, core->env);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = close_it(room, &arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "closing the conversation");
    }
    room->wake = true;
    arena_free(&arena);
    return true;
}

/* ---- A gate that nobody has the key of ------------------------------------------------------- */

sotto_error successor_shut_out(struct room *room, struct store_room *row, struct arena *arena)
{
    struct sotto *core = room->core;
    struct store_settings stored;
    TRY(store_settings_get(core->store, &room->id, arena, &stored));
    if (!stored.has_committer)
        return SOTTO_NOT_FOUND;
    if (core_is_own(core, &stored.committer))
        return room_stop(room, row, row->next_seq,
                         "The relay lets nobody write here who has read what it showed you: it "
                         "shows others another history. This conversation was stopped; begin a "
                         "new one.");
    char *trouble = arena_array(arena, 600, 1);
    if (trouble == NULL)
        return SOTTO_NO_MEMORY;
    const char *name = names_of(core, &stored.committer, arena);
    (void)snprintf(trouble, 600,
                   "The relay lets nobody write here any more: %s changed the keys in a way that "
                   "shuts all members out, or the relay did. If there is an owner besides, their "
                   "Sotto makes a new conversation.",
                   name[0] != '\0' ? name : "a member");
    TRY(room_stopped_by(room, arena, &stored.committer));
    TRY(room_stop(room, row, row->next_seq, trouble));
    return successor_after(room, row, arena, &stored.committer);
}
