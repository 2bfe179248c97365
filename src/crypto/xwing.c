/* X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 together, broken only when both
 * are. Private key: a seed of 32 bytes. Public key: pk_M || pk_X. Encapsulation: ct_M || ct_X. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/keccak.h"
#include "crypto/mlkem.h"
#include "crypto/public_taint.h"

#define SEED 32
#define EXPANDED (MLKEM_SEED + 32)

/* Not branched on: the caller declares the verdict public first. */
static sotto_error x25519_base(struct crypto *crypto, uint8_t *public_key,
                               const uint8_t *private_key)
{
    return dh_x25519.public_key(crypto, &kem_x25519, private_key, public_key);
}

/* Not OK: the result is zero. */
static sotto_error x25519_agree(struct crypto *crypto, uint8_t *shared, const uint8_t *private_key,
                                const uint8_t *public_key)
{
    return dh_x25519.agree(crypto, &kem_x25519, private_key, public_key, shared);
}

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
    struct mlkem_key key;
    xwing_expand(private_key, expanded);
    mlkem_expand(crypto->kpke, expanded, &key);
    memcpy(public_key, key.ek, MLKEM_PUBLIC);
    sotto_error error = x25519_base(crypto, public_key + MLKEM_PUBLIC, expanded + MLKEM_SEED);
    wipe(expanded, sizeof expanded);
    wipe(&key, sizeof key);
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
        error = mlkem_encaps(crypto->kpke, public_key, random, enc, shared_m);
    if (error != SOTTO_OK)
        goto out;
    error = SOTTO_KEY;
    unsigned bad = (unsigned)x25519_base(crypto, ct_x, random + 32);
    bad |= (unsigned)x25519_agree(crypto, shared_x, random + 32, pk_x);
    public_from_here(&bad, sizeof bad);
    if (bad != 0)
        goto out;
    xwing_combine(shared_m, shared_x, ct_x, pk_x, shared);
    error = SOTTO_OK;
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
    struct mlkem_key key;
    uint8_t expanded[EXPANDED], shared_m[32], shared_x[32], pk_x[32];
    const uint8_t *sk_x = expanded + MLKEM_SEED, *ct_x = enc + MLKEM_CIPHERTEXT;
    sotto_error error = SOTTO_KEY;
    xwing_expand(private_key, expanded);
    mlkem_expand(crypto->kpke, expanded, &key);
    mlkem_decaps(&key, enc, shared_m);
    if (public_key != NULL)
        memcpy(pk_x, public_key + MLKEM_PUBLIC, sizeof pk_x);
    else if (x25519_base(crypto, pk_x, sk_x) != SOTTO_OK)
        goto out;
    unsigned bad = (unsigned)x25519_agree(crypto, shared_x, sk_x, ct_x);
    public_from_here(&bad, sizeof bad);
    if (bad != 0)
        goto out;
    xwing_combine(shared_m, shared_x, ct_x, pk_x, shared);
    error = SOTTO_OK;
out:
    wipe(&key, sizeof key);
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
    .curve = CURVE_NONE,
    .ops = &xwing,
};
