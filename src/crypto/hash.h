/* Hash, HMAC and HKDF by row of the hash table, over the provider's hash. Inside src/crypto: they
 * take their input in parts so that nobody glues buffers together. They fail only where the
 * provider does; the output is then wiped. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "crypto/crypto.h"

#define HASH_BLOCK_MAX 128
#define HMAC_PARTS_MAX 10 /* the most that a caller has: HKDF-Expand of a labelled info */

struct hash_row {
    sotto_mls_hash id;
    uint8_t nh;
    uint8_t block;
};

extern const struct hash_row hash_sha256, hash_sha384, hash_sha512;

sotto_error hash_parts(struct crypto *crypto, const struct hash_row *row, const sotto_bytes *parts,
                       size_t count, uint8_t *out);

/* A key of any size; at most HMAC_PARTS_MAX parts. */
sotto_error hmac_parts(struct crypto *crypto, const struct hash_row *row, sotto_bytes key,
                       const sotto_bytes *parts, size_t count, uint8_t *out);

/* HKDF (RFC 5869). Extract is hmac_parts with the salt as key. length: at most 255 * nh; two parts
 * fewer than HMAC_PARTS_MAX. */
sotto_error hkdf_expand_parts(struct crypto *crypto, const struct hash_row *row, sotto_bytes prk,
                              const sotto_bytes *info, size_t count, uint8_t *out, size_t length);

#endif
