/* What an account says of itself to those who know it, signed by its key so that no device without
 * that key, and no relay, can say it (PROTOCOL.md, section 6, "An account that moves, or ends"). */
#ifndef WIRE_STATEMENT_H
#define WIRE_STATEMENT_H

#include "wire/ids.h"
#include "wire/limits.h"

enum statement_kind {
    STATEMENT_MOVED = 1,   /* it is at another relay now */
    STATEMENT_DELETED = 2, /* it is no more */
};

struct statement {
    enum statement_kind kind;
    uint8_t account_key[SIGN_KEY_SIZE];
    uint64_t number;   /* of two statements of an account the higher one counts */
    sotto_bytes relay; /* MOVED: the address with its pin; else empty */
};

#define STATEMENT_MAX (1 + 1 + SIGN_KEY_SIZE + 8 + 2 + WIRE_ADDRESS_MAX + SIGNATURE_SIZE)

/* Reads one and verifies its signature by the key that it names; whether that is the account's is
 * the caller's comparison of ids. relay borrows from bytes. SIGNATURE, or a decoding error with its
 * fault. On failure *statement is zeroed. */
sotto_error statement_read(sotto_bytes bytes, struct statement *statement, sotto_fault *fault);

/* Signs and appends. seed: the account key's; account_key is ignored. ARGUMENT or LIMIT: what
 * statement_read would refuse. */
sotto_error statement_write(const struct statement *statement,
                            const uint8_t seed[static SIGN_SEED_SIZE], sotto_buf *out);

#endif
