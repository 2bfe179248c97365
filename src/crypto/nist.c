/* P-256, P-384 and P-521 over OpenSSL's groups, whose multiplication by a secret takes constant
 * time. Points on the wire are uncompressed (RFC 9180, 7.1.1). */
#include "crypto/internal.h"

#define UNCOMPRESSED 0x04

static const uint8_t masks[CURVE_COUNT] = {0xff, 0xff, 0x01};

uint8_t nist_mask(int curve)
{
    return masks[curve];
}

/* NULL when out of memory. The caller frees with BN_clear_free. */
static BIGNUM *scalar_load(sotto_bytes private_key)
{
    BIGNUM *scalar = BN_bin2bn(private_key.data, (int)private_key.size, NULL);
    if (scalar != NULL)
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
    return scalar;
}

static bool scalar_in_range(const EC_GROUP *group, const BIGNUM *scalar)
{
    return !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0;
}

bool nist_private_valid(struct crypto *crypto, int curve, sotto_bytes private_key)
{
    BIGNUM *scalar = scalar_load(private_key);
    bool valid = scalar != NULL && scalar_in_range(crypto->groups[curve], scalar);
    BN_clear_free(scalar);
    return valid;
}

/* Not at infinity by its size, on the curve by OpenSSL's check; all points have prime order. */
static sotto_error point_load(struct crypto *crypto, const EC_GROUP *group, sotto_bytes public_key,
                              EC_POINT *point)
{
    size_t size = 1 + 2 * (((size_t)EC_GROUP_get_degree(group) + 7) / 8);
    if (public_key.size != size || public_key.data[0] != UNCOMPRESSED ||
        EC_POINT_oct2point(group, point, public_key.data, public_key.size, crypto->bn) != 1)
        return SOTTO_KEY;
    return SOTTO_OK;
}

sotto_error nist_check(struct crypto *crypto, int curve, sotto_bytes public_key)
{
    const EC_GROUP *group = crypto->groups[curve];
    EC_POINT *point = EC_POINT_new(group);
    if (point == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = point_load(crypto, group, public_key, point);
    EC_POINT_free(point);
    return error;
}

sotto_error nist_public(struct crypto *crypto, int curve, sotto_bytes private_key,
                        uint8_t *public_key, size_t public_size)
{
    const EC_GROUP *group = crypto->groups[curve];
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *scalar = scalar_load(private_key);
    sotto_error error = SOTTO_NO_MEMORY;
    if (point == NULL || scalar == NULL)
        goto out;
    error = SOTTO_KEY;
    if (!scalar_in_range(group, scalar))
        goto out;
    error = SOTTO_INTERNAL;
    if (EC_POINT_mul(group, point, scalar, NULL, NULL, crypto->bn) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key, public_size,
                           crypto->bn) == public_size)
        error = SOTTO_OK;
out:
    BN_clear_free(scalar);
    EC_POINT_free(point);
    return error;
}

sotto_error nist_agree(struct crypto *crypto, int curve, sotto_bytes private_key,
                       sotto_bytes public_key, uint8_t *shared, size_t shared_size)
{
    const EC_GROUP *group = crypto->groups[curve];
    EC_POINT *peer = EC_POINT_new(group), *product = EC_POINT_new(group);
    BIGNUM *scalar = scalar_load(private_key), *x = BN_new();
    sotto_error error = SOTTO_NO_MEMORY;
    if (peer == NULL || product == NULL || scalar == NULL || x == NULL)
        goto out;
    error = SOTTO_KEY;
    if (!scalar_in_range(group, scalar) || point_load(crypto, group, public_key, peer) != SOTTO_OK)
        goto out;
    error = SOTTO_INTERNAL;
    if (EC_POINT_mul(group, product, NULL, peer, scalar, crypto->bn) == 1 &&
        EC_POINT_get_affine_coordinates(group, product, x, NULL, crypto->bn) == 1 &&
        BN_bn2binpad(x, shared, (int)shared_size) == (int)shared_size)
        error = SOTTO_OK;
out:
    BN_clear_free(x);
    BN_clear_free(scalar);
    EC_POINT_clear_free(product);
    EC_POINT_free(peer);
    return error;
}
