/* The recovery phrase: showing it, and becoming a device of the account whose phrase it is.
 *
 *     phrase -> account key -> account id -> newest manifest, asked of the relay
 *     its successor, with a new device for this profile, is stored before it is registered
 *     a room among one's own devices with the others of the manifest: its Welcome brings them the
 *     manifest, and then they add this device to every conversation (room_judge.c)
 *
 * Each step asks the store or the relay how far it is, so that the same call goes on after a kill.
 * Where no other device is left, a backup that was restored before names members, who are asked to
 * let this device in (rejoin.h); without one no room is known, and members who hear of the new
 * manifest take the account in anew (room_judge.c too). */
#include <string.h>

#include "core/account.h"
#include "core/meeting.h"
#include "core/recovery_phrase.h"
#include "core/rejoin.h"

sotto_error sotto_recovery_phrase(struct sotto *core, sotto_buf *phrase)
{
    TRY(account_need_key(core));
    sotto_error error = recovery_phrase_write(core->identity.account_private.data, phrase);
    if (error == SOTTO_OK)
        error = sotto_buf_append(phrase, (const uint8_t *)"", 1);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    sotto_buf_clear(phrase);
    return core_store_problem(core, error, "writing the recovery phrase");
}

/* ---- The phrase ------------------------------------------------------------------------------ */

/* What is wrong, without a word of it. */
static sotto_error phrase_take(struct sotto *core, sotto_bytes phrase, struct secret *seed)
{
    size_t word = 0;
    sotto_error error = recovery_phrase_read(phrase, seed, &word);
    switch (error) {
    case SOTTO_OK:
        return SOTTO_OK;
    case SOTTO_VALUE:
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_PHRASE,
                           "Look at how it is written. Four letters of each word are enough.",
                           "Word %zu of the phrase is not one of the list.", word);
    case SOTTO_TAG:
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_PHRASE,
                           "Compare every word, and their order, with what you wrote down.",
                           "The words do not belong together: at least one is another one.");
    default:
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_PHRASE,
                           "Give all of them, in their order, with blanks between.",
                           "A recovery phrase has %d words; these are %zu.", RECOVERY_PHRASE_WORDS,
                           word);
    }
}

/* ---- The manifest ---------------------------------------------------------------------------- */

/* The newest that the relay has; empty: it does not know the account. */
static sotto_error manifest_ask(struct sotto *core, const char *relay,
                                const struct account_id *account, struct arena *arena,
                                sotto_bytes *manifest)
{
    struct meeting_answer answer = {0};
    struct message message;
    sotto_fault fault = {SOTTO_OK, "", 0};
    *manifest = sotto_bytes_of(NULL, 0);
    sotto_buf_init(&answer.bytes, core->env);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_GET_MANIFEST;
    message.get_manifest.account = *account;
    sotto_error error =
        meeting_ask(core, net_conn(core, relay, CONNECTION_ROOM), &message, &answer);
    if (error == SOTTO_REFUSED && answer.code == WIRE_CODE_NO_ACCOUNT)
        error = SOTTO_OK;
    else if (error == SOTTO_OK) {
        error = arena_copy(arena, sotto_buf_view(&answer.bytes), manifest);
        if (error == SOTTO_OK)
            error = identity_judge_manifest(core->env, account, sotto_bytes_of(NULL, 0), *manifest,
                                            NULL, &fault);
        if (error_is_local(error))
            (void)core_store_problem(core, error, "reading the account's devices");
        else if (error != SOTTO_OK)
            (void)problem_set(&core->problem, error, SOTTO_CODE_BAD_IDENTITY,
                              "Nothing was changed. Ask whoever runs the relay.",
                              "What the relay has of the account is not good: %s.", fault.what);
    }
    sotto_buf_free(&answer.bytes);
    return error;
}

static bool lists(sotto_bytes bytes, const struct identity *identity, struct arena *arena)
{
    struct manifest manifest;
    struct device own;
    sotto_fault fault;
    identity_device(identity, &own);
    if (bytes.size == 0 || manifest_read(bytes, arena, &manifest, &fault) != SOTTO_OK)
        return false;
    const struct device *listed = manifest_device(&manifest, &own.id);

    return listed != NULL && memcmp(listed->sign_in_hash, own.sign_in_hash, HASH_SIZE) == 0;
}

/* ---- The profile ----------------------------------------------------------------------------- */

/* Inside a transaction. The past that other devices give has positions of theirs, which are not
 * known here: this one's begin far behind, and stay below 2^53, as those that link from it. */
static sotto_error positions_begin(struct sotto *core)
{
    uint16_t random = 0;
    int64_t head = 0; /* of a backup that is here, perhaps of a device that was recovered itself */
    TRY(store_messages_head(core->store, &head));
    TRY(core->env->random(core->env->ctx, (uint8_t *)&random, sizeof random));
    uint64_t position = (UINT64_C(4096) + random % 2048) * OWN_POSITIONS;
    if (position <= (uint64_t)head)
        position = own_positions_next((uint64_t)head);
    TRY(store_messages_head_put(core->store, (int64_t)position));
    return store_number_put(core->store, "listened", position);
}

static sotto_error profile_store(struct sotto *core, const struct sotto_recovery *recovery,
                                 const struct identity *identity, sotto_bytes manifest)
{
    struct store_profile profile;
    sotto_buf saved;
    memset(&profile, 0, sizeof profile);
    sotto_buf_init(&saved, core->env);
    sotto_error error = identity_save(identity, &saved);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK) {
        profile.registration = STORE_UNREGISTERED;
        profile.relay = recovery->with.relay;
        profile.name = recovery->with.name != NULL ? recovery->with.name : "";
        profile.identity = sotto_buf_view(&saved);
        profile.manifest = manifest;
        error = store_profile_put(core->store, &profile);
        if (error == SOTTO_OK)
            error = positions_begin(core);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK)
            store_rollback(core->store);
    }
    sotto_buf_free(&saved);
    return error;
}

/* Keys and a manifest for this device, stored; those of an earlier try, where they still fit. */
static sotto_error device_make(struct sotto *core, const struct sotto_recovery *recovery,
                               const struct secret *seed, sotto_bytes known, struct arena *arena)
{
    struct identity identity = {0};
    sotto_buf manifest;
    sotto_fault fault;
    bool begun =
        core->has_identity && strcmp(core->profile.relay, recovery->with.relay) == 0 &&
        sotto_bytes_equal_secret(secret_view(&core->identity.account_private), secret_view(seed));
    if (begun && lists(known, &core->identity, arena))
        return SOTTO_OK; /* the relay has it: only its answer was lost */
    sotto_buf_init(&manifest, core->env);
    sotto_error error = begun
                            ? identity_load(core->crypto, core->profile.identity, &identity, &fault)
                            : identity_recover(core->crypto, seed, &identity);
    if (error == SOTTO_OK)
        error = identity_recovery_manifest(&identity, core->env, known, recovery->alone, &manifest,
                                           &fault);
    if (error == SOTTO_OK)
        error = profile_store(core, recovery, &identity, sotto_buf_view(&manifest));
    sotto_buf_free(&manifest);
    identity_wipe(&identity);
    if (error == SOTTO_LIMIT)
        return problem_set(&core->problem, error, SOTTO_CODE_REFUSED,
                           "Remove one with another device of yours, or all of them: --alone",
                           "An account has %d devices at most.", WIRE_DEVICES_MAX);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "making the keys");
}

static sotto_error begin(struct sotto *core, const struct sotto_recovery *recovery,
                         const struct secret *seed, const struct account_id *account)
{
    struct arena arena;
    sotto_bytes known;
    arena_init(&arena, core->env);
    sotto_error error = manifest_ask(core, recovery->with.relay, account, &arena, &known);
    if (error == SOTTO_OK && known.size == 0 && !recovery->anew)
        error = problem_set(
            &core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NO_ACCOUNT,
            "Is it the relay where the account was last? If that one is gone for good, or "
            "lost its data, run this again with --anew: the account then begins anew here.",
            "The relay does not know the account of this phrase.");
    if (error == SOTTO_OK)
        error = device_make(core, recovery, seed, known, &arena);
    arena_free(&arena);
    return error == SOTTO_OK ? core_load_profile(core) : error;
}

/* ---- The other devices ----------------------------------------------------------------------- */

/* Inside a transaction: a room with them, once. */
static sotto_error others_meet(struct sotto *core, struct arena *arena)
{
    struct manifest manifest;
    struct store_room row;
    struct room_id id;
    bool found = false;
    TRY(manifest_newest(core, &core->identity.account, arena, &manifest, &found));
    if (!found || manifest.device_count < 2)
        return SOTTO_OK;
    sotto_error error = own_room(core, arena, &row);
    if (error != SOTTO_NOT_FOUND)
        return error;
    TRY(room_make(core, STORE_ROOM_OWN, "", NULL, &id));
    return store_manifest_changed(core->store, &core->identity.account);
}

static sotto_error others_tell(struct sotto *core)
{
    struct arena arena;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = others_meet(core, &arena);
    if (error == SOTTO_OK)
        error = rejoin_restored(core, &arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    arena_free(&arena);
    if (error != SOTTO_OK) {
        room_abort_all(core);
        return core_store_problem(core, error, "telling your other devices");
    }
    error = sotto_sync(core);
    /* The account is there; what could not be done now is owed, and goes with the next sync. */
    return error_is_local(error) ? error : SOTTO_OK;
}

/* ---- */

sotto_error account_recover_by_key(struct sotto *core, const struct sotto_recovery *recovery,
                                   const struct secret *seed)
{
    uint8_t key[SIGN_KEY_SIZE];
    struct account_id account;
    TRY(account_relay_check(core, recovery->with.relay));
    if (recovery->with.name != NULL)
        TRY(account_name_check(core, recovery->with.name));
    wire_sign_public(seed->data, key);
    account_id_of(key, &account);
    TRY(core_load_profile(core));
    bool registered = core->has_identity && core->profile.registration == STORE_REGISTERED;
    if (registered && !account_id_equal(&core->identity.account, &account))
        return problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_ALREADY_REGISTERED,
                           "See `sotto status`. For another account, use another --profile DIR.",
                           "This profile has another account already.");
    if (!registered) {
        TRY(begin(core, recovery, seed, &account));
        TRY(account_register_run(core, &recovery->with));
    }
    return others_tell(core);
}

sotto_error sotto_recover(struct sotto *core, const struct sotto_recovery *recovery)
{
    struct secret seed = {0};
    if (recovery->with.relay == NULL || recovery->with.relay[0] == '\0')
        return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_RELAY_NEEDED,
                           "Say which: --relay ADDRESS.",
                           "The account is at a relay, and none was named.");
    TRY(phrase_take(core, recovery->phrase, &seed));
    sotto_error error = account_recover_by_key(core, recovery, &seed);
    secret_wipe(&seed);
    return error;
}
