/* The invitation link sotto://invite/... (PROTOCOL.md section 6). */
#ifndef WIRE_INVITATION_H
#define WIRE_INVITATION_H

#include "wire/ids.h"
#include "wire/limits.h"

#define INVITATION_PREFIX "sotto://invite/"

struct invitation {
    sotto_bytes relay; /* address of the inviter's relay, with PIN; it was checked to parse */
    struct account_id account;
    struct device_id device;
    sotto_bytes capability; /* CAPABILITY_SIZE bytes: a secret */
    uint64_t expires;       /* seconds since 1970; whether it has is the caller's question */
    sotto_bytes name;       /* UTF-8, may be empty */
};

/* Reads a link. White space around it is allowed: people paste. The decoded bytes are appended to
 * bytes, from which *invitation borrows. VALUE, LIMIT, VERSION, ... with the fault's offset in
 * the decoded bytes; bytes is then as it was. */
sotto_error invitation_parse(sotto_bytes link, sotto_buf *bytes, struct invitation *invitation,
                             sotto_fault *fault);

/* Appends the link as text without a NUL. ARGUMENT: what invitation_parse would refuse. */
sotto_error invitation_format(const struct invitation *invitation, sotto_buf *link);

#endif
