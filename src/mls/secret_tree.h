/* The secret tree and the sender ratchets (RFC 9420, section 9), sparse: a node is held only
 * between the time when its parent was used up and its own use, a ratchet only for those who sent.
 *
 *   encryption_secret ... the root, the only node at first
 *   first message of leaf L: the path from the nearest node held down to L is derived; the nodes on
 *     it are deleted, the siblings beside it kept; L's secret becomes two ratchets, and goes
 *   each message: one generation of one ratchet
 *
 * A key is *taken* into a step, which may fail and changes nothing; when the message proved
 * authentic the step is *committed*, which cannot fail (RFC 9420, 9.2: consumed values go at once).
 */
#ifndef MLS_SECRET_TREE_H
#define MLS_SECRET_TREE_H

#include "crypto/crypto.h"
#include "mls/sparse.h"

#define AEAD_KEY_MAX 32
#define SECRET_TREE_DEPTH 32

enum ratchet_type { RATCHET_HANDSHAKE = 0, RATCHET_APPLICATION = 1 };

struct message_key {
    uint32_t generation;
    uint8_t key[AEAD_KEY_MAX];
    uint8_t nonce[AEAD_NONCE_MAX];
};

struct ratchet {
    uint32_t generation; /* of secret: the next key to derive; UINT32_MAX: at its end */
    struct secret secret;
    struct message_key *skipped; /* by rising generation */
    uint32_t skipped_count, skipped_capacity;
    bool dirty;
};

struct secret_limits {
    uint32_t forward; /* how far ahead of a ratchet a generation may lie */
    uint32_t skipped; /* keys kept a ratchet */
};

/* What a save must write: nodes and ratchets whose stored records are not as in memory. */
struct dirty_list {
    uint32_t *items;
    size_t count, capacity;
};

struct secret_tree {
    struct crypto *crypto;
    const struct suite *suite;
    uint32_t leaf_count;    /* the tree's full width, a power of two */
    struct sparse nodes;    /* node index -> struct secret */
    struct sparse ratchets; /* 2 * leaf index + enum ratchet_type -> struct ratchet */
    struct dirty_list dirty_nodes, dirty_ratchets;
};

/* leaf_count: the width of the tree. NO_MEMORY leaves an empty tree. */
sotto_error secret_tree_init(struct secret_tree *tree, struct crypto *crypto,
                             const struct suite *suite, uint32_t leaf_count,
                             sotto_bytes encryption_secret);

/* No nodes yet: to be filled by secret_tree_put_node and _put_ratchet when a group is loaded. */
void secret_tree_init_empty(struct secret_tree *tree, struct crypto *crypto,
                            const struct suite *suite, uint32_t leaf_count);

/* Wipes and frees; a zeroed tree is allowed. */
void secret_tree_free(struct secret_tree *tree);

struct secret_step {
    struct secret_tree *tree;
    struct message_key key; /* what was taken */
    uint32_t leaf;
    enum ratchet_type type;

    /* Where the leaf was not split into ratchets yet. */
    uint32_t ancestor;
    struct {
        uint32_t node;
        struct secret *secret;
    } siblings[SECRET_TREE_DEPTH];
    size_t sibling_count;
    struct ratchet *fresh[2];

    /* What becomes of the ratchet. */
    struct ratchet *ratchet;
    bool was_skipped;
    uint32_t skipped_at;
    uint32_t next_generation;
    struct secret next;
    struct message_key *added; /* passed over on the way */
    uint32_t added_count, added_capacity;
};

/* The key of a generation, for a receiver. REUSED: gone; LIMIT: too far ahead; SENDER: leaf is
 * outside the tree. On success secret_step_free is owed, with or without secret_step_commit. */
sotto_error secret_tree_take(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                             uint32_t generation, const struct secret_limits *limits,
                             struct secret_step *step);
/* The next unused key, for the sender itself. */
sotto_error secret_tree_take_next(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                                  struct secret_step *step);
void secret_step_commit(struct secret_step *step, const struct secret_limits *limits);
void secret_step_free(struct secret_step *step);

/* A leaf's own secret, without ratchets, for a tree that is used so (exporter_tree of an epoch);
 * the path to it is consumed. REUSED: it was taken before. A failure changes nothing. */
sotto_error secret_tree_take_leaf(struct secret_tree *tree, uint32_t leaf, struct secret *secret);

/* Loading. EXISTS if the place is taken; the contents are copied. */
sotto_error secret_tree_put_node(struct secret_tree *tree, uint32_t node, sotto_bytes secret);
sotto_error secret_tree_put_ratchet(struct secret_tree *tree, uint32_t key,
                                    const struct ratchet *ratchet);

/* After a save: nothing is dirty. */
void secret_tree_clean(struct secret_tree *tree);

/* Sender data key and nonce (6.3.2) from the sample of a ciphertext. */
sotto_error sender_data_key(struct crypto *crypto, const struct suite *suite,
                            sotto_bytes sender_data_secret, sotto_bytes ciphertext,
                            struct secret *key, struct secret *nonce);

#endif
