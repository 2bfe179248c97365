/* Numbers that people compare. */
#include <sodium.h>
#include <string.h>

#include "core/identity.h"

#define LABEL "sotto.v1 fingerprint"
#define ROUNDS 5200
#define GROUPS 6      /* of five digits */
#define GROUP_BYTES 5 /* of the hash; 40 bits modulo 100000 are even to one in ten million */

static void iterate(const uint8_t key[SIGN_KEY_SIZE], uint8_t hash[crypto_hash_sha512_BYTES])
{
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, (const uint8_t *)LABEL, sizeof LABEL - 1);
    crypto_hash_sha512_update(&state, key, SIGN_KEY_SIZE);
    crypto_hash_sha512_final(&state, hash);
    for (int round = 1; round < ROUNDS; round++) {
        crypto_hash_sha512_init(&state);
        crypto_hash_sha512_update(&state, hash, crypto_hash_sha512_BYTES);
        crypto_hash_sha512_update(&state, key, SIGN_KEY_SIZE);
        crypto_hash_sha512_final(&state, hash);
    }
}

void identity_fingerprint(const uint8_t account_key[SIGN_KEY_SIZE],
                          char digits[IDENTITY_FINGERPRINT_SIZE])
{
    uint8_t hash[crypto_hash_sha512_BYTES];
    iterate(account_key, hash);
    for (size_t group = 0; group < GROUPS; group++) {
        uint64_t value = 0;
        for (size_t i = 0; i < GROUP_BYTES; i++)
            value = value << 8 | hash[group * GROUP_BYTES + i];
        snprintf(digits + group * 6, 6, "%05u", (unsigned)(value % 100000));
        digits[group * 6 + 5] = group + 1 < GROUPS ? ' ' : '\0';
    }
}

void identity_pair_fingerprint(const uint8_t a[SIGN_KEY_SIZE], const uint8_t b[SIGN_KEY_SIZE],
                               char digits[IDENTITY_PAIR_SIZE])
{
    char first[IDENTITY_FINGERPRINT_SIZE], second[IDENTITY_FINGERPRINT_SIZE];
    identity_fingerprint(a, first);
    identity_fingerprint(b, second);
    bool in_order = strcmp(first, second) <= 0;
    snprintf(digits, IDENTITY_PAIR_SIZE, "%s %s", in_order ? first : second,
             in_order ? second : first);
}

const char *identity_fingerprint_advice(void)
{
    return "Read this number to the other person, face to face or in a call where you know the "
           "voice. "
           "If both of you see the same twelve groups, nobody stands between you. If a single "
           "digit differs, do not write anything that must stay private, and find out why.";
}
