#include "core/room_rules.h"

#include <string.h>

sotto_error rules_settings(const sotto_mls_group *group, struct arena *arena,
                           struct settings *settings, bool *found)
{
    sotto_bytes data;
    sotto_fault fault;
    sotto_error error = sotto_mls_context_extension(group, SETTINGS_EXTENSION, &data);
    if (error == SOTTO_OK)
        TRY(settings_read(data, arena, settings, &fault));
    else
        settings_legacy(settings);
    if (found != NULL)
        *found = error == SOTTO_OK;
    return SOTTO_OK;
}

/* ---- Roles ----------------------------------------------------------------------------------- */

static bool owner_present(const sotto_mls_group *group, const struct settings *settings)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) == SOTTO_OK &&
            settings_role(settings, &account) == SOTTO_ROLE_OWNER)
            return true;
    }
    return false;
}

static bool is_heir(const sotto_mls_group *group, const struct settings *settings,
                    const struct account_id *who)
{
    struct account_id heir;
    uint8_t best = 0;
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (best < SOTTO_ROLE_ADMIN && sotto_mls_next_member(group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK)
            continue;
        uint8_t role = settings_role(settings, &account);
        if (role > best) {
            best = role;
            heir = account;
        }
    }
    return best > 0 && account_id_equal(&heir, who);
}

uint8_t rules_role(const sotto_mls_group *group, const struct settings *settings,
                   const struct account_id *account)
{
    uint8_t role = settings_role(settings, account);
    if (role == SOTTO_ROLE_OWNER || owner_present(group, settings))
        return role;
    return is_heir(group, settings, account) ? SOTTO_ROLE_OWNER : role;
}

/* The scan of the group only where the list does not suffice. */
static bool has_role(const sotto_mls_group *group, const struct settings *settings,
                     const struct account_id *account, uint8_t least)
{
    return settings_role(settings, account) >= least ||
           rules_role(group, settings, account) >= least;
}

/* ---- Removing -------------------------------------------------------------------------------- */

bool rules_asked_to_leave(const sotto_mls_group *group, const struct account_id *subject)
{
    size_t count = sotto_mls_pending_count(group);
    for (size_t i = 0; i < count; i++) {
        sotto_mls_proposal proposal;
        sotto_mls_leaf leaf;
        struct account_id account;
        struct device_id device;
        uint32_t sender = SOTTO_MLS_NO_SENDER;
        if (sotto_mls_pending(group, i, &proposal, &sender) == SOTTO_OK &&
            proposal.type == SOTTO_MLS_REMOVE && proposal.u.remove.index == sender &&
            sotto_mls_member(group, sender, &leaf) == SOTTO_OK &&
            identity_leaf_ids(&leaf, &account, &device) == SOTTO_OK &&
            account_id_equal(&account, subject))
            return true;
    }
    return false;
}

bool rules_may_remove(const sotto_mls_group *group, const struct settings *settings,
                      const struct account_id *actor, const struct account_id *subject)
{
    if (!has_role(group, settings, actor, settings->policy[SOTTO_POLICY_REMOVE]))
        return false;
    if (has_role(group, settings, actor, SOTTO_ROLE_OWNER))
        return true;
    uint8_t own = rules_role(group, settings, actor), its = rules_role(group, settings, subject);
    /* Where members may remove at all, they may remove each other; admins do not. */
    return own > its || (own == SOTTO_ROLE_MEMBER && its == SOTTO_ROLE_MEMBER);
}

/* ---- Settings -------------------------------------------------------------------------------- */

static bool in_group(const sotto_mls_group *group, const struct account_id *who)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) == SOTTO_OK &&
            account_id_equal(&account, who))
            return true;
    }
    return false;
}

/* The first account, by order, whose role in the lists differs, from place *at on. */
static bool role_differs(const struct settings *a, const struct settings *b, size_t *at,
                         struct account_id *account)
{
    for (; *at < a->role_count; ++*at)
        if (settings_role(b, &a->roles[*at].account) != a->roles[*at].role) {
            *account = a->roles[(*at)++].account;
            return true;
        }
    return false;
}

/* Roles are an owner's to give and take. Of who is not in the group any more anybody may, and
 * clients do, forget what they were. */
static bool roles_fit(const sotto_mls_group *group, const struct settings *before,
                      const struct settings *after)
{
    struct account_id account;
    size_t at = 0;
    if (role_differs(after, before, &at, &account))
        return false; /* given */
    at = 0;
    while (role_differs(before, after, &at, &account))
        if (in_group(group, &account))
            return false; /* taken */
    return true;
}

/* Adds and removes of bans are a remover's: not of who has as high a role as oneself. */
static bool bans_fit(const sotto_mls_group *group, const struct settings *before,
                     const struct settings *after, const struct account_id *actor)
{
    for (size_t i = 0; i < after->banned_count; i++)
        if (!settings_banned(before, &after->banned[i]) &&
            !rules_may_remove(group, before, actor, &after->banned[i]))
            return false;
    return has_role(group, before, actor, before->policy[SOTTO_POLICY_REMOVE]);
}

static bool same_bans(const struct settings *a, const struct settings *b)
{
    return a->banned_count == b->banned_count &&
           (a->banned_count == 0 ||
            memcmp(a->banned, b->banned, a->banned_count * sizeof *a->banned) == 0);
}

static bool same_texts(const struct settings *a, const struct settings *b)
{
    return sotto_bytes_equal(a->title, b->title) &&
           sotto_bytes_equal(a->description, b->description) &&
           sotto_bytes_equal(a->picture, b->picture) && a->timer_s == b->timer_s &&
           sotto_bytes_equal(a->unknown, b->unknown);
}

bool rules_may_change(const sotto_mls_group *group, const struct settings *before,
                      const struct settings *after, const struct account_id *actor,
                      const char **why)
{
    if (after->continues != before->continues ||
        memcmp(&after->before, &before->before, sizeof after->before) != 0) {
        *why = "what a group goes on from never changes";
        return false;
    }
    if (has_role(group, before, actor, SOTTO_ROLE_OWNER))
        return true;
    *why = "only an owner may say who has which role, and who may do what";
    if (memcmp(after->policy, before->policy, sizeof after->policy) != 0 ||
        after->others != before->others || !roles_fit(group, before, after))
        return false;
    *why = "only an admin may say who can join by a link";
    if (after->join != before->join && !has_role(group, before, actor, SOTTO_ROLE_ADMIN))
        return false;
    *why = "banning takes the role that removing takes";
    if (!same_bans(after, before) && !bans_fit(group, before, after, actor))
        return false;
    *why = "title, picture, description and timer may not be changed by everybody here";
    return same_texts(after, before) ||
           has_role(group, before, actor, before->policy[SOTTO_POLICY_CHANGE]);
}

/* ---- Commits --------------------------------------------------------------------------------- */

struct judged {
    sotto_mls_group *group;
    const sotto_mls_staged *staged;
    enum identity_room_kind kind;
    struct settings before, after; /* after: as before, where the commit changes none */
    struct account_id committer;
    bool has_other; /* of a conversation between two: the other one */
    struct account_id other;
    struct arena *arena;
    const char *why;
};

static bool refuse(struct judged *j, const char *why)
{
    j->why = why;
    return false;
}

/* Whether the commit adds a device of the account. */
static bool comes_back(const struct judged *j, const struct account_id *who)
{
    size_t count = sotto_mls_staged_count(j->staged);
    for (size_t i = 0; i < count; i++) {
        sotto_mls_proposal proposal;
        struct account_id account;
        struct device_id device;
        uint32_t proposer;
        if (sotto_mls_staged_proposal(j->staged, i, &proposal, &proposer) == SOTTO_OK &&
            proposal.type == SOTTO_MLS_ADD &&
            identity_leaf_ids(&proposal.u.add.leaf, &account, &device) == SOTTO_OK &&
            account_id_equal(&account, who))
            return true;
    }
    return false;
}

/* Whether the commit leaves the account a device that was there before. */
static bool remains(const struct judged *j, const struct account_id *who)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf, later;
    while (sotto_mls_next_member(j->group, &at, &leaf)) {
        struct account_id account, same;
        struct device_id device, its;
        if (identity_leaf_ids(&leaf, &account, &device) == SOTTO_OK &&
            account_id_equal(&account, who) &&
            sotto_mls_staged_member(j->staged, leaf.index, &later) == SOTTO_OK &&
            identity_leaf_ids(&later, &same, &its) == SOTTO_OK && account_id_equal(&same, who) &&
            device_id_equal(&device, &its))
            return true;
    }
    return false;
}

static bool judge_add(struct judged *j, const sotto_mls_leaf *leaf)
{
    struct account_id account;
    struct device_id device;
    if (identity_leaf_ids(leaf, &account, &device) != SOTTO_OK)
        return refuse(j, "somebody was added who is nobody");
    if (account_id_equal(&account, &j->committer))
        return true; /* a device of one's own */
    if (j->kind == IDENTITY_ROOM_OWN)
        return refuse(j, "somebody else was added among the devices of one person");
    if (in_group(j->group, &account))
        return true; /* one more device of a member, or one that comes back */
    if (j->kind == IDENTITY_ROOM_DIRECT) {
        bool third = j->has_other && !account_id_equal(&account, &j->other);
        j->has_other = true;
        j->other = account;
        return !third || refuse(j, "somebody was added to a conversation between two people");
    }
    if (settings_banned(&j->after, &account))
        return refuse(j, "somebody was added who is banned");
    if (!has_role(j->group, &j->before, &j->committer, j->before.policy[SOTTO_POLICY_ADD]))
        return refuse(j, "only those who may add people can");
    /* A role from an earlier membership comes back by an owner alone. */
    if (settings_role(&j->after, &account) > j->after.others &&
        !has_role(j->group, &j->before, &j->committer, SOTTO_ROLE_OWNER))
        return refuse(j, "only an owner adds people with a role");
    return true;
}

static bool judge_remove(struct judged *j, uint32_t index, uint32_t proposer)
{
    sotto_mls_leaf leaf;
    struct account_id subject, asked;
    struct device_id device;
    if (sotto_mls_member(j->group, index, &leaf) != SOTTO_OK ||
        identity_leaf_ids(&leaf, &subject, &device) != SOTTO_OK)
        return refuse(j, "somebody was removed who is nobody");
    if (account_id_equal(&subject, &j->committer) || j->kind != IDENTITY_ROOM_GROUP ||
        rules_may_remove(j->group, &j->before, &j->committer, &subject) ||
        rules_asked_to_leave(j->group, &subject))
        return true;
    if (sotto_mls_member(j->group, proposer, &leaf) == SOTTO_OK &&
        identity_leaf_ids(&leaf, &asked, &device) == SOTTO_OK && account_id_equal(&asked, &subject))
        return true;
    /* One device of several, lost perhaps, or one that comes back: the person stays. */
    return remains(j, &subject) || comes_back(j, &subject) ||
           refuse(j, "only those who may remove people can");
}

/* Which kind of room it is, who the other one is. */
static bool judge_room(struct judged *j)
{
    sotto_bytes data;
    struct identity_room info;
    sotto_fault fault;
    if (sotto_mls_context_extension(j->group, IDENTITY_EXTENSION_ROOM, &data) != SOTTO_OK ||
        identity_room_read(data, &info, &fault) != SOTTO_OK)
        return refuse(j, "the group does not say what it is");
    j->kind = info.kind;
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (j->kind == IDENTITY_ROOM_DIRECT && !j->has_other &&
           sotto_mls_next_member(j->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) == SOTTO_OK &&
            !account_id_equal(&account, &j->committer)) {
            j->has_other = true;
            j->other = account;
        }
    }
    return true;
}

static bool only_timer_differs(const struct settings *before, struct settings after)
{
    after.timer_s = before->timer_s;
    return same_texts(before, &after) && same_bans(before, &after) &&
           before->others == after.others && before->join == after.join &&
           before->continues == after.continues && before->role_count == 0 &&
           after.role_count == 0 && memcmp(before->policy, after.policy, sizeof after.policy) == 0;
}

static sotto_error judge_context(struct judged *j, const sotto_mls_proposal *proposal,
                                 bool *allowed)
{
    sotto_bytes room = {NULL, 0}, settings = {NULL, 0}, old = {NULL, 0}, before;
    sotto_fault fault;
    bool had = sotto_mls_context_extension(j->group, SETTINGS_EXTENSION, &before) == SOTTO_OK;
    (void)sotto_mls_context_extension(j->group, IDENTITY_EXTENSION_ROOM, &old);
    *allowed = false;
    for (size_t i = 0; i < proposal->u.context.extension_count; i++) {
        const sotto_mls_extension *one = &proposal->u.context.extensions[i];
        if (one->type == IDENTITY_EXTENSION_ROOM)
            room = one->data;
        else if (one->type == SETTINGS_EXTENSION)
            settings = one->data;
        else {
            j->why = "the group was given something that Sotto does not know";
            return SOTTO_OK;
        }
    }
    j->why = "what kind of conversation it is never changes";
    if (!sotto_bytes_equal(room, old))
        return SOTTO_OK;
    j->why = "the settings were taken away";
    if (settings.data == NULL) {
        *allowed = !had;
        return SOTTO_OK;
    }
    j->why = "the new settings cannot be read";
    sotto_error error = settings_read(settings, j->arena, &j->after, &fault);
    if (error != SOTTO_OK) {
        settings_init(&j->after);
        return error == SOTTO_NO_MEMORY ? error : SOTTO_OK;
    }
    if (j->kind == IDENTITY_ROOM_GROUP)
        *allowed = rules_may_change(j->group, &j->before, &j->after, &j->committer, &j->why);
    else {
        struct settings none;
        settings_init(&none);
        *allowed = only_timer_differs(had ? &j->before : &none, j->after);
        j->why = "a conversation between two people has a timer and no other settings";
    }
    return SOTTO_OK;
}

static bool judge_proposal(struct judged *j, const sotto_mls_proposal *proposal, uint32_t proposer)
{
    switch (proposal->type) {
    case SOTTO_MLS_ADD:
        return judge_add(j, &proposal->u.add.leaf);
    case SOTTO_MLS_REMOVE:
        return judge_remove(j, proposal->u.remove.index, proposer);
    case SOTTO_MLS_UPDATE:
    case SOTTO_MLS_CONTEXT_EXTENSIONS: /* judged before */
        return true;
    case SOTTO_MLS_EXTERNAL_INIT:
        return refuse(j, "somebody let themselves in");
    default:
        return refuse(j, "it does what no version of Sotto known here does");
    }
}

static sotto_error judge(struct judged *j, bool *allowed)
{
    size_t count = sotto_mls_staged_count(j->staged);
    sotto_mls_proposal proposal;
    uint32_t proposer = SOTTO_MLS_NO_SENDER;
    *allowed = judge_room(j);
    sotto_error error = rules_settings(j->group, j->arena, &j->before, NULL);
    if (error == SOTTO_NO_MEMORY)
        return error;
    if (error != SOTTO_OK)
        *allowed = refuse(j, "the settings that are there cannot be read");
    j->after = j->before;
    /* What else the commit does is held against the settings that it leads to. */
    for (size_t i = 0; i < count && *allowed; i++) {
        TRY(sotto_mls_staged_proposal(j->staged, i, &proposal, &proposer));
        if (proposal.type == SOTTO_MLS_CONTEXT_EXTENSIONS)
            TRY(judge_context(j, &proposal, allowed));
    }
    for (size_t i = 0; i < count && *allowed; i++) {
        TRY(sotto_mls_staged_proposal(j->staged, i, &proposal, &proposer));
        *allowed = judge_proposal(j, &proposal, proposer);
    }
    return SOTTO_OK;
}

sotto_error rules_judge(sotto_mls_group *group, const sotto_mls_staged *staged,
                        const sotto_env *env, bool *allowed, const char **why,
                        struct account_id *committer)
{
    struct arena arena;
    struct judged j;
    sotto_mls_leaf leaf;
    struct device_id device;
    memset(&j, 0, sizeof j);
    arena_init(&arena, env);
    j.group = group;
    j.staged = staged;
    j.arena = &arena;
    /* Who comes by an external commit is in the staged tree alone. */
    bool known = sotto_mls_member(group, sotto_mls_staged_committer(staged), &leaf) == SOTTO_OK &&
                 identity_leaf_ids(&leaf, &j.committer, &device) == SOTTO_OK;
    sotto_error error = SOTTO_OK;
    *allowed = known;
    if (known)
        error = judge(&j, allowed);
    else
        j.why = "somebody let themselves in";
    *why = j.why;
    *committer = j.committer;
    arena_free(&arena);
    return error;
}
