/* Keccak-f[1600] over lanes of type LANE: uint64_t for one state, a vector of uint64_t for several
 * side by side. Defines static function keccak_f. A header, so that each user compiles it for its
 * own lane type and processor; the loops have constant bounds and are unrolled. */
#ifndef CRYPTO_KECCAK_F_H
#define CRYPTO_KECCAK_F_H

#include <stdint.h>

static const uint64_t keccak_round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

#define ROTATE(lane, by) ((lane) << (by) | (lane) >> (64 - (by)))

/* rho and pi in one: lane `to` receives lane `from`, with theta's column added, rotated. */
#define MOVE(to, from, by) b[to] = ROTATE(s[from] ^ d[(from) % 5], by)

/* One round from s into s. Written out, because a rotation by a constant is one instruction. */
static inline __attribute__((always_inline)) void keccak_round(LANE s[25], uint64_t constant)
{
    LANE b[25], c[5], d[5];
    for (int x = 0; x < 5; x++)
        c[x] = s[x] ^ s[x + 5] ^ s[x + 10] ^ s[x + 15] ^ s[x + 20];
    for (int x = 0; x < 5; x++)
        d[x] = c[(x + 4) % 5] ^ ROTATE(c[(x + 1) % 5], 1);
    b[0] = s[0] ^ d[0];
    MOVE(1, 6, 44), MOVE(2, 12, 43), MOVE(3, 18, 21), MOVE(4, 24, 14);
    MOVE(5, 3, 28), MOVE(6, 9, 20), MOVE(7, 10, 3), MOVE(8, 16, 45), MOVE(9, 22, 61);
    MOVE(10, 1, 1), MOVE(11, 7, 6), MOVE(12, 13, 25), MOVE(13, 19, 8), MOVE(14, 20, 18);
    MOVE(15, 4, 27), MOVE(16, 5, 36), MOVE(17, 11, 10), MOVE(18, 17, 15), MOVE(19, 23, 56);
    MOVE(20, 2, 62), MOVE(21, 8, 55), MOVE(22, 14, 39), MOVE(23, 15, 41), MOVE(24, 21, 2);
    for (int y = 0; y < 25; y += 5) {
        for (int x = 0; x < 5; x++)
            s[y + x] = b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]);
    }
    s[0] ^= constant;
}

static void keccak_f(LANE state[25])
{
    LANE s[25];
    for (int i = 0; i < 25; i++)
        s[i] = state[i];
    for (int round = 0; round < 24; round += 2) {
        keccak_round(s, keccak_round_constants[round]);
        keccak_round(s, keccak_round_constants[round + 1]);
    }
    for (int i = 0; i < 25; i++)
        state[i] = s[i];
}

#undef MOVE
#undef ROTATE
#endif
