/* The fixed-size values of PROTOCOL.md section 2. Public ones are structs, by value. Secrets
 * (tokens, capabilities) are never copied into such structs: they are views of 32 bytes into a
 * buffer that wipes itself. */
#ifndef WIRE_IDS_H
#define WIRE_IDS_H

#include "base/base.h"

enum {
    ACCOUNT_ID_SIZE = 32,
    DEVICE_ID_SIZE = 16,
    ROOM_ID_SIZE = 32,
    BLOB_ID_SIZE = 32,
    GATE_SIZE = 32,
    TOKEN_SIZE = 32, /* Token32 */
    CAPABILITY_SIZE = 32,
    REQUEST_ID_SIZE = 16, /* take_id, post_id, append_id */
    CHALLENGE_SIZE = 32,
    HASH_SIZE = 32,        /* SHA-256 */
    SIGN_KEY_SIZE = 32,    /* Ed25519 public key */
    SIGN_SEED_SIZE = 32,   /* Ed25519 private key as a seed */
    SIGNATURE_SIZE = 64,   /* Ed25519 */
    INBOX_KEY_SIZE = 1216, /* X-Wing public key */
};

struct account_id {
    uint8_t bytes[ACCOUNT_ID_SIZE];
};

struct device_id {
    uint8_t bytes[DEVICE_ID_SIZE];
};

struct room_id {
    uint8_t bytes[ROOM_ID_SIZE];
};

/* Random. Who knows it may read the blob: handled like a secret, and nowhere kept by a relay. */
struct blob_id {
    uint8_t bytes[BLOB_ID_SIZE];
};

struct gate {
    uint8_t bytes[GATE_SIZE];
};

/* take_id, post_id, append_id: random, repeated by a retry. */
struct request_id {
    uint8_t bytes[REQUEST_ID_SIZE];
};

/* SHA-256 of a token: the gate that it opens. Also the hash of a capability. */
void gate_of(sotto_bytes token, struct gate *gate);

/* Whether token opens gate; in time that does not depend on the gate. */
bool gate_opens(const struct gate *gate, sotto_bytes token);

/* AccountId: SHA-256("sotto.v1 account" || account_key). */
void account_id_of(const uint8_t account_key[static SIGN_KEY_SIZE], struct account_id *id);

bool account_id_equal(const struct account_id *a, const struct account_id *b);
bool device_id_equal(const struct device_id *a, const struct device_id *b);

/* Plain SHA-256 of a view; what the protocol calls a hash anywhere. */
void wire_hash(sotto_bytes bytes, uint8_t out[static HASH_SIZE]);

/* The Ed25519 public key of a seed. */
void wire_sign_public(const uint8_t seed[static SIGN_SEED_SIZE],
                      uint8_t public_key[static SIGN_KEY_SIZE]);

/* Ed25519 signature of bytes, which begin with a label of their own. */
void wire_sign(const uint8_t seed[static SIGN_SEED_SIZE], sotto_bytes bytes,
               uint8_t signature[static SIGNATURE_SIZE]);
bool wire_verify(const uint8_t public_key[static SIGN_KEY_SIZE], sotto_bytes bytes,
                 const uint8_t signature[static SIGNATURE_SIZE]);

#endif
