/* DHKEM (RFC 9180, section 4.1) over the groups of dh.c. */
#include <string.h>

#include "crypto/internal.h"

#define NDH_MAX 66
#define DERIVE_ATTEMPTS 256 /* RFC 9180, 7.1.3 */

/* ExtractAndExpand(dh, kem_context = enc || pkR) */
static void dhkem_extract(const struct kem_row *row, const uint8_t *dh, const uint8_t *enc,
                          const uint8_t *public_key, struct secret *shared)
{
    struct hpke_label label = hpke_label_kem(row->id);
    uint8_t prk[HASH_MAX];
    sotto_bytes ikm = sotto_bytes_of(dh, row->ndh);
    sotto_bytes context[2] = {sotto_bytes_of(enc, row->nenc), sotto_bytes_of(public_key, row->npk)};
    hpke_extract(row->hash, &label, (sotto_bytes){0}, "eae_prk", &ikm, 1, prk);
    hpke_expand(row->hash, &label, sotto_bytes_of(prk, row->hash->nh), "shared_secret", context, 2,
                secret_reset(shared, row->nsecret), row->nsecret);
    wipe(prk, sizeof prk);
}

static sotto_error dhkem_public(struct crypto *crypto, const struct kem_row *row,
                                const uint8_t *private_key, uint8_t *public_key)
{
    return row->dh->public_key(crypto, row, private_key, public_key);
}

static sotto_error dhkem_check(struct crypto *crypto, const struct kem_row *row,
                               const uint8_t *public_key)
{
    return row->dh->check(crypto, row, public_key);
}

/* RFC 9180, 7.1.3. On X25519 and X448 every string is a key; on the NIST curves candidates are
 * drawn until one is below the order. */
static sotto_error dhkem_derive(struct crypto *crypto, const struct kem_row *row, sotto_bytes ikm,
                                struct secret *private_key, uint8_t *public_key)
{
    struct hpke_label label = hpke_label_kem(row->id);
    uint8_t bytes[HASH_MAX];
    sotto_bytes prk = sotto_bytes_of(bytes, row->hash->nh);
    sotto_error error = SOTTO_KEY;
    hpke_extract(row->hash, &label, (sotto_bytes){0}, "dkp_prk", &ikm, 1, bytes);
    if (row->curve == CURVE_NONE) {
        hpke_expand(row->hash, &label, prk, "sk", NULL, 0, secret_reset(private_key, row->nsk),
                    row->nsk);
        error = row->dh->public_key(crypto, row, private_key->data, public_key);
        goto out;
    }
    for (unsigned counter = 0; counter < DERIVE_ATTEMPTS && error == SOTTO_KEY; counter++) {
        uint8_t octet = (uint8_t)counter;
        sotto_bytes info = sotto_bytes_of(&octet, 1);
        hpke_expand(row->hash, &label, prk, "candidate", &info, 1,
                    secret_reset(private_key, row->nsk), row->nsk);
        private_key->data[0] &= nist_mask(row->curve);
        error = row->dh->public_key(crypto, row, private_key->data, public_key);
    }
out:
    wipe(bytes, sizeof bytes);
    return error;
}

/* RFC 9180 leaves the way open; the NIST curves go through DeriveKeyPair to stay uniform. */
static sotto_error dhkem_generate(struct crypto *crypto, const struct kem_row *row,
                                  struct secret *private_key, uint8_t *public_key)
{
    if (row->curve == CURVE_NONE) {
        TRY(secret_random(private_key, row->nsk, crypto->env));
        return row->dh->public_key(crypto, row, private_key->data, public_key);
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
        error = row->dh->agree(crypto, row, ephemeral.data, public_key, dh);
    if (error == SOTTO_OK)
        dhkem_extract(row, dh, enc, public_key, shared);
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
        TRY(row->dh->public_key(crypto, row, private_key, own));
        public_key = own;
    }
    sotto_error error = row->dh->agree(crypto, row, private_key, enc, dh);
    if (error == SOTTO_OK)
        dhkem_extract(row, dh, enc, public_key, shared);
    wipe(dh, sizeof dh);
    return error;
}

static const struct kem_ops dhkem = {
    .generate = dhkem_generate,
    .derive = dhkem_derive,
    .public_key = dhkem_public,
    .check = dhkem_check,
    .encap = dhkem_encap,
    .decap = dhkem_decap,
};

#define DHKEM(id_, public_size, private_size, secret_size, ndh_, curve_, hash_, dh_)     \
    {                                                                                    \
        .id = (id_), .npk = (public_size), .nsk = (private_size), .nenc = (public_size), \
        .nsecret = (secret_size), .ndh = (ndh_), .curve = (curve_), .hash = &(hash_),    \
        .ops = &dhkem, .dh = &(dh_),                                                     \
    }

const struct kem_row kem_p256 = DHKEM(0x0010, 65, 32, 32, 32, CURVE_P256, hash_sha256, dh_nist);
const struct kem_row kem_p384 = DHKEM(0x0011, 97, 48, 48, 48, CURVE_P384, hash_sha384, dh_nist);
const struct kem_row kem_p521 = DHKEM(0x0012, 133, 66, 64, 66, CURVE_P521, hash_sha512, dh_nist);
const struct kem_row kem_x25519 = DHKEM(0x0020, 32, 32, 32, 32, CURVE_NONE, hash_sha256, dh_x25519);
const struct kem_row kem_x448 = DHKEM(0x0021, 56, 56, 64, 56, CURVE_NONE, hash_sha512, dh_x448);
