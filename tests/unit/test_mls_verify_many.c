/* An environment with threads: the same answers as without. */
#include "mls/verify_many.h"

#include <pthread.h>
#include <stdlib.h>

#include "mls/engine.h"
#include "mls/identity.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519
#define MANY 100
#define THREADS_MOST 64

static struct client clients[MANY];
static size_t calls, jobs;

struct thread {
    pthread_t id;
    void (*job)(void *ctx, size_t i);
    void *ctx;
    size_t number;
};

static void *run(void *ctx)
{
    struct thread *thread = ctx;
    thread->job(thread->ctx, thread->number);
    return NULL;
}

/* A thread a job, all at the same time, the last job first. */
static void parallel(void *ctx, void (*job)(void *job_ctx, size_t i), void *job_ctx, size_t count)
{
    static struct thread threads[THREADS_MOST];
    (void)ctx;
    assert_true(count > 0 && count <= THREADS_MOST);
    calls++;
    jobs += count;
    for (size_t i = count; i-- > 0;) {
        threads[i] = (struct thread){.job = job, .ctx = job_ctx, .number = i};
        assert_int_equal(pthread_create(&threads[i].id, NULL, run, &threads[i]), 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
}

static sotto_env threaded;

/* The client's engine gets threads. */
static void with_threads(struct client *client)
{
    sotto_mls_free(client->mls);
    assert_ok(sotto_mls_new(&threaded, NULL, &client->mls));
}

static int start(void **state)
{
    (void)state;
    threaded = *sotto_env_system();
    threaded.parallel = parallel;
    for (size_t i = 0; i < MANY; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        client_key_package(&clients[i]);
    }
    with_threads(&clients[0]);
    with_threads(&clients[2]);
    calls = jobs = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        client_free(&clients[i]);
    return 0;
}

static sotto_error add_all(struct client *by, sotto_buf *commit, sotto_buf *welcome)
{
    sotto_mls_proposal adds[MANY - 1] = {0};
    sotto_mls_staged *staged;
    for (size_t i = 1; i < MANY; i++) {
        adds[i - 1].type = SOTTO_MLS_ADD;
        adds[i - 1].u.add.key_package = sotto_buf_view(&clients[i].key_package);
    }
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = MANY - 1};
    sotto_error error = sotto_mls_commit(by->group, &options, commit, welcome, &staged);
    if (error == SOTTO_OK)
        sotto_mls_staged_apply(by->group, staged);
    return error;
}

static void a_group_is_made_and_joined_with_threads(void **state)
{
    (void)state;
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    client_create(&clients[0], "group");
    assert_ok(add_all(&clients[0], &commit, &welcome));
    assert_int_equal(calls, 1);
    assert_int_equal(jobs, 3);
    client_join(&clients[1], sotto_buf_view(&welcome), (sotto_bytes){0});
    assert_int_equal(calls, 1);
    client_join(&clients[2], sotto_buf_view(&welcome), (sotto_bytes){0});
    assert_int_equal(calls, 2);
    for (size_t i = 1; i < 3; i++)
        assert_bytes(sotto_mls_epoch_authenticator(clients[i].group),
                     sotto_mls_epoch_authenticator(clients[0].group));
    world_tell(&clients[0], &clients[2], "with threads");
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

/* Refused by both, for the same reason. */
static void refuse_by_both(struct client *with, struct client *without)
{
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_error error = add_all(without, &commit, &welcome);
    assert_int_not_equal(error, SOTTO_OK);
    size_t before = calls;
    assert_int_equal(add_all(with, &commit, &welcome), error);
    assert_true(calls <= before + 1);
    assert_string_equal(sotto_mls_fault(with->mls)->what, sotto_mls_fault(without->mls)->what);
    assert_int_equal(commit.size + welcome.size, 0);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void what_is_refused_does_not_depend_on_threads(void **state)
{
    (void)state;
    struct client without;
    client_new(&without, SUITE, "without threads", NULL);
    client_create(&clients[0], "group");
    client_create(&without, "group");
    for (size_t i = 1; i < MANY; i += 7) {
        sotto_buf *package = &clients[i].key_package;
        for (size_t at = i; at < package->size; at += 67) {
            package->data[at] ^= 0x04;
            refuse_by_both(&clients[0], &without);
            package->data[at] ^= 0x04;
        }
    }
    assert_true(calls > 0);
    client_free(&without);
}

static void exactly_the_bad_ones_are_not_verified(void **state)
{
    (void)state;
    struct crypto *crypto = clients[0].mls->crypto;
    struct to_verify items[MANY] = {0};
    struct key_package packages[MANY];
    struct arena arena;
    arena_init(&arena, sotto_env_system());
    for (size_t i = 0; i < MANY; i++) {
        sotto_fault fault;
        sotto_buf *buf = &clients[i].key_package;
        assert_ok(package_decode(&arena, sotto_buf_view(buf), &packages[i], &fault));
        items[i] = (struct to_verify){.leaf = &packages[i].leaf, .package = &packages[i]};
        if (i % 9 == 4) /* of the KeyPackage, which comes last */
            buf->data[buf->size - 1] ^= 1;
        if (i % 9 == 7)
            buf->data[packages[i].leaf.signature.data - buf->data] ^= 1;
    }
    verify_many(crypto, suite_by_id(SUITE), (sotto_bytes){0}, items, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(items[i].verified, i % 9 != 4 && i % 9 != 7);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_is_made_and_joined_with_threads, start, stop),
        cmocka_unit_test_setup_teardown(what_is_refused_does_not_depend_on_threads, start, stop),
        cmocka_unit_test_setup_teardown(exactly_the_bad_ones_are_not_verified, start, stop),
    };
    return cmocka_run_group_tests_name("mls_verify_many", tests, NULL, NULL);
}
