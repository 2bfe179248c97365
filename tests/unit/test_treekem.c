#include "mls/treekem.h"

#include "mls/tree_base.h"
#include "unit/mls_world.h"
#include "unit/vectors.h"

static struct world_env test_env;

static int set_up(void **state)
{
    (void)state;
    world_env_init(&test_env, 2);
    return 0;
}

/* ---- Vectors --------------------------------------------------------------------------------- */

struct scenario {
    struct vectors *vectors;
    const json_t *item;
    struct crypto *crypto;
    const struct suite *suite;
    struct tree *tree;
    struct treekem_private *states; /* by leaf */
    struct secret *signature_private;
    uint32_t leaves;
};

static void node_private(const struct scenario *s, sotto_bytes path_secret, struct secret *out)
{
    struct secret node_secret = {0};
    sotto_buf public_key;
    sotto_buf_init(&public_key, &test_env.env);
    assert_ok(crypto_derive_secret(s->crypto, s->suite, path_secret, "node", &node_secret));
    assert_ok(crypto_kem_derive(s->crypto, s->suite, secret_view(&node_secret), out, &public_key));
    secret_wipe(&node_secret);
    sotto_buf_free(&public_key);
}

static void load_leaf(struct scenario *s, const json_t *leaf)
{
    uint32_t index = (uint32_t)vectors_u64(s->vectors, leaf, "index");
    struct treekem_private *own = &s->states[index];
    struct secret key = {0};
    treekem_private_init(own, leaf_at(index));
    assert_ok(secret_set(&key, vectors_hex(s->vectors, leaf, "encryption_priv")));
    treekem_private_set(own, node_at(2 * index), &key);
    assert_ok(
        secret_set(&s->signature_private[index], vectors_hex(s->vectors, leaf, "signature_priv")));
    size_t i;
    json_t *entry;
    json_array_foreach(vectors_member(s->vectors, leaf, "path_secrets"), i, entry)
    {
        node_private(s, vectors_hex(s->vectors, entry, "path_secret"), &key);
        treekem_private_set(own, node_at((uint32_t)vectors_u64(s->vectors, entry, "node")), &key);
    }
    struct tree_stage view;
    tree_stage_init(&view, s->tree);
    assert_ok(treekem_private_check(own, &view));
    secret_wipe(&key);
}

static void load(struct scenario *s)
{
    sotto_fault fault = {0};
    assert_ok(tree_import(s->crypto, s->suite, vectors_hex(s->vectors, s->item, "ratchet_tree"),
                          &s->tree, &fault));
    s->leaves = tree_leaf_count(s->tree);
    s->states = arena_array(&s->vectors->arena, s->leaves, sizeof *s->states);
    s->signature_private = arena_array(&s->vectors->arena, s->leaves, sizeof *s->signature_private);
    size_t i;
    json_t *leaf;
    json_array_foreach(vectors_member(s->vectors, s->item, "leaves_private"), i, leaf)
        load_leaf(s, leaf);
}

/* The provisional GroupContext (8.1) with the stage's tree hash. */
static void group_context(const struct scenario *s, struct tree_stage *stage, sotto_buf *context)
{
    sotto_bytes hash;
    struct writer writer;
    assert_ok(tree_stage_root_hash(stage, &hash));
    writer_init(&writer, context);
    writer_u16(&writer, MLS_VERSION_10);
    writer_u16(&writer, s->suite->id);
    writer_vector(&writer, vectors_hex(s->vectors, s->item, "group_id"));
    writer_u64(&writer, vectors_u64(s->vectors, s->item, "epoch"));
    writer_vector(&writer, hash);
    writer_vector(&writer, vectors_hex(s->vectors, s->item, "confirmed_transcript_hash"));
    writer_vector(&writer, (sotto_bytes){0});
    assert_ok(writer_finish(&writer));
}

/* Every member but the sender processes the path. path_secrets: what each must have decrypted, or
 * NULL. */
static void process_by_all(struct scenario *s, uint32_t sender, sotto_bytes encoded,
                           sotto_bytes expected_hash, const json_t *path_secrets,
                           sotto_bytes commit_secret)
{
    struct reader reader;
    struct arena arena;
    struct update_path path;
    arena_init(&arena, &test_env.env);
    reader_init(&reader, encoded);
    update_path_read(&reader, &arena, &path);
    assert_ok(reader_finish(&reader, "UpdatePath"));
    struct tree_stage stage;
    sotto_fault fault = {0};
    sotto_bytes hash;
    sotto_buf context;
    sotto_buf_init(&context, &test_env.env);
    tree_stage_init(&stage, s->tree);
    /* The signature alone: leaves of these vectors do not list suite 7, even where they use it. */
    assert_ok(leaf_node_verify(s->crypto, s->suite, &path.leaf,
                               vectors_hex(s->vectors, s->item, "group_id"), leaf_at(sender)));
    if (treekem_merge(&stage, leaf_at(sender), &path, &fault) != SOTTO_OK)
        fail_msg("%s", fault.what);
    assert_ok(tree_stage_check(&stage, NULL, &fault));
    assert_ok(tree_stage_root_hash(&stage, &hash));
    if (expected_hash.size > 0)
        assert_bytes(hash, expected_hash);
    group_context(s, &stage, &context);
    for (struct leaf_index leaf = {0}; tree_stage_next_member(&stage, &leaf); leaf.value++) {
        if (leaf.value == sender)
            continue;
        struct treekem_private next = s->states[leaf.value];
        struct secret received = {0}, expected = {0};
        treekem_private_prune(&next, &stage);
        assert_ok(treekem_decrypt(&stage, leaf_at(sender), &path, sotto_buf_view(&context), &next,
                                  &received, &fault));
        assert_bytes(secret_view(&received), commit_secret);
        assert_ok(treekem_private_check(&next, &stage));
        if (path_secrets != NULL) {
            node_private(s, vectors_hex_value(s->vectors, json_array_get(path_secrets, leaf.value)),
                         &expected);
            const struct secret *key =
                treekem_private_find(&next, leaf_common_ancestor(leaf, leaf_at(sender)));
            assert_non_null(key);
            assert_bytes(secret_view(key), secret_view(&expected));
        }
        treekem_private_wipe(&next);
    }
    tree_stage_drop(&stage);
    sotto_buf_free(&context);
    arena_free(&arena);
}

static void make_and_process(struct scenario *s, uint32_t sender)
{
    struct tree_stage stage;
    struct treekem_path path;
    struct treekem_private own;
    sotto_buf context, encoded, hash;
    sotto_bytes root;
    sotto_buf_init(&context, &test_env.env);
    sotto_buf_init(&encoded, &test_env.env);
    sotto_buf_init(&hash, &test_env.env);
    tree_stage_init(&stage, s->tree);
    own = s->states[sender];
    assert_ok(treekem_path_create(&stage, leaf_at(sender), tree_leaf(s->tree, leaf_at(sender)),
                                  secret_view(&s->signature_private[sender]),
                                  vectors_hex(s->vectors, s->item, "group_id"), &own, &path));
    assert_ok(treekem_private_check(&own, &stage));
    group_context(s, &stage, &context);
    assert_ok(treekem_path_encrypt(&stage, &path, sotto_buf_view(&context), &encoded));
    assert_ok(tree_stage_root_hash(&stage, &root));
    assert_ok(sotto_buf_append(&hash, root.data, root.size));
    process_by_all(s, sender, sotto_buf_view(&encoded), sotto_buf_view(&hash), NULL,
                   secret_view(&path.commit_secret));
    tree_stage_drop(&stage);
    treekem_path_wipe(&path);
    treekem_private_wipe(&own);
    sotto_buf_free(&hash);
    sotto_buf_free(&encoded);
    sotto_buf_free(&context);
}

static void paths_of_the_vectors_are_understood(void **state)
{
    (void)state;
    struct vectors vectors;
    struct crypto *crypto;
    unsigned skipped = 0;
    vectors_open(&vectors, "mls/treekem.json");
    assert_ok(crypto_new(&test_env.env, &crypto));
    size_t i, j;
    json_t *item, *entry;
    json_array_foreach(vectors.root, i, item)
    {
        struct scenario s = {.vectors = &vectors, .item = item, .crypto = crypto};
        s.suite = suite_by_id((uint16_t)vectors_u64(&vectors, item, "cipher_suite"));
        if (s.suite == NULL || !crypto_has(crypto, s.suite)) {
            skipped++;
            continue;
        }
        load(&s);
        json_array_foreach(vectors_member(&vectors, item, "update_paths"), j, entry)
        {
            uint32_t sender = (uint32_t)vectors_u64(&vectors, entry, "sender");
            process_by_all(&s, sender, vectors_hex(&vectors, entry, "update_path"),
                           vectors_hex(&vectors, entry, "tree_hash_after"),
                           vectors_member(&vectors, entry, "path_secrets"),
                           vectors_hex(&vectors, entry, "commit_secret"));
            make_and_process(&s, sender);
        }
        tree_free(s.tree);
    }
    print_message("# treekem: %u skipped\n", skipped);
    crypto_free(crypto);
    vectors_close(&vectors);
}

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
        cmocka_unit_test(paths_of_the_vectors_are_understood),
        cmocka_unit_test(newcomers_join_with_a_path_secret),
        cmocka_unit_test(an_external_committer_takes_a_blank_leaf),
        cmocka_unit_test(wrong_paths_are_refused),
        cmocka_unit_test(private_states_come_back_from_bytes),
        cmocka_unit_test(keys_of_changed_nodes_are_forgotten),
    };
    return cmocka_run_group_tests_name("treekem", tests, set_up, NULL);
}
