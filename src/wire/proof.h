/* The proofs of the account connection (PROTOCOL.md section 4): that a device signs in with, and
 * the account's own. */
#ifndef WIRE_PROOF_H
#define WIRE_PROOF_H

#include "wire/ids.h"

struct proof {
    uint8_t sign_in_key[SIGN_KEY_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
};

/* Signs the challenge of this connection's hello_ok with the device's sign-in key for this relay
 * (its Ed25519 seed). */
void proof_make(const uint8_t seed[static SIGN_SEED_SIZE],
                const uint8_t challenge[static CHALLENGE_SIZE], const struct account_id *account,
                const struct device_id *device, struct proof *proof);

/* SIGNATURE unless the proof's key signed this challenge for this account and device. Whether the
 * key is the device's is proof_key_is's question. */
sotto_error proof_verify(const struct proof *proof, const uint8_t challenge[static CHALLENGE_SIZE],
                         const struct account_id *account, const struct device_id *device);

/* Whether sign_in_hash (Device.sign_in_hash) is the SHA-256 of the proof's key. */
bool proof_key_is(const struct proof *proof, const uint8_t sign_in_hash[static HASH_SIZE]);

/* What an account proves that it ends with: any device can sign in, few have the account's key. */
struct ending_proof {
    uint8_t account_key[SIGN_KEY_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
};

/* Signs with the account's key (its Ed25519 seed). sign_in_hash: of the key that the device signed
 * in with on this connection, which is this relay's alone: nobody can use the proof at another. */
void ending_proof_make(const uint8_t seed[static SIGN_SEED_SIZE],
                       const uint8_t challenge[static CHALLENGE_SIZE],
                       const struct account_id *account, const struct device_id *device,
                       const uint8_t sign_in_hash[static HASH_SIZE], struct ending_proof *proof);

/* SIGNATURE unless the key is the account's and signed that. */
sotto_error ending_proof_verify(const struct ending_proof *proof,
                                const uint8_t challenge[static CHALLENGE_SIZE],
                                const struct account_id *account, const struct device_id *device,
                                const uint8_t sign_in_hash[static HASH_SIZE]);

#endif
