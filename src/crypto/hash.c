#include "crypto/hash.h"

#include <string.h>

const struct hash_row hash_sha256 = {&nettle_sha256, "SHA256", 32, 64};
const struct hash_row hash_sha384 = {&nettle_sha384, "SHA384", 48, 128};
const struct hash_row hash_sha512 = {&nettle_sha512, "SHA512", 64, 128};

static void state_update(const struct hash_row *row, union hash_state *state, sotto_bytes part)
{
    if (part.size > 0)
        row->nettle->update(state, part.size, part.data);
}

void hash_parts(const struct hash_row *row, const sotto_bytes *parts, size_t count, uint8_t *out)
{
    union hash_state state;
    row->nettle->init(&state);
    for (size_t i = 0; i < count; i++)
        state_update(row, &state, parts[i]);
    row->nettle->digest(&state, row->nh, out);
    wipe(&state, sizeof state);
}

void hmac_init(struct hmac *hmac, const struct hash_row *row, sotto_bytes key)
{
    uint8_t pad[HASH_BLOCK_MAX] = {0};
    if (key.size > row->block)
        hash_parts(row, &key, 1, pad);
    else if (key.size > 0)
        memcpy(pad, key.data, key.size);
    hmac->row = row;
    row->nettle->init(&hmac->inner);
    row->nettle->init(&hmac->outer);
    for (size_t i = 0; i < row->block; i++)
        pad[i] ^= 0x36;
    row->nettle->update(&hmac->inner, row->block, pad);
    for (size_t i = 0; i < row->block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    row->nettle->update(&hmac->outer, row->block, pad);
    wipe(pad, sizeof pad);
}

void hmac_update(struct hmac *hmac, sotto_bytes part)
{
    state_update(hmac->row, &hmac->inner, part);
}

void hmac_final(struct hmac *hmac, uint8_t *out)
{
    uint8_t inner[HASH_MAX];
    hmac->row->nettle->digest(&hmac->inner, hmac->row->nh, inner);
    hmac->row->nettle->update(&hmac->outer, hmac->row->nh, inner);
    hmac->row->nettle->digest(&hmac->outer, hmac->row->nh, out);
    wipe(inner, sizeof inner);
}

void hmac_parts(const struct hash_row *row, sotto_bytes key, const sotto_bytes *parts, size_t count,
                uint8_t *out)
{
    struct hmac hmac;
    hmac_init(&hmac, row, key);
    for (size_t i = 0; i < count; i++)
        hmac_update(&hmac, parts[i]);
    hmac_final(&hmac, out);
    wipe(&hmac, sizeof hmac);
}

void hkdf_expand_parts(const struct hash_row *row, sotto_bytes prk, const sotto_bytes *info,
                       size_t count, uint8_t *out, size_t length)
{
    BUG_UNLESS(length <= (size_t)255 * row->nh);
    struct hmac keyed, hmac;
    uint8_t block[HASH_MAX];
    size_t done = 0;
    hmac_init(&keyed, row, prk);
    for (uint8_t counter = 1; done < length; counter++) {
        hmac = keyed;
        if (counter > 1)
            hmac_update(&hmac, sotto_bytes_of(block, row->nh));
        for (size_t i = 0; i < count; i++)
            hmac_update(&hmac, info[i]);
        hmac_update(&hmac, sotto_bytes_of(&counter, 1));
        hmac_final(&hmac, block);
        size_t take = length - done < row->nh ? length - done : row->nh;
        memcpy(out + done, block, take);
        done += take;
    }
    wipe(&keyed, sizeof keyed);
    wipe(&hmac, sizeof hmac);
    wipe(block, sizeof block);
}
