/* Anonymous tokens (PROTOCOL.md, section 2): what is said about issuing keys, and what is shown.
 * The cryptography is in crypto/voprf.h. No global state; any thread. */
#ifndef WIRE_TOKEN_H
#define WIRE_TOKEN_H

#include "wire/ids.h"

enum {
    TOKEN_NONCE_SIZE = 32,
    TOKEN_OUTPUT_SIZE = 64,
    TOKEN_VALUE_SIZE = 4 + TOKEN_NONCE_SIZE + TOKEN_OUTPUT_SIZE, /* in a Permission */
    TOKEN_ELEMENT_SIZE = 32, /* a public key, a blinded element, an evaluated one */
    TOKEN_PROOF_SIZE = 64,
};

/* An issuing key as everybody is told of it. Each names the one before it by its hash, so that
 * whoever has accepted one has accepted all before it and can be led to no other that follows. */
struct token_key {
    uint32_t number;   /* 1, 2, 3, ... */
    uint64_t begins;   /* seconds since 1970: issues from then on, */
    uint64_t replaced; /* until then, */
    uint64_t ends;     /* and its tokens are taken until then */
    uint8_t public_key[TOKEN_ELEMENT_SIZE];
    uint8_t previous[HASH_SIZE]; /* token_key_hash of number - 1; zeros for number 1 */
};

/* SHA-256("sotto.v1 token key" || TokenKey) */
void token_key_hash(const struct token_key *key, uint8_t out[static HASH_SIZE]);

/* Whether next may follow key. */
bool token_key_follows(const struct token_key *key, const struct token_key *next);

/* The value of a Permission of kind token. Views into it. */
struct token {
    uint32_t key; /* number of the issuing key */
    sotto_bytes nonce, output;
};

/* False: it has another size. */
bool token_parse(sotto_bytes value, struct token *token);

#endif
