#include "mls/tree_math.h"

struct node_index leaf_common_ancestor(struct leaf_index a, struct leaf_index b)
{
    if (a.value == b.value)
        return leaf_node_index(a);
    /* The highest bit in which the leaves differ is the level below their ancestor's. */
    uint32_t level = 32 - (uint32_t)__builtin_clz(a.value ^ b.value);
    uint32_t first = a.value >> level << level;
    return node_at(2 * first + (1U << level) - 1);
}

size_t leaf_direct_path(struct leaf_index leaf, uint32_t leaf_count,
                        struct node_index path[static LIMIT_DEPTH])
{
    size_t count = 0;
    struct node_index root = tree_root(leaf_count);
    for (struct node_index x = leaf_node_index(leaf); !node_equal(x, root);) {
        x = node_parent(x);
        BUG_UNLESS(count < LIMIT_DEPTH);
        path[count++] = x;
    }
    return count;
}

struct node_index node_child_towards(struct node_index x, struct leaf_index leaf)
{
    return leaf_node_index(leaf).value < x.value ? node_left(x) : node_right(x);
}

struct node_index node_child_away(struct node_index x, struct leaf_index leaf)
{
    return leaf_node_index(leaf).value < x.value ? node_right(x) : node_left(x);
}

uint32_t leaf_count_for(uint32_t leaves)
{
    return leaves <= 1 ? 1 : 1U << (32 - (uint32_t)__builtin_clz(leaves - 1));
}
