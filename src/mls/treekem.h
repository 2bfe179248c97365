/* TreeKEM (RFC 9420, sections 7.4 to 7.6): the private keys of one member, making an UpdatePath,
 * and processing one. Both halves are split where the provisional GroupContext, which holds the new
 * tree hash, comes in between:
 *
 *     committer                                  receiver
 *     proposals into the stage                   proposals into the stage
 *     treekem_private_prune                      treekem_private_prune
 *     treekem_path_create  (public nodes, leaf)  treekem_merge   (public nodes, leaf's parent_hash)
 *     tree_stage_root_hash -> GroupContext       tree_stage_root_hash -> GroupContext
 *     treekem_path_encrypt (the UpdatePath)      treekem_decrypt (path secret, new private keys)
 *     tree_stage_check                           tree_stage_check
 *
 * The private state is small (at most 21 keys), so a staged epoch owns a copy by assignment. */
#ifndef MLS_TREEKEM_H
#define MLS_TREEKEM_H

#include "mls/tree.h"

struct treekem_key {
    struct node_index node;
    struct secret private_key;
};

/* The private keys of a member: its leaf's and those of nodes above, in increasing level. Holds no
 * path secrets: they go as soon as the keys are derived (7.5). */
struct treekem_private {
    struct leaf_index own;
    size_t count;
    struct treekem_key keys[LIMIT_DEPTH + 1];
};

/* An empty state; wipe it on every way out. */
void treekem_private_init(struct treekem_private *private_state, struct leaf_index own);
void treekem_private_wipe(struct treekem_private *private_state);

/* NULL if there is none. Borrowed. */
const struct secret *treekem_private_find(const struct treekem_private *private_state,
                                          struct node_index x);

/* Sets or replaces a key; x must be the own leaf or a node above it. */
void treekem_private_set(struct treekem_private *private_state, struct node_index x,
                         const struct secret *private_key);

/* Wipes the key at position at of keys. */
void treekem_private_forget(struct treekem_private *private_state, size_t at);

/* Wipes the keys of nodes whose public key in the stage is not the base's any more: blanked,
 * replaced, fallen away. To be called after the proposals and before the path. The own leaf's key
 * goes too when an own Update was committed: set its successor afterwards. */
void treekem_private_prune(struct treekem_private *private_state, const struct tree_stage *stage);

/* KEY unless each private key belongs to its node's public key in the tree, and the own leaf has
 * one. */
sotto_error treekem_private_check(const struct treekem_private *private_state,
                                  const struct tree_stage *stage);

/* KEY unless each private key's node has a public one, and the own leaf has a private one. */
sotto_error treekem_private_check_places(const struct treekem_private *private_state,
                                         const struct tree_stage *stage);

/* One key as a record of a store; the state's records are keyed by node index. Secret bytes. */
void treekem_key_write(struct writer *writer, const struct treekem_key *key);
void treekem_key_read(struct reader *reader,
                      struct treekem_key *key); /* node 0, empty on failure */

/* The whole state. On failure the read state is empty. Secret bytes. */
void treekem_private_write(struct writer *writer, const struct treekem_private *private_state);
void treekem_private_read(struct reader *reader, struct treekem_private *private_state);

/* ---- Making an UpdatePath -------------------------------------------------------------------- */

/* What the committer keeps between its steps: one path secret for each node of its filtered direct
 * path. Wiped with treekem_path_wipe, after the Welcomes were made. */
struct treekem_path {
    struct leaf_index sender;
    size_t count;
    struct node_index nodes[LIMIT_DEPTH];
    struct secret path_secrets[LIMIT_DEPTH];
    struct secret commit_secret;
};

/* Makes fresh keys for the sender's leaf and its filtered direct path (7.4), puts them into the
 * stage with their parent hashes, and signs the new leaf. sender: the own leaf; a member, or the
 * place that tree_stage_claim gave (external commit). content: signature_key, credential,
 * capabilities and extensions of the new leaf; the rest is not looked at. private_state: pruned;
 * receives the new keys. On failure it and path are wiped and the stage may only be dropped. */
sotto_error treekem_path_create(struct tree_stage *stage, struct leaf_index sender,
                                const struct leaf_node *content, sotto_bytes signature_private,
                                sotto_bytes group_id, struct treekem_private *private_state,
                                struct treekem_path *path);

/* Encrypts each path secret to the resolution of its copath child, members added in this stage left
 * out, and appends the UpdatePath's encoding (7.6). */
sotto_error treekem_path_encrypt(const struct tree_stage *stage, const struct treekem_path *path,
                                 sotto_bytes group_context, sotto_buf *update_path);

/* The path secret that the Welcome of a new member carries: that of the lowest common ancestor of
 * sender and joiner (12.4.3.1). Borrowed. */
const struct secret *treekem_path_secret_for(const struct treekem_path *path,
                                             struct leaf_index joiner);

void treekem_path_wipe(struct treekem_path *path);

/* ---- Processing an UpdatePath ---------------------------------------------------------------- */

/* Puts the public half of a path into the stage (7.5): blanks the sender's direct path, sets the
 * new keys and parent hashes, and the leaf. Verifies that the numbers of nodes and ciphertexts fit
 * (7.6), that no key of the path is in the tree already (12.4.2), and that the leaf's parent_hash
 * is right (7.9.2). The leaf itself, signature included, is verified before by leaf_node_check.
 * COMMIT, KEY: the path is not valid; the stage may only be dropped. */
sotto_error treekem_merge(struct tree_stage *stage, struct leaf_index sender,
                          const struct update_path *path, sotto_fault *fault);

/* Decrypts the one path secret meant for this member, derives those above it, verifies that each
 * public key is the one in the path, and sets the private keys. stage: after treekem_merge.
 * private_state: pruned; unchanged on failure. DECRYPT, KEY, COMMIT: the path is not valid, or not
 * for us. */
sotto_error treekem_decrypt(const struct tree_stage *stage, struct leaf_index sender,
                            const struct update_path *path, sotto_bytes group_context,
                            struct treekem_private *private_state, struct secret *commit_secret,
                            sotto_fault *fault);

/* Joining by Welcome (12.4.3.1): from the path secret for the lowest common ancestor of the own
 * leaf and the signer's, derives the keys of that node and those above it on the signer's filtered
 * direct path. private_state holds the own leaf's key; unchanged on failure. KEY: a derived key is
 * not the tree's. */
sotto_error treekem_join(const struct tree_stage *stage, struct leaf_index signer,
                         const struct secret *path_secret, struct treekem_private *private_state,
                         sotto_fault *fault);

#endif
