#include "wire/ids.h"

#include <string.h>

#include <sodium.h>

void wire_hash(sotto_bytes bytes, uint8_t out[static HASH_SIZE])
{
    crypto_hash_sha256(out, bytes.data, bytes.size);
}

void gate_of(sotto_bytes token, struct gate *gate)
{
    wire_hash(token, gate->bytes);
}

bool gate_opens(const struct gate *gate, sotto_bytes token)
{
    struct gate opened;
    gate_of(token, &opened);
    return sodium_memcmp(opened.bytes, gate->bytes, GATE_SIZE) == 0;
}

void account_id_of(const uint8_t account_key[static SIGN_KEY_SIZE], struct account_id *id)
{
    static const char label[] = "sotto.v1 account";
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)label, sizeof label - 1);
    crypto_hash_sha256_update(&state, account_key, SIGN_KEY_SIZE);
    crypto_hash_sha256_final(&state, id->bytes);
}

bool account_id_equal(const struct account_id *a, const struct account_id *b)
{
    return memcmp(a->bytes, b->bytes, ACCOUNT_ID_SIZE) == 0;
}

bool device_id_equal(const struct device_id *a, const struct device_id *b)
{
    return memcmp(a->bytes, b->bytes, DEVICE_ID_SIZE) == 0;
}

void wire_sign_public(const uint8_t seed[static SIGN_SEED_SIZE],
                      uint8_t public_key[static SIGN_KEY_SIZE])
{
    uint8_t private_key[crypto_sign_SECRETKEYBYTES];
    crypto_sign_seed_keypair(public_key, private_key, seed);
    wipe(private_key, sizeof private_key);
}

void wire_sign(const uint8_t seed[static SIGN_SEED_SIZE], sotto_bytes bytes,
               uint8_t signature[static SIGNATURE_SIZE])
{
    uint8_t private_key[crypto_sign_SECRETKEYBYTES], public_key[SIGN_KEY_SIZE];
    crypto_sign_seed_keypair(public_key, private_key, seed);
    crypto_sign_detached(signature, NULL, bytes.data, bytes.size, private_key);
    wipe(private_key, sizeof private_key);
}

bool wire_verify(const uint8_t public_key[static SIGN_KEY_SIZE], sotto_bytes bytes,
                 const uint8_t signature[static SIGNATURE_SIZE])
{
    return crypto_sign_verify_detached(signature, bytes.data, bytes.size, public_key) == 0;
}
