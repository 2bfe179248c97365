/* Bad input is refused and the group is byte for byte as before. */
#include "mls/group_save.h"
#include "unit/mls_clients.h"

#define SUITE SOTTO_MLS_X25519_AES128_SHA256_ED25519

static struct client alice, bob, carol;
static struct client *all[] = {&alice, &bob, &carol};

static void start(void)
{
    client_new(&alice, SUITE, "alice", NULL);
    client_new(&bob, SUITE, "bob", NULL);
    client_new(&carol, SUITE, "carol", NULL);
    client_create(&alice, "group");
    world_add(&alice, all + 1, 2, NULL, 0);
    world_agrees(all, 3);
}

static void stop(void)
{
    for (size_t i = 0; i < 3; i++)
        client_free(all[i]);
}

static void snapshot(struct client *client, struct memory_store *into)
{
    store_clear(into);
    const sotto_mls_store store = {into, store_put, store_erase};
    assert_ok(group_dump(client->group, &store));
}

/* Processing must fail and change nothing. */
static void refuse(struct client *client, sotto_bytes message, const struct memory_store *before)
{
    sotto_mls_received received;
    sotto_error error = sotto_mls_process(client->group, message, &received);
    assert_int_not_equal(error, SOTTO_OK);
    assert_int_equal(sotto_mls_fault(client->mls)->error, error);
    assert_true(sotto_mls_fault(client->mls)->what[0] != 0);
    struct memory_store after = {0};
    snapshot(client, &after);
    assert_true(store_equal(before, &after));
    store_clear(&after);
}

/* Every cut, every bit (one in step), bytes left over. */
static void refuse_damaged(struct client *client, sotto_bytes message, size_t step)
{
    struct memory_store before = {0};
    snapshot(client, &before);
    for (size_t cut = 0; cut < message.size; cut += step)
        refuse(client, sotto_bytes_of(message.data, cut), &before);
    uint8_t *copy = malloc(message.size + 1);
    assert_non_null(copy);
    memcpy(copy, message.data, message.size);
    copy[message.size] = 0;
    refuse(client, sotto_bytes_of(copy, message.size + 1), &before);
    for (size_t bit = 0; bit < message.size * 8; bit += step) {
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
        refuse(client, sotto_bytes_of(copy, message.size), &before);
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    free(copy);
    store_clear(&before);
}

static void damaged_messages_change_nothing(void **state)
{
    (void)state;
    start();
    sotto_buf message;
    sotto_buf_init(&message, sotto_env_system());
    assert_ok(sotto_mls_encrypt(alice.group, sotto_bytes_str("text"), sotto_bytes_str("aad"), 5,
                                &message));
    refuse_damaged(&bob, sotto_buf_view(&message), 1);
    sotto_mls_received received;
    assert_ok(sotto_mls_process(bob.group, sotto_buf_view(&message), &received));
    sotto_mls_received_clear(&received);

    for (int framing = SOTTO_MLS_PRIVATE; framing <= SOTTO_MLS_PUBLIC; framing++) {
        const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2};
        sotto_buf_clear(&message);
        assert_ok(
            sotto_mls_propose(alice.group, &removal, NULL, (sotto_mls_framing)framing, &message));
        refuse_damaged(&bob, sotto_buf_view(&message), 3);
    }
    sotto_mls_pending_clear(alice.group);
    for (int framing = SOTTO_MLS_PRIVATE; framing <= SOTTO_MLS_PUBLIC; framing++) {
        const sotto_mls_commit_options options = {.framing = (sotto_mls_framing)framing};
        sotto_buf welcome;
        sotto_buf_init(&welcome, sotto_env_system());
        sotto_mls_staged *staged;
        sotto_buf_clear(&message);
        assert_ok(sotto_mls_commit(alice.group, &options, &message, &welcome, &staged));
        sotto_mls_staged_drop(staged);
        refuse_damaged(&bob, sotto_buf_view(&message), 11);
        assert_ok(sotto_mls_process(bob.group, sotto_buf_view(&message), &received));
        sotto_mls_received_clear(&received);
        sotto_buf_free(&welcome);
    }
    world_tell(&bob, &carol, "still here");
    sotto_buf_free(&message);
    stop();
}

static void replays_and_strangers_are_told_apart(void **state)
{
    (void)state;
    start();
    sotto_buf message, other;
    sotto_buf_init(&message, sotto_env_system());
    sotto_buf_init(&other, sotto_env_system());
    assert_ok(
        sotto_mls_encrypt(alice.group, sotto_bytes_str("text"), sotto_bytes_str(""), 0, &message));
    sotto_mls_received received;
    assert_ok(sotto_mls_process(bob.group, sotto_buf_view(&message), &received));
    sotto_mls_received_clear(&received);
    struct memory_store before = {0};
    snapshot(&bob, &before);
    assert_error(sotto_mls_process(bob.group, sotto_buf_view(&message), &received), REUSED);
    refuse(&bob, sotto_buf_view(&message), &before);
    assert_error(sotto_mls_process(alice.group, sotto_buf_view(&message), &received), SENDER);

    struct client stranger;
    client_new(&stranger, SUITE, "stranger", NULL);
    client_create(&stranger, "elsewhere");
    assert_ok(
        sotto_mls_encrypt(stranger.group, sotto_bytes_str("x"), sotto_bytes_str(""), 0, &other));
    assert_error(sotto_mls_process(bob.group, sotto_buf_view(&other), &received), GROUP);
    sotto_mls_group_free(stranger.group);
    client_create(&stranger, "group"); /* the same name, other keys */
    sotto_buf_clear(&other);
    client_commit(&stranger, NULL, &other);
    sotto_buf_clear(&other);
    client_commit(&stranger, NULL, &other);
    assert_error(sotto_mls_process(bob.group, sotto_buf_view(&other), &received), DECRYPT);
    const sotto_mls_commit_options in_public = {.framing = SOTTO_MLS_PUBLIC};
    sotto_mls_group_free(stranger.group);
    client_create(&stranger, "group");
    client_commit(&stranger, NULL, &other);
    sotto_buf_clear(&other);
    client_commit(&stranger, &in_public, &other);
    assert_error(sotto_mls_process(bob.group, sotto_buf_view(&other), &received), TAG);
    refuse(&bob, sotto_buf_view(&other), &before);

    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    sotto_buf_clear(&other);
    assert_ok(sotto_mls_propose(alice.group, &update, NULL, SOTTO_MLS_PUBLIC, &other));
    assert_ok(sotto_mls_process(bob.group, sotto_buf_view(&other), &received));
    sotto_mls_received_clear(&received);
    assert_error(sotto_mls_process(bob.group, sotto_buf_view(&other), &received), REUSED);
    store_clear(&before);
    client_free(&stranger);
    sotto_buf_free(&message);
    sotto_buf_free(&other);
    stop();
}

/* 6.3.2, 6.1: a member who holds the epoch's keys writes as a leaf that is blank, or outside. */
static void nobody_writes_from_an_empty_leaf(void **state)
{
    (void)state;
    static const uint8_t text[] = {1, 'x'}, removal[] = {0, 3, 0, 0, 0, 0};
    start();
    const sotto_mls_proposal remove_bob = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 1};
    const sotto_mls_commit_options options = {.proposals = &remove_bob, .proposal_count = 1};
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(&alice, &options, &commit);
    world_process(all + 2, 1, NULL, sotto_buf_view(&commit));
    struct memory_store before = {0};
    snapshot(&carol, &before);
    for (size_t i = 0; i < 3; i++) {
        bool clear = i == 2;
        struct sending sending;
        sending_init(&sending, sotto_env_system());
        sending_address(&sending, alice.group, clear ? CONTENT_PROPOSAL : CONTENT_APPLICATION,
                        clear ? SOTTO_MLS_PUBLIC : SOTTO_MLS_PRIVATE, (sotto_bytes){0});
        sending.message.content.sender.index = i == 1 ? 3 : 1;
        assert_ok(sending_sign(&sending, alice.group,
                               clear ? sotto_bytes_of(removal, 6) : sotto_bytes_of(text, 2)));
        sotto_buf_clear(&commit);
        assert_ok(sending_protect(&sending, alice.group, 0, &commit));
        sotto_mls_received received;
        assert_error(sotto_mls_process(carol.group, sotto_buf_view(&commit), &received), SENDER);
        assert_string_equal(sotto_mls_fault(carol.mls)->what, "Sender.leaf_index");
        refuse(&carol, sotto_buf_view(&commit), &before);
        sending_free(&sending);
    }
    store_clear(&before);
    sotto_buf_free(&commit);
    stop();
}

/* A call that must fail, on a group that must not change. */
static void refuse_commit(struct client *client, const sotto_mls_proposal *proposals, size_t count,
                          sotto_error expected)
{
    struct memory_store before = {0}, after = {0};
    snapshot(client, &before);
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = count};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged = NULL;
    sotto_error error = sotto_mls_commit(client->group, &options, &commit, &welcome, &staged);
    if (error != expected)
        print_error("refused with %s: %s\n", sotto_error_name(error),
                    sotto_mls_fault(client->mls)->what);
    assert_int_equal(error, expected);
    assert_null(staged);
    assert_int_equal(commit.size + welcome.size, 0);
    snapshot(client, &after);
    assert_true(store_equal(&before, &after));
    store_clear(&before);
    store_clear(&after);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

static void invalid_lists_of_proposals_are_refused(void **state)
{
    (void)state;
    start();
    struct client dave;
    client_new(&dave, SUITE, "dave", NULL);
    client_key_package(&dave);
    client_key_package(&bob);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&dave.key_package)};
    const sotto_mls_proposal add_bob = {.type = SOTTO_MLS_ADD,
                                        .u.add.key_package = sotto_buf_view(&bob.key_package)};
    const sotto_mls_proposal remove_self = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 0};
    const sotto_mls_proposal remove_bob = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 1};
    const sotto_mls_proposal remove_none = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 3};
    const sotto_mls_proposal remove_far = {.type = SOTTO_MLS_REMOVE, .u.remove.index = UINT32_MAX};
    const sotto_mls_proposal update = {.type = SOTTO_MLS_UPDATE};
    const sotto_mls_proposal context = {.type = SOTTO_MLS_CONTEXT_EXTENSIONS};
    const sotto_mls_proposal reinit = {.type = SOTTO_MLS_REINIT,
                                       .u.reinit = {sotto_bytes_str("new"), SUITE, NULL, 0}};
    const sotto_mls_proposal psk = {.type = SOTTO_MLS_PSK, .u.psk.id = sotto_bytes_str("k")};
    const sotto_mls_proposal branch = {
        .type = SOTTO_MLS_PSK,
        .u.psk = {.resumption = true, .id = sotto_bytes_str("group"), .epoch = 1, .usage = 3}};
    const sotto_mls_proposal own_type = {.type = 0xf001, .u.other = sotto_bytes_str("x")};
    const sotto_mls_proposal external_init = {.type = SOTTO_MLS_EXTERNAL_INIT};
    const struct {
        sotto_error error;
        size_t count;
        const sotto_mls_proposal *list[2];
    } cases[] = {
        {SOTTO_PROPOSAL, 1, {&remove_self}},
        {SOTTO_PROPOSAL, 1, {&remove_none}},
        {SOTTO_PROPOSAL, 1, {&remove_far}},
        {SOTTO_PROPOSAL, 2, {&remove_bob, &remove_bob}},
        {SOTTO_TREE, 2, {&add, &add}},
        {SOTTO_TREE, 1, {&add_bob}},
        {SOTTO_ARGUMENT, 1, {&update}},
        {SOTTO_ARGUMENT, 1, {&external_init}},
        {SOTTO_PROPOSAL, 2, {&context, &context}},
        {SOTTO_PROPOSAL, 2, {&reinit, &add}},
        {SOTTO_PSK, 1, {&psk}},
        {SOTTO_PROPOSAL, 2, {&psk, &psk}},
        {SOTTO_PROPOSAL, 1, {&branch}},
        {SOTTO_CAPABILITY, 1, {&own_type}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sotto_mls_proposal list[2] = {*cases[i].list[0]};
        if (cases[i].count > 1)
            list[1] = *cases[i].list[1];
        refuse_commit(&alice, list, cases[i].count, cases[i].error);
    }
    /* Bob may come again in the commit that removes him. */
    const sotto_mls_proposal again[] = {remove_bob, add_bob};
    const sotto_mls_commit_options options = {.proposals = again, .proposal_count = 2};
    sotto_buf commit;
    sotto_buf_init(&commit, sotto_env_system());
    client_commit(&alice, &options, &commit);
    world_process(all + 2, 1, NULL, sotto_buf_view(&commit));
    world_tell(&alice, &carol, "bob is new");
    sotto_buf_free(&commit);
    client_free(&dave);
    stop();
}

static void expired_key_packages_are_refused(void **state)
{
    (void)state;
    start();
    struct client dave;
    client_new(&dave, SUITE, "dave", NULL);
    assert_ok(
        sotto_mls_key_package(dave.mls, &dave.identity, 1, 2, 0, &dave.key_package, &dave.secrets));
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&dave.key_package)};
    refuse_commit(&alice, &add, 1, SOTTO_LIFETIME);
    sotto_mls_leaf leaf;
    assert_error(sotto_mls_key_package_inspect(alice.mls, sotto_buf_view(&dave.key_package), &leaf,
                                               NULL, NULL),
                 LIFETIME);
    client_key_package(&dave);
    uint16_t suite;
    assert_ok(sotto_mls_key_package_inspect(alice.mls, sotto_buf_view(&dave.key_package), &leaf,
                                            &suite, NULL));
    assert_bytes(leaf.credential.identity, sotto_bytes_str("dave"));
    assert_int_equal(suite, SUITE);
    dave.key_package.data[dave.key_package.size - 1] ^= 1;
    assert_error(sotto_mls_key_package_inspect(alice.mls, sotto_buf_view(&dave.key_package), &leaf,
                                               NULL, NULL),
                 SIGNATURE);
    client_free(&dave);
    stop();
}

static void lifetimes_that_are_too_long_are_refused(void **state)
{
    (void)state;
    static const sotto_mls_config config = {.max_lifetime_s = 90 * 86400};
    struct client strict, maker;
    client_new(&strict, SUITE, "strict", &config);
    client_new(&maker, SUITE, "maker", NULL);
    client_create(&strict, "group");
    uint64_t now = sotto_env_system()->now(NULL);
    for (uint64_t more = 0; more < 2; more++) {
        sotto_buf_clear(&maker.key_package);
        sotto_buf_clear(&maker.secrets);
        assert_ok(sotto_mls_key_package(maker.mls, &maker.identity, now - 3600,
                                        now - 3600 + config.max_lifetime_s + more, 0,
                                        &maker.key_package, &maker.secrets));
        const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                        .u.add.key_package = sotto_buf_view(&maker.key_package)};
        if (more)
            refuse_commit(&strict, &add, 1, SOTTO_LIFETIME);
        assert_int_equal(sotto_mls_key_package_inspect(
                             strict.mls, sotto_buf_view(&maker.key_package), NULL, NULL, NULL),
                         more ? SOTTO_LIFETIME : SOTTO_OK);
    }
    client_free(&strict);
    client_free(&maker);
}

static void damaged_welcomes_are_refused(void **state)
{
    (void)state;
    start();
    struct client dave;
    client_new(&dave, SUITE, "dave", NULL);
    client_key_package(&dave);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&dave.key_package)};
    const sotto_mls_commit_options options = {.proposals = &add, .proposal_count = 1};
    sotto_buf commit, welcome;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(alice.group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_drop(staged);
    for (size_t bit = 0; bit < welcome.size * 8; bit += 13) {
        welcome.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(sotto_mls_join(dave.mls, &dave.identity,
                                            sotto_buf_view(&dave.key_package),
                                            sotto_buf_view(&dave.secrets), sotto_buf_view(&welcome),
                                            (sotto_bytes){0}, &dave.group),
                             SOTTO_OK);
        assert_null(dave.group);
        welcome.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_error(sotto_mls_join(bob.mls, &bob.identity, sotto_buf_view(&bob.key_package),
                                sotto_buf_view(&bob.secrets), sotto_buf_view(&welcome),
                                (sotto_bytes){0}, &dave.group),
                 WELCOME);
    assert_ok(sotto_mls_join(dave.mls, &dave.identity, sotto_buf_view(&dave.key_package),
                             sotto_buf_view(&dave.secrets), sotto_buf_view(&welcome),
                             (sotto_bytes){0}, &dave.group));
    client_free(&dave);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    stop();
}

/* 12.4: a member who holds all keys sends a commit without the path that its proposals need. */
static void a_commit_has_a_path_where_it_must(void **state)
{
    (void)state;
    static const struct {
        uint8_t body[16];
        size_t size;
    } commits[] = {
        {{0, 0}, 2},                      /* no proposals */
        {{7, 1, 0, 3, 0, 0, 0, 2, 0}, 9}, /* Remove */
        {{4, 1, 0, 7, 0, 0}, 6},          /* GroupContextExtensions */
        {{11, 1, 0, 3, 0, 0, 0, 2, 1, 0, 7, 0, 0}, 13},
    };
    start();
    struct memory_store before = {0};
    snapshot(&bob, &before);
    for (size_t i = 0; i < sizeof commits / sizeof commits[0]; i++) {
        struct sending sending;
        sending_init(&sending, sotto_env_system());
        sending_address(&sending, alice.group, CONTENT_COMMIT, SOTTO_MLS_PUBLIC, (sotto_bytes){0});
        assert_ok(
            sending_sign(&sending, alice.group, sotto_bytes_of(commits[i].body, commits[i].size)));
        sending.message.auth.confirmation_tag = sotto_bytes_str("none that is right");
        sotto_buf message;
        sotto_buf_init(&message, sotto_env_system());
        assert_ok(sending_protect(&sending, alice.group, 0, &message));
        sotto_mls_received received;
        assert_error(sotto_mls_process(bob.group, sotto_buf_view(&message), &received), COMMIT);
        assert_string_equal(sotto_mls_fault(bob.mls)->what, "Commit.path");
        refuse(&bob, sotto_buf_view(&message), &before);
        sotto_buf_free(&message);
        sending_free(&sending);
    }
    store_clear(&before);
    stop();
}

static void a_tree_of_another_epoch_is_refused(void **state)
{
    (void)state;
    start();
    struct client dave;
    client_new(&dave, SUITE, "dave", NULL);
    client_key_package(&dave);
    const sotto_mls_proposal add = {.type = SOTTO_MLS_ADD,
                                    .u.add.key_package = sotto_buf_view(&dave.key_package)};
    const sotto_mls_commit_options options = {
        .proposals = &add, .proposal_count = 1, .no_tree = true};
    sotto_buf commit, welcome, tree;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    sotto_buf_init(&tree, sotto_env_system());
    sotto_mls_staged *staged;
    assert_ok(sotto_mls_commit(alice.group, &options, &commit, &welcome, &staged));
    sotto_mls_staged_apply(alice.group, staged);
    /* Carol goes: the tree is a good one, with dave in it, but not the Welcome's. */
    const sotto_mls_proposal removal = {.type = SOTTO_MLS_REMOVE, .u.remove.index = 2};
    const sotto_mls_commit_options next = {.proposals = &removal, .proposal_count = 1};
    client_commit(&alice, &next, &commit);
    assert_ok(sotto_mls_ratchet_tree(alice.group, &tree));
    assert_error(sotto_mls_join(dave.mls, &dave.identity, sotto_buf_view(&dave.key_package),
                                sotto_buf_view(&dave.secrets), sotto_buf_view(&welcome),
                                sotto_buf_view(&tree), &dave.group),
                 TREE);
    assert_string_equal(sotto_mls_fault(dave.mls)->what, "GroupContext.tree_hash");
    client_free(&dave);
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
    sotto_buf_free(&tree);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_messages_change_nothing),
        cmocka_unit_test(replays_and_strangers_are_told_apart),
        cmocka_unit_test(nobody_writes_from_an_empty_leaf),
        cmocka_unit_test(invalid_lists_of_proposals_are_refused),
        cmocka_unit_test(expired_key_packages_are_refused),
        cmocka_unit_test(lifetimes_that_are_too_long_are_refused),
        cmocka_unit_test(damaged_welcomes_are_refused),
        cmocka_unit_test(a_commit_has_a_path_where_it_must),
        cmocka_unit_test(a_tree_of_another_epoch_is_refused),
    };
    return cmocka_run_group_tests_name("mls_refusals", tests, NULL, NULL);
}
