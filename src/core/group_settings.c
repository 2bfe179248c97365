/* Titles, pictures, roles and the like: what people ask for becomes intents (sotto/group.h). */
#include <string.h>

#include "core/groups.h"
#include "core/picture.h"
#include "core/whole_file.h"

/* ---- Names ----------------------------------------------------------------------------------- */

static const char *const roles[] = {
    [SOTTO_ROLE_MEMBER] = "member", [SOTTO_ROLE_ADMIN] = "admin", [SOTTO_ROLE_OWNER] = "owner"};
static const char *const policies[] = {[SOTTO_POLICY_ADD] = "add",
                                       [SOTTO_POLICY_REMOVE] = "remove",
                                       [SOTTO_POLICY_WRITE] = "write",
                                       [SOTTO_POLICY_CHANGE] = "change"};
static const char *const joins[] = {
    [SOTTO_JOIN_CLOSED] = "closed", [SOTTO_JOIN_ASK] = "ask", [SOTTO_JOIN_OPEN] = "open"};

const char *sotto_role_name(enum sotto_role role)
{
    return role >= SOTTO_ROLE_MEMBER && role <= SOTTO_ROLE_OWNER ? roles[role] : "unknown";
}

bool sotto_role_named(const char *name, enum sotto_role *role)
{
    for (int i = SOTTO_ROLE_MEMBER; i <= SOTTO_ROLE_OWNER; i++)
        if (strcmp(roles[i], name) == 0) {
            *role = (enum sotto_role)i;
            return true;
        }
    return false;
}

const char *sotto_policy_name(enum sotto_policy policy)
{
    return policy < SOTTO_POLICY_COUNT ? policies[policy] : "unknown";
}

bool sotto_policy_named(const char *name, enum sotto_policy *policy)
{
    for (int i = 0; i < SOTTO_POLICY_COUNT; i++)
        if (strcmp(policies[i], name) == 0) {
            *policy = (enum sotto_policy)i;
            return true;
        }
    return false;
}

const char *sotto_join_rule_name(enum sotto_join_rule rule)
{
    return rule <= SOTTO_JOIN_OPEN ? joins[rule] : "unknown";
}

bool sotto_join_rule_named(const char *name, enum sotto_join_rule *rule)
{
    for (int i = SOTTO_JOIN_CLOSED; i <= SOTTO_JOIN_OPEN; i++)
        if (strcmp(joins[i], name) == 0) {
            *rule = (enum sotto_join_rule)i;
            return true;
        }
    return false;
}

/* ---- Looking --------------------------------------------------------------------------------- */

sotto_error sotto_group_standings(struct sotto *core, const struct sotto_id *conversation,
                                  void (*each)(void *ctx, const struct sotto_standing *standing),
                                  void *ctx)
{
    TRY(core_need_account(core));
    struct arena arena;
    struct settings settings;
    struct room_id id;
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = room_settings_known(core, &id, &arena, &settings, NULL, NULL);
    for (size_t i = 0; error == SOTTO_OK && i < settings.role_count; i++) {
        struct sotto_standing one = {.role = (enum sotto_role)settings.roles[i].role};
        memcpy(one.account.bytes, settings.roles[i].account.bytes, ACCOUNT_ID_SIZE);
        one.name = names_of(core, &settings.roles[i].account, &arena);
        one.own = core_is_own(core, &settings.roles[i].account);
        each(ctx, &one);
    }
    for (size_t i = 0; error == SOTTO_OK && i < settings.banned_count; i++) {
        struct sotto_standing one = {.role = (enum sotto_role)settings.others, .banned = true};
        memcpy(one.account.bytes, settings.banned[i].bytes, ACCOUNT_ID_SIZE);
        one.name = names_of(core, &settings.banned[i], &arena);
        one.own = core_is_own(core, &settings.banned[i]);
        each(ctx, &one);
    }
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the group's settings");
    arena_free(&arena);
    return error;
}

sotto_error sotto_group_picture(struct sotto *core, const struct sotto_id *conversation,
                                sotto_buf *picture)
{
    TRY(core_need_account(core));
    struct arena arena;
    struct settings settings;
    struct room_id id;
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = room_settings_known(core, &id, &arena, &settings, NULL, NULL);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the group's settings");
    else if (settings.picture.size == 0)
        error = problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND, NULL,
                            "This group has no picture.");
    else
        error = sotto_buf_append(picture, settings.picture.data, settings.picture.size);
    arena_free(&arena);
    return error;
}

sotto_error sotto_group_save_picture(struct sotto *core, const struct sotto_id *conversation,
                                     const char *path)
{
    sotto_buf picture;
    sotto_buf_init(&picture, core->env);
    sotto_error error = sotto_group_picture(core, conversation, &picture);
    if (error == SOTTO_OK)
        error = whole_file_write(core, path, sotto_buf_view(&picture));
    sotto_buf_free(&picture);
    return error;
}

/* ---- Changing -------------------------------------------------------------------------------- */

/* In a transaction of its own. banned: who is removed as well. */
static sotto_error change(struct sotto *core, const struct sotto_id *conversation,
                          const struct settings_change *what, bool remove)
{
    struct arena arena;
    struct room *room = NULL;
    struct store_room row;
    arena_init(&arena, core->env);
    sotto_error error = groups_begin(core, conversation, &arena, &room, &row);
    if (error != SOTTO_OK)
        goto out;
    error = groups_only(core, &row);
    if (error == SOTTO_OK && remove) { /* also who is only about to be added */
        struct commit_intent intent;
        memset(&intent, 0, sizeof intent);
        intent.action = COMMIT_REMOVE;
        intent.account = what->account;
        error = commit_queue(core, &room->id, &intent, "", 0);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "saving the change");
    }
    if (error == SOTTO_OK)
        error = room_settings_queue(room, what);
    if (error != SOTTO_OK)
        room_abort_all(core);
    else
        error = groups_finish(core, error, "saving the change");
out:
    arena_free(&arena);
    return error;
}

static sotto_error change_person(struct sotto *core, const struct sotto_id *conversation,
                                 const char *who, struct settings_change *what, bool remove)
{
    struct arena arena;
    struct store_contact *person = NULL;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = SOTTO_OK;
    char own[65];
    core_id_hex(core->identity.account.bytes, ACCOUNT_ID_SIZE, own);
    if (strlen(who) >= 8 && strncmp(own, who, strlen(who)) == 0)
        what->account = core->identity.account;
    else {
        error = groups_find_people(core, &who, 1, &arena, &person);
        if (error == SOTTO_OK)
            what->account = person->account;
    }
    arena_free(&arena);
    return error == SOTTO_OK ? change(core, conversation, what, remove) : error;
}

sotto_error sotto_group_set_title(struct sotto *core, const struct sotto_id *conversation,
                                  const char *title)
{
    struct settings_change what = {.what = SETTINGS_TITLE, .text = sotto_bytes_str(title)};
    TRY(core_need_account(core));
    TRY(groups_title_check(core, title));
    return change(core, conversation, &what, false);
}

sotto_error sotto_group_set_description(struct sotto *core, const struct sotto_id *conversation,
                                        const char *description)
{
    struct settings_change what = {.what = SETTINGS_DESCRIPTION,
                                   .text = sotto_bytes_str(description)};
    TRY(core_need_account(core));
    if (what.text.size > SOTTO_DESCRIPTION_MAX)
        return problem_set(&core->problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG, "Shorten it.",
                           "A description has at most %d bytes.", SOTTO_DESCRIPTION_MAX);
    return change(core, conversation, &what, false);
}

/* The file's picture without what it tells beside. */
static sotto_error picture_read(struct sotto *core, const char *path, sotto_buf *out)
{
    struct picture look;
    sotto_fault fault;
    sotto_buf file;
    sotto_buf_init(&file, core->env);
    sotto_error error = whole_file_read(core, path, PICTURE_MAX, &file);
    if (error == SOTTO_OK) {
        error = picture_strip(sotto_buf_view(&file), &look, out, &fault);
        if (error == SOTTO_NO_MEMORY)
            (void)core_store_problem(core, error, "reading the picture");
        else if (error != SOTTO_OK || !settings_picture_fits(sotto_buf_view(out)))
            error =
                problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_PICTURE,
                            "Make it smaller: 96 by 96 is enough.",
                            "A group's picture is a PNG, JPEG, WebP or GIF of at most %d bytes.",
                            SOTTO_PICTURE_MAX);
    }
    sotto_buf_free(&file);
    return error;
}

sotto_error sotto_group_set_picture(struct sotto *core, const struct sotto_id *conversation,
                                    const char *path)
{
    struct settings_change what = {.what = SETTINGS_PICTURE};
    sotto_buf picture;
    TRY(core_need_account(core));
    sotto_buf_init(&picture, core->env);
    sotto_error error = path != NULL ? picture_read(core, path, &picture) : SOTTO_OK;
    what.text = sotto_buf_view(&picture);
    if (error == SOTTO_OK)
        error = change(core, conversation, &what, false);
    sotto_buf_free(&picture);
    return error;
}

sotto_error sotto_group_set_role(struct sotto *core, const struct sotto_id *conversation,
                                 const char *who, enum sotto_role role)
{
    struct settings_change what = {.what = SETTINGS_ROLE, .value = (uint32_t)role};
    return change_person(core, conversation, who, &what, false);
}

sotto_error sotto_group_set_policy(struct sotto *core, const struct sotto_id *conversation,
                                   enum sotto_policy policy, enum sotto_role least)
{
    struct settings_change what = {
        .what = SETTINGS_POLICY, .which = (uint8_t)policy, .value = (uint32_t)least};
    TRY(core_need_account(core));
    return change(core, conversation, &what, false);
}

sotto_error sotto_group_set_join(struct sotto *core, const struct sotto_id *conversation,
                                 enum sotto_join_rule rule)
{
    struct settings_change what = {.what = SETTINGS_JOIN, .value = (uint32_t)rule};
    TRY(core_need_account(core));
    return change(core, conversation, &what, false);
}

sotto_error sotto_group_ban(struct sotto *core, const struct sotto_id *conversation,
                            const char *who)
{
    struct settings_change what = {.what = SETTINGS_BAN, .value = 1};
    return change_person(core, conversation, who, &what, true);
}

sotto_error sotto_group_unban(struct sotto *core, const struct sotto_id *conversation,
                              const char *who)
{
    struct settings_change what = {.what = SETTINGS_BAN, .value = 0};
    return change_person(core, conversation, who, &what, false);
}
