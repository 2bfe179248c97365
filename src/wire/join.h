/* Asking to join a group (PROTOCOL.md section 6, "Joining by a link"): the link sotto://join/...
 * that a member gives away, and the request that who has it posts to that member's inbox, another
 * kind of Envelope. Bytes only; the core decides, seals and opens. */
#ifndef WIRE_JOIN_H
#define WIRE_JOIN_H

#include "wire/ids.h"
#include "wire/limits.h"

#define JOIN_LINK_PREFIX "sotto://join/"

enum { ENVELOPE_JOIN_REQUEST = 3 };

struct join_link {
    sotto_bytes relay; /* address of the member's relay, with PIN; it was checked to parse */
    struct account_id account;
    struct device_id device;
    sotto_bytes capability; /* CAPABILITY_SIZE bytes: a secret */
    uint64_t expires;       /* seconds since 1970; whether it has is the caller's question */
    sotto_bytes title;      /* what the group is called; UTF-8, may be empty */
    sotto_bytes name;       /* what the member calls themself; likewise */
};

/* As invitation_parse and invitation_format. */
sotto_error join_link_parse(sotto_bytes text, sotto_buf *bytes, struct join_link *link,
                            sotto_fault *fault);
sotto_error join_link_format(const struct join_link *link, sotto_buf *text);

struct join_request {
    sotto_bytes link;            /* the capability of the link that was taken */
    struct device_id device;     /* who asks */
    sotto_bytes manifest;        /* its account's, as bytes: manifest_read verifies it */
    sotto_bytes relay_of_sender; /* where its account is; it was checked to parse */
    sotto_bytes capability;      /* for the asker's inbox: one KeyPackage and the Welcome */
    sotto_bytes name;            /* what the asker calls themself; UTF-8, may be empty */
    sotto_bytes signature;       /* join_request_write makes it */
    sotto_bytes unsigned_part;   /* what is before the signature; read only */
};

/* Whether the plaintext of an envelope is one of these. */
bool join_request_is(sotto_bytes bytes);

/* As rejoin_request_read, _verify and _write. */
sotto_error join_request_read(sotto_bytes bytes, struct join_request *request, sotto_fault *fault);
bool join_request_verify(const sotto_env *env, const struct join_request *request,
                         const struct account_id *receiver, const struct device_id *receiver_device,
                         const uint8_t signature_key[static SIGN_KEY_SIZE]);
sotto_error join_request_write(const struct join_request *request,
                               const struct account_id *receiver,
                               const struct device_id *receiver_device,
                               const uint8_t signature_seed[static SIGN_SEED_SIZE], sotto_buf *buf);

#endif
