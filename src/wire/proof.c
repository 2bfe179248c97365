#include "wire/proof.h"

#include <string.h>

#include <sodium.h>

#define LABEL "sotto.v1 sign-in"
#define SIGNED_SIZE (sizeof LABEL - 1 + CHALLENGE_SIZE + ACCOUNT_ID_SIZE + DEVICE_ID_SIZE)

/* "sotto.v1 sign-in" || challenge || account_id || device_id */
static sotto_bytes signed_bytes(uint8_t out[static SIGNED_SIZE], const uint8_t *challenge,
                                const struct account_id *account, const struct device_id *device)
{
    uint8_t *at = out;
    memcpy(at, LABEL, sizeof LABEL - 1);
    at += sizeof LABEL - 1;
    memcpy(at, challenge, CHALLENGE_SIZE);
    at += CHALLENGE_SIZE;
    memcpy(at, account->bytes, ACCOUNT_ID_SIZE);
    at += ACCOUNT_ID_SIZE;
    memcpy(at, device->bytes, DEVICE_ID_SIZE);
    return sotto_bytes_of(out, SIGNED_SIZE);
}

void proof_make(const uint8_t seed[static SIGN_SEED_SIZE],
                const uint8_t challenge[static CHALLENGE_SIZE], const struct account_id *account,
                const struct device_id *device, struct proof *proof)
{
    uint8_t bytes[SIGNED_SIZE];
    wire_sign_public(seed, proof->sign_in_key);
    wire_sign(seed, signed_bytes(bytes, challenge, account, device), proof->signature);
}

sotto_error proof_verify(const struct proof *proof, const uint8_t challenge[static CHALLENGE_SIZE],
                         const struct account_id *account, const struct device_id *device)
{
    uint8_t bytes[SIGNED_SIZE];
    sotto_bytes covered = signed_bytes(bytes, challenge, account, device);
    return wire_verify(proof->sign_in_key, covered, proof->signature) ? SOTTO_OK : SOTTO_SIGNATURE;
}

bool proof_key_is(const struct proof *proof, const uint8_t sign_in_hash[static HASH_SIZE])
{
    uint8_t hash[HASH_SIZE];
    wire_hash(sotto_bytes_of(proof->sign_in_key, SIGN_KEY_SIZE), hash);
    return sodium_memcmp(hash, sign_in_hash, HASH_SIZE) == 0;
}

/* ---- The end of an account ------------------------------------------------------------------- */

#define ENDING_LABEL "sotto.v1 delete account"
#define ENDING_SIZE \
    (sizeof ENDING_LABEL - 1 + CHALLENGE_SIZE + ACCOUNT_ID_SIZE + DEVICE_ID_SIZE + HASH_SIZE)

/* "sotto.v1 delete account" || challenge || account_id || device_id || sign_in_hash */
static sotto_bytes ending_bytes(uint8_t out[static ENDING_SIZE], const uint8_t *challenge,
                                const struct account_id *account, const struct device_id *device,
                                const uint8_t *sign_in_hash)
{
    uint8_t *at = out;
    memcpy(at, ENDING_LABEL, sizeof ENDING_LABEL - 1);
    at += sizeof ENDING_LABEL - 1;
    memcpy(at, challenge, CHALLENGE_SIZE);
    at += CHALLENGE_SIZE;
    memcpy(at, account->bytes, ACCOUNT_ID_SIZE);
    at += ACCOUNT_ID_SIZE;
    memcpy(at, device->bytes, DEVICE_ID_SIZE);
    at += DEVICE_ID_SIZE;
    memcpy(at, sign_in_hash, HASH_SIZE);
    return sotto_bytes_of(out, ENDING_SIZE);
}

void ending_proof_make(const uint8_t seed[static SIGN_SEED_SIZE],
                       const uint8_t challenge[static CHALLENGE_SIZE],
                       const struct account_id *account, const struct device_id *device,
                       const uint8_t sign_in_hash[static HASH_SIZE], struct ending_proof *proof)
{
    uint8_t bytes[ENDING_SIZE];
    wire_sign_public(seed, proof->account_key);
    wire_sign(seed, ending_bytes(bytes, challenge, account, device, sign_in_hash),
              proof->signature);
}

sotto_error ending_proof_verify(const struct ending_proof *proof,
                                const uint8_t challenge[static CHALLENGE_SIZE],
                                const struct account_id *account, const struct device_id *device,
                                const uint8_t sign_in_hash[static HASH_SIZE])
{
    uint8_t bytes[ENDING_SIZE];
    struct account_id of;
    account_id_of(proof->account_key, &of);
    sotto_bytes covered = ending_bytes(bytes, challenge, account, device, sign_in_hash);
    return account_id_equal(&of, account) &&
                   wire_verify(proof->account_key, covered, proof->signature)
               ? SOTTO_OK
               : SOTTO_SIGNATURE;
}
