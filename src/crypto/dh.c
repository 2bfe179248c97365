/* The groups of DHKEM: X25519 by libsodium, X448 and the NIST curves by OpenSSL. */
#include <sodium.h>

#include <openssl/err.h>

#include "crypto/internal.h"

static sotto_error x25519_public(struct crypto *crypto, const struct kem_row *row,
                                 const uint8_t *private_key, uint8_t *public_key)
{
    (void)crypto;
    (void)row;
    return crypto_scalarmult_base(public_key, private_key) == 0 ? SOTTO_OK : SOTTO_INTERNAL;
}

/* libsodium refuses a result of zero, as RFC 9180 (7.1.4) demands. */
static sotto_error x25519_agree(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, const uint8_t *public_key,
                                uint8_t *shared)
{
    (void)crypto;
    (void)row;
    return crypto_scalarmult(shared, private_key, public_key) == 0 ? SOTTO_OK : SOTTO_KEY;
}

/* Every string is a public key of X25519 and X448; bad ones are found when a result is zero. */
static sotto_error x_check(struct crypto *crypto, const struct kem_row *row,
                           const uint8_t *public_key)
{
    (void)crypto;
    (void)row;
    (void)public_key;
    return SOTTO_OK;
}

static sotto_error x448_public(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *private_key, uint8_t *public_key)
{
    (void)crypto;
    size_t size = row->npk;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "X448", NULL, private_key, row->nsk);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error x448_agree(struct crypto *crypto, const struct kem_row *row,
                              const uint8_t *private_key, const uint8_t *public_key,
                              uint8_t *shared)
{
    (void)crypto;
    size_t size = row->ndh;
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key_ex(NULL, "X448", NULL, private_key, row->nsk);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X448", NULL, public_key, row->npk);
    EVP_PKEY_CTX *ctx = own == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    sotto_error error = SOTTO_INTERNAL;
    if (ctx != NULL && peer != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
        EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1)
        /* Fails where the result is zero (RFC 9180, 7.1.4). */
        error = EVP_PKEY_derive(ctx, shared, &size) == 1 ? SOTTO_OK : SOTTO_KEY;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    ERR_clear_error();
    return error;
}

static sotto_error curve_public(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    return nist_public(crypto, row->curve, sotto_bytes_of(private_key, row->nsk), public_key,
                       row->npk);
}

static sotto_error curve_agree(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *private_key, const uint8_t *public_key,
                               uint8_t *shared)
{
    return nist_agree(crypto, row->curve, sotto_bytes_of(private_key, row->nsk),
                      sotto_bytes_of(public_key, row->npk), shared, row->ndh);
}

static sotto_error curve_check(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key)
{
    return nist_check(crypto, row->curve, sotto_bytes_of(public_key, row->npk));
}

const struct dh_ops dh_x25519 = {x25519_public, x25519_agree, x_check};
const struct dh_ops dh_x448 = {x448_public, x448_agree, x_check};
const struct dh_ops dh_nist = {curve_public, curve_agree, curve_check};
