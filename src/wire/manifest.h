/* An account's signed list of devices (PROTOCOL.md section 2). */
#ifndef WIRE_MANIFEST_H
#define WIRE_MANIFEST_H

#include "wire/ids.h"
#include "wire/limits.h"

struct device {
    struct device_id id;
    sotto_bytes signature_key; /* SIGN_KEY_SIZE bytes */
    sotto_bytes inbox_key;     /* INBOX_KEY_SIZE bytes */
    uint8_t sign_in_hash[HASH_SIZE];
    uint64_t added; /* seconds since 1970 */
};

struct manifest {
    uint8_t account_key[SIGN_KEY_SIZE];
    uint64_t number; /* 1, 2, 3, ... */
    uint64_t issued; /* seconds since 1970 */
    uint8_t previous[HASH_SIZE];
    const struct device *devices;
    size_t device_count; /* 1 to WIRE_DEVICES_MAX, ids distinct */
    uint8_t signature[SIGNATURE_SIZE];
};

/* Reads a manifest and verifies its signature by the account key that it names; whether that is
 * the account meant is the caller's comparison of ids. Views borrow from bytes, the list from
 * arena. SIGNATURE, or a decoding error with its fault. On failure *manifest is zeroed. */
sotto_error manifest_read(sotto_bytes bytes, struct arena *arena, struct manifest *manifest,
                          sotto_fault *fault);

/* Signs and appends. seed: the account key's; account_key and signature in *manifest are ignored.
 * ARGUMENT or LIMIT: what manifest_read would refuse. */
sotto_error manifest_write(const struct manifest *manifest,
                           const uint8_t seed[static SIGN_SEED_SIZE], sotto_buf *buf);

/* Whether next may follow previous (as bytes, which were verified before): same account key, number
 * one more, its hash. VALUE with the fault naming the field otherwise. previous empty: next must
 * be the first, number 1 and a zero hash. Both as manifest_read gave them. */
sotto_error manifest_follows(sotto_bytes previous_bytes, const struct manifest *previous,
                             const struct manifest *next, sotto_fault *fault);

/* NULL if the account has no such device. */
const struct device *manifest_device(const struct manifest *manifest, const struct device_id *id);

#endif
