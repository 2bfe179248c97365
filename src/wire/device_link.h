/* Linking a device (PROTOCOL.md section 6): the link sotto://link/... that the new device shows,
 * and the two things that are exchanged by means of it, each of them once, as a blob under a key
 * that only who has seen the link can derive. */
#ifndef WIRE_DEVICE_LINK_H
#define WIRE_DEVICE_LINK_H

#include "wire/ids.h"
#include "wire/limits.h"
#include "wire/manifest.h"

#define DEVICE_LINK_PREFIX "sotto://link/"

enum {
    LINK_SECRET_SIZE = 32,
    LINK_BOX_OVERHEAD = 24 + 16, /* nonce and tag */
    LINK_KEYS_BLOB = WIRE_DEVICE_KEYS_SIZE + LINK_BOX_OVERHEAD,
    LINK_PACKAGE_BLOB = WIRE_DEVICE_PACKAGE_SIZE + LINK_BOX_OVERHEAD,
};

struct device_link {
    sotto_bytes relay;  /* the relay where they meet; it was checked to parse */
    sotto_bytes secret; /* LINK_SECRET_SIZE bytes: whoever knows it may link the device */
    struct device_id device;
    uint8_t keys_hash[HASH_SIZE]; /* device_keys_hash of what the new device will send */
    uint64_t expires;             /* seconds since 1970; whether it has is the caller's question */
};

/* As invitation_parse and invitation_format. */
sotto_error device_link_parse(sotto_bytes link, sotto_buf *bytes, struct device_link *out,
                              sotto_fault *fault);
sotto_error device_link_format(const struct device_link *link, sotto_buf *text);

/* What the new device tells of itself. */
struct device_keys {
    struct device device;
    sotto_bytes name; /* UTF-8, may be empty */
};

/* Appends WIRE_DEVICE_KEYS_SIZE bytes; reading refuses padding that is not zeros. Views borrow. */
sotto_error device_keys_write(const struct device_keys *keys, sotto_buf *buf);
sotto_error device_keys_read(sotto_bytes bytes, struct device_keys *keys, sotto_fault *fault);
/* Of the bytes that device_keys_write gave. */
void device_keys_hash(sotto_bytes bytes, uint8_t hash[static HASH_SIZE]);

/* What the old device gives it, sealed to its inbox key. */
struct device_package {
    uint8_t account_key[SIGN_KEY_SIZE];
    sotto_bytes account_private; /* empty, or SIGN_SEED_SIZE bytes: a secret */
    sotto_bytes certificate;     /* of the device, 96 bytes */
    uint64_t position;           /* of the old device's newest message */
    sotto_bytes name;            /* the account's; UTF-8, may be empty */
    sotto_bytes relay;           /* the account's, it was checked to parse */
    sotto_bytes manifest;        /* the newest, as bytes */
};
sotto_error device_package_write(const struct device_package *package, sotto_buf *buf);
sotto_error device_package_read(sotto_bytes bytes, struct device_package *package,
                                sotto_fault *fault);

/* The two blobs: where each lies, who may write it, under which key. */
enum link_part { LINK_KEYS, LINK_PACKAGE };
struct link_place {
    struct blob_id blob;
    uint8_t write_token[TOKEN_SIZE];
    uint8_t key[32];
};
void link_place(sotto_bytes secret, enum link_part part, struct link_place *place); /* wipe it */

/* Appends the box of plain, filled up with zeros to plain_size: nonce and ciphertext. LIMIT: plain
 * is larger. */
sotto_error link_box(const sotto_env *env, const struct link_place *place, sotto_bytes plain,
                     size_t plain_size, sotto_buf *box);
/* Appends the plaintext, zeros at its end included. DECRYPT: altered, or of another link. */
sotto_error link_unbox(const struct link_place *place, sotto_bytes box, sotto_buf *plain);

#endif
