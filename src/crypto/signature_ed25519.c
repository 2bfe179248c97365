/* Ed25519 over libsodium. Private keys are seeds. */
#include <string.h>

#include <sodium.h>

#include "crypto/internal.h"
#include "crypto/public_taint.h"

static sotto_error seed_generate(struct crypto *crypto, const struct signature_row *row,
                                 struct secret *private_key)
{
    return secret_random(private_key, row->private_size, crypto->env);
}

static sotto_error ed25519_public(struct crypto *crypto, const struct signature_row *row,
                                  const uint8_t *private_key, uint8_t *public_key)
{
    (void)crypto;
    (void)row;
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(public_key, expanded, private_key);
    wipe(expanded, sizeof expanded);
    return SOTTO_OK;
}

/* Two signatures of one message under one seed and two public keys give the private key away, so
 * the caller's public key is never trusted. Deriving it anew would double the cost of a signature;
 * a pair that was found consistent is remembered by its digest, which reveals neither half. */
static sotto_error ed25519_check_pair(struct crypto *crypto, const struct signature_row *row,
                                      const uint8_t *private_key, const uint8_t *public_key)
{
    uint8_t digest[32], derived[32];
    sotto_bytes parts[] = {sotto_bytes_str("sotto ed25519 pair"), sotto_bytes_of(private_key, 32),
                           sotto_bytes_of(public_key, 32)};
    hash_parts(&hash_sha256, parts, 3, digest);
    public_from_here(digest, sizeof digest); /* which of the known pairs it is shows in the time */
    for (size_t i = 0; i < PAIRS_KNOWN; i++) {
        if (sodium_memcmp(crypto->pairs[i], digest, sizeof digest) == 0)
            return SOTTO_OK;
    }
    ed25519_public(crypto, row, private_key, derived);
    public_from_here(derived, sizeof derived);
    if (sodium_memcmp(derived, public_key, sizeof derived) != 0)
        return SOTTO_KEY;
    memcpy(crypto->pairs[crypto->pair_next], digest, sizeof digest);
    crypto->pair_next = (crypto->pair_next + 1) % PAIRS_KNOWN;
    return SOTTO_OK;
}

static sotto_error ed25519_sign(struct crypto *crypto, const struct signature_row *row,
                                const uint8_t *private_key, const uint8_t *public_key,
                                sotto_bytes message, uint8_t *signature, size_t *size)
{
    uint8_t pair[crypto_sign_SECRETKEYBYTES];
    TRY(ed25519_check_pair(crypto, row, private_key, public_key));
    memcpy(pair, private_key, 32);
    memcpy(pair + 32, public_key, 32);
    crypto_sign_detached(signature, NULL, message.data, message.size, pair);
    wipe(pair, sizeof pair);
    *size = crypto_sign_BYTES;
    return SOTTO_OK;
}

/* libsodium's rule, stricter than RFC 8032 8.4 demands and the same on every client of ours: S is
 * below the order, A and R are canonical and not of small order, and R equals [S]B - [h]A byte by
 * byte (no cofactor). */
static sotto_error ed25519_verify(struct crypto *crypto, const struct signature_row *row,
                                  const uint8_t *public_key, sotto_bytes message,
                                  sotto_bytes signature)
{
    (void)crypto;
    (void)row;
    if (signature.size != crypto_sign_BYTES ||
        crypto_sign_verify_detached(signature.data, message.data, message.size, public_key) != 0)
        return SOTTO_SIGNATURE;
    return SOTTO_OK;
}

const struct signature_row signature_ed25519 = {
    .private_size = 32,
    .public_size = 32,
    .signature_max = crypto_sign_BYTES,
    .generate = seed_generate,
    .public_key = ed25519_public,
    .sign = ed25519_sign,
    .verify = ed25519_verify,
};
