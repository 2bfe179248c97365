#include "mls/treekem.h"

#include "mls/tree_base.h"
#include "unit/mls_world.h"

static struct world_env test_env;

static int set_up(void **state)
{
    (void)state;
    world_env_init(&test_env, 2);
    return 0;
}

/* The official vectors of paths: tools/vectors/trees.c. */

/* ---- Worlds of our own ----------------------------------------------------------------------- */

#define MEMBERS 9

struct group_of_nine {
    struct world world;
    struct world_member members[MEMBERS + 2]; /* two more, to be added */
    struct treekem_private states[MEMBERS];
    struct tree *tree;
};

static void open_group(struct group_of_nine *g, uint16_t suite)
{
    world_init(&g->world, &test_env, suite_by_id(suite));
    for (uint32_t i = 0; i < MEMBERS + 2; i++)
        world_member_make(&g->world, i, &g->members[i]);
    world_tree(&g->world, g->members, MEMBERS, true, g->states, &g->tree);
}

static void close_group(struct group_of_nine *g)
{
    tree_free(g->tree);
    for (uint32_t i = 0; i < MEMBERS + 2; i++)
        world_member_free(&g->members[i]);
    world_free(&g->world);
}

static void read_path(struct group_of_nine *g, const sotto_buf *encoded, struct update_path *path)
{
    struct reader reader;
    reader_init(&reader, sotto_buf_view(encoded));
    update_path_read(&reader, &g->world.arena, path);
    assert_ok(reader_finish(&reader, "UpdatePath"));
}

/* A commit that removes 3 and adds 9 and 10: made by 0, processed by 8, joined by 9 (who takes the
 * place of 3) and 10. */
static void stage_proposals(struct group_of_nine *g, struct tree_stage *stage)
{
    struct key_package key_package;
    struct leaf_index where;
    tree_stage_init(stage, g->tree);
    assert_ok(tree_stage_remove(stage, leaf_at(3)));
    for (uint32_t i = MEMBERS; i < MEMBERS + 2; i++) {
        world_key_package(&g->world, &g->members[i], &key_package);
        assert_ok(tree_stage_add(stage, &key_package.leaf, &where));
        assert_int_equal(where.value, i == MEMBERS ? 3 : MEMBERS);
    }
}

static void newcomers_join_with_a_path_secret(void **state)
{
    (void)state;
    static const uint16_t suites[] = {SUITE_X25519_CHACHA_SHA256_ED25519,
                                      SUITE_XWING_CHACHA_SHA256_ED25519};
    for (size_t n = 0; n < 2; n++) {
        struct group_of_nine g;
        open_group(&g, suites[n]);
        struct tree_stage made, received;
        struct treekem_private own = g.states[0], other = g.states[8];
        struct treekem_path path;
        struct update_path decoded;
        struct secret commit_secret = {0};
        sotto_fault fault = {0};
        sotto_bytes context = sotto_bytes_str("context"), a, b;
        sotto_buf encoded;
        sotto_buf_init(&encoded, &test_env.env);

        stage_proposals(&g, &made);
        treekem_private_prune(&own, &made);
        world_commit(&g.world, &made, leaf_at(0), &g.members[0], &own, &path);
        assert_ok(treekem_path_encrypt(&made, &path, context, &encoded));
        assert_ok(tree_stage_check(&made, NULL, &fault));

        stage_proposals(&g, &received);
        treekem_private_prune(&other, &received);
        read_path(&g, &encoded, &decoded);
        /* Path: nodes 1, 3, 7, 15. Leaf 3 is new, so node 5 resolves to leaf 2 alone; node 23 was
         * blank above 8 and the new 9, who is left out. */
        assert_int_equal(decoded.count, 4);
        assert_int_equal(decoded.nodes[1].count, 1);
        assert_int_equal(decoded.nodes[3].count, 1);
        assert_ok(treekem_merge(&received, leaf_at(0), &decoded, &fault));
        assert_ok(treekem_decrypt(&received, leaf_at(0), &decoded, context, &other, &commit_secret,
                                  &fault));
        assert_bytes(secret_view(&commit_secret), secret_view(&path.commit_secret));
        assert_ok(treekem_private_check(&other, &received));
        assert_ok(tree_stage_root_hash(&made, &a));
        assert_ok(tree_stage_root_hash(&received, &b));
        assert_bytes(a, b);

        for (uint32_t i = 0; i < 2; i++) {
            struct treekem_private joiner;
            struct leaf_index leaf = leaf_at(i == 0 ? 3 : MEMBERS);
            treekem_private_init(&joiner, leaf);
            treekem_private_set(&joiner, leaf_node_index(leaf),
                                &g.members[MEMBERS + i].leaf_private);
            const struct secret *path_secret = treekem_path_secret_for(&path, leaf);
            assert_ok(treekem_join(&received, leaf_at(0), path_secret, &joiner, &fault));
            assert_ok(treekem_private_check(&joiner, &received));
            assert_true(joiner.count > 1);
            struct secret wrong = *path_secret;
            wrong.data[0] ^= 1;
            struct treekem_private before = joiner;
            assert_error(treekem_join(&received, leaf_at(0), &wrong, &joiner, &fault), KEY);
            assert_memory_equal(&before, &joiner, sizeof joiner);
            treekem_private_wipe(&joiner);
        }
        assert_ok(tree_stage_prepare(&received));
        tree_stage_apply(&received, g.tree);
        struct tree_rules rules = world_rules(&g.world);
        if (tree_validate(g.tree, &rules, &fault) != SOTTO_OK)
            fail_msg("%s", fault.what);
        tree_stage_drop(&received);
        tree_stage_drop(&made);
        treekem_path_wipe(&path);
        sotto_buf_free(&encoded);
        close_group(&g);
    }
}

static void an_external_committer_takes_a_blank_leaf(void **state)
{
    (void)state;
    struct group_of_nine g;
    open_group(&g, SUITE_X25519_CHACHA_SHA256_ED25519);
    struct tree_stage made, received;
    struct treekem_private own, other = g.states[4];
    struct treekem_path path;
    struct update_path decoded;
    struct secret commit_secret = {0};
    struct leaf_index where;
    sotto_fault fault = {0};
    sotto_bytes context = sotto_bytes_str("context");
    sotto_buf encoded;
    sotto_buf_init(&encoded, &test_env.env);
    tree_stage_init(&made, g.tree);
    tree_stage_init(&received, g.tree);
    assert_ok(tree_stage_claim(&made, &where));
    assert_int_equal(where.value, MEMBERS);
    treekem_private_init(&own, where);
    world_commit(&g.world, &made, where, &g.members[MEMBERS], &own, &path);
    assert_ok(treekem_path_encrypt(&made, &path, context, &encoded));
    assert_ok(treekem_private_check(&own, &made));

    assert_ok(tree_stage_claim(&received, &where));
    read_path(&g, &encoded, &decoded);
    assert_ok(treekem_merge(&received, where, &decoded, &fault));
    assert_ok(treekem_decrypt(&received, where, &decoded, context, &other, &commit_secret, &fault));
    assert_bytes(secret_view(&commit_secret), secret_view(&path.commit_secret));
    assert_int_equal(tree_stage_member_count(&received), MEMBERS + 1);
    assert_ok(tree_stage_check(&received, NULL, &fault));
    tree_stage_drop(&made);
    tree_stage_drop(&received);
    treekem_path_wipe(&path);
    sotto_buf_free(&encoded);
    close_group(&g);
}

/* A path that is right but for one thing. */
static void wrong_paths_are_refused(void **state)
{
    (void)state;
    struct group_of_nine g;
    open_group(&g, SUITE_X25519_CHACHA_SHA256_ED25519);
    struct tree_stage made;
    struct treekem_private own = g.states[2];
    struct treekem_path path;
    sotto_bytes context = sotto_bytes_str("context");
    sotto_buf encoded;
    sotto_buf_init(&encoded, &test_env.env);
    tree_stage_init(&made, g.tree);
    world_commit(&g.world, &made, leaf_at(2), &g.members[2], &own, &path);
    assert_ok(treekem_path_encrypt(&made, &path, context, &encoded));
    for (unsigned wrong = 0; wrong < 8; wrong++) {
        struct update_path decoded;
        struct tree_stage stage;
        struct treekem_private other = g.states[8], before = other;
        struct secret commit_secret = {0};
        sotto_fault fault = {0};
        struct leaf_index sender = leaf_at(2);
        read_path(&g, &encoded, &decoded);
        struct update_path_node *nodes = (struct update_path_node *)decoded.nodes;
        sotto_error expected = SOTTO_COMMIT;
        bool in_merge = true;
        switch (wrong) {
        case 0:
            decoded.count--;
            break;
        case 1:
            nodes[1].count--;
            break;
        case 2: /* a key of the tree's, even one that this path replaces */
            nodes[0].encryption_key = tree_node_encryption_key(tree_node(g.tree, node_at(5)));
            break;
        case 3:
            nodes[0].encryption_key = nodes[1].encryption_key;
            break;
        case 4:
            nodes[2].encryption_key = sotto_bytes_of(nodes[2].encryption_key.data, 31);
            expected = SOTTO_KEY;
            break;
        case 5: /* a key that the sender does not have: the parent hashes say so */
            nodes[0].encryption_key = decoded.leaf.signature_key;
            break;
        case 6:
            sender = leaf_at(1);
            break;
        default:
            context = sotto_bytes_str("another context");
            expected = SOTTO_DECRYPT;
            in_merge = false;
        }
        tree_stage_init(&stage, g.tree);
        sotto_error error = treekem_merge(&stage, sender, &decoded, &fault);
        if (in_merge) {
            assert_int_equal(error, expected);
        } else {
            assert_ok(error);
            assert_int_equal(
                treekem_decrypt(&stage, sender, &decoded, context, &other, &commit_secret, &fault),
                expected);
            assert_memory_equal(&before, &other, sizeof other);
        }
        assert_int_equal(fault.error, expected);
        tree_stage_drop(&stage);
    }
    tree_stage_drop(&made);
    treekem_path_wipe(&path);
    sotto_buf_free(&encoded);
    close_group(&g);
}

static void private_states_come_back_from_bytes(void **state)
{
    (void)state;
    struct group_of_nine g;
    open_group(&g, SUITE_X25519_CHACHA_SHA256_ED25519);
    struct writer writer;
    sotto_buf encoded;
    sotto_buf_init(&encoded, &test_env.env);
    writer_init(&writer, &encoded);
    treekem_private_write(&writer, &g.states[5]);
    assert_ok(writer_finish(&writer));
    for (size_t cut = 0; cut <= encoded.size; cut++) {
        struct reader reader;
        struct treekem_private back, none = {0};
        reader_init(&reader, sotto_bytes_of(encoded.data, cut));
        treekem_private_read(&reader, &back);
        bool whole = cut == encoded.size;
        assert_int_equal(reader_finish(&reader, "end"), whole ? SOTTO_OK : SOTTO_TRUNCATED);
        assert_memory_equal(&back, whole ? &g.states[5] : &none, sizeof back);
        treekem_private_wipe(&back);
    }
    sotto_buf_free(&encoded);
    close_group(&g);
}

static void keys_of_changed_nodes_are_forgotten(void **state)
{
    (void)state;
    struct group_of_nine g;
    open_group(&g, SUITE_X25519_CHACHA_SHA256_ED25519);
    struct tree_stage stage;
    struct treekem_private own = g.states[0];
    size_t count = own.count;
    tree_stage_init(&stage, g.tree);
    treekem_private_prune(&own, &stage);
    assert_int_equal(own.count, count);
    assert_ok(tree_stage_remove(&stage, leaf_at(2)));
    treekem_private_prune(&own, &stage);
    assert_non_null(treekem_private_find(&own, node_at(0)));
    assert_non_null(treekem_private_find(&own, node_at(1)));
    assert_null(treekem_private_find(&own, node_at(3)));
    assert_null(treekem_private_find(&own, tree_root(tree_leaf_count(g.tree))));
    for (size_t i = own.count; i <= LIMIT_DEPTH; i++)
        assert_int_equal(own.keys[i].private_key.size, 0);
    tree_stage_drop(&stage);
    treekem_private_wipe(&own);
    close_group(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newcomers_join_with_a_path_secret),
        cmocka_unit_test(an_external_committer_takes_a_blank_leaf),
        cmocka_unit_test(wrong_paths_are_refused),
        cmocka_unit_test(private_states_come_back_from_bytes),
        cmocka_unit_test(keys_of_changed_nodes_are_forgotten),
    };
    return cmocka_run_group_tests_name("treekem", tests, set_up, NULL);
}
