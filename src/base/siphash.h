/* SipHash-2-4 (Aumasson, Bernstein 2012), and a fingerprint of long inputs that is made with it:
 * for tables whose keys a peer chooses, and to find damage in what was stored. Whoever does not
 * know the seed cannot make inputs that collide. Not a MAC for messages. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/base.h"

#define SIPHASH_SEED 16

uint64_t siphash(const uint8_t seed[static SIPHASH_SEED], sotto_bytes data);

#define FINGERPRINT_BLOCK 128

/* Fields are the fingerprint's own. To be wiped where the seed is a secret. */
struct fingerprint {
    uint8_t seed[SIPHASH_SEED];
    uint64_t words[FINGERPRINT_BLOCK / 8];
};

void fingerprint_init(struct fingerprint *f, const uint8_t seed[static SIPHASH_SEED]);

/* 64 bits that depend on all of domain and data, the same on every machine: SipHash-2-4 of domain
 * and size (64 bits each, little-endian like all here) and the data, whose whole blocks of 128
 * bytes each become 16 by NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, 1999) over 64-bit
 * words first. So long inputs cost an eighth of SipHash's time. Two inputs collide with a
 * probability of about 2^-63 a block, over the choice of the seed. */
uint64_t fingerprint(const struct fingerprint *f, uint64_t domain, sotto_bytes data);

#endif
