#include <sodium.h>

#include <openssl/obj_mac.h>

#include "crypto/internal.h"
#include "crypto/mlkem.h"

#define SCRATCH_KEPT 65536

static sotto_error crypto_fetch(struct crypto *crypto)
{
    static const int nids[CURVE_COUNT] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
    crypto->bn = BN_CTX_new();
    crypto->md = EVP_MD_CTX_new();
    bool good = crypto->bn != NULL && crypto->md != NULL;
    for (int i = 0; i < CURVE_COUNT; i++) {
        crypto->groups[i] = EC_GROUP_new_by_curve_name(nids[i]);
        good = good && crypto->groups[i] != NULL;
    }
    return good ? aead_fetch(crypto) : SOTTO_INTERNAL;
}

sotto_error crypto_new(const sotto_env *env, struct crypto **crypto)
{
    /* Chooses libsodium's implementations for this processor; threads may race here. */
    if (sodium_init() < 0)
        return SOTTO_INTERNAL;
    struct crypto *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->kpke = mlkem_best();
    sotto_buf_init(&made->scratch, env);
    sotto_error error = crypto_fetch(made);
    if (error != SOTTO_OK) {
        crypto_free(made);
        return error;
    }
    *crypto = made;
    return SOTTO_OK;
}

void crypto_free(struct crypto *crypto)
{
    if (crypto == NULL)
        return;
    BN_CTX_free(crypto->bn);
    EVP_MD_CTX_free(crypto->md);
    for (int i = 0; i < CIPHER_COUNT; i++)
        EVP_CIPHER_CTX_free(crypto->ciphers[i]);
    for (int i = 0; i < CURVE_COUNT; i++)
        EC_GROUP_free(crypto->groups[i]);
    sotto_buf_free(&crypto->scratch);
    mem_free(crypto->env, crypto, sizeof *crypto);
}

const sotto_env *crypto_env(const struct crypto *crypto)
{
    return crypto->env;
}

void scratch_done(struct crypto *crypto)
{
    if (crypto->scratch.capacity > SCRATCH_KEPT)
        sotto_buf_free(&crypto->scratch);
    else
        sotto_buf_clear(&crypto->scratch);
}
