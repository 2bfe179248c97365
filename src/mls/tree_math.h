/* Positions in a full binary tree kept as an array (RFC 9420, appendix C). Leaves are the even
 * nodes; a node's level is the number of trailing one bits of its index. With 8 leaves:
 *
 *     level 3                     7
 *                     ____________|____________
 *     level 2        3                        11
 *               _____|_____             ______|______
 *     level 1  1           5           9             13
 *             / \         / \         / \           /  \
 *     nodes  0   2       4   6       8   10       12    14
 *     leaves 0   1       2   3       4    5        6     7
 *
 * Only the root depends on the size of the tree: a subtree keeps its indices when the tree doubles
 * or halves. A leaf count is always a power of two. */
#ifndef MLS_TREE_MATH_H
#define MLS_TREE_MATH_H

#include "mls/types.h"

static inline struct node_index node_at(uint32_t value)
{
    return (struct node_index){value};
}

static inline struct leaf_index leaf_at(uint32_t value)
{
    return (struct leaf_index){value};
}

static inline bool node_equal(struct node_index a, struct node_index b)
{
    return a.value == b.value;
}

static inline bool node_is_leaf(struct node_index x)
{
    return (x.value & 1) == 0;
}

static inline struct node_index leaf_node_index(struct leaf_index leaf)
{
    return node_at(2 * leaf.value);
}

/* x must be a leaf. */
static inline struct leaf_index node_leaf_index(struct node_index x)
{
    return leaf_at(x.value / 2);
}

static inline uint32_t node_level(struct node_index x)
{
    return (uint32_t)__builtin_ctz(~x.value);
}

static inline uint32_t node_count_of(uint32_t leaf_count)
{
    return 2 * leaf_count - 1;
}

static inline struct node_index tree_root(uint32_t leaf_count)
{
    return node_at(leaf_count - 1);
}

/* x must not be a leaf. */
static inline struct node_index node_left(struct node_index x)
{
    return node_at(x.value ^ (1U << (node_level(x) - 1)));
}

static inline struct node_index node_right(struct node_index x)
{
    return node_at(x.value ^ (3U << (node_level(x) - 1)));
}

/* x must not be the root. */
static inline struct node_index node_parent(struct node_index x)
{
    uint32_t level = node_level(x);
    return node_at((x.value | 1U << level) & ~(1U << (level + 1)));
}

static inline struct node_index node_sibling(struct node_index x)
{
    struct node_index parent = node_parent(x);
    return x.value < parent.value ? node_right(parent) : node_left(parent);
}

/* The leaves under x: the first, and how many. */
static inline struct leaf_index node_first_leaf(struct node_index x)
{
    return leaf_at((x.value + 1 - (1U << node_level(x))) / 2);
}

static inline uint32_t node_leaf_span(struct node_index x)
{
    return 1U << node_level(x);
}

/* Whether leaf is x itself or below x. */
static inline bool node_covers(struct node_index x, struct leaf_index leaf)
{
    return leaf.value - node_first_leaf(x).value < node_leaf_span(x);
}

/* The lowest node that covers both. */
struct node_index leaf_common_ancestor(struct leaf_index a, struct leaf_index b);

/* The nodes above a leaf, its parent first and the root last; returns how many (at most
 * LIMIT_DEPTH). */
size_t leaf_direct_path(struct leaf_index leaf, uint32_t leaf_count,
                        struct node_index path[static LIMIT_DEPTH]);

/* The child of x that covers leaf, and the one that does not. x must cover leaf and be no leaf. */
struct node_index node_child_towards(struct node_index x, struct leaf_index leaf);
struct node_index node_child_away(struct node_index x, struct leaf_index leaf);

/* The smallest leaf count whose tree has room for that many leaves; at least 1. */
uint32_t leaf_count_for(uint32_t leaves);

#endif
