/* The crypto provider of the MLS engine: one const table of primitives, which an embedder fills to
 * run the engine on cryptography of its own (docs/mls/PORTING.md shows one whole). Everything above
 * the primitives is the engine's and the same over every provider: HKDF and RFC 9420's labels, HPKE
 * and DHKEM, X-Wing, SHA-3, ML-KEM-768, the table of suites, the sizes of all keys.
 *
 * A provider says by four sets of bits which algorithms it has, and may leave out the functions of
 * those that it has not. A suite is available to an engine when its provider has all four of its
 * algorithms; every call that names another suite fails with UNSUPPORTED.
 *
 * Contract of every function:
 * - Sizes. The engine has checked the sizes of what it passes, by the tables below, and gives room
 *   for outputs of those sizes. A sotto_bytes whose size is 0 may have a NULL pointer.
 * - Ownership. Everything is borrowed for the call. Outputs never overlap inputs unless said.
 * - Errors. INTERNAL and NO_MEMORY are possible everywhere and reach the engine's caller; any other
 *   error only where it is named. After an error the engine wipes the output.
 * - Constant time. Neither branches nor addresses nor the time of an instruction depend on a
 * private key, a symmetric key, hashed or encrypted content, a signed message, randomness or a
 * shared secret, beyond their sizes; that an AEAD, a signature or an agreement was refused is
 * public. Only what says "public input" is exempt.
 * - Wiping. Whatever a function copied of a secret, on the stack, in a context or on a heap, is
 *   overwritten before it returns. No key outlives its call.
 * - Threads. The table serves any number of engines in any threads at once, and does not change
 *   while one of them lives. A context serves one thread at a time; where
 *   sotto_env.parallel is set, several contexts are at work at the same time. */
#ifndef SOTTO_MLS_PROVIDER_H
#define SOTTO_MLS_PROVIDER_H

#include "sotto/api.h"
#include "sotto/bytes.h"
#include "sotto/env.h"
#include "sotto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* FIPS 180-4. Output: 32, 48, 64 bytes. */
typedef enum sotto_mls_hash {
    SOTTO_MLS_SHA256,
    SOTTO_MLS_SHA384,
    SOTTO_MLS_SHA512,
} sotto_mls_hash;

/* SP 800-38D, RFC 8439. Key: 16, 32, 32 bytes. Nonce: 12. Tag: 16. */
typedef enum sotto_mls_aead {
    SOTTO_MLS_AES128_GCM,
    SOTTO_MLS_AES256_GCM,
    SOTTO_MLS_CHACHA20_POLY1305,
} sotto_mls_aead;

/* Diffie-Hellman groups of RFC 9180, 7.1. Bytes of a private key, public key and shared secret:
 *   X25519 32 32 32    X448 56 56 56      RFC 7748's strings; a private key is not yet clamped
 *   P256 32 65 32      P384 48 97 48      P521 66 133 66
 * of which a private key is the big-endian scalar, a public key the uncompressed point (0x04, x,
 * y), a shared secret the x coordinate. */
typedef enum sotto_mls_dh {
    SOTTO_MLS_X25519,
    SOTTO_MLS_X448,
    SOTTO_MLS_DH_P256,
    SOTTO_MLS_DH_P384,
    SOTTO_MLS_DH_P521,
} sotto_mls_dh;

/* Signatures. Bytes of a private key, public key and, at most, signature:
 *   ED25519 32 32 64   ED448 57 57 114    RFC 8032, not prehashed; private keys are the seeds
 *   P256 32 65 72      P384 48 97 104     P521 66 133 139
 * ECDSA with SHA-256, SHA-384 and SHA-512; keys as above, signatures in DER. */
typedef enum sotto_mls_signature {
    SOTTO_MLS_ED25519,
    SOTTO_MLS_ED448,
    SOTTO_MLS_ECDSA_P256,
    SOTTO_MLS_ECDSA_P384,
    SOTTO_MLS_ECDSA_P521,
} sotto_mls_signature;

typedef struct sotto_mls_provider sotto_mls_provider;

struct sotto_mls_provider {
    /* What there is: 1u << SOTTO_MLS_SHA256 | ... of each enumeration above. */
    uint32_t hashes, aeads, dhs, signatures;

    /* The context of one engine, passed to every other function: whatever is costly to make
     * (fetched algorithms, reusable objects). Memory comes from env, which outlives the context.
     * provider is the table itself, which may be the first member of something larger. Once an
     * engine; both NULL: no context, ctx is NULL. */
    sotto_error (*start)(const sotto_mls_provider *provider, const sotto_env *env, void **ctx);
    void (*stop)(void *ctx);

    /* The hash of the concatenation of count parts. */
    sotto_error (*hash)(void *ctx, sotto_mls_hash hash, const sotto_bytes *parts, size_t count,
                        uint8_t *out);

    /* HMAC (RFC 2104) over the concatenation of count parts; a key of any size. NULL: the engine
     * makes it of hash. One of the provider's own may be faster, or must be a module's. */
    sotto_error (*hmac)(void *ctx, sotto_mls_hash hash, sotto_bytes key, const sotto_bytes *parts,
                        size_t count, uint8_t *out);

    /* Writes the ciphertext and then the tag: plaintext.size + 16 bytes. out may be where plaintext
     * is. */
    sotto_error (*seal)(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                        sotto_bytes aad, sotto_bytes plaintext, uint8_t *out);
    /* The reverse; ciphertext includes the tag (at least 16 bytes). out may be where ciphertext is.
     * DECRYPT: not authentic. */
    sotto_error (*open)(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                        sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out);

    /* The public key of a private one. KEY unless 0 < private_key < order; on X25519 and X448 every
     * string is a private key. */
    sotto_error (*dh_public)(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                             uint8_t *public_key);
    /* KEY: a key is not valid. X25519 and X448 may answer a public key of low order with KEY or
     * with zeros, which the engine refuses. */
    sotto_error (*dh_agree)(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                            const uint8_t *public_key, uint8_t *shared);
    /* Public input. KEY unless an uncompressed point of the curve other than infinity. Never called
     * for X25519 and X448, where every string is a public key. */
    sotto_error (*dh_check)(void *ctx, sotto_mls_dh dh, const uint8_t *public_key);

    /* The public key of a private one. KEY as in dh_public. */
    sotto_error (*signature_public)(void *ctx, sotto_mls_signature algorithm,
                                    const uint8_t *private_key, uint8_t *public_key);
    /* Writes a signature and its size. For ED25519 and ED448 the engine has made sure that
     * public_key belongs to private_key: these may put it into the signature as it is. Where
     * randomness goes in (ECDSA) it is the provider's business. KEY: private_key is not valid. */
    sotto_error (*sign)(void *ctx, sotto_mls_signature algorithm, const uint8_t *private_key,
                        const uint8_t *public_key, sotto_bytes message, uint8_t *signature,
                        size_t *size);
    /* Public input. signature may have any size up to the greatest; reading it is strict, nothing
     * may be left over. SIGNATURE: does not verify; KEY: the public key is not valid. Members of
     * one group should agree on what verifies: EdDSA demands S below the order and canonical
     * points, and the default provider refuses points of small order and compares without the
     * cofactor. */
    sotto_error (*verify)(void *ctx, sotto_mls_signature algorithm, const uint8_t *public_key,
                          sotto_bytes message, sotto_bytes signature);

    /* ML-KEM-768 (FIPS 203), where the provider has a better one than the engine's portable C; all
     * three or, to use that, none (NULL). A private key is the seed d || z of 64 bytes, a public
     * key has 1184 bytes, a ciphertext 1088, a shared secret 32. The engine has checked the public
     * key's coefficients (FIPS 203, 7.2); m is 32 bytes of randomness. mlkem_decaps must not tell a
     * ciphertext that it rejects, by anything. */
    sotto_error (*mlkem_public)(void *ctx, const uint8_t *seed, uint8_t *public_key);
    sotto_error (*mlkem_encaps)(void *ctx, const uint8_t *public_key, const uint8_t *m,
                                uint8_t *ciphertext, uint8_t *shared);
    sotto_error (*mlkem_decaps)(void *ctx, const uint8_t *seed, const uint8_t *ciphertext,
                                uint8_t *shared);
};

/* The provider that is shipped and that sotto_mls_new uses: libsodium, nettle and OpenSSL, all
 * algorithms. Static. Any thread. */
SOTTO_API const sotto_mls_provider *sotto_mls_provider_default(void);

#ifdef __cplusplus
}
#endif
#endif
