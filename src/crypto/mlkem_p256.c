/* MLKEM768-P256 (draft-ietf-hpke-pq, KEM 0x0050): ML-KEM-768 and P-256 together, broken only when
 * both are; for those who must stay with NIST's curves. Private key: a seed of 32 bytes. Public
 * key: ek_M || point. Encapsulation: ct_M || point. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/keccak.h"
#include "crypto/mlkem.h"

#define SEED 32
#define SCALAR 32
#define POINT 65
#define CANDIDATES 3 /* scalars that the seed of one is long enough for */
#define SCALAR_SEED (CANDIDATES * SCALAR)
#define EXPANDED (MLKEM_SEED + SCALAR_SEED)

/* The point of the first candidate that is a scalar; KEY if none is, which chance does not bring
 * about. */
static sotto_error point_of(struct crypto *crypto, const uint8_t seed[static SCALAR_SEED],
                            uint8_t *point)
{
    sotto_error error = SOTTO_KEY;
    for (size_t i = 0; i < CANDIDATES && error == SOTTO_KEY; i++)
        error = dh_public(crypto, &kem_p256, seed + i * SCALAR, point);
    return error;
}

/* With the first candidate that is a scalar. KEY: point is none, or else none is. */
static sotto_error agree(struct crypto *crypto, const uint8_t seed[static SCALAR_SEED],
                         const uint8_t *point, uint8_t shared[static SCALAR])
{
    sotto_error error = SOTTO_KEY;
    for (size_t i = 0; i < CANDIDATES && error == SOTTO_KEY; i++)
        error = dh_agree(crypto, &kem_p256, seed + i * SCALAR, point, shared);
    return error;
}

/* seed_M || seed_T = SHAKE256(seed) */
static void expand(const uint8_t *private_key, uint8_t expanded[static EXPANDED])
{
    sotto_bytes part = sotto_bytes_of(private_key, SEED);
    shake256(&part, 1, expanded, EXPANDED);
}

/* ss = SHA3-256(ss_M || ss_T || ct_T || ek_T || label) */
static void combine(const uint8_t *shared_m, const uint8_t *shared_t, const uint8_t *ct_t,
                    const uint8_t *ek_t, struct secret *shared)
{
    const sotto_bytes parts[5] = {
        sotto_bytes_of(shared_m, 32), sotto_bytes_of(shared_t, SCALAR), sotto_bytes_of(ct_t, POINT),
        sotto_bytes_of(ek_t, POINT),  sotto_bytes_str("MLKEM768-P256"),
    };
    sha3_256(parts, 5, secret_reset(shared, 32));
}

static sotto_error hybrid_public(struct crypto *crypto, const struct kem_row *row,
                                 const uint8_t *private_key, uint8_t *public_key)
{
    (void)row;
    uint8_t expanded[EXPANDED];
    expand(private_key, expanded);
    sotto_error error = mlkem768_public(crypto, expanded, public_key);
    if (error == SOTTO_OK)
        error = point_of(crypto, expanded + MLKEM_SEED, public_key + MLKEM_PUBLIC);
    wipe(expanded, sizeof expanded);
    return error;
}

static sotto_error hybrid_generate(struct crypto *crypto, const struct kem_row *row,
                                   struct secret *private_key, uint8_t *public_key)
{
    TRY(secret_random(private_key, SEED, crypto->env));
    return hybrid_public(crypto, row, private_key->data, public_key);
}

static sotto_error hybrid_derive(struct crypto *crypto, const struct kem_row *row, sotto_bytes ikm,
                                 struct secret *private_key, uint8_t *public_key)
{
    hpke_pq_derive(row->id, ikm, secret_reset(private_key, SEED), SEED);
    return hybrid_public(crypto, row, private_key->data, public_key);
}

static sotto_error hybrid_check(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *public_key)
{
    (void)row;
    if (!mlkem_public_valid(public_key))
        return SOTTO_KEY;
    return dh_check(crypto, &kem_p256, public_key + MLKEM_PUBLIC);
}

/* Randomness: m for ML-KEM, then the seed of the ephemeral scalar. */
static sotto_error hybrid_encap(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *public_key, uint8_t *enc, struct secret *shared)
{
    (void)row;
    uint8_t random[32 + SCALAR_SEED], shared_m[32], shared_t[SCALAR];
    const uint8_t *ek_t = public_key + MLKEM_PUBLIC;
    uint8_t *ct_t = enc + MLKEM_CIPHERTEXT;
    sotto_error error = crypto->env->random(crypto->env->ctx, random, sizeof random);
    if (error == SOTTO_OK)
        error = mlkem768_encaps(crypto, public_key, random, enc, shared_m);
    if (error == SOTTO_OK)
        error = point_of(crypto, random + 32, ct_t);
    if (error == SOTTO_OK)
        error = agree(crypto, random + 32, ek_t, shared_t);
    if (error == SOTTO_OK)
        combine(shared_m, shared_t, ct_t, ek_t, shared);
    wipe(random, sizeof random);
    wipe(shared_m, sizeof shared_m);
    wipe(shared_t, sizeof shared_t);
    return error;
}

static sotto_error hybrid_decap(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, const uint8_t *public_key,
                                const uint8_t *enc, struct secret *shared)
{
    (void)row;
    uint8_t expanded[EXPANDED], shared_m[32], shared_t[SCALAR], ek_t[POINT];
    const uint8_t *ct_t = enc + MLKEM_CIPHERTEXT;
    expand(private_key, expanded);
    sotto_error error = mlkem768_decaps(crypto, expanded, enc, shared_m);
    if (error == SOTTO_OK && public_key != NULL)
        memcpy(ek_t, public_key + MLKEM_PUBLIC, POINT);
    else if (error == SOTTO_OK)
        error = point_of(crypto, expanded + MLKEM_SEED, ek_t);
    if (error == SOTTO_OK)
        error = agree(crypto, expanded + MLKEM_SEED, ct_t, shared_t);
    if (error == SOTTO_OK)
        combine(shared_m, shared_t, ct_t, ek_t, shared);
    wipe(expanded, sizeof expanded);
    wipe(shared_m, sizeof shared_m);
    wipe(shared_t, sizeof shared_t);
    return error;
}

static const struct kem_ops hybrid = {
    .generate = hybrid_generate,
    .derive = hybrid_derive,
    .public_key = hybrid_public,
    .check = hybrid_check,
    .encap = hybrid_encap,
    .decap = hybrid_decap,
};

const struct kem_row kem_mlkem768_p256 = {
    .id = 0x0050,
    .npk = MLKEM_PUBLIC + POINT,
    .nsk = SEED,
    .nenc = MLKEM_CIPHERTEXT + POINT,
    .nsecret = 32,
    .dh = SOTTO_MLS_DH_P256,
    .ops = &hybrid,
};
