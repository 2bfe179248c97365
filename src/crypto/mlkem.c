#include "crypto/mlkem.h"

#include <string.h>

#include "crypto/keccak.h"

#define Q 3329

void kpke_usable(const struct kpke_ops *usable[KPKE_VARIANTS])
{
    size_t count = 0;
#ifdef KPKE_X86
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        usable[count++] = &kpke_avx512;
    if (avx2)
        usable[count++] = &kpke_avx2;
#endif
    usable[count++] = &kpke_portable;
    usable[count] = NULL;
}

const struct kpke_ops *mlkem_best(void)
{
    const struct kpke_ops *usable[KPKE_VARIANTS];
    kpke_usable(usable);
    return usable[0];
}

static void hash_ek(const uint8_t ek[static MLKEM_PUBLIC], uint8_t out[static 32])
{
    sotto_bytes part = sotto_bytes_of(ek, MLKEM_PUBLIC);
    sha3_256(&part, 1, out);
}

/* (K, r) = G(m || H(ek)) */
static void hash_coins(const uint8_t m[static 32], const uint8_t ek_hash[static 32],
                       uint8_t out[static 64])
{
    sotto_bytes parts[2] = {sotto_bytes_of(m, 32), sotto_bytes_of(ek_hash, 32)};
    sha3_512(parts, 2, out);
}

void mlkem_expand(const struct kpke_ops *ops, const uint8_t seed[static MLKEM_SEED],
                  struct mlkem_key *key)
{
    key->ops = ops;
    ops->generate(seed, key->ek, &key->pub, &key->priv);
    hash_ek(key->ek, key->ek_hash);
    memcpy(key->z, seed + 32, 32);
}

sotto_error mlkem_load(const struct kpke_ops *ops, const uint8_t dk[static MLKEM_EXPANDED],
                       struct mlkem_key *key)
{
    const uint8_t *ek = dk + KPKE_ENCODED_VECTOR, *hash = ek + MLKEM_PUBLIC;
    hash_ek(ek, key->ek_hash);
    if (memcmp(key->ek_hash, hash, 32) != 0 || !mlkem_public_valid(ek))
        return SOTTO_KEY;
    key->ops = ops;
    memcpy(key->ek, ek, MLKEM_PUBLIC);
    memcpy(key->z, hash + 32, 32);
    ops->load_public(ek, &key->pub);
    ops->load_private(dk, &key->priv);
    return SOTTO_OK;
}

void mlkem_store(const struct mlkem_key *key, uint8_t dk[static MLKEM_EXPANDED])
{
    key->ops->store_private(&key->priv, dk);
    memcpy(dk + KPKE_ENCODED_VECTOR, key->ek, MLKEM_PUBLIC);
    memcpy(dk + KPKE_ENCODED_VECTOR + MLKEM_PUBLIC, key->ek_hash, 32);
    memcpy(dk + KPKE_ENCODED_VECTOR + MLKEM_PUBLIC + 32, key->z, 32);
}

/* ByteEncode_12(ByteDecode_12(ek)) == ek: each of the 12-bit values is below Q. Four of them at a
 * time, because a group checks a key for each node of a path: spread over 16 bits each, a value
 * plus 2^12 - Q reaches bit 12 exactly if it is not below Q. */
bool mlkem_public_valid(const uint8_t ek[static MLKEM_PUBLIC])
{
    const uint64_t lanes = UINT64_C(0x0001000100010001);
    uint64_t above = 0;
    for (size_t i = 0; i < KPKE_ENCODED_VECTOR; i += 6) {
        uint64_t six = (uint64_t)ek[i] | (uint64_t)ek[i + 1] << 8 | (uint64_t)ek[i + 2] << 16 |
                       (uint64_t)ek[i + 3] << 24 | (uint64_t)ek[i + 4] << 32 |
                       (uint64_t)ek[i + 5] << 40;
        uint64_t two = (six & 0xffffff) | (six >> 24) << 32;
        uint64_t four = (two & 0x00000fff00000fff) | (two & 0x00fff00000fff000) << 4;
        above |= four + lanes * (4096 - Q);
    }
    return (above & lanes << 12) == 0;
}

sotto_error mlkem_encaps(const struct kpke_ops *ops, const uint8_t ek[static MLKEM_PUBLIC],
                         const uint8_t m[static 32], uint8_t ciphertext[static MLKEM_CIPHERTEXT],
                         uint8_t shared[static MLKEM_SHARED])
{
    struct kpke_public pub;
    uint8_t ek_hash[32], coins[64];
    if (!mlkem_public_valid(ek))
        return SOTTO_KEY;
    hash_ek(ek, ek_hash);
    hash_coins(m, ek_hash, coins);
    ops->load_public(ek, &pub);
    ops->encrypt(&pub, m, coins + 32, ciphertext);
    memcpy(shared, coins, MLKEM_SHARED);
    wipe(coins, sizeof coins);
    return SOTTO_OK;
}

void mlkem_decaps(const struct mlkem_key *key, const uint8_t ciphertext[static MLKEM_CIPHERTEXT],
                  uint8_t shared[static MLKEM_SHARED])
{
    uint8_t m[32], coins[64], again[MLKEM_CIPHERTEXT];
    sotto_bytes reject[2] = {sotto_bytes_of(key->z, 32),
                             sotto_bytes_of(ciphertext, MLKEM_CIPHERTEXT)};
    key->ops->decrypt(&key->priv, ciphertext, m);
    hash_coins(m, key->ek_hash, coins);
    shake256(reject, 2, shared, MLKEM_SHARED);
    key->ops->encrypt(&key->pub, m, coins + 32, again);
    /* The verdict is a secret too: no branch. The barriers keep the compiler from leaving the first
     * loop early and from seeing that the mask has two values. */
    uint32_t difference = 0;
    for (size_t i = 0; i < MLKEM_CIPHERTEXT; i++)
        difference |= (uint32_t)(ciphertext[i] ^ again[i]);
    __asm__("" : "+r"(difference));
    uint32_t mask = (difference - 1) >> 31; /* 1: equal */
    mask = 0u - mask;
    __asm__("" : "+r"(mask));
    for (size_t i = 0; i < MLKEM_SHARED; i++)
        shared[i] = (uint8_t)(shared[i] ^ (mask & (shared[i] ^ coins[i])));
    wipe(m, sizeof m);
    wipe(coins, sizeof coins);
    wipe(again, sizeof again);
}
