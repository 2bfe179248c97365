/* SHA-3 and SHAKE (FIPS 202), in our own C: OpenSSL's costs more to set up than short inputs take
 * to hash. Constant time. Inside src/crypto. */
#ifndef CRYPTO_KECCAK_H
#define CRYPTO_KECCAK_H

#include "base/base.h"

#define SHAKE128_RATE 168
#define SHAKE256_RATE 136
#define SHA3_256_RATE 136
#define SHA3_512_RATE 72
#define SHA3_SUFFIX 0x06
#define SHAKE_SUFFIX 0x1f

struct keccak {
    uint64_t lanes[25];
    uint32_t rate; /* bytes */
    uint32_t at;   /* where the next byte goes in, or comes from */
};

/* Absorb any number of times, finish once, squeeze any number of times. The owner wipes. */
void keccak_init(struct keccak *keccak, uint32_t rate);
void keccak_absorb(struct keccak *keccak, const uint8_t *data, size_t size);
void keccak_finish(struct keccak *keccak, uint8_t suffix);
void keccak_squeeze(struct keccak *keccak, uint8_t *out, size_t size);

/* Of the concatenation of parts. */
void sha3_256(const sotto_bytes *parts, size_t count, uint8_t out[static 32]);
void sha3_512(const sotto_bytes *parts, size_t count, uint8_t out[static 64]);
void shake256(const sotto_bytes *parts, size_t count, uint8_t *out, size_t size);

#endif
