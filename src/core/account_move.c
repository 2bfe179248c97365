/* Moving to another relay as the same account.
 *
 *     PREPARED  a manifest with a fresh sign-in key of this device is stored, nothing else changed
 *     the new relay registers it; in one transaction the profile is there, and every room has in
 *     its outbox a statement that says where the account is, that of one's own devices too
 *     MOVED     the statements leave; contacts follow when they read them, and one's other devices,
 *     which say so, and look at the old relay's inbox until it is gone: whoever has not read the
 *     statement posts there
 *     when all have: the inbox at the old relay is fetched once more, and the account there deleted
 *     unless another device's has something
 *
 * Rooms stay where they are: their relays ask nobody for an account. What is pending stands in one
 * value; each step asks it, the outbox or the relays how far it is, so that a kill costs nothing.
 * Other devices keep their sign-in keys, as their account at the old relay ends. */
#include <string.h>

#include "codec/writer.h"
#include "core/account.h"
#include "core/meeting.h"
#include "core/statement.h"

#define PENDING "account.move"
#define FOLLOW "account.follow" /* on another device: where to */
#define CHANGES "account.relays"
enum {
    WAIT_S = ACCOUNT_MOVE_S,
    LOOK_MS = 2000,   /* how often a listener looks whether all know of the move, */
    VISIT_MS = 60000, /* and how often it tries to leave the old relay then */
};

struct move {
    struct arena arena;
    const char *from, *to;
    sotto_bytes old_seed;     /* of the sign-in key at the old relay */
    sotto_bytes new_seed;     /* at the new one */
    sotto_bytes manifest;     /* the new one */
    uint64_t number, begun_s; /* of that manifest */
};

/* ---- What is pending ------------------------------------------------------------------------- */

static sotto_error move_write(const struct move *move, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u8(&writer, 1);
    writer_vector(&writer, sotto_bytes_str(move->from));
    writer_vector(&writer, sotto_bytes_str(move->to));
    writer_fixed(&writer, move->old_seed);
    writer_fixed(&writer, move->new_seed);
    writer_vector(&writer, move->manifest);
    writer_u64(&writer, move->number);
    writer_u64(&writer, move->begun_s);
    return writer_finish(&writer);
}

/* NOT_FOUND: nothing is. The caller frees the arena. */
static sotto_error move_get(struct sotto *core, struct move *move)
{
    sotto_bytes bytes;
    struct reader reader;
    TRY(store_value_get(core->store, PENDING, &move->arena, &bytes));
    reader_init(&reader, bytes);
    (void)reader_u8(&reader, "move.version");
    move->from = own_text(&reader, &move->arena, WIRE_ADDRESS_MAX, "move.from");
    move->to = own_text(&reader, &move->arena, WIRE_ADDRESS_MAX, "move.to");
    move->old_seed = reader_fixed(&reader, SIGN_SEED_SIZE, "move.old");
    move->new_seed = reader_fixed(&reader, SIGN_SEED_SIZE, "move.new");
    move->manifest = reader_vector(&reader, WIRE_MANIFEST_MAX, "move.manifest");
    move->number = reader_u64(&reader, "move.number");
    move->begun_s = reader_u64(&reader, "move.begun");
    return reader_finish(&reader, "move");
}

/* Inside a transaction. */
static sotto_error move_put(struct sotto *core, const struct move *move)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error = move_write(move, &bytes);
    if (error == SOTTO_OK)
        error = store_value_put(core->store, PENDING, sotto_buf_view(&bytes));
    sotto_buf_free(&bytes);
    return error;
}

static sotto_error commit_or_back(struct sotto *core, sotto_error error)
{
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

/* PREPARED does not show; and another device may have moved the account on meanwhile. */
static bool has_moved(const struct sotto *core, const struct move *move)
{
    return strcmp(core->profile.relay, move->from) != 0;
}

const char *account_moving_from(struct sotto *core, struct arena *arena)
{
    struct move move = {.arena = *arena};
    sotto_error error = move_get(core, &move);
    *arena = move.arena;
    return error == SOTTO_OK && has_moved(core, &move) ? move.from : "";
}

/* ---- Preparing ------------------------------------------------------------------------------- */

/* The newest manifest, asked of the old relay where that can be reached and has the account still:
 * one that has left a jurisdiction erased it. */
static sotto_error newest_get(struct sotto *core, struct arena *arena, sotto_bytes *newest)
{
    sotto_error error = account_fetch_manifest(core, arena, newest);
    if (error != SOTTO_OK && (sotto_code_trouble(core->problem.code) == SOTTO_TROUBLE_NETWORK ||
                              core->problem.code == SOTTO_CODE_NO_ACCOUNT))
        error = store_own_manifest_get(core->store, arena, newest); /* it may be gone for good */
    return error;
}

static sotto_error manifest_make(struct sotto *core, struct move *move, const struct secret *seed)
{
    struct identity renewed = core->identity; /* borrows but for the key */
    struct device device;
    struct manifest manifest;
    sotto_bytes known;
    sotto_buf next;
    sotto_fault fault;
    TRY(newest_get(core, &move->arena, &known));
    identity_sign_in_set(&renewed, secret_view(seed));
    identity_device(&renewed, &device);
    sotto_buf_init(&next, core->env);
    sotto_error error = identity_next_manifest(&core->identity, core->env, known, &device,
                                               &device.id, &next, &fault);
    if (error == SOTTO_OK)
        error = arena_copy(&move->arena, sotto_buf_view(&next), &move->manifest);
    if (error == SOTTO_OK)
        error = manifest_read(move->manifest, &move->arena, &manifest, &fault);
    if (error == SOTTO_OK)
        move->number = manifest.number;
    sotto_buf_free(&next);
    wipe(&renewed, sizeof renewed);
    return error == SOTTO_OK ? error
                             : core_store_problem(core, error, "making the list of devices");
}

/* Whether what was prepared still follows the newest list: a device may have come or gone since,
 * and two lists of one number would look like two people. */
static sotto_error is_current(struct sotto *core, struct move *move, bool *current)
{
    struct manifest manifest;
    sotto_bytes newest;
    sotto_fault fault;
    TRY(newest_get(core, &move->arena, &newest));
    *current = manifest_read(newest, &move->arena, &manifest, &fault) == SOTTO_OK &&
               manifest.number < move->number;
    return SOTTO_OK;
}

/* What an earlier try prepared for the same relay, or anew. */
static sotto_error prepare(struct sotto *core, struct move *move, const char *to)
{
    struct secret seed = {0};
    bool current = false;
    sotto_error error = move_get(core, move);
    if (error == SOTTO_OK && strcmp(move->to, to) == 0) {
        TRY(is_current(core, move, &current));
        if (current)
            return SOTTO_OK;
    }
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        return core_store_problem(core, error, "reading how far the move is");
    error = secret_random(&seed, SIGN_SEED_SIZE, core->env);
    if (error == SOTTO_OK) {
        move->from = core->profile.relay;
        move->to = to;
        move->begun_s = core_now_s(core);
        error =
            arena_copy(&move->arena, secret_view(&core->identity.sign_in_private), &move->old_seed);
    }
    if (error == SOTTO_OK)
        error = arena_copy(&move->arena, secret_view(&seed), &move->new_seed);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "preparing the move");
    if (error == SOTTO_OK)
        error = manifest_make(core, move, &seed);
    secret_wipe(&seed);
    TRY(error);
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = move_put(core, move);
    error = commit_or_back(core, error);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "preparing the move");
}

/* ---- The new relay --------------------------------------------------------------------------- */

/* Inside a transaction: nothing of the old relay's is of use, and one's own devices are found at
 * the new one. */
static sotto_error relay_changed(struct sotto *core, const char *relay)
{
    const struct store_token_chain none = {.relay = "", .number = 0};
    uint64_t changes = 0;
    TRY(store_outgoing_moved(core->store, &core->identity.account, relay));
    TRY(store_tokens_expire(core->store, UINT32_MAX));
    TRY(store_token_blinds_put(core->store, 0, NULL, 0));
    TRY(store_token_chain_put(core->store, &none));
    TRY(store_number_get(core->store, CHANGES, &changes));
    core->relay_changes = changes + 1;
    return store_number_put(core->store, CHANGES, changes + 1);
}

sotto_error account_moved_in(struct sotto *core)
{
    sotto_buf statement;
    struct move move;
    memset(&move, 0, sizeof move);
    arena_init(&move.arena, core->env);
    sotto_buf_init(&statement, core->env);
    sotto_error error = move_get(core, &move);
    if (error == SOTTO_OK)
        error = statement_make(core, STATEMENT_MOVED, move.number, move.to, &statement);
    if (error == SOTTO_OK)
        error = statement_heard(core, &core->identity.account, move.number);
    if (error == SOTTO_OK)
        error = statement_tell_all(core, sotto_buf_view(&statement), move.number);
    if (error == SOTTO_OK)
        error = relay_changed(core, move.to);
    sotto_buf_free(&statement);
    arena_free(&move.arena);
    return error;
}

static sotto_error register_there(struct sotto *core, const struct move *move, sotto_bytes identity,
                                  const struct sotto_registration *with)
{
    struct store_profile profile = core->profile;
    profile.relay = move->to;
    profile.registration = STORE_UNREGISTERED;
    profile.identity = identity;
    profile.manifest = move->manifest;
    profile.inbox_seq = 0;
    const struct inbox_place place = {
        .relay = move->to, .sign_in = move->new_seed, .profile = &profile};
    inbox_sign_in_anew(core);
    core->inbox.place = &place;
    sotto_error error = account_register_run(core, with);
    core->inbox.place = NULL;
    inbox_sign_in_anew(core);
    struct sotto_problem problem = core->problem;
    sotto_error loaded = core_load_profile(core); /* as it stands in the store */
    if (error != SOTTO_OK)
        core->problem = problem;
    return error != SOTTO_OK ? error : loaded;
}

static sotto_error move_in(struct sotto *core, const struct move *move,
                           const struct sotto_registration *with)
{
    struct identity renewed = core->identity; /* borrows but for the key */
    sotto_buf saved;
    sotto_buf_init(&saved, core->env);
    identity_sign_in_set(&renewed, move->new_seed);
    sotto_error error = identity_save(&renewed, &saved);
    wipe(&renewed, sizeof renewed);
    error = error == SOTTO_OK ? register_there(core, move, sotto_buf_view(&saved), with)
                              : core_store_problem(core, error, "preparing the move");
    sotto_buf_free(&saved);
    return error;
}

/* ---- The old relay --------------------------------------------------------------------------- */

static void followed_name(const struct device_id *device, char out[static 64])
{
    char hex[2 * DEVICE_ID_SIZE + 1];
    core_id_hex(device->bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(out, 64, "account.followed.%s", hex);
}

/* Whether everybody who is told in a room's log can know, and one's own devices do: those that were
 * there, and are still. */
static sotto_error all_told(struct sotto *core, struct move *move, bool *told)
{
    struct manifest then, manifest;
    char name[STORE_CLIENT_ID_MAX + 1];
    uint32_t waiting = 0;
    bool found = false;
    sotto_fault fault;
    (void)snprintf(name, sizeof name, "statement.%llu", (unsigned long long)move->number);
    TRY(store_outgoing_named(core->store, name, &waiting));
    TRY(manifest_newest(core, &core->identity.account, &move->arena, &manifest, &found));
    TRY(manifest_read(move->manifest, &move->arena, &then, &fault));
    *told = waiting == 0;
    for (size_t i = 0; found && i < then.device_count && *told; i++) {
        const struct device_id *device = &then.devices[i].id;
        char followed[64];
        uint64_t number = 0;
        if (device_id_equal(device, &core->identity.device) ||
            manifest_device(&manifest, device) == NULL)
            continue;
        followed_name(device, followed);
        TRY(store_number_get(core->store, followed, &number));
        *told = number >= move->number;
    }
    if (core_now_s(core) > move->begun_s + WAIT_S)
        *told = true; /* whoever was away for longer finds nothing in an inbox either */
    return SOTTO_OK;
}

static sotto_error finish(struct sotto *core, struct move *move)
{
    bool told = false;
    sotto_error error = all_told(core, move, &told);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading how far the move is");
    if (!told)
        return SOTTO_OK;
    core->leave_ms = net_now_ms(core) + VISIT_MS;
    /* As long as an inbox keeps anything; behind that nothing waits for anybody. */
    const struct inbox_place old = {.relay = move->from,
                                    .sign_in = move->old_seed,
                                    .unless_waiting = core_now_s(core) <= move->begun_s + WAIT_S};
    TRY(account_end_at(core, &old, move->number, true));
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_value_erase(core->store, PENDING);
    error = commit_or_back(core, error);
    return error == SOTTO_OK ? error
                             : core_store_problem(core, error, "noting the end of the move");
}

sotto_error account_move_abandon(struct sotto *core, bool force)
{
    struct move move;
    TRY(account_left_abandon(core, force));
    memset(&move, 0, sizeof move);
    arena_init(&move.arena, core->env);
    sotto_error error = move_get(core, &move);
    if (error == SOTTO_OK) {
        bool moved = has_moved(core, &move);
        const struct inbox_place place = {.relay = moved ? move.from : move.to,
                                          .sign_in = moved ? move.old_seed : move.new_seed};
        error = account_end_at(core, &place, moved ? move.number : UINT64_MAX, false);
        /* It is hardly ever there where it never came to be. */
        if (!error_is_local(error) && (force || !moved))
            error = SOTTO_OK;
    } else if (error == SOTTO_NOT_FOUND)
        error = SOTTO_OK;
    else
        (void)core_store_problem(core, error, "reading how far the move is");
    arena_free(&move.arena);
    return error;
}

/* ---- On the account's other devices ---------------------------------------------------------- */

/* The relay that is to be followed to, and the manifest. NOT_FOUND. */
static sotto_error follow_get(struct sotto *core, struct arena *arena, const char **relay,
                              uint64_t *number)
{
    struct reader reader;
    sotto_bytes value;
    TRY(store_value_get(core->store, FOLLOW, arena, &value));
    reader_init(&reader, value);
    *number = reader_u64(&reader, "follow.number");
    *relay = own_text(&reader, arena, WIRE_ADDRESS_MAX, "follow.relay");
    return reader_finish(&reader, "follow");
}

/* Inside a transaction: it moved on before this device followed. Who has read of the first move
 * alone posts to where that led. */
static sotto_error passed_by(struct sotto *core, sotto_bytes to, uint64_t number)
{
    struct arena arena;
    const char *relay = "";
    uint64_t before = 0;
    arena_init(&arena, core->env);
    sotto_error error = follow_get(core, &arena, &relay, &before);
    if (error == SOTTO_OK && before < number) {
        char *text = arena_array(&arena, to.size + 1, 1);
        if (text != NULL && to.size > 0)
            memcpy(text, to.data, to.size);
        error = text == NULL ? SOTTO_NO_MEMORY : account_left_put(core, relay, text, number);
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error account_told_move(struct sotto *core, sotto_bytes relay, uint64_t number)
{
    TRY(passed_by(core, relay, number));
    struct writer writer;
    sotto_buf value;
    sotto_buf_init(&value, core->env);
    writer_init(&writer, &value);
    writer_u64(&writer, number);
    writer_vector(&writer, relay);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = store_value_put(core->store, FOLLOW, sotto_buf_view(&value));
    sotto_buf_free(&value);
    return error;
}

/* Inside a transaction. */
static sotto_error follow_in(struct sotto *core, const char *relay, uint64_t number,
                             struct arena *arena)
{
    struct store_profile profile;
    struct writer writer;
    struct move move;
    sotto_buf record;
    TRY(store_profile_get(core->store, arena, &profile));
    TRY(account_left_put(core, profile.relay, relay, number));
    profile.relay = relay;
    profile.inbox_seq = 0;
    TRY(store_profile_put(core->store, &profile));
    TRY(relay_changed(core, relay));
    TRY(store_value_erase(core->store, FOLLOW));
    memset(&move, 0, sizeof move);
    arena_init(&move.arena, core->env);
    sotto_error own = move_get(core, &move);
    if (own == SOTTO_OK && strcmp(move.from, relay) == 0)
        own = store_value_erase(core->store, PENDING); /* it is where that began */
    arena_free(&move.arena);
    if (own != SOTTO_NOT_FOUND)
        TRY(own);
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_FOLLOWED);
    writer_fixed(&writer, sotto_bytes_of(core->identity.device.bytes, DEVICE_ID_SIZE));
    writer_u64(&writer, number);
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

sotto_error account_followed_read(struct sotto *core, struct reader *reader)
{
    struct device_id device;
    char name[64];
    reader_copy(reader, device.bytes, DEVICE_ID_SIZE, "own.device");
    uint64_t number = reader_u64(reader, "own.number");
    followed_name(&device, name);
    return reader_ok(reader) ? store_number_put(core->store, name, number) : reader->fault.error;
}

/* NOT_FOUND: it is not to follow. */
static sotto_error follow(struct sotto *core)
{
    struct arena arena;
    const char *relay = "";
    uint64_t number = 0;
    arena_init(&arena, core->env);
    sotto_error error = follow_get(core, &arena, &relay, &number);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = commit_or_back(core, follow_in(core, relay, number, &arena));
    arena_free(&arena);
    return error;
}

/* ---- */

/* Another process, or this one, has changed the relay: nothing of the old one stays in memory. */
static sotto_error reload(struct sotto *core)
{
    bool wanted = core->inbox.wanted, envelopes = core->inbox.want_envelopes;
    TRY(core_load_profile(core));
    inbox_reset(core);
    inbox_sign_in_anew(core);
    core->inbox.wanted = wanted;
    core->inbox.want_envelopes = envelopes;
    return SOTTO_OK;
}

sotto_error account_relay_check_changes(struct sotto *core)
{
    uint64_t changes = 0;
    if (core->inbox.place != NULL)
        return SOTTO_OK;
    sotto_error error = follow(core);
    bool followed = error == SOTTO_OK;
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND)
        error = store_number_get(core->store, CHANGES, &changes);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "following the account to its relay");
    if (!followed && changes == core->relay_changes)
        return SOTTO_OK;
    core->relay_changes = changes;
    for (struct room *room = core->rooms; room != NULL && followed; room = room->next)
        room->wake = room->wake || room->in_scope; /* the other devices are told */
    return reload(core);
}

sotto_error account_move_go_on(struct sotto *core)
{
    struct move move;
    struct sotto_problem before = core->problem;
    if (core->inbox.place != NULL || core->ending)
        return SOTTO_OK;
    if (core->patient && net_now_ms(core) < core->leave_ms)
        return SOTTO_OK;
    bool wanted = core->inbox.wanted, envelopes = core->inbox.want_envelopes;
    memset(&move, 0, sizeof move);
    arena_init(&move.arena, core->env);
    sotto_error error = move_get(core, &move);
    if (error == SOTTO_OK && has_moved(core, &move)) {
        core->leave_ms = net_now_ms(core) + LOOK_MS;
        error = finish(core, &move);
    }
    arena_free(&move.arena);
    if (!error_is_local(error))
        error = account_left_look(core);
    core->inbox.wanted = wanted;
    core->inbox.want_envelopes = envelopes;
    core->problem = before; /* what could not be done now is tried again */
    return error_is_local(error) ? core_store_problem(core, error, "moving") : SOTTO_OK;
}

static sotto_error move_all(struct sotto *core, struct move *move,
                            const struct sotto_registration *with)
{
    sotto_error error = move_get(core, move);
    bool there = account_same_relay(core->profile.relay, sotto_bytes_str(with->relay));
    if (error == SOTTO_NOT_FOUND && there)
        return SOTTO_OK; /* it is where it should be */
    if (error == SOTTO_OK && !there && has_moved(core, move))
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_BUSY,
                           "`sotto sync` on all your devices ends the earlier move.",
                           "The account has not left the relay before this one altogether.");
    if (!there) {
        (void)sotto_sync(core); /* as far as it goes: what waits there is fetched */
        TRY(prepare(core, move, with->relay));
        TRY(move_in(core, move, with));
    }
    error = sotto_sync(core); /* tells everybody, and leaves the old relay if it can */
    return error_is_local(error) ? error : SOTTO_OK;
}

sotto_error sotto_account_move(struct sotto *core, const struct sotto_registration *with)
{
    struct move move;
    if (with->relay == NULL || with->relay[0] == '\0')
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_RELAY_NEEDED,
                           "Say which: --relay ADDRESS.", "No relay was named to move to.");
    TRY(account_relay_check(core, with->relay));
    TRY(account_need_key(core));
    memset(&move, 0, sizeof move);
    arena_init(&move.arena, core->env);
    sotto_error error = move_all(core, &move, with);
    arena_free(&move.arena);
    return error;
}
