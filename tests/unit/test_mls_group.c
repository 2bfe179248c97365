/* Groups as their members live them: making, adding, writing, updating, removing, racing. */
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_CHACHA_SHA256_ED25519
#define MANY 20

static struct client clients[MANY];
static struct client *all[MANY];

static void start(uint16_t suite, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], suite, name, NULL);
        all[i] = &clients[i];
    }
    client_create(&clients[0], "group");
    if (count > 1)
        world_add(&clients[0], all + 1, count - 1, NULL, 0);
}

static void stop(size_t count)
{
    for (size_t i = 0; i < count; i++)
        client_free(&clients[i]);
}

static void two_members_talk_in_every_suite(void **state)
{
    (void)state;
    static const uint16_t suites[] = {1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      7,
                                      SOTTO_MLS_DEFAULT_SUITE,
                                      SOTTO_MLS_PQ_XWING_AES128_SHA256_ED25519,
                                      SOTTO_MLS_PQ_XWING_AES256_SHA384_ED25519,
                                      SOTTO_MLS_PQ_MLKEM768P256_AES128_SHA256_P256,
                                      SOTTO_MLS_PQ_MLKEM768P256_AES256_SHA384_P256,
                                      SOTTO_MLS_PQ_MLKEM768_AES256_SHA384_ED25519,
                                      SOTTO_MLS_PQ_MLKEM768_AES256_SHA384_P256};
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        start(suites[i], 2);
        assert_true(sotto_mls_suite_available(clients[0].mls, suites[i]));
        assert_int_equal(sotto_mls_group_suite(clients[1].group), suites[i]);
        assert_int_equal(sotto_mls_epoch(clients[1].group), 1);
        assert_bytes(sotto_mls_group_id(clients[1].group), sotto_bytes_str("group"));
        world_agrees(all, 2);
        world_tell(all[0], all[1], "hello");
        world_tell(all[1], all[0], "");
        sotto_buf commit;
        sotto_buf_init(&commit, sotto_env_system());
        client_commit(all[1], NULL, &commit);
        world_process(all, 2, all[1], sotto_buf_view(&commit));
        world_agrees(all, 2);
        sotto_buf_free(&commit);
        stop(2);
    }
}

static void members_come_one_by_one(void **state)
{
    (void)state;
    start(SUITE, 1);
    for (size_t i = 1; i < 9; i++) {
        char name[24];
        snprintf(name, sizeof name, "client %zu", i);
        client_new(&clients[i], SUITE, name, NULL);
        all[i] = &clients[i];
        world_add(all[i / 2], all + i, 1, all, i);
        world_agrees(all, i + 1);
    }
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    size_t seen = 0;
    while (sotto_mls_next_member(clients[8].group, &at, &leaf)) {
        assert_bytes(leaf.credential.identity, sotto_bytes_str(clients[seen].name));
        assert_int_equal(leaf.index, seen);
        seen++;
    }
    assert_int_equal(seen, 9);
    stop(9);
}

static void all_members_commit_in_turn_publicly_and_privately(void **state)
{
    (void)state;
    start(SUITE, MANY);
    world_agrees(all, MANY);
    for (size_t i = 0; i < MANY; i++) {
        sotto_buf commit;
        sotto_buf_init(&commit, sotto_env_system());
        const sotto_mls_commit_options options = {
            .framing = i % 2 == 0 ? SOTTO_MLS_PRIVATE : SOTTO_MLS_PUBLIC,
            .authenticated = sotto_bytes_str("turn"),
        };
        client_commit(all[i], &options, &commit);
        world_process(all, MANY, all[i], sotto_buf_view(&commit));
        sotto_buf_free(&commit);
    }
    world_agrees(all, MANY);
    stop(MANY);
}

static void the_removed_read_no_further(void **state)
{
    (void)state;
    start(SUITE, 5);
    sotto_buf commit, message;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&message, sotto_env_system());
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 3};
    const sotto_mls_commit_options options = {.proposals = &removal, .proposal_count = 1};
    client_commit(all[1], &options, &commit);

    sotto_mls_received received;
    assert_ok(sotto_mls_process(all[3]->group, sotto_buf_view(&commit), &received));
    assert_true(sotto_mls_staged_removes_self(received.staged));
    assert_int_equal(sotto_mls_staged_committer(received.staged), 1);
    assert_int_equal(sotto_mls_staged_member_count(received.staged), 4);
    assert_error(sotto_mls_staged_export(received.staged, "x", sotto_bytes_str(""), 32, &message),
                 REMOVED);
    sotto_mls_staged_apply(all[3]->group, received.staged);
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    assert_error(
        sotto_mls_encrypt(all[3]->group, sotto_bytes_str("x"), sotto_bytes_str(""), 0, &message),
        REMOVED);
    assert_error(sotto_mls_process(all[3]->group, sotto_buf_view(&commit), &received), REMOVED);
    assert_int_equal(sotto_mls_member_count(all[3]->group), 0);
    assert_bytes(sotto_mls_group_id(all[3]->group), sotto_bytes_str("group"));

    struct client *stayed[] = {all[0], all[1], all[2], all[4]};
    world_process(stayed, 4, all[1], sotto_buf_view(&commit));
    world_agrees(stayed, 4);
    /* The place is free again. */
    struct client again, *newcomer = &again;
    client_new(&again, SUITE, "again", NULL);
    world_add(all[4], &newcomer, 1, stayed, 4);
    assert_int_equal(sotto_mls_own_index(again.group), 3);
    struct client *now[] = {all[0], all[1], all[2], all[4], newcomer};
    world_agrees(now, 5);
    client_free(&again);
    sotto_buf_free(&commit);
    sotto_buf_free(&message);
    stop(5);
}

static void the_loser_of_a_race_drops_and_follows(void **state)
{
    (void)state;
    start(SUITE, 3);
    sotto_buf first, second, welcome;
    sotto_buf_init(&first, sotto_env_system());
    sotto_buf_init(&second, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *won, *lost;
    assert_ok(sotto_mls_commit(all[0]->group, NULL, &first, &welcome, &won));
    assert_ok(sotto_mls_commit(all[1]->group, NULL, &second, &welcome, &lost));
    sotto_mls_staged_apply(all[0]->group, won);
    sotto_mls_received received;
    assert_error(sotto_mls_process(all[0]->group, sotto_buf_view(&second), &received), EPOCH);
    /* One can look at the winner while one's own is still staged. */
    assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&first), &received));
    sotto_mls_staged_drop(lost);
    sotto_mls_staged_apply(all[1]->group, received.staged);
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    world_process(all + 2, 1, NULL, sotto_buf_view(&first));
    world_agrees(all, 3);
    sotto_buf_free(&first);
    sotto_buf_free(&second);
    sotto_buf_free(&welcome);
    stop(3);
}

static void a_staged_epoch_shows_what_applying_will_bring(void **state)
{
    (void)state;
    start(SUITE, 3);
    struct client newcomer;
    client_new(&newcomer, SUITE, "newcomer", NULL);
    client_key_package(&newcomer);
    const sotto_mls_proposal proposals[] = {
        {.type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&newcomer.key_package)},
        {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2},
    };
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = 2};
    sotto_buf commit, welcome, a, b;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&a, sotto_env_system());
    sotto_buf_init(&b, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[0]->group, &options, &commit, &welcome, &staged));
    sotto_mls_received received;
    assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&commit), &received));
    assert_int_equal(received.sender, 0);
    assert_int_equal(received.epoch, 1);
    assert_int_equal(sotto_mls_staged_count(received.staged), 2);
    sotto_mls_proposal proposal;
    uint32_t sender;
    assert_ok(sotto_mls_staged_proposal(received.staged, 0, &proposal, &sender));
    assert_int_equal(proposal.type, SOTTO_MLS_REMOVE);
    assert_int_equal(proposal.u.remove.index, 2);
    assert_ok(sotto_mls_staged_proposal(received.staged, 1, &proposal, &sender));
    assert_int_equal(proposal.type, SOTTO_MLS_ADD);
    assert_int_equal(proposal.u.add.leaf.index, 2);
    assert_bytes(proposal.u.add.leaf.credential.identity, sotto_bytes_str("newcomer"));
    assert_int_equal(sender, 0);
    assert_error(sotto_mls_staged_proposal(received.staged, 2, &proposal, &sender), NOT_FOUND);
    sotto_mls_leaf leaf;
    assert_ok(sotto_mls_staged_member(received.staged, 2, &leaf));
    assert_bytes(leaf.credential.identity, sotto_bytes_str("newcomer"));
    assert_int_equal(sotto_mls_staged_member_count(received.staged), 3);
    assert_int_equal(sotto_mls_staged_epoch(received.staged), 2);
    assert_bytes(sotto_mls_staged_epoch_authenticator(received.staged),
                 sotto_mls_staged_epoch_authenticator(staged));
    assert_ok(sotto_mls_staged_export(received.staged, "gate", sotto_bytes_str("c"), 32, &a));
    sotto_mls_staged_apply(all[1]->group, received.staged);
    received.staged = NULL;
    sotto_mls_received_clear(&received);
    sotto_mls_staged_apply(all[0]->group, staged);
    assert_ok(sotto_mls_export(all[0]->group, "gate", sotto_bytes_str("c"), 32, &b));
    assert_bytes(sotto_buf_view(&a), sotto_buf_view(&b));
    sotto_buf_clear(&b);
    assert_ok(sotto_mls_export(all[1]->group, "gate", sotto_bytes_str("other"), 32, &b));
    assert_memory_not_equal(a.data, b.data, 32);
    client_free(&newcomer);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&a);
    sotto_buf_free(&b);
    stop(3);
}

/* from proposes; all but from keep it. */
static void propose(struct client *from, const sotto_mls_proposal *proposal, size_t count,
                    sotto_mls_framing framing)
{
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    assert_ok(sotto_mls_propose(from->group, proposal, NULL, framing, &message));
    for (size_t i = 0; i < count; i++) {
        if (all[i] == from)
            continue;
        sotto_mls_received received;
        assert_ok(sotto_mls_process(all[i]->group, sotto_buf_view(&message), &received));
        assert_int_equal(received.kind, SOTTO_MLS_RECEIVED_PROPOSAL);
        assert_int_equal(received.proposal.type, proposal->type);
        sotto_mls_received_clear(&received);
    }
    sotto_buf_free(&message);
}

static void pending_proposals_are_committed_by_reference(void **state)
{
    (void)state;
    start(SUITE, 6);
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 4};
    propose(all[1], &update, 6, SOTTO_MLS_PRIVATE);
    propose(all[2], &update, 6, SOTTO_MLS_PUBLIC);
    propose(all[2], &update, 6, SOTTO_MLS_PRIVATE); /* the newest of two */
    propose(all[4], &update, 6, SOTTO_MLS_PRIVATE); /* loses against the Remove */
    propose(all[3], &removal, 6, SOTTO_MLS_PRIVATE);
    propose(all[0], &update, 6, SOTTO_MLS_PRIVATE); /* the committer's own */
    assert_int_equal(sotto_mls_pending_count(all[5]->group), 6);
    sotto_mls_leaf before, after;
    assert_ok(sotto_mls_member(all[0]->group, 1, &before));
    uint8_t old_key[32];
    memcpy(old_key, before.encryption_key.data, 32);

    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[0]->group, NULL, &commit, &welcome, &staged));
    assert_int_equal(sotto_mls_staged_count(staged), 3);
    assert_int_equal(welcome.size, 0);
    sotto_mls_staged_apply(all[0]->group, staged);
    struct client *stayed[] = {all[0], all[1], all[2], all[3], all[5]};
    world_process(stayed, 5, all[0], sotto_buf_view(&commit));
    world_process(all + 4, 1, NULL, sotto_buf_view(&commit));
    world_agrees(stayed, 5);
    assert_int_equal(sotto_mls_pending_count(all[5]->group), 0);
    assert_ok(sotto_mls_member(all[5]->group, 1, &after));
    assert_memory_not_equal(after.encryption_key.data, old_key, 32);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    stop(6);
}

static void the_same_proposal_twice_is_one(void **state)
{
    (void)state;
    start(SUITE, 3);
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2};
    propose(all[0], &removal, 3, SOTTO_MLS_PRIVATE);
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    assert_ok(sotto_mls_propose(all[0]->group, &removal, NULL, SOTTO_MLS_PRIVATE, &again));
    sotto_mls_received received;
    assert_int_equal(sotto_mls_process(all[1]->group, sotto_buf_view(&again), &received),
                     SOTTO_REUSED);
    assert_int_equal(sotto_mls_pending_count(all[0]->group), 1);
    assert_int_equal(sotto_mls_pending_count(all[1]->group), 1);
    client_reload(all[0]);
    assert_int_equal(sotto_mls_pending_count(all[0]->group), 1);
    sotto_buf_free(&again);
    stop(3);
}

/* 12.4.3.1: of a Welcome for two each gets the part of its own, which does for nobody else. */
static void a_welcome_is_cut_for_each_newcomer(void **state)
{
    (void)state;
    start(SUITE, 2);
    struct client newcomers[2];
    sotto_mls_proposal adds[2];
    sotto_buf commit, welcome, own[2], reference;
    for (size_t i = 0; i < 2; i++) {
        client_new(&newcomers[i], SUITE, i == 0 ? "one" : "two", NULL);
        client_key_package(&newcomers[i]);
        adds[i] = (sotto_mls_proposal){
            .type = SOTTO_MLS_ADD, .u.add.key_package = sotto_buf_view(&newcomers[i].key_package)};
        sotto_buf_init(&own[i], sotto_env_system());
    }
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&reference, sotto_env_system());
    const sotto_mls_commit_options options = {.proposals = adds, .proposal_count = 2};
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[0]->group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(all[0]->group, staged);
    world_process(all, 2, all[0], sotto_buf_view(&commit));
    for (size_t i = 0; i < 2; i++) {
        sotto_mls_leaf leaf;
        sotto_buf_clear(&reference);
        assert_ok(sotto_mls_key_package_inspect(
            all[0]->mls, sotto_buf_view(&newcomers[i].key_package), &leaf, NULL, &reference));
        assert_ok(sotto_mls_welcome_for(all[0]->mls, sotto_buf_view(&welcome),
                                        sotto_buf_view(&reference), &own[i]));
        assert_true(own[i].size < welcome.size);
    }
    assert_error(sotto_mls_join(newcomers[0].mls, &newcomers[0].identity,
                                sotto_buf_view(&newcomers[0].key_package),
                                sotto_buf_view(&newcomers[0].secrets), sotto_buf_view(&own[1]),
                                (sotto_bytes){0}, &newcomers[0].group),
                 WELCOME);
    for (size_t i = 0; i < 2; i++)
        client_join(&newcomers[i], sotto_buf_view(&own[i]), (sotto_bytes){0});
    struct client *now[] = {all[0], all[1], &newcomers[0], &newcomers[1]};
    world_agrees(now, 4);

    size_t size = own[0].size;
    reference.data[0] ^= 1;
    assert_error(sotto_mls_welcome_for(all[0]->mls, sotto_buf_view(&welcome),
                                       sotto_buf_view(&reference), &own[0]),
                 WELCOME);
    assert_error(sotto_mls_welcome_for(all[0]->mls, sotto_buf_view(&commit),
                                       sotto_buf_view(&reference), &own[0]),
                 VALUE);
    assert_int_equal(own[0].size, size); /* a call that fails changes nothing */
    for (size_t i = 0; i < 2; i++) {
        client_free(&newcomers[i]);
        sotto_buf_free(&own[i]);
    }
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&reference);
    stop(2);
}

static void a_commit_without_a_path_adds(void **state)
{
    (void)state;
    start(SUITE, 2);
    struct client newcomer;
    client_new(&newcomer, SUITE, "newcomer", NULL);
    client_key_package(&newcomer);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&newcomer.key_package)};
    const sotto_mls_commit_options options = {
        .proposals = &add, .proposal_count = 1, .no_path = true, .no_tree = true};
    sotto_buf commit, welcome, tree;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&tree, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[0]->group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(all[0]->group, staged);
    world_process(all, 2, all[0], sotto_buf_view(&commit));
    assert_error(sotto_mls_join(newcomer.mls, &newcomer.identity,
                                sotto_buf_view(&newcomer.key_package),
                                sotto_buf_view(&newcomer.secrets), sotto_buf_view(&welcome),
                                (sotto_bytes){0}, &newcomer.group),
                 WELCOME);
    assert_ok(sotto_mls_ratchet_tree(all[1]->group, &tree));
    assert_ok(sotto_mls_join(newcomer.mls, &newcomer.identity,
                             sotto_buf_view(&newcomer.key_package),
                             sotto_buf_view(&newcomer.secrets), sotto_buf_view(&welcome),
                             sotto_buf_view(&tree), &newcomer.group));
    struct client *now[] = {all[0], all[1], &newcomer};
    world_agrees(now, 3);
    /* The newcomer can commit: it has what it needs of its path. */
    sotto_buf_clear(&commit);
    client_commit(&newcomer, NULL, &commit);
    world_process(now, 3, &newcomer, sotto_buf_view(&commit));
    world_agrees(now, 3);
    client_free(&newcomer);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&tree);
    stop(2);
}

static void messages_arrive_in_any_order(void **state)
{
    (void)state;
    start(SUITE, 2);
    enum { COUNT = 40 };
    static sotto_buf messages[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t octet = (uint8_t)i;
        sotto_buf_init(&messages[i], sotto_env_system());
        assert_ok(sotto_mls_encrypt(all[0]->group, sotto_bytes_of(&octet, 1), sotto_bytes_str(""),
                                    i, &messages[i]));
    }
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = (i * 17 + 5) % COUNT;
        sotto_mls_received received;
        assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&messages[at]), &received));
        assert_int_equal(received.data.data[0], at);
        sotto_mls_received_clear(&received);
        assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&messages[at]), &received),
                     REUSED);
    }
    for (size_t i = 0; i < COUNT; i++)
        sotto_buf_free(&messages[i]);
    stop(2);
}

static void late_messages_are_read_within_the_window(void **state)
{
    (void)state;
    const sotto_mls_config config = {.past_epochs = 2};
    start(SUITE, 1);
    client_new(&clients[1], SUITE, "late", &config);
    all[1] = &clients[1];
    world_add(all[0], all + 1, 1, NULL, 0);
    sotto_buf messages[4], commit;
    sotto_buf_init(&commit, sotto_env_system());
    for (size_t i = 0; i < 4; i++) {
        sotto_buf_init(&messages[i], sotto_env_system());
        assert_ok(sotto_mls_encrypt(all[0]->group, sotto_bytes_str("late"), sotto_bytes_str(""), 0,
                                    &messages[i]));
        sotto_buf_clear(&commit);
        client_commit(all[0], NULL, &commit);
        world_process(all, 2, all[0], sotto_buf_view(&commit));
        client_reload(all[1]);
    }
    sotto_mls_received received;
    assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&messages[1]), &received), EPOCH);
    for (size_t i = 2; i < 4; i++) {
        assert_ok(sotto_mls_process(all[1]->group, sotto_buf_view(&messages[i]), &received));
        assert_int_equal(received.epoch, i + 1);
        assert_bytes(sotto_buf_view(&received.data), sotto_bytes_str("late"));
        sotto_mls_received_clear(&received);
        client_reload(all[1]);
        assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&messages[i]), &received),
                     REUSED);
    }
    for (size_t i = 0; i < 4; i++)
        sotto_buf_free(&messages[i]);
    sotto_buf_free(&commit);
    stop(2);
}

static void the_application_judges_every_credential(void **state)
{
    (void)state;
    start(SUITE, 3);
    clients[1].leaf_verdict = SOTTO_REFUSED;
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(all[0], NULL, &commit);
    sotto_mls_received received;
    assert_error(sotto_mls_process(all[1]->group, sotto_buf_view(&commit), &received), CREDENTIAL);
    clients[1].leaf_verdict = SOTTO_OK;
    world_process(all, 3, all[0], sotto_buf_view(&commit));
    world_agrees(all, 3);

    struct client newcomer;
    client_new(&newcomer, SUITE, "newcomer", NULL);
    newcomer.leaf_verdict = SOTTO_REFUSED;
    client_key_package(&newcomer);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&newcomer.key_package)};
    const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    sotto_buf welcome;
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(all[0]->group, &options, &commit, &welcome, &staged));
    assert_error(sotto_mls_join(newcomer.mls, &newcomer.identity,
                                sotto_buf_view(&newcomer.key_package),
                                sotto_buf_view(&newcomer.secrets), sotto_buf_view(&welcome),
                                (sotto_bytes){0}, &newcomer.group),
                 CREDENTIAL);
    sotto_mls_staged_drop(staged);
    client_free(&newcomer);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    stop(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_members_talk_in_every_suite),
        cmocka_unit_test(members_come_one_by_one),
        cmocka_unit_test(all_members_commit_in_turn_publicly_and_privately),
        cmocka_unit_test(the_removed_read_no_further),
        cmocka_unit_test(the_loser_of_a_race_drops_and_follows),
        cmocka_unit_test(a_staged_epoch_shows_what_applying_will_bring),
        cmocka_unit_test(pending_proposals_are_committed_by_reference),
        cmocka_unit_test(the_same_proposal_twice_is_one),
        cmocka_unit_test(a_welcome_is_cut_for_each_newcomer),
        cmocka_unit_test(a_commit_without_a_path_adds),
        cmocka_unit_test(messages_arrive_in_any_order),
        cmocka_unit_test(late_messages_are_read_within_the_window),
        cmocka_unit_test(the_application_judges_every_credential),
    };
    return cmocka_run_group_tests_name("mls_group", tests, NULL, NULL);
}
