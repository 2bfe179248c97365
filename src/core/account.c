/* Registering, one's own name, fingerprints. */
#include <string.h>

#include "core/account.h"
#include "core/downloads.h"
#include "core/profile_picture.h"
#include "core/typing.h"
#include "base/text.h"

/* ---- Registering ---- */

sotto_error account_name_check(struct sotto *core, const char *name)
{
    sotto_bytes text = sotto_bytes_str(name);
    if (text.size > 0 && text.size <= WIRE_NAME_MAX && text_is_utf8(text) && text_is_line(text))
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_BAD_NAME, "Choose another name.",
                       "A name is one line of text of 1 to %d bytes.", WIRE_NAME_MAX);
}

sotto_error account_relay_check(struct sotto *core, const char *relay)
{
    struct address address;
    sotto_fault fault = {SOTTO_OK, "", 0};
    if (address_parse(sotto_bytes_str(relay), &address, &fault) == SOTTO_OK)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_ADDRESS,
                       "It looks like relay.example:7443 or relay.example:7443#PIN; sottod prints "
                       "its own when it starts.",
                       "`%s` is not a relay's address (%s).", relay, fault.what);
}

bool account_same_relay(const char *one, sotto_bytes other)
{
    const char *pin = strchr(one, '#');
    const char *its = memchr(other.data, '#', other.size);
    size_t size = pin != NULL ? (size_t)(pin - one) : strlen(one);
    size_t its_size = its != NULL ? (size_t)(its - (const char *)other.data) : other.size;
    if (size != its_size || memcmp(one, other.data, size) != 0)
        return false;
    return pin == NULL || its == NULL ||
           sotto_bytes_equal(sotto_bytes_str(pin),
                             sotto_bytes_of((const uint8_t *)its, other.size - its_size));
}

/* Fresh keys, or those of an earlier try at the same relay: the sign-in key is for one relay only.
 */
static sotto_error keys_make(struct sotto *core, const char *relay, const char *name)
{
    struct identity identity;
    sotto_buf saved, manifest;
    memset(&identity, 0, sizeof identity);
    sotto_buf_init(&saved, core->env);
    sotto_buf_init(&manifest, core->env);
    struct store_profile profile;
    memset(&profile, 0, sizeof profile);
    sotto_error error = identity_create(core->crypto, &identity);
    if (error == SOTTO_OK)
        error = identity_save(&identity, &saved);
    if (error == SOTTO_OK)
        error = identity_first_manifest(&identity, &manifest);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK) {
        profile.registration = STORE_UNREGISTERED;
        profile.relay = relay;
        profile.name = name;
        profile.identity = sotto_buf_view(&saved);
        profile.manifest = sotto_buf_view(&manifest);
        error = store_profile_put(core->store, &profile);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK)
            store_rollback(core->store);
    }
    identity_wipe(&identity);
    sotto_buf_free(&saved);
    sotto_buf_free(&manifest);
    return error;
}

static sotto_error name_put(struct sotto *core, const char *name)
{
    struct store_profile profile = core->profile;
    profile.name = name;
    TRY(store_begin(core->store));
    sotto_error error = store_profile_put(core->store, &profile);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

static sotto_error keys_ready(struct sotto *core, const struct sotto_registration *with)
{
    const char *relay = with->relay;
    if (relay == NULL && core->has_identity)
        relay = core->profile.relay;
    if (relay == NULL || relay[0] == '\0')
        return problem_set(
            &core->problem, SOTTO_ARGUMENT, SOTTO_CODE_RELAY_NEEDED,
            "Say which: --relay ADDRESS. Whoever runs it knows; sottod prints its own "
            "when it starts.",
            "An account lives at a relay, and none was named.");
    TRY(account_relay_check(core, relay));
    if (with->name != NULL)
        TRY(account_name_check(core, with->name));
    const char *name = with->name != NULL ? with->name : "";
    sotto_error error = SOTTO_OK;
    if (!core->has_identity || strcmp(core->profile.relay, relay) != 0)
        error = keys_make(core, relay, name);
    else if (with->name != NULL)
        error = name_put(core, with->name);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "making the account's keys");
    return core_load_profile(core);
}

sotto_error account_register_run(struct sotto *core, const struct sotto_registration *registration)
{
    inbox_reset(core);
    core->inbox.wanted = true;
    core->inbox.registering = registration;
    sotto_error error = run_until_settled(core);
    bool registered = core->inbox.registering == NULL;
    core->inbox.registering = NULL;
    core->inbox.wanted = false;
    /* Registered is registered: keys that could not be published go with the next connection. */
    if (registered)
        return SOTTO_OK;
    if (sotto_code_trouble(core->problem.code) == SOTTO_TROUBLE_NETWORK)
        (void)snprintf(core->problem.next, sizeof core->problem.next,
                       "Is the address right, and the relay running? Then run the command again.");
    return error != SOTTO_OK ? error
                             : problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                                           "Try again.", "The relay did not answer.");
}

sotto_error sotto_register(struct sotto *core, const struct sotto_registration *registration)
{
    TRY(core_load_profile(core));
    if (core->has_identity && core->profile.registration == STORE_REGISTERED)
        return problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_ALREADY_REGISTERED,
                           "See `sotto status`. For another account, use another --profile DIR.",
                           "This profile has an account already.");
    TRY(keys_ready(core, registration));
    return account_register_run(core, registration);
}

/* ---- Oneself ---- */

sotto_error sotto_account(struct sotto *core, struct sotto_account *account)
{
    memset(account, 0, sizeof *account);
    account->name = account->relay = account->suite = account->moving_from = "";
    if (!core->has_identity || core->profile.registration != STORE_REGISTERED)
        TRY(core_load_profile(core));
    account->registered = core->has_identity && core->profile.registration == STORE_REGISTERED;
    if (!core->has_identity)
        return SOTTO_OK;
    memcpy(account->account.bytes, core->identity.account.bytes, ACCOUNT_ID_SIZE);
    core_id_hex(core->identity.device.bytes, DEVICE_ID_SIZE, account->device);
    account->name = core->profile.name;
    sotto_error hashed = profile_picture_hash(core, &core->identity.account, account->picture);
    if (hashed != SOTTO_OK)
        return core_store_problem(core, hashed, "reading the picture");
    account->relay = core->profile.relay;
    account->moving_from = account_moving_from(core, &core->profile_arena);
    account->suite = sotto_mls_suite_name(core->identity_mls.mls.suite);
    sotto_error error = receipts_on(core, &account->receipts);
    if (error == SOTTO_OK)
        error = typing_allowed(core, &account->typing);
    if (error == SOTTO_OK)
        error = downloads_most(core, &account->downloads);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the settings");
}

/* Inside a transaction: every live conversation is told the name. */
static sotto_error introduce_everywhere(struct sotto *core, struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++) {
        if (!store_room_alive(rooms[i].state))
            continue;
        uint64_t unique = 0;
        TRY(core->env->random(core->env->ctx, (uint8_t *)&unique, sizeof unique));
        TRY(room_queue_name(core, &rooms[i].room, unique));
    }
    return SOTTO_OK;
}

sotto_error sotto_set_name(struct sotto *core, const char *name)
{
    TRY(core_need_account(core));
    TRY(account_name_check(core, name));
    sotto_error error = name_put(core, name);
    if (error == SOTTO_OK)
        error = core_load_profile(core);
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK) {
        struct arena arena;
        arena_init(&arena, core->env);
        error = introduce_everywhere(core, &arena);
        arena_free(&arena);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK)
            store_rollback(core->store);
    }
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "saving the name");
}

sotto_error sotto_fingerprint(struct sotto *core, const char *who, struct sotto_fingerprint *out)
{
    TRY(core_need_account(core));
    memset(out, 0, sizeof *out);
    if (who == NULL) {
        identity_fingerprint(core->identity.account_key, out->digits);
        (void)snprintf(out->name, sizeof out->name, "%s", core->profile.name);
        return verify_link_show(core, NULL, out->link, sizeof out->link);
    }
    struct arena arena;
    struct store_contact contact;
    arena_init(&arena, core->env);
    sotto_error error = names_person(core, who, &arena, &contact);
    if (error == SOTTO_OK && !contact.has_key)
        error = problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                            "Run sotto sync, then try again.",
                            "The keys of `%s` are not known yet.", who);
    if (error == SOTTO_OK) {
        identity_pair_fingerprint(core->identity.account_key, contact.account_key, out->digits);
        (void)snprintf(out->name, sizeof out->name, "%s", people_name(&contact));
        out->verified = (enum sotto_verified)contact.verified;
        error = verify_link_show(core, &contact.account, out->link, sizeof out->link);
    }
    arena_free(&arena);
    return error;
}
