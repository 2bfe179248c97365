/* The NIST curves by hogweed. The DER of a signature is OpenSSL's: it is encoding, not arithmetic.
 */
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <nettle/nettle-meta.h>

#include <openssl/ecdsa.h>

#include "providers/other_internal.h"

#define SIZE_MAX_OF_A_SCALAR 66

static const size_t sizes[] = {32, 48, 66};

static const struct ecc_curve *curve_of(unsigned curve)
{
    return curve == 0   ? nettle_get_secp_256r1()
           : curve == 1 ? nettle_get_secp_384r1()
                        : nettle_get_secp_521r1();
}

static bool scalar_set(struct ecc_scalar *scalar, unsigned curve, const uint8_t *bytes)
{
    mpz_t z;
    ecc_scalar_init(scalar, curve_of(curve));
    nettle_mpz_init_set_str_256_u(z, sizes[curve], bytes);
    bool good = ecc_scalar_set(scalar, z) == 1;
    mpz_clear(z);
    return good;
}

static bool point_set(struct ecc_point *point, unsigned curve, const uint8_t *bytes)
{
    mpz_t x, y;
    ecc_point_init(point, curve_of(curve));
    nettle_mpz_init_set_str_256_u(x, sizes[curve], bytes + 1);
    nettle_mpz_init_set_str_256_u(y, sizes[curve], bytes + 1 + sizes[curve]);
    bool good = bytes[0] == 4 && ecc_point_set(point, x, y) == 1;
    mpz_clear(x);
    mpz_clear(y);
    return good;
}

static void point_get(const struct ecc_point *point, unsigned curve, uint8_t *x_out, uint8_t *y_out)
{
    mpz_t x, y;
    mpz_init(x);
    mpz_init(y);
    ecc_point_get(point, x, y);
    nettle_mpz_get_str_256(sizes[curve], x_out, x);
    if (y_out != NULL)
        nettle_mpz_get_str_256(sizes[curve], y_out, y);
    mpz_clear(x);
    mpz_clear(y);
}

sotto_error nist_other_public(unsigned curve, const uint8_t *private_key, uint8_t *public_key)
{
    struct ecc_scalar scalar;
    struct ecc_point point;
    bool good = scalar_set(&scalar, curve, private_key);
    ecc_point_init(&point, curve_of(curve));
    if (good) {
        ecc_point_mul_g(&point, &scalar);
        public_key[0] = 4;
        point_get(&point, curve, public_key + 1, public_key + 1 + sizes[curve]);
    }
    ecc_point_clear(&point);
    ecc_scalar_clear(&scalar);
    return good ? SOTTO_OK : SOTTO_KEY;
}

sotto_error nist_other_agree(unsigned curve, const uint8_t *private_key, const uint8_t *public_key,
                             uint8_t *shared)
{
    struct ecc_scalar scalar;
    struct ecc_point peer, product;
    bool good = scalar_set(&scalar, curve, private_key);
    good = point_set(&peer, curve, public_key) && good;
    ecc_point_init(&product, curve_of(curve));
    if (good) {
        ecc_point_mul(&product, &scalar, &peer);
        point_get(&product, curve, shared, NULL);
    }
    ecc_point_clear(&product);
    ecc_point_clear(&peer);
    ecc_scalar_clear(&scalar);
    return good ? SOTTO_OK : SOTTO_KEY;
}

sotto_error nist_other_check(unsigned curve, const uint8_t *public_key)
{
    struct ecc_point point;
    bool good = point_set(&point, curve, public_key);
    ecc_point_clear(&point);
    return good ? SOTTO_OK : SOTTO_KEY;
}

/* ---- ECDSA ---- */

static size_t digest_of(unsigned curve, sotto_bytes message, uint8_t digest[64])
{
    const struct nettle_hash *hash = curve == 0   ? &nettle_sha256
                                     : curve == 1 ? &nettle_sha384
                                                  : &nettle_sha512;
    union {
        uint64_t align;
        uint8_t bytes[512];
    } state;
    BUG_UNLESS(hash->context_size <= sizeof state);
    hash->init(&state);
    hash->update(&state, message.size, message.data);
    hash->digest(&state, hash->digest_size, digest);
    return hash->digest_size;
}

static void random_bytes(void *ctx, size_t size, uint8_t *out)
{
    (void)ctx;
    if (sotto_env_system()->random(NULL, out, size) != SOTTO_OK)
        abort();
}

static BIGNUM *number_of(const mpz_t z, size_t size)
{
    uint8_t bytes[SIZE_MAX_OF_A_SCALAR];
    nettle_mpz_get_str_256(size, bytes, z);
    return BN_bin2bn(bytes, (int)size, NULL);
}

sotto_error nist_other_sign(unsigned curve, const uint8_t *private_key, sotto_bytes message,
                            uint8_t *signature, size_t *size)
{
    struct ecc_scalar scalar;
    struct dsa_signature rs;
    uint8_t digest[64];
    dsa_signature_init(&rs);
    sotto_error error = scalar_set(&scalar, curve, private_key) ? SOTTO_OK : SOTTO_KEY;
    if (error == SOTTO_OK) {
        ecdsa_sign(&scalar, NULL, random_bytes, digest_of(curve, message, digest), digest, &rs);
        ECDSA_SIG *der = ECDSA_SIG_new();
        ECDSA_SIG_set0(der, number_of(rs.r, sizes[curve]), number_of(rs.s, sizes[curve]));
        int written = i2d_ECDSA_SIG(der, &signature);
        ECDSA_SIG_free(der);
        error = written > 0 ? SOTTO_OK : SOTTO_INTERNAL;
        *size = (size_t)written;
    }
    dsa_signature_clear(&rs);
    ecc_scalar_clear(&scalar);
    return error;
}

static bool number_get(const BIGNUM *number, unsigned curve, mpz_t z)
{
    uint8_t bytes[SIZE_MAX_OF_A_SCALAR];
    int size = (int)sizes[curve];
    if (BN_is_negative(number) || BN_bn2binpad(number, bytes, size) != size)
        return false;
    nettle_mpz_set_str_256_u(z, (size_t)size, bytes);
    return true;
}

/* Strict: what OpenSSL reads must be what it would write. */
static ECDSA_SIG *der_read(sotto_bytes signature)
{
    const uint8_t *at = signature.data;
    uint8_t *again = NULL;
    ECDSA_SIG *der = d2i_ECDSA_SIG(NULL, &at, (long)signature.size);
    int size = der == NULL ? 0 : i2d_ECDSA_SIG(der, &again);
    bool same = size > 0 && sotto_bytes_equal(signature, sotto_bytes_of(again, (size_t)size));
    OPENSSL_free(again);
    if (same)
        return der;
    ECDSA_SIG_free(der);
    return NULL;
}

sotto_error nist_other_verify(unsigned curve, const uint8_t *public_key, sotto_bytes message,
                              sotto_bytes signature)
{
    struct ecc_point point;
    struct dsa_signature rs;
    uint8_t digest[64];
    ECDSA_SIG *der = NULL;
    sotto_error error = point_set(&point, curve, public_key) ? SOTTO_SIGNATURE : SOTTO_KEY;
    dsa_signature_init(&rs);
    if (error == SOTTO_SIGNATURE)
        der = der_read(signature);
    if (der != NULL && number_get(ECDSA_SIG_get0_r(der), curve, rs.r) &&
        number_get(ECDSA_SIG_get0_s(der), curve, rs.s) &&
        ecdsa_verify(&point, digest_of(curve, message, digest), digest, &rs) == 1)
        error = SOTTO_OK;
    ECDSA_SIG_free(der);
    dsa_signature_clear(&rs);
    ecc_point_clear(&point);
    return error;
}
