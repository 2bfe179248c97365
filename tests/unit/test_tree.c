#include "mls/tree.h"

#include "mls/tree_base.h"
#include "unit/mls_world.h"
#include "unit/vectors.h"

static struct world_env test_env;
static struct crypto *crypto;

static int set_up(void **state)
{
    (void)state;
    world_env_init(&test_env, 1);
    return crypto_new(&test_env.env, &crypto) == SOTTO_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    crypto_free(crypto);
    return 0;
}

/* The suite of a case, or NULL if this build cannot run it; counts it then. */
static const struct suite *suite_of(struct vectors *vectors, const json_t *item, unsigned *skipped)
{
    const struct suite *suite = suite_by_id((uint16_t)vectors_u64(vectors, item, "cipher_suite"));
    if (suite != NULL && crypto_has(crypto, suite))
        return suite;
    ++*skipped;
    return NULL;
}

static struct tree *import(const struct suite *suite, sotto_bytes encoded)
{
    struct tree *tree;
    sotto_fault fault = {0};
    sotto_error error = tree_import(crypto, suite, encoded, &tree, &fault);
    if (error != SOTTO_OK)
        fail_msg("%s at %zu: %s", fault.what, fault.offset, sotto_error_text(error));
    return tree;
}

static void assert_exports(const struct tree *tree, sotto_bytes expected)
{
    sotto_buf encoded;
    sotto_buf_init(&encoded, &test_env.env);
    assert_ok(tree_export(tree, &encoded));
    assert_bytes(sotto_buf_view(&encoded), expected);
    sotto_buf_free(&encoded);
}

/* ---- Vectors --------------------------------------------------------------------------------- */

static void apply_proposal(struct tree_stage *stage, sotto_bytes proposal, uint32_t sender)
{
    struct reader reader;
    struct arena arena;
    struct key_package key_package;
    struct leaf_node leaf;
    struct leaf_index where;
    reader_init(&reader, proposal);
    arena_init(&arena, &test_env.env);
    switch (reader_u16(&reader, "Proposal.proposal_type")) {
    case PROPOSAL_ADD:
        key_package_read(&reader, &arena, &key_package);
        assert_ok(reader_finish(&reader, "Add"));
        assert_ok(tree_stage_add(stage, &key_package.leaf, &where));
        break;
    case PROPOSAL_UPDATE:
        leaf_node_read(&reader, &arena, &leaf);
        assert_ok(reader_finish(&reader, "Update"));
        assert_ok(tree_stage_update(stage, leaf_at(sender), &leaf));
        break;
    default:
        assert_ok(tree_stage_remove(stage, leaf_at(reader_u32(&reader, "Remove.removed"))));
        assert_ok(reader_finish(&reader, "Remove"));
    }
    arena_free(&arena);
}

static void operations_are_those_of_the_vectors(void **state)
{
    (void)state;
    struct vectors vectors;
    unsigned skipped = 0;
    vectors_open(&vectors, "mls/tree-operations.json");
    size_t i;
    json_t *item;
    json_array_foreach(vectors.root, i, item)
    {
        const struct suite *suite = suite_of(&vectors, item, &skipped);
        if (suite == NULL)
            continue;
        sotto_bytes before = vectors_hex(&vectors, item, "tree_before");
        struct tree *tree = import(suite, before);
        assert_bytes(tree_hash(tree), vectors_hex(&vectors, item, "tree_hash_before"));
        assert_exports(tree, before);
        struct tree_stage stage;
        tree_stage_init(&stage, tree);
        apply_proposal(&stage, vectors_hex(&vectors, item, "proposal"),
                       (uint32_t)vectors_u64(&vectors, item, "proposal_sender"));
        sotto_bytes hash;
        assert_ok(tree_stage_root_hash(&stage, &hash));
        assert_bytes(hash, vectors_hex(&vectors, item, "tree_hash_after"));
        assert_exports(tree, before);
        assert_ok(tree_stage_prepare(&stage));
        tree_stage_apply(&stage, tree);
        assert_exports(tree, vectors_hex(&vectors, item, "tree_after"));
        assert_bytes(tree_hash(tree), vectors_hex(&vectors, item, "tree_hash_after"));
        tree_stage_drop(&stage);
        tree_free(tree);
    }
    print_message("# tree-operations: %u skipped\n", skipped);
    vectors_close(&vectors);
}

static void check_resolutions(struct vectors *vectors, const json_t *item, struct tree *tree)
{
    struct tree_stage view;
    struct node_list list;
    tree_stage_init(&view, tree);
    node_list_init(&list, &test_env.env);
    const json_t *resolutions = vectors_member(vectors, item, "resolutions");
    const json_t *hashes = vectors_member(vectors, item, "tree_hashes");
    assert_int_equal(json_array_size(resolutions), node_count_of(tree_leaf_count(tree)));
    for (uint32_t x = 0; x < json_array_size(resolutions); x++) {
        const json_t *expected = json_array_get(resolutions, x);
        list.count = 0;
        assert_ok(tree_stage_resolution(&view, node_at(x), false, &list));
        assert_int_equal(list.count, json_array_size(expected));
        for (size_t i = 0; i < list.count; i++)
            assert_int_equal(list.items[i].value, json_integer_value(json_array_get(expected, i)));
        sotto_bytes hash;
        assert_ok(tree_stage_hash(&view, node_at(x), &hash));
        assert_bytes(hash, vectors_hex_value(vectors, json_array_get(hashes, x)));
    }
    node_list_free(&list);
}

static void trees_of_the_vectors_are_valid(void **state)
{
    (void)state;
    struct vectors vectors;
    unsigned skipped = 0;
    vectors_open(&vectors, "mls/tree-validation.json");
    size_t i;
    json_t *item;
    json_array_foreach(vectors.root, i, item)
    {
        const struct suite *suite = suite_of(&vectors, item, &skipped);
        if (suite == NULL)
            continue;
        sotto_bytes encoded = vectors_hex(&vectors, item, "tree");
        struct tree *tree = import(suite, encoded);
        assert_exports(tree, encoded);
        check_resolutions(&vectors, item, tree);
        struct tree_rules rules = {.group_id = vectors_hex(&vectors, item, "group_id")};
        sotto_fault fault = {0};
        if (tree_validate(tree, &rules, &fault) != SOTTO_OK)
            fail_msg("case %zu: %s", i, fault.what);
        rules.group_id = sotto_bytes_str("another group");
        assert_error(tree_validate(tree, &rules, &fault), SIGNATURE);
        tree_free(tree);
    }
    print_message("# tree-validation: %u skipped\n", skipped);
    vectors_close(&vectors);
}

/* ---- Hostile encodings ----------------------------------------------------------------------- */

/* A decoder must refuse or give what encodes to the same bytes. */
typedef void decode_fn(const struct suite *suite, sotto_bytes input);

static void decode_leaf(const struct suite *suite, sotto_bytes input)
{
    (void)suite;
    struct reader reader;
    struct arena arena;
    struct leaf_node leaf;
    struct writer writer;
    sotto_buf again;
    reader_init(&reader, input);
    arena_init(&arena, &test_env.env);
    sotto_buf_init(&again, &test_env.env);
    leaf_node_read(&reader, &arena, &leaf);
    if (reader_finish(&reader, "LeafNode") == SOTTO_OK) {
        writer_init(&writer, &again);
        leaf_node_write(&writer, &leaf);
        assert_ok(writer_finish(&writer));
        assert_bytes(sotto_buf_view(&again), input);
    }
    sotto_buf_free(&again);
    arena_free(&arena);
}

static void decode_key_package(const struct suite *suite, sotto_bytes input)
{
    (void)suite;
    struct reader reader;
    struct arena arena;
    struct key_package key_package;
    struct writer writer;
    sotto_buf again;
    reader_init(&reader, input);
    arena_init(&arena, &test_env.env);
    sotto_buf_init(&again, &test_env.env);
    key_package_read(&reader, &arena, &key_package);
    if (reader_finish(&reader, "KeyPackage") == SOTTO_OK) {
        writer_init(&writer, &again);
        key_package_write(&writer, &key_package);
        assert_ok(writer_finish(&writer));
        assert_bytes(sotto_buf_view(&again), input);
    }
    sotto_buf_free(&again);
    arena_free(&arena);
}

static void decode_tree(const struct suite *suite, sotto_bytes input)
{
    struct tree *tree;
    sotto_fault fault = {0};
    sotto_error error = tree_import(crypto, suite, input, &tree, &fault);
    if (error != SOTTO_OK) {
        assert_int_equal(fault.error, error);
        assert_non_null(fault.what);
        return;
    }
    struct tree_rules rules = {.group_id = sotto_bytes_str("world")};
    assert_exports(tree, input);
    tree_validate(tree, &rules, &fault);
    tree_free(tree);
}

/* Decodes every cut of a valid encoding, and every encoding with one bit flipped. */
static void damage(const struct suite *suite, sotto_bytes valid, size_t step, decode_fn *decode)
{
    uint8_t *copy = malloc(valid.size);
    assert_non_null(copy);
    for (size_t cut = 0; cut < valid.size; cut++) {
        /* A block of its own, so that reading behind its end is seen. */
        uint8_t *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact + 1, valid.data, cut);
        decode(suite, sotto_bytes_of(exact + 1, cut));
        free(exact);
    }
    memcpy(copy, valid.data, valid.size);
    for (size_t bit = 0; bit < 8 * valid.size; bit += step) {
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
        decode(suite, sotto_bytes_of(copy, valid.size));
        copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    free(copy);
}

static void damaged_encodings_are_refused_or_come_back(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_X25519_CHACHA_SHA256_ED25519);
    struct world world;
    struct world_member members[5];
    world_init(&world, &test_env, suite);
    for (uint32_t i = 0; i < 5; i++)
        world_member_make(&world, i, &members[i]);
    struct key_package key_package;
    world_key_package(&world, &members[0], &key_package);
    damage(suite, key_package.leaf.wire, 1, decode_leaf);
    damage(suite, key_package.wire, 1, decode_key_package);
    struct tree *tree;
    sotto_buf encoded;
    sotto_buf_init(&encoded, &test_env.env);
    world_tree(&world, members, 5, true, NULL, &tree);
    assert_ok(tree_export(tree, &encoded));
    damage(suite, sotto_buf_view(&encoded), 5, decode_tree);
    sotto_buf_free(&encoded);
    tree_free(tree);
    for (uint32_t i = 0; i < 5; i++)
        world_member_free(&members[i]);
    world_free(&world);
}

static void faults_name_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *what;
        sotto_error error;
    } cases[] = {
        {"00", "LeafNode.encryption_key", SOTTO_VALUE},
        {"0101010200ff", "Credential.credential_type", SOTTO_UNSUPPORTED},
        {"010101020002"
         "00",
         "Credential.certificates", SOTTO_VALUE},
        {"010101020001"
         "00"
         "0101",
         "Capabilities.versions", SOTTO_LENGTH},
        {"010101020001"
         "00"
         "0000000000"
         "09",
         "LeafNode.leaf_node_source", SOTTO_VALUE},
        {"010101020001"
         "00"
         "0000000000"
         "02"
         "06"
         "f00100"
         "f00100",
         "Extension.extension_type", SOTTO_VALUE},
        {"010101020001"
         "00"
         "0000000000"
         "01"
         "00000000",
         "Lifetime.not_before", SOTTO_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct reader reader;
        struct leaf_node leaf;
        arena_init(&arena, &test_env.env);
        reader_init(&reader, vectors_hex_text(&arena, cases[i].hex));
        leaf_node_read(&reader, &arena, &leaf);
        assert_string_equal(reader.fault.what, cases[i].what);
        assert_int_equal(reader.fault.error, cases[i].error);
        assert_int_equal(leaf.wire.size, 0);
        arena_free(&arena);
    }
}

static void trees_end_with_a_leaf(void **state)
{
    (void)state;
    const struct suite *suite = suite_by_id(SUITE_X25519_CHACHA_SHA256_ED25519);
    static const char *const cases[] = {"00", "0100", "020000"};
    struct arena arena;
    arena_init(&arena, &test_env.env);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tree *tree;
        sotto_fault fault;
        assert_error(tree_import(crypto, suite, vectors_hex_text(&arena, cases[i]), &tree, &fault),
                     TREE);
    }
    arena_free(&arena);
}

static void unmerged_leaves_are_in_increasing_order(void **state)
{
    (void)state;
    static const char *const cases[] = {"01010008"
                                        "0000000200000001",
                                        "01010008"
                                        "0000000100000001"};
    struct arena arena;
    arena_init(&arena, &test_env.env);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reader reader;
        struct parent_node parent;
        reader_init(&reader, vectors_hex_text(&arena, cases[i]));
        parent_node_read(&reader, &parent);
        assert_error(reader_finish(&reader, "ParentNode"), VALUE);
        assert_string_equal(reader.fault.what, "ParentNode.unmerged_leaves");
    }
    arena_free(&arena);
}

/* ---- Trees that are wrong in one place ------------------------------------------------------- */

/* Eight members, of whom 3 went, 2 committed, and a new 3 came: unmerged at nodes 3 and 7. */
static void tree_with_unmerged(struct world *world, const struct world_member members[static 9],
                               struct tree **tree)
{
    struct tree_stage stage;
    struct treekem_private own;
    struct treekem_path path;
    struct leaf_node leaf;
    struct leaf_index where;
    world_tree(world, members, 8, true, NULL, tree);
    tree_stage_init(&stage, *tree);
    assert_ok(tree_stage_remove(&stage, leaf_at(3)));
    treekem_private_init(&own, leaf_at(2));
    world_commit(world, &stage, leaf_at(2), &members[2], &own, &path);
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_apply(&stage, *tree);
    world_leaf_content(world, &members[8], &leaf);
    assert_ok(tree_stage_add(&stage, &leaf, &where));
    assert_int_equal(where.value, 3);
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_apply(&stage, *tree);
    treekem_private_wipe(&own);
    treekem_path_wipe(&path);
}

struct wrong_parent {
    uint32_t node;
    int unmerged; /* the one leaf that it lists; -1: none */
    bool other_parent_hash;
    const char *what;
};

static void validate_with(struct world *world, const struct tree *tree,
                          const struct wrong_parent *wrong)
{
    struct tree_stage stage;
    struct tree *copy;
    sotto_buf encoded;
    sotto_fault fault = {0};
    struct tree_rules rules = world_rules(world);
    uint8_t entry[4] = {0, 0, 0, (uint8_t)wrong->unmerged};
    uint8_t hash[HASH_MAX];
    sotto_buf_init(&encoded, &test_env.env);
    tree_stage_init(&stage, tree);
    struct parent_node parent = tree_node(tree, node_at(wrong->node))->u.parent;
    if (wrong->unmerged >= 0)
        parent.unmerged_leaves.wire = sotto_bytes_of(entry, 4);
    else
        parent.unmerged_leaves.wire = (sotto_bytes){0};
    if (wrong->other_parent_hash) {
        assert_true(parent.parent_hash.size > 0);
        memcpy(hash, parent.parent_hash.data, parent.parent_hash.size);
        hash[0] ^= 1;
        parent.parent_hash.data = hash;
    }
    assert_ok(tree_stage_set_parent(&stage, node_at(wrong->node), &parent));
    assert_ok(tree_stage_export(&stage, &encoded));
    tree_stage_drop(&stage);
    assert_ok(tree_import(world->crypto, world->suite, sotto_buf_view(&encoded), &copy, &fault));
    if (wrong->what == NULL) {
        assert_ok(tree_validate(copy, &rules, &fault));
    } else {
        assert_error(tree_validate(copy, &rules, &fault), TREE);
        assert_string_equal(fault.what, wrong->what);
    }
    tree_free(copy);
    sotto_buf_free(&encoded);
}

static void wrong_parents_are_found(void **state)
{
    (void)state;
    static const char no_member[] = "ParentNode.unmerged_leaves: no member below the node";
    static const char no_chain[] = "ParentNode: no chain of parent hashes to one leaf";
    static const struct wrong_parent cases[] = {
        {3, 3, false, NULL},
        {7, 3, false, NULL},
        {3, -1, false, "ParentNode.unmerged_leaves: not in a node between"},
        {7, -1, false, no_chain},
        {3, 3, true, no_chain},
        {3, 4, false, no_member},  /* a member, but elsewhere */
        {3, 77, false, no_member}, /* outside */
        {1, 0, false, no_chain},
        {7, 2, false, "ParentNode.unmerged_leaves: not in a node between"},
    };
    struct world world;
    struct world_member members[9];
    struct tree *tree;
    world_init(&world, &test_env, suite_by_id(SUITE_X25519_CHACHA_SHA256_ED25519));
    for (uint32_t i = 0; i < 9; i++)
        world_member_make(&world, i, &members[i]);
    tree_with_unmerged(&world, members, &tree);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        validate_with(&world, tree, &cases[i]);
    tree_free(tree);
    for (uint32_t i = 0; i < 9; i++)
        world_member_free(&members[i]);
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_are_those_of_the_vectors),
        cmocka_unit_test(trees_of_the_vectors_are_valid),
        cmocka_unit_test(damaged_encodings_are_refused_or_come_back),
        cmocka_unit_test(faults_name_the_field),
        cmocka_unit_test(trees_end_with_a_leaf),
        cmocka_unit_test(unmerged_leaves_are_in_increasing_order),
        cmocka_unit_test(wrong_parents_are_found),
    };
    return cmocka_run_group_tests_name("tree", tests, set_up, tear_down);
}
