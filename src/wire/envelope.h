/* Envelopes of the inbox (PROTOCOL.md section 6): the plaintext and its sealed form. Bytes only;
 * the core seals and opens. */
#ifndef WIRE_ENVELOPE_H
#define WIRE_ENVELOPE_H

#include "wire/ids.h"
#include "wire/limits.h"

#define ENVELOPE_HPKE_INFO "sotto.v1 envelope"
enum { ENVELOPE_SUITE = 0x004D, ENVELOPE_AAD_SIZE = ACCOUNT_ID_SIZE + DEVICE_ID_SIZE };

struct sealed_envelope {
    sotto_bytes enc;
    sotto_bytes ciphertext;
};

/* UNSUPPORTED: another suite. */
sotto_error sealed_envelope_read(sotto_bytes bytes, struct sealed_envelope *sealed,
                                 sotto_fault *fault);
sotto_error sealed_envelope_write(const struct sealed_envelope *sealed, sotto_buf *buf);

/* The aad of the seal: AccountId || DeviceId of the receiver. */
void envelope_aad(const struct account_id *account, const struct device_id *device,
                  uint8_t aad[static ENVELOPE_AAD_SIZE]);

enum { ENVELOPE_ROOM_INVITATION = 1 };
enum { ENVELOPE_FIRST = 1, ENVELOPE_VERSION = 2 };

struct envelope {
    uint8_t version;   /* ENVELOPE_VERSION; ENVELOPE_FIRST of older clients, which had no name */
    uint8_t kind;      /* ENVELOPE_ROOM_INVITATION */
    sotto_bytes relay; /* address of the relay that holds the room; it was checked to parse */
    struct room_id room;
    sotto_bytes read_token; /* TOKEN_SIZE bytes: a secret */
    uint64_t next_seq;
    sotto_bytes manifest;        /* as bytes: manifest_read verifies it */
    sotto_bytes relay_of_sender; /* it was checked to parse */
    sotto_bytes capability;      /* CAPABILITY_SIZE bytes or empty */
    sotto_bytes key_package_ref;
    sotto_bytes welcome;
    /* Manifests of members who have several devices, one vector behind the other: envelope_manifest
     * reads the next. */
    sotto_bytes manifests;
    sotto_bytes name;     /* what the sender calls itself; UTF-8, may be empty */
    sotto_bytes greeting; /* the beginning of what it wants to say; UTF-8, one line, may be empty */
};

/* Reads the plaintext, padding included: zeros, and of exactly Padmé's size. Views borrow from
 * bytes. UNSUPPORTED: a kind newer than this client; VERSION; else a decoding error. */
sotto_error envelope_read(sotto_bytes bytes, struct envelope *envelope, sotto_fault *fault);

/* The first of `manifests`, which goes behind it. False: that was all. */
bool envelope_manifest(sotto_bytes *manifests, sotto_bytes *manifest);

/* Appends the padded plaintext. ARGUMENT or LIMIT: what envelope_read would refuse. */
sotto_error envelope_write(const struct envelope *envelope, sotto_buf *buf);

#endif
