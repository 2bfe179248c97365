#include "tlog/merkle.h"

#include <string.h>

#include <sodium.h>

/* ---- Hashes --------------------------------------------------------------------------------- */

void tlog_hash_leaf(sotto_bytes entry, struct tlog_hash *out)
{
    static const uint8_t prefix = 0;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, entry.data, entry.size);
    crypto_hash_sha256_final(&state, out->bytes);
}

void tlog_hash_node(const struct tlog_hash *left, const struct tlog_hash *right,
                    struct tlog_hash *out)
{
    static const uint8_t prefix = 1;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, left->bytes, TLOG_HASH_SIZE);
    crypto_hash_sha256_update(&state, right->bytes, TLOG_HASH_SIZE);
    crypto_hash_sha256_final(&state, out->bytes);
}

void tlog_hash_empty(struct tlog_hash *out)
{
    crypto_hash_sha256(out->bytes, NULL, 0);
}

bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b)
{
    return memcmp(a->bytes, b->bytes, TLOG_HASH_SIZE) == 0;
}

/* ---- The frontier --------------------------------------------------------------------------- */

size_t tlog_frontier_count(const struct tlog_frontier *frontier)
{
    size_t count = 0;
    for (uint64_t bits = frontier->size; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

sotto_error tlog_frontier_append(struct tlog_frontier *frontier, const struct tlog_hash *leaf)
{
    size_t count = tlog_frontier_count(frontier);
    struct tlog_hash hash = *leaf;
    if (frontier->size >= TLOG_SIZE_MAX)
        return SOTTO_LIMIT;
    for (uint64_t bits = frontier->size; (bits & 1) != 0; bits >>= 1)
        tlog_hash_node(&frontier->hashes[--count], &hash, &hash);
    frontier->hashes[count] = hash;
    frontier->size++;
    return SOTTO_OK;
}

void tlog_frontier_root(const struct tlog_frontier *frontier, struct tlog_hash *root)
{
    size_t count = tlog_frontier_count(frontier);
    if (count == 0) {
        tlog_hash_empty(root);
        return;
    }
    *root = frontier->hashes[--count];
    while (count > 0)
        tlog_hash_node(&frontier->hashes[--count], root, root);
}

/* ---- Making --------------------------------------------------------------------------------- */

/* The largest power of two below size, which is 2 at least: where RFC 6962 splits a tree. */
static uint64_t split(uint64_t size)
{
    uint64_t k = 1;
    while (k < size - k)
        k <<= 1;
    return k;
}

/* The hash of leaves [from, to) that RFC 6962's splitting leads to: such a range begins where a
 * complete subtree of its own size could begin, so the largest subtrees from the left are its
 * parts, each at most half as large as the one before it. */
static sotto_error hash_range(tlog_read_fn *read, void *ctx, uint64_t from, uint64_t to,
                              struct tlog_hash *out)
{
    struct tlog_hash parts[TLOG_PROOF_MAX];
    size_t count = 0;
    while (from < to) {
        unsigned level = 0;
        while ((from & (((uint64_t)2 << level) - 1)) == 0 && ((uint64_t)2 << level) <= to - from)
            level++;
        BUG_UNLESS(count < TLOG_PROOF_MAX);
        TRY(read(ctx, level, from >> level, &parts[count]));
        count++;
        from += (uint64_t)1 << level;
    }
    BUG_UNLESS(count > 0);
    *out = parts[--count];
    while (count > 0)
        tlog_hash_node(&parts[--count], out, out);
    return SOTTO_OK;
}

sotto_error tlog_root(tlog_read_fn *read, void *ctx, uint64_t size, struct tlog_hash *root)
{
    if (size > TLOG_SIZE_MAX)
        return SOTTO_ARGUMENT;
    if (size == 0) {
        tlog_hash_empty(root);
        return SOTTO_OK;
    }
    return hash_range(read, ctx, 0, size, root);
}

static void reverse(struct tlog_hash *hashes, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const struct tlog_hash kept = hashes[i];
        hashes[i] = hashes[count - 1 - i];
        hashes[count - 1 - i] = kept;
    }
}

sotto_error tlog_prove_inclusion(tlog_read_fn *read, void *ctx, uint64_t index, uint64_t size,
                                 struct tlog_hash proof[static TLOG_PROOF_MAX], size_t *count)
{
    if (index >= size || size > TLOG_SIZE_MAX)
        return SOTTO_ARGUMENT;
    size_t made = 0;
    /* From the root down; the proof has the sisters from the leaf up. */
    for (uint64_t from = 0, to = size; to - from > 1; made++) {
        uint64_t middle = from + split(to - from);
        bool left = index < middle;
        TRY(hash_range(read, ctx, left ? middle : from, left ? to : middle, &proof[made]));
        if (left)
            to = middle;
        else
            from = middle;
    }
    reverse(proof, made);
    *count = made;
    return SOTTO_OK;
}

sotto_error tlog_prove_consistency(tlog_read_fn *read, void *ctx, uint64_t from, uint64_t to,
                                   struct tlog_hash proof[static TLOG_PROOF_MAX], size_t *count)
{
    if (from > to || to > TLOG_SIZE_MAX)
        return SOTTO_ARGUMENT;
    size_t made = 0;
    *count = 0;
    if (from == 0 || from == to)
        return SOTTO_OK;
    uint64_t low = 0, high = to;
    bool whole = true; /* the old tree begins where this subtree does: its root is known */
    while (from != high) {
        uint64_t middle = low + split(high - low);
        bool left = from <= middle;
        TRY(hash_range(read, ctx, left ? middle : low, left ? high : middle, &proof[made]));
        made++;
        if (left) {
            high = middle;
        } else {
            low = middle;
            whole = false;
        }
    }
    if (!whole) {
        TRY(hash_range(read, ctx, low, high, &proof[made]));
        made++;
    }
    reverse(proof, made);
    *count = made;
    return SOTTO_OK;
}

/* ---- Checking ------------------------------------------------------------------------------- */

bool tlog_check_inclusion(uint64_t index, uint64_t size, const struct tlog_hash *leaf,
                          const struct tlog_hash *proof, size_t count, const struct tlog_hash *root)
{
    if (index >= size || size > TLOG_SIZE_MAX)
        return false;
    uint64_t node = index, last = size - 1;
    struct tlog_hash hash = *leaf;
    for (size_t i = 0; i < count; i++) {
        if (last == 0)
            return false;
        if ((node & 1) != 0 || node == last) {
            tlog_hash_node(&proof[i], &hash, &hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            tlog_hash_node(&hash, &proof[i], &hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && tlog_hash_equal(&hash, root);
}

bool tlog_check_consistency(uint64_t from, const struct tlog_hash *from_root, uint64_t to,
                            const struct tlog_hash *to_root, const struct tlog_hash *proof,
                            size_t count)
{
    if (from > to || to > TLOG_SIZE_MAX)
        return false;
    if (from == 0) {
        struct tlog_hash empty;
        tlog_hash_empty(&empty);
        return count == 0 && tlog_hash_equal(from_root, &empty) &&
               (to != 0 || tlog_hash_equal(to_root, &empty));
    }
    if (from == to)
        return count == 0 && tlog_hash_equal(from_root, to_root);
    if (count == 0)
        return false;
    uint64_t node = from - 1, last = to - 1;
    while ((node & 1) != 0) {
        node >>= 1;
        last >>= 1;
    }
    /* Where the old tree is one complete subtree of the new one, the proof leaves its root out. */
    const bool complete = (from & (from - 1)) == 0;
    size_t next = complete ? 0 : 1;
    struct tlog_hash old_hash = complete ? *from_root : proof[0];
    struct tlog_hash new_hash = old_hash;
    for (; next < count; next++) {
        if (last == 0)
            return false;
        if ((node & 1) != 0 || node == last) {
            tlog_hash_node(&proof[next], &old_hash, &old_hash);
            tlog_hash_node(&proof[next], &new_hash, &new_hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            tlog_hash_node(&new_hash, &proof[next], &new_hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && tlog_hash_equal(&old_hash, from_root) &&
           tlog_hash_equal(&new_hash, to_root);
}
