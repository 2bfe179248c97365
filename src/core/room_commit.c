/* Changing who is in a room: intents in the outbox, gathered into one commit at a time.
 *
 * An intent says what a person wants ("Carol is in"), not how: when a commit loses its race it is
 * made anew from the intents that the winner has not fulfilled. The commit made is kept in the row
 * of its first intent, the carrier, with its staged epoch, until the log shows whether it won. */
#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"
#include "core/own_absent.h"
#include "core/people.h"
#include "core/rejoin.h"
#include "core/renew.h"
#include "core/room_settings.h"
#include "core/store_arriving.h"

/* ---- Gathering ---- */

enum { PROPOSALS_MOST = COMMIT_PROPOSALS_MAX + WIRE_DEVICES_MAX };

struct gathered {
    struct room *room;
    struct arena *arena;
    sotto_mls_proposal *proposals; /* PROPOSALS_MOST of them, and one for the context */
    size_t count;
    bool removes;
    int64_t carrier; /* 0: none yet */
    int64_t looked;  /* the intent that was looked at last */
    struct commit_intent carrier_intent;
    sotto_buf made;
    struct account_id *touched; /* accounts that an intent of this commit is about */
    size_t touched_count, touched_most;
    bool group;                       /* a group, with roles */
    uint8_t role;                     /* one's own */
    struct settings before, settings; /* as they are, and with what this commit changes */
    bool changes;                     /* whether it does */
    sotto_buf extension;              /* settings, encoded */
    sotto_mls_extension context[2];   /* what the commit puts into the GroupContext */
    const char *why;                  /* others would not follow the commit; NULL: they do */
};

static bool touches(struct gathered *g, const struct account_id *account)
{
    for (size_t i = 0; i < g->touched_count; i++)
        if (account_id_equal(&g->touched[i], account))
            return true;
    return false;
}

static sotto_error gather_proposal(struct gathered *g, const sotto_mls_proposal *proposal,
                                   const struct commit_made *made)
{
    if (g->count == PROPOSALS_MOST)
        return SOTTO_LIMIT;
    g->proposals[g->count++] = *proposal;
    return commit_made_write(made, &g->made);
}

bool commit_add_done(struct sotto *core, const sotto_mls_group *group,
                     const struct commit_intent *intent)
{
    struct arena arena;
    struct manifest manifest;
    bool known = false, done = false;
    /* Of other people all devices come at once; one's own follow one by one. */
    if (core_is_own(core, &intent->account))
        return group_has(group, &intent->account, &intent->device, NULL);
    if (!group_has(group, &intent->account, NULL, NULL))
        return false;
    /* Who comes back with other devices than those in there is not in yet (account_return). */
    arena_init(&arena, core->env);
    if (manifest_newest(core, &intent->account, &arena, &manifest, &known) != SOTTO_OK)
        known = false;
    for (size_t i = 0; known && !done && i < manifest.device_count; i++)
        done = group_has(group, &intent->account, &manifest.devices[i].id, NULL);
    arena_free(&arena);
    return done || !known;
}

/* One's role does not allow it any more: the intent goes, and the person is told. */
static void gather_refuse(struct gathered *g, const char *why, bool *wanted)
{
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_set(&problem, SOTTO_STATE, SOTTO_CODE_NOT_ALLOWED,
                      "Ask an admin or an owner of the group: `sotto group settings`.",
                      "Your role in this group does not allow that any more: %s.", why);
    room_note(g->room, &problem);
    *wanted = false;
}

/* A role that somebody had who is not in the group is forgotten when they come again. */
static sotto_error gather_forget_role(struct gathered *g, const struct account_id *account)
{
    struct settings_change change = {
        .what = SETTINGS_ROLE, .value = g->settings.others, .account = *account};
    bool changed = false;
    if (settings_role(&g->settings, account) <= g->settings.others ||
        group_has(g->room->group, account, NULL, NULL))
        return SOTTO_OK;
    TRY(settings_apply(&g->settings, &change, g->arena, &changed));
    g->changes |= changed;
    return SOTTO_OK;
}

/* *wanted: whether anything of it is still to be done. */
static sotto_error gather_add(struct gathered *g, const struct commit_intent *intent, bool *wanted,
                              bool *ready)
{
    struct sotto *core = g->room->core;
    struct store_take *takes = NULL;
    size_t count = 0;
    if (commit_add_done(core, g->room->group, intent)) {
        *wanted = false;
        return SOTTO_OK;
    }
    /* A device of who is in already is anybody's to add (room_rules.c, judge_add). */
    if (g->group && !core_is_own(core, &intent->account) &&
        !group_has(g->room->group, &intent->account, NULL, NULL)) {
        if (settings_banned(&g->settings, &intent->account))
            gather_refuse(g, "that person is banned", wanted);
        else if (!rules_may(&g->before, g->role, SOTTO_POLICY_ADD))
            gather_refuse(g, "adding people takes another role", wanted);
        if (!*wanted)
            return SOTTO_OK;
    }
    TRY(take_ready(g->room, intent, ready));
    if (!*ready)
        return SOTTO_OK;
    TRY(store_takes_of(core->store, &g->room->id, &intent->account, g->arena, &takes, &count));
    for (size_t i = 0; i < count; i++) {
        if (!take_is_of(&takes[i], intent))
            continue;
        sotto_mls_proposal proposal;
        memset(&proposal, 0, sizeof proposal);
        proposal.type = SOTTO_MLS_ADD;
        proposal.u.add.key_package = takes[i].key_package;
        struct commit_made made = {COMMIT_ADD, takes[i].account, takes[i].device};
        TRY(gather_proposal(g, &proposal, &made));
    }
    return g->group ? gather_forget_role(g, &intent->account) : SOTTO_OK;
}

/* Whether another device of the account stays, as far as this commit goes. */
static bool stays(const struct gathered *g, const struct account_id *who, uint32_t without)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(g->room->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        bool out = leaf.index == without;
        for (size_t i = 0; i < g->count && !out; i++)
            out = g->proposals[i].type == SOTTO_MLS_REMOVE &&
                  g->proposals[i].u.remove.index == leaf.index;
        if (!out && identity_leaf_ids(&leaf, &account, &device) == SOTTO_OK &&
            account_id_equal(&account, who))
            return true;
    }
    return false;
}

/* Whether it is one's own to remove that leaf (room_rules.c, judge_remove). */
static bool removable(const struct gathered *g, const struct commit_intent *intent, uint32_t index)
{
    struct sotto *core = g->room->core;
    return !g->group || core_is_own(core, &intent->account) ||
           rules_may_remove(g->room->group, &g->before, &core->identity.account,
                            &intent->account) ||
           rules_asked_to_leave(g->room->group, &intent->account) ||
           (intent->action == COMMIT_REMOVE_DEVICE && stays(g, &intent->account, index));
}

/* What a person asked for and may not is refused; what has to be is left to who may (*ready
 * false). */
static sotto_error gather_remove(struct gathered *g, const struct commit_intent *intent,
                                 bool *wanted, bool *ready)
{
    uint32_t at = 0;
    size_t from = g->count;
    sotto_mls_leaf leaf;
    *wanted = false;
    while (sotto_mls_next_member(g->room->group, &at, &leaf)) {
        struct commit_made made = {intent->action, {{0}}, {{0}}};
        if (identity_leaf_ids(&leaf, &made.account, &made.device) != SOTTO_OK ||
            !account_id_equal(&made.account, &intent->account) ||
            leaf.index == sotto_mls_own_index(g->room->group))
            continue;
        if (intent->action == COMMIT_REMOVE_DEVICE &&
            !device_id_equal(&made.device, &intent->device))
            continue;
        if (g->count == COMMIT_PROPOSALS_MAX)
            break;
        if (!removable(g, intent, leaf.index)) {
            if (intent->action == COMMIT_REMOVE)
                gather_refuse(g, "removing that person takes a higher role", wanted);
            else
                *wanted = true;
            *ready = g->count > from;
            return SOTTO_OK;
        }
        sotto_mls_proposal proposal;
        memset(&proposal, 0, sizeof proposal);
        proposal.type = SOTTO_MLS_REMOVE;
        proposal.u.remove.index = leaf.index;
        TRY(gather_proposal(g, &proposal, &made));
        *wanted = g->removes = true;
    }
    return SOTTO_OK;
}

/* Out with the device's leaf that nobody has the keys of any more, and in with its new one. */
static sotto_error gather_rejoin(struct gathered *g, const struct commit_intent *intent,
                                 bool *wanted)
{
    struct store_take take;
    const struct commit_made made = {COMMIT_REJOIN, intent->account, intent->device};
    sotto_mls_proposal proposal;
    uint32_t leaf;
    TRY(rejoin_wanted(g->room, intent, g->arena, &take, &leaf, wanted));
    if (!*wanted)
        return store_take_erase(g->room->core->store, &g->room->id, &intent->account,
                                &intent->device);
    memset(&proposal, 0, sizeof proposal);
    if (leaf != UINT32_MAX) {
        proposal.type = SOTTO_MLS_REMOVE;
        proposal.u.remove.index = leaf;
        g->proposals[g->count++] = proposal; /* nobody is told of it */
        g->removes = true;
        memset(&proposal, 0, sizeof proposal);
    }
    proposal.type = SOTTO_MLS_ADD;
    proposal.u.add.key_package = take.key_package;
    return gather_proposal(g, &proposal, &made);
}

static sotto_error gather_settings(struct gathered *g, const struct commit_intent *intent,
                                   bool *wanted)
{
    struct settings_change change;
    struct settings after = g->settings;
    const char *why = "";
    TRY(settings_change_read(intent->change, &change));
    /* An owner by inheritance becomes one by name: giving the role to another does not end it. */
    const struct account_id *self = &g->room->core->identity.account;
    if (g->group && g->role == SOTTO_ROLE_OWNER &&
        settings_role(&after, self) != SOTTO_ROLE_OWNER) {
        struct settings_change own = {
            .what = SETTINGS_ROLE, .value = SOTTO_ROLE_OWNER, .account = *self};
        TRY(settings_apply(&after, &own, g->arena, wanted));
    }
    sotto_error error = settings_apply(&after, &change, g->arena, wanted);
    if (error == SOTTO_LIMIT || error == SOTTO_VALUE)
        gather_refuse(g, "the list of the group is full", wanted);
    else
        TRY(error);
    if (!*wanted)
        return SOTTO_OK;
    if (g->group && !rules_may_change(g->room->group, &g->before, &after,
                                      &g->room->core->identity.account, &why)) {
        gather_refuse(g, why, wanted);
        return SOTTO_OK;
    }
    g->settings = after;
    g->changes = true;
    return SOTTO_OK;
}

/* One intent: into the commit, or done already, or not ready. */
static sotto_error gather(struct gathered *g, const struct store_outgoing *outgoing)
{
    struct sotto *core = g->room->core;
    struct commit_intent intent;
    g->looked = outgoing->id;
    TRY(commit_intent_read(outgoing->intent, &intent));
    bool wanted = true;
    bool ready = true;
    switch (intent.action) {
    case COMMIT_ADD:
        TRY(gather_add(g, &intent, &wanted, &ready));
        break;
    case COMMIT_REMOVE:
    case COMMIT_REMOVE_DEVICE:
    case COMMIT_LEAVE:
        TRY(gather_remove(g, &intent, &wanted, &ready));
        break;
    case COMMIT_SETTINGS:
        TRY(gather_settings(g, &intent, &wanted));
        break;
    case COMMIT_REJOIN:
        TRY(gather_rejoin(g, &intent, &wanted));
        break;
    case COMMIT_UPDATE: /* a commit without proposals */
        break;
    default:
        wanted = false;
    }
    if (!wanted) /* somebody else did it, or it makes no sense or is not allowed any more */
        return intent.action == COMMIT_ADD ? take_intent_drop(g->room, outgoing->id)
                                           : store_outgoing_erase(core->store, outgoing->id);
    if (!ready)
        return SOTTO_OK;
    if (g->carrier == 0) {
        g->carrier = outgoing->id;
        g->carrier_intent = intent;
    }
    g->touched[g->touched_count++] = intent.account;
    return SOTTO_OK;
}

/* The run of commit intents at the head of the outbox; a message behind an intent that is ready
 * must not be read by who is not in yet, so the run ends there. */
static sotto_error gather_all(struct gathered *g)
{
    struct sotto *core = g->room->core;
    struct store_outgoing outgoing;
    int64_t after = 0;
    while (g->touched_count < g->touched_most && g->count < COMMIT_PROPOSALS_MAX / 2) {
        sotto_error error = store_outgoing_next(core->store, &g->room->id, STORE_OUT_ENTRIES, after,
                                                g->arena, &outgoing);
        if (error == SOTTO_NOT_FOUND)
            return SOTTO_OK;
        TRY(error);
        after = outgoing.id;
        if (outgoing.kind == STORE_OUT_MESSAGE || outgoing.kind == STORE_OUT_LEAVE) {
            if (g->carrier != 0)
                return SOTTO_OK;
            continue;
        }
        if (outgoing.kind != STORE_OUT_COMMIT || outgoing.not_before_s > core_now_s(core))
            continue;
        struct commit_intent intent;
        TRY(commit_intent_read(outgoing.intent, &intent));
        /* Add and remove of one person: one commit after the other. An update is its own. */
        if (intent.action == COMMIT_UPDATE
                ? g->carrier != 0
                : intent.action != COMMIT_SETTINGS && touches(g, &intent.account))
            return SOTTO_OK;
        TRY(gather(g, &outgoing));
    }
    return SOTTO_OK;
}

/* Who asked to leave did so in this epoch, which the commit ends: from the next one on they can be
 * removed only by those who may remove them anyway. So nothing of that waits for its turn. */
static sotto_error gather_leaves(struct gathered *g)
{
    struct sotto *core = g->room->core;
    struct store_outgoing outgoing;
    int64_t after = 0;
    while (g->touched_count < g->touched_most && g->count < COMMIT_PROPOSALS_MAX / 2) {
        sotto_error error = store_outgoing_next(core->store, &g->room->id, STORE_OUT_COMMITS, after,
                                                g->arena, &outgoing);
        if (error == SOTTO_NOT_FOUND)
            return SOTTO_OK;
        TRY(error);
        after = outgoing.id;
        struct commit_intent intent;
        TRY(commit_intent_read(outgoing.intent, &intent));
        if (intent.action == COMMIT_LEAVE && !touches(g, &intent.account))
            TRY(gather(g, &outgoing));
    }
    return SOTTO_OK;
}

/* ---- Making ---- */

static sotto_error gate_export(sotto_mls_staged *staged, const char *label, const sotto_env *env,
                               struct gate *gate)
{
    sotto_buf token;
    sotto_buf_init(&token, env);
    sotto_error error =
        sotto_mls_staged_export(staged, label, sotto_bytes_of(NULL, 0), TOKEN_SIZE, &token);
    if (error == SOTTO_OK)
        gate_of(sotto_buf_view(&token), gate);
    sotto_buf_free(&token);
    return error;
}

struct made_bytes {
    sotto_buf commit, welcome, staged, intent;
};

static sotto_error carrier_store(struct gathered *g, sotto_mls_staged *staged,
                                 struct made_bytes *bytes)
{
    struct sotto *core = g->room->core;
    struct store_outgoing carrier;
    TRY(store_outgoing_get(core->store, g->carrier, g->arena, &carrier));
    TRY(sotto_mls_staged_save(staged, &bytes->staged));
    TRY(gate_export(staged, "sotto.v1 write", core->env, &carrier.next_write_gate));
    carrier.has_write_gate = true;
    carrier.has_read_gate = g->removes;
    if (g->removes)
        TRY(gate_export(staged, "sotto.v1 read", core->env, &carrier.next_read_gate));
    g->carrier_intent.made = sotto_buf_view(&g->made);
    TRY(commit_intent_write(&g->carrier_intent, &bytes->intent));
    TRY(core->env->random(core->env->ctx, carrier.request.bytes, REQUEST_ID_SIZE));
    carrier.state = STORE_OUT_READY;
    carrier.epoch = sotto_mls_epoch(g->room->group);
    carrier.intent = sotto_buf_view(&bytes->intent);
    carrier.bytes = sotto_buf_view(&bytes->commit);
    carrier.welcome = sotto_buf_view(&bytes->welcome);
    carrier.staged = sotto_buf_view(&bytes->staged);
    return store_outgoing_put(core->store, &carrier);
}

/* As all others will: a commit that they do not follow would end the room. */
static sotto_error judge_own(struct gathered *g, const sotto_mls_staged *staged)
{
    struct account_id self;
    bool allowed = false;
    TRY(rules_judge(g->room->group, staged, g->room->core->env, &allowed, &g->why, &self));
    if (!allowed)
        return SOTTO_PROPOSAL;
    g->why = NULL;
    return SOTTO_OK;
}

static sotto_error make(struct gathered *g, struct store_room *row)
{
    struct sotto *core = g->room->core;
    struct made_bytes bytes;
    sotto_buf_init(&bytes.commit, core->env);
    sotto_buf_init(&bytes.welcome, core->env);
    sotto_buf_init(&bytes.staged, core->env);
    sotto_buf_init(&bytes.intent, core->env);
    sotto_mls_staged *staged = NULL;
    sotto_mls_commit_options options;
    memset(&options, 0, sizeof options);
    options.proposals = g->proposals;
    options.proposal_count = g->count;
    options.ignore_pending = true; /* who leaves is removed by value, see proposal_received */
    sotto_error error =
        sotto_mls_commit(g->room->group, &options, &bytes.commit, &bytes.welcome, &staged);
    if (error == SOTTO_OK)
        error = judge_own(g, staged);
    if (error == SOTTO_OK)
        error = carrier_store(g, staged, &bytes);
    sotto_mls_staged_drop(staged); /* the stored one is what will be applied */
    if (error == SOTTO_OK)
        error = room_save(g->room, row); /* the handshake ratchet has moved */
    sotto_buf_free(&bytes.commit);
    sotto_buf_free(&bytes.welcome);
    sotto_buf_free(&bytes.staged);
    sotto_buf_free(&bytes.intent);
    return error;
}

/* The GroupContext with the settings that this commit leads to. */
static sotto_error gather_context(struct gathered *g)
{
    if (!g->changes)
        return SOTTO_OK;
    sotto_mls_proposal *proposal = &g->proposals[g->count++];
    g->context[0].type = IDENTITY_EXTENSION_ROOM;
    TRY(sotto_mls_context_extension(g->room->group, IDENTITY_EXTENSION_ROOM, &g->context[0].data));
    sotto_buf_clear(&g->extension);
    TRY(settings_write(&g->settings, &g->extension));
    g->context[1] = (sotto_mls_extension){SETTINGS_EXTENSION, sotto_buf_view(&g->extension)};
    memset(proposal, 0, sizeof *proposal);
    proposal->type = SOTTO_MLS_CONTEXT_EXTENSIONS;
    proposal->u.context.extensions = g->context;
    proposal->u.context.extension_count = 2;
    return SOTTO_OK;
}

/* most: intents at most. g->carrier says whether there was any. */
static sotto_error commit_try(struct gathered *g, struct store_room *row, size_t most)
{
    bool found = false;
    g->proposals = arena_array(g->arena, PROPOSALS_MOST + 1, sizeof *g->proposals);
    g->touched = arena_array(g->arena, most, sizeof *g->touched);
    if (g->proposals == NULL || g->touched == NULL)
        return SOTTO_NO_MEMORY;
    g->count = g->touched_count = 0;
    g->touched_most = most;
    g->carrier = g->looked = 0;
    g->removes = g->changes = false;
    g->why = NULL;
    sotto_buf_clear(&g->made);
    g->group = row->kind == STORE_ROOM_GROUP;
    TRY(rules_settings(g->room->group, g->arena, &g->before, &found));
    if (!found && !g->group)
        settings_init(&g->before);
    if (!found && g->group)
        g->before.title = sotto_bytes_str(row->title);
    g->settings = g->before;
    g->role = rules_role(g->room->group, &g->before, &g->room->core->identity.account);
    TRY(gather_all(g));
    if (g->carrier != 0) {
        TRY(gather_leaves(g));
        TRY(gather_context(g));
    }
    return g->carrier == 0 ? SOTTO_NOT_FOUND : make(g, row);
}

/* An intent that MLS does not let through, such as a KeyPackage that expired meanwhile. */
static sotto_error intent_impossible(struct gathered *g, sotto_error error)
{
    struct room *room = g->room;
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_set(&problem, error, SOTTO_CODE_BAD_IDENTITY,
                      "Ask the person to connect once (sotto sync), then try again.",
                      "The change was not possible: %s (%s).",
                      g->why != NULL ? g->why : sotto_mls_fault(room->core->mls)->what,
                      sotto_error_text(error));
    room_note(room, &problem);
    int64_t id = g->carrier != 0 ? g->carrier : g->looked;
    return id != 0 ? take_intent_drop(room, id) : SOTTO_INTERNAL;
}

/* Exactly one commit of a room is in flight: one that was made for this epoch, by this process or
 * another, is sent (again) rather than made anew. */
static sotto_error commit_in_flight(struct room *room, struct arena *arena, int64_t *carrier)
{
    struct store_outgoing outgoing;
    int64_t after = 0;
    for (;;) {
        TRY(store_outgoing_next(room->core->store, &room->id, STORE_OUT_COMMITS, after, arena,
                                &outgoing));
        after = outgoing.id;
        if (outgoing.state == STORE_OUT_READY && outgoing.epoch == sotto_mls_epoch(room->group)) {
            *carrier = outgoing.id;
            return SOTTO_OK;
        }
    }
}

sotto_error commit_lets_in(struct room *room, const struct account_id *account,
                           const struct device_id *device, struct arena *arena, bool *does)
{
    struct store_outgoing outgoing;
    struct commit_intent intent;
    struct commit_made made;
    struct reader reader;
    int64_t carrier = 0;
    *does = false;
    sotto_error error = commit_in_flight(room, arena, &carrier);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    TRY(store_outgoing_get(room->core->store, carrier, arena, &outgoing));
    TRY(commit_intent_read(outgoing.intent, &intent));
    reader_init(&reader, intent.made);
    while (!*does && commit_made_next(&reader, &made))
        *does = (made.action == COMMIT_ADD || made.action == COMMIT_REJOIN) &&
                account_id_equal(&made.account, account) && device_id_equal(&made.device, device);
    return SOTTO_OK;
}

sotto_error commit_make(struct room *room, struct store_room *row, int64_t *carrier)
{
    struct gathered g;
    struct arena arena;
    memset(&g, 0, sizeof g);
    arena_init(&arena, room->core->env);
    g.room = room;
    g.arena = &arena;
    sotto_buf_init(&g.made, room->core->env);
    sotto_buf_init(&g.extension, room->core->env);
    sotto_error error = commit_in_flight(room, &arena, carrier);
    if (error != SOTTO_NOT_FOUND) {
        arena_free(&arena);
        return error;
    }
    error = commit_try(&g, row, COMMIT_INTENTS_MAX);
    /* One intent that cannot be does not stand in the way of the others. */
    while (error != SOTTO_OK && error != SOTTO_NOT_FOUND && !error_is_local(error)) {
        error = commit_try(&g, row, 1);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND && !error_is_local(error))
            error = intent_impossible(&g, error) == SOTTO_OK
                        ? commit_try(&g, row, COMMIT_INTENTS_MAX)
                        : SOTTO_INTERNAL;
    }
    if (error == SOTTO_OK)
        *carrier = g.carrier;
    sotto_buf_free(&g.made);
    sotto_buf_free(&g.extension);
    arena_free(&arena);
    return error;
}

/* ---- Winning ---- */

struct winning {
    struct room *room;
    struct store_room *row;
    const struct store_outgoing *carrier;
    struct arena *arena, *row_arena;
    uint64_t seq;
    uint32_t part;
    bool added; /* people, not only devices of one's own */
    bool has_told;
    struct account_id told; /* whom the last line was about */
    sotto_buf manifests;    /* Envelope.manifests; made for the first Welcome */
    bool has_manifests;
};

static sotto_error welcome_owe(struct winning *w, const struct store_take *take, sotto_bytes sealed)
{
    struct sotto *core = w->room->core;
    struct store_outgoing outgoing;
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.room = w->room->id;
    outgoing.kind = STORE_OUT_ENVELOPE;
    outgoing.state = STORE_OUT_READY;
    outgoing.client_id = outgoing.error = "";
    outgoing.bytes = sealed;
    outgoing.relay = take->relay;
    outgoing.account = take->account;
    outgoing.device = take->device;
    outgoing.capability = take->capability;
    outgoing.created_s = core_now_s(core);
    TRY(core->env->random(core->env->ctx, outgoing.request.bytes, REQUEST_ID_SIZE));
    return store_outgoing_add(core->store, &outgoing, &(int64_t){0});
}

/* The newest manifests of the members whose devices changed, as far as there is room: who joins
 * shall not take one of them for a stranger. One's own stands in the envelope anyway. */
static sotto_error manifests_gather(struct winning *w)
{
    struct sotto *core = w->room->core;
    struct account_id last = core->identity.account;
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    w->has_manifests = true;
    while (sotto_mls_next_member(w->room->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        uint64_t changed = 0;
        sotto_bytes manifest;
        struct writer writer;
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK ||
            account_id_equal(&account, &last) || core_is_own(core, &account))
            continue;
        last = account;
        TRY(store_manifest_change(core->store, &account, &changed));
        if (changed == 0)
            continue;
        TRY(store_manifest_get(core->store, &account, w->arena, &manifest));
        if (manifest.size == 0 || w->manifests.size + manifest.size + 4 > WIRE_MANIFESTS_MAX)
            continue;
        writer_init(&writer, &w->manifests);
        writer_vector(&writer, manifest);
        TRY(writer_finish(&writer));
    }
    return SOTTO_OK;
}

/* The Welcome with all that the new member needs, sealed to its device. */
static sotto_error welcome_seal(struct winning *w, const struct store_take *take, sotto_buf *plain,
                                sotto_buf *sealed)
{
    struct sotto *core = w->room->core;
    struct manifest manifest;
    struct envelope envelope;
    sotto_fault fault;
    sotto_buf reference, welcome;
    sotto_mls_leaf leaf;
    uint16_t suite;
    memset(&envelope, 0, sizeof envelope);
    sotto_buf_init(&reference, core->env);
    sotto_buf_init(&welcome, core->env);
    sotto_error error = manifest_read(take->manifest, w->arena, &manifest, &fault);
    if (error == SOTTO_OK && !w->has_manifests)
        error = manifests_gather(w);
    if (error == SOTTO_OK)
        error = store_own_manifest_get(core->store, w->arena, &envelope.manifest);
    if (error == SOTTO_OK)
        error =
            sotto_mls_key_package_inspect(core->mls, take->key_package, &leaf, &suite, &reference);
    const struct device *device =
        error == SOTTO_OK ? manifest_device(&manifest, &take->device) : NULL;
    if (error == SOTTO_OK && device == NULL)
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_OK) /* of a commit that adds many, what concerns this one */
        error = sotto_mls_welcome_for(core->mls, w->carrier->welcome, sotto_buf_view(&reference),
                                      &welcome);
    if (error == SOTTO_OK) {
        envelope.version = ENVELOPE_VERSION;
        envelope.kind = ENVELOPE_ROOM_INVITATION;
        envelope.relay = sotto_bytes_str(w->row->relay);
        envelope.room = w->room->id;
        envelope.read_token = sotto_bytes_of(w->row->read_token, TOKEN_SIZE);
        envelope.next_seq = w->seq + 1;
        envelope.relay_of_sender = sotto_bytes_str(core->profile.relay);
        envelope.capability = take->capability;
        envelope.key_package_ref = sotto_buf_view(&reference);
        envelope.welcome = sotto_buf_view(&welcome);
        envelope.manifests = sotto_buf_view(&w->manifests);
        envelope.name = sotto_bytes_str(core->profile.name);
        error = people_greeting(w->room, w->row, w->arena, &envelope.greeting);
    }
    if (error == SOTTO_OK) {
        error = envelope_write(&envelope, plain);
    }
    if (error == SOTTO_OK)
        error = identity_seal(core->crypto, &take->account, &take->device, device->inbox_key,
                              sotto_buf_view(plain), sealed);
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
    return error;
}

static sotto_error welcome_one(struct winning *w, const struct commit_made *made)
{
    struct sotto *core = w->room->core;
    struct store_take take;
    TRY(store_take_get(core->store, &w->room->id, &made->account, &made->device, w->arena, &take));
    sotto_buf plain, sealed;
    sotto_buf_init(&plain, core->env);
    sotto_buf_init(&sealed, core->env);
    sotto_error error = welcome_seal(w, &take, &plain, &sealed);
    if (error == SOTTO_OK)
        error = welcome_owe(w, &take, sotto_buf_view(&sealed));
    if (error == SOTTO_OK)
        error = store_take_erase(core->store, &w->room->id, &made->account, &made->device);
    sotto_buf_free(&plain);
    sotto_buf_free(&sealed);
    return error;
}

/* The line that tells of it: one for each person; between two people, for a device of the other one
 * less too, which whoever knows of it first removes. */
static sotto_error won_event(struct winning *w, const struct commit_made *made)
{
    struct sotto *core = w->room->core;
    enum sotto_message_kind kind = made->action == COMMIT_ADD     ? SOTTO_KIND_ADDED
                                   : made->action == COMMIT_LEAVE ? SOTTO_KIND_LEFT
                                                                  : SOTTO_KIND_REMOVED;
    bool device =
        kind == SOTTO_KIND_REMOVED && group_has(w->room->group, &made->account, NULL, NULL);
    if (device && w->row->kind == STORE_ROOM_DIRECT)
        kind = SOTTO_KIND_DEVICE_REMOVED;
    const struct account_id *who =
        kind == SOTTO_KIND_LEFT || device ? &made->account : &core->identity.account;
    if (core_is_own(core, &made->account) || made->action == COMMIT_REJOIN ||
        (w->has_told && account_id_equal(&w->told, &made->account)) ||
        (device && kind != SOTTO_KIND_DEVICE_REMOVED))
        return SOTTO_OK;
    w->has_told = true;
    w->told = made->account;
    sotto_error error = event_add(core, &w->room->id, w->seq, w->part++, kind, who, &made->account);
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

/* Requests of that device from before are answered. */
static sotto_error came_note(struct winning *w, const struct commit_made *made)
{
    struct sotto *core = w->room->core;
    struct store_take take;
    sotto_mls_leaf leaf;
    if (made->action != COMMIT_REJOIN && !core_is_own(core, &made->account))
        return SOTTO_OK; /* who is new has asked for nothing */
    TRY(store_take_get(core->store, &w->room->id, &made->account, &made->device, w->arena, &take));
    TRY(sotto_mls_key_package_inspect(core->mls, take.key_package, &leaf, NULL, NULL));
    return rejoin_came(core, &w->room->id, &made->account, &made->device, &leaf);
}

static sotto_error won_one(struct winning *w, const struct commit_made *made)
{
    struct sotto *core = w->room->core;
    TRY(store_arriving_gone(core->store, &w->room->id, &made->account, &made->device));
    if (made->action == COMMIT_ADD || made->action == COMMIT_REJOIN) {
        bool own = core_is_own(core, &made->account);
        w->added |= !own;
        TRY(came_note(w, made));
        TRY(welcome_one(w, made));
        if (own && made->action == COMMIT_REJOIN) /* what it missed, this one may have */
            TRY(store_history_begin(core->store, &made->device));
        if (own)
            TRY(own_device_added(core, w->row, &made->device));
        if (own && made->action == COMMIT_ADD && w->row->kind != STORE_ROOM_OWN)
            TRY(own_history_of_room(core, w->row, &made->device));
    }
    if (made->action == COMMIT_LEAVE)
        TRY(commit_left(core, &w->room->id, &made->account, w->carrier->id, &(bool){false}));
    return won_event(w, made);
}

static sotto_error won_all(struct winning *w)
{
    struct sotto *core = w->room->core;
    struct commit_intent intent;
    struct commit_made made;
    struct reader reader;
    TRY(commit_intent_read(w->carrier->intent, &intent));
    reader_init(&reader, intent.made);
    while (commit_made_next(&reader, &made))
        TRY(won_one(w, &made));
    TRY(reader_finish(&reader, "made"));
    TRY(store_outgoing_erase(core->store, w->carrier->id));
    TRY(room_settings_entered(w->room, w->row, w->row_arena, w->seq, &w->part,
                              &core->identity.account));
    if (w->added)
        TRY(room_queue_profile(core, &w->room->id, sotto_mls_epoch(w->room->group)));
    return commit_unseal(w->room, sotto_mls_epoch(w->room->group));
}

sotto_error commit_won(struct room *room, struct store_room *row, struct arena *row_arena,
                       const struct store_outgoing *carrier, uint64_t seq)
{
    struct arena arena;
    arena_init(&arena, room->core->env);
    struct winning w = {.room = room,
                        .row = row,
                        .carrier = carrier,
                        .arena = &arena,
                        .row_arena = row_arena,
                        .seq = seq};
    sotto_buf_init(&w.manifests, room->core->env);
    sotto_mls_staged *staged = NULL;
    sotto_error error = sotto_mls_staged_load(room->group, carrier->staged, &staged);
    if (error == SOTTO_OK) {
        sotto_mls_staged_apply(room->group, staged);
        if (carrier->has_read_gate)
            error = room_read_token(room, row);
        if (error == SOTTO_OK)
            error = renew_done(room->core, &room->id, sotto_mls_member_count(room->group), seq);
    }
    if (error == SOTTO_OK)
        error = won_all(&w);
    sotto_buf_free(&w.manifests);
    arena_free(&arena);
    return error;
}

/* ---- A new epoch ---- */

sotto_error commit_unseal(struct room *room, uint64_t epoch)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    int64_t after = 0;
    sotto_error error;
    arena_init(&arena, core->env);
    while ((error = store_outgoing_next(core->store, &room->id, STORE_OUT_ENTRIES, after, &arena,
                                        &outgoing)) == SOTTO_OK) {
        after = outgoing.id;
        if (outgoing.state != STORE_OUT_READY || outgoing.epoch == epoch)
            continue;
        sotto_bytes nothing = {NULL, 0};
        outgoing.state = STORE_OUT_WANTED;
        outgoing.bytes = outgoing.staged = outgoing.welcome = nothing;
        outgoing.has_write_gate = outgoing.has_read_gate = false;
        error = store_outgoing_put(core->store, &outgoing);
        if (error != SOTTO_OK)
            break;
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}
