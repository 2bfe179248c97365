#include <sodium.h>

#include <openssl/obj_mac.h>

#include "crypto/crypto.h"
#include "crypto/default/internal.h"

static sotto_error fetch(struct fetched *fetched)
{
    static const int nids[CURVE_COUNT] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    fetched->bn = BN_CTX_new();
    fetched->md = EVP_MD_CTX_new();
    bool good = fetched->bn != NULL && fetched->md != NULL;
    for (int i = 0; i < CURVE_COUNT; i++) {
        fetched->groups[i] = EC_GROUP_new_by_curve_name(nids[i]);
        good = good && fetched->groups[i] != NULL;
    }
    return good ? aead_fetch(fetched) : SOTTO_INTERNAL;
}

static void stop(void *ctx)
{
    struct fetched *fetched = ctx;
    BN_CTX_free(fetched->bn);
    EVP_MD_CTX_free(fetched->md);
    for (int i = 0; i < CIPHER_COUNT; i++)
        EVP_CIPHER_CTX_free(fetched->ciphers[i]);
    for (int i = 0; i < CURVE_COUNT; i++)
        EC_GROUP_free(fetched->groups[i]);
    mem_free(fetched->env, fetched, sizeof *fetched);
}

static sotto_error start(const sotto_mls_provider *provider, const sotto_env *env, void **ctx)
{
    (void)provider;
    /* Chooses libsodium's implementations for this processor; threads may race here. */
    if (sodium_init() < 0)
        return SOTTO_INTERNAL;
    struct fetched *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    sotto_error error = fetch(made);
    if (error != SOTTO_OK) {
        stop(made);
        return error;
    }
    *ctx = made;
    return SOTTO_OK;
}

const sotto_mls_provider *sotto_mls_provider_default(void)
{
    static const sotto_mls_provider provider = {
        .hashes = 1u << SOTTO_MLS_SHA256 | 1u << SOTTO_MLS_SHA384 | 1u << SOTTO_MLS_SHA512,
        .aeads = 1u << SOTTO_MLS_AES128_GCM | 1u << SOTTO_MLS_AES256_GCM |
                 1u << SOTTO_MLS_CHACHA20_POLY1305,
        .dhs = 1u << SOTTO_MLS_X25519 | 1u << SOTTO_MLS_X448 | 1u << SOTTO_MLS_DH_P256 |
               1u << SOTTO_MLS_DH_P384 | 1u << SOTTO_MLS_DH_P521,
        .signatures = 1u << SOTTO_MLS_ED25519 | 1u << SOTTO_MLS_ED448 | 1u << SOTTO_MLS_ECDSA_P256 |
                      1u << SOTTO_MLS_ECDSA_P384 | 1u << SOTTO_MLS_ECDSA_P521,
        .start = start,
        .stop = stop,
        .hash = default_hash,
        .hmac = default_hmac,
        .seal = default_seal,
        .open = default_open,
        .dh_public = default_dh_public,
        .dh_agree = default_dh_agree,
        .dh_check = default_dh_check,
        .signature_public = default_signature_public,
        .sign = default_sign,
        .verify = default_verify,
    };
    return &provider;
}

sotto_error crypto_new(const sotto_env *env, struct crypto **crypto)
{
    return crypto_new_with(env, sotto_mls_provider_default(), crypto);
}
