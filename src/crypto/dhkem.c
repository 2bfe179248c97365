/* DHKEM (RFC 9180, section 4.1) over the groups of the provider. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/public_taint.h"

#define NDH_MAX 66
#define DERIVE_ATTEMPTS 256 /* RFC 9180, 7.1.3 */

/* ExtractAndExpand(dh, kem_context = enc || pkR) */
static sotto_error dhkem_extract(struct crypto *crypto, const struct kem_row *row,
                                 const uint8_t *dh, const uint8_t *enc, const uint8_t *public_key,
                                 struct secret *shared)
{
    struct hpke_label label = hpke_label_kem(row->id);
    uint8_t prk[HASH_MAX];
    sotto_bytes ikm = sotto_bytes_of(dh, row->ndh);
    sotto_bytes context[2] = {sotto_bytes_of(enc, row->nenc), sotto_bytes_of(public_key, row->npk)};
    sotto_error error =
        hpke_extract(crypto, row->hash, &label, (sotto_bytes){0}, "eae_prk", &ikm, 1, prk);
    if (error == SOTTO_OK)
        error = hpke_expand(crypto, row->hash, &label, sotto_bytes_of(prk, row->hash->nh),
                            "shared_secret", context, 2, secret_reset(shared, row->nsecret),
                            row->nsecret);
    wipe(prk, sizeof prk);
    return error;
}

sotto_error dh_public(struct crypto *crypto, const struct kem_row *row, const uint8_t *private_key,
                      uint8_t *public_key)
{
    return crypto->provider->dh_public(crypto->ctx, (sotto_mls_dh)row->dh, private_key, public_key);
}

/* RFC 9180, 7.1.4: a result of zero is refused. On the NIST curves the x coordinate of no valid
 * product is zero. */
sotto_error dh_agree(struct crypto *crypto, const struct kem_row *row, const uint8_t *private_key,
                     const uint8_t *public_key, uint8_t *shared)
{
    sotto_error error = crypto->provider->dh_agree(crypto->ctx, (sotto_mls_dh)row->dh, private_key,
                                                   public_key, shared);
    public_from_here(&error, sizeof error);
    if (error != SOTTO_OK)
        return error;
    unsigned any = 0;
    for (size_t i = 0; i < row->ndh; i++)
        any |= shared[i];
    any = (any + 0xff) >> 8; /* 1: not zero */
    public_from_here(&any, sizeof any);
    return any != 0 ? SOTTO_OK : SOTTO_KEY;
}

static sotto_error dhkem_public(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    return dh_public(crypto, row, private_key, public_key);
}

sotto_error dh_check(struct crypto *crypto, const struct kem_row *row, const uint8_t *public_key)
{
    if (row->mask == 0)
        return SOTTO_OK; /* every string is a key; bad ones are found when a result is zero */
    return crypto->provider->dh_check(crypto->ctx, (sotto_mls_dh)row->dh, public_key);
}

/* RFC 9180, 7.1.3. On X25519 and X448 every string is a key; on the NIST curves candidates are
 * drawn until one is below the order. */
static sotto_error dhkem_derive(struct crypto *crypto, const struct kem_row *row, sotto_bytes ikm,
                                struct secret *private_key, uint8_t *public_key)
{
    struct hpke_label label = hpke_label_kem(row->id);
    uint8_t bytes[HASH_MAX];
    sotto_bytes prk = sotto_bytes_of(bytes, row->hash->nh);
    sotto_error error =
        hpke_extract(crypto, row->hash, &label, (sotto_bytes){0}, "dkp_prk", &ikm, 1, bytes);
    if (error != SOTTO_OK)
        return error;
    if (row->mask == 0) {
        error = hpke_expand(crypto, row->hash, &label, prk, "sk", NULL, 0,
                            secret_reset(private_key, row->nsk), row->nsk);
        if (error == SOTTO_OK)
            error = dh_public(crypto, row, private_key->data, public_key);
        goto out;
    }
    error = SOTTO_KEY;
    for (unsigned counter = 0; counter < DERIVE_ATTEMPTS && error == SOTTO_KEY; counter++) {
        uint8_t octet = (uint8_t)counter;
        sotto_bytes info = sotto_bytes_of(&octet, 1);
        error = hpke_expand(crypto, row->hash, &label, prk, "candidate", &info, 1,
                            secret_reset(private_key, row->nsk), row->nsk);
        private_key->data[0] &= row->mask;
        if (error == SOTTO_OK)
            error = dh_public(crypto, row, private_key->data, public_key);
    }
out:
    wipe(bytes, sizeof bytes);
    return error;
}

/* RFC 9180 leaves the way open; the NIST curves go through DeriveKeyPair to stay uniform. */
static sotto_error dhkem_generate(struct crypto *crypto, const struct kem_row *row,
                                  struct secret *private_key, uint8_t *public_key)
{
    if (row->mask == 0) {
        TRY(secret_random(private_key, row->nsk, crypto->env));
        return dh_public(crypto, row, private_key->data, public_key);
    }
    struct secret ikm = {0};
    sotto_error error = secret_random(&ikm, row->nsk, crypto->env);
    if (error == SOTTO_OK)
        error = dhkem_derive(crypto, row, secret_view(&ikm), private_key, public_key);
    secret_wipe(&ikm);
    return error;
}

static sotto_error dhkem_encap(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key, uint8_t *enc, struct secret *shared)
{
    struct secret ephemeral = {0};
    uint8_t dh[NDH_MAX];
    sotto_error error = dhkem_generate(crypto, row, &ephemeral, enc);
    if (error == SOTTO_OK)
        error = dh_agree(crypto, row, ephemeral.data, public_key, dh);
    if (error == SOTTO_OK)
        error = dhkem_extract(crypto, row, dh, enc, public_key, shared);
    secret_wipe(&ephemeral);
    wipe(dh, sizeof dh);
    return error;
}

static sotto_error dhkem_decap(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *private_key, const uint8_t *public_key,
                               const uint8_t *enc, struct secret *shared)
{
    uint8_t own[SIGNATURE_PUBLIC_MAX], dh[NDH_MAX];
    if (public_key == NULL) {
        TRY(dh_public(crypto, row, private_key, own));
        public_key = own;
    }
    sotto_error error = dh_agree(crypto, row, private_key, enc, dh);
    if (error == SOTTO_OK)
        error = dhkem_extract(crypto, row, dh, enc, public_key, shared);
    wipe(dh, sizeof dh);
    return error;
}

static const struct kem_ops dhkem = {
    .generate = dhkem_generate,
    .derive = dhkem_derive,
    .public_key = dhkem_public,
    .check = dh_check,
    .encap = dhkem_encap,
    .decap = dhkem_decap,
};

#define DHKEM(id_, public_size, private_size, secret_size, ndh_, mask_, hash_, dh_)                \
    {                                                                                              \
        .id = (id_), .npk = (public_size), .nsk = (private_size), .nenc = (public_size),           \
        .nsecret = (secret_size), .ndh = (ndh_), .mask = (mask_), .hash = &(hash_), .ops = &dhkem, \
        .dh = (dh_),                                                                               \
    }

const struct kem_row kem_p256 = DHKEM(0x0010, 65, 32, 32, 32, 0xff, hash_sha256, SOTTO_MLS_DH_P256);
const struct kem_row kem_p384 = DHKEM(0x0011, 97, 48, 48, 48, 0xff, hash_sha384, SOTTO_MLS_DH_P384);
const struct kem_row kem_p521 =
    DHKEM(0x0012, 133, 66, 64, 66, 0x01, hash_sha512, SOTTO_MLS_DH_P521);
const struct kem_row kem_x25519 = DHKEM(0x0020, 32, 32, 32, 32, 0, hash_sha256, SOTTO_MLS_X25519);
const struct kem_row kem_x448 = DHKEM(0x0021, 56, 56, 64, 56, 0, hash_sha512, SOTTO_MLS_X448);
