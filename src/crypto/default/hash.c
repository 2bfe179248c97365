/* SHA-2 by nettle: it uses the processor's SHA instructions and costs nothing to set up, which
 * decides for the short inputs of MLS's key schedule (see bench/bench_crypto.c). */
#include <string.h>

#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>

#include "crypto/default/internal.h"

#define BLOCK_MAX 128

union state {
    struct sha256_ctx sha256;
    struct sha512_ctx sha512;
};

static const struct nettle_hash *row_of(sotto_mls_hash hash)
{
    return hash == SOTTO_MLS_SHA256   ? &nettle_sha256
           : hash == SOTTO_MLS_SHA384 ? &nettle_sha384
                                      : &nettle_sha512;
}

static void update(const struct nettle_hash *row, union state *state, const sotto_bytes *parts,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0)
            row->update(state, parts[i].size, parts[i].data);
    }
}

sotto_error default_hash(void *ctx, sotto_mls_hash hash, const sotto_bytes *parts, size_t count,
                         uint8_t *out)
{
    (void)ctx;
    const struct nettle_hash *row = row_of(hash);
    union state state;
    row->init(&state);
    update(row, &state, parts, count);
    row->digest(&state, row->digest_size, out);
    wipe(&state, row->context_size);
    return SOTTO_OK;
}

/* Both keyed states first: the processor then computes them side by side, which makes a short HMAC
 * an eighth faster than two hashes one after the other. */
sotto_error default_hmac(void *ctx, sotto_mls_hash hash, sotto_bytes key, const sotto_bytes *parts,
                         size_t count, uint8_t *out)
{
    const struct nettle_hash *row = row_of(hash);
    union state inner, outer;
    uint8_t pad[BLOCK_MAX] = {0};
    if (key.size > row->block_size)
        default_hash(ctx, hash, &key, 1, pad);
    else if (key.size > 0)
        memcpy(pad, key.data, key.size);
    row->init(&inner);
    row->init(&outer);
    for (size_t i = 0; i < row->block_size; i++)
        pad[i] ^= 0x36;
    row->update(&inner, row->block_size, pad);
    for (size_t i = 0; i < row->block_size; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    row->update(&outer, row->block_size, pad);
    update(row, &inner, parts, count);
    row->digest(&inner, row->digest_size, pad);
    row->update(&outer, row->digest_size, pad);
    row->digest(&outer, row->digest_size, out);
    wipe(&inner, row->context_size);
    wipe(&outer, row->context_size);
    wipe(pad, sizeof pad);
    return SOTTO_OK;
}
