/* ECDSA over the NIST curves and Ed448, by OpenSSL. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "crypto/internal.h"

/* A key object; NULL if refused or out of memory. Exactly one of both keys is given. */
static EVP_PKEY *ecdsa_key(const struct signature_row *row, const BIGNUM *private_key,
                           const uint8_t *public_key)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (ctx == NULL || build == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, row->openssl_name, 0) !=
            1)
        goto out;
    if (private_key != NULL && OSSL_PARAM_BLD_push_BN_pad(build, OSSL_PKEY_PARAM_PRIV_KEY,
                                                          private_key, row->private_size) != 1)
        goto out;
    if (public_key != NULL && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                                               public_key, row->public_size) != 1)
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

static sotto_error ecdsa_public(struct crypto *crypto, const struct signature_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    return nist_public(crypto, row->curve, sotto_bytes_of(private_key, row->private_size),
                       public_key, row->public_size);
}

static sotto_error ecdsa_generate(struct crypto *crypto, const struct signature_row *row,
                                  struct secret *private_key)
{
    /* Rejection keeps the scalar uniform. P-521's candidates fail half the time, the others
     * hardly ever; a random source that fails this often is broken. */
    for (int attempt = 0; attempt < 256; attempt++) {
        TRY(secret_random(private_key, row->private_size, crypto->env));
        private_key->data[0] &= nist_mask(row->curve);
        if (nist_private_valid(crypto, row->curve, secret_view(private_key)))
            return SOTTO_OK;
    }
    return SOTTO_NO_RANDOM;
}

static sotto_error openssl_sign(struct crypto *crypto, const struct signature_row *row,
                                EVP_PKEY *key, sotto_bytes message, uint8_t *signature,
                                size_t *size)
{
    const char *digest = row->hash == NULL ? NULL : row->hash->openssl_name;
    sotto_error error = SOTTO_INTERNAL;
    *size = row->signature_max;
    if (key != NULL &&
        EVP_DigestSignInit_ex(crypto->md, NULL, digest, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestSign(crypto->md, signature, size, message.data, message.size) == 1)
        error = SOTTO_OK;
    /* The context would keep the key alive. */
    EVP_MD_CTX_reset(crypto->md);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return error;
}

static sotto_error openssl_verify(struct crypto *crypto, const struct signature_row *row,
                                  EVP_PKEY *key, sotto_bytes message, sotto_bytes signature)
{
    const char *digest = row->hash == NULL ? NULL : row->hash->openssl_name;
    sotto_error error = SOTTO_KEY;
    if (key != NULL &&
        EVP_DigestVerifyInit_ex(crypto->md, NULL, digest, NULL, NULL, key, NULL) == 1)
        error = EVP_DigestVerify(crypto->md, signature.data, signature.size, message.data,
                                 message.size) == 1
                    ? SOTTO_OK
                    : SOTTO_SIGNATURE;
    EVP_MD_CTX_reset(crypto->md);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return error;
}

/* An ECDSA signature does not depend on the signer's public key: nothing to check here. */
static sotto_error ecdsa_sign(struct crypto *crypto, const struct signature_row *row,
                              const uint8_t *private_key, const uint8_t *public_key,
                              sotto_bytes message, uint8_t *signature, size_t *size)
{
    (void)public_key;
    if (!nist_private_valid(crypto, row->curve, sotto_bytes_of(private_key, row->private_size)))
        return SOTTO_KEY;
    BIGNUM *scalar = BN_bin2bn(private_key, row->private_size, NULL);
    if (scalar == NULL)
        return SOTTO_NO_MEMORY;
    EVP_PKEY *key = ecdsa_key(row, scalar, NULL);
    BN_clear_free(scalar);
    return openssl_sign(crypto, row, key, message, signature, size);
}

static sotto_error ecdsa_verify(struct crypto *crypto, const struct signature_row *row,
                                const uint8_t *public_key, sotto_bytes message,
                                sotto_bytes signature)
{
    TRY(nist_check(crypto, row->curve, sotto_bytes_of(public_key, row->public_size)));
    return openssl_verify(crypto, row, ecdsa_key(row, NULL, public_key), message, signature);
}

static sotto_error ed448_generate(struct crypto *crypto, const struct signature_row *row,
                                  struct secret *private_key)
{
    return secret_random(private_key, row->private_size, crypto->env);
}

static sotto_error ed448_public(struct crypto *crypto, const struct signature_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    (void)crypto;
    size_t size = row->public_size;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, row->openssl_name, NULL, private_key,
                                                    row->private_size);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;
    EVP_PKEY_free(key);
    return good ? SOTTO_OK : SOTTO_INTERNAL;
}

/* OpenSSL derives the public key that enters the signature from the private one; the caller's is
 * not used, and so cannot give the private key away. */
static sotto_error ed448_sign(struct crypto *crypto, const struct signature_row *row,
                              const uint8_t *private_key, const uint8_t *public_key,
                              sotto_bytes message, uint8_t *signature, size_t *size)
{
    (void)public_key;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, row->openssl_name, NULL, private_key,
                                                    row->private_size);
    return openssl_sign(crypto, row, key, message, signature, size);
}

static sotto_error ed448_verify(struct crypto *crypto, const struct signature_row *row,
                                const uint8_t *public_key, sotto_bytes message,
                                sotto_bytes signature)
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key_ex(NULL, row->openssl_name, NULL, public_key, row->public_size);
    return openssl_verify(crypto, row, key, message, signature);
}

#define ECDSA(curve_, name, hash_, private_size_, public_size_, signature_max_)         \
    {                                                                                   \
        .private_size = (private_size_), .public_size = (public_size_),                 \
        .signature_max = (signature_max_), .curve = (curve_), .hash = &(hash_),         \
        .openssl_name = (name), .generate = ecdsa_generate, .public_key = ecdsa_public, \
        .sign = ecdsa_sign, .verify = ecdsa_verify,                                     \
    }

const struct signature_row signature_p256 = ECDSA(CURVE_P256, "P-256", hash_sha256, 32, 65, 72);
const struct signature_row signature_p384 = ECDSA(CURVE_P384, "P-384", hash_sha384, 48, 97, 104);
const struct signature_row signature_p521 = ECDSA(CURVE_P521, "P-521", hash_sha512, 66, 133, 139);

const struct signature_row signature_ed448 = {
    .private_size = 57,
    .public_size = 57,
    .signature_max = 114,
    .openssl_name = "ED448",
    .generate = ed448_generate,
    .public_key = ed448_public,
    .sign = ed448_sign,
    .verify = ed448_verify,
};
