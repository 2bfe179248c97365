/* A whisper (PROTOCOL.md, section 6): what a device says to whoever of a room listens at that
 * moment. Sealed under a key of the epoch, which all members have, with a random nonce: it takes
 * nothing of MLS's ratchets, so that nothing has to be durable before it leaves, and nothing that
 * is lost leaves a gap. Signed with the device's key, so that no member speaks for another. All
 * have one size. No I/O; any thread. */
#ifndef CORE_WHISPER_H
#define CORE_WHISPER_H

#include "crypto/crypto.h"
#include "wire/ids.h"

enum {
    WHISPER_KEY_SIZE = 32,
    WHISPER_SIGNATURE_SIZE = 64, /* Ed25519 */
    WHISPER_PLAIN = 128,
    WHISPER_SIZE = 24 + WHISPER_PLAIN + 16,
};
#define WHISPER_LABEL "sotto.v1 whisper" /* of the exporter and of the signature */

enum whisper_kind { WHISPER_TYPING = 1 };

struct whisper {
    uint8_t kind;   /* enum whisper_kind, or newer than this client */
    uint8_t value;  /* TYPING: whether one types */
    uint32_t leaf;  /* of the device that says it */
    uint64_t count; /* above all that it said before in the epoch: older ones are repeats */
    uint8_t signature[WHISPER_SIGNATURE_SIZE]; /* out of whisper_open; whisper_verify */
};

/* Where a whisper belongs. key: the exporter's of that epoch, borrowed. */
struct whisper_place {
    struct room_id room;
    uint64_t epoch;
    uint8_t key[WHISPER_KEY_SIZE];
};

/* out: WHISPER_SIZE bytes. whisper->signature is ignored. NO_RANDOM and those of signing. */
sotto_error whisper_seal(const sotto_env *env, struct crypto *crypto, const struct suite *suite,
                         const struct whisper_place *place, const struct whisper *whisper,
                         sotto_bytes private_key, sotto_bytes public_key,
                         uint8_t out[static WHISPER_SIZE]);

/* LENGTH; SIGNATURE: not of that epoch's members; VERSION: of a newer client; VALUE: padding that
 * is not zero. Whose it is says whisper_verify alone. */
sotto_error whisper_open(const struct whisper_place *place, sotto_bytes sealed,
                         struct whisper *whisper);

/* SIGNATURE: the device of that key did not say it, or not there. */
sotto_error whisper_verify(struct crypto *crypto, const struct suite *suite,
                           const struct whisper_place *place, const struct whisper *whisper,
                           sotto_bytes public_key);

#endif
