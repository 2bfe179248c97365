/* Welcomes: which are let in at once, which wait for the person, and joining. */
#include <string.h>

#include "core/leaving.h"
#include "core/people.h"
#include "core/rejoin.h"
#include "core/renew.h"
#include "core/joining.h"
#include "core/successor.h"
#include "core/statement.h"

/* ---- Joining ---- */

struct joining {
    struct sotto *core;
    struct arena arena;
    const struct envelope *envelope;
    struct account_id sender;
    struct device_id sender_device; /* which of the sender's devices made the Welcome */
    struct account_id peer;         /* of a conversation with one person: the other one */
    bool has_peer;
    bool must_continue; /* it is let in only where a group of ours goes on */
    struct settings settings;
    struct store_key_package package;
    struct room *room;
    struct store_room row;
    struct store_room before; /* what the room was, if it is known */
    bool known;
    bool asked; /* this device asked to be let in again, and this is the answer */
};

static char *arena_text(struct arena *arena, sotto_bytes text)
{
    char *copy = arena_array(arena, text.size + 1, 1);
    if (copy != NULL && text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

/* Who made the Welcome is who the envelope says that sent it: a manifest is public, and anybody can
 * put a contact's into an envelope of their own. Leaves were judged before (validate_leaf). */
static sotto_error sender_check(struct joining *j, const sotto_mls_group *group)
{
    sotto_mls_leaf leaf;
    struct account_id account;
    struct device_id device;
    TRY(sotto_mls_member(group, sotto_mls_group_info_signer(group), &leaf));
    TRY(identity_leaf_ids(&leaf, &account, &device));
    j->sender_device = device;
    return account_id_equal(&account, &j->sender) ? SOTTO_OK : SOTTO_SENDER;
}

/* What the group itself says must fit what the envelope says. A conversation with one person has
 * two people in it, and the other one is who invited. */
static sotto_error group_check(struct joining *j, const sotto_mls_group *group,
                               struct identity_room *info)
{
    bool own = core_is_own(j->core, &j->sender); /* another device of one's own adds this one */
    sotto_bytes data;
    sotto_fault fault;
    if (!sotto_bytes_equal(sotto_mls_group_id(group),
                           sotto_bytes_of(j->envelope->room.bytes, ROOM_ID_SIZE)))
        return SOTTO_GROUP;
    TRY(sotto_mls_context_extension(group, IDENTITY_EXTENSION_ROOM, &data));
    TRY(identity_room_read(data, info, &fault));
    TRY(rules_settings(group, &j->arena, &j->settings, NULL));
    if (j->settings.continues &&
        memcmp(j->settings.before.bytes, j->envelope->room.bytes, ROOM_ID_SIZE) == 0)
        return SOTTO_GROUP; /* looking at the room before would be looking at this one */
    TRY(sender_check(j, group));
    if (j->must_continue) {
        bool expected = false;
        TRY(successor_expected(j->core, &j->settings, &j->sender, &expected));
        if (!expected)
            return SOTTO_SENDER;
    }
    j->peer = j->sender;
    j->has_peer = info->kind == IDENTITY_ROOM_DIRECT && !own;
    if (info->kind == IDENTITY_ROOM_GROUP)
        return SOTTO_OK;
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        TRY(identity_leaf_ids(&leaf, &account, &device));
        if (core_is_own(j->core, &account))
            continue;
        if (info->kind == IDENTITY_ROOM_OWN ||
            (j->has_peer && !account_id_equal(&account, &j->peer)))
            return SOTTO_SENDER;
        j->peer = account;
        j->has_peer = true;
    }
    return info->kind == IDENTITY_ROOM_OWN && !own ? SOTTO_SENDER : SOTTO_OK;
}

static sotto_error row_fill(struct joining *j, const struct identity_room *info)
{
    uint64_t now = core_now_s(j->core);
    j->row.room = j->envelope->room;
    j->row.kind = (enum store_room_kind)info->kind; /* the same numbers */
    j->row.state = STORE_ROOM_ACTIVE;
    j->row.title = arena_text(&j->arena, info->title);
    j->row.relay = arena_text(&j->arena, j->envelope->relay);
    j->row.trouble = "";
    if (j->row.title == NULL || j->row.relay == NULL)
        return SOTTO_NO_MEMORY;
    j->row.has_peer = j->has_peer;
    j->row.peer = j->peer;
    memcpy(j->row.read_token, j->envelope->read_token.data, TOKEN_SIZE);
    j->row.next_seq = j->envelope->next_seq;
    j->row.created_s = j->known ? j->before.created_s : now;
    j->row.active_s = now;
    return SOTTO_OK;
}

/* What is believed once the Welcome has proved who made it: where the sender's account is, and the
 * invitation that the sender holds, which is used up and makes a contact. */
static sotto_error sender_learn(struct joining *j)
{
    struct store *store = j->core->store;
    struct store_contact contact;
    if (core_is_own(j->core, &j->sender))
        return SOTTO_OK;
    TRY(store_contact_get(store, &j->sender, &j->arena, &contact));
    /* An envelope with an older manifest was on its way while the account moved. */
    if (contact.relay[0] == '\0' || (j->envelope->relay_of_sender.size > 0 &&
                                     sotto_bytes_equal(contact.manifest, j->envelope->manifest))) {
        contact.relay = arena_text(&j->arena, j->envelope->relay_of_sender);
        TRY(statement_heard(j->core, &j->sender, contact.manifest_number));
    }
    if (contact.name[0] == '\0')
        contact.name = arena_text(&j->arena, j->envelope->name);
    if (contact.relay == NULL || contact.name == NULL)
        return SOTTO_NO_MEMORY;
    if (j->envelope->capability.size > 0) {
        sotto_error error =
            store_invitation_use(store, j->envelope->capability, core_now_s(j->core));
        struct room_id asked;
        bool answer = store_asked_room(store, j->envelope->capability, &asked) == SOTTO_OK;
        if (error == SOTTO_OK)
            contact.contact |= !answer; /* who lets one into a group is no contact by that */
        else if (error != SOTTO_NOT_FOUND)
            return error;
    }
    TRY(store_contact_put(store, &contact));
    return contact.contact ? own_tell_contact(j->core, &j->sender) : SOTTO_OK;
}

static sotto_error joined_store(struct joining *j)
{
    struct sotto *core = j->core;
    struct identity_room info;
    memset(&info, 0, sizeof info);
    TRY(group_check(j, j->room->group, &info));
    TRY(sender_learn(j));
    TRY(row_fill(j, &info));
    if (!j->known)
        TRY(store_room_add(core->store, &j->row));
    else if (j->before.state == STORE_ROOM_LEFT)
        TRY(leaving_forget(core, &j->room->id));
    else
        TRY(store_records_clear(core->store, &j->room->id));
    TRY(store_room_judged_put(core->store, &j->room->id, 0));
    TRY(room_save(j->room, &j->row));
    TRY(renew_done(core, &j->room->id, j->row.members, j->envelope->next_seq - 1));
    TRY(room_settings_keep(j->room, &j->row, &j->arena));
    TRY(successor_joined(core, &j->room->id, &j->settings, &j->sender));
    if (j->envelope->capability.size > 0)
        TRY(joining_answered(core, j->envelope->capability));
    TRY(store_room_put(core->store, &j->row)); /* its title is the settings' */
    if (!j->package.last_resort)
        TRY(store_key_package_erase(core->store, j->package.ref));
    bool back = j->asked || (j->known && j->before.state == STORE_ROOM_REJOINING);
    if (back) {
        TRY(rejoin_done(core, &j->before, core_is_own(core, &j->sender), j->envelope->next_seq));
        TRY(commit_unseal(j->room, sotto_mls_epoch(j->room->group)));
    }
    if (core_is_own(core, &j->sender)) /* the person was in before */
        return own_joined(core, &j->row, &j->sender_device);
    if (back)
        return SOTTO_OK;
    sotto_error error = event_add(core, &j->room->id, j->envelope->next_seq - 1, 0,
                                  SOTTO_KIND_JOINED, &core->identity.account, NULL);
    if (error != SOTTO_OK && error != SOTTO_EXISTS)
        return error;
    return room_queue_profile(core, &j->room->id, sotto_mls_epoch(j->room->group));
}

/* A Welcome that was posted late: of a membership that the log has shown to be over. (A room that
 * is to be come back into, or that was forked, may have had another log.) */
static bool is_earlier(const struct envelope *envelope, const struct store_room *row)
{
    return row->state != STORE_ROOM_REJOINING && row->state != STORE_ROOM_FORKED &&
           envelope->next_seq <= row->next_seq;
}

static sotto_error join_run(struct joining *j)
{
    struct sotto *core = j->core;
    sotto_error error = store_room_get(core->store, &j->envelope->room, &j->arena, &j->before);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    j->known = error == SOTTO_OK;
    if (j->known)
        TRY(rejoin_expects(core, &j->envelope->room, j->envelope->key_package_ref, &j->sender,
                           &j->asked));
    if (j->known && !j->asked && is_earlier(j->envelope, &j->before))
        return SOTTO_VALUE;
    TRY(store_key_package_get(core->store, j->envelope->key_package_ref, &j->arena, &j->package));
    j->room = room_of(core, &j->envelope->room);
    if (j->room == NULL)
        return SOTTO_NO_MEMORY;
    room_forget_group(j->room);
    TRY(sotto_mls_join(core->mls, &core->identity_mls.mls, j->package.package, j->package.secrets,
                       j->envelope->welcome, sotto_bytes_of(NULL, 0), &j->room->group));
    error = joined_store(j);
    if (error != SOTTO_OK) {
        room_forget_group(j->room);
        return error;
    }
    /* A new life for the room in memory: what an earlier membership left behind is over. */
    j->room->wake = j->room->in_scope = true;
    j->room->gone = j->room->unknown = false;
    problem_clear(&j->room->problem);
    j->room->progress = ROOM_BUSY;
    return SOTTO_OK;
}

static sotto_error join_room_if(struct sotto *core, const struct envelope *envelope,
                                const struct account_id *sender, bool must_continue)
{
    struct joining joining;
    memset(&joining, 0, sizeof joining);
    joining.must_continue = must_continue;
    joining.core = core;
    joining.envelope = envelope;
    joining.sender = *sender;
    arena_init(&joining.arena, core->env);
    sotto_error error = envelope->next_seq >= 2 ? join_run(&joining) : SOTTO_VALUE;
    arena_free(&joining.arena);
    return error;
}

sotto_error join_room(struct sotto *core, const struct envelope *envelope,
                      const struct account_id *sender)
{
    return join_room_if(core, envelope, sender, false);
}

/* ---- Considering ---- */

struct considering {
    struct sotto *core;
    struct arena *arena;
    sotto_bytes opened;
    struct envelope envelope;
    struct account_id sender;
    uint64_t now_s;
};

/* Keeps the manifest of the account that the envelope names. It is signed by that account; that the
 * envelope is theirs shows only when joining. And those of members, for what they are worth. */
static sotto_error manifests_learn(struct considering *c)
{
    struct sotto *core = c->core;
    struct account_id account;
    sotto_bytes rest = c->envelope.manifests, one;
    TRY(manifest_learn_any(core, c->envelope.manifest, c->arena, &c->sender));
    while (envelope_manifest(&rest, &one)) {
        sotto_error error = manifest_learn_any(core, one, c->arena, &account);
        if (error_is_local(error))
            return error;
    }
    return SOTTO_OK;
}

/* Whether one of a later membership waits: who added one later may have been quicker to post. */
static sotto_error later_waits(struct considering *c, bool *later)
{
    struct store_request *requests = NULL;
    struct envelope envelope;
    sotto_fault fault;
    size_t count = 0;
    *later = false;
    TRY(store_requests(c->core->store, c->arena, &requests, &count));
    for (size_t i = 0; i < count && !*later; i++)
        *later = memcmp(requests[i].room.bytes, c->envelope.room.bytes, ROOM_ID_SIZE) == 0 &&
                 envelope_read(requests[i].envelope, &envelope, &fault) == SOTTO_OK &&
                 envelope.next_seq > c->envelope.next_seq;
    return SOTTO_OK;
}

static sotto_error keep(struct considering *c)
{
    struct store *store = c->core->store;
    struct store_request request;
    bool later = false;
    TRY(later_waits(c, &later));
    if (later)
        return SOTTO_OK;
    TRY(store_request_erase_of(store, &c->envelope.room)); /* the later one counts */
    memset(&request, 0, sizeof request);
    request.room = c->envelope.room;
    request.sender = c->sender;
    request.received_s = c->now_s;
    request.envelope = c->opened;
    return store_request_add(store, &request, &(int64_t){0});
}

/* Errors of the envelope itself: it is dropped. Of this device: it must be tried again. */
static sotto_error drop_if_bad(sotto_error error)
{
    return error_is_local(error) ? error : SOTTO_OK;
}

/* The sender is let in without asking: a contact, or somebody who holds one of one's invitations.
 */
static sotto_error let_in(struct considering *c, const struct store_contact *contact, bool *in)
{
    struct store_invitation invitation;
    struct store_join_link link;
    *in = contact->contact;
    if (*in || c->envelope.capability.size == 0)
        return SOTTO_OK;
    sotto_error error = store_join_link_get(c->core->store, c->envelope.capability, &link);
    wipe(&link, sizeof link);
    if (error != SOTTO_NOT_FOUND)
        return error; /* who holds that may ask to join, and no more */
    error = store_invitation_get(c->core->store, c->envelope.capability, &invitation);
    *in = error == SOTTO_OK && invitation.used < invitation.uses && invitation.expires_s > c->now_s;
    wipe(&invitation, sizeof invitation);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* Whether the Welcome answers what this device asks for now: it used a KeyPackage that was made for
 * that. */
static sotto_error answers(struct considering *c, const struct store_key_package *package, bool *is)
{
    struct store_rejoin rejoin;
    bool made = false;
    *is = false;
    TRY(store_rejoin_package_is(c->core->store, c->envelope.key_package_ref, &c->envelope.room,
                                &made));
    sotto_error error = store_rejoin_get(c->core->store, &c->envelope.room, &rejoin);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    *is = made && package->created_s >= rejoin.since_s;
    return SOTTO_OK;
}

/* A Welcome into a log that is shorter than what was read of it already. It is late, of an earlier
 * membership; or the relay shows the members another log than it showed this device. */
static sotto_error shorter(struct considering *c, const struct store_key_package *package,
                           struct store_room *row)
{
    struct room *room = room_of(c->core, &row->room);
    bool now = false;
    if (room == NULL)
        return SOTTO_NO_MEMORY;
    TRY(answers(c, package, &now));
    if (!now)
        return SOTTO_OK;
    TRY(rejoin_end(room));
    TRY(room_stop(room, row, row->next_seq,
                  "The relay shows the members another record of this conversation than it showed "
                  "this device. The conversation was stopped; begin a new one."));
    room->wake = true;
    return store_room_put(c->core->store, row);
}

static sotto_error consider(struct considering *c)
{
    struct sotto *core = c->core;
    sotto_fault fault;
    struct store_contact contact;
    struct store_room row;
    struct store_key_package package;
    sotto_error error = envelope_read(c->opened, &c->envelope, &fault);
    if (error == SOTTO_OK)
        error = manifests_learn(c);
    if (error != SOTTO_OK)
        return drop_if_bad(error);
    bool own = core_is_own(core, &c->sender);
    memset(&contact, 0, sizeof contact);
    if (!own)
        TRY(store_contact_get(core->store, &c->sender, c->arena, &contact));
    if (contact.blocked)
        return SOTTO_OK;
    /* A KeyPackage that is gone was used: this is the same Welcome again. */
    error = store_key_package_get(core->store, c->envelope.key_package_ref, c->arena, &package);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    error = store_room_get(core->store, &c->envelope.room, c->arena, &row);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return error;
    bool busy =
        error == SOTTO_OK && (row.state == STORE_ROOM_ACTIVE || row.state == STORE_ROOM_CREATING);
    bool in = own, asked = false, asks = false;
    TRY(rejoin_expects(core, &c->envelope.room, c->envelope.key_package_ref, &c->sender, &asked));
    asks = asked && (busy || (error == SOTTO_OK && row.state == STORE_ROOM_REJOINING));
    if (asks && c->envelope.next_seq < row.next_seq)
        return shorter(c, &package, &row);
    if (busy && c->envelope.next_seq <= row.next_seq)
        return SOTTO_OK; /* of an earlier membership */
    if (!own && !asked)
        TRY(let_in(c, &contact, &in));
    if (asked && busy) {
        struct store_rejoin rejoin;
        error = store_rejoin_get(core->store, &c->envelope.room, &rejoin);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
        busy = error != SOTTO_OK; /* else nothing more comes of the earlier membership */
    }
    if (!busy && !in && !asked) {
        error = join_room_if(core, &c->envelope, &c->sender, true);
        if (error == SOTTO_OK || error_is_local(error))
            return error;
    }
    if (busy || (!in && !asked))
        return keep(c); /* busy: first the log must show that the earlier membership ended */
    return drop_if_bad(join_room(core, &c->envelope, &c->sender));
}

sotto_error join_consider(struct sotto *core, sotto_bytes opened, uint64_t now_s)
{
    struct arena arena;
    arena_init(&arena, core->env);
    struct considering considering;
    memset(&considering, 0, sizeof considering);
    considering.core = core;
    considering.arena = &arena;
    considering.opened = opened;
    considering.now_s = now_s;
    sotto_error error = consider(&considering);
    arena_free(&arena);
    return error;
}

/* ---- Those that waited: for their room to end, or for the person to answer on another device ----
 */

/* Whether no earlier membership of the room goes on. */
static bool room_free(struct sotto *core, const struct room_id *room, struct arena *arena)
{
    struct store_room row;
    sotto_error error = store_room_get(core->store, room, arena, &row);
    return error == SOTTO_NOT_FOUND || (error == SOTTO_OK && row.state != STORE_ROOM_ACTIVE &&
                                        row.state != STORE_ROOM_CREATING);
}

static sotto_error revisit_one(struct sotto *core, const struct store_request *request,
                               struct arena *arena)
{
    struct store_contact contact;
    struct envelope envelope;
    sotto_fault fault;
    bool asked = false;
    if (envelope_read(request->envelope, &envelope, &fault) == SOTTO_OK)
        TRY(rejoin_expects(core, &request->room, envelope.key_package_ref, &request->sender,
                           &asked));
    if (!core_is_own(core, &request->sender) && !asked &&
        (store_contact_get(core->store, &request->sender, arena, &contact) != SOTTO_OK ||
         !contact.contact || contact.blocked))
        return SOTTO_OK;
    if (!room_free(core, &request->room, arena))
        return SOTTO_OK;
    TRY(store_begin(core->store));
    sotto_error error = store_request_erase(core->store, request->id);
    if (error == SOTTO_OK && envelope_read(request->envelope, &envelope, &fault) == SOTTO_OK)
        error = drop_if_bad(join_room(core, &envelope, &request->sender));
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        room_abort_all(core);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error join_revisit(struct sotto *core)
{
    struct arena arena;
    struct store_request *requests = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_requests(core->store, &arena, &requests, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        error = revisit_one(core, &requests[i], &arena);
    arena_free(&arena);
    return error;
}

/* ---- The person decides ---- */

/* What it says of its sender: nobody has proved it yet. */
static sotto_error request_say(const struct store_request *from, const struct store_contact *sender,
                               struct arena *arena, struct sotto_request *request)
{
    struct envelope envelope;
    sotto_fault fault;
    request->sender_name = people_name(sender);
    request->greeting = "";
    if (envelope_read(from->envelope, &envelope, &fault) != SOTTO_OK)
        return SOTTO_OK;
    if (request->sender_name[0] == '\0')
        request->sender_name = arena_text(arena, envelope.name);
    request->greeting = arena_text(arena, envelope.greeting);
    return request->sender_name != NULL && request->greeting != NULL ? SOTTO_OK : SOTTO_NO_MEMORY;
}

/* Those that wait for the person: not the ones that wait for a room to end. */
sotto_error sotto_requests(struct sotto *core,
                           void (*each)(void *ctx, const struct sotto_request *request), void *ctx)
{
    TRY(core_need_account(core));
    struct arena arena;
    struct store_request *requests = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_requests(core->store, &arena, &requests, &count);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the requests");
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct store_contact contact;
        if (core_is_own(core, &requests[i].sender))
            continue;
        error = store_contact_get(core->store, &requests[i].sender, &arena, &contact);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the requests");
        if (error != SOTTO_OK || contact.contact)
            continue;
        struct sotto_request request;
        memset(&request, 0, sizeof request);
        request.id = requests[i].id;
        memcpy(request.conversation.bytes, requests[i].room.bytes, ROOM_ID_SIZE);
        memcpy(request.sender.bytes, requests[i].sender.bytes, ACCOUNT_ID_SIZE);
        request.time_s = requests[i].received_s;
        error = request_say(&requests[i], &contact, &arena, &request);
        if (error == SOTTO_OK)
            each(ctx, &request);
        else
            (void)core_store_problem(core, error, "reading the requests");
    }
    arena_free(&arena);
    return error;
}
