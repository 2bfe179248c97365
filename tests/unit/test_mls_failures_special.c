/* As test_mls_failures.c, for the rest of a group's life: X.509 credentials, the tree apart from
 * the Welcome, PSKs, GroupContextExtensions, external commits, SelfRemove, branches and ReInit. */
#include "sotto/mls_x509.h"
#include "unit/certificates.h"
#include "unit/failing.h"

#define SUITE SOTTO_MLS_X25519_CHACHA_SHA256_ED25519
#define TITLE 0xf100

static struct party *const alice = &failing.parties[0], *const bob = &failing.parties[1],
                           *const carol = &failing.parties[2], *const dave = &failing.parties[3];

/* ---- People with certificates ---------------------------------------------------------------- */

static struct certified root, leaves[FAILING_PARTIES];
static sotto_bytes chains[FAILING_PARTIES];
static sotto_mls_x509 *verifier;
static sotto_env certified_env;

static uint64_t certified_now(void *ctx)
{
    (void)ctx;
    return CERTIFIED_AT;
}

/* Everybody's kept resumption PSK, which is the same. */
static sotto_buf kept;
static uint64_t kept_epoch;

static sotto_error external_psk(void *ctx, sotto_bytes id, sotto_buf *psk)
{
    (void)ctx;
    assert_bytes(id, sotto_bytes_str("key"));
    const sotto_bytes key = sotto_bytes_str("shared in advance");
    return sotto_buf_append(psk, key.data, key.size);
}

static sotto_error resumption_psk(void *ctx, sotto_bytes group_id, uint64_t epoch, sotto_buf *psk)
{
    (void)ctx;
    assert_bytes(group_id, sotto_bytes_str("group"));
    assert_int_equal(epoch, kept_epoch);
    return sotto_buf_append(psk, kept.data, kept.size);
}

static void start_party(struct party *party, const char *name)
{
    static const uint16_t types[] = {TITLE};
    const sotto_mls_config config = {.ctx = verifier,
                                     .validate_leaf = sotto_mls_x509_validate_leaf,
                                     .external_psk = external_psk,
                                     .resumption_psk = resumption_psk};
    size_t i = (size_t)(party - failing.parties);
    party_start(party, SUITE, &config);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, party->public_key.data,
                                                party->public_key.size);
    certify_key(&leaves[i], &(struct terms){.name = name}, &root, key);
    chains[i] = certified_der(&leaves[i]);
    party->identity.credential =
        (sotto_mls_credential){.type = SOTTO_MLS_X509, .chain = &chains[i], .chain_count = 1};
    party->identity.capabilities =
        (sotto_mls_capabilities){.extensions = types, .extension_count = 1};
    party_key_package(party);
}

static void start(void)
{
    failing_start();
    sotto_buf_init(&kept, sotto_env_system());
    certified_env = failing_env;
    certified_env.now = certified_now;
    certify_new(&root, &(struct terms){.name = "Root", .authority = true}, NULL);
    assert_ok(sotto_mls_x509_new(&certified_env, &verifier));
    assert_ok(sotto_mls_x509_trust(verifier, certified_der(&root)));
    start_party(alice, "alice");
    start_party(bob, "bob");
    start_party(carol, "carol");
    start_party(dave, "dave");
}

static void stop(void)
{
    failing_stop();
    sotto_mls_x509_free(verifier);
    certified_free(&root);
    for (size_t i = 0; i < FAILING_PARTIES; i++)
        certified_free(&leaves[i]);
    sotto_buf_free(&kept);
}

/* ---- The calls: by whom, with what ----------------------------------------------------------- */

static struct party *actor;
static sotto_mls_commit_options options;
static sotto_mls_proposal proposals[4];
static sotto_bytes joins_with_tree;
static sotto_mls_staged *staged;

static sotto_error call_create(void)
{
    const sotto_mls_extension title = {.type = TITLE, .data = sotto_bytes_str("title")};
    return sotto_mls_group_create(actor->mls, &actor->identity, sotto_bytes_str("group"), &title, 1,
                                  &actor->group);
}

static sotto_error call_commit(void)
{
    return sotto_mls_commit(actor->group, &options, &failing.commit, &failing.welcome, &staged);
}

static sotto_error call_process_commit(void)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(actor->group, sotto_buf_view(&failing.commit), &received);
    if (error == SOTTO_OK) {
        staged = received.staged;
        received.staged = NULL;
        sotto_mls_received_clear(&received);
    }
    return error;
}

static sotto_error call_join(void)
{
    return sotto_mls_join(actor->mls, &actor->identity, sotto_buf_view(&actor->key_package),
                          sotto_buf_view(&actor->secrets), sotto_buf_view(&failing.welcome),
                          joins_with_tree, &actor->group);
}

static sotto_error call_ratchet_tree(void)
{
    return sotto_mls_ratchet_tree(actor->group, &failing.tree);
}

static sotto_error call_group_info(void)
{
    return sotto_mls_group_info(actor->group, true, true, &failing.info);
}

static sotto_error call_resumption_psk(void)
{
    return sotto_mls_resumption_psk(actor->group, &kept);
}

static sotto_error call_propose(void)
{
    return sotto_mls_propose(actor->group, &proposals[0], NULL, SOTTO_MLS_PUBLIC, &failing.message);
}

static sotto_error call_process(void)
{
    sotto_mls_received received;
    sotto_error error =
        sotto_mls_process(actor->group, sotto_buf_view(&failing.message), &received);
    if (error == SOTTO_OK)
        sotto_mls_received_clear(&received);
    return error;
}

static sotto_error call_encrypt(void)
{
    return sotto_mls_encrypt(actor->group, sotto_bytes_str("text"), sotto_bytes_str(""), 0,
                             &failing.message);
}

static sotto_error call_external_join(void)
{
    const sotto_bytes leaving = sotto_buf_view(&failing.message);
    const sotto_mls_external_options external = {
        .self_removes = &leaving, .self_remove_count = 1, .psks = proposals, .psk_count = 1};
    return sotto_mls_external_join(actor->mls, &actor->identity, sotto_buf_view(&failing.info),
                                   (sotto_bytes){0}, &external, &failing.commit, &actor->group);
}

static sotto_error call_new_member_proposal(void)
{
    return sotto_mls_new_member_proposal(actor->mls, &actor->identity, sotto_bytes_str("group"),
                                         sotto_mls_epoch(alice->group),
                                         sotto_buf_view(&actor->key_package), &failing.message);
}

static sotto_error call_check_origin(void)
{
    return sotto_mls_check_origin(actor->group, actor->former, NULL, NULL);
}

static size_t failures; /* of all calls */
static struct memory_store records;

static sotto_error call_save(void)
{
    const sotto_mls_store store = {&records, store_put, store_erase};
    return sotto_mls_group_save(actor->group, &store);
}

static sotto_error next_record(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    struct memory_store *store = ctx;
    if (store->cursor == store->count)
        return SOTTO_NOT_FOUND;
    const struct stored *record = &store->records[store->cursor++];
    *kind = record->kind;
    *index = record->index;
    *value = sotto_bytes_of(record->data, record->size);
    return SOTTO_OK;
}

static sotto_error call_load(void)
{
    records.cursor = 0;
    return sotto_mls_group_load(actor->mls, &actor->identity, next_record, &records, &actor->group);
}

/* ---- What people do -------------------------------------------------------------------------- */

/* By everyone of members but the first, who made it and is asked first. */
static void commit_by(const char *name, struct party **members, size_t count, size_t proposed)
{
    char step[80];
    failing_clear(&failing.commit);
    failing_clear(&failing.welcome);
    options.proposals = proposals;
    options.proposal_count = proposed;
    for (size_t i = 0; i < count; i++) {
        actor = members[i];
        snprintf(step, sizeof step, "%s %s", i == 0 ? "commit" : "process", name);
        failures += fail_every(step, i == 0 ? call_commit : call_process_commit);
        sotto_mls_staged_apply(actor->group, staged);
        assert_bytes(sotto_mls_epoch_authenticator(actor->group),
                     sotto_mls_epoch_authenticator(members[0]->group));
    }
    options = (sotto_mls_commit_options){0};
}

static void join(const char *name, struct party *who, const struct party *member)
{
    actor = who;
    failures += fail_every(name, call_join);
    assert_bytes(sotto_mls_epoch_authenticator(who->group),
                 sotto_mls_epoch_authenticator(member->group));
}

/* The first of members proposes, all others hear it. */
static void propose(const char *name, struct party **members, size_t count)
{
    failing_clear(&failing.message);
    actor = members[0];
    failures += fail_every(name, call_propose);
    for (size_t i = 1; i < count; i++) {
        actor = members[i];
        failures += fail_every(name, call_process);
    }
}

static void add(sotto_mls_proposal *proposal, const struct party *who)
{
    *proposal = (sotto_mls_proposal){.type = SOTTO_MLS_ADD,
                                     .u.add.key_package = sotto_buf_view(&who->key_package)};
}

static void resume(sotto_mls_proposal *proposal, uint8_t usage)
{
    sotto_buf_clear(&kept);
    assert_ok(
        sotto_mls_resumption_psk(alice->former == NULL ? alice->group : alice->former, &kept));
    kept_epoch = sotto_mls_epoch(alice->former == NULL ? alice->group : alice->former);
    *proposal = (sotto_mls_proposal){.type = SOTTO_MLS_PSK,
                                     .u.psk = {.resumption = true,
                                               .id = sotto_bytes_str("group"),
                                               .epoch = kept_epoch,
                                               .usage = usage}};
}

static void talk(struct party *from, struct party *to)
{
    failing_clear(&failing.message);
    actor = from;
    failures += fail_every("encrypt", call_encrypt);
    actor = to;
    failures += fail_every("decrypt", call_process);
}

/* ---- The scenario ---------------------------------------------------------------------------- */

static void a_group_begins(void)
{
    actor = alice;
    failures += fail_every("create", call_create);
    add(&proposals[0], bob);
    options.no_tree = true;
    struct party *first[] = {alice, bob};
    commit_by("an Add, the tree apart", first, 1, 1);
    failures += fail_every("ratchet_tree", call_ratchet_tree);
    joins_with_tree = sotto_buf_view(&failing.tree);
    join("join, the tree apart", bob, alice);
    joins_with_tree = (sotto_bytes){0};
    talk(alice, bob);
    talk(bob, alice);

    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")};
    add(&proposals[1], carol);
    commit_by("an external PSK and an Add", first, 2, 2);
    join("join with a PSK", carol, alice);
}

static void the_group_changes(void)
{
    struct party *by_bob[] = {bob, alice, carol};
    sotto_buf_clear(&kept);
    actor = bob;
    failures += fail_every("resumption_psk", call_resumption_psk);
    resume(&proposals[0], SOTTO_MLS_PSK_APPLICATION);
    commit_by("a resumption PSK", by_bob, 3, 1);

    struct party *by_carol[] = {carol, alice, bob};
    const sotto_mls_extension title = {.type = TITLE, .data = sotto_bytes_str("another title")};
    proposals[0] =
        (sotto_mls_proposal){.type = SOTTO_MLS_CONTEXT_EXTENSIONS, .u.context = {&title, 1}};
    propose("GroupContextExtensions", by_carol, 3);
    struct party *by_alice[] = {alice, bob, carol};
    commit_by("GroupContextExtensions by reference", by_alice, 3, 0);
    sotto_bytes data;
    assert_ok(sotto_mls_context_extension(carol->group, TITLE, &data));
    assert_bytes(data, title.data);

    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_UPDATE};
    propose("an Update", by_carol, 3);
    commit_by("an Update by reference", by_alice, 3, 0);
    assert_int_equal(sotto_mls_pending_count(carol->group), 0);
}

/* Carol leaves by the commit with which Dave comes. */
static void one_comes_from_outside(void)
{
    struct party *by_carol[] = {carol, alice, bob};
    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_SELF_REMOVE};
    propose("a SelfRemove", by_carol, 3);
    actor = alice;
    failures += fail_every("group_info", call_group_info);
    failing_clear(&failing.commit);
    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("key")};
    actor = dave;
    failures += fail_every("external_join", call_external_join);
    for (size_t i = 0; i < 3; i++) {
        actor = by_carol[i];
        failures += fail_every("process an external commit", call_process_commit);
        assert_true(sotto_mls_staged_removes_self(staged) == (actor == carol));
        sotto_mls_staged_apply(actor->group, staged);
    }
    assert_bytes(sotto_mls_epoch_authenticator(alice->group),
                 sotto_mls_epoch_authenticator(dave->group));
    assert_int_equal(sotto_mls_member_count(bob->group), 3);
    talk(dave, bob);
    talk(bob, dave);

    actor = dave;
    failures += fail_every("save", call_save);
    sotto_mls_group_free(dave->group);
    dave->group = NULL;
    failures += fail_every("load", call_load);
    talk(alice, dave);

    party_stop(carol);
    certified_free(&leaves[2]);
    start_party(carol, "carol again");
    failing_clear(&failing.message);
    actor = carol;
    failures += fail_every("new_member_proposal", call_new_member_proposal);
    struct party *others[] = {alice, bob, dave};
    for (size_t i = 0; i < 3; i++) {
        actor = others[i];
        failures += fail_every("process a newcomer's proposal", call_process);
    }
    commit_by("a newcomer's Add", others, 3, 0);
    join("join after one's own proposal", carol, alice);
    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_REMOVE,
                                        .u.remove.index = sotto_mls_own_index(carol->group)};
    struct party *four[] = {alice, bob, dave, carol};
    failing_clear(&failing.commit);
    commit_by("a Remove", four, 3, 1);
    actor = carol;
    failures += fail_every("process one's own Remove", call_process_commit);
    assert_true(sotto_mls_staged_removes_self(staged));
    sotto_mls_staged_apply(carol->group, staged);
}

/* Alice makes a group of those who are in hers; the first of others joins and compares. */
static void found(const char *group_id, uint8_t usage, struct party **others, size_t count)
{
    struct party *everyone[] = {alice, bob, dave};
    for (size_t i = 0; i < 3; i++) {
        everyone[i]->former = everyone[i]->group;
        everyone[i]->group = NULL;
    }
    const sotto_mls_extension title = {.type = TITLE, .data = sotto_bytes_str("another title")};
    assert_ok(sotto_mls_group_create(alice->mls, &alice->identity, sotto_bytes_str(group_id),
                                     &title, 1, &alice->group));
    resume(&proposals[0], usage);
    for (size_t i = 0; i < count; i++) {
        party_key_package(others[i]);
        add(&proposals[1 + i], others[i]);
    }
    struct party *founder[] = {alice};
    commit_by("the first commit of a successor", founder, 1, 1 + count);
    for (size_t i = 0; i < count; i++) {
        join("join a successor", others[i], alice);
        failures += fail_every("check_origin", call_check_origin);
    }
    talk(alice, others[0]);
    talk(others[0], alice);
}

static void the_group_has_successors(void)
{
    struct party *others[] = {bob, dave};
    found("branch", SOTTO_MLS_PSK_BRANCH, others, 1);
    struct party *everyone[] = {bob, alice, dave};
    for (size_t i = 0; i < 3; i++) {
        sotto_mls_group_free(everyone[i]->group);
        everyone[i]->group = everyone[i]->former;
        everyone[i]->former = NULL;
    }
    const sotto_mls_extension title = {.type = TITLE, .data = sotto_bytes_str("another title")};
    proposals[0] = (sotto_mls_proposal){.type = SOTTO_MLS_REINIT,
                                        .u.reinit = {sotto_bytes_str("next"), SUITE, &title, 1}};
    commit_by("a ReInit", everyone, 3, 1);
    sotto_mls_proposal ended;
    assert_ok(sotto_mls_reinit(dave->group, &ended));
    found("next", SOTTO_MLS_PSK_REINIT, others, 2);
}

static void every_step_fails(void)
{
    failures = 0;
    start();
    a_group_begins();
    the_group_changes();
    one_comes_from_outside();
    the_group_has_successors();
    assert_true(failures >= (failing_is_draws() ? 20U : 1000U));
    store_clear(&records);
    stop();
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
    return cmocka_run_group_tests_name("mls_failures_special", tests, NULL, NULL);
}
