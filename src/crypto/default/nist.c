/* P-256, P-384 and P-521 over OpenSSL's groups, whose multiplication by a secret takes constant
 * time. Points on the wire are uncompressed (RFC 9180, 7.1.1). */
#include "crypto/default/internal.h"

#define UNCOMPRESSED 0x04

size_t nist_size(enum curve curve)
{
    static const uint8_t sizes[CURVE_COUNT] = {32, 48, 66};
    return sizes[curve];
}

static size_t point_size(enum curve curve)
{
    return 1 + 2 * nist_size(curve);
}

/* NULL when out of memory. The caller frees with BN_clear_free. */
static BIGNUM *scalar_load(enum curve curve, const uint8_t *private_key)
{
    BIGNUM *scalar = BN_bin2bn(private_key, (int)nist_size(curve), NULL);
    if (scalar != NULL)
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
    return scalar;
}

static bool scalar_in_range(const EC_GROUP *group, const BIGNUM *scalar)
{
    return !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0;
}

bool nist_private_valid(struct fetched *fetched, enum curve curve, const uint8_t *private_key)
{
    BIGNUM *scalar = scalar_load(curve, private_key);
    bool valid = scalar != NULL && scalar_in_range(fetched->groups[curve], scalar);
    BN_clear_free(scalar);
    return valid;
}

/* Not at infinity by its size, on the curve by OpenSSL's check; all points have prime order. */
static sotto_error point_load(struct fetched *fetched, enum curve curve, const uint8_t *public_key,
                              EC_POINT *point)
{
    if (public_key[0] != UNCOMPRESSED ||
        EC_POINT_oct2point(fetched->groups[curve], point, public_key, point_size(curve),
                           fetched->bn) != 1)
        return SOTTO_KEY;
    return SOTTO_OK;
}

sotto_error nist_check(struct fetched *fetched, enum curve curve, const uint8_t *public_key)
{
    const EC_GROUP *group = fetched->groups[curve];
    EC_POINT *point = EC_POINT_new(group);
    if (point == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = point_load(fetched, curve, public_key, point);
    EC_POINT_free(point);
    return error;
}

sotto_error nist_public(struct fetched *fetched, enum curve curve, const uint8_t *private_key,
                        uint8_t *public_key)
{
    const EC_GROUP *group = fetched->groups[curve];
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *scalar = scalar_load(curve, private_key);
    sotto_error error = SOTTO_NO_MEMORY;
    if (point == NULL || scalar == NULL)
        goto out;
    error = SOTTO_KEY;
    if (!scalar_in_range(group, scalar))
        goto out;
    error = SOTTO_INTERNAL;
    if (EC_POINT_mul(group, point, scalar, NULL, NULL, fetched->bn) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key,
                           point_size(curve), fetched->bn) == point_size(curve))
        error = SOTTO_OK;
out:
    BN_clear_free(scalar);
    EC_POINT_free(point);
    return error;
}

sotto_error nist_agree(struct fetched *fetched, enum curve curve, const uint8_t *private_key,
                       const uint8_t *public_key, uint8_t *shared)
{
    int size = (int)nist_size(curve);
    const EC_GROUP *group = fetched->groups[curve];
    EC_POINT *peer = EC_POINT_new(group), *product = EC_POINT_new(group);
    BIGNUM *scalar = scalar_load(curve, private_key), *x = BN_new();
    sotto_error error = SOTTO_NO_MEMORY;
    if (peer == NULL || product == NULL || scalar == NULL || x == NULL)
        goto out;
    error = SOTTO_KEY;
    if (!scalar_in_range(group, scalar) || point_load(fetched, curve, public_key, peer) != SOTTO_OK)
        goto out;
    error = SOTTO_INTERNAL;
    if (EC_POINT_mul(group, product, NULL, peer, scalar, fetched->bn) == 1 &&
        EC_POINT_get_affine_coordinates(group, product, x, NULL, fetched->bn) == 1 &&
        BN_bn2binpad(x, shared, size) == size)
        error = SOTTO_OK;
out:
    BN_clear_free(x);
    BN_clear_free(scalar);
    EC_POINT_clear_free(product);
    EC_POINT_free(peer);
    return error;
}
