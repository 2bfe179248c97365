#include "crypto/hash.h"

#include <string.h>

#include "crypto/internal.h"

const struct hash_row hash_sha256 = {SOTTO_MLS_SHA256, 32, 64};
const struct hash_row hash_sha384 = {SOTTO_MLS_SHA384, 48, 128};
const struct hash_row hash_sha512 = {SOTTO_MLS_SHA512, 64, 128};

sotto_error hash_parts(struct crypto *crypto, const struct hash_row *row, const sotto_bytes *parts,
                       size_t count, uint8_t *out)
{
    sotto_error error = crypto->provider->hash(crypto->ctx, row->id, parts, count, out);
    if (error != SOTTO_OK)
        wipe(out, row->nh);
    return error;
}

/* RFC 2104: H(K ^ opad || H(K ^ ipad || parts)) */
static sotto_error hmac_of_hash(struct crypto *crypto, const struct hash_row *row, sotto_bytes key,
                                const sotto_bytes *parts, size_t count, uint8_t *out)
{
    uint8_t pad[HASH_BLOCK_MAX] = {0}, inner[HASH_MAX];
    sotto_bytes list[1 + HMAC_PARTS_MAX] = {sotto_bytes_of(pad, row->block)};
    sotto_error error = SOTTO_OK;
    if (key.size > row->block)
        error = hash_parts(crypto, row, &key, 1, pad);
    else if (key.size > 0)
        memcpy(pad, key.data, key.size);
    for (size_t i = 0; i < row->block; i++)
        pad[i] ^= 0x36;
    for (size_t i = 0; i < count; i++)
        list[1 + i] = parts[i];
    if (error == SOTTO_OK)
        error = hash_parts(crypto, row, list, 1 + count, inner);
    for (size_t i = 0; i < row->block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    list[1] = sotto_bytes_of(inner, row->nh);
    if (error == SOTTO_OK)
        error = hash_parts(crypto, row, list, 2, out);
    else
        wipe(out, row->nh);
    wipe(pad, sizeof pad);
    wipe(inner, sizeof inner);
    return error;
}

sotto_error hmac_parts(struct crypto *crypto, const struct hash_row *row, sotto_bytes key,
                       const sotto_bytes *parts, size_t count, uint8_t *out)
{
    BUG_UNLESS(count <= HMAC_PARTS_MAX);
    if (crypto->provider->hmac == NULL)
        return hmac_of_hash(crypto, row, key, parts, count, out);
    sotto_error error = crypto->provider->hmac(crypto->ctx, row->id, key, parts, count, out);
    if (error != SOTTO_OK)
        wipe(out, row->nh);
    return error;
}

sotto_error hkdf_expand_parts(struct crypto *crypto, const struct hash_row *row, sotto_bytes prk,
                              const sotto_bytes *info, size_t count, uint8_t *out, size_t length)
{
    BUG_UNLESS(length <= (size_t)255 * row->nh && count <= HMAC_PARTS_MAX - 2);
    uint8_t blocks[2][HASH_MAX], counter = 0;
    /* T(i) = HMAC(PRK, T(i - 1) || info || i), of which the first has no T before it. */
    sotto_bytes parts[HMAC_PARTS_MAX] = {sotto_bytes_of(blocks[0], 0)};
    for (size_t i = 0; i < count; i++)
        parts[1 + i] = info[i];
    parts[1 + count] = sotto_bytes_of(&counter, 1);
    sotto_error error = SOTTO_OK;
    for (size_t done = 0; error == SOTTO_OK && done < length;) {
        size_t take = length - done < row->nh ? length - done : row->nh;
        uint8_t *block = blocks[++counter & 1];
        error = hmac_parts(crypto, row, prk, parts, 2 + count, block);
        memcpy(out + done, block, take);
        parts[0] = sotto_bytes_of(block, row->nh);
        done += take;
    }
    if (error != SOTTO_OK)
        wipe(out, length);
    wipe(blocks, sizeof blocks);
    return error;
}
