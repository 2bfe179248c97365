#include "mls/tree_math.h"
#include "unit/vectors.h"

/* Compares with an entry of a list of optional<uint32>; false if it is null. */
static bool expects(const json_t *list, size_t i, uint32_t *value)
{
    const json_t *entry = json_array_get(list, i);
    if (!json_is_integer(entry))
        return false;
    *value = (uint32_t)json_integer_value(entry);
    return true;
}

static void positions_are_those_of_the_vectors(void **state)
{
    (void)state;
    struct vectors vectors;
    vectors_open(&vectors, "mls/tree-math.json");
    size_t i;
    json_t *item;
    json_array_foreach(vectors.root, i, item)
    {
        uint32_t leaves = (uint32_t)vectors_u64(&vectors, item, "n_leaves");
        uint32_t nodes = node_count_of(leaves);
        assert_int_equal(nodes, vectors_u64(&vectors, item, "n_nodes"));
        assert_int_equal(tree_root(leaves).value, vectors_u64(&vectors, item, "root"));
        const json_t *left = vectors_member(&vectors, item, "left");
        const json_t *right = vectors_member(&vectors, item, "right");
        const json_t *parent = vectors_member(&vectors, item, "parent");
        const json_t *sibling = vectors_member(&vectors, item, "sibling");
        for (uint32_t x = 0; x < nodes; x++) {
            uint32_t value;
            assert_int_equal(expects(left, x, &value), !node_is_leaf(node_at(x)));
            if (!node_is_leaf(node_at(x))) {
                assert_int_equal(node_left(node_at(x)).value, value);
                assert_true(expects(right, x, &value));
                assert_int_equal(node_right(node_at(x)).value, value);
            }
            assert_int_equal(expects(parent, x, &value), x != tree_root(leaves).value);
            if (x != tree_root(leaves).value) {
                assert_int_equal(node_parent(node_at(x)).value, value);
                assert_true(expects(sibling, x, &value));
                assert_int_equal(node_sibling(node_at(x)).value, value);
            }
        }
    }
    vectors_close(&vectors);
}

static void paths_and_ancestors_agree(void **state)
{
    (void)state;
    const uint32_t leaves = 64;
    for (uint32_t a = 0; a < leaves; a++) {
        struct node_index path[LIMIT_DEPTH];
        size_t count = leaf_direct_path(leaf_at(a), leaves, path);
        assert_int_equal(count, 6);
        for (uint32_t b = 0; b < leaves; b++) {
            struct node_index common = leaf_common_ancestor(leaf_at(a), leaf_at(b));
            assert_true(node_covers(common, leaf_at(a)));
            assert_true(node_covers(common, leaf_at(b)));
            size_t at = 0;
            while (at < count && !node_covers(path[at], leaf_at(b)))
                at++;
            if (a == b) {
                assert_int_equal(common.value, 2 * a);
                continue;
            }
            assert_int_equal(common.value, path[at].value);
            assert_true(node_covers(node_child_towards(common, leaf_at(a)), leaf_at(a)));
            assert_true(node_covers(node_child_away(common, leaf_at(a)), leaf_at(b)));
        }
    }
    for (uint32_t x = 0; x < node_count_of(leaves); x++) {
        uint32_t covered = 0;
        for (uint32_t a = 0; a < leaves; a++)
            covered += node_covers(node_at(x), leaf_at(a));
        assert_int_equal(covered, node_leaf_span(node_at(x)));
        assert_true(node_covers(node_at(x), node_first_leaf(node_at(x))));
    }
}

static void leaf_counts_are_powers_of_two(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{0, 1}, {1, 1}, {2, 2},   {3, 4},
                                        {4, 4}, {5, 8}, {17, 32}, {1U << 20, 1U << 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(leaf_count_for(cases[i][0]), cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_are_those_of_the_vectors),
        cmocka_unit_test(paths_and_ancestors_agree),
        cmocka_unit_test(leaf_counts_are_powers_of_two),
    };
    return cmocka_run_group_tests_name("tree_math", tests, NULL, NULL);
}
