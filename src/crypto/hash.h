/* Hash, HMAC and HKDF by row of the hash table. Inside src/crypto: these cannot fail, take their
 * input in parts so that nobody glues buffers together, and keep their state on the stack, wiped.
 *
 * nettle computes them: it uses the processor's SHA instructions and costs nothing to set up, which
 * decides for the short inputs of MLS's key schedule (see bench/bench_crypto.c). */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>

#include "crypto/crypto.h"

#define HASH_BLOCK_MAX 128

struct hash_row {
    const struct nettle_hash *nettle;
    const char *openssl_name; /* for signatures, which OpenSSL makes */
    uint8_t nh;
    uint8_t block;
};

extern const struct hash_row hash_sha256, hash_sha384, hash_sha512;

union hash_state {
    struct sha256_ctx sha256;
    struct sha512_ctx sha512;
};

struct hmac {
    const struct hash_row *row;
    union hash_state inner, outer;
};

void hash_parts(const struct hash_row *row, const sotto_bytes *parts, size_t count, uint8_t *out);

/* The key is absorbed at init; a struct hmac copied then begins anew. The owner wipes it. */
void hmac_init(struct hmac *hmac, const struct hash_row *row, sotto_bytes key);
void hmac_update(struct hmac *hmac, sotto_bytes part);
void hmac_final(struct hmac *hmac, uint8_t *out);
void hmac_parts(const struct hash_row *row, sotto_bytes key, const sotto_bytes *parts, size_t count,
                uint8_t *out);

/* HKDF (RFC 5869). Extract is hmac_parts with the salt as key. length: at most 255 * nh. */
void hkdf_expand_parts(const struct hash_row *row, sotto_bytes prk, const sotto_bytes *info,
                       size_t count, uint8_t *out, size_t length);

#endif
