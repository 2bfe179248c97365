/* The ratchet tree of a group (RFC 9420, section 7), and overlays on it.
 *
 * A struct tree is one epoch's public tree. It never changes except by tree_stage_apply. A struct
 * tree_stage is an overlay: it holds only what differs from its base, and every read and every
 * algorithm works on a stage. A stage in which nothing was changed reads as the base itself and
 * costs no memory, so readers of a base make one on the stack:
 *
 *     struct tree_stage view;
 *     tree_stage_init(&view, tree);        allocates nothing, needs no drop
 *
 *                 base (const)                     stage over it
 *                      7                                 7'   <- changed, or to be hashed anew
 *                 _____|_____                       _____|
 *                3          11                     3'
 *              __|__       __|__                   |__
 *             1     5     9    13                     5'
 *            / \   / \   / \   / \                     \
 *           A   B C   D E   F G   _                     D'
 *
 * What things cost, with N leaves and a change of c nodes: staging, tree hashes and applying are
 * O(c log N), hashes once per touched node however many changes there were; finding a blank leaf
 * and a key's node is O(1) in practice (one bit a leaf; a keyed hash table). Only growing the tree
 * to twice its leaves is O(N), because 7.8 hashes each blank leaf with its index.
 *
 * Nodes are immutable, reference-counted blocks, shared by a base and its stages. A tree and its
 * stages serve one thread at a time. Any number of stages may stand on one base; after one of them
 * was applied the others may only be dropped. */
#ifndef MLS_TREE_H
#define MLS_TREE_H

#include "mls/key_index.h"
#include "mls/leaf_set.h"
#include "mls/support.h"
#include "mls/tree_math.h"
#include "mls/tree_node.h"

struct tree;
struct overlay_entry;

/* Nodes [2^k - 1, 2^(k+1) - 2]: what a tree gains when it grows to 2^k leaves. */
struct tree_segment {
    const struct tree_node **nodes; /* NULL: blank */
    uint8_t *hashes;                /* nh bytes each */
    uint8_t *hash_known; /* in a stage, one octet a node; in a base NULL: all are known */
};

/* Fields are the tree_*.c files' alone. */
struct tree_stage {
    const struct tree *base;
    uint64_t base_version;
    uint32_t leaf_count;
    uint32_t member_count;
    struct overlay_entry *entries; /* what was changed, in the order of the first touch */
    size_t entry_count, entry_capacity;
    uint32_t *slots; /* node index -> entry number + 1; open addressing, a power of two */
    size_t slot_count;
    struct tree_segment grown[LIMIT_DEPTH + 1]; /* segments that the base does not have */
    uint32_t first_blank;                       /* no blank leaf below this one */
    bool membership_changed;                    /* members counts instead of the base's */
    struct leaf_set members;
    struct key_index keys;       /* of nodes that were put into the stage */
    struct support support;      /* difference to the base */
    bool prepared;               /* nothing changed since tree_stage_prepare */
    struct key_index grown_keys; /* larger tables for the base, if it needs them */
    struct support grown_support;
};

/* ---- Base ------------------------------------------------------------------------------------ */

/* A tree of one blank leaf. crypto is borrowed and must outlive the tree. NO_MEMORY, NO_RANDOM
 * (the key of the hash table), or an error of the hash. */
sotto_error tree_new(struct crypto *crypto, const struct suite *suite, struct tree **tree);

/* Decodes `optional<Node> ratchet_tree<V>` (12.4.3.3), the whole input; computes every tree hash.
 * The content is not validated beyond structure: see tree_validate. fault is set on failure. */
sotto_error tree_import(struct crypto *crypto, const struct suite *suite, sotto_bytes ratchet_tree,
                        struct tree **tree, sotto_fault *fault);

/* Gives back all nodes. NULL allowed. Stages on it must be gone. */
void tree_free(struct tree *tree);

struct crypto *tree_crypto(const struct tree *tree);
const struct suite *tree_suite(const struct tree *tree);
uint32_t tree_leaf_count(const struct tree *tree);
uint32_t tree_member_count(const struct tree *tree);
sotto_bytes tree_hash(const struct tree *tree); /* of the root; borrowed until the next apply */

/* NULL if blank or outside. Borrowed until the next apply. */
const struct tree_node *tree_node(const struct tree *tree, struct node_index x);
const struct leaf_node *tree_leaf(const struct tree *tree, struct leaf_index leaf);

/* Octets of memory that the tree holds, with all its nodes. */
size_t tree_memory(const struct tree *tree);

/* ---- Records (tree_record.c) ----------------------------------------------------------------- */

/* Nodes as a store keeps them, one record each: tree hash, fingerprints of its keys under the
 * tree's own seed, content. Where the suite's public keys are long (tree_keys_apart), a parent's
 * key has a record of its own. Whoever loads them has verified that they are what was written: here
 * only the structure is. */
bool tree_keys_apart(const struct suite *suite);
const struct fingerprint *tree_prints(const struct tree *tree);

/* The record of x, which must not be blank. */
void tree_record_write(struct writer *writer, const struct tree *tree, struct node_index x);

/* Appends the encryption key of x, as it is in the store; IO if it is not the one that it was. */
typedef sotto_error tree_fetch_fn(void *ctx, struct node_index x, sotto_buf *key);

/* Where keys that are not loaded come from. NULL: all must be. Before tree_load_end. */
void tree_set_source(struct tree *tree, tree_fetch_fn *fetch, void *ctx);

/* In any order: tree_load_begin once, tree_load_node each, tree_load_key each (NOT_FOUND: give it
 * again behind its node), tree_load_end. prints: the seed that the records were written under. A
 * record that comes twice or lies outside is refused (VALUE). On failure free the tree. */
sotto_error tree_load_begin(struct crypto *crypto, const struct suite *suite, uint32_t leaf_count,
                            const struct fingerprint *prints, struct tree **tree,
                            sotto_fault *fault);
sotto_error tree_load_node(struct tree *tree, struct node_index x, sotto_bytes record,
                           sotto_fault *fault);
sotto_error tree_load_key(struct tree *tree, struct node_index x, sotto_bytes key,
                          sotto_fault *fault);
sotto_error tree_load_end(struct tree *tree, sotto_fault *fault);

/* ---- Stage: life ----------------------------------------------------------------------------- */

void tree_stage_init(struct tree_stage *stage, const struct tree *base);

/* Forgets all changes; the base is as it was, byte for byte. Allowed on a zeroed stage and again.
 */
void tree_stage_drop(struct tree_stage *stage);

/* Computes what is still to be computed and sets memory aside, so that apply cannot fail. */
sotto_error tree_stage_prepare(struct tree_stage *stage);

/* Makes the stage's tree the base's own and empties the stage. The stage must have been prepared
 * after its last change and tree must be its base, unchanged since init (else our bug). */
void tree_stage_apply(struct tree_stage *stage, struct tree *tree);

/* ---- Stage: reading -------------------------------------------------------------------------- */

uint32_t tree_stage_leaf_count(const struct tree_stage *stage);
uint32_t tree_stage_member_count(const struct tree_stage *stage);

/* NULL if blank or outside. Borrowed until that node changes. */
const struct tree_node *tree_stage_node(const struct tree_stage *stage, struct node_index x);
const struct leaf_node *tree_stage_leaf(const struct tree_stage *stage, struct leaf_index leaf);

/* The public key of a node of either type; empty if blank. It is fetched into scratch if it is not
 * in memory; the view lives as long as scratch is left alone and the node does not change. IO: the
 * store does not give the key. */
sotto_error tree_stage_encryption_key(const struct tree_stage *stage, struct node_index x,
                                      sotto_buf *scratch, sotto_bytes *key);

/* The next member at or behind *leaf; false at the end. *leaf becomes the member's. */
bool tree_stage_next_member(const struct tree_stage *stage, struct leaf_index *leaf);

/* Whether the leaf came by tree_stage_add in this stage: such leaves are left out when path secrets
 * are encrypted (7.5). */
bool tree_stage_is_added(const struct tree_stage *stage, struct leaf_index leaf);

/* The node that holds a key. NOT_FOUND, or IO as above. KEY_SIGNATURE finds leaves. If several do
 * (which tree_stage_check refuses), any of them but `except`; for no exception node_at(UINT32_MAX).
 */
sotto_error tree_stage_find_key(const struct tree_stage *stage, enum key_kind kind, sotto_bytes key,
                                struct node_index except, struct node_index *x);

/* Whether a list holding type stands in the capabilities of every member. */
bool tree_stage_all_support(const struct tree_stage *stage, enum support_kind kind, uint16_t type);

/* A list of nodes that grows; free with node_list_free. */
struct node_list {
    const sotto_env *env;
    struct node_index *items;
    size_t count, capacity;
};
void node_list_init(struct node_list *list, const sotto_env *env);
void node_list_free(struct node_list *list);
sotto_error node_list_append(struct node_list *list, struct node_index x);

/* The resolution of x (4.1.1), appended. without_added leaves out the leaves of tree_stage_add. */
sotto_error tree_stage_resolution(const struct tree_stage *stage, struct node_index x,
                                  bool without_added, struct node_list *list);

/* Whether the subtree at x has a member: its resolution is not empty. */
bool tree_stage_has_member(const struct tree_stage *stage, struct node_index x);

/* The filtered direct path (4.1.2): nodes above leaf whose child away from it has a member, parent
 * first. Returns how many. */
size_t tree_stage_filtered_path(const struct tree_stage *stage, struct leaf_index leaf,
                                struct node_index path[static LIMIT_DEPTH]);

/* ---- Stage: hashes (7.8, 7.9) ---------------------------------------------------------------- */

/* The tree hash of a node, computed if need be. Borrowed until the stage changes. */
sotto_error tree_stage_hash(struct tree_stage *stage, struct node_index x, sotto_bytes *hash);

/* The root's. */
sotto_error tree_stage_root_hash(struct tree_stage *stage, sotto_bytes *hash);

/* The parent hash of a non-blank parent with the given key and parent_hash field, whose copath
 * child is sibling and which has no unmerged leaves; out: nh bytes. */
sotto_error tree_stage_parent_hash(struct tree_stage *stage, sotto_bytes encryption_key,
                                   sotto_bytes parent_hash, struct node_index sibling,
                                   uint8_t *out);

/* ---- Stage: changing ------------------------------------------------------------------------- */
/* Leaves given here must have been read (leaf_node_read) and are copied. Nothing is verified here:
 * leaf_node_check before, tree_stage_check when all proposals and the path are in. After NO_MEMORY
 * or LIMIT in the middle of a change the stage may only be dropped. */

/* Add (12.1.1): into the leftmost blank leaf, growing the tree if there is none, and into
 * unmerged_leaves above it. LIMIT: the tree is full (LIMIT_LEAVES). */
sotto_error tree_stage_add(struct tree_stage *stage, const struct leaf_node *leaf,
                           struct leaf_index *where);

/* Update (12.1.2): replaces the leaf and blanks the nodes above it. NOT_FOUND: no member there. */
sotto_error tree_stage_update(struct tree_stage *stage, struct leaf_index where,
                              const struct leaf_node *leaf);

/* Remove (12.1.3): blanks the leaf and the nodes above it; halves the tree while its right half is
 * empty. NOT_FOUND: no member there. */
sotto_error tree_stage_remove(struct tree_stage *stage, struct leaf_index where);

/* The place of an external committer (12.4.2): the leftmost blank leaf, growing the tree if there
 * is none. It stays blank until the path sets it (treekem.h). */
sotto_error tree_stage_claim(struct tree_stage *stage, struct leaf_index *where);

/* Used by TreeKEM: replaces the leaf alone, or puts one into a blank place; puts a parent without
 * unmerged leaves; blanks all nodes above a leaf. */
sotto_error tree_stage_set_leaf(struct tree_stage *stage, struct leaf_index where,
                                const struct leaf_node *leaf);
sotto_error tree_stage_set_parent(struct tree_stage *stage, struct node_index x,
                                  const struct parent_node *parent);
sotto_error tree_stage_blank_path(struct tree_stage *stage, struct leaf_index leaf);

/* ---- Validation (tree_validate.c) ------------------------------------------------------------ */

/* What a LeafNode must fulfil by itself, wherever it comes from (7.3). */
struct leaf_rules {
    enum leaf_source source; /* expected; 0: any, as in a tree */
    sotto_bytes group_id;    /* context of the signature */
    struct leaf_index index;
    bool check_lifetime;          /* key_package leaves: not_before <= now <= not_after */
    uint64_t now, max_lifetime_s; /* 0: any */
    const struct required_capabilities *required; /* NULL: none */
};

/* Verifies the suite and version, keys, capabilities, extensions, lifetime, source and the
 * signature of a leaf. The credential is the application's to judge. fault->offset is 0. */
sotto_error leaf_node_check(struct crypto *crypto, const struct suite *suite,
                            const struct leaf_node *leaf, const struct leaf_rules *rules,
                            sotto_fault *fault);

/* The same without the signature. */
sotto_error leaf_node_check_fields(struct crypto *crypto, const struct suite *suite,
                                   const struct leaf_node *leaf, const struct leaf_rules *rules,
                                   sotto_fault *fault);

/* leaf_node_check and the KeyPackage's own rules (10.1). rules->source, group_id and index are not
 * used. */
sotto_error key_package_check(struct crypto *crypto, const struct suite *suite,
                              const struct key_package *key_package, const struct leaf_rules *rules,
                              sotto_fault *fault);

/* Once all proposals and the path are in: each key that came is unique in the tree (7.3), every
 * member supports every credential type in use, and what required (NULL: nothing) names. The cost
 * follows the change. */
sotto_error tree_stage_check(const struct tree_stage *stage,
                             const struct required_capabilities *required, sotto_fault *fault);

/* How a whole tree is validated (12.4.3.1, 7.3, 7.9.2). */
struct tree_rules {
    sotto_bytes group_id;
    bool check_lifetime;
    uint64_t now;
    const struct required_capabilities *required; /* NULL: none */
    /* Called for each leaf with what its signature covers, in leaf order. NULL: signatures are
     * verified one by one. A caller that verifies in batches collects here (tbs is borrowed for the
     * call) and verifies afterwards. An error ends the validation and is returned. */
    sotto_error (*verify)(void *ctx, struct leaf_index index, const struct leaf_node *leaf,
                          sotto_bytes tbs);
    void *ctx;
};

/* Validates every node of a tree that was imported. TREE, KEY, SIGNATURE, CAPABILITY, LIFETIME. */
sotto_error tree_validate(const struct tree *tree, const struct tree_rules *rules,
                          sotto_fault *fault);

/* ---- Codec (tree_codec.c) -------------------------------------------------------------------- */

/* Appends `optional<Node> ratchet_tree<V>` as of the stage. */
sotto_error tree_stage_export(const struct tree_stage *stage, sotto_buf *ratchet_tree);
sotto_error tree_export(const struct tree *tree, sotto_buf *ratchet_tree);

/* The nodes whose content differs from the base, each once, those of the base that fall away when
 * the tree shrinks included (as blank): what a store has to write after apply, so ask before. Start
 * with *position = 0. node NULL: erase the record. False at the end. */
bool tree_stage_next_change(const struct tree_stage *stage, size_t *position, struct node_index *x,
                            const struct tree_node **node);

/* A stage as bytes, its size as the change, and back onto the same base. The result of reading must
 * be prepared like any other. After a failed read the stage is dropped. */
void tree_stage_write(struct writer *writer, const struct tree_stage *stage);
void tree_stage_read(struct reader *reader, const struct tree *base, struct tree_stage *stage);

#endif
