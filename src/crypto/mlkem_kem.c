/* ML-KEM-768 alone as a KEM of HPKE (draft-ietf-hpke-pq, KEM 0x0041). Private key: the seed d || z.
 * For groups that must not depend on a curve; the hybrid (xwing.c) is the default. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/mlkem.h"
#include "crypto/public_taint.h"

sotto_error mlkem768_public(struct crypto *crypto, const uint8_t *seed, uint8_t *public_key)
{
    if (crypto->provider->mlkem_public != NULL)
        return crypto->provider->mlkem_public(crypto->ctx, seed, public_key);
    struct mlkem_key key;
    mlkem_expand(crypto->kpke, seed, &key);
    memcpy(public_key, key.ek, MLKEM_PUBLIC);
    public_from_here(public_key, MLKEM_PUBLIC);
    wipe(&key, sizeof key);
    return SOTTO_OK;
}

sotto_error mlkem768_encaps(struct crypto *crypto, const uint8_t *public_key, const uint8_t *m,
                            uint8_t *ciphertext, uint8_t *shared)
{
    sotto_error error = SOTTO_KEY;
    if (crypto->provider->mlkem_encaps == NULL)
        error = mlkem_encaps(crypto->kpke, public_key, m, ciphertext, shared);
    else if (mlkem_public_valid(public_key))
        error = crypto->provider->mlkem_encaps(crypto->ctx, public_key, m, ciphertext, shared);
    public_from_here(ciphertext, MLKEM_CIPHERTEXT);
    return error;
}

sotto_error mlkem768_decaps(struct crypto *crypto, const uint8_t *seed, const uint8_t *ciphertext,
                            uint8_t *shared)
{
    if (crypto->provider->mlkem_decaps != NULL)
        return crypto->provider->mlkem_decaps(crypto->ctx, seed, ciphertext, shared);
    struct mlkem_key key;
    mlkem_expand(crypto->kpke, seed, &key);
    mlkem_decaps(&key, ciphertext, shared);
    wipe(&key, sizeof key);
    return SOTTO_OK;
}

static sotto_error mlkem_public(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    (void)row;
    return mlkem768_public(crypto, private_key, public_key);
}

static sotto_error mlkem_generate(struct crypto *crypto, const struct kem_row *row,
                                  struct secret *private_key, uint8_t *public_key)
{
    TRY(secret_random(private_key, MLKEM_SEED, crypto->env));
    return mlkem_public(crypto, row, private_key->data, public_key);
}

static sotto_error mlkem_derive(struct crypto *crypto, const struct kem_row *row, sotto_bytes ikm,
                                struct secret *private_key, uint8_t *public_key)
{
    hpke_pq_derive(row->id, ikm, secret_reset(private_key, MLKEM_SEED), MLKEM_SEED);
    return mlkem_public(crypto, row, private_key->data, public_key);
}

static sotto_error mlkem_check(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key)
{
    (void)crypto;
    (void)row;
    return mlkem_public_valid(public_key) ? SOTTO_OK : SOTTO_KEY;
}

static sotto_error mlkem_encap(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key, uint8_t *enc, struct secret *shared)
{
    (void)row;
    uint8_t m[32];
    sotto_error error = crypto->env->random(crypto->env->ctx, m, sizeof m);
    if (error == SOTTO_OK)
        error = mlkem768_encaps(crypto, public_key, m, enc, secret_reset(shared, MLKEM_SHARED));
    wipe(m, sizeof m);
    return error;
}

static sotto_error mlkem_decap(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *private_key, const uint8_t *public_key,
                               const uint8_t *enc, struct secret *shared)
{
    (void)row;
    (void)public_key;
    return mlkem768_decaps(crypto, private_key, enc, secret_reset(shared, MLKEM_SHARED));
}

static const struct kem_ops mlkem = {
    .generate = mlkem_generate,
    .derive = mlkem_derive,
    .public_key = mlkem_public,
    .check = mlkem_check,
    .encap = mlkem_encap,
    .decap = mlkem_decap,
};

const struct kem_row kem_mlkem768 = {
    .id = 0x0041,
    .npk = MLKEM_PUBLIC,
    .nsk = MLKEM_SEED,
    .nenc = MLKEM_CIPHERTEXT,
    .nsecret = MLKEM_SHARED,
    .dh = DH_NONE,
    .ops = &mlkem,
};
