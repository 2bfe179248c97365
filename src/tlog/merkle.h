/* The hash tree of a transparency log (RFC 6962, section 2.1, with SHA-256): leaves are only ever
 * appended, and whoever kept an old root can check that a new one only adds to it. Pure: no I/O, no
 * allocation. */
#ifndef TLOG_MERKLE_H
#define TLOG_MERKLE_H

#include "base/base.h"

enum {
    TLOG_HASH_SIZE = 32,
    TLOG_PROOF_MAX = 64, /* hashes of a proof: a tree's height, and one more (C2SP allows 63) */
};
#define TLOG_SIZE_MAX (UINT64_C(1) << 62) /* leaves; keeps all arithmetic below in range */

struct tlog_hash {
    uint8_t bytes[TLOG_HASH_SIZE];
};

void tlog_hash_leaf(sotto_bytes entry, struct tlog_hash *out);
/* out may be one of the others. */
void tlog_hash_node(const struct tlog_hash *left, const struct tlog_hash *right,
                    struct tlog_hash *out);
/* The root of a tree without leaves. */
void tlog_hash_empty(struct tlog_hash *out);
bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b);

/* What is left of a tree to append to it: its complete subtrees, the largest first. Zeroed: the
 * empty tree. */
struct tlog_frontier {
    uint64_t size;
    struct tlog_hash hashes[TLOG_PROOF_MAX]; /* one for each bit of size that is set */
};

/* LIMIT: TLOG_SIZE_MAX is reached. */
sotto_error tlog_frontier_append(struct tlog_frontier *frontier, const struct tlog_hash *leaf);
void tlog_frontier_root(const struct tlog_frontier *frontier, struct tlog_hash *root);
/* How many of its hashes count. */
size_t tlog_frontier_count(const struct tlog_frontier *frontier);

/* Where hashes come from: that of the complete subtree of 2^level leaves which begins at leaf
 * index * 2^level. It is only asked for subtrees that lie whole in the tree. */
typedef sotto_error tlog_read_fn(void *ctx, unsigned level, uint64_t index, struct tlog_hash *out);

/* The root of the first size leaves. ARGUMENT: size above TLOG_SIZE_MAX; else read's errors. */
sotto_error tlog_root(tlog_read_fn *read, void *ctx, uint64_t size, struct tlog_hash *root);

/* RFC 6962, 2.1.1: that leaf index is in the tree of that size. ARGUMENT: it is not. */
sotto_error tlog_prove_inclusion(tlog_read_fn *read, void *ctx, uint64_t index, uint64_t size,
                                 struct tlog_hash proof[static TLOG_PROOF_MAX], size_t *count);
/* RFC 6962, 2.1.2: that the tree of size `to` begins with that of size `from`. from 0, or equal to
 * `to`: an empty proof. ARGUMENT: from > to. */
sotto_error tlog_prove_consistency(tlog_read_fn *read, void *ctx, uint64_t from, uint64_t to,
                                   struct tlog_hash proof[static TLOG_PROOF_MAX], size_t *count);

/* RFC 9162, 2.1.3.2 and 2.1.4.2. False: the proof does not show it. */
bool tlog_check_inclusion(uint64_t index, uint64_t size, const struct tlog_hash *leaf,
                          const struct tlog_hash *proof, size_t count,
                          const struct tlog_hash *root);
bool tlog_check_consistency(uint64_t from, const struct tlog_hash *from_root, uint64_t to,
                            const struct tlog_hash *to_root, const struct tlog_hash *proof,
                            size_t count);

#endif
