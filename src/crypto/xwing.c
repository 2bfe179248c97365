/* X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 together, broken only when both
 * are. Private key: a seed of 32 bytes. Public key: pk_M || pk_X. Encapsulation: ct_M || ct_X. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/keccak.h"
#include "crypto/mlkem.h"

#define SEED 32
#define EXPANDED (MLKEM_SEED + 32)

/* (d || z || sk_X) = SHAKE256(sk, 96) */
static void xwing_expand(const uint8_t *private_key, uint8_t expanded[static EXPANDED])
{
    sotto_bytes part = sotto_bytes_of(private_key, SEED);
    shake256(&part, 1, expanded, EXPANDED);
}

/* ss = SHA3-256(ss_M || ss_X || ct_X || pk_X || XWingLabel) */
static void xwing_combine(const uint8_t *shared_m, const uint8_t *shared_x, const uint8_t *ct_x,
                          const uint8_t *pk_x, struct secret *shared)
{
    static const uint8_t name[6] = {0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c};
    sotto_bytes parts[5] = {
        sotto_bytes_of(shared_m, 32), sotto_bytes_of(shared_x, 32),      sotto_bytes_of(ct_x, 32),
        sotto_bytes_of(pk_x, 32),     sotto_bytes_of(name, sizeof name),
    };
    sha3_256(parts, 5, secret_reset(shared, 32));
}

static sotto_error xwing_public(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    (void)row;
    uint8_t expanded[EXPANDED];
    xwing_expand(private_key, expanded);
    sotto_error error = mlkem768_public(crypto, expanded, public_key);
    if (error == SOTTO_OK)
        error = dh_public(crypto, &kem_x25519, expanded + MLKEM_SEED, public_key + MLKEM_PUBLIC);
    wipe(expanded, sizeof expanded);
    return error;
}

static sotto_error xwing_generate(struct crypto *crypto, const struct kem_row *row,
                                  struct secret *private_key, uint8_t *public_key)
{
    TRY(secret_random(private_key, SEED, crypto->env));
    return xwing_public(crypto, row, private_key->data, public_key);
}

static sotto_error xwing_derive(struct crypto *crypto, const struct kem_row *row, sotto_bytes ikm,
                                struct secret *private_key, uint8_t *public_key)
{
    hpke_pq_derive(row->id, ikm, secret_reset(private_key, SEED), SEED);
    return xwing_public(crypto, row, private_key->data, public_key);
}

/* The X25519 half has nothing to check. */
static sotto_error xwing_check(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key)
{
    (void)crypto;
    (void)row;
    return mlkem_public_valid(public_key) ? SOTTO_OK : SOTTO_KEY;
}

/* Randomness as EncapsulateDerand splits it: m for ML-KEM, then the ephemeral X25519 key. */
static sotto_error xwing_encap(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key, uint8_t *enc, struct secret *shared)
{
    (void)row;
    uint8_t random[64], shared_m[32], shared_x[32];
    const uint8_t *pk_x = public_key + MLKEM_PUBLIC;
    uint8_t *ct_x = enc + MLKEM_CIPHERTEXT;
    sotto_error error = crypto->env->random(crypto->env->ctx, random, sizeof random);
    if (error == SOTTO_OK)
        error = mlkem768_encaps(crypto, public_key, random, enc, shared_m);
    if (error != SOTTO_OK)
        goto out;
    error = dh_public(crypto, &kem_x25519, random + 32, ct_x);
    if (error == SOTTO_OK)
        error = dh_agree(crypto, &kem_x25519, random + 32, pk_x, shared_x);
    if (error == SOTTO_OK)
        xwing_combine(shared_m, shared_x, ct_x, pk_x, shared);
out:
    wipe(random, sizeof random);
    wipe(shared_m, sizeof shared_m);
    wipe(shared_x, sizeof shared_x);
    return error;
}

static sotto_error xwing_decap(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *private_key, const uint8_t *public_key,
                               const uint8_t *enc, struct secret *shared)
{
    (void)row;
    uint8_t expanded[EXPANDED], shared_m[32], shared_x[32], pk_x[32];
    const uint8_t *sk_x = expanded + MLKEM_SEED, *ct_x = enc + MLKEM_CIPHERTEXT;
    xwing_expand(private_key, expanded);
    sotto_error error = mlkem768_decaps(crypto, expanded, enc, shared_m);
    if (error != SOTTO_OK)
        goto out;
    if (public_key != NULL)
        memcpy(pk_x, public_key + MLKEM_PUBLIC, sizeof pk_x);
    else
        error = dh_public(crypto, &kem_x25519, sk_x, pk_x);
    if (error == SOTTO_OK)
        error = dh_agree(crypto, &kem_x25519, sk_x, ct_x, shared_x);
    if (error == SOTTO_OK)
        xwing_combine(shared_m, shared_x, ct_x, pk_x, shared);
out:
    wipe(expanded, sizeof expanded);
    wipe(shared_m, sizeof shared_m);
    wipe(shared_x, sizeof shared_x);
    return error;
}

static const struct kem_ops xwing = {
    .generate = xwing_generate,
    .derive = xwing_derive,
    .public_key = xwing_public,
    .check = xwing_check,
    .encap = xwing_encap,
    .decap = xwing_decap,
};

const struct kem_row kem_xwing = {
    .id = 0x647a,
    .npk = MLKEM_PUBLIC + 32,
    .nsk = SEED,
    .nenc = MLKEM_CIPHERTEXT + 32,
    .nsecret = 32,
    .dh = SOTTO_MLS_X25519,
    .ops = &xwing,
};
