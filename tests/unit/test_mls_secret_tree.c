#include "mls/secret_tree.h"
#include "unit/check.h"

static struct crypto *crypto;
static const struct suite *suite;
static const struct secret_limits limits = {.forward = 20, .skipped = 4};

static struct secret_tree make_tree(uint32_t leaf_count)
{
    struct secret_tree tree;
    uint8_t secret[32] = {1, 2, 3};
    assert_ok(secret_tree_init(&tree, crypto, suite, leaf_count, sotto_bytes_of(secret, 32)));
    return tree;
}

/* Takes and commits. */
static sotto_error use(struct secret_tree *tree, uint32_t leaf, uint32_t generation,
                       struct message_key *key)
{
    struct secret_step step;
    sotto_error error =
        secret_tree_take(tree, leaf, RATCHET_APPLICATION, generation, &limits, &step);
    if (error != SOTTO_OK)
        return error;
    *key = step.key;
    secret_step_commit(&step, &limits);
    secret_step_free(&step);
    return SOTTO_OK;
}

static void a_sparse_map_keeps_what_it_holds(void **state)
{
    (void)state;
    static int values[1000];
    struct sparse map;
    sparse_init(&map, sotto_env_system());
    for (uint32_t i = 0; i < 1000; i++) {
        assert_ok(sparse_reserve(&map, 1));
        sparse_put(&map, i * 7919, &values[i]);
    }
    for (uint32_t i = 0; i < 1000; i += 3)
        assert_ptr_equal(sparse_take(&map, i * 7919), &values[i]);
    for (uint32_t i = 0; i < 1000; i++)
        assert_ptr_equal(sparse_get(&map, i * 7919), i % 3 == 0 ? NULL : &values[i]);
    size_t at = 0, seen = 0;
    uint32_t key;
    while (sparse_next(&map, &at, &key) != NULL)
        seen++;
    assert_int_equal(seen, map.count);
    sparse_free(&map);
}

static void a_large_tree_costs_nothing_until_someone_sends(void **state)
{
    (void)state;
    struct secret_tree tree = make_tree(65536);
    assert_int_equal(tree.nodes.count, 1);
    struct message_key key;
    assert_ok(use(&tree, 40000, 0, &key));
    assert_int_equal(tree.nodes.count, 16); /* one sibling a level */
    assert_int_equal(tree.ratchets.count, 2);
    assert_null(sparse_get(&tree.nodes, 65535)); /* the root was consumed */
    assert_ok(use(&tree, 40001, 0, &key));       /* its leaf was held as a sibling */
    assert_int_equal(tree.nodes.count, 15);
    secret_tree_free(&tree);
}

static void the_order_of_senders_does_not_matter(void **state)
{
    (void)state;
    struct secret_tree a = make_tree(8), b = make_tree(8);
    struct message_key forth[8], back[8];
    for (uint32_t i = 0; i < 8; i++)
        assert_ok(use(&a, i, 0, &forth[i]));
    for (uint32_t i = 8; i > 0; i--)
        assert_ok(use(&b, i - 1, 0, &back[i - 1]));
    for (uint32_t i = 0; i < 8; i++)
        assert_memory_equal(forth[i].key, back[i].key, suite->nk);
    assert_int_equal(a.nodes.count, 0);
    assert_int_equal(b.nodes.count, 0);
    secret_tree_free(&a);
    secret_tree_free(&b);
}

static void generations_come_in_any_order_and_once(void **state)
{
    (void)state;
    static const struct {
        uint32_t generation;
        sotto_error expected;
    } steps[] = {
        {3, SOTTO_OK},      {0, SOTTO_OK},
        {0, SOTTO_REUSED},  {3, SOTTO_REUSED},
        {2, SOTTO_OK},      {1, SOTTO_OK},
        {4, SOTTO_OK},      {25, SOTTO_OK},
        {20, SOTTO_REUSED}, /* only the last four of 5..24 were kept */
        {21, SOTTO_OK},     {24, SOTTO_OK},
        {24, SOTTO_REUSED}, {47, SOTTO_LIMIT},
        {46, SOTTO_OK},     {UINT32_MAX, SOTTO_LIMIT},
    };
    struct secret_tree tree = make_tree(2), in_order = make_tree(2);
    struct message_key expected[64], key;
    for (uint32_t g = 0; g < 64; g++)
        assert_ok(use(&in_order, 1, g, &expected[g]));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        sotto_error error = use(&tree, 1, steps[i].generation, &key);
        assert_int_equal(error, steps[i].expected);
        if (error == SOTTO_OK)
            assert_memory_equal(key.key, expected[steps[i].generation].key, suite->nk);
    }
    secret_tree_free(&tree);
    secret_tree_free(&in_order);
}

static void a_step_that_is_dropped_changes_nothing(void **state)
{
    (void)state;
    struct secret_tree tree = make_tree(4);
    struct secret_step step;
    assert_ok(secret_tree_take(&tree, 2, RATCHET_HANDSHAKE, 7, &limits, &step));
    struct message_key first = step.key;
    secret_step_free(&step);
    assert_int_equal(tree.nodes.count, 1);
    assert_int_equal(tree.ratchets.count, 0);
    assert_ok(secret_tree_take(&tree, 2, RATCHET_HANDSHAKE, 7, &limits, &step));
    assert_memory_equal(first.key, step.key.key, suite->nk);
    secret_step_commit(&step, &limits);
    secret_step_free(&step);
    assert_error(secret_tree_take(&tree, 2, RATCHET_HANDSHAKE, 7, &limits, &step), REUSED);
    assert_error(secret_tree_take(&tree, 4, RATCHET_HANDSHAKE, 0, &limits, &step), SENDER);
    secret_tree_free(&tree);
}

static void sender_and_receiver_meet(void **state)
{
    (void)state;
    struct secret_tree sender = make_tree(4), receiver = make_tree(4);
    for (uint32_t i = 0; i < 5; i++) {
        struct secret_step step;
        struct message_key key;
        assert_ok(secret_tree_take_next(&sender, 3, RATCHET_APPLICATION, &step));
        assert_int_equal(step.key.generation, i);
        assert_ok(use(&receiver, 3, i, &key));
        assert_memory_equal(step.key.key, key.key, suite->nk);
        assert_memory_equal(step.key.nonce, key.nonce, suite->nn);
        secret_step_commit(&step, &limits);
        secret_step_free(&step);
    }
    secret_tree_free(&sender);
    secret_tree_free(&receiver);
}

static void only_what_changed_is_dirty(void **state)
{
    (void)state;
    struct secret_tree tree = make_tree(1024);
    struct message_key key;
    assert_int_equal(tree.dirty_nodes.count, 1);
    secret_tree_clean(&tree);
    assert_ok(use(&tree, 5, 0, &key));
    assert_int_equal(tree.dirty_nodes.count, 11); /* the root goes, ten siblings come */
    assert_int_equal(tree.dirty_ratchets.count, 2);
    secret_tree_clean(&tree);
    assert_ok(use(&tree, 5, 1, &key));
    assert_ok(use(&tree, 5, 2, &key));
    assert_int_equal(tree.dirty_nodes.count, 0);
    assert_int_equal(tree.dirty_ratchets.count, 1);
    secret_tree_free(&tree);
}

int main(void)
{
    assert_ok(crypto_new(sotto_env_system(), &crypto));
    suite = suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sparse_map_keeps_what_it_holds),
        cmocka_unit_test(a_large_tree_costs_nothing_until_someone_sends),
        cmocka_unit_test(the_order_of_senders_does_not_matter),
        cmocka_unit_test(generations_come_in_any_order_and_once),
        cmocka_unit_test(a_step_that_is_dropped_changes_nothing),
        cmocka_unit_test(sender_and_receiver_meet),
        cmocka_unit_test(only_what_changed_is_dirty),
    };
    int result = cmocka_run_group_tests_name("mls_secret_tree", tests, NULL, NULL);
    crypto_free(crypto);
    return result;
}
