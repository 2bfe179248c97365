/* A request to be let into a room again (PROTOCOL.md section 6, "Coming back"): another kind of
 * Envelope, from a device that lost its place in the room's log, or never had one, to a device of a
 * member. Bytes only; the core decides, seals and opens. */
#ifndef WIRE_REJOIN_H
#define WIRE_REJOIN_H

#include "wire/ids.h"
#include "wire/limits.h"

enum { ENVELOPE_REJOIN_REQUEST = 2 };

struct rejoin_request {
    sotto_bytes relay; /* address of the relay that holds the room; it was checked to parse */
    struct room_id room;
    uint64_t time_s;             /* of the sender's clock, when it asked: grows with each request */
    struct device_id device;     /* who asks */
    sotto_bytes manifest;        /* its account's, as bytes: manifest_read verifies it */
    sotto_bytes relay_of_sender; /* where its account is; it was checked to parse */
    sotto_bytes key_package;     /* MLSMessage, made for this request alone */
    sotto_bytes signature;       /* rejoin_request_write makes it */
    sotto_bytes unsigned_part;   /* what is before the signature; read only */
};

/* Whether the plaintext of an envelope is one of these rather than an invitation. */
bool rejoin_request_is(sotto_bytes bytes);

/* Reads the plaintext, padding included. Views borrow from bytes. VERSION, UNSUPPORTED (another
 * kind), or a decoding error. The signature is not verified yet. */
sotto_error rejoin_request_read(sotto_bytes bytes, struct rejoin_request *request,
                                sotto_fault *fault);

/* Whether the device's MLS signature key made the signature, for this receiver. */
bool rejoin_request_verify(const sotto_env *env, const struct rejoin_request *request,
                           const struct account_id *receiver,
                           const struct device_id *receiver_device,
                           const uint8_t signature_key[static SIGN_KEY_SIZE]);

/* Appends the padded plaintext, signed for the receiver. ARGUMENT or LIMIT: what
 * rejoin_request_read would refuse. */
sotto_error rejoin_request_write(const struct rejoin_request *request,
                                 const struct account_id *receiver,
                                 const struct device_id *receiver_device,
                                 const uint8_t signature_seed[static SIGN_SEED_SIZE],
                                 sotto_buf *buf);

#endif
