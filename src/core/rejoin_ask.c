#include <string.h>

#include "core/rejoin.h"
#include "wire/rejoin.h"

enum {
    PEOPLE_A_ROUND = 3,   /* besides the devices of one's own account */
    DEVICES_A_PERSON = 3, /* of those in its manifest */
    ROUNDS_MAX = 60,      /* some two months, and then it is given up */
    REQUEST_DAYS = 14,    /* how long a request's KeyPackage is good */
};

#define OUT_ASK "ask."
#define TROUBLE_AWAY                                                                        \
    "This device was away for longer than the relay keeps messages. It asks members to let" \
    " it in again; what you write waits until then."
#define TROUBLE_NOBODY                                                                     \
    "This device was away for longer than the relay keeps messages, and knows nobody here" \
    " whom it could ask. Ask a member to remove you and add you again."
#define TROUBLE_GIVEN_UP                                                                     \
    "This device was away for longer than the relay keeps messages, and no member answered." \
    " Ask one to remove you and add you again."

#define TROUBLE_NEW                                                                         \
    "This device is new here. Members, or your other devices, are asked to let it in; what" \
    " you write waits until then."
#define TROUBLE_NEW_GIVEN_UP                                                                   \
    "This device is new here, and nobody answered who was asked to let it in. Ask a member to" \
    " remove you and add you again."

/* ---- Beginning ------------------------------------------------------------------------------ */

static sotto_error remember_members(struct room *room)
{
    struct sotto *core = room->core;
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    TRY(store_rejoin_peers_clear(core->store, &room->id));
    while (sotto_mls_next_member(room->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK ||
            leaf.index == sotto_mls_own_index(room->group))
            continue;
        TRY(store_rejoin_peer_add(core->store, &room->id, &account, &device));
    }
    return SOTTO_OK;
}

static sotto_error other_devices(struct sotto *core, struct arena *arena, size_t *count)
{
    struct manifest manifest;
    bool found = false;
    *count = 0;
    TRY(manifest_newest(core, &core->identity.account, arena, &manifest, &found));
    for (size_t i = 0; found && i < manifest.device_count; i++)
        *count += !device_id_equal(&manifest.devices[i].id, &core->identity.device);
    return SOTTO_OK;
}

static sotto_error anybody(struct room *room, const struct store_room *row, bool *is)
{
    struct arena arena;
    uint64_t peers = 0;
    size_t own = 0;
    arena_init(&arena, room->core->env);
    sotto_error error = store_rejoin_peers(room->core->store, &room->id, &peers);
    if (error == SOTTO_OK)
        error = other_devices(room->core, &arena, &own);
    *is = own > 0 || (peers > 0 && row->kind != STORE_ROOM_OWN);
    arena_free(&arena);
    return error;
}

static sotto_error asking_put(struct room *room, uint64_t delay_s)
{
    struct sotto *core = room->core;
    struct store_rejoin rejoin;
    sotto_error error = store_rejoin_get(core->store, &room->id, &rejoin);
    if (error != SOTTO_NOT_FOUND)
        return error; /* asks already */
    memset(&rejoin, 0, sizeof rejoin);
    rejoin.room = room->id;
    rejoin.since_s = core_now_s(core);
    rejoin.next_s = rejoin.since_s + delay_s;
    return store_rejoin_put(core->store, &rejoin);
}

sotto_error rejoin_begin(struct room *room, struct store_room *row, uint64_t delay_s)
{
    struct sotto *core = room->core;
    bool ask = false;
    if (room->group != NULL)
        TRY(remember_members(room));
    room_forget_group(room);
    TRY(store_records_clear(core->store, &room->id));
    TRY(anybody(room, row, &ask));
    if (ask) {
        TRY(commit_unseal(room, UINT64_MAX));
        TRY(asking_put(room, delay_s));
    } else {
        TRY(room_fail_outbox(core, &room->id));
        TRY(store_rejoin_erase(core->store, &room->id));
    }
    row->state = ask ? STORE_ROOM_REJOINING : STORE_ROOM_REMOVED;
    row->trouble = !ask ? TROUBLE_NOBODY : row->next_seq == 1 ? TROUBLE_NEW : TROUBLE_AWAY;
    memset(row->authenticator, 0, sizeof row->authenticator);
    return store_room_put(core->store, row);
}

sotto_error rejoin_restored(struct sotto *core, struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0, own = 0;
    TRY(other_devices(core, arena, &own));
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++) {
        uint64_t peers = 0;
        if (!rejoin_waits(&rooms[i]))
            continue;
        TRY(store_rejoin_peers(core->store, &rooms[i].room, &peers));
        if (peers == 0)
            continue;
        struct room *room = room_of(core, &rooms[i].room);
        if (room == NULL)
            return SOTTO_NO_MEMORY;
        TRY(rejoin_begin(room, &rooms[i], own > 0 ? REJOIN_WELCOME_S : 0));
    }
    return SOTTO_OK;
}

sotto_error rejoin_suspect(struct room *room)
{
    struct arena arena;
    struct store_room row;
    bool ask = false;
    arena_init(&arena, room->core->env);
    sotto_error error = room_enter(room, &arena, &row);
    if (error == SOTTO_OK && room->group != NULL)
        error = remember_members(room);
    if (error == SOTTO_OK)
        error = anybody(room, &row, &ask);
    if (error == SOTTO_OK && ask)
        error = asking_put(room, 0);
    arena_free(&arena);
    return error;
}

/* ---- One request ---------------------------------------------------------------------------- */

struct asking {
    struct room *room;
    const struct store_room *row;
    struct arena *arena;
    struct store_rejoin rejoin;
    const char *relay; /* of the account that is asked */
    unsigned asked;
};

static sotto_error request_seal(struct asking *a, const struct account_id *account,
                                const struct device *device, sotto_buf *sealed)
{
    struct sotto *core = a->room->core;
    struct rejoin_request request;
    sotto_buf package, reference, plain;
    memset(&request, 0, sizeof request);
    sotto_buf_init(&package, core->env);
    sotto_buf_init(&reference, core->env);
    sotto_buf_init(&plain, core->env);
    sotto_error error = keys_make_one(core, a->rejoin.asked_s, (uint64_t)REQUEST_DAYS * 86400,
                                      &package, &reference);
    if (error == SOTTO_OK)
        error = store_rejoin_package_put(core->store, sotto_buf_view(&reference), &a->room->id);
    if (error == SOTTO_OK)
        error = store_own_manifest_get(core->store, a->arena, &request.manifest);
    if (error == SOTTO_OK) {
        request.relay = sotto_bytes_str(a->row->relay);
        request.room = a->room->id;
        request.time_s = a->rejoin.asked_s;
        request.device = core->identity.device;
        request.relay_of_sender = sotto_bytes_str(core->profile.relay);
        request.key_package = sotto_buf_view(&package);
        error = rejoin_request_write(&request, account, &device->id,
                                     core->identity.signature_private.data, &plain);
    }
    if (error == SOTTO_OK)
        error = identity_seal(core->crypto, account, &device->id, device->inbox_key,
                              sotto_buf_view(&plain), sealed);
    sotto_buf_free(&plain);
    sotto_buf_free(&reference);
    sotto_buf_free(&package);
    return error;
}

/* Inside a transaction. */
static sotto_error ask_device(struct asking *a, const struct account_id *account,
                              const struct device *device)
{
    struct sotto *core = a->room->core;
    struct store_outgoing outgoing;
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1];
    sotto_buf sealed;
    core_id_hex(device->id.bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(client_id, sizeof client_id, OUT_ASK "%s", hex);
    sotto_buf_init(&sealed, core->env);
    sotto_error error = request_seal(a, account, device, &sealed);
    memset(&outgoing, 0, sizeof outgoing);
    outgoing.room = a->room->id;
    outgoing.kind = STORE_OUT_ENVELOPE;
    outgoing.state = STORE_OUT_READY;
    outgoing.client_id = client_id;
    outgoing.error = "";
    outgoing.bytes = sotto_buf_view(&sealed);
    outgoing.relay = a->relay;
    outgoing.account = *account;
    outgoing.device = device->id;
    outgoing.created_s = core_now_s(core);
    if (error == SOTTO_OK)
        error = core->env->random(core->env->ctx, outgoing.request.bytes, REQUEST_ID_SIZE);
    if (error == SOTTO_OK)
        error = store_outgoing_add(core->store, &outgoing, &(int64_t){0});
    sotto_buf_free(&sealed);
    /* EXISTS: what it was asked before did not leave yet. KEY: its list holds nonsense. */
    return error == SOTTO_EXISTS || error == SOTTO_KEY ? SOTTO_OK : error;
}

/* Inside a transaction: the devices of an account by its newest manifest, if one is known. */
static sotto_error ask_account(struct asking *a, const struct account_id *account)
{
    struct sotto *core = a->room->core;
    struct manifest manifest;
    bool found = false;
    TRY(manifest_newest(core, account, a->arena, &manifest, &found));
    for (size_t i = 0, asked = 0; found && i < manifest.device_count && asked < DEVICES_A_PERSON;
         i++) {
        /* Not always the same ones of many. */
        const struct device *device =
            &manifest.devices[(i + a->rejoin.rounds) % manifest.device_count];
        if (core_is_own(core, account) && device_id_equal(&device->id, &core->identity.device))
            continue;
        TRY(ask_device(a, account, device));
        asked++;
    }
    TRY(store_rejoin_peer_asked(core->store, &a->room->id, account, a->rejoin.rounds + 1));
    a->rejoin.step++;
    return store_rejoin_put(core->store, &a->rejoin);
}

/* ---- Rounds --------------------------------------------------------------------------------- */

/* Soon at first, while somebody may just be about to go online; then once a day. */
static uint64_t pause_s(struct sotto *core, uint32_t rounds)
{
    static const uint32_t pauses[] = {60, 600, 3600, 6 * 3600};
    uint64_t pause = rounds < sizeof pauses / sizeof *pauses ? pauses[rounds] : 86400;
    return pause + net_jitter(core, pause / 4);
}

/* Inside a transaction: the round is over. */
static sotto_error round_end(struct asking *a)
{
    struct sotto *core = a->room->core;
    a->rejoin.next_s = core_now_s(core) + pause_s(core, a->rejoin.rounds);
    a->rejoin.rounds++;
    a->rejoin.step = 0;
    if (a->rejoin.rounds < ROUNDS_MAX)
        return store_rejoin_put(core->store, &a->rejoin);
    TRY(store_rejoin_erase(core->store, &a->room->id));
    if (a->row->state != STORE_ROOM_REJOINING)
        return SOTTO_OK; /* the group is kept */
    struct store_room row = *a->row;
    row.state = STORE_ROOM_REMOVED;
    row.trouble = row.next_seq == 1 ? TROUBLE_NEW_GIVEN_UP : TROUBLE_GIVEN_UP;
    TRY(room_fail_outbox(core, &a->room->id));
    return store_room_put(core->store, &row);
}

static const char *relay_of(struct asking *a, const struct account_id *account)
{
    struct sotto *core = a->room->core;
    struct store_contact contact;
    if (core_is_own(core, account))
        return core->profile.relay;
    if (store_contact_get(core->store, account, a->arena, &contact) == SOTTO_OK &&
        contact.relay[0] != '\0')
        return contact.relay;
    return a->row->relay; /* where most members of a room are */
}

/* Reads what is needed; false: nobody is asked now. */
static bool asking_enter(struct asking *a)
{
    struct room *room = a->room;
    struct sotto *core = room->core;
    if (store_rejoin_get(core->store, &room->id, &a->rejoin) != SOTTO_OK)
        return false;
    uint64_t now = core_now_s(core);
    /* A clock that was set back does not make one wait for days. */
    if (a->rejoin.next_s <= now || a->rejoin.next_s > now + (uint64_t)2 * 86400)
        return true;
    if (core->patient && room->retry_ms == 0)
        room->retry_ms = net_now_ms(core) + (a->rejoin.next_s - now) * 1000;
    return false;
}

/* The account's newest devices came, or could not be had: those that are known are asked. */
static void on_peer_manifest(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room row;
    sotto_bytes newest;
    sotto_fault fault;
    room->busy = false;
    room->wake = true;
    arena_init(&arena, core->env);
    struct asking a = {.room = room, .row = &row, .arena = &arena};
    bool answered = error == SOTTO_OK;
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &room->id, &arena, &row);
    if (error == SOTTO_OK)
        error = store_rejoin_get(core->store, &room->id, &a.rejoin);
    if (error == SOTTO_OK && answered) {
        error =
            manifest_learn(core, &room->doing_account, answer->manifest, &arena, &newest, &fault);
        if (!error_is_local(error))
            error = SOTTO_OK; /* the relay tells nonsense: what is known counts */
    }
    if (error == SOTTO_OK) {
        a.relay = relay_of(&a, &room->doing_account);
        error = ask_account(&a, &room->doing_account);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error != SOTTO_NOT_FOUND) /* back in meanwhile */
            room_local_failure(room, error, "asking to be let in again");
    }
    arena_free(&arena);
}

/* Nobody else, or everybody in this round: false. */
static bool person_ask(struct asking *a)
{
    struct room *room = a->room;
    struct sotto *core = room->core;
    struct message message;
    if (a->row->kind == STORE_ROOM_OWN || a->rejoin.step > PEOPLE_A_ROUND ||
        store_rejoin_peer_next(core->store, &room->id, &core->identity.account,
                               a->rejoin.rounds + 1, &room->doing_account) != SOTTO_OK)
        return false;
    struct conn *conn = net_conn(core, relay_of(a, &room->doing_account), CONNECTION_ROOM);
    if (conn == NULL || !conn_up(conn)) {
        if (conn != NULL && conn_failed(conn))
            room_note(room, &conn->problem);
        else if (conn != NULL && room->retry_ms == 0)
            room->retry_ms = conn->retry_ms;
        room->progress = conn != NULL && !conn_failed(conn) ? ROOM_BUSY : ROOM_IDLE;
        return true;
    }
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_GET_MANIFEST;
    message.get_manifest.permission.kind = PERMISSION_NONE;
    message.get_manifest.account = room->doing_account;
    sotto_error error = room_request(room, conn, &message, on_peer_manifest);
    if (error != SOTTO_OK)
        room_local_failure(room, error, "asking to be let in again");
    return true;
}

/* In one transaction: one's own devices, or the end of the round. */
static sotto_error local_step(struct asking *a)
{
    struct sotto *core = a->room->core;
    size_t own = 0;
    TRY(store_begin(core->store));
    TRY(store_rejoin_get(core->store, &a->room->id, &a->rejoin));
    if (a->rejoin.step > 0)
        TRY(round_end(a));
    else {
        uint64_t now = core_now_s(core);
        /* The same for a round, so that one answer answers all of it. */
        a->rejoin.asked_s = now > a->rejoin.asked_s ? now : a->rejoin.asked_s + 1;
        TRY(other_devices(core, a->arena, &own));
        a->relay = core->profile.relay;
        if (own > 0)
            TRY(ask_account(a, &core->identity.account));
        else {
            a->rejoin.step++;
            TRY(store_rejoin_put(core->store, &a->rejoin));
        }
    }
    return store_commit(core->store);
}

bool rejoin_next(struct room *room, const struct store_room *row)
{
    struct arena arena;
    arena_init(&arena, room->core->env);
    struct asking a = {.room = room, .row = row, .arena = &arena};
    bool asking = asking_enter(&a);
    if (asking && (a.rejoin.step == 0 || !person_ask(&a))) {
        sotto_error error = local_step(&a);
        if (error != SOTTO_OK) {
            store_rollback(room->core->store);
            room_local_failure(room, error, "asking to be let in again");
        } else
            room->wake = true;
    }
    arena_free(&arena);
    return asking;
}

/* ---- Being back ----------------------------------------------------------------------------- */

sotto_error rejoin_expects(struct sotto *core, const struct room_id *room,
                           sotto_bytes key_package_ref, const struct account_id *sender,
                           bool *expects)
{
    struct store_rejoin rejoin;
    bool made = false, peer = core_is_own(core, sender);
    TRY(store_rejoin_package_is(core->store, key_package_ref, room, &made));
    sotto_error error = made ? SOTTO_OK : store_rejoin_get(core->store, room, &rejoin);
    if (error == SOTTO_OK && !peer)
        error = store_rejoin_is_peer(core->store, room, sender, &peer);
    *expects = error == SOTTO_OK && peer;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* What was to be asked and did not leave yet. */
static sotto_error asks_erase(struct sotto *core, const struct room_id *room)
{
    struct arena arena;
    struct store_outgoing outgoing;
    int64_t after = 0;
    sotto_error error;
    arena_init(&arena, core->env);
    while ((error = store_outgoing_next(core->store, room, STORE_OUT_ENVELOPES, after, &arena,
                                        &outgoing)) == SOTTO_OK) {
        after = outgoing.id;
        if (strncmp(outgoing.client_id, OUT_ASK, strlen(OUT_ASK)) != 0)
            continue;
        error = store_outgoing_erase(core->store, outgoing.id);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            break;
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error rejoin_end(struct room *room)
{
    struct store *store = room->core->store;
    room->unknown = false;
    TRY(asks_erase(room->core, &room->id));
    TRY(store_rejoin_packages_erase(store, &room->id));
    return store_rejoin_erase(store, &room->id);
}

/* The line that says what is missing: its content is the time of the last entry before. */
static sotto_error missing_add(struct sotto *core, const struct store_room *before,
                               uint64_t next_seq)
{
    struct store_message message;
    uint8_t since[8];
    for (size_t i = 0; i < sizeof since; i++)
        since[i] = (uint8_t)(before->active_s >> (56 - 8 * i));
    memset(&message, 0, sizeof message);
    message.room = before->room;
    message.seq = next_seq - 1;
    message.kind = SOTTO_KIND_MISSING;
    message.state = STORE_MESSAGE_RECEIVED;
    message.sender = core->identity.account;
    message.own = true;
    message.time_s = core_now_s(core);
    message.client_id = "";
    message.content = sotto_bytes_of(since, sizeof since);
    sotto_error error = store_message_add(core->store, &message, &(int64_t){0}, &(int64_t){0});
    return error == SOTTO_EXISTS ? SOTTO_OK : error;
}

uint64_t rejoin_missing_since(sotto_bytes content)
{
    uint64_t since = 0;
    if (content.size != sizeof since)
        return 0;
    for (size_t i = 0; i < sizeof since; i++)
        since = since << 8 | content.data[i];
    return since;
}

sotto_error rejoin_done(struct sotto *core, const struct store_room *before, bool own,
                        uint64_t next_seq)
{
    TRY(asks_erase(core, &before->room));
    TRY(store_rejoin_erase(core->store, &before->room));
    bool given =
        own && before->next_seq == 1; /* restored: what a backup lacks, that device gives */
    if (before->kind == STORE_ROOM_OWN || given || next_seq <= before->next_seq)
        return SOTTO_OK;
    return missing_add(core, before, next_seq);
}
