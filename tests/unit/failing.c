#include "unit/failing.h"

#include "mls/group_save.h"

/* ---- An environment that fails on demand ----------------------------------------------------- */

static size_t calls, fail_at;
static bool draws_fail;

void failing_draws(bool draws)
{
    draws_fail = draws;
}

bool failing_is_draws(void)
{
    return draws_fail;
}

static void *resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    (void)ctx;
    if (new_size > 0 && !draws_fail && fail_at > 0 && ++calls == fail_at)
        return NULL;
    const sotto_env *system = sotto_env_system();
    return system->resize(system->ctx, block, old_size, new_size);
}

static sotto_error draw(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    if (draws_fail && fail_at > 0 && ++calls == fail_at)
        return SOTTO_NO_RANDOM;
    const sotto_env *system = sotto_env_system();
    return system->random(system->ctx, out, size);
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return sotto_env_system()->now(sotto_env_system()->ctx);
}

const sotto_env failing_env = {.resize = resize, .random = draw, .now = now};

/* ---- People and outputs ---------------------------------------------------------------------- */

struct failing_world failing;

static sotto_buf *const outputs[] = {&failing.message, &failing.commit, &failing.welcome,
                                     &failing.info,    &failing.tree,   &failing.saved};
#define OUTPUTS (sizeof outputs / sizeof outputs[0])

void failing_start(void)
{
    fail_at = 0;
    failing = (struct failing_world){0};
    for (size_t i = 0; i < OUTPUTS; i++)
        sotto_buf_init(outputs[i], &failing_env);
}

void failing_stop(void)
{
    for (size_t i = 0; i < OUTPUTS; i++)
        sotto_buf_free(outputs[i]);
    for (size_t i = 0; i < FAILING_PARTIES; i++)
        party_stop(&failing.parties[i]);
}

void failing_clear(sotto_buf *output)
{
    sotto_buf_free(output);
    sotto_buf_init(output, &failing_env);
}

void party_start(struct party *party, uint16_t suite, const sotto_mls_config *config)
{
    *party = (struct party){0};
    sotto_buf_init(&party->private_key, sotto_env_system());
    sotto_buf_init(&party->public_key, sotto_env_system());
    sotto_buf_init(&party->key_package, &failing_env);
    sotto_buf_init(&party->secrets, &failing_env);
    assert_ok(sotto_mls_new(&failing_env, config, &party->mls));
    assert_ok(sotto_mls_signature_key(party->mls, suite, &party->private_key, &party->public_key));
    party->identity = (sotto_mls_identity){
        .suite = suite,
        .signature_private = sotto_buf_view(&party->private_key),
        .signature_public = sotto_buf_view(&party->public_key),
    };
}

void party_key_package(struct party *party)
{
    sotto_buf_clear(&party->key_package);
    sotto_buf_clear(&party->secrets);
    assert_ok(sotto_mls_key_package(party->mls, &party->identity, 0, UINT64_MAX - 1, 0,
                                    &party->key_package, &party->secrets));
}

void party_stop(struct party *party)
{
    if (party->mls == NULL)
        return;
    sotto_mls_group_free(party->group);
    sotto_mls_group_free(party->former);
    sotto_mls_free(party->mls);
    sotto_buf_free(&party->private_key);
    sotto_buf_free(&party->public_key);
    sotto_buf_free(&party->key_package);
    sotto_buf_free(&party->secrets);
    *party = (struct party){0};
}

/* ---- Failing each step of a call ------------------------------------------------------------- */

struct picture {
    struct memory_store groups[2 * FAILING_PARTIES]; /* empty where there is no group */
    size_t sizes[OUTPUTS];
};

static void take(struct picture *picture)
{
    for (size_t i = 0; i < 2 * FAILING_PARTIES; i++) {
        const struct party *party = &failing.parties[i / 2];
        sotto_mls_group *group = i % 2 == 0 ? party->group : party->former;
        struct memory_store *into = &picture->groups[i];
        store_clear(into);
        const sotto_mls_store store = {into, store_put, store_erase};
        if (group != NULL)
            assert_ok(group_dump(group, &store));
    }
    for (size_t i = 0; i < OUTPUTS; i++)
        picture->sizes[i] = outputs[i]->size;
}

static void drop(struct picture *picture)
{
    for (size_t i = 0; i < 2 * FAILING_PARTIES; i++)
        store_clear(&picture->groups[i]);
}

static bool same(const struct picture *a, const struct picture *b)
{
    for (size_t i = 0; i < 2 * FAILING_PARTIES; i++)
        if (!store_equal(&a->groups[i], &b->groups[i]))
            return false;
    return memcmp(a->sizes, b->sizes, sizeof a->sizes) == 0;
}

size_t fail_every(const char *name, sotto_error (*call)(void))
{
    static struct picture before, after;
    sotto_error expected = draws_fail ? SOTTO_NO_RANDOM : SOTTO_NO_MEMORY;
    take(&before);
    size_t n = 1;
    for (;; n++) {
        calls = 0;
        fail_at = n;
        sotto_error error = call();
        fail_at = 0;
        if (error == SOTTO_OK && calls < n)
            break;
        if (error != expected)
            print_error("%s, failure %zu: %s\n", name, n, sotto_error_name(error));
        assert_int_equal(error, expected);
        take(&after);
        if (!same(&before, &after))
            print_error("%s, failure %zu leaves a trace\n", name, n);
        assert_true(same(&before, &after));
    }
    drop(&before);
    drop(&after);
    return n - 1;
}
