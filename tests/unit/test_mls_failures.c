/* Every allocation and every random draw of every call fails once: the call says so, and the group
 * is byte for byte as before. */
#include "unit/failing.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519

/* ---- Two members and one outside ------------------------------------------------------------- */

static struct party *const alice = &failing.parties[0], *const bob = &failing.parties[1],
                           *const carol = &failing.parties[2];
static sotto_mls_staged *staged;

static void start_party(struct party *party, const char *name)
{
    static const sotto_mls_config config = {.past_epochs = 1};
    party_start(party, SUITE, &config);
    party->identity.credential =
        (sotto_mls_credential){.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)};
    party_key_package(party);
}

static sotto_error add(struct party *by, struct party *who)
{
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&who->key_package)}};
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = 1};
    return sotto_mls_commit(by->group, &options, &failing.commit, &failing.welcome, &staged);
}

static sotto_error join(struct party *who)
{
    return sotto_mls_join(who->mls, &who->identity, sotto_buf_view(&who->key_package),
                          sotto_buf_view(&who->secrets), sotto_buf_view(&failing.welcome),
                          (sotto_bytes){0}, &who->group);
}

static void start(void)
{
    failing_start();
    start_party(alice, "alice");
    start_party(bob, "bob");
    start_party(carol, "carol");
    assert_ok(sotto_mls_group_create(alice->mls, &alice->identity, sotto_bytes_str("group"), NULL,
                                     0, &alice->group));
    assert_ok(add(alice, bob));
    sotto_mls_staged_apply(alice->group, staged);
    assert_ok(join(bob));
    failing_clear(&failing.commit);
    failing_clear(&failing.welcome);
    staged = NULL;
}

/* ---- The calls ------------------------------------------------------------------------------- */

static sotto_error call_encrypt(void)
{
    return sotto_mls_encrypt(alice->group, sotto_bytes_str("text"), sotto_bytes_str("aad"), 3,
                             &failing.message);
}

static sotto_error call_propose_update(void)
{
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    return sotto_mls_propose(alice->group, &update, &alice->identity, SOTTO_MLS_PRIVATE,
                             &failing.message);
}

static sotto_error call_propose_add(void)
{
    const sotto_mls_proposal proposal = {.type = SOTTO_MLS_ADD,
                                         .u.add.key_package = sotto_buf_view(&carol->key_package)};
    return sotto_mls_propose(alice->group, &proposal, NULL, SOTTO_MLS_PUBLIC, &failing.message);
}

static sotto_error call_process(void)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(bob->group, sotto_buf_view(&failing.message), &received);
    if (error == SOTTO_OK)
        sotto_mls_received_clear(&received);
    return error;
}

static sotto_error call_process_commit(void)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(bob->group, sotto_buf_view(&failing.commit), &received);
    if (error != SOTTO_OK)
        return error;
    sotto_mls_staged_apply(bob->group, received.staged);
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    return SOTTO_OK;
}

static sotto_error call_commit(void)
{
    return sotto_mls_commit(alice->group, NULL, &failing.commit, &failing.welcome, &staged);
}

static sotto_error call_staged_save(void)
{
    return sotto_mls_staged_save(staged, &failing.saved);
}

static sotto_error call_staged_load(void)
{
    return sotto_mls_staged_load(alice->group, sotto_buf_view(&failing.saved), &staged);
}

static sotto_error call_join(void)
{
    return join(carol);
}

static sotto_error call_group_info(void)
{
    return sotto_mls_group_info(alice->group, true, true, &failing.info);
}

static sotto_error call_safe_export(void)
{
    static uint16_t component;
    sotto_buf out;
    sotto_buf_init(&out, &failing_env);
    sotto_error error = sotto_mls_safe_export(alice->group, component, &out);
    assert_int_equal(out.size, error == SOTTO_OK ? 32 : 0);
    if (error == SOTTO_OK)
        component += 0x5555;
    sotto_buf_free(&out);
    return error;
}

static sotto_error call_external_join(void)
{
    sotto_mls_group *group = NULL;
    sotto_buf out;
    sotto_buf_init(&out, sotto_env_system());
    sotto_error error =
        sotto_mls_external_join(carol->mls, &carol->identity, sotto_buf_view(&failing.info),
                                (sotto_bytes){0}, NULL, &out, &group);
    assert_true(error == SOTTO_OK ? group != NULL : out.size == 0);
    sotto_mls_group_free(group);
    sotto_buf_free(&out);
    return error;
}

static sotto_error call_create(void)
{
    sotto_mls_group *group = NULL;
    sotto_error error = sotto_mls_group_create(carol->mls, &carol->identity,
                                               sotto_bytes_str("other"), NULL, 0, &group);
    sotto_mls_group_free(group);
    return error;
}

static sotto_error call_key_package(void)
{
    sotto_buf package, secrets;
    sotto_buf_init(&package, &failing_env);
    sotto_buf_init(&secrets, &failing_env);
    sotto_error error =
        sotto_mls_key_package(carol->mls, &carol->identity, 0, 1, 0, &package, &secrets);
    assert_true(error == SOTTO_OK || package.size + secrets.size == 0);
    sotto_buf_free(&package);
    sotto_buf_free(&secrets);
    return error;
}

static struct memory_store kept;

static sotto_error call_save(void)
{
    const sotto_mls_store store = {&kept, store_put, store_erase};
    return sotto_mls_group_save(bob->group, &store);
}

static sotto_error next_record(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    size_t *at = ctx;
    if (*at == kept.count)
        return SOTTO_NOT_FOUND;
    /* Backwards, so that the group's own record comes late. */
    const struct stored *record = &kept.records[kept.count - 1 - (*at)++];
    *kind = record->kind;
    *index = record->index;
    *value = sotto_bytes_of(record->data, record->size);
    return SOTTO_OK;
}

static sotto_error call_load(void)
{
    sotto_mls_group *group = NULL;
    size_t at = 0;
    sotto_error error = sotto_mls_group_load(bob->mls, &bob->identity, next_record, &at, &group);
    sotto_mls_group_free(group);
    return error;
}

/* ---- Failing each step of each call ---------------------------------------------------------- */

static void every_step_fails(void)
{
    start();
    size_t failures = 0;
    failures += fail_every("key_package", call_key_package);
    failures += fail_every("create", call_create);
    failures += fail_every("encrypt", call_encrypt);
    fail_every("safe_export", call_safe_export);
    fail_every("safe_export of another", call_safe_export);
    fail_every("process message", call_process);
    failing_clear(&failing.message);
    failures += fail_every("encrypt again", call_encrypt);
    failing_clear(&failing.message);
    failures += fail_every("propose an Update", call_propose_update);
    fail_every("process a private proposal", call_process);
    failing_clear(&failing.message);
    fail_every("propose an Add", call_propose_add);
    fail_every("process a public proposal", call_process);
    failures += fail_every("commit", call_commit);
    assert_int_equal(sotto_mls_staged_count(staged), 1); /* the Add; one's own Update is left out */
    fail_every("staged_save", call_staged_save);
    sotto_mls_staged_drop(staged);
    fail_every("staged_load", call_staged_load);
    sotto_mls_staged_apply(alice->group, staged);
    fail_every("process a commit", call_process_commit);
    fail_every("join", call_join);
    failures += fail_every("group_info", call_group_info);
    party_stop(carol);
    start_party(carol, "carol again");
    failures += fail_every("external_join", call_external_join);
    fail_every("save", call_save);
    fail_every("load", call_load);
    assert_true(failures >= (failing_is_draws() ? 10U : 100U));
    store_clear(&kept);
    failing_stop();
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    failing_draws(false);
    every_step_fails();
}

static void no_random_draw_is_taken_for_granted(void **state)
{
    (void)state;
    failing_draws(true);
    every_step_fails();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocation_is_taken_for_granted),
        cmocka_unit_test(no_random_draw_is_taken_for_granted),
    };
    return cmocka_run_group_tests_name("mls_failures", tests, NULL, NULL);
}
