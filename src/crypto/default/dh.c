/* The groups of DHKEM: X25519 by libsodium, X448 and the NIST curves by OpenSSL. */
#include <sodium.h>

#include <openssl/err.h>

#include "crypto/default/internal.h"
#include "crypto/public_taint.h"

#define X448_SIZE 56

static sotto_error x448_public(const uint8_t *private_key, uint8_t *public_key)
{
    size_t size = X448_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "X448", NULL, private_key, X448_SIZE);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error x448_agree(const uint8_t *private_key, const uint8_t *public_key,
                              uint8_t *shared)
{
    size_t size = X448_SIZE;
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key_ex(NULL, "X448", NULL, private_key, X448_SIZE);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X448", NULL, public_key, X448_SIZE);
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

static enum curve curve_of(sotto_mls_dh dh)
{
    return dh == SOTTO_MLS_DH_P256 ? CURVE_P256 : dh == SOTTO_MLS_DH_P384 ? CURVE_P384 : CURVE_P521;
}

sotto_error default_dh_public(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                              uint8_t *public_key)
{
    if (dh == SOTTO_MLS_X25519)
        return crypto_scalarmult_base(public_key, private_key) == 0 ? SOTTO_OK : SOTTO_INTERNAL;
    if (dh == SOTTO_MLS_X448)
        return x448_public(private_key, public_key);
    return nist_public(ctx, curve_of(dh), private_key, public_key);
}

sotto_error default_dh_agree(void *ctx, sotto_mls_dh dh, const uint8_t *private_key,
                             const uint8_t *public_key, uint8_t *shared)
{
    if (dh == SOTTO_MLS_X25519) {
        int zero = crypto_scalarmult(shared, private_key, public_key);
        public_from_here(&zero, sizeof zero);
        return zero == 0 ? SOTTO_OK : SOTTO_KEY;
    }
    if (dh == SOTTO_MLS_X448)
        return x448_agree(private_key, public_key, shared);
    return nist_agree(ctx, curve_of(dh), private_key, public_key, shared);
}

sotto_error default_dh_check(void *ctx, sotto_mls_dh dh, const uint8_t *public_key)
{
    return nist_check(ctx, curve_of(dh), public_key);
}
