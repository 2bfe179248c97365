#include "core/room_settings.h"

#include <string.h>

#include "core/people.h"

/* ---- In the store ---------------------------------------------------------------------------- */

/* What the group says, with what the store knows besides. */
static sotto_error settings_of(struct room *room, struct arena *arena, struct settings *settings,
                               struct store_settings *stored)
{
    struct sotto *core = room->core;
    bool found = false;
    sotto_error error = store_settings_get(core->store, &room->id, arena, stored);
    if (error == SOTTO_NOT_FOUND)
        memset(stored, 0, sizeof *stored);
    else
        TRY(error);
    TRY(rules_settings(room->group, arena, settings, &found));
    stored->settings = sotto_bytes_of(NULL, 0);
    if (found)
        TRY(sotto_mls_context_extension(room->group, SETTINGS_EXTENSION, &stored->settings));
    stored->role = rules_role(room->group, settings, &core->identity.account);
    return SOTTO_OK;
}

/* Whether this device asked for another timer that the log has not shown yet. */
static bool timer_waits(struct room *room)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    struct commit_intent intent;
    struct settings_change change;
    int64_t after = 0;
    bool waits = false;
    arena_init(&arena, core->env);
    while (!waits && store_outgoing_next(core->store, &room->id, STORE_OUT_COMMITS, after, &arena,
                                         &outgoing) == SOTTO_OK) {
        after = outgoing.id;
        waits = commit_intent_read(outgoing.intent, &intent) == SOTTO_OK &&
                intent.action == COMMIT_SETTINGS &&
                settings_change_read(intent.change, &change) == SOTTO_OK &&
                change.what == SETTINGS_TIMER;
    }
    arena_free(&arena);
    return waits;
}

static sotto_error keep(struct room *room, struct store_room *row, struct arena *arena,
                        const struct settings *settings, const struct store_settings *stored)
{
    struct store *store = room->core->store;
    if (row->kind == STORE_ROOM_OWN)
        return SOTTO_OK;
    TRY(store_settings_put(store, &room->id, stored));
    if (stored->settings.size == 0)
        return SOTTO_OK; /* of an earlier version: title and timer are as they were */
    if (row->kind == STORE_ROOM_GROUP) {
        char *title = arena_array(arena, settings->title.size + 1, 1);
        if (title == NULL)
            return SOTTO_NO_MEMORY;
        if (settings->title.size > 0)
            memcpy(title, settings->title.data, settings->title.size);
        row->title = title;
    }
    uint32_t timer_s = 0;
    TRY(store_room_timer(store, &room->id, &timer_s));
    if (timer_s == settings->timer_s || timer_waits(room))
        return SOTTO_OK;
    return store_room_timer_put(store, &room->id, settings->timer_s);
}

sotto_error room_settings_keep(struct room *room, struct store_room *row, struct arena *arena)
{
    struct settings settings;
    struct store_settings stored;
    TRY(settings_of(room, arena, &settings, &stored));
    return keep(room, row, arena, &settings, &stored);
}

/* The row, zeros if there is none, and what it says. */
static sotto_error known(struct sotto *core, const struct room_id *room, struct arena *arena,
                         struct store_settings *stored, struct settings *settings, bool *found)
{
    sotto_fault fault;
    sotto_error error = store_settings_get(core->store, room, arena, stored);
    if (error == SOTTO_NOT_FOUND)
        memset(stored, 0, sizeof *stored);
    else
        TRY(error);
    *found = stored->settings.size > 0;
    if (*found)
        return settings_read(stored->settings, arena, settings, &fault);
    settings_legacy(settings);
    stored->role = SOTTO_ROLE_OWNER;
    return SOTTO_OK;
}

sotto_error room_settings_known(struct sotto *core, const struct room_id *room, struct arena *arena,
                                struct settings *settings, uint8_t *role, bool *found)
{
    struct store_settings stored;
    bool there = false;
    TRY(known(core, room, arena, &stored, settings, &there));
    if (role != NULL)
        *role = stored.role;
    if (found != NULL)
        *found = there;
    return SOTTO_OK;
}

sotto_error room_settings_show(struct sotto *core, const struct room_id *room, struct arena *arena,
                               struct sotto_settings *shown)
{
    struct settings settings;
    struct store_settings stored;
    bool found = false;
    memset(shown, 0, sizeof *shown);
    TRY(known(core, room, arena, &stored, &settings, &found));
    const uint8_t role = stored.role;
    char *description = arena_array(arena, settings.description.size + 1, 1);
    if (description == NULL)
        return SOTTO_NO_MEMORY;
    if (settings.description.size > 0)
        memcpy(description, settings.description.data, settings.description.size);
    shown->agreed = found;
    shown->description = description;
    shown->picture = settings.picture.size;
    shown->role = (enum sotto_role)role;
    shown->others = (enum sotto_role)settings.others;
    for (size_t i = 0; i < SOTTO_POLICY_COUNT; i++) {
        shown->policy[i] = (enum sotto_role)settings.policy[i];
        shown->may[i] = rules_may(&settings, role, (enum sotto_policy)i);
    }
    shown->may_govern = role == SOTTO_ROLE_OWNER;
    shown->join = (enum sotto_join_rule)settings.join;
    if (stored.has_successor)
        memcpy(shown->successor.bytes, stored.successor.bytes, ROOM_ID_SIZE);
    return SOTTO_OK;
}

sotto_error room_stopped_by(struct room *room, struct arena *arena,
                            const struct account_id *offender)
{
    struct store_settings stored;
    sotto_error error = store_settings_get(room->core->store, &room->id, arena, &stored);
    if (error == SOTTO_NOT_FOUND)
        memset(&stored, 0, sizeof stored);
    else
        TRY(error);
    stored.has_offender = true;
    stored.offender = *offender;
    return store_settings_put(room->core->store, &room->id, &stored);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

struct telling {
    struct room *room;
    uint64_t seq;
    uint32_t *part;
    const struct account_id *actor;
};

static sotto_error line(struct telling *t, enum sotto_message_kind kind,
                        const struct account_id *subject, sotto_bytes text)
{
    sotto_error error = event_add_text(t->room->core, &t->room->id, t->seq, (*t->part)++, kind,
                                       t->actor, subject, text);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

static sotto_error line_of(struct telling *t, const char *name, const char *value)
{
    char text[80];
    (void)snprintf(text, sizeof text, "%s%s%s", name, value[0] != '\0' ? " " : "", value);
    return line(t, SOTTO_KIND_SETTING, NULL, sotto_bytes_str(text));
}

static sotto_error tell_texts(struct telling *t, const struct settings *before,
                              const struct settings *after)
{
    char seconds[16];
    if (!sotto_bytes_equal(before->title, after->title))
        TRY(line(t, SOTTO_KIND_TITLE, NULL, after->title));
    if (!sotto_bytes_equal(before->description, after->description))
        TRY(line_of(t, "description", ""));
    if (!sotto_bytes_equal(before->picture, after->picture))
        TRY(line_of(t, "picture", ""));
    (void)snprintf(seconds, sizeof seconds, "%u", (unsigned)after->timer_s);
    if (before->timer_s != after->timer_s)
        TRY(line_of(t, "timer", seconds));
    if (before->join != after->join)
        TRY(line_of(t, "join", sotto_join_rule_name(after->join)));
    if (before->others != after->others)
        TRY(line_of(t, "others", sotto_role_name(after->others)));
    for (size_t i = 0; i < SOTTO_POLICY_COUNT; i++)
        if (before->policy[i] != after->policy[i])
            TRY(line_of(t, sotto_policy_name((enum sotto_policy)i),
                        sotto_role_name(after->policy[i])));
    return SOTTO_OK;
}

static sotto_error tell_role(struct telling *t, const struct account_id *who, uint8_t role)
{
    if (!group_has(t->room->group, who, NULL, NULL))
        return SOTTO_OK; /* forgotten of somebody who has gone */
    return line(t, SOTTO_KIND_ROLE, who, sotto_bytes_str(sotto_role_name(role)));
}

static bool listed(const struct settings *settings, const struct account_id *who)
{
    for (size_t i = 0; i < settings->role_count; i++)
        if (account_id_equal(&settings->roles[i].account, who))
            return true;
    return false;
}

static sotto_error tell_people(struct telling *t, const struct settings *before,
                               const struct settings *after)
{
    for (size_t i = 0; i < after->role_count; i++)
        if (settings_role(before, &after->roles[i].account) != after->roles[i].role)
            TRY(tell_role(t, &after->roles[i].account, after->roles[i].role));
    for (size_t i = 0; i < before->role_count && before->others == after->others; i++)
        if (!listed(after, &before->roles[i].account))
            TRY(tell_role(t, &before->roles[i].account, after->others));
    for (size_t i = 0; i < after->banned_count; i++)
        if (!settings_banned(before, &after->banned[i]))
            TRY(line(t, SOTTO_KIND_BAN, &after->banned[i], sotto_bytes_str("banned")));
    for (size_t i = 0; i < before->banned_count; i++)
        if (!settings_banned(after, &before->banned[i]))
            TRY(line(t, SOTTO_KIND_BAN, &before->banned[i], sotto_bytes_str("allowed")));
    return SOTTO_OK;
}

sotto_error room_settings_entered(struct room *room, struct store_room *row, struct arena *arena,
                                  uint64_t seq, uint32_t *part, const struct account_id *actor)
{
    struct settings before, after;
    struct store_settings stored;
    bool found = false;
    TRY(room_settings_known(room->core, &room->id, arena, &before, NULL, &found));
    if (!found)
        before.title = sotto_bytes_str(row->title);
    TRY(settings_of(room, arena, &after, &stored));
    stored.has_committer = true;
    stored.committer = *actor;
    if (stored.settings.size > 0 && row->kind != STORE_ROOM_OWN) {
        struct telling t = {room, seq, part, actor};
        TRY(tell_texts(&t, &before, &after));
        TRY(tell_people(&t, &before, &after));
    }
    return keep(room, row, arena, &after, &stored);
}

/* ---- Whether one may ------------------------------------------------------------------------- */

sotto_error room_not_allowed(struct sotto *core, const char *why)
{
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_NOT_ALLOWED,
                       "Ask an admin or an owner of the group: `sotto group settings`.",
                       "Your role in this group does not allow that: %s.", why);
}

sotto_error room_write_check(struct sotto *core, const struct store_room *row)
{
    struct arena arena;
    struct settings settings;
    uint8_t role = 0;
    if (row->kind != STORE_ROOM_GROUP)
        return SOTTO_OK;
    arena_init(&arena, core->env);
    sotto_error error = room_settings_known(core, &row->room, &arena, &settings, &role, NULL);
    bool may = error == SOTTO_OK && rules_may(&settings, role, SOTTO_POLICY_WRITE);
    arena_free(&arena);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the group's settings");
    return may ? SOTTO_OK : room_not_allowed(core, "not everybody may write here");
}

sotto_error core_room_open_to_write(struct sotto *core, const struct room_id *id,
                                    struct arena *arena, struct store_room *row)
{
    TRY(people_room_open(core, id, arena, row));
    return room_write_check(core, row);
}

/* ---- Changing -------------------------------------------------------------------------------- */

static sotto_error change_check(struct room *room, const struct settings_change *change,
                                struct arena *arena)
{
    struct sotto *core = room->core;
    struct settings before, after;
    bool changed = false;
    const char *why = "";
    sotto_error error = rules_settings(room->group, arena, &before, NULL);
    after = before;
    if (error == SOTTO_OK)
        error = settings_apply(&after, change, arena, &changed);
    if (error == SOTTO_LIMIT)
        return problem_set(&core->problem, error, SOTTO_CODE_USAGE, "Take somebody off it first.",
                           "That list of the group is full.");
    if (error == SOTTO_VALUE)
        return problem_set(&core->problem, error, SOTTO_CODE_USAGE,
                           "See `sotto group set --help` for what is.",
                           "This is not a value of that setting.");
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the group's settings");
    if (!rules_may_change(room->group, &before, &after, &core->identity.account, &why))
        return room_not_allowed(core, why);
    if (change->what == SETTINGS_ROLE && core_is_own(core, &change->account) &&
        change->value < SOTTO_ROLE_OWNER &&
        rules_role(room->group, &after, &core->identity.account) == SOTTO_ROLE_OWNER)
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANNOT_CHANGE,
                           "Make somebody else an owner first.",
                           "A group always has an owner, and you are the only one.");
    return SOTTO_OK;
}

sotto_error room_settings_queue(struct room *room, const struct settings_change *change)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct commit_intent intent;
    sotto_buf bytes;
    arena_init(&arena, core->env);
    sotto_error error = change_check(room, change, &arena);
    arena_free(&arena);
    TRY(error);
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_SETTINGS;
    sotto_buf_init(&bytes, core->env);
    error = settings_change_write(change, &bytes);
    intent.change = sotto_buf_view(&bytes);
    if (error == SOTTO_OK)
        error = commit_queue(core, &room->id, &intent, "", 0);
    sotto_buf_free(&bytes);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "saving the change");
}
