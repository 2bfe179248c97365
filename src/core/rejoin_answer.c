#include <string.h>

#include "core/rejoin.h"
#include "wire/rejoin.h"

enum {
    REQUEST_AGE_S = 14 * 86400,
    REQUEST_AHEAD_S = 2 * 86400, /* clocks are wrong by a day */
};

#define OUT_REJOIN "rejoin."

/* ---- A request ------------------------------------------------------------------------------ */

struct answering {
    struct sotto *core;
    struct arena *arena;
    struct rejoin_request request;
    struct account_id account;
    sotto_bytes manifest; /* the newest known of the account */
    sotto_buf reference;
    uint64_t not_before_s;
    uint64_t now_s;
};

/* Who asks, as their account's newest manifest has it; CREDENTIAL: nobody. */
static sotto_error who_asks(struct answering *a)
{
    struct sotto *core = a->core;
    struct manifest manifest;
    bool found = false;
    TRY(manifest_learn_any(core, a->request.manifest, a->arena, &a->account));
    TRY(manifest_newest(core, &a->account, a->arena, &manifest, &found));
    const struct device *device = found ? manifest_device(&manifest, &a->request.device) : NULL;
    if (device == NULL || device->signature_key.size != SIGN_KEY_SIZE ||
        (core_is_own(core, &a->account) &&
         device_id_equal(&a->request.device, &core->identity.device)) ||
        !rejoin_request_verify(core->env, &a->request, &core->identity.account,
                               &core->identity.device, device->signature_key.data))
        return SOTTO_CREDENTIAL;
    return core_is_own(core, &a->account)
               ? store_own_manifest_get(core->store, a->arena, &a->manifest)
               : store_manifest_get(core->store, &a->account, a->arena, &a->manifest);
}

/* The KeyPackage is that device's. */
static sotto_error package_check(struct answering *a)
{
    struct sotto *core = a->core;
    struct account_id account;
    struct device_id device;
    sotto_mls_leaf leaf;
    sotto_fault fault;
    uint16_t suite = 0;
    TRY(sotto_mls_key_package_inspect(core->mls, a->request.key_package, &leaf, &suite,
                                      &a->reference));
    TRY(identity_leaf_ids(&leaf, &account, &device));
    if (!account_id_equal(&account, &a->account) || !device_id_equal(&device, &a->request.device) ||
        suite != core->identity_mls.mls.suite)
        return SOTTO_CREDENTIAL;
    a->not_before_s = leaf.not_before;
    return identity_judge_leaf(core->env, &leaf, NULL, a->manifest, &fault);
}

/* Whether the person is in that room, and did not come back since. */
static sotto_error room_check(struct answering *a, bool *in)
{
    struct sotto *core = a->core;
    struct store_contact contact;
    struct store_room row;
    uint64_t came = 0;
    *in = false;
    /* Others name rooms as they like: nothing is kept for one that is not known. */
    sotto_error error = store_room_get(core->store, &a->request.room, a->arena, &row);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    struct room *room = room_of(core, &a->request.room);
    if (room == NULL)
        return SOTTO_NO_MEMORY;
    TRY(room_enter(room, a->arena, &row));
    if (row.state != STORE_ROOM_ACTIVE || !group_has(room->group, &a->account, NULL, NULL))
        return SOTTO_OK;
    if (!core_is_own(core, &a->account)) {
        error = store_contact_get(core->store, &a->account, a->arena, &contact);
        if (error != SOTTO_OK || contact.blocked)
            return error;
    }
    TRY(store_rejoin_came_get(core->store, &room->id, &a->account, &a->request.device, &came));
    *in = a->not_before_s > came;
    return SOTTO_OK;
}

/* An earlier request of that device makes room for this one. */
static sotto_error earlier_drop(struct answering *a, const char *client_id)
{
    struct store *store = a->core->store;
    struct store_outgoing outgoing;
    sotto_error error =
        store_outgoing_by_client(store, &a->request.room, client_id, a->arena, &outgoing);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    return store_outgoing_erase(store, outgoing.id);
}

/* The room is entered. */
static sotto_error answer_queue(struct answering *a)
{
    struct sotto *core = a->core;
    struct store_take take;
    struct commit_intent intent;
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1], relay[WIRE_ADDRESS_MAX + 1];
    struct room *room = room_of(core, &a->request.room);
    bool coming = false;
    TRY(commit_lets_in(room, &a->account, &a->request.device, a->arena, &coming));
    if (coming) /* by what it asked for before, or that somebody wished; else it asks again */
        return SOTTO_OK;
    core_id_hex(a->request.device.bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(client_id, sizeof client_id, OUT_REJOIN "%s", hex);
    TRY(earlier_drop(a, client_id));
    (void)snprintf(relay, sizeof relay, "%.*s", (int)a->request.relay_of_sender.size,
                   (const char *)a->request.relay_of_sender.data);
    memset(&take, 0, sizeof take);
    take.room = a->request.room;
    take.account = a->account;
    take.device = a->request.device;
    take.relay = relay;
    take.key_package = a->request.key_package;
    take.manifest = a->manifest;
    take.created_s = a->now_s;
    TRY(core->env->random(core->env->ctx, take.take_id.bytes, REQUEST_ID_SIZE));
    TRY(store_take_put(core->store, &take));
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_REJOIN;
    intent.account = a->account;
    intent.device = a->request.device;
    intent.relay = a->request.relay_of_sender;
    /* Several were asked: not all of them jump at once. */
    uint64_t pause = core->patient ? net_jitter(core, 5) : 0;
    TRY(commit_queue(core, &a->request.room, &intent, client_id, pause > 0 ? a->now_s + pause : 0));
    room->wake = room->in_scope = true;
    return SOTTO_OK;
}

static sotto_error consider(struct answering *a, sotto_bytes opened)
{
    struct sotto *core = a->core;
    sotto_fault fault;
    bool in = false;
    TRY(rejoin_request_read(opened, &a->request, &fault));
    if (a->request.time_s > a->now_s + REQUEST_AHEAD_S ||
        a->request.time_s + REQUEST_AGE_S < a->now_s)
        return SOTTO_VALUE;
    TRY(who_asks(a));
    TRY(package_check(a));
    TRY(room_check(a, &in));
    if (!in)
        return SOTTO_CREDENTIAL;
    TRY(store_rejoin_seen(core->store, sotto_buf_view(&a->reference), a->now_s,
                          a->now_s + REQUEST_AGE_S + REQUEST_AHEAD_S));
    return answer_queue(a);
}

sotto_error rejoin_consider(struct sotto *core, sotto_bytes opened, uint64_t now_s)
{
    struct arena arena;
    arena_init(&arena, core->env);
    struct answering answering = {.core = core, .arena = &arena, .now_s = now_s};
    sotto_buf_init(&answering.reference, core->env);
    sotto_error error = consider(&answering, opened);
    sotto_buf_free(&answering.reference);
    arena_free(&arena);
    return error_is_local(error) ? error : SOTTO_OK; /* refused: it is dropped without a word */
}

/* ---- The commit ----------------------------------------------------------------------------- */

sotto_error rejoin_wanted(struct room *room, const struct commit_intent *intent,
                          struct arena *arena, struct store_take *take, uint32_t *leaf,
                          bool *wanted)
{
    struct sotto *core = room->core;
    sotto_bytes manifest = {NULL, 0};
    sotto_mls_leaf offered;
    sotto_fault fault;
    uint64_t came = 0;
    *wanted = false;
    *leaf = UINT32_MAX;
    sotto_error error =
        store_take_get(core->store, &room->id, &intent->account, &intent->device, arena, take);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    /* All of it again: the log may have shown more since the request came. */
    if (!group_has(room->group, &intent->account, NULL, NULL))
        return SOTTO_OK;
    TRY(core_is_own(core, &intent->account)
            ? store_own_manifest_get(core->store, arena, &manifest)
            : store_manifest_get(core->store, &intent->account, arena, &manifest));
    if (sotto_mls_key_package_inspect(core->mls, take->key_package, &offered, NULL, NULL) !=
            SOTTO_OK ||
        identity_judge_leaf(core->env, &offered, NULL, manifest, &fault) != SOTTO_OK)
        return SOTTO_OK;
    TRY(store_rejoin_came_get(core->store, &room->id, &intent->account, &intent->device, &came));
    if (offered.not_before <= came)
        return SOTTO_OK; /* somebody else was faster */
    (void)group_has(room->group, &intent->account, &intent->device, leaf);
    *wanted = true;
    return SOTTO_OK;
}

sotto_error rejoin_came(struct sotto *core, const struct room_id *room,
                        const struct account_id *account, const struct device_id *device,
                        const sotto_mls_leaf *leaf)
{
    return store_rejoin_came_put(core->store, room, account, device, leaf->not_before);
}
