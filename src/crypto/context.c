#include "crypto/internal.h"
#include "crypto/mlkem.h"

#define SCRATCH_KEPT 65536

sotto_error crypto_new_with(const sotto_env *env, const sotto_mls_provider *provider,
                            struct crypto **crypto)
{
    struct crypto *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->provider = provider;
    made->kpke = mlkem_best();
    sotto_buf_init(&made->scratch, env);
    sotto_error error = SOTTO_OK;
    if (provider->start != NULL)
        error = provider->start(provider, env, &made->ctx);
    if (error != SOTTO_OK) {
        mem_free(env, made, sizeof *made);
        return error;
    }
    *crypto = made;
    return SOTTO_OK;
}

sotto_error crypto_twin(const struct crypto *crypto, struct crypto **twin)
{
    return crypto_new_with(crypto->env, crypto->provider, twin);
}

void crypto_free(struct crypto *crypto)
{
    if (crypto == NULL)
        return;
    if (crypto->provider->stop != NULL)
        crypto->provider->stop(crypto->ctx);
    sotto_buf_free(&crypto->scratch);
    mem_free(crypto->env, crypto, sizeof *crypto);
}

const sotto_env *crypto_env(const struct crypto *crypto)
{
    return crypto->env;
}

static bool has(uint32_t set, unsigned algorithm)
{
    return (set >> algorithm & 1) != 0;
}

bool crypto_has(const struct crypto *crypto, const struct suite *suite)
{
    const sotto_mls_provider *provider = crypto->provider;
    const struct kem_row *kem = suite->kem;
    return has(provider->hashes, suite->hash->id) && has(provider->aeads, suite->aead) &&
           (kem->dh == DH_NONE || has(provider->dhs, (unsigned)kem->dh)) &&
           (kem->hash == NULL || has(provider->hashes, kem->hash->id)) &&
           has(provider->signatures, suite->signature->id);
}

void scratch_done(struct crypto *crypto)
{
    if (crypto->scratch.capacity > SCRATCH_KEPT)
        sotto_buf_free(&crypto->scratch);
    else
        sotto_buf_clear(&crypto->scratch);
}
