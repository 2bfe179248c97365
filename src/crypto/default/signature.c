/* Ed25519 by libsodium; ECDSA over the NIST curves and Ed448 by OpenSSL. */
#include <string.h>

#include <sodium.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "crypto/default/internal.h"

#define ED25519_SIZE 32
#define ED448_SIZE 57
#define ED448_SIGNATURE 114

/* ---- Ed25519 ---- */

static sotto_error ed25519_public(const uint8_t *private_key, uint8_t *public_key)
{
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(public_key, expanded, private_key);
    wipe(expanded, sizeof expanded);
    return SOTTO_OK;
}

static sotto_error ed25519_sign(const uint8_t *private_key, const uint8_t *public_key,
                                sotto_bytes message, uint8_t *signature, size_t *size)
{
    uint8_t pair[crypto_sign_SECRETKEYBYTES];
    memcpy(pair, private_key, ED25519_SIZE);
    memcpy(pair + ED25519_SIZE, public_key, ED25519_SIZE);
    crypto_sign_detached(signature, NULL, message.data, message.size, pair);
    wipe(pair, sizeof pair);
    *size = crypto_sign_BYTES;
    return SOTTO_OK;
}

/* libsodium's rule, stricter than RFC 8032 8.4 demands and the same on every client of ours: S is
 * below the order, A and R are canonical and not of small order, and R equals [S]B - [h]A byte by
 * byte (no cofactor). */
static sotto_error ed25519_verify(const uint8_t *public_key, sotto_bytes message,
                                  sotto_bytes signature)
{
    if (signature.size != crypto_sign_BYTES ||
        crypto_sign_verify_detached(signature.data, message.data, message.size, public_key) != 0)
        return SOTTO_SIGNATURE;
    return SOTTO_OK;
}

/* ---- OpenSSL ---- */

static sotto_error openssl_sign(struct fetched *fetched, const char *digest, EVP_PKEY *key,
                                sotto_bytes message, uint8_t *signature, size_t *size)
{
    sotto_error error = SOTTO_INTERNAL;
    if (key != NULL &&
        EVP_DigestSignInit_ex(fetched->md, NULL, digest, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestSign(fetched->md, signature, size, message.data, message.size) == 1)
        error = SOTTO_OK;
    /* The context would keep the key alive. */
    EVP_MD_CTX_reset(fetched->md);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return error;
}

static sotto_error openssl_verify(struct fetched *fetched, const char *digest, EVP_PKEY *key,
                                  sotto_bytes message, sotto_bytes signature)
{
    sotto_error error = SOTTO_KEY;
    if (key != NULL &&
        EVP_DigestVerifyInit_ex(fetched->md, NULL, digest, NULL, NULL, key, NULL) == 1)
        error = EVP_DigestVerify(fetched->md, signature.data, signature.size, message.data,
                                 message.size) == 1
                    ? SOTTO_OK
                    : SOTTO_SIGNATURE;
    EVP_MD_CTX_reset(fetched->md);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return error;
}

/* ---- ECDSA ---- */

static const struct ecdsa {
    const char *name, *digest;
    size_t signature_max;
} ecdsa[CURVE_COUNT] = {
    {"P-256", "SHA256", 72},
    {"P-384", "SHA384", 104},
    {"P-521", "SHA512", 139},
};

static enum curve curve_of(sotto_mls_signature algorithm)
{
    return algorithm == SOTTO_MLS_ECDSA_P256   ? CURVE_P256
           : algorithm == SOTTO_MLS_ECDSA_P384 ? CURVE_P384
                                               : CURVE_P521;
}

/* A key object; NULL if refused or out of memory. Exactly one of both keys is given. */
static EVP_PKEY *ecdsa_key(enum curve curve, const BIGNUM *private_key, const uint8_t *public_key)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (ctx == NULL || build == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, ecdsa[curve].name, 0) !=
            1)
        goto out;
    if (private_key != NULL && OSSL_PARAM_BLD_push_BN_pad(build, OSSL_PKEY_PARAM_PRIV_KEY,
                                                          private_key, nist_size(curve)) != 1)
        goto out;
    if (public_key != NULL &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public_key,
                                         1 + 2 * nist_size(curve)) != 1)
        goto out;
    params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, private_key != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1)
        key = NULL;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static sotto_error ecdsa_sign(struct fetched *fetched, enum curve curve, const uint8_t *private_key,
                              sotto_bytes message, uint8_t *signature, size_t *size)
{
    if (!nist_private_valid(fetched, curve, private_key))
        return SOTTO_KEY;
    BIGNUM *scalar = BN_bin2bn(private_key, (int)nist_size(curve), NULL);
    if (scalar == NULL)
        return SOTTO_NO_MEMORY;
    EVP_PKEY *key = ecdsa_key(curve, scalar, NULL);
    BN_clear_free(scalar);
    *size = ecdsa[curve].signature_max;
    return openssl_sign(fetched, ecdsa[curve].digest, key, message, signature, size);
}

static sotto_error ecdsa_verify(struct fetched *fetched, enum curve curve,
                                const uint8_t *public_key, sotto_bytes message,
                                sotto_bytes signature)
{
    TRY(nist_check(fetched, curve, public_key));
    return openssl_verify(fetched, ecdsa[curve].digest, ecdsa_key(curve, NULL, public_key), message,
                          signature);
}

/* ---- Ed448 ---- */

static EVP_PKEY *ed448_private(const uint8_t *private_key)
{
    return EVP_PKEY_new_raw_private_key_ex(NULL, "ED448", NULL, private_key, ED448_SIZE);
}

static sotto_error ed448_public(const uint8_t *private_key, uint8_t *public_key)
{
    size_t size = ED448_SIZE;
    EVP_PKEY *key = ed448_private(private_key);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

static sotto_error ed448_verify(struct fetched *fetched, const uint8_t *public_key,
                                sotto_bytes message, sotto_bytes signature)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED448", NULL, public_key, ED448_SIZE);
    return openssl_verify(fetched, NULL, key, message, signature);
}

/* ---- the table's functions ---- */

sotto_error default_signature_public(void *ctx, sotto_mls_signature algorithm,
                                     const uint8_t *private_key, uint8_t *public_key)
{
    if (algorithm == SOTTO_MLS_ED25519)
        return ed25519_public(private_key, public_key);
    if (algorithm == SOTTO_MLS_ED448)
        return ed448_public(private_key, public_key);
    return nist_public(ctx, curve_of(algorithm), private_key, public_key);
}

sotto_error default_sign(void *ctx, sotto_mls_signature algorithm, const uint8_t *private_key,
                         const uint8_t *public_key, sotto_bytes message, uint8_t *signature,
                         size_t *size)
{
    if (algorithm == SOTTO_MLS_ED25519)
        return ed25519_sign(private_key, public_key, message, signature, size);
    if (algorithm == SOTTO_MLS_ED448) {
        *size = ED448_SIGNATURE;
        return openssl_sign(ctx, NULL, ed448_private(private_key), message, signature, size);
    }
    return ecdsa_sign(ctx, curve_of(algorithm), private_key, message, signature, size);
}

sotto_error default_verify(void *ctx, sotto_mls_signature algorithm, const uint8_t *public_key,
                           sotto_bytes message, sotto_bytes signature)
{
    if (algorithm == SOTTO_MLS_ED25519)
        return ed25519_verify(public_key, message, signature);
    if (algorithm == SOTTO_MLS_ED448)
        return ed448_verify(ctx, public_key, message, signature);
    return ecdsa_verify(ctx, curve_of(algorithm), public_key, message, signature);
}
