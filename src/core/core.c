#include "sotto/sotto.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "core/account.h"
#include "core/downloads.h"
#include "core/order_log.h"
#include "core/store_wipe.h"
#include "core/typing.h"

const struct sotto_problem *sotto_problem(const struct sotto *core)
{
    return &core->problem;
}

uint64_t core_now_s(const struct sotto *core)
{
    return core->env->now(core->env->ctx);
}

void core_id_hex(const uint8_t *id, size_t size, char *out)
{
    sodium_bin2hex(out, 2 * size + 1, id, size);
}

sotto_error core_random_client_id(struct sotto *core, char out[33])
{
    uint8_t random[16];
    TRY(core->env->random(core->env->ctx, random, sizeof random));
    core_id_hex(random, sizeof random, out);
    return SOTTO_OK;
}

bool core_is_own(const struct sotto *core, const struct account_id *account)
{
    return core->has_identity && account_id_equal(account, &core->identity.account);
}

sotto_error core_store_problem(struct sotto *core, sotto_error error, const char *doing)
{
    if (error == SOTTO_VALUE && store_fault(core->store)->error == SOTTO_VALUE)
        return problem_damaged(&core->problem, store_path(core->store),
                               store_fault(core->store)->what);
    return problem_local(&core->problem, error, doing);
}

/* ---- The MLS engine's question about each leaf (RFC 9420, 5.3.1) -------------------------------
 */

/* A leaf counts if its account's certificate covers its key: the relay, or a member, cannot slip a
 * device in. Whether it is in the newest manifest known is no question here: members know different
 * ones (room_judge). */
static sotto_error validate_leaf(void *ctx, const sotto_mls_group *group,
                                 const sotto_mls_leaf *leaf, const sotto_mls_leaf *replaced)
{
    (void)group;
    struct sotto *core = ctx;
    struct account_id account;
    struct device_id device;
    struct arena arena;
    sotto_bytes manifest = {NULL, 0};
    sotto_fault fault = {SOTTO_OK, "leaf", 0};
    arena_init(&arena, core->env);
    sotto_error error = identity_leaf_ids(leaf, &account, &device);
    /* RFC 9420, 7.2. Not whether it is over: that would depend on the clock, and on when the log is
     * read; who takes a KeyPackage from a relay looks at that (room_take.c). */
    if (error == SOTTO_OK && leaf->not_after != UINT64_MAX &&
        leaf->not_after - leaf->not_before > (uint64_t)KEY_PACKAGE_MAX_DAYS * 86400) {
        fault.what = "Lifetime: longer than is acceptable";
        error = SOTTO_LIFETIME;
    }
    if (error == SOTTO_OK && core_is_own(core, &account))
        error = store_own_manifest_get(core->store, &arena, &manifest);
    else if (error == SOTTO_OK)
        error = store_manifest_get(core->store, &account, &arena, &manifest);
    if (error == SOTTO_NOT_FOUND)
        error = SOTTO_OK;
    if (error == SOTTO_OK)
        error = identity_judge_member(core->env, leaf, replaced, manifest, &fault);
    if (error != SOTTO_OK)
        (void)snprintf(core->fault_text, sizeof core->fault_text, "%s", fault.what);
    arena_free(&arena);
    return error;
}

/* ---- The profile ---------------------------------------------------------------------------- */

sotto_error core_load_profile(struct sotto *core)
{
    arena_free(&core->profile_arena);
    memset(&core->profile, 0, sizeof core->profile);
    identity_wipe(&core->identity);
    core->has_identity = false;
    sotto_error error = store_profile_get(core->store, &core->profile_arena, &core->profile);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the profile");
    sotto_fault fault;
    error = identity_load(core->crypto, core->profile.identity, &core->identity, &fault);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the profile's keys");
    identity_for_mls(&core->identity, &core->identity_mls);
    core->has_identity = true;
    return SOTTO_OK;
}

sotto_error core_need_account(struct sotto *core)
{
    if (!core->has_identity || core->profile.registration != STORE_REGISTERED)
        TRY(core_load_profile(core));
    if (core->has_identity && core->profile.registration == STORE_REGISTERED)
        return core->ending ? SOTTO_OK : account_ending(core);
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_NOT_REGISTERED,
                       "Begin with: sotto register --relay ADDRESS --name NAME",
                       "There is no account in this profile yet.");
}

sotto_error core_need_past(struct sotto *core)
{
    uint64_t restored = 0;
    if (core_need_account(core) == SOTTO_OK)
        return SOTTO_OK;
    sotto_error error = store_number_get(core->store, CORE_RESTORED, &restored);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the profile");
    return restored != 0 ? SOTTO_OK : core->problem.error;
}

/* ---- Opening and closing ------------------------------------------------------------------------
 */

/* An account was deleted, and the process ended before the files were erased. */
static sotto_error open_after(struct sotto *core, const char *profile,
                              const struct store_access *access, sotto_fault *fault)
{
    bool wiped = false;
    TRY(store_open(core->env, profile, access, &core->store, fault));
    sotto_error error = store_is_wiped(core->store, &wiped);
    if (error == SOTTO_OK && !wiped)
        return SOTTO_OK;
    store_close(core->store);
    core->store = NULL;
    if (error == SOTTO_OK)
        error = store_erase_files(profile);
    return error == SOTTO_OK ? store_open(core->env, profile, access, &core->store, fault) : error;
}

static sotto_error open_store(struct sotto *core, const char *profile,
                              const struct sotto_unlock *unlock, struct sotto_problem *problem)
{
    sotto_fault fault = {SOTTO_OK, "", 0};
    struct store_access access = {.passphrase = unlock != NULL ? unlock->passphrase : NULL,
                                  .ctx = unlock != NULL ? unlock->ctx : NULL,
                                  .vfs = core->outside->vfs};
    sotto_error error = open_after(core, profile, &access, &fault);
    const char *what =
        fault.what != NULL && fault.what[0] != '\0' ? fault.what : sotto_error_text(error);
    switch (error) {
    case SOTTO_OK:
        return SOTTO_OK;
    case SOTTO_STATE:
        return problem_set(problem, error, SOTTO_CODE_LOCKED,
                           "Run the command on a terminal, which asks for it, or let "
                           "$SOTTO_PASSPHRASE_FILE name a file that holds it.",
                           "The profile in %s is locked: its passphrase is needed.", profile);
    case SOTTO_KEY:
        return problem_set(problem, error, SOTTO_CODE_WRONG_PASSPHRASE,
                           "Try again. Nobody can open the profile without it.",
                           "That is not the passphrase of the profile in %s.", profile);
    case SOTTO_IO:
        return problem_set(problem, error, SOTTO_CODE_STORAGE,
                           "Give a directory that you may write to: --profile DIR",
                           "The profile in %s cannot be opened: %s.", profile, what);
    case SOTTO_BUSY:
        return problem_set(
            problem, error, SOTTO_CODE_STORAGE_BUSY,
            "Another sotto command works on this profile; try again when it is done.",
            "The profile in %s is in use: %s.", profile, what);
    case SOTTO_VALUE:
        return problem_damaged(problem, profile, what);
    default:
        return problem_local(problem, error, "opening the profile");
    }
}

static sotto_error open_parts(struct sotto *core)
{
    const sotto_mls_provider *provider = core->outside->provider;
    if (provider == NULL)
        provider = sotto_mls_provider_default();
    TRY(crypto_new_with(core->env, provider, &core->crypto));
    TRY(tls_client(core->env, &core->tls));
    sotto_mls_config config;
    memset(&config, 0, sizeof config);
    config.ctx = core;
    config.validate_leaf = validate_leaf;
    config.ignore_lifetimes = true; /* in what others added; see validate_leaf */
    TRY(sotto_mls_new_with_provider(core->env, &config, provider, &core->mls));
    if (pipe2(core->stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        core->stop_pipe[0] = core->stop_pipe[1] = -1;
        return SOTTO_IO;
    }
    return SOTTO_OK;
}

static struct sotto *core_new(const sotto_env *env, const struct outside *outside)
{
    struct sotto *core = mem_alloc(env, sizeof *core);
    if (core == NULL)
        return NULL;
    core->env = env;
    core->outside = outside;
    core->stop_pipe[0] = core->stop_pipe[1] = core->netwatch = -1;
    arena_init(&core->profile_arena, env);
    return core;
}

/* The rest, once its store was opened, or was not. */
static sotto_error open_rest(struct sotto *core, sotto_error error, struct sotto **out,
                             struct sotto_problem *problem)
{
    if (error == SOTTO_OK) {
        error = open_parts(core);
        if (error != SOTTO_OK)
            (void)problem_local(problem, error, "starting");
    }
    if (error == SOTTO_OK) {
        error = core_load_profile(core);
        *problem = core->problem;
        if (error == SOTTO_OK)
            (void)expire_sweep(core); /* else the next time: the profile opens all the same */
    }
    if (error != SOTTO_OK) {
        sotto_close(core);
        return error;
    }
    *out = core;
    return SOTTO_OK;
}

sotto_error core_open(const sotto_env *env, const struct outside *outside, const char *profile,
                      const struct sotto_unlock *unlock, struct sotto **out,
                      struct sotto_problem *problem)
{
    problem_clear(problem);
    struct sotto *core = core_new(env, outside);
    if (core == NULL)
        return problem_local(problem, SOTTO_NO_MEMORY, "starting");
    return open_rest(core, open_store(core, profile, unlock, problem), out, problem);
}

sotto_error sotto_open(const sotto_env *env, const char *profile, const struct sotto_unlock *unlock,
                       struct sotto **out, struct sotto_problem *problem)
{
    return core_open(env, outside_system(), profile, unlock, out, problem);
}

sotto_error sotto_open_beside(const struct sotto *first, struct sotto **out,
                              struct sotto_problem *problem)
{
    problem_clear(problem);
    struct sotto *core = core_new(first->env, first->outside);
    if (core == NULL)
        return problem_local(problem, SOTTO_NO_MEMORY, "starting");
    core->proxy_overridden = first->proxy_overridden;
    memcpy(core->proxy_override, first->proxy_override, sizeof core->proxy_override);
    core->beside = true;
    sotto_error error = store_open_beside(first->store, &core->store, NULL);
    if (error != SOTTO_OK)
        (void)problem_local(problem, error, "opening the profile");
    return open_rest(core, error, out, problem);
}

sotto_error sotto_passphrase_is_set(struct sotto *core, bool *set)
{
    sotto_error error = store_passphrase_is_set(core->store, set);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "reading the key file");
}

_Static_assert(SOTTO_PASSPHRASE_MAX == VAULT_PASSPHRASE_MAX, "one limit");

sotto_error sotto_passphrase_set(struct sotto *core, const sotto_bytes *passphrase)
{
    sotto_error error = store_passphrase_set(core->store, passphrase);
    if (error == SOTTO_LENGTH)
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_TEXT,
                           "Several words that nobody would put together are good.",
                           "A passphrase has 1 to %d bytes.", SOTTO_PASSPHRASE_MAX);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "writing the key file");
}

/* What was wiped goes altogether. If that fails, the next opening does it. */
static void close_store(struct sotto *core)
{
    const char *path = core->wiped && !core->beside ? store_path(core->store) : NULL;
    size_t size = path != NULL ? strlen(path) - strlen("/" STORE_FILE) : 0;
    char *directory = path != NULL ? mem_alloc(core->env, size + 1) : NULL;
    if (directory != NULL)
        (void)snprintf(directory, size + 1, "%.*s", (int)size, path);
    store_close(core->store);
    if (directory != NULL)
        (void)store_erase_files(directory);
    mem_free(core->env, directory, size + 1);
}

void sotto_close(struct sotto *core)
{
    if (core == NULL)
        return;
    downloads_free(core);
    net_close(core);
    order_log_free(core);
    room_free_all(core);
    typing_free(core);
    sotto_mls_free(core->mls);
    tls_free(core->tls);
    identity_wipe(&core->identity);
    arena_free(&core->profile_arena);
    crypto_free(core->crypto);
    close_store(core);
    for (int i = 0; i < 2; i++)
        if (core->stop_pipe[i] >= 0)
            (void)close(core->stop_pipe[i]);
    mem_free(core->env, core, sizeof *core);
}

static void stop(struct sotto *core, int how)
{
    if (core == NULL)
        return;
    atomic_store(&core->stop, how);
    if (core->stop_pipe[1] >= 0) {
        ssize_t n = write(core->stop_pipe[1], "", 1);
        (void)n; /* full: it wakes up anyway */
    }
}

void sotto_stop(struct sotto *core)
{
    stop(core, 1);
}

void sotto_cancel(struct sotto *core)
{
    stop(core, CORE_CANCEL);
}
