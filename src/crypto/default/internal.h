/* The default provider (sotto/mls_provider.h): libsodium, nettle and OpenSSL, each where it was
 * measured to be the fastest and takes constant time. */
#ifndef CRYPTO_DEFAULT_INTERNAL_H
#define CRYPTO_DEFAULT_INTERNAL_H

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "base/base.h"
#include "sotto/mls_provider.h"

enum curve { CURVE_P256, CURVE_P384, CURVE_P521, CURVE_COUNT };

#define CIPHER_COUNT (SOTTO_MLS_CHACHA20_POLY1305 + 1)

/* The context of one engine. */
struct fetched {
    const sotto_env *env;
    BN_CTX *bn;
    EC_GROUP *groups[CURVE_COUNT];
    EVP_MD_CTX *md;
    EVP_CIPHER_CTX *ciphers[CIPHER_COUNT];
};

sotto_error default_hash(void *ctx, sotto_mls_hash hash, const sotto_bytes *parts, size_t count,
                         uint8_t *out);
sotto_error default_hmac(void *ctx, sotto_mls_hash hash, sotto_bytes key, const sotto_bytes *parts,
                         size_t count, uint8_t *out);

/* Makes OpenSSL's contexts. INTERNAL. */
sotto_error aead_fetch(struct fetched *fetched);
sotto_error default_seal(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                         sotto_bytes aad, sotto_bytes plaintext, uint8_t *out);
sotto_error default_open(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                         sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out);
/* The same by OpenSSL alone, whatever the size. */
sotto_error openssl_seal(struct fetched *fetched, sotto_mls_aead aead, const uint8_t *key,
                         const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext,
                         uint8_t *out);
sotto_error openssl_open(struct fetched *fetched, sotto_mls_aead aead, const uint8_t *key,
                         const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                         uint8_t *out);

sotto_error default_dh_public(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                              uint8_t *public_key);
sotto_error default_dh_agree(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                             const uint8_t *public_key, uint8_t *shared);
sotto_error default_dh_check(void *ctx, sotto_mls_dh dh, const uint8_t *public_key);

sotto_error default_signature_public(void *ctx, sotto_mls_signature algorithm,
                                     const uint8_t *private_key, uint8_t *public_key);
sotto_error default_sign(void *ctx, sotto_mls_signature algorithm, const uint8_t *private_key,
                         const uint8_t *public_key, sotto_bytes message, uint8_t *signature,
                         size_t *size);
sotto_error default_verify(void *ctx, sotto_mls_signature algorithm, const uint8_t *public_key,
                           sotto_bytes message, sotto_bytes signature);

/* ---- the NIST curves ---- */

/* Bytes of a scalar and a coordinate; a point has one more than two of them. */
size_t nist_size(enum curve curve);
/* KEY unless 0 < private_key < order. public_key: uncompressed point. */
sotto_error nist_public(struct fetched *fetched, enum curve curve, const uint8_t *private_key,
                        uint8_t *public_key);
/* KEY unless an uncompressed point of the curve. shared: the x coordinate. */
sotto_error nist_agree(struct fetched *fetched, enum curve curve, const uint8_t *private_key,
                       const uint8_t *public_key, uint8_t *shared);
sotto_error nist_check(struct fetched *fetched, enum curve curve, const uint8_t *public_key);
/* Whether 0 < private_key < order. */
bool nist_private_valid(struct fetched *fetched, enum curve curve, const uint8_t *private_key);

#endif
