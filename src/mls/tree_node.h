/* The nodes of a ratchet tree: immutable, reference-counted blocks that own their bytes. */
#ifndef MLS_TREE_NODE_H
#define MLS_TREE_NODE_H

#include "base/siphash.h"
#include "mls/types.h"

struct tree_node {
    uint32_t references;
    uint32_t size; /* of the block */
    enum node_type type;
    uint32_t signature_print; /* a leaf's signature key's fingerprint, its low half */
    uint64_t key_print;       /* the encryption key's fingerprint */
    union {
        struct leaf_node leaf; /* views into this block */
        struct parent_node parent;
    } u;
};

/* How nodes of one tree are made. */
struct node_maker {
    const sotto_env *env;
    struct fingerprint prints;
};

/* The fingerprint of a public key, under which tables know it. */
uint64_t node_key_print(const struct node_maker *maker, sotto_bytes key);

/* Copies the leaf, which must have been read, into a block of its own; one reference. */
sotto_error tree_node_of_leaf(const struct node_maker *maker, const struct leaf_node *leaf,
                              const struct tree_node **node);

/* spare: how many more unmerged leaves the block has room for (tree_node_add_unmerged). */
sotto_error tree_node_of_parent(const struct node_maker *maker, const struct parent_node *parent,
                                size_t spare, const struct tree_node **node);

/* Puts leaf into *node's unmerged_leaves, in order. Replaces *node by a copy unless this reference
 * is the only one and the block has room: nobody else ever sees a node change. */
sotto_error tree_node_add_unmerged(const sotto_env *env, const struct tree_node **node,
                                   struct leaf_index leaf);

const struct tree_node *tree_node_share(const struct tree_node *node);      /* NULL allowed */
void tree_node_release(const sotto_env *env, const struct tree_node *node); /* NULL allowed */

/* A parent may lack its encryption key, whose fingerprint it has nevertheless (tree.h). */
static inline sotto_bytes tree_node_encryption_key(const struct tree_node *node)
{
    return node->type == NODE_LEAF ? node->u.leaf.encryption_key : node->u.parent.encryption_key;
}

/* Whether two nodes hold the same encryption key. */
bool tree_node_same_key(const struct tree_node *a, const struct tree_node *b);

/* Whether a leaf is among a parent's unmerged leaves. */
bool parent_node_has_unmerged(const struct parent_node *parent, struct leaf_index leaf);

/* How many of a parent's unmerged leaves have an index below leaf. */
size_t parent_node_unmerged_below(const struct parent_node *parent, uint32_t leaf);

/* struct Node (12.4.3.3). The read node has one reference, NULL after a failure. */
void tree_node_write(struct writer *writer, const struct tree_node *node);
const struct tree_node *tree_node_read(struct reader *reader, const struct node_maker *maker);

/* Nodes whose fingerprints are known already. The leaf: a LeafNode; NULL after a failure. The
 * parent may lack its key. */
const struct tree_node *tree_node_read_leaf(struct reader *reader, const sotto_env *env,
                                            uint64_t key_print, uint32_t signature_print);
sotto_error tree_node_of_stored_parent(const sotto_env *env, const struct parent_node *parent,
                                       uint64_t key_print, const struct tree_node **node);

#endif
