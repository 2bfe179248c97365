/* What an Add needs first: the account's manifest, and a KeyPackage of each of its devices. Each
 * step is stored before it is asked for (take_id), so that a crash takes nothing twice. */
#include <string.h>

#include "core/people.h"

#define TROUBLE_NEVER_BEGAN \
    "The conversation could not begin, and nothing was sent. Ask for a new invitation."

/* ---- What is there ---- */

static bool device_is_zero(const struct device_id *device)
{
    static const struct device_id zero;
    return device_id_equal(device, &zero);
}

bool take_is_of(const struct store_take *take, const struct commit_intent *intent)
{
    return account_id_equal(&take->account, &intent->account) &&
           (device_is_zero(&intent->device) || device_id_equal(&take->device, &intent->device));
}

/* The takes of one intent: how many, and the first that has no KeyPackage yet. */
static sotto_error takes_of(struct room *room, const struct commit_intent *intent,
                            struct arena *arena, size_t *count, struct store_take **missing)
{
    struct store_take *takes = NULL;
    size_t all = 0;
    TRY(store_takes_of(room->core->store, &room->id, &intent->account, arena, &takes, &all));
    *count = 0;
    *missing = NULL;
    for (size_t i = 0; i < all; i++) {
        if (!take_is_of(&takes[i], intent))
            continue;
        ++*count;
        if (takes[i].key_package.size == 0 && *missing == NULL)
            *missing = &takes[i];
    }
    return SOTTO_OK;
}

sotto_error take_ready(struct room *room, const struct commit_intent *intent, bool *ready)
{
    struct arena arena;
    struct store_take *missing = NULL;
    size_t count = 0;
    arena_init(&arena, room->core->env);
    sotto_error error = takes_of(room, intent, &arena, &count, &missing);
    *ready = error == SOTTO_OK && count > 0 && missing == NULL;
    arena_free(&arena);
    return error;
}

bool take_all_ready(struct room *room)
{
    struct arena arena;
    struct store_outgoing outgoing;
    struct commit_intent intent;
    int64_t after = 0;
    bool ready = true;
    arena_init(&arena, room->core->env);
    while (ready && store_outgoing_next(room->core->store, &room->id, STORE_OUT_COMMITS, after,
                                        &arena, &outgoing) == SOTTO_OK) {
        after = outgoing.id;
        if (commit_intent_read(outgoing.intent, &intent) == SOTTO_OK &&
            intent.action == COMMIT_ADD && take_ready(room, &intent, &ready) != SOTTO_OK)
            ready = false;
    }
    arena_free(&arena);
    return ready;
}

/* ---- Giving up ---- */

/* Inside a transaction: the other person will not come. What one wrote to them meanwhile stays, as
 * failed; without any, nothing of the conversation does. */
static sotto_error never_began(struct room *room, struct store_room *row, struct arena *arena)
{
    struct sotto *core = room->core;
    struct store_listing listing;
    TRY(store_listing_get(core->store, &room->id, arena, &listing));
    room_forget_group(room);
    if (listing.last == 0) {
        room->gone = true;
        return store_room_erase(core->store, &room->id);
    }
    row->state = STORE_ROOM_REMOVED;
    row->trouble = TROUBLE_NEVER_BEGAN;
    TRY(store_records_clear(core->store, &room->id));
    TRY(room_fail_outbox(core, &room->id));
    return store_room_put(core->store, row);
}

sotto_error take_intent_drop(struct room *room, int64_t id)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    struct commit_intent intent;
    struct store_room row;
    struct store_take *takes = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_outgoing_get(core->store, id, &arena, &outgoing);
    if (error == SOTTO_OK)
        error = commit_intent_read(outgoing.intent, &intent);
    if (error == SOTTO_OK)
        error = store_takes_of(core->store, &room->id, &intent.account, &arena, &takes, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        if (take_is_of(&takes[i], &intent))
            error = store_take_erase(core->store, &room->id, &takes[i].account, &takes[i].device);
    if (error == SOTTO_OK)
        error = store_outgoing_erase(core->store, id);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &room->id, &arena, &row);
    if (error == SOTTO_OK && row.kind == STORE_ROOM_DIRECT && row.state == STORE_ROOM_CREATING) {
        if (intent.capability.size > 0)
            error = store_accepted_erase(core->store, intent.capability);
        if (error == SOTTO_OK)
            error = never_began(room, &row, &arena);
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* The intent under way is given up. False: that could not be stored. */
static bool intent_drop(struct room *room)
{
    struct sotto *core = room->core;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = take_intent_drop(room, room->doing_row);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return true;
    room_abort(room);
    room_local_failure(room, error, "giving up adding someone");
    return false;
}

static void intent_fail(struct room *room, const struct sotto_problem *problem)
{
    if (intent_drop(room))
        room_note(room, problem);
}

static void intent_bad(struct room *room, sotto_error error, const char *what)
{
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_set(&problem, error, SOTTO_CODE_BAD_IDENTITY,
                      "Nothing was sent to them. Compare fingerprints with the person over another "
                      "channel before you try again; the relay may be lying.",
                      "What the relay gave out as the other person's keys is not valid: %s.", what);
    intent_fail(room, &problem);
}

/* A device of one's own that was linked a moment ago publishes its keys in the next one. */
static uint64_t own_pause_s(uint32_t tries)
{
    return tries < 20 ? 1 : tries < 40 ? 10 : 300;
}

static void intent_later(struct room *room, const struct sotto_problem *problem, bool own)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_outgoing_get(core->store, room->doing_row, &arena, &outgoing);
    if (error == SOTTO_OK) {
        outgoing.tries++;
        outgoing.not_before_s =
            core_now_s(core) + (own ? own_pause_s(outgoing.tries) : TRANSIENT_PAUSE_S);
        outgoing.error = sotto_code_name(problem->code);
        error = store_outgoing_put(core->store, &outgoing);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    room_note(room, problem);
    arena_free(&arena);
}

/* A request failed: for now, or for good. */
static void take_failed(struct room *room, sotto_error error, const struct message *answer)
{
    sotto_bytes owner = sotto_bytes_of(room->doing_id.bytes, REQUEST_ID_SIZE);
    enum token_outcome outcome =
        token_refused(room->core, room->doing_conn->relay, owner, error, answer);
    struct sotto_problem problem;
    problem_clear(&problem);
    net_problem(room->doing_conn, error, answer, &problem);
    const bool mine = core_is_own(room->core, &room->doing_account);
    const bool own = mine && problem.code == SOTTO_CODE_NO_KEY_PACKAGE;
    if (outcome == TOKEN_AGAIN)
        return;
    if (outcome == TOKEN_WAIT)
        room_wait_token(room);
    else if (mine && problem.code == SOTTO_CODE_NO_ACCOUNT)
        /* A device of one's own that the account's newest list, not known here yet, has not. */
        (void)intent_drop(room);
    else if (own || net_transient(error, answer))
        intent_later(room, &problem, own);
    else
        intent_fail(room, &problem);
}

/* ---- Manifests ---- */

/* Where the account is now: it may have moved since that was wanted. A capability is good where it
 * was given. */
static const char *relay_of(struct sotto *core, const struct commit_intent *intent,
                            struct arena *arena)
{
    struct store_contact contact;
    if (core_is_own(core, &intent->account))
        return core->profile.relay;
    if (intent->capability.size == 0 &&
        store_contact_get(core->store, &intent->account, arena, &contact) == SOTTO_OK &&
        contact.relay[0] != '\0')
        return contact.relay;
    char *relay = arena_array(arena, intent->relay.size + 1, 1);
    if (relay != NULL && intent->relay.size > 0)
        memcpy(relay, intent->relay.data, intent->relay.size);
    return relay;
}

/* Inside a transaction: a take for each device that is to be added. *gone: the one that is wanted
 * is the account's no more, so there is nothing to add. */
static sotto_error takes_plan(struct room *room, const struct commit_intent *intent,
                              sotto_bytes bytes, struct arena *arena, sotto_fault *fault,
                              bool *gone)
{
    struct sotto *core = room->core;
    struct manifest manifest;
    TRY(manifest_read(bytes, arena, &manifest, fault));
    size_t planned = 0;
    const char *relay = relay_of(core, intent, arena);
    if (relay == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < manifest.device_count; i++) {
        if (!device_is_zero(&intent->device) &&
            !device_id_equal(&intent->device, &manifest.devices[i].id))
            continue;
        planned++;
        struct store_take take;
        /* Another process may have planned it, taken it, and committed with it meanwhile. */
        sotto_error found = store_take_get(core->store, &room->id, &intent->account,
                                           &manifest.devices[i].id, arena, &take);
        if (found == SOTTO_OK)
            continue;
        if (found != SOTTO_NOT_FOUND)
            return found;
        memset(&take, 0, sizeof take);
        take.room = room->id;
        take.account = intent->account;
        take.device = manifest.devices[i].id;
        take.relay = relay;
        take.capability = intent->capability;
        take.manifest = bytes;
        take.created_s = core_now_s(core);
        TRY(core->env->random(core->env->ctx, take.take_id.bytes, REQUEST_ID_SIZE));
        TRY(store_take_put(core->store, &take));
    }
    /* The members know the devices before they come. */
    if (planned > 0 && manifest.number > 1 && room->group != NULL &&
        sotto_mls_member_count(room->group) > 1)
        return room_queue_manifest(core, &room->id, &intent->account, bytes, manifest.number);
    *gone = planned == 0;
    return SOTTO_OK;
}

static void inviter_gone(struct room *room)
{
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_set(&problem, SOTTO_REFUSED, SOTTO_CODE_INVITATION_UNKNOWN,
                      "Ask the person for another invitation.",
                      "The device that invited is no longer the person's, and so its invitation is "
                      "over.");
    room_note(room, &problem);
}

static void on_manifest(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    struct sotto *core = room->core;
    room->busy = false;
    room->wake = true;
    if (error != SOTTO_OK) {
        take_failed(room, error, answer);
        return;
    }
    struct arena arena;
    struct store_outgoing outgoing;
    struct commit_intent intent;
    sotto_bytes newest = {NULL, 0};
    sotto_fault fault = {SOTTO_OK, "manifest", 0};
    bool gone = false;
    arena_init(&arena, core->env);
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_outgoing_get(core->store, room->doing_row, &arena, &outgoing);
    if (error == SOTTO_OK)
        error = commit_intent_read(outgoing.intent, &intent);
    if (error == SOTTO_OK)
        error = manifest_learn(core, &intent.account, answer->manifest, &arena, &newest, &fault);
    if (error == SOTTO_OK)
        error = takes_plan(room, &intent, newest, &arena, &fault, &gone);
    if (error == SOTTO_OK && gone)
        error = take_intent_drop(room, room->doing_row);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK && gone && intent.capability.size > 0)
        inviter_gone(room);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error == SOTTO_CREDENTIAL)
            people_conflict_note(core, &intent.account, answer->manifest);
        if (error_is_local(error))
            room_local_failure(room, error, "storing the other person's devices");
        else if (error != SOTTO_NOT_FOUND) /* another process finished the intent */
            intent_bad(room, error, fault.what);
    }
    arena_free(&arena);
}

static sotto_error manifest_request(struct room *room, struct conn *conn,
                                    const struct commit_intent *intent)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_GET_MANIFEST;
    message.get_manifest.permission.kind =
        intent->capability.size > 0 ? PERMISSION_CAPABILITY : PERMISSION_NONE;
    message.get_manifest.permission.value = intent->capability;
    message.get_manifest.account = intent->account;
    room->doing_account = intent->account;
    return room_request(room, conn, &message, on_manifest);
}

/* ---- KeyPackages ---- */

/* Whether it is the right device's, for this group's suite, and its leaf stands up to the manifest.
 */
static sotto_error key_package_check(struct room *room, const struct store_take *take,
                                     sotto_bytes key_package, const char **what)
{
    struct sotto *core = room->core;
    sotto_mls_leaf leaf;
    uint16_t suite = 0;
    struct account_id account;
    struct device_id device;
    sotto_fault fault = {SOTTO_OK, "KeyPackage", 0};
    sotto_error error = sotto_mls_key_package_inspect(core->mls, key_package, &leaf, &suite, NULL);
    if (error != SOTTO_OK) {
        *what = sotto_mls_fault(core->mls)->what;
        return error;
    }
    *what = "KeyPackage of another device";
    TRY(identity_leaf_ids(&leaf, &account, &device));
    if (!account_id_equal(&account, &take->account) || !device_id_equal(&device, &take->device))
        return SOTTO_CREDENTIAL;
    if (suite != core->identity_mls.mls.suite) {
        *what = "KeyPackage for another cipher suite";
        return SOTTO_UNSUPPORTED;
    }
    /* RFC 9420, 7.3: what is about to be added has to be valid now. */
    uint64_t now = core_now_s(core);
    if (now + CLOCKS_DIFFER_S < leaf.not_before ||
        (now > leaf.not_after && now - leaf.not_after > CLOCKS_DIFFER_S)) {
        *what = "KeyPackage: its lifetime has not begun, or is over";
        return SOTTO_LIFETIME;
    }
    error = identity_judge_leaf(core->env, &leaf, NULL, take->manifest, &fault);
    *what = fault.what;
    return error;
}

static void on_taken(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    struct sotto *core = room->core;
    room->busy = false;
    room->wake = true;
    if (error != SOTTO_OK) {
        take_failed(room, error, answer);
        return;
    }
    struct arena arena;
    struct store_take take;
    const char *what = "KeyPackage";
    arena_init(&arena, core->env);
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_take_get(core->store, &room->id, &room->doing_account, &room->doing_device,
                               &arena, &take);
    bool first = error == SOTTO_OK && take.key_package.size == 0;
    if (first)
        error = key_package_check(room, &take, answer->key_package, &what);
    if (first && error == SOTTO_OK) {
        take.key_package = answer->key_package;
        error = store_take_put(core->store, &take);
    }
    if (error == SOTTO_OK)
        error =
            store_token_erase(core->store, sotto_bytes_of(room->doing_id.bytes, REQUEST_ID_SIZE));
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error_is_local(error))
            room_local_failure(room, error, "storing the other person's keys");
        else if (error != SOTTO_NOT_FOUND)
            intent_bad(room, error, what);
    }
    arena_free(&arena);
}

/* Inside a transaction, to be committed before anything is sent. */
static sotto_error take_request(struct room *room, struct conn *conn, const struct store_take *take)
{
    struct token_payment payment = {0};
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_TAKE_KEY_PACKAGE;
    if (take->capability.size == 0)
        TRY(token_reserve(room->core, conn->relay,
                          sotto_bytes_of(take->take_id.bytes, REQUEST_ID_SIZE), &payment));
    message.take_key_package.permission =
        take->capability.size > 0 ? (struct permission){PERMISSION_CAPABILITY, take->capability}
                                  : payment.permission;
    message.take_key_package.take_id = take->take_id;
    message.take_key_package.account = take->account;
    message.take_key_package.device = take->device;
    room->doing_account = take->account;
    room->doing_device = take->device;
    room->doing_id = take->take_id;
    sotto_error error = room_request(room, conn, &message, on_taken);
    token_payment_wipe(&payment);
    return error;
}

/* ---- The next ---- */

/* False: nothing can be asked for this intent now. */
static bool intent_fetch(struct room *room, const struct store_outgoing *outgoing,
                         const struct commit_intent *intent, struct arena *arena)
{
    size_t count = 0;
    struct store_take *missing = NULL;
    if (takes_of(room, intent, arena, &count, &missing) != SOTTO_OK ||
        (count > 0 && missing == NULL))
        return false;
    const char *relay = relay_of(room->core, intent, arena);
    struct conn *conn = relay != NULL ? net_conn(room->core, relay, CONNECTION_ROOM) : NULL;
    if (conn == NULL)
        return false;
    if (!conn_up(conn)) {
        if (conn_failed(conn))
            room_note(room, &conn->problem);
        else if (room->retry_ms == 0)
            room->retry_ms = conn->retry_ms;
        return false;
    }
    /* One's own devices are known without asking. */
    if (count == 0 && core_is_own(room->core, &intent->account)) {
        sotto_bytes manifest;
        sotto_fault fault;
        bool gone = false;
        sotto_error error = store_own_manifest_get(room->core->store, arena, &manifest);
        if (error == SOTTO_OK)
            error = takes_plan(room, intent, manifest, arena, &fault, &gone);
        /* It left the account before it came into the room. */
        if (gone || (error != SOTTO_OK && !error_is_local(error)))
            (void)store_outgoing_erase(room->core->store, outgoing->id);
        if (error != SOTTO_OK || takes_of(room, intent, arena, &count, &missing) != SOTTO_OK ||
            missing == NULL)
            return false;
    }
    room->doing_row = outgoing->id;
    memset(&room->doing_id, 0, sizeof room->doing_id);
    return (count == 0 ? manifest_request(room, conn, intent)
                       : take_request(room, conn, missing)) == SOTTO_OK;
}

static bool intent_wants(struct room *room, const struct store_outgoing *outgoing,
                         struct commit_intent *intent)
{
    return outgoing->state == STORE_OUT_WANTED &&
           outgoing->not_before_s <= core_now_s(room->core) &&
           commit_intent_read(outgoing->intent, intent) == SOTTO_OK &&
           intent->action == COMMIT_ADD &&
           (room->group == NULL || !commit_add_done(room->core, room->group, intent));
}

/* Inside a transaction: looks at the intents from that one on. */
static sotto_error take_from(struct room *room, int64_t from, struct arena *arena, bool *asking)
{
    struct sotto *core = room->core;
    struct store_outgoing outgoing;
    struct commit_intent intent;
    int64_t after = from > 0 ? from - 1 : 0;
    for (;;) {
        sotto_error error =
            store_outgoing_next(core->store, &room->id, STORE_OUT_COMMITS, after, arena, &outgoing);
        if (error != SOTTO_OK)
            return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
        after = outgoing.id;
        if (core->patient && outgoing.not_before_s > core_now_s(core) && room->retry_ms == 0)
            room->retry_ms = net_now_ms(room->core) + 1000;
        if (intent_wants(room, &outgoing, &intent) &&
            intent_fetch(room, &outgoing, &intent, arena)) {
            room->taking = outgoing.id;
            *asking = true;
            return SOTTO_OK;
        }
    }
}

bool take_next(struct room *room)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_outgoing outgoing;
    struct store_room fresh;
    bool asking = false;
    arena_init(&arena, core->env);
    /* Mostly there is none: nobody is kept from writing to see that. */
    sotto_error error =
        store_outgoing_next(core->store, &room->id, STORE_OUT_COMMITS, 0, &arena, &outgoing);
    if (error == SOTTO_NOT_FOUND) {
        arena_free(&arena);
        return false;
    }
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &fresh);
    /* A thousand people are added in one pass; that nothing is missing any more, all of it says. */
    if (error == SOTTO_OK && room->taking != 0)
        error = take_from(room, room->taking, &arena, &asking);
    if (error == SOTTO_OK && !asking) {
        room->taking = 0;
        error = take_from(room, 0, &arena, &asking);
    }
    if (error == SOTTO_OK) /* nothing was changed, but that a token may be reserved */
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    if (error != SOTTO_OK)
        room_local_failure(room, error, "looking at what is to be done");
    arena_free(&arena);
    return asking;
}
