/* Making conversations and changing who is in them: what a person asks for becomes intents. */
#include <string.h>

#include "core/groups.h"
#include "core/leaving.h"
#include "base/text.h"

/* ---- Making ---- */

static sotto_error room_make_group(struct room *room, const struct identity_room *info,
                                   const struct settings *settings)
{
    struct sotto *core = room->core;
    sotto_buf data, agreed;
    sotto_buf_init(&data, core->env);
    sotto_buf_init(&agreed, core->env);
    sotto_error error = identity_room_write(info, &data);
    if (error == SOTTO_OK)
        error = settings_write(settings, &agreed);
    if (error == SOTTO_OK) {
        const sotto_mls_extension extensions[2] = {{IDENTITY_EXTENSION_ROOM, sotto_buf_view(&data)},
                                                   {SETTINGS_EXTENSION, sotto_buf_view(&agreed)}};
        /* The room among one's own devices has no settings. */
        size_t count = info->kind == IDENTITY_ROOM_OWN ? 1 : 2;
        room_forget_group(room);
        error = sotto_mls_group_create(core->mls, &core->identity_mls.mls,
                                       sotto_bytes_of(room->id.bytes, ROOM_ID_SIZE), extensions,
                                       count, &room->group);
    }
    sotto_buf_free(&data);
    sotto_buf_free(&agreed);
    return error;
}

sotto_error room_make(struct sotto *core, enum store_room_kind kind, const char *title,
                      const struct account_id *peer, struct room_id *id)
{
    struct settings settings;
    struct settings_role owner = {core->identity.account, SOTTO_ROLE_OWNER};
    settings_init(&settings);
    if (kind == STORE_ROOM_GROUP) {
        settings.title = sotto_bytes_str(title);
        settings.roles = &owner;
        settings.role_count = 1;
    }
    return room_make_with(core, kind, title, peer, &settings, id);
}

sotto_error room_make_with(struct sotto *core, enum store_room_kind kind, const char *title,
                           const struct account_id *peer, const struct settings *settings,
                           struct room_id *id)
{
    struct store_room row;
    struct identity_room info = {(enum identity_room_kind)kind, sotto_bytes_str(title)};
    TRY(core->env->random(core->env->ctx, id->bytes, ROOM_ID_SIZE));
    struct room *room = room_of(core, id);
    if (room == NULL)
        return SOTTO_NO_MEMORY;
    TRY(room_make_group(room, &info, settings));
    memset(&row, 0, sizeof row);
    row.room = *id;
    row.kind = kind;
    row.state = STORE_ROOM_CREATING;
    row.title = title;
    row.relay = core->profile.relay;
    row.trouble = "";
    row.has_peer = peer != NULL;
    if (peer != NULL)
        row.peer = *peer;
    row.next_seq = 1;
    row.created_s = row.active_s = core_now_s(core);
    sotto_error error = room_read_token(room, &row);
    if (error == SOTTO_OK)
        error = store_room_add(core->store, &row);
    if (error == SOTTO_OK)
        error = room_save(room, &row);
    struct arena arena;
    arena_init(&arena, core->env);
    if (error == SOTTO_OK)
        error = room_settings_keep(room, &row, &arena);
    arena_free(&arena);
    return error;
}

/* ---- Whom ---- */

sotto_error groups_find_people(struct sotto *core, const char *const *members, size_t count,
                               struct arena *arena, struct store_contact **found)
{
    *found = count > 0 ? arena_array(arena, count, sizeof **found) : NULL;
    if (count > 0 && *found == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "looking for people");
    return names_people(core, members, count, arena, *found);
}

/* Inside a transaction. */
static sotto_error queue_adds(struct sotto *core, const struct room_id *room,
                              const struct store_contact *people, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct commit_intent intent;
        memset(&intent, 0, sizeof intent);
        intent.action = COMMIT_ADD;
        intent.account = people[i].account;
        /* Of people known from groups only, the relay is not known: most share one's own. */
        intent.relay =
            sotto_bytes_str(people[i].relay[0] != '\0' ? people[i].relay : core->profile.relay);
        TRY(commit_queue(core, room, &intent, "", 0));
    }
    return SOTTO_OK;
}

sotto_error groups_finish(struct sotto *core, sotto_error error, const char *doing)
{
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    room_abort_all(core);
    return core_store_problem(core, error, doing);
}

/* ---- Groups ---- */

sotto_error groups_title_check(struct sotto *core, const char *title)
{
    sotto_bytes text = sotto_bytes_str(title);
    if (text.size > 0 && text.size <= WIRE_TITLE_MAX && text_is_utf8(text) && text_is_line(text))
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_NAME, "Choose another title.",
                       "A title is one line of text of 1 to %d bytes.", WIRE_TITLE_MAX);
}

sotto_error sotto_group_create(struct sotto *core, const char *title, const char *const *members,
                               size_t count, struct sotto_id *conversation)
{
    TRY(core_need_account(core));
    TRY(groups_title_check(core, title));
    struct arena arena;
    struct store_contact *people = NULL;
    struct room_id id;
    arena_init(&arena, core->env);
    sotto_error error = groups_find_people(core, members, count, &arena, &people);
    if (error == SOTTO_OK) {
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = room_make(core, STORE_ROOM_GROUP, title, NULL, &id);
        if (error == SOTTO_OK)
            error = queue_adds(core, &id, people, count);
        error = groups_finish(core, error, "making the group");
        if (error == SOTTO_OK)
            memcpy(conversation->bytes, id.bytes, ROOM_ID_SIZE);
    }
    arena_free(&arena);
    return error;
}

sotto_error groups_begin(struct sotto *core, const struct sotto_id *conversation,
                         struct arena *arena, struct room **room, struct store_room *row)
{
    struct room_id id;
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    TRY(core_need_account(core));
    TRY(core_room_open(core, &id, arena, row));
    *room = room_of(core, &id);
    sotto_error error = *room != NULL ? store_begin(core->store) : SOTTO_NO_MEMORY;
    if (error == SOTTO_OK)
        error = room_enter(*room, arena, row);
    if (error == SOTTO_OK && !store_room_alive(row->state))
        error = SOTTO_STATE; /* ended between the two looks */
    if (error == SOTTO_OK && (*room)->group != NULL)
        return SOTTO_OK;
    room_abort_all(core);
    if (error == SOTTO_OK)
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_NOT_MEMBER,
                           "Try again when this device is back in the conversation.", "%s",
                           row->trouble);
    return core_store_problem(core, error, "reading the conversation");
}

sotto_error groups_only(struct sotto *core, const struct store_room *row)
{
    if (row->kind == STORE_ROOM_GROUP)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_USAGE,
                       "Make a group: sotto group create TITLE WHO...",
                       "A conversation between two people stays between two.");
}

static const char *shown(const struct store_contact *person, const char *word)
{
    return person->name[0] != '\0' ? person->name : word;
}

static sotto_error may_add(struct room *room, const struct store_contact *people, size_t count,
                           struct arena *arena)
{
    struct sotto *core = room->core;
    struct settings settings;
    sotto_error error = rules_settings(room->group, arena, &settings, NULL);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the group's settings");
    uint8_t role = rules_role(room->group, &settings, &core->identity.account);
    if (!rules_may(&settings, role, SOTTO_POLICY_ADD))
        return room_not_allowed(core, "adding people takes another role");
    for (size_t i = 0; i < count; i++)
        if (settings_banned(&settings, &people[i].account))
            return room_not_allowed(core, "somebody of these is banned");
    return SOTTO_OK;
}

static sotto_error may_remove(struct room *room, const struct store_contact *people, size_t count,
                              struct arena *arena)
{
    struct sotto *core = room->core;
    struct settings settings;
    sotto_error error = rules_settings(room->group, arena, &settings, NULL);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the group's settings");
    for (size_t i = 0; i < count; i++)
        if (!rules_may_remove(room->group, &settings, &core->identity.account, &people[i].account))
            return room_not_allowed(core, "removing takes a higher role");
    return SOTTO_OK;
}

sotto_error sotto_group_add(struct sotto *core, const struct sotto_id *conversation,
                            const char *const *members, size_t count)
{
    struct arena arena;
    struct room *room = NULL;
    struct store_room row;
    struct store_contact *people = NULL;
    arena_init(&arena, core->env);
    sotto_error error = groups_find_people(core, members, count, &arena, &people);
    if (error == SOTTO_OK)
        error = groups_begin(core, conversation, &arena, &room, &row);
    if (error != SOTTO_OK)
        goto out;
    error = groups_only(core, &row);
    if (error == SOTTO_OK)
        error = may_add(room, people, count, &arena);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        if (group_has(room->group, &people[i].account, NULL, NULL))
            error = problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_ALREADY_MEMBER,
                                "See `sotto group members`.", "%s is in the group already.",
                                shown(&people[i], members[i]));
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        goto out;
    }
    error = groups_finish(core, queue_adds(core, &room->id, people, count), "saving the change");
out:
    arena_free(&arena);
    return error;
}

sotto_error sotto_group_remove(struct sotto *core, const struct sotto_id *conversation,
                               const char *const *members, size_t count)
{
    struct arena arena;
    struct room *room = NULL;
    struct store_room row;
    struct store_contact *people = NULL;
    arena_init(&arena, core->env);
    sotto_error error = groups_find_people(core, members, count, &arena, &people);
    if (error == SOTTO_OK)
        error = groups_begin(core, conversation, &arena, &room, &row);
    if (error != SOTTO_OK)
        goto out;
    error = groups_only(core, &row);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        if (!group_has(room->group, &people[i].account, NULL, NULL))
            error = problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                                "See `sotto group members`.", "%s is not in the group.",
                                shown(&people[i], members[i]));
    if (error == SOTTO_OK)
        error = may_remove(room, people, count, &arena);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        goto out;
    }
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct commit_intent intent;
        memset(&intent, 0, sizeof intent);
        intent.action = COMMIT_REMOVE;
        intent.account = people[i].account;
        error = commit_queue(core, &room->id, &intent, "", 0);
    }
    error = groups_finish(core, error, "saving the change");
out:
    arena_free(&arena);
    return error;
}

sotto_error sotto_group_update(struct sotto *core, const struct sotto_id *conversation)
{
    struct arena arena;
    struct room *room = NULL;
    struct store_room row;
    arena_init(&arena, core->env);
    sotto_error error = groups_begin(core, conversation, &arena, &room, &row);
    if (error == SOTTO_OK) {
        struct commit_intent intent;
        memset(&intent, 0, sizeof intent);
        intent.action = COMMIT_UPDATE;
        error =
            groups_finish(core, commit_queue(core, &room->id, &intent, "", 0), "saving the change");
    }
    arena_free(&arena);
    return error;
}

/* Nobody else is there, or nobody knows of the room yet: leaving is a local matter. */
static sotto_error leave_alone(struct room *room, struct store_room *row)
{
    struct sotto *core = room->core;
    row->state = STORE_ROOM_LEFT;
    room_forget_group(room);
    TRY(store_records_clear(core->store, &room->id));
    TRY(room_fail_outbox(core, &room->id));
    return room_save(room, row);
}

static sotto_error leave_queue(struct room *room)
{
    struct sotto *core = room->core;
    struct store_outgoing outgoing;
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.room = room->id;
    outgoing.kind = STORE_OUT_LEAVE;
    outgoing.state = STORE_OUT_WANTED;
    outgoing.client_id = OUT_LEAVE;
    outgoing.relay = outgoing.error = "";
    outgoing.created_s = core_now_s(core);
    TRY(core->env->random(core->env->ctx, outgoing.request.bytes, REQUEST_ID_SIZE));
    sotto_error error = store_outgoing_add(core->store, &outgoing, &(int64_t){0});
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* What one only asked to join goes; the request may have been read. */
static sotto_error withdraw(struct sotto *core, const struct sotto_id *conversation, bool *asked)
{
    struct arena arena;
    struct store_room row;
    struct room_id id;
    TRY(core_need_account(core));
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &id, &arena, &row);
    *asked = error == SOTTO_OK && row.state == STORE_ROOM_ASKED;
    if (*asked)
        error = store_room_erase(core->store, &id);
    arena_free(&arena);
    return groups_finish(core, error == SOTTO_NOT_FOUND ? SOTTO_OK : error,
                         "leaving the conversation");
}

sotto_error sotto_group_leave(struct sotto *core, const struct sotto_id *conversation)
{
    struct arena arena;
    struct room *room = NULL;
    struct store_room row;
    bool asked = false;
    TRY(withdraw(core, conversation, &asked));
    if (asked)
        return SOTTO_OK;
    arena_init(&arena, core->env);
    sotto_error error = groups_begin(core, conversation, &arena, &room, &row);
    if (error == SOTTO_OK) {
        bool alone = row.state == STORE_ROOM_CREATING || sotto_mls_member_count(room->group) <= 1;
        error = groups_finish(core, alone ? leave_alone(room, &row) : leave_queue(room),
                              "leaving the conversation");
    }
    arena_free(&arena);
    return error;
}
