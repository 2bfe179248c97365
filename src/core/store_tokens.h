/* Anonymous tokens, and what is known of the relay's issuing keys. See store.h. */
#ifndef CORE_STORE_TOKENS_H
#define CORE_STORE_TOKENS_H

#include "core/store.h"
#include "wire/token.h"

/* A secret: whoever has made one of these wipes it. */
struct store_token {
    uint32_t key; /* number of the issuing key */
    uint8_t nonce[TOKEN_NONCE_SIZE], output[TOKEN_OUTPUT_SIZE];
};

/* [tx] Adds one that nobody has reserved; one that is there already changes nothing. */
sotto_error store_token_add(struct store *store, const struct store_token *token);

/* [tx] The token reserved for owner (the id of what it pays for), so that a retry shows the same
 * one; else one that was free, reserved now. NOT_FOUND: there is none. */
sotto_error store_token_reserve(struct store *store, sotto_bytes owner, struct store_token *token);

/* [tx] owner's token is gone: what it paid for is done, or it is not good. None: OK. */
sotto_error store_token_erase(struct store *store, sotto_bytes owner);

/* [tx] owner does not need it: what it was to pay for was refused. None: OK. */
sotto_error store_token_release(struct store *store, sotto_bytes owner);

/* [tx] Erases all of keys below number. */
sotto_error store_tokens_expire(struct store *store, uint32_t number);

/* How many are free. */
sotto_error store_tokens_count(struct store *store, uint32_t *count);

/* ---- A request for tokens that is under way ------------------------------------------------- */

/* One of its elements. A secret. */
struct store_token_blind {
    uint8_t nonce[TOKEN_NONCE_SIZE], blind[TOKEN_ELEMENT_SIZE], blinded[TOKEN_ELEMENT_SIZE];
};

/* In the order in which they were sent; *count 0: there is none. The list lives in arena. */
sotto_error store_token_blinds(struct store *store, struct arena *arena, uint32_t *key,
                               struct store_token_blind **list, size_t *count);
/* [tx] Replaces them; count 0: none. */
sotto_error store_token_blinds_put(struct store *store, uint32_t key,
                                   const struct store_token_blind *list, size_t count);

/* ---- The chain of issuing keys -------------------------------------------------------------- */

/* The newest announcement that was seen on the account connection and by nobody in particular. */
struct store_token_chain {
    const char *relay; /* whose */
    uint32_t number;   /* 0: none was seen */
    uint8_t hash[HASH_SIZE];
};

/* OK with number 0 if there is none. relay lives in arena. */
sotto_error store_token_chain_get(struct store *store, struct arena *arena,
                                  struct store_token_chain *chain);
/* [tx] */
sotto_error store_token_chain_put(struct store *store, const struct store_token_chain *chain);

#endif
