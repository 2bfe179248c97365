/* Who one is, and who others are: account and device keys, certificates, the judgement over leaves
 * and manifests, and the numbers that people compare (PROTOCOL.md, sections 2 and 6).
 *
 * Functions are pure: what they need is an argument, what they find out is returned. */
#ifndef CORE_IDENTITY_H
#define CORE_IDENTITY_H

#include "crypto/crypto.h"
#include "sotto/mls.h"
#include "wire/ids.h"
#include "wire/limits.h"
#include "wire/manifest.h"

#define CREDENTIAL_SIZE (ACCOUNT_ID_SIZE + DEVICE_ID_SIZE)
#define CERTIFICATE_SIZE (SIGN_KEY_SIZE + SIGNATURE_SIZE)

enum {
    IDENTITY_EXTENSION_CERTIFICATE = 0xF501, /* in LeafNodes */
    IDENTITY_EXTENSION_ROOM = 0xF502,        /* in GroupContexts */
};

/* ---- Oneself -------------------------------------------------------------------------------- */

/* The account on this device. Zero-initialised it may be freed. Private keys are seeds. */
struct identity {
    struct account_id account;
    struct device_id device;
    uint8_t account_key[SIGN_KEY_SIZE];
    uint8_t signature_key[SIGN_KEY_SIZE]; /* MLS signature key */
    uint8_t sign_in_key[SIGN_KEY_SIZE];   /* for one relay */
    struct secret account_private;        /* empty: this device may not link or remove others */
    struct secret signature_private;      /* as sotto_mls_signature_key gives it */
    struct secret sign_in_private;
    struct secret inbox_private; /* X-Wing seed */
    sotto_buf inbox_key;         /* X-Wing public key, 1216 bytes */
    uint64_t created;            /* seconds since 1970 */

    uint8_t credential[CREDENTIAL_SIZE];   /* AccountId || DeviceId */
    uint8_t certificate[CERTIFICATE_SIZE]; /* extension 0xF501 */
};

/* Makes all keys anew. UNSUPPORTED: this build cannot run suite 0x004D; NO_RANDOM. */
sotto_error identity_create(struct crypto *crypto, struct identity *identity);
/* The same for a device of the account of that key, an Ed25519 seed. */
sotto_error identity_recover(struct crypto *crypto, const struct secret *account_private,
                             struct identity *identity);
void identity_wipe(struct identity *identity); /* wipes; NULL allowed */
/* Another key to sign in with, by its seed (SIGN_SEED_SIZE bytes): each relay gets its own. */
void identity_sign_in_set(struct identity *identity, sotto_bytes seed);

/* All of it as bytes (secret!), and back. Loading recomputes each public key from its private one,
 * so damaged bytes are refused with a fault. */
sotto_error identity_save(const struct identity *identity, sotto_buf *out);
sotto_error identity_load(struct crypto *crypto, sotto_bytes saved, struct identity *identity,
                          sotto_fault *fault);

/* Makes the device's keys those of a device of another account, which certified them (linking).
 * account_private: empty where that account key does not come along. CREDENTIAL or KEY with a
 * fault: they do not belong together; the identity is then as it was. */
sotto_error identity_adopt(struct identity *identity, const uint8_t account_key[SIGN_KEY_SIZE],
                           sotto_bytes account_private, const uint8_t certificate[CERTIFICATE_SIZE],
                           sotto_fault *fault);

/* This device as manifests have it; borrows from identity. */
void identity_device(const struct identity *identity, struct device *device);

/* The account's manifest number 1, with this one device; appended. */
sotto_error identity_first_manifest(const struct identity *identity, sotto_buf *manifest);

/* The successor of the manifest `known`, with `add` (NULL: nobody; in place of a device of its id)
 * and without `remove` (NULL: nobody); appended. Needs the account key (STATE). LIMIT: too many
 * devices; ARGUMENT: none would be left; a fault where known is not valid. */
sotto_error identity_next_manifest(const struct identity *identity, const sotto_env *env,
                                   sotto_bytes known, const struct device *add,
                                   const struct device_id *remove, sotto_buf *manifest,
                                   sotto_fault *fault);

/* The account's manifest with this recovered device: the successor of `known`, with its devices or,
 * alone, without; appended. known empty: nobody has one any more; it then has a number that no
 * manifest counted up from 1 reaches, the time in seconds. Errors as identity_next_manifest's. */
sotto_error identity_recovery_manifest(const struct identity *identity, const sotto_env *env,
                                       sotto_bytes known, bool alone, sotto_buf *manifest,
                                       sotto_fault *fault);

/* What MLS is told about oneself; borrows from identity and from itself: neither may move while
 * `mls` is in use. */
struct identity_mls {
    sotto_mls_identity mls;
    sotto_mls_extension extensions[1];
    uint16_t suites[1];
    uint16_t extension_types[3];
};
void identity_for_mls(const struct identity *identity, struct identity_mls *out);

/* ---- Others --------------------------------------------------------------------------------- */

/* Who a leaf says that it is. */
struct identity_leaf {
    struct account_id account;
    struct device_id device;
    uint8_t account_key[SIGN_KEY_SIZE];
};

/* Reads credential and certificate and verifies the certificate over the leaf's signature key.
 * CREDENTIAL with a fault that names the rule; out is then untouched. */
sotto_error identity_read_leaf(const sotto_mls_leaf *leaf, struct identity_leaf *out,
                               sotto_fault *fault);

/* The credential alone (account and device), without any verification: for leaves that
 * validate_leaf has accepted before. CREDENTIAL if it is not one of ours. */
sotto_error identity_leaf_ids(const sotto_mls_leaf *leaf, struct account_id *account,
                              struct device_id *device);

/* Whether a device may be added: manifest is the newest known of the
 * leaf's account, empty if none is known. replaced: the leaf before in that place, or NULL.
 * SOTTO_OK, or CREDENTIAL and a fault whose `what` is the reason: the certificate does not verify;
 * the device is not in the newest manifest, or has another signature key there; the successor is of
 * another account or device. */
sotto_error identity_judge_leaf(const sotto_env *env, const sotto_mls_leaf *leaf,
                                const sotto_mls_leaf *replaced, sotto_bytes manifest,
                                sotto_fault *fault);

/* The judgement behind sotto_mls_config.validate_leaf: as above, but that a device which is not in
 * the manifest passes. What a member may commit must not depend on what each of the others happens
 * to know, or the log would part them: such a device is let in and removed by whoever knows better
 * (room_judge.c), before anything is said to it. */
sotto_error identity_judge_member(const sotto_env *env, const sotto_mls_leaf *leaf,
                                  const sotto_mls_leaf *replaced, sotto_bytes manifest,
                                  sotto_fault *fault);

/* Whether `offered` (from a relay or an envelope) may stand as the newest manifest of `account`,
 * given the one known so far (empty: none). SOTTO_OK: it is valid and newer, keep it; EXISTS: it is
 * valid and the same or an older one, keep the known one; else it is refused with a fault:
 * malformed, SIGNATURE, CREDENTIAL (another account; contradicts the known one). number: may be
 * NULL. */
sotto_error identity_judge_manifest(const sotto_env *env, const struct account_id *account,
                                    sotto_bytes known, sotto_bytes offered, uint64_t *number,
                                    sotto_fault *fault);

/* ---- Certificates (LeafNode extension 0xF501) ------------------------------------------------ */

sotto_error certificate_make(const struct secret *account_private,
                             const uint8_t account_key[SIGN_KEY_SIZE],
                             const struct device_id *device, sotto_bytes signature_key,
                             uint8_t certificate[CERTIFICATE_SIZE]);
/* CREDENTIAL and a fault, or SOTTO_OK and the account key. */
sotto_error certificate_verify(sotto_bytes certificate, sotto_bytes credential,
                               sotto_bytes signature_key, uint8_t account_key[SIGN_KEY_SIZE],
                               sotto_fault *fault);

/* ---- Numbers to compare ---------------------------------------------------------------------- */

/* 30 decimal digits in six groups of five: digits 5i to 5i+4 are bytes 5i to 5i+4 of the hash,
 * big-endian, modulo 100000; the hash is SHA-512 iterated 5200 times over
 * "sotto.v1 fingerprint" || account_key, each round hashing the last output and the account key.
 * The iterations make each attempt at a look-alike key cost 5200 times as much. */
#define IDENTITY_FINGERPRINT_SIZE 36 /* with spaces and NUL */
void identity_fingerprint(const uint8_t account_key[SIGN_KEY_SIZE],
                          char digits[IDENTITY_FINGERPRINT_SIZE]);

/* The number of two people: both fingerprints, the smaller first, so that both see the same. */
#define IDENTITY_PAIR_SIZE 72 /* with spaces and NUL */
void identity_pair_fingerprint(const uint8_t a[SIGN_KEY_SIZE], const uint8_t b[SIGN_KEY_SIZE],
                               char digits[IDENTITY_PAIR_SIZE]);

/* What to do with the number, in words for people. Static. */
const char *identity_fingerprint_advice(void);

/* ---- Rooms (GroupContext extension 0xF502) --------------------------------------------------- */

enum identity_room_kind {
    IDENTITY_ROOM_DIRECT = 1, /* person to person */
    IDENTITY_ROOM_GROUP = 2,
    IDENTITY_ROOM_OWN = 3, /* among the devices of one account */
};

struct identity_room {
    enum identity_room_kind kind;
    sotto_bytes title; /* UTF-8, one line, at most WIRE_TITLE_MAX; empty for person to person */
};

sotto_error identity_room_write(const struct identity_room *room, sotto_buf *out);
/* title borrows from input. */
sotto_error identity_room_read(sotto_bytes input, struct identity_room *room, sotto_fault *fault);

/* ---- Sealing (PROTOCOL.md, section 6, "Sealed envelope") --------------------------------------
 */

/* Seals an envelope, as envelope_write gives it (padded), to a device's inbox key; appends the
 * SealedEnvelope. KEY: inbox_key is not valid. */
sotto_error identity_seal(struct crypto *crypto, const struct account_id *account,
                          const struct device_id *device, sotto_bytes inbox_key,
                          sotto_bytes envelope, sotto_buf *sealed);

/* Opens what was sealed to oneself; appends what envelope_read takes. DECRYPT: not for this device,
 * or not authentic. */
sotto_error identity_open(struct crypto *crypto, const struct identity *identity,
                          sotto_bytes sealed, sotto_buf *envelope, sotto_fault *fault);

#endif
