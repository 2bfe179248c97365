#include "mls/tree_base.h"
#include "mls/treekem.h"
#include "unit/mls_world.h"

#define POOL 48 /* members that a test may draw from */

static struct world_env test_env;
static struct world world;
static struct world_member pool[POOL];

static int set_up(void **state)
{
    (void)state;
    world_env_init(&test_env, 3);
    world_init(&world, &test_env, suite_by_id(SUITE_X25519_CHACHA_SHA256_ED25519));
    for (uint32_t i = 0; i < POOL; i++)
        world_member_make(&world, i, &pool[i]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < POOL; i++)
        world_member_free(&pool[i]);
    world_free(&world);
    return 0;
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

static void append(sotto_buf *out, const void *data, size_t size)
{
    assert_ok(sotto_buf_append(out, data, size));
}

/* Every byte that a base consists of, tables, pointers and nodes' reference counts included. */
static void snapshot(const struct tree *tree, sotto_buf *out)
{
    sotto_buf_init(out, sotto_env_system());
    append(out, tree, sizeof *tree);
    for (size_t i = 0; i < segment_count(tree->leaf_count); i++) {
        append(out, tree->segments[i].nodes, segment_size(i) * sizeof(void *));
        append(out, tree->segments[i].hashes, segment_size(i) * tree->suite->nh);
    }
    for (uint32_t i = 0; i < node_count_of(tree->leaf_count); i++) {
        const struct tree_node *node = tree_node(tree, node_at(i));
        if (node != NULL)
            append(out, node, node->size);
    }
    append(out, tree->members.words, tree->members.word_count * 8);
    append(out, tree->keys.slots, tree->keys.capacity * sizeof *tree->keys.slots);
    append(out, tree->support.slots, tree->support.capacity * sizeof *tree->support.slots);
}

static void assert_same_tree(const struct tree *tree, const sotto_buf *before)
{
    sotto_buf now;
    snapshot(tree, &now);
    assert_bytes(sotto_buf_view(&now), sotto_buf_view(before));
    sotto_buf_free(&now);
}

/* The tree equals the one made anew from its encoding: content, hashes, and all that is counted. */
static void assert_consistent(const struct tree *tree)
{
    sotto_buf encoded;
    struct tree *fresh;
    sotto_fault fault = {0};
    if (tree->member_count == 0)
        return;
    sotto_buf_init(&encoded, &test_env.env);
    assert_ok(tree_export(tree, &encoded));
    assert_ok(tree_import(world.crypto, world.suite, sotto_buf_view(&encoded), &fresh, &fault));
    assert_int_equal(tree->leaf_count, fresh->leaf_count);
    assert_int_equal(tree->member_count, fresh->member_count);
    assert_int_equal(tree->keys.count, fresh->keys.count);
    assert_true(tree->first_blank <= fresh->first_blank);
    for (uint32_t i = 0; i < node_count_of(tree->leaf_count); i++)
        assert_memory_equal(base_hash(tree, node_at(i)), base_hash(fresh, node_at(i)),
                            tree->suite->nh);
    for (unsigned kind = 0; kind < 4; kind++)
        for (unsigned type = 0; type < 4; type++)
            assert_int_equal(support_count(&tree->support, kind, (uint16_t)type),
                             support_count(&fresh->support, kind, (uint16_t)type));
    for (uint32_t i = 0; i < tree->leaf_count; i++)
        assert_int_equal(leaf_set_has(&tree->members, i), leaf_set_has(&fresh->members, i));
    struct tree_rules rules = world_rules(&world);
    if (tree_validate(tree, &rules, &fault) != SOTTO_OK)
        fail_msg("%s", fault.what);
    tree_free(fresh);
    sotto_buf_free(&encoded);
}

/* ---- Random histories ------------------------------------------------------------------------ */

struct history {
    struct tree *tree;
    bool inside[POOL];
    uint32_t leaf_of[POOL];
};

static uint32_t draw(const struct history *h, bool inside)
{
    uint32_t candidates[POOL], count = 0;
    for (uint32_t i = 0; i < POOL; i++)
        if (h->inside[i] == inside)
            candidates[count++] = i;
    return count == 0 ? UINT32_MAX : candidates[world_random(&test_env, count)];
}

static void random_add(struct history *h, struct tree_stage *stage)
{
    uint32_t who = draw(h, false);
    struct key_package key_package;
    struct leaf_index where;
    if (who == UINT32_MAX)
        return;
    world_key_package(&world, &pool[who], &key_package);
    assert_ok(tree_stage_add(stage, &key_package.leaf, &where));
    assert_true(tree_stage_is_added(stage, where));
    for (uint32_t i = 0; i < where.value; i++)
        assert_non_null(tree_stage_leaf(stage, leaf_at(i)));
    h->inside[who] = true;
    h->leaf_of[who] = where.value;
}

static void random_remove(struct history *h, struct tree_stage *stage)
{
    uint32_t who = draw(h, true);
    if (who == UINT32_MAX || tree_stage_member_count(stage) == 1)
        return;
    assert_ok(tree_stage_remove(stage, leaf_at(h->leaf_of[who])));
    h->inside[who] = false;
}

static void random_update(struct history *h, struct tree_stage *stage)
{
    uint32_t who = draw(h, true);
    struct leaf_node leaf;
    if (who == UINT32_MAX)
        return;
    world_update_leaf(&world, &pool[who], leaf_at(h->leaf_of[who]), &leaf);
    assert_ok(tree_stage_update(stage, leaf_at(h->leaf_of[who]), &leaf));
}

static void random_path(struct history *h, struct tree_stage *stage)
{
    uint32_t who = draw(h, true);
    struct treekem_private own;
    struct treekem_path path;
    if (who == UINT32_MAX)
        return;
    treekem_private_init(&own, leaf_at(h->leaf_of[who]));
    world_commit(&world, stage, own.own, &pool[who], &own, &path);
    treekem_private_wipe(&own);
    treekem_path_wipe(&path);
}

/* A stage written and read again is the same stage. */
static void assert_comes_back(const struct history *h, struct tree_stage *stage)
{
    struct tree_stage back;
    struct writer writer;
    struct reader reader;
    sotto_buf bytes, a, b;
    sotto_bytes hash, hash_back;
    sotto_buf_init(&bytes, &test_env.env);
    sotto_buf_init(&a, &test_env.env);
    sotto_buf_init(&b, &test_env.env);
    writer_init(&writer, &bytes);
    tree_stage_write(&writer, stage);
    assert_ok(writer_finish(&writer));
    reader_init(&reader, sotto_buf_view(&bytes));
    tree_stage_read(&reader, h->tree, &back);
    assert_ok(reader_finish(&reader, "tree_stage"));
    assert_ok(tree_stage_root_hash(stage, &hash));
    assert_ok(tree_stage_root_hash(&back, &hash_back));
    assert_bytes(hash_back, hash);
    assert_int_equal(tree_stage_member_count(stage), tree_stage_member_count(&back));
    for (uint32_t i = 0; i < stage->leaf_count; i++)
        assert_int_equal(tree_stage_is_added(stage, leaf_at(i)),
                         tree_stage_is_added(&back, leaf_at(i)));
    assert_ok(tree_stage_export(stage, &a));
    assert_ok(tree_stage_export(&back, &b));
    assert_bytes(sotto_buf_view(&b), sotto_buf_view(&a));
    tree_stage_drop(&back);
    sotto_buf_free(&bytes);
    sotto_buf_free(&a);
    sotto_buf_free(&b);
}

static void random_epoch(struct history *h, unsigned adding)
{
    struct tree_stage stage;
    sotto_buf before;
    sotto_bytes hash;
    sotto_fault fault = {0};
    struct history kept = *h;
    snapshot(h->tree, &before);
    tree_stage_init(&stage, h->tree);
    /* In the order in which a commit applies them (12.3), sometimes hashing in between. */
    if (world_random(&test_env, 3) == 0)
        random_update(h, &stage);
    if (world_random(&test_env, 4) == 0)
        assert_ok(tree_stage_root_hash(&stage, &hash));
    for (uint32_t i = world_random(&test_env, 8 - adding); i > 0; i--)
        random_remove(h, &stage);
    for (uint32_t i = world_random(&test_env, adding + 1); i > 0; i--)
        random_add(h, &stage);
    if (world_random(&test_env, 4) == 0)
        assert_ok(tree_stage_root_hash(&stage, &hash));
    random_path(h, &stage);
    assert_ok(tree_stage_check(&stage, NULL, &fault));
    assert_comes_back(h, &stage);
    assert_ok(tree_stage_prepare(&stage));
    assert_same_tree(h->tree, &before);
    if (world_random(&test_env, 5) == 0) {
        tree_stage_drop(&stage);
        assert_same_tree(h->tree, &before);
        *h = kept;
    } else {
        tree_stage_apply(&stage, h->tree);
        tree_stage_drop(&stage);
        assert_consistent(h->tree);
    }
    sotto_buf_free(&before);
}

static void staged_changes_equal_trees_made_anew(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 6; run++) {
        struct history h = {0};
        assert_ok(tree_new(world.crypto, world.suite, &h.tree));
        /* Waves of growing and shrinking, so that the tree doubles and halves. */
        for (unsigned epoch = 0; epoch < 60; epoch++)
            random_epoch(&h, epoch / 10 % 2 == 0 ? 6 : 1);
        tree_free(h.tree);
    }
}

/* ---- Memory runs out ------------------------------------------------------------------------- */

static sotto_error change_much(struct tree_stage *stage, const struct leaf_node leaves[static 8])
{
    struct leaf_index where;
    TRY(tree_stage_remove(stage, leaf_at(5)));
    for (size_t i = 0; i < 8; i++)
        TRY(tree_stage_add(stage, &leaves[i], &where));
    TRY(tree_stage_blank_path(stage, leaf_at(2)));
    return tree_stage_prepare(stage);
}

static void a_failed_allocation_anywhere_leaves_the_base_as_it_was(void **state)
{
    (void)state;
    struct tree *tree;
    struct leaf_node leaves[8];
    sotto_buf before;
    world_tree(&world, pool, 16, true, NULL, &tree);
    for (uint32_t i = 0; i < 8; i++)
        world_leaf_content(&world, &pool[16 + i], &leaves[i]);
    snapshot(tree, &before);
    sotto_error error = SOTTO_NO_MEMORY;
    for (long nth = 0; error != SOTTO_OK; nth++) {
        struct tree_stage stage;
        tree_stage_init(&stage, tree);
        test_env.fail_after = nth;
        error = change_much(&stage, leaves);
        test_env.fail_after = -1;
        if (error != SOTTO_OK)
            assert_error(error, NO_MEMORY);
        tree_stage_drop(&stage);
        assert_same_tree(tree, &before);
        assert_true(nth < 1000);
    }
    /* And importing. */
    sotto_buf encoded;
    sotto_buf_init(&encoded, sotto_env_system());
    assert_ok(tree_export(tree, &encoded));
    error = SOTTO_NO_MEMORY;
    for (long nth = 0; error != SOTTO_OK; nth++) {
        struct tree *copy = NULL;
        sotto_fault fault = {0};
        test_env.fail_after = nth;
        error = tree_import(world.crypto, world.suite, sotto_buf_view(&encoded), &copy, &fault);
        test_env.fail_after = -1;
        assert_int_equal(fault.error, error);
        tree_free(copy);
    }
    sotto_buf_free(&encoded);
    sotto_buf_free(&before);
    tree_free(tree);
}

static void applying_takes_no_memory(void **state)
{
    (void)state;
    struct tree *tree;
    struct leaf_node leaves[8];
    struct tree_stage stage;
    world_tree(&world, pool, 16, true, NULL, &tree);
    for (uint32_t i = 0; i < 8; i++)
        world_leaf_content(&world, &pool[16 + i], &leaves[i]);
    tree_stage_init(&stage, tree);
    assert_ok(change_much(&stage, leaves));
    test_env.fail_after = 0;
    tree_stage_apply(&stage, tree);
    test_env.fail_after = -1;
    assert_int_equal(tree_member_count(tree), 23);
    tree_stage_drop(&stage);
    tree_free(tree);
}

/* ---- Checks ---------------------------------------------------------------------------------- */

static void a_key_stands_in_one_node_only(void **state)
{
    (void)state;
    struct tree *tree;
    struct tree_stage stage;
    struct leaf_node leaf;
    struct leaf_index where;
    struct node_index x;
    sotto_fault fault = {0};
    world_tree(&world, pool, 6, true, NULL, &tree);
    for (uint32_t i = 0; i < node_count_of(tree_leaf_count(tree)); i++) {
        const struct tree_node *node = tree_node(tree, node_at(i));
        tree_stage_init(&stage, tree);
        if (node != NULL) {
            assert_ok(tree_stage_find_key(&stage, KEY_ENCRYPTION, tree_node_encryption_key(node),
                                          node_at(UINT32_MAX), &x));
            assert_int_equal(x.value, i);
        }
    }
    /* The same KeyPackage twice. */
    tree_stage_init(&stage, tree);
    world_leaf_content(&world, &pool[10], &leaf);
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    assert_ok(tree_stage_check(&stage, NULL, &fault));
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    assert_error(tree_stage_check(&stage, NULL, &fault), TREE);
    tree_stage_drop(&stage);
    /* A member's signature key again, with a new encryption key. */
    tree_stage_init(&stage, tree);
    world_update_leaf(&world, &pool[2], leaf_at(2), &leaf);
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    assert_error(tree_stage_check(&stage, NULL, &fault), TREE);
    assert_string_equal(fault.what, "LeafNode.signature_key: in the tree twice");
    /* Unless that member goes: its keys may move to another leaf. */
    assert_ok(tree_stage_remove(&stage, leaf_at(2)));
    assert_ok(tree_stage_check(&stage, NULL, &fault));
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_apply(&stage, tree);
    tree_stage_init(&stage, tree);
    assert_ok(
        tree_stage_find_key(&stage, KEY_SIGNATURE, leaf.signature_key, node_at(UINT32_MAX), &x));
    assert_int_equal(x.value, 2 * where.value);
    tree_free(tree);
}

static void what_all_members_support_is_known(void **state)
{
    (void)state;
    struct tree *tree;
    struct tree_stage stage;
    struct leaf_node leaf;
    struct leaf_index where;
    sotto_fault fault = {0};
    uint16_t types[] = {0xf042, EXTENSION_APPLICATION_ID};
    struct required_capabilities required = {0};
    assert_ok(u16_list_make(&world.arena, types, 2, &required.extensions));
    world_tree(&world, pool, 6, false, NULL, &tree);
    tree_stage_init(&stage, tree);
    assert_true(tree_stage_all_support(&stage, SUPPORT_EXTENSION, 0xf042));
    assert_false(tree_stage_all_support(&stage, SUPPORT_EXTENSION, 0xf043));
    assert_ok(tree_stage_check(&stage, &required, &fault));
    world_leaf_content(&world, &pool[10], &leaf);
    leaf.capabilities.extensions = (struct u16_list){0};
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    assert_ok(tree_stage_check(&stage, NULL, &fault));
    assert_error(tree_stage_check(&stage, &required, &fault), CAPABILITY);
    assert_ok(tree_stage_remove(&stage, where));
    assert_ok(tree_stage_check(&stage, &required, &fault));
    /* A credential type that the others do not list. */
    world_leaf_content(&world, &pool[11], &leaf);
    leaf.credential.type = CREDENTIAL_X509;
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    assert_error(tree_stage_check(&stage, NULL, &fault), CAPABILITY);
    tree_stage_drop(&stage);
    tree_free(tree);
}

static void rules_of_a_leaf_are_checked(void **state)
{
    (void)state;
    struct key_package key_package;
    struct leaf_rules rules = {.check_lifetime = true, .now = 1000};
    struct required_capabilities required = {0};
    sotto_fault fault = {0};
    uint16_t type = 0xf077;
    world_key_package(&world, &pool[0], &key_package);
    assert_ok(key_package_check(world.crypto, world.suite, &key_package, &rules, &fault));
    rules.now = 2001;
    assert_error(key_package_check(world.crypto, world.suite, &key_package, &rules, &fault),
                 LIFETIME);
    rules.check_lifetime = false;
    assert_ok(u16_list_make(&world.arena, &type, 1, &required.proposals));
    rules.required = &required;
    assert_error(key_package_check(world.crypto, world.suite, &key_package, &rules, &fault),
                 CAPABILITY);
    rules.required = NULL;
    assert_error(key_package_check(world.crypto, suite_by_id(SUITE_X25519_AES128_SHA256_ED25519),
                                   &key_package, &rules, &fault),
                 UNSUPPORTED);
    rules.source = LEAF_SOURCE_COMMIT;
    assert_error(leaf_node_check(world.crypto, world.suite, &key_package.leaf, &rules, &fault),
                 VALUE);
    rules.source = 0;
    struct leaf_node leaf = key_package.leaf;
    leaf.capabilities.extensions = (struct u16_list){0};
    assert_error(leaf_node_check(world.crypto, world.suite, &leaf, &rules, &fault), CAPABILITY);
    key_package.init_key = key_package.leaf.encryption_key;
    assert_error(key_package_check(world.crypto, world.suite, &key_package, &rules, &fault), KEY);
}

/* Adds in one commit touch each node once, whatever their number. */
static void many_changes_touch_each_node_once(void **state)
{
    (void)state;
    struct tree *tree;
    struct tree_stage stage;
    struct leaf_node leaf;
    struct leaf_index where;
    world_tree(&world, pool, 8, true, NULL, &tree);
    tree_stage_init(&stage, tree);
    world_leaf_content(&world, &pool[9], &leaf);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_ok(tree_stage_add(&stage, &leaf, &where));
        assert_int_equal(where.value, 8 + i);
    }
    assert_int_equal(tree_stage_leaf_count(&stage), 1024);
    assert_true(stage.entry_count < 2 * 1008 + 11);
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_drop(&stage);
    tree_free(tree);
}

static void damaged_stages_are_refused(void **state)
{
    (void)state;
    struct tree *tree;
    struct tree_stage stage, back;
    struct leaf_node leaf;
    struct leaf_index where;
    struct writer writer;
    sotto_buf bytes, before;
    sotto_buf_init(&bytes, &test_env.env);
    world_tree(&world, pool, 6, true, NULL, &tree);
    tree_stage_init(&stage, tree);
    assert_ok(tree_stage_remove(&stage, leaf_at(1)));
    world_leaf_content(&world, &pool[9], &leaf);
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    writer_init(&writer, &bytes);
    tree_stage_write(&writer, &stage);
    assert_ok(writer_finish(&writer));
    snapshot(tree, &before);
    assert_int_equal(before.size > 0, 1);
    tree_stage_drop(&stage);
    sotto_buf_free(&before);
    snapshot(tree, &before);
    for (size_t i = 0; i < bytes.size; i++) {
        struct reader reader;
        reader_init(&reader, sotto_bytes_of(bytes.data, i));
        tree_stage_read(&reader, tree, &back);
        assert_int_not_equal(reader_finish(&reader, "end"), SOTTO_OK);
        bytes.data[i] ^= 0x11;
        reader_init(&reader, sotto_buf_view(&bytes));
        tree_stage_read(&reader, tree, &back);
        tree_stage_drop(&back);
        bytes.data[i] ^= 0x11;
        assert_same_tree(tree, &before);
    }
    sotto_buf_free(&before);
    sotto_buf_free(&bytes);
    tree_free(tree);
}

static void trees_load_from_single_nodes(void **state)
{
    (void)state;
    struct tree *tree, *loaded;
    sotto_buf a, b, node_bytes;
    sotto_fault fault = {0};
    sotto_buf_init(&a, &test_env.env);
    sotto_buf_init(&b, &test_env.env);
    sotto_buf_init(&node_bytes, &test_env.env);
    world_tree(&world, pool, 11, true, NULL, &tree);
    assert_ok(tree_load_begin(world.crypto, world.suite, 16, tree_prints(tree), &loaded, &fault));
    for (uint32_t i = node_count_of(16); i-- > 0;) {
        const struct tree_node *node = tree_node(tree, node_at(i));
        struct writer writer;
        if (node == NULL)
            continue;
        sotto_buf_clear(&node_bytes);
        writer_init(&writer, &node_bytes);
        tree_record_write(&writer, tree, node_at(i));
        assert_ok(writer_finish(&writer));
        assert_int_not_equal(
            tree_load_node(loaded, node_at(i ^ 1), sotto_buf_view(&node_bytes), &fault), SOTTO_OK);
        assert_ok(tree_load_node(loaded, node_at(i), sotto_buf_view(&node_bytes), &fault));
        assert_error(tree_load_node(loaded, node_at(i), sotto_buf_view(&node_bytes), &fault),
                     VALUE);
    }
    assert_ok(tree_load_end(loaded, &fault));
    assert_bytes(tree_hash(loaded), tree_hash(tree));
    assert_ok(tree_export(tree, &a));
    assert_ok(tree_export(loaded, &b));
    assert_bytes(sotto_buf_view(&a), sotto_buf_view(&b));
    sotto_buf_free(&a);
    sotto_buf_free(&b);
    sotto_buf_free(&node_bytes);
    tree_free(loaded);
    tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staged_changes_equal_trees_made_anew),
        cmocka_unit_test(a_failed_allocation_anywhere_leaves_the_base_as_it_was),
        cmocka_unit_test(applying_takes_no_memory),
        cmocka_unit_test(a_key_stands_in_one_node_only),
        cmocka_unit_test(what_all_members_support_is_known),
        cmocka_unit_test(rules_of_a_leaf_are_checked),
        cmocka_unit_test(many_changes_touch_each_node_once),
        cmocka_unit_test(damaged_stages_are_refused),
        cmocka_unit_test(trees_load_from_single_nodes),
    };
    return cmocka_run_group_tests_name("tree_stage", tests, set_up, tear_down);
}
