#include "crypto/keccak.h"

#include <string.h>

#define LANE uint64_t
#include "crypto/keccak_f.h"

static uint64_t load64(const uint8_t *in)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

static void store64(uint8_t *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

void keccak_init(struct keccak *keccak, uint32_t rate)
{
    memset(keccak, 0, sizeof *keccak);
    keccak->rate = rate;
}

static void xor_byte(struct keccak *keccak, uint32_t at, uint8_t value)
{
    keccak->lanes[at / 8] ^= (uint64_t)value << (8 * (at % 8));
}

void keccak_absorb(struct keccak *keccak, const uint8_t *data, size_t size)
{
    while (size > 0) {
        if (keccak->at % 8 == 0 && size >= 8) {
            keccak->lanes[keccak->at / 8] ^= load64(data);
            keccak->at += 8;
            data += 8;
            size -= 8;
        } else {
            xor_byte(keccak, keccak->at++, *data++);
            size--;
        }
        if (keccak->at == keccak->rate) {
            keccak_f(keccak->lanes);
            keccak->at = 0;
        }
    }
}

void keccak_finish(struct keccak *keccak, uint8_t suffix)
{
    xor_byte(keccak, keccak->at, suffix);
    xor_byte(keccak, keccak->rate - 1, 0x80);
    keccak->at = keccak->rate;
}

void keccak_squeeze(struct keccak *keccak, uint8_t *out, size_t size)
{
    while (size > 0) {
        if (keccak->at == keccak->rate) {
            keccak_f(keccak->lanes);
            keccak->at = 0;
        }
        if (keccak->at % 8 == 0 && size >= 8) {
            store64(out, keccak->lanes[keccak->at / 8]);
            keccak->at += 8;
            out += 8;
            size -= 8;
        } else {
            *out++ = (uint8_t)(keccak->lanes[keccak->at / 8] >> (8 * (keccak->at % 8)));
            keccak->at++;
            size--;
        }
    }
}

static void sponge(uint32_t rate, uint8_t suffix, const sotto_bytes *parts, size_t count,
                   uint8_t *out, size_t size)
{
    struct keccak keccak;
    keccak_init(&keccak, rate);
    for (size_t i = 0; i < count; i++)
        keccak_absorb(&keccak, parts[i].data, parts[i].size);
    keccak_finish(&keccak, suffix);
    keccak_squeeze(&keccak, out, size);
    wipe(&keccak, sizeof keccak);
}

void sha3_256(const sotto_bytes *parts, size_t count, uint8_t out[static 32])
{
    sponge(SHA3_256_RATE, SHA3_SUFFIX, parts, count, out, 32);
}

void sha3_512(const sotto_bytes *parts, size_t count, uint8_t out[static 64])
{
    sponge(SHA3_512_RATE, SHA3_SUFFIX, parts, count, out, 64);
}

void shake256(const sotto_bytes *parts, size_t count, uint8_t *out, size_t size)
{
    sponge(SHAKE256_RATE, SHAKE_SUFFIX, parts, count, out, size);
}
