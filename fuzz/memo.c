/* Remembers what libsodium computed from the same octets: whole-group fuzzing spent half its time
 * in the same few curve operations, each receiver of a message verifying the same signature and
 * each input starting from the same keys. The operations are functions of their arguments alone, so
 * nothing is weakened; the linker's --wrap leads the engine's calls here (fuzz/meson.build). */
#include <sodium.h>
#include <string.h>

#include "base/base.h"

#define SLOTS (1U << 15)

struct slot {
    uint8_t key[32];
    uint8_t value[64];
    int status;
    bool used;
};

static struct slot slots[SLOTS];

int __real_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __wrap_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p);
int __real_crypto_scalarmult_base(uint8_t *q, const uint8_t *n);
int __wrap_crypto_scalarmult_base(uint8_t *q, const uint8_t *n);
int __real_crypto_sign_detached(uint8_t *signature, unsigned long long *signature_size,
                                const uint8_t *message, unsigned long long size,
                                const uint8_t *private_key);
int __wrap_crypto_sign_detached(uint8_t *signature, unsigned long long *signature_size,
                                const uint8_t *message, unsigned long long size,
                                const uint8_t *private_key);
int __real_crypto_sign_verify_detached(const uint8_t *signature, const uint8_t *message,
                                       unsigned long long size, const uint8_t *public_key);
int __wrap_crypto_sign_verify_detached(const uint8_t *signature, const uint8_t *message,
                                       unsigned long long size, const uint8_t *public_key);

/* The slot of an operation on these arguments. */
static struct slot *find(uint8_t operation, const uint8_t *first, size_t first_size,
                         const uint8_t *second, size_t second_size, sotto_bytes message)
{
    crypto_generichash_state state;
    uint8_t key[32];
    uint32_t place;
    crypto_generichash_init(&state, NULL, 0, sizeof key);
    crypto_generichash_update(&state, &operation, 1);
    crypto_generichash_update(&state, first, first_size);
    crypto_generichash_update(&state, second, second_size);
    crypto_generichash_update(&state, message.data, message.size);
    crypto_generichash_final(&state, key, sizeof key);
    memcpy(&place, key, sizeof place);
    struct slot *slot = &slots[place % SLOTS];
    if (!slot->used || memcmp(slot->key, key, sizeof key) != 0) {
        memcpy(slot->key, key, sizeof key);
        slot->used = false;
    }
    return slot;
}

int __wrap_crypto_scalarmult(uint8_t *q, const uint8_t *n, const uint8_t *p)
{
    struct slot *slot =
        find('m', n, crypto_scalarmult_SCALARBYTES, p, crypto_scalarmult_BYTES, (sotto_bytes){0});
    if (!slot->used)
        slot->status = __real_crypto_scalarmult(slot->value, n, p);
    slot->used = true;
    memcpy(q, slot->value, crypto_scalarmult_BYTES);
    return slot->status;
}

int __wrap_crypto_scalarmult_base(uint8_t *q, const uint8_t *n)
{
    struct slot *slot = find('b', n, crypto_scalarmult_SCALARBYTES, NULL, 0, (sotto_bytes){0});
    if (!slot->used)
        slot->status = __real_crypto_scalarmult_base(slot->value, n);
    slot->used = true;
    memcpy(q, slot->value, crypto_scalarmult_BYTES);
    return slot->status;
}

int __wrap_crypto_sign_detached(uint8_t *signature, unsigned long long *signature_size,
                                const uint8_t *message, unsigned long long size,
                                const uint8_t *private_key)
{
    struct slot *slot =
        find('s', private_key, crypto_sign_SECRETKEYBYTES, NULL, 0, sotto_bytes_of(message, size));
    if (!slot->used)
        slot->status = __real_crypto_sign_detached(slot->value, NULL, message, size, private_key);
    slot->used = true;
    memcpy(signature, slot->value, crypto_sign_BYTES);
    if (signature_size != NULL)
        *signature_size = crypto_sign_BYTES;
    return slot->status;
}

int __wrap_crypto_sign_verify_detached(const uint8_t *signature, const uint8_t *message,
                                       unsigned long long size, const uint8_t *public_key)
{
    struct slot *slot = find('v', signature, crypto_sign_BYTES, public_key,
                             crypto_sign_PUBLICKEYBYTES, sotto_bytes_of(message, size));
    if (!slot->used)
        slot->status = __real_crypto_sign_verify_detached(signature, message, size, public_key);
    slot->used = true;
    return slot->status;
}
