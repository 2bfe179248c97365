/* Issuing keys, on both connections, and the issue of tokens, on the account's (PROTOCOL.md). */
#include "relay/connection.h"

#include <sodium.h>

/* ---- Keys ----------------------------------------------------------------------------------- */

void request_token_keys(struct connection *connection, const struct message *message)
{
    const struct relay *relay = connection->loop->relay;
    struct arena arena;
    struct message answer = {
        .type = MESSAGE_TOKEN_KEYS_OK,
        .request = message->request,
        .token_keys.a_day = relay->config->tokens_a_day,
    };
    arena_init(&arena, relay->env);
    if (tokens_announce(relay->tokens, message->first_key, &arena, &answer.token_keys.keys,
                        &answer.token_keys.count) == SOTTO_OK &&
        answer.token_keys.count > 0)
        connection_send(connection, &answer);
    else
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
    arena_free(&arena);
}

/* ---- Issuing -------------------------------------------------------------------------------- */

static void on_charged(struct store_op *op)
{
    struct connection *connection = connection_of(op);
    uint8_t evaluated[WIRE_TOKENS_MAX * TOKEN_ELEMENT_SIZE], proof[TOKEN_PROOF_SIZE];
    const sotto_bytes blinded = op->issue.blinded;
    sotto_error error = SOTTO_OK;
    if (op->code == 0)
        error =
            tokens_issue(connection->loop->relay->tokens, op->issue.key, blinded, evaluated, proof);
    if (op->code != 0) {
        connection_refuse(connection, op->request, op->code, op->detail);
    } else if (error == SOTTO_KEY) {
        connection_bad_request(connection, op->request, "issue_tokens.blinded", 0);
    } else if (error != SOTTO_OK) {
        connection_refuse(connection, op->request, WIRE_CODE_UNAVAILABLE, 5);
    } else {
        const struct message answer = {
            .type = MESSAGE_ISSUE_TOKENS_OK,
            .request = op->request,
            .issue_tokens_ok = {sotto_bytes_of(evaluated, blinded.size),
                                sotto_bytes_of(proof, sizeof proof)},
        };
        connection_send(connection, &answer);
    }
    connection_complete(op);
}

/* Of the key too: the same elements under another key are other tokens. */
static void hash_request(const struct issue_tokens *body, uint8_t out[static HASH_SIZE])
{
    const uint8_t key[] = {(uint8_t)(body->key >> 24), (uint8_t)(body->key >> 16),
                           (uint8_t)(body->key >> 8), (uint8_t)body->key};
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, key, sizeof key);
    crypto_hash_sha256_update(&state, body->blinded.data, body->blinded.size);
    crypto_hash_sha256_final(&state, out);
}

/* Counted first and made when that is durable: a crash in between costs the person nothing, since
 * the same request again is not counted again. What is remembered of it is a hash of blinded
 * elements, which say nothing of the tokens. */
void request_issue_tokens(struct connection *connection, const struct message *message)
{
    const struct issue_tokens *body = &message->issue_tokens;
    const struct relay *relay = connection->loop->relay;
    if (!connection->signed_in) {
        connection_refuse(connection, message->request, WIRE_CODE_NOT_SIGNED_IN, 0);
        return;
    }
    /* A repeat is free of charge and costs the relay as much as the first time. */
    uint32_t wait = ratelimit_take(relay->ratelimit, &connection->address, RATE_REQUEST);
    if (wait > 0) {
        connection_refuse(connection, message->request, WIRE_CODE_RATE_LIMITED, wait);
        return;
    }
    struct store_op *op = connection_op(connection, message->request, STORE_ISSUE_TOKENS);
    if (op == NULL)
        return;
    struct store_issue *issue = &op->issue;
    issue->session = connection->session;
    issue->key = body->key;
    issue->count = (uint32_t)(body->blinded.size / TOKEN_ELEMENT_SIZE);
    issue->a_day = relay->config->tokens_a_day;
    hash_request(body, issue->request_hash);
    if (store_op_copy(op, body->blinded, &issue->blinded) != SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    connection_submit(connection, op, on_charged);
}
