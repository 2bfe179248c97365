/* SipHash-2-4 (Aumasson, Bernstein 2012): for tables whose keys a peer chooses. Whoever does not
 * know the seed cannot make keys that collide. Not a MAC for messages. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/base.h"

#define SIPHASH_SEED 16

uint64_t siphash(const uint8_t seed[static SIPHASH_SEED], sotto_bytes data);

#endif
