#include "base/siphash.h"

struct sip {
    uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

/* Little-endian; written so that compilers make one load of it. */
static uint64_t load64(const uint8_t *b)
{
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

static void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate(s->b, 17) ^ s->c;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

static void sip_absorb(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    sip_round(s);
    s->a ^= word;
}

static struct sip sip_start(const uint8_t *seed)
{
    uint64_t k0 = load64(seed), k1 = load64(seed + 8);
    return (struct sip){k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
                        k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
}

/* What is left of the input, and the size of all of it. */
static uint64_t sip_end(struct sip *s, sotto_bytes data, size_t size)
{
    size_t at = 0;
    for (; data.size - at >= 8; at += 8)
        sip_absorb(s, load64(data.data + at));
    uint64_t last = (uint64_t)size << 56;
    for (unsigned shift = 0; at < data.size; at++, shift += 8)
        last |= (uint64_t)data.data[at] << shift;
    sip_absorb(s, last);
    s->c ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

uint64_t siphash(const uint8_t seed[static SIPHASH_SEED], sotto_bytes data)
{
    struct sip s = sip_start(seed);
    return sip_end(&s, data, data.size);
}

/* ---- Fingerprints ---------------------------------------------------------------------------- */

/* sum[1] : sum[0] += a * b, modulo 2^128. */
#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;

static void add_product(uint64_t sum[2], uint64_t a, uint64_t b)
{
    uint128 total = ((uint128)sum[1] << 64 | sum[0]) + (uint128)a * b;
    sum[0] = (uint64_t)total;
    sum[1] = (uint64_t)(total >> 64);
}
#else
static void add_product(uint64_t sum[2], uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t middle_low = a0 * b1 + (uint32_t)middle;
    uint64_t low = a * b, high = a1 * b1 + (middle >> 32) + (middle_low >> 32);
    sum[0] += low;
    sum[1] += high + (sum[0] < low);
}
#endif

void fingerprint_init(struct fingerprint *f, const uint8_t seed[static SIPHASH_SEED])
{
    for (unsigned i = 0; i < SIPHASH_SEED; i++)
        f->seed[i] = seed[i];
    for (uint8_t i = 0; i < FINGERPRINT_BLOCK / 8; i++)
        f->words[i] = siphash(seed, sotto_bytes_of(&i, 1));
}

static void absorb_block(const struct fingerprint *f, const uint8_t *block, struct sip *s)
{
    uint64_t sum[2] = {0, 0};
    for (unsigned i = 0; i < FINGERPRINT_BLOCK / 8; i += 2)
        add_product(sum, load64(block + (size_t)8 * i) + f->words[i],
                    load64(block + (size_t)8 * i + 8) + f->words[i + 1]);
    sip_absorb(s, sum[0]);
    sip_absorb(s, sum[1]);
}

uint64_t fingerprint(const struct fingerprint *f, uint64_t domain, sotto_bytes data)
{
    struct sip s = sip_start(f->seed);
    sotto_bytes rest = data;
    sip_absorb(&s, domain);
    sip_absorb(&s, (uint64_t)data.size);
    size_t absorbed = 16;
    for (; rest.size >= FINGERPRINT_BLOCK; rest.size -= FINGERPRINT_BLOCK) {
        absorb_block(f, rest.data, &s);
        rest.data += FINGERPRINT_BLOCK;
        absorbed += 16;
    }
    return sip_end(&s, rest, absorbed + rest.size);
}
