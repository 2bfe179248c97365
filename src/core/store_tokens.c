#include "core/store_tokens.h"

#include "core/store_query.h"

sotto_error store_token_add(struct store *store, const struct store_token *token)
{
    struct query q;
    query_write(&q, store, "INSERT OR IGNORE INTO token (nonce, key, output) VALUES (?, ?, ?)");
    query_fixed(&q, token->nonce, sizeof token->nonce);
    query_u64(&q, token->key);
    query_fixed(&q, token->output, sizeof token->output);
    return query_run(&q);
}

static sotto_error token_of(struct store *store, sotto_bytes owner, struct store_token *token)
{
    struct query q;
    struct store_token found = {0};
    query_read(&q, store, "SELECT key, nonce, output FROM token WHERE owner = ?");
    query_bytes(&q, owner);
    if (query_next(&q)) {
        found.key = column_u32(&q);
        column_fixed(&q, found.nonce, sizeof found.nonce);
        column_fixed(&q, found.output, sizeof found.output);
    }
    sotto_error error = query_end_one(&q);
    if (error == SOTTO_OK)
        *token = found;
    wipe(&found, sizeof found);
    return error;
}

sotto_error store_token_reserve(struct store *store, sotto_bytes owner, struct store_token *token)
{
    struct query q;
    sotto_error error = token_of(store, owner, token);
    if (error != SOTTO_NOT_FOUND)
        return error;
    /* Those of the older key first. The nonces are random: their order says nothing. */
    query_write(&q, store,
                "UPDATE token SET owner = ? WHERE nonce = (SELECT nonce FROM token"
                " WHERE owner IS NULL ORDER BY key, nonce LIMIT 1)");
    query_bytes(&q, owner);
    TRY(query_run_one(&q));
    return token_of(store, owner, token);
}

sotto_error store_token_erase(struct store *store, sotto_bytes owner)
{
    struct query q;
    query_write(&q, store, "DELETE FROM token WHERE owner = ?");
    query_bytes(&q, owner);
    return query_run(&q);
}

sotto_error store_token_release(struct store *store, sotto_bytes owner)
{
    struct query q;
    query_write(&q, store, "UPDATE token SET owner = NULL WHERE owner = ?");
    query_bytes(&q, owner);
    return query_run(&q);
}

sotto_error store_tokens_expire(struct store *store, uint32_t number)
{
    struct query q;
    query_write(&q, store, "DELETE FROM token WHERE key < ?");
    query_u64(&q, number);
    return query_run(&q);
}

sotto_error store_tokens_count(struct store *store, uint32_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT count(*) FROM token WHERE owner IS NULL");
    uint32_t found = query_next(&q) ? column_u32(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

/* ---- Requests ------------------------------------------------------------------------------- */

sotto_error store_token_blinds(struct store *store, struct arena *arena, uint32_t *key,
                               struct store_token_blind **list, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **list};
    uint32_t found = 0;
    query_read(&q, store, "SELECT key, nonce, blind, blinded FROM token_blind ORDER BY position");
    while (query_next(&q)) {
        struct store_token_blind *row = rows_add(&rows, &q);
        if (row == NULL)
            break;
        found = column_u32(&q);
        column_fixed(&q, row->nonce, sizeof row->nonce);
        column_fixed(&q, row->blind, sizeof row->blind);
        column_fixed(&q, row->blinded, sizeof row->blinded);
    }
    TRY(query_end(&q));
    *key = found;
    *list = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

static sotto_error blind_put(struct store *store, uint32_t key, uint64_t position,
                             const struct store_token_blind *blind)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO token_blind (position, key, nonce, blind, blinded)"
                " VALUES (?, ?, ?, ?, ?)");
    query_u64(&q, position);
    query_u64(&q, key);
    query_fixed(&q, blind->nonce, sizeof blind->nonce);
    query_fixed(&q, blind->blind, sizeof blind->blind);
    query_fixed(&q, blind->blinded, sizeof blind->blinded);
    return query_run(&q);
}

sotto_error store_token_blinds_put(struct store *store, uint32_t key,
                                   const struct store_token_blind *list, size_t count)
{
    struct query q;
    query_write(&q, store, "DELETE FROM token_blind");
    TRY(query_run(&q));
    for (size_t i = 0; i < count; i++)
        TRY(blind_put(store, key, i, &list[i]));
    return SOTTO_OK;
}

/* ---- The chain ------------------------------------------------------------------------------ */

sotto_error store_token_chain_get(struct store *store, struct arena *arena,
                                  struct store_token_chain *chain)
{
    struct query q;
    struct store_token_chain found = {.relay = ""};
    query_read(&q, store, "SELECT relay, number, hash FROM token_chain");
    if (query_next(&q)) {
        found.relay = column_text(&q, arena);
        found.number = column_u32(&q);
        column_fixed(&q, found.hash, sizeof found.hash);
    }
    TRY(query_end(&q));
    *chain = found;
    return SOTTO_OK;
}

sotto_error store_token_chain_put(struct store *store, const struct store_token_chain *chain)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO token_chain (one, relay, number, hash)"
                " VALUES (1, ?, ?, ?)");
    query_text(&q, chain->relay);
    query_u64(&q, chain->number);
    query_fixed(&q, chain->hash, sizeof chain->hash);
    return query_run(&q);
}
