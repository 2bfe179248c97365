#include "core/joining.h"

#include <string.h>

#include "base/text.h"
#include "core/own_joiners.h"
#include "core/own_links.h"
#include "core/people.h"
#include "wire/join.h"

#define TROUBLE_ASKED "You asked to join. Whoever made the link has to let you in."
#define TROUBLE_OVER "The link to join with was used up, revoked or too old. Ask for a new one."

/* ---- Who asks here --------------------------------------------------------------------------- */

struct considered {
    struct sotto *core;
    struct arena *arena;
    struct join_request request;
    struct account_id account;
    struct room *room;
    struct store_room row;
    uint64_t now_s;
};

/* The account, if a device of its newest manifest signed the request for this device. CREDENTIAL.
 */
static sotto_error who_asks(struct considered *c)
{
    struct sotto *core = c->core;
    struct manifest manifest;
    bool found = false;
    TRY(manifest_learn_any(core, c->request.manifest, c->arena, &c->account));
    TRY(manifest_newest(core, &c->account, c->arena, &manifest, &found));
    const struct device *device = found ? manifest_device(&manifest, &c->request.device) : NULL;
    if (device == NULL || device->signature_key.size != SIGN_KEY_SIZE ||
        core_is_own(core, &c->account) ||
        !join_request_verify(core->env, &c->request, &core->identity.account,
                             &core->identity.device, device->signature_key.data))
        return SOTTO_CREDENTIAL;
    return SOTTO_OK;
}

static sotto_error use_tell(struct sotto *core, sotto_bytes capability)
{
    struct store_invitation invitation;
    sotto_error error = store_invitation_get(core->store, capability, &invitation);
    if (error == SOTTO_OK)
        error = own_link_used_tell(core, &invitation);
    wipe(&invitation, sizeof invitation);
    return error;
}

/* The group that the link is for, entered. NOT_FOUND: there is none that one could be added to. */
static sotto_error which_room(struct considered *c)
{
    struct sotto *core = c->core;
    struct store_join_link link;
    TRY(store_join_link_get(core->store, c->request.link, &link));
    struct room_id id = link.room;
    bool revoked = link.revoked;
    wipe(&link, sizeof link);
    if (revoked)
        return SOTTO_NOT_FOUND;
    TRY(store_invitation_use(core->store, c->request.link, c->now_s));
    TRY(use_tell(core, c->request.link));
    c->room = room_of(core, &id);
    if (c->room == NULL)
        return SOTTO_NO_MEMORY;
    TRY(room_enter(c->room, c->arena, &c->row));
    return c->row.state == STORE_ROOM_ACTIVE && c->row.kind == STORE_ROOM_GROUP &&
                   !group_has(c->room->group, &c->account, NULL, NULL)
               ? SOTTO_OK
               : SOTTO_NOT_FOUND;
}

/* Inside a transaction: they are to be added. */
static sotto_error joiner_add(struct sotto *core, const struct store_joiner *joiner)
{
    struct commit_intent intent;
    struct store_contact contact;
    struct arena arena;
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_ADD;
    intent.account = joiner->account;
    intent.device = joiner->device;
    intent.relay = sotto_bytes_str(joiner->relay);
    intent.capability = joiner->capability;
    arena_init(&arena, core->env);
    sotto_error error = store_contact_get(core->store, &joiner->account, &arena, &contact);
    if (error == SOTTO_OK && contact.name[0] == '\0') {
        contact.name = joiner->name;
        error = store_contact_put(core->store, &contact);
    }
    arena_free(&arena);
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND)
        error = commit_queue(core, &joiner->room, &intent, "", 0);
    return error;
}

static char *text_of(struct arena *arena, sotto_bytes text)
{
    char *copy = arena_array(arena, text.size + 1, 1);
    if (copy != NULL && text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

static sotto_error consider(struct considered *c)
{
    struct sotto *core = c->core;
    struct store_contact contact;
    struct settings settings;
    TRY(who_asks(c));
    TRY(store_contact_get(core->store, &c->account, c->arena, &contact));
    if (contact.blocked)
        return SOTTO_OK;
    TRY(which_room(c));
    TRY(rules_settings(c->room->group, c->arena, &settings, NULL));
    if (settings.join == SOTTO_JOIN_CLOSED || settings_banned(&settings, &c->account))
        return SOTTO_OK;
    struct store_joiner joiner = {.room = c->room->id,
                                  .account = c->account,
                                  .device = c->request.device,
                                  .relay = text_of(c->arena, c->request.relay_of_sender),
                                  .capability = c->request.capability,
                                  .name = text_of(c->arena, c->request.name),
                                  .time_s = c->now_s};
    if (joiner.relay == NULL || joiner.name == NULL)
        return SOTTO_NO_MEMORY;
    bool may = rules_may(&settings, rules_role(c->room->group, &settings, &core->identity.account),
                         SOTTO_POLICY_ADD);
    if (settings.join != SOTTO_JOIN_OPEN || !may) {
        TRY(store_joiner_put(core->store, &joiner));
        return own_joiner_tell(core, &joiner);
    }
    c->room->wake = c->room->in_scope = true;
    return joiner_add(core, &joiner);
}

sotto_error joining_consider(struct sotto *core, sotto_bytes opened, uint64_t now_s)
{
    struct arena arena;
    struct considered c = {.core = core, .arena = &arena, .now_s = now_s};
    sotto_fault fault;
    arena_init(&arena, core->env);
    sotto_error error = join_request_read(opened, &c.request, &fault);
    if (error == SOTTO_OK)
        error = consider(&c);
    arena_free(&arena);
    return error_is_local(error) ? error : SOTTO_OK; /* nonsense, or of a link that is over */
}

/* ---- Links ----------------------------------------------------------------------------------- */

bool joining_revoked_next(struct sotto *core, uint8_t capability[static CAPABILITY_SIZE])
{
    struct arena arena;
    struct store_join_link *links = NULL;
    size_t count = 0;
    bool found = false;
    arena_init(&arena, core->env);
    if (store_join_links(core->store, &arena, &links, &count) != SOTTO_OK)
        count = 0;
    for (size_t i = 0; i < count && !found; i++)
        if (links[i].revoked) {
            memcpy(capability, links[i].capability, CAPABILITY_SIZE);
            found = true;
        }
    arena_free(&arena);
    return found;
}

sotto_error joining_revoked(struct sotto *core, const uint8_t capability[static CAPABILITY_SIZE])
{
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_join_link_erase(core->store, sotto_bytes_of(capability, CAPABILITY_SIZE));
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

/* A fresh capability for one's inbox, of which the relay is told. */
static sotto_error capability_grant(struct sotto *core, uint32_t uses, uint64_t lifetime_s,
                                    struct store_invitation *invitation)
{
    struct store_invitation stored = {0};
    memset(invitation, 0, sizeof *invitation);
    invitation->uses = uses;
    invitation->created_s = core_now_s(core);
    invitation->expires_s = invitation->created_s + lifetime_s;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_invitations_expire(core->store, invitation->created_s);
    if (error == SOTTO_OK)
        error = core->env->random(core->env->ctx, invitation->capability, CAPABILITY_SIZE);
    if (error == SOTTO_OK)
        error = store_invitation_put(core->store, invitation);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return core_store_problem(core, error, "saving the link");
    }
    inbox_reset(core);
    core->inbox.wanted = true;
    error = run_until_settled(core);
    core->inbox.wanted = false;
    sotto_bytes capability = sotto_bytes_of(invitation->capability, CAPABILITY_SIZE);
    bool granted =
        store_invitation_get(core->store, capability, &stored) == SOTTO_OK && stored.granted;
    wipe(&stored, sizeof stored);
    if (granted)
        return SOTTO_OK;
    (void)joining_revoked(core, invitation->capability); /* it must not be told later */
    return error != SOTTO_OK ? error
                             : problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                                           "Try again.", "The relay did not confirm the link.");
}

/* The group's title, if one may let people in there. */
static sotto_error link_check(struct sotto *core, const struct sotto_id *conversation,
                              struct arena *arena, struct store_room *row)
{
    struct room *room = NULL;
    struct settings settings;
    TRY(groups_begin(core, conversation, arena, &room, row));
    sotto_error error = groups_only(core, row);
    if (error == SOTTO_OK) {
        error = rules_settings(room->group, arena, &settings, NULL);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the group's settings");
        else if (!rules_may(&settings, rules_role(room->group, &settings, &core->identity.account),
                            SOTTO_POLICY_ADD))
            error = room_not_allowed(core, "letting people in takes another role");
        else if (settings.join == SOTTO_JOIN_CLOSED)
            error = room_not_allowed(core, "this group takes nobody by a link");
    }
    store_rollback(core->store); /* nothing was changed */
    return error;
}

sotto_error sotto_group_link(struct sotto *core, const struct sotto_id *conversation, uint32_t uses,
                             uint64_t lifetime_s, sotto_buf *link)
{
    struct arena arena;
    struct store_room row;
    struct store_invitation invitation;
    struct store_join_link made = {0};
    arena_init(&arena, core->env);
    sotto_error error = link_check(core, conversation, &arena, &row);
    if (error == SOTTO_OK)
        error = invite_terms(core, uses, lifetime_s);
    if (error == SOTTO_OK)
        error = capability_grant(core, uses, lifetime_s, &invitation);
    if (error == SOTTO_OK) {
        struct join_link join = {.relay = sotto_bytes_str(core->profile.relay),
                                 .account = core->identity.account,
                                 .device = core->identity.device,
                                 .capability =
                                     sotto_bytes_of(invitation.capability, CAPABILITY_SIZE),
                                 .expires = invitation.expires_s,
                                 .title = sotto_bytes_str(row.title),
                                 .name = sotto_bytes_str(core->profile.name)};
        memcpy(made.capability, invitation.capability, CAPABILITY_SIZE);
        made.room = row.room;
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = store_join_link_add(core->store, &made);
        if (error == SOTTO_OK)
            error = own_link_tell(core, &made, &invitation);
        if (error == SOTTO_OK)
            error = join_link_format(&join, link);
        if (error == SOTTO_OK)
            error = sotto_buf_append(link, (const uint8_t *)"", 1);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            (void)core_store_problem(core, error, "saving the link");
        }
    }
    wipe(&invitation, sizeof invitation);
    wipe(&made, sizeof made);
    arena_free(&arena);
    return error;
}

sotto_error sotto_group_links(struct sotto *core,
                              void (*each)(void *ctx, const struct sotto_join_link *link),
                              void *ctx)
{
    struct arena arena;
    struct store_join_link *links = NULL;
    size_t count = 0;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = store_join_links(core->store, &arena, &links, &count);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the links");
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct store_invitation invitation;
        sotto_bytes capability = sotto_bytes_of(links[i].capability, CAPABILITY_SIZE);
        if (links[i].revoked ||
            store_invitation_get(core->store, capability, &invitation) != SOTTO_OK)
            continue;
        struct sotto_join_link one = {.number = links[i].number,
                                      .uses = invitation.uses,
                                      .used = invitation.used,
                                      .expires_s = invitation.expires_s};
        memcpy(one.conversation.bytes, links[i].room.bytes, ROOM_ID_SIZE);
        wipe(&invitation, sizeof invitation);
        each(ctx, &one);
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_group_unlink(struct sotto *core, int64_t number)
{
    TRY(core_need_account(core));
    struct store_join_link link;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_join_link_at(core->store, number, &link);
    if (error == SOTTO_OK)
        error = store_join_link_revoke(core->store, number);
    if (error == SOTTO_OK)
        error = own_link_revoked_tell(core, &link);
    wipe(&link, sizeof link);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    if (error == SOTTO_NOT_FOUND)
        return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, "See `sotto group links`.",
                           "There is no link of that number.");
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "revoking the link");
    /* It opens nothing here from now on; the relay is told now or with the next connection. */
    inbox_reset(core);
    core->inbox.wanted = true;
    error = run_until_settled(core);
    core->inbox.wanted = false;
    return error;
}

/* ---- Deciding -------------------------------------------------------------------------------- */

sotto_error sotto_join_requests(struct sotto *core,
                                void (*each)(void *ctx, const struct sotto_join_request *request),
                                void *ctx)
{
    struct arena arena;
    struct store_joiner *joiners = NULL;
    size_t count = 0;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = store_joiners(core->store, &arena, &joiners, &count);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the requests");
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct sotto_join_request one = {.id = joiners[i].id, .time_s = joiners[i].time_s};
        struct store_room row;
        if (store_room_get(core->store, &joiners[i].room, &arena, &row) != SOTTO_OK)
            continue; /* this device is not there yet */
        memcpy(one.conversation.bytes, joiners[i].room.bytes, ROOM_ID_SIZE);
        memcpy(one.account.bytes, joiners[i].account.bytes, ACCOUNT_ID_SIZE);
        one.name = names_of(core, &joiners[i].account, &arena);
        if (one.name[0] == '\0')
            one.name = joiners[i].name;
        one.title = row.title;
        each(ctx, &one);
    }
    arena_free(&arena);
    return error;
}

static sotto_error joiner_find(struct sotto *core, int64_t id, struct arena *arena,
                               struct store_joiner *joiner)
{
    sotto_error error = store_joiner_get(core->store, id, arena, joiner);
    if (error == SOTTO_NOT_FOUND)
        return problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND,
                           "See `sotto group requests`.", "Nobody asks under that number.");
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the request");
}

static sotto_error approve(struct room *room, const struct store_joiner *joiner,
                           struct arena *arena)
{
    struct sotto *core = room->core;
    struct settings settings;
    sotto_error error = rules_settings(room->group, arena, &settings, NULL);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the group's settings");
    if (!rules_may(&settings, rules_role(room->group, &settings, &core->identity.account),
                   SOTTO_POLICY_ADD))
        return room_not_allowed(core, "letting people in takes another role");
    if (settings_banned(&settings, &joiner->account))
        return room_not_allowed(core, "that person is banned");
    if (!group_has(room->group, &joiner->account, NULL, NULL))
        error = joiner_add(core, joiner);
    if (error == SOTTO_OK)
        error = store_joiner_erase(core->store, joiner->id);
    if (error == SOTTO_OK)
        error = own_joiner_gone_tell(core, joiner);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "letting them in");
}

sotto_error sotto_join_approve(struct sotto *core, int64_t id, struct sotto_id *conversation)
{
    struct arena arena;
    struct store_joiner joiner;
    struct room *room = NULL;
    struct store_room row;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = joiner_find(core, id, &arena, &joiner);
    if (error == SOTTO_OK) {
        memcpy(conversation->bytes, joiner.room.bytes, ROOM_ID_SIZE);
        error = groups_begin(core, conversation, &arena, &room, &row);
        if (error == SOTTO_OK) {
            error = approve(room, &joiner, &arena);
            if (error != SOTTO_OK)
                room_abort_all(core);
            else
                error = groups_finish(core, error, "letting them in");
        }
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_join_refuse(struct sotto *core, int64_t id)
{
    struct arena arena;
    struct store_joiner joiner;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = joiner_find(core, id, &arena, &joiner);
    if (error != SOTTO_OK) {
        arena_free(&arena);
        return error;
    }
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_joiner_erase(core->store, id);
    if (error == SOTTO_OK)
        error = own_joiner_gone_tell(core, &joiner);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    arena_free(&arena);
    if (error == SOTTO_OK)
        return error;
    store_rollback(core->store);
    return core_store_problem(core, error, "refusing");
}

/* ---- Asking ---------------------------------------------------------------------------------- */

enum { ANSWER_DAYS = 30 };

/* The same link is the same question. */
static void room_of_link(sotto_bytes capability, struct room_id *room)
{
    uint8_t bytes[14 + CAPABILITY_SIZE] = "sotto.v1 asked";
    memcpy(bytes + 14, capability.data, CAPABILITY_SIZE);
    wire_hash(sotto_bytes_of(bytes, sizeof bytes), room->bytes);
    wipe(bytes, sizeof bytes);
}

/* Inside a transaction: what waits to be posted, shown as a conversation. */
static sotto_error asked_store(struct sotto *core, const struct join_link *link,
                               const struct room_id *id, sotto_bytes own, struct arena *arena)
{
    struct store_room row;
    struct store_outgoing outgoing;
    struct store_asked asked = {.room = *id,
                                .link = link->capability,
                                .account = link->account,
                                .device = link->device,
                                .capability = own};
    memset(&row, 0, sizeof row);
    row.room = *id;
    row.kind = STORE_ROOM_GROUP;
    row.state = STORE_ROOM_ASKED;
    row.title = text_is_line(link->title) ? text_of(arena, link->title) : "";
    row.relay = text_of(arena, link->relay);
    row.trouble = TROUBLE_ASKED;
    row.next_seq = 1;
    row.created_s = row.active_s = core_now_s(core);
    if (row.title == NULL || row.relay == NULL)
        return SOTTO_NO_MEMORY;
    TRY(store_room_add(core->store, &row));
    TRY(store_asked_put(core->store, &asked));
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.room = *id;
    outgoing.kind = STORE_OUT_CREATE; /* the request, which is not sealed yet */
    outgoing.state = STORE_OUT_WANTED;
    outgoing.client_id = outgoing.relay = outgoing.error = "";
    outgoing.created_s = core_now_s(core);
    TRY(core->env->random(core->env->ctx, outgoing.request.bytes, REQUEST_ID_SIZE));
    return store_outgoing_add(core->store, &outgoing, &(int64_t){0});
}

static sotto_error ask_with(struct sotto *core, const struct join_link *link, struct arena *arena,
                            struct sotto_id *conversation)
{
    struct room_id id;
    struct store_room row;
    struct store_invitation own;
    room_of_link(link->capability, &id);
    memcpy(conversation->bytes, id.bytes, ROOM_ID_SIZE);
    if (core_is_own(core, &link->account))
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_OWN_LINK,
                           "Give it to somebody else.", "This is your own link.");
    if (link->expires <= core_now_s(core))
        return problem_set(&core->problem, SOTTO_LIFETIME, SOTTO_CODE_INVITATION_EXPIRED,
                           "Ask for a new link.", "This link has expired.");
    sotto_error error = store_room_get(core->store, &id, arena, &row);
    if (error == SOTTO_OK)
        return SOTTO_OK; /* asked already */
    if (error != SOTTO_NOT_FOUND)
        return core_store_problem(core, error, "reading the conversations");
    TRY(capability_grant(core, 1, (uint64_t)ANSWER_DAYS * 86400, &own));
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error =
            asked_store(core, link, &id, sotto_bytes_of(own.capability, CAPABILITY_SIZE), arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        (void)core_store_problem(core, error, "saving the request");
    }
    wipe(&own, sizeof own);
    return error;
}

sotto_error sotto_group_ask(struct sotto *core, const char *text, struct sotto_id *conversation)
{
    struct arena arena;
    struct join_link link;
    sotto_fault fault = {SOTTO_OK, "", 0};
    sotto_buf bytes;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_buf_init(&bytes, core->env);
    sotto_error error = join_link_parse(sotto_bytes_str(text), &bytes, &link, &fault);
    if (error != SOTTO_OK)
        (void)problem_set(&core->problem, error, SOTTO_CODE_BAD_LINK,
                          "Copy it whole, from sotto:// to its last character.",
                          "This is not a whole link to join a group (%s).", fault.what);
    else
        error = ask_with(core, &link, &arena, conversation);
    sotto_buf_free(&bytes);
    arena_free(&arena);
    return error;
}

/* ---- A step of asking ------------------------------------------------------------------------ */

sotto_error joining_refused(struct room *room, const struct store_room *row)
{
    struct store_room over = *row;
    over.state = STORE_ROOM_REMOVED;
    over.trouble = TROUBLE_OVER;
    TRY(room_fail_outbox(room->core, &room->id));
    return store_room_put(room->core->store, &over);
}

sotto_error joining_answered(struct sotto *core, sotto_bytes capability)
{
    struct room_id id;
    sotto_error error = store_asked_room(core->store, capability, &id);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    struct room *room = room_of(core, &id);
    if (room != NULL)
        room->gone = true;
    return store_room_erase(core->store, &id);
}

/* Inside a transaction: the request, sealed, in the outbox in place of the wish. */
static sotto_error request_seal(struct room *room, const struct store_room *row,
                                sotto_bytes manifest, struct arena *arena)
{
    struct sotto *core = room->core;
    struct store_asked asked;
    struct store_outgoing outgoing;
    struct manifest theirs;
    struct join_request request;
    sotto_bytes newest;
    sotto_fault fault;
    sotto_buf plain, sealed;
    TRY(store_outgoing_get(core->store, room->doing_row, arena, &outgoing));
    TRY(store_asked_get(core->store, &room->id, arena, &asked));
    TRY(manifest_learn(core, &asked.account, manifest, arena, &newest, &fault));
    TRY(manifest_read(newest, arena, &theirs, &fault));
    const struct device *device = manifest_device(&theirs, &asked.device);
    if (device == NULL)
        return SOTTO_CREDENTIAL;
    memset(&request, 0, sizeof request);
    sotto_buf_init(&plain, core->env);
    sotto_buf_init(&sealed, core->env);
    sotto_error error = store_own_manifest_get(core->store, arena, &request.manifest);
    if (error == SOTTO_OK) {
        request.link = asked.link;
        request.device = core->identity.device;
        request.relay_of_sender = sotto_bytes_str(core->profile.relay);
        request.capability = asked.capability;
        request.name = sotto_bytes_str(core->profile.name);
        error = join_request_write(&request, &asked.account, &asked.device,
                                   core->identity.signature_private.data, &plain);
    }
    if (error == SOTTO_OK)
        error = identity_seal(core->crypto, &asked.account, &asked.device, device->inbox_key,
                              sotto_buf_view(&plain), &sealed);
    if (error == SOTTO_OK) {
        struct store_outgoing post = outgoing;
        post.kind = STORE_OUT_ENVELOPE;
        post.state = STORE_OUT_READY;
        post.bytes = sotto_buf_view(&sealed);
        post.relay = row->relay;
        post.account = asked.account;
        post.device = asked.device;
        post.capability = asked.link;
        error = store_outgoing_erase(core->store, outgoing.id);
        if (error == SOTTO_OK)
            error = store_outgoing_add(core->store, &post, &(int64_t){0});
    }
    sotto_buf_free(&plain);
    sotto_buf_free(&sealed);
    return error;
}

static void on_manifest(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room row;
    room->busy = false;
    room->wake = true;
    if (error != SOTTO_OK && net_transient(error, answer)) {
        struct sotto_problem problem;
        problem_clear(&problem);
        net_problem(room->doing_conn, error, answer, &problem);
        room_stuck(room, &problem);
        return;
    }
    bool answered = error == SOTTO_OK;
    arena_init(&arena, core->env);
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &room->id, &arena, &row);
    if (error == SOTTO_OK && row.state == STORE_ROOM_ASKED) {
        if (answered)
            error = request_seal(room, &row, answer->manifest, &arena);
        /* The link is over, or what the relay gives out as that person's keys is not theirs. */
        if (!answered || (error != SOTTO_OK && !error_is_local(error)))
            error = joining_refused(room, &row);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error != SOTTO_NOT_FOUND)
            room_local_failure(room, error, "asking to join");
    }
    arena_free(&arena);
}

void joining_step(struct room *room, const struct store_room *row)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    struct store_asked asked;
    if (room_post_next(room))
        return;
    arena_init(&arena, core->env);
    sotto_error error =
        store_outgoing_next(core->store, &room->id, STORE_OUT_ENTRIES, 0, &arena, &outgoing);
    if (error == SOTTO_OK)
        error = store_asked_get(core->store, &room->id, &arena, &asked);
    if (error == SOTTO_OK && room_connect(room, row)) {
        struct message message;
        memset(&message, 0, sizeof message);
        message.type = MESSAGE_GET_MANIFEST;
        message.get_manifest.permission = (struct permission){PERMISSION_CAPABILITY, asked.link};
        message.get_manifest.account = asked.account;
        room->doing_row = outgoing.id;
        error = room_request(room, room->conn, &message, on_manifest);
    }
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        room_local_failure(room, error, "asking to join");
    arena_free(&arena);
}
