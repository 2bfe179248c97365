/* The issuing keys of anonymous tokens, in memory for all loops: what is announced of them, tokens
 * made blind, tokens checked. The store decides which keys live (store.h, STORE_TOKEN_KEYS) and
 * remembers what was spent; this only computes. Any thread. */
#ifndef RELAY_TOKENS_H
#define RELAY_TOKENS_H

#include "relay/store.h"

struct tokens;

/* NO_MEMORY. */
sotto_error tokens_new(const sotto_env *env, struct tokens **tokens);
void tokens_free(struct tokens *tokens); /* NULL allowed; wipes */

/* Replaces all keys by those of a completed STORE_TOKEN_KEYS. NO_MEMORY; KEY, LIMIT: the database
 * holds what no relay writes. They stay as they were. */
sotto_error tokens_set(struct tokens *tokens, const struct store_token_keys *keys);

/* Announcements from number `from` on, WIRE_TOKEN_KEYS_MAX at most; of those that live, if from is
 * 0 or past the newest. keys points into arena; *count 0: there is none yet. NO_MEMORY. */
sotto_error tokens_announce(struct tokens *tokens, uint32_t from, struct arena *arena,
                            const struct token_key **keys, size_t *count);

/* Whether the token is one of a living key. Says nothing of whether it was spent. */
bool tokens_check(struct tokens *tokens, const struct token *token);

/* Evaluates a batch under a living key. evaluated: as many bytes as blinded; proof:
 * TOKEN_PROOF_SIZE. NOT_FOUND: no such key lives; KEY: not elements; NO_RANDOM. */
sotto_error tokens_issue(struct tokens *tokens, uint32_t number, sotto_bytes blinded,
                         uint8_t *evaluated, uint8_t *proof);

#endif
