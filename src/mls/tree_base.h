/* What the tree_*.c files share: the base's inside and the overlay's. Nobody else includes this. */
#ifndef MLS_TREE_BASE_H
#define MLS_TREE_BASE_H

#include "mls/tree.h"

struct tree {
    struct crypto *crypto;
    const struct suite *suite;
    const sotto_env *env;
    uint64_t version; /* counts applied stages: a stage knows the tree that it was made on */
    uint32_t leaf_count;
    uint32_t member_count;
    uint32_t first_blank; /* no blank leaf below this one */
    struct tree_segment segments[LIMIT_DEPTH + 1];
    struct leaf_set members;
    struct node_maker maker;
    struct key_index keys;
    struct support support;
    tree_fetch_fn *fetch; /* of a parent's key that is not in memory; NULL: all are */
    void *fetch_ctx;
};

struct overlay_entry {
    uint32_t index;
    bool changed;                 /* node counts instead of the base's */
    bool dirty;                   /* hash is to be computed; so it is for all nodes above */
    bool added;                   /* a leaf that tree_stage_add put there */
    const struct tree_node *node; /* one reference; NULL: blank */
    uint8_t hash[HASH_MAX];
};

/* Segments: node x stands in segment floor(log2(x + 1)), and a tree of 2^d leaves has d + 1. Thus a
 * tree grows and shrinks by whole segments, and no node ever moves. */
static inline size_t segment_number(struct node_index x)
{
    return 31U - (unsigned)__builtin_clz(x.value + 1);
}

static inline size_t segment_offset(struct node_index x)
{
    return x.value + 1 - (1U << segment_number(x));
}

static inline size_t segment_size(size_t number)
{
    return (size_t)1 << number;
}

/* How many segments a tree of that many leaves has. */
static inline size_t segment_count(uint32_t leaf_count)
{
    return (size_t)__builtin_ctz(leaf_count) + 1;
}

sotto_error segment_alloc(const struct tree *tree, size_t number, bool with_known,
                          struct tree_segment *segment);
/* Releases its nodes too. */
void segment_free(const struct tree *tree, size_t number, struct tree_segment *segment);

/* A tree of one blank leaf, whose tables are not made yet. */
sotto_error tree_alloc(struct crypto *crypto, const struct suite *suite, struct tree **tree);

/* Room for 2^count - 1 nodes. */
sotto_error base_reserve(struct tree *tree, size_t count);

/* Which key of the table, which leaf, which counts, and the tree hashes: all that is found from the
 * nodes. stored: nodes brought their hashes, so that only those of blank ones are computed. */
sotto_error base_derive(struct tree *tree, bool stored);

/* x must be in the base. */
static inline const struct tree_node **base_slot(const struct tree *tree, struct node_index x)
{
    return &tree->segments[segment_number(x)].nodes[segment_offset(x)];
}

static inline uint8_t *base_hash(const struct tree *tree, struct node_index x)
{
    return tree->segments[segment_number(x)].hashes + segment_offset(x) * tree->suite->nh;
}

static inline bool base_has(const struct tree *tree, struct node_index x)
{
    return x.value < node_count_of(tree->leaf_count);
}

/* Enters or takes out the keys of a node. Putting needs room. */
void base_put_keys(struct tree *tree, struct node_index x, const struct tree_node *node);
void base_remove_keys(struct tree *tree, struct node_index x, const struct tree_node *node);

/* tree_hash.c: the tree hash of one node from its content and its children's hashes. NULL: blank.
 */
sotto_error hash_leaf(const struct tree *tree, struct node_index x, const struct tree_node *node,
                      uint8_t *out);
sotto_error hash_parent(const struct tree *tree, const struct parent_node *parent,
                        const uint8_t *left, const uint8_t *right, uint8_t *out);
sotto_error hash_parent_input(const struct tree *tree, sotto_bytes encryption_key,
                              sotto_bytes parent_hash, sotto_bytes sibling_hash, uint8_t *out);
/* A leaf's hash in a base, and those of the parents whose last leaf it is: called for every leaf in
 * order, it gives all. stored: but for those that nodes brought. */
sotto_error hash_base_leaf(struct tree *tree, struct leaf_index leaf, bool stored);

/* tree_stage.c: the entry of a node, NULL if there is none. */
struct overlay_entry *overlay_find(const struct tree_stage *stage, struct node_index x);

/* Another node that holds the same key as x, which must not be blank (a leaf, for KEY_SIGNATURE);
 * NOT_FOUND. */
sotto_error stage_find_double(const struct tree_stage *stage, struct node_index x,
                              enum key_kind kind, struct node_index *other);

/* Puts node (taking the reference over; NULL: blank) at x. On failure the reference is given back.
 */
sotto_error overlay_put(struct tree_stage *stage, struct node_index x,
                        const struct tree_node *node);

/* tree_stage.c: doubles or halves the leaves; for the codec. */
sotto_error stage_grow(struct tree_stage *stage);
sotto_error stage_shrink(struct tree_stage *stage); /* as far as right halves are empty */

/* tree_stage.c: puts a leaf node (reference taken over) with all that is counted; NULL blanks it.
 */
sotto_error stage_put_leaf(struct tree_stage *stage, struct leaf_index where,
                           const struct tree_node *node, bool added);
sotto_error stage_put_parent(struct tree_stage *stage, struct node_index x,
                             const struct tree_node *node);

/* tree_record.c: struct Node of x, which is not blank, with the key fetched if need be. */
void stage_node_write(struct writer *writer, const struct tree_stage *stage, struct node_index x);

static inline sotto_error refuse(sotto_fault *fault, sotto_error error, const char *what)
{
    *fault = (sotto_fault){error, what, 0};
    return error;
}

#endif
