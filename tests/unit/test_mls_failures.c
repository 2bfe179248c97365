/* Every allocation and every random draw of every call fails once: the call says so, and the group
 * is byte for byte as before. */
#include "mls/group_save.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519

/* ---- An environment that fails on demand ----------------------------------------------------- */

static size_t calls, fail_at;
static bool fail_random;

static void *resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    (void)ctx;
    if (new_size > 0 && !fail_random && fail_at > 0 && ++calls == fail_at)
        return NULL;
    const sotto_env *system = sotto_env_system();
    return system->resize(system->ctx, block, old_size, new_size);
}

static sotto_error draw(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    if (fail_random && fail_at > 0 && ++calls == fail_at)
        return SOTTO_NO_RANDOM;
    const sotto_env *system = sotto_env_system();
    return system->random(system->ctx, out, size);
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return sotto_env_system()->now(sotto_env_system()->ctx);
}

static const sotto_env failing = {.resize = resize, .random = draw, .now = now};

/* ---- Two members and one outside ------------------------------------------------------------- */

struct party {
    sotto_mls *mls;
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group;
};

static struct party alice, bob, carol;
static sotto_buf message, commit, welcome, info, saved;
static sotto_mls_staged *staged;

static void party_start(struct party *party, const char *name)
{
    static const sotto_mls_config config = {.past_epochs = 1};
    *party = (struct party){0};
    sotto_buf_init(&party->private_key, sotto_env_system());
    sotto_buf_init(&party->public_key, sotto_env_system());
    sotto_buf_init(&party->key_package, sotto_env_system());
    sotto_buf_init(&party->secrets, sotto_env_system());
    assert_ok(sotto_mls_new(&failing, &config, &party->mls));
    assert_ok(sotto_mls_signature_key(party->mls, SUITE, &party->private_key, &party->public_key));
    party->identity = (sotto_mls_identity){
        .suite = SUITE,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(name)},
        .signature_private = sotto_buf_view(&party->private_key),
        .signature_public = sotto_buf_view(&party->public_key),
    };
    assert_ok(sotto_mls_key_package(party->mls, &party->identity, 0, UINT64_MAX - 1, 0,
                                    &party->key_package, &party->secrets));
}

static void party_stop(struct party *party)
{
    sotto_mls_group_free(party->group);
    sotto_mls_free(party->mls);
    sotto_buf_free(&party->private_key);
    sotto_buf_free(&party->public_key);
    sotto_buf_free(&party->key_package);
    sotto_buf_free(&party->secrets);
}

static sotto_error add(struct party *by, struct party *who)
{
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&who->key_package)}};
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = 1};
    return sotto_mls_commit(by->group, &options, &commit, &welcome, &staged);
}

static sotto_error join(struct party *who)
{
    return sotto_mls_join(who->mls, &who->identity, sotto_buf_view(&who->key_package),
                          sotto_buf_view(&who->secrets), sotto_buf_view(&welcome), (sotto_bytes){0},
                          &who->group);
}

static void start(void)
{
    fail_at = 0;
    sotto_buf *all[] = {&message, &commit, &welcome, &info, &saved};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sotto_buf_init(all[i], sotto_env_system());
    party_start(&alice, "alice");
    party_start(&bob, "bob");
    party_start(&carol, "carol");
    assert_ok(sotto_mls_group_create(alice.mls, &alice.identity, sotto_bytes_str("group"), NULL, 0,
                                     &alice.group));
    assert_ok(add(&alice, &bob));
    sotto_mls_staged_apply(alice.group, staged);
    assert_ok(join(&bob));
    sotto_buf_clear(&commit);
    sotto_buf_clear(&welcome);
    staged = NULL;
}

static void stop(void)
{
    sotto_buf *all[] = {&message, &commit, &welcome, &info, &saved};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sotto_buf_free(all[i]);
    party_stop(&alice);
    party_stop(&bob);
    party_stop(&carol);
}

/* ---- The calls ------------------------------------------------------------------------------- */

static sotto_error call_encrypt(void)
{
    return sotto_mls_encrypt(alice.group, sotto_bytes_str("text"), sotto_bytes_str("aad"), 3,
                             &message);
}

static sotto_error call_propose_update(void)
{
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    return sotto_mls_propose(alice.group, &update, &alice.identity, SOTTO_MLS_PRIVATE, &message);
}

static sotto_error call_propose_add(void)
{
    const sotto_mls_proposal proposal = {.type = SOTTO_MLS_ADD,
                                         .u.add.key_package = sotto_buf_view(&carol.key_package)};
    return sotto_mls_propose(alice.group, &proposal, NULL, SOTTO_MLS_PUBLIC, &message);
}

static sotto_error call_process(void)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(bob.group, sotto_buf_view(&message), &received);
    if (error == SOTTO_OK)
        sotto_mls_received_clear(&received);
    return error;
}

static sotto_error call_process_commit(void)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(bob.group, sotto_buf_view(&commit), &received);
    if (error != SOTTO_OK)
        return error;
    sotto_mls_staged_apply(bob.group, received.staged);
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    return SOTTO_OK;
}

static sotto_error call_commit(void)
{
    return sotto_mls_commit(alice.group, NULL, &commit, &welcome, &staged);
}

static sotto_error call_staged_save(void)
{
    return sotto_mls_staged_save(staged, &saved);
}

static sotto_error call_staged_load(void)
{
    return sotto_mls_staged_load(alice.group, sotto_buf_view(&saved), &staged);
}

static sotto_error call_join(void)
{
    return join(&carol);
}

static sotto_error call_group_info(void)
{
    return sotto_mls_group_info(alice.group, true, true, &info);
}

static sotto_error call_safe_export(void)
{
    static uint16_t component;
    sotto_buf out;
    sotto_buf_init(&out, &failing);
    sotto_error error = sotto_mls_safe_export(alice.group, component, &out);
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
    sotto_error error = sotto_mls_external_join(carol.mls, &carol.identity, sotto_buf_view(&info),
                                                (sotto_bytes){0}, NULL, &out, &group);
    assert_true(error == SOTTO_OK ? group != NULL : out.size == 0);
    sotto_mls_group_free(group);
    sotto_buf_free(&out);
    return error;
}

static sotto_error call_create(void)
{
    sotto_mls_group *group = NULL;
    sotto_error error = sotto_mls_group_create(carol.mls, &carol.identity, sotto_bytes_str("other"),
                                               NULL, 0, &group);
    sotto_mls_group_free(group);
    return error;
}

static sotto_error call_key_package(void)
{
    sotto_buf package, secrets;
    sotto_buf_init(&package, &failing);
    sotto_buf_init(&secrets, &failing);
    sotto_error error =
        sotto_mls_key_package(carol.mls, &carol.identity, 0, 1, 0, &package, &secrets);
    assert_true(error == SOTTO_OK || package.size + secrets.size == 0);
    sotto_buf_free(&package);
    sotto_buf_free(&secrets);
    return error;
}

static struct memory_store kept;

static sotto_error call_save(void)
{
    const sotto_mls_store store = {&kept, store_put, store_erase};
    return sotto_mls_group_save(bob.group, &store);
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
    sotto_error error = sotto_mls_group_load(bob.mls, &bob.identity, next_record, &at, &group);
    sotto_mls_group_free(group);
    return error;
}

/* ---- Failing each step of each call ---------------------------------------------------------- */

static void snapshot(struct party *party, struct memory_store *into)
{
    store_clear(into);
    const sotto_mls_store store = {into, store_put, store_erase};
    assert_ok(group_dump(party->group, &store));
}

/* Until the call succeeds; returns how many failures it took. */
static size_t fail_every(const char *name, sotto_error (*call)(void))
{
    struct memory_store alice_before = {0}, bob_before = {0}, after = {0};
    snapshot(&alice, &alice_before);
    snapshot(&bob, &bob_before);
    sotto_error expected = fail_random ? SOTTO_NO_RANDOM : SOTTO_NO_MEMORY;
    size_t n = 1;
    for (;; n++) {
        size_t sizes = message.size + commit.size + welcome.size + info.size + saved.size;
        calls = 0;
        fail_at = n;
        sotto_error error = call();
        fail_at = 0;
        if (error == SOTTO_OK)
            break;
        if (error != expected)
            print_error("%s, failure %zu: %s\n", name, n, sotto_error_name(error));
        assert_int_equal(error, expected);
        assert_int_equal(sizes, message.size + commit.size + welcome.size + info.size + saved.size);
        snapshot(&alice, &after);
        assert_true(store_equal(&alice_before, &after));
        snapshot(&bob, &after);
        assert_true(store_equal(&bob_before, &after));
    }
    store_clear(&alice_before);
    store_clear(&bob_before);
    store_clear(&after);
    return n - 1;
}

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
    failures += fail_every("encrypt again", call_encrypt);
    sotto_buf_clear(&message);
    failures += fail_every("propose an Update", call_propose_update);
    fail_every("process a private proposal", call_process);
    sotto_buf_clear(&message);
    fail_every("propose an Add", call_propose_add);
    fail_every("process a public proposal", call_process);
    failures += fail_every("commit", call_commit);
    fail_every("staged_save", call_staged_save);
    sotto_mls_staged_drop(staged);
    fail_every("staged_load", call_staged_load);
    sotto_mls_staged_apply(alice.group, staged);
    fail_every("process a commit", call_process_commit);
    fail_every("join", call_join);
    failures += fail_every("group_info", call_group_info);
    sotto_mls_group_free(carol.group);
    carol.group = NULL;
    party_stop(&carol);
    party_start(&carol, "carol again");
    failures += fail_every("external_join", call_external_join);
    fail_every("save", call_save);
    fail_every("load", call_load);
    assert_true(failures >= (fail_random ? 10U : 100U));
    store_clear(&kept);
    stop();
}

static void no_allocation_is_taken_for_granted(void **state)
{
    (void)state;
    fail_random = false;
    every_step_fails();
}

static void no_random_draw_is_taken_for_granted(void **state)
{
    (void)state;
    fail_random = true;
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
