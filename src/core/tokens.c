/* Anonymous tokens (PROTOCOL.md, "Tokens"): fetched on the account connection ahead of need, spent
 * on the room connection.
 *
 *     account connection            room connection
 *     token_keys(from seen) ---.
 *                               '-> token_keys(0)        the same newest key, or no tokens
 *     issue_tokens <------------'
 *     (blinds stored before it is sent, tokens stored with its answer)
 *                                   permission = a token reserved for that very request
 *
 * A token is reserved in the store before it is shown, under the id of what it pays for, so that a
 * retry shows the same one; it is erased in the transaction that stores the answer. */
#include <string.h>

#include "core/internal.h"
#include "crypto/voprf.h"

enum {
    TOKENS_LOW = 32,    /* free ones below which more are fetched */
    TOKENS_STOCK = 64,  /* up to which */
    TOKEN_REQUESTS = 4, /* in one session, whatever the answers */
    TOKENS_AGAIN_MS = 600000,
};

/* ---- What went wrong ------------------------------------------------------------------------ */

void tokens_reset(struct sotto *core)
{
    bool told = core->tokens.told, urgent = core->tokens.urgent;
    uint32_t wanted = core->tokens.wanted;
    memset(&core->tokens, 0, sizeof core->tokens);
    core->tokens.told = told;
    core->tokens.urgent = urgent;
    core->tokens.wanted = wanted;
    problem_clear(&core->tokens.problem);
}

/* No tokens in this session; everything else goes on. */
static void give_up(struct sotto *core)
{
    core->tokens.done = true;
    core->tokens.done_ms = net_now_ms(core);
}

/* The relay is caught. A listener hears of it once. */
static void keys_differ(struct sotto *core, const char *from)
{
    struct tokens *tokens = &core->tokens;
    char name[300];
    problem_relay_name(core->profile.relay, name);
    (void)problem_set(&tokens->problem, SOTTO_SIGNATURE, SOTTO_CODE_TOKEN_KEYS,
                      "No tokens were taken from it; everything else goes on. If the relay was "
                      "restored from a backup, that may be why: ask whoever runs it, and compare "
                      "the token keys that `sotto status` shows with somebody else there.",
                      "The relay %s shows this device other token keys than %s: by a key of its "
                      "own it could tell what this device does.",
                      name, from);
    if (core->listener != NULL && core->listener->notice != NULL && !tokens->told) {
        core->listener->notice(core->listener->ctx, &tokens->problem);
        tokens->told = true;
    }
    give_up(core);
}

static void local_failure(struct sotto *core, sotto_error error)
{
    store_rollback(core->store);
    (void)problem_local(&core->tokens.problem, error, "storing tokens");
    give_up(core);
}

/* ---- The keys, on the account connection ---------------------------------------------------- */

static sotto_error chain_of(struct sotto *core, struct arena *arena,
                            struct store_token_chain *chain)
{
    TRY(store_token_chain_get(core->store, arena, chain));
    if (strcmp(chain->relay, core->profile.relay) != 0)
        *chain = (struct store_token_chain){.relay = core->profile.relay};
    return SOTTO_OK;
}

/* Whether the list holds the announcement that was seen before, where one was. */
static bool goes_on(const struct token_keys *keys, const struct store_token_chain *seen)
{
    uint8_t hash[HASH_SIZE];
    if (seen->number == 0)
        return true;
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].number != seen->number)
            continue;
        token_key_hash(&keys->keys[i], hash);
        return memcmp(hash, seen->hash, HASH_SIZE) == 0;
    }
    return false;
}

static void on_keys(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    struct tokens *tokens = &core->tokens;
    struct arena arena;
    struct store_token_chain seen;
    core->inbox.busy = false;
    if (error != SOTTO_OK) { /* an older relay, or one that has none now */
        give_up(core);
        return;
    }
    const struct token_keys *keys = &answer->token_keys;
    arena_init(&arena, core->env);
    error = chain_of(core, &arena, &seen);
    if (error != SOTTO_OK) {
        local_failure(core, error);
    } else if (!goes_on(keys, &seen)) {
        keys_differ(core, "before");
    } else {
        tokens->newest = keys->keys[keys->count - 1];
        tokens->known = true;
        tokens->checked = tokens->newest.number == seen.number;
        if (keys->a_day == 0)
            give_up(core);
    }
    arena_free(&arena);
}

static bool ask_account(struct sotto *core, const struct message *message, link_answer_fn *done)
{
    if (link_request(core->inbox.conn->link, message, done, core, NULL) != SOTTO_OK) {
        give_up(core);
        return false;
    }
    core->inbox.busy = true;
    return true;
}

static bool ask_keys(struct sotto *core)
{
    struct arena arena;
    struct store_token_chain seen;
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_TOKEN_KEYS;
    arena_init(&arena, core->env);
    sotto_error error = chain_of(core, &arena, &seen);
    message.first_key = error == SOTTO_OK ? seen.number : 0;
    arena_free(&arena);
    if (error != SOTTO_OK) {
        local_failure(core, error);
        return false;
    }
    return ask_account(core, &message, on_keys);
}

/* ---- The same, as nobody in particular ------------------------------------------------------ */

/* Inside a transaction: both saw the same, and from here on the chain goes on from it. */
static sotto_error remember(struct sotto *core)
{
    const struct token_key *newest = &core->tokens.newest;
    struct store_token_chain chain = {.relay = core->profile.relay, .number = newest->number};
    token_key_hash(newest, chain.hash);
    TRY(store_token_chain_put(core->store, &chain));
    /* The one before is good for a while yet. */
    return store_tokens_expire(core->store, newest->number - 1);
}

static void on_seen(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    struct tokens *tokens = &core->tokens;
    tokens->asking = false;
    if (error != SOTTO_OK || !tokens->known) {
        give_up(core);
        return;
    }
    const struct token_keys *keys = &answer->token_keys;
    struct store_token_chain told = {.number = tokens->newest.number};
    token_key_hash(&tokens->newest, told.hash);
    const struct token_key *last = &keys->keys[keys->count - 1];
    /* A newer one, of which the other is a link of the chain, was made in between: ask anew. */
    if (last->number == told.number + 1 && goes_on(keys, &told)) {
        tokens->known = false;
        return;
    }
    if (last->number != told.number || !goes_on(keys, &told)) {
        keys_differ(core, "it shows to others");
        return;
    }
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = remember(core);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        local_failure(core, error);
    else
        tokens->checked = true;
}

static bool ask_as_nobody(struct sotto *core)
{
    struct conn *conn = net_conn(core, core->profile.relay, CONNECTION_ROOM);
    struct message message;
    if (conn == NULL || (!conn_up(conn) && conn_failed(conn))) {
        give_up(core); /* rooms will say why */
        return false;
    }
    if (conn->link == NULL)
        return true;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_TOKEN_KEYS;
    if (link_request(conn->link, &message, on_seen, core, NULL) != SOTTO_OK) {
        give_up(core);
        return false;
    }
    core->tokens.asking = true;
    return true;
}

/* ---- Tokens --------------------------------------------------------------------------------- */

static sotto_error blind_one(struct sotto *core, struct store_token_blind *one)
{
    struct secret blind = {0};
    TRY(core->env->random(core->env->ctx, one->nonce, TOKEN_NONCE_SIZE));
    sotto_error error =
        voprf_blind(VOPRF_MODE_VOPRF, core->env, sotto_bytes_of(one->nonce, TOKEN_NONCE_SIZE),
                    &blind, one->blinded);
    if (error == SOTTO_OK)
        memcpy(one->blind, blind.data, sizeof one->blind);
    secret_wipe(&blind);
    return error;
}

/* What is to be sent: what was sent before and not answered, or a new batch, stored first. */
static sotto_error batch_get(struct sotto *core, struct arena *arena,
                             struct store_token_blind **list, size_t *count)
{
    uint32_t key = 0;
    TRY(store_token_blinds(core->store, arena, &key, list, count));
    if (*count > 0 && *count <= WIRE_TOKENS_MAX && key == core->tokens.newest.number)
        return SOTTO_OK;
    *count = WIRE_TOKENS_MAX;
    *list = arena_array(arena, *count, sizeof **list);
    if (*list == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < *count; i++)
        TRY(blind_one(core, &(*list)[i]));
    return store_token_blinds_put(core->store, core->tokens.newest.number, *list, *count);
}

/* Verifies the proof and unblinds. SIGNATURE, KEY: the relay used another key. */
static sotto_error unblind(struct sotto *core, const struct store_token_blind *list, size_t count,
                           const struct issue_tokens_ok *answer, uint8_t *outputs)
{
    struct voprf_blinded sent[WIRE_TOKENS_MAX];
    uint8_t blinded[WIRE_TOKENS_MAX * TOKEN_ELEMENT_SIZE];
    for (size_t i = 0; i < count; i++) {
        sent[i] = (struct voprf_blinded){sotto_bytes_of(list[i].nonce, TOKEN_NONCE_SIZE),
                                         sotto_bytes_of(list[i].blind, TOKEN_ELEMENT_SIZE)};
        memcpy(blinded + i * TOKEN_ELEMENT_SIZE, list[i].blinded, TOKEN_ELEMENT_SIZE);
    }
    return voprf_finalize(
        VOPRF_MODE_VOPRF, sotto_bytes_of(core->tokens.newest.public_key, TOKEN_ELEMENT_SIZE),
        (sotto_bytes){0}, sent, count, sotto_bytes_of(blinded, count * TOKEN_ELEMENT_SIZE),
        answer->evaluated, answer->proof, outputs);
}

/* Inside a transaction. Nothing to do where another process has had the answer before. */
static sotto_error tokens_store(struct sotto *core, const struct issue_tokens_ok *answer)
{
    struct arena arena;
    struct store_token_blind *list = NULL;
    size_t count = 0;
    uint32_t key = 0;
    uint8_t outputs[WIRE_TOKENS_MAX * TOKEN_OUTPUT_SIZE];
    arena_init(&arena, core->env);
    sotto_error error = store_token_blinds(core->store, &arena, &key, &list, &count);
    bool ours = error == SOTTO_OK && count > 0 && count <= WIRE_TOKENS_MAX &&
                key == core->tokens.newest.number;
    if (ours)
        error = unblind(core, list, count, answer, outputs);
    for (size_t i = 0; ours && i < count && error == SOTTO_OK; i++) {
        struct store_token token = {.key = key};
        memcpy(token.nonce, list[i].nonce, sizeof token.nonce);
        memcpy(token.output, outputs + i * TOKEN_OUTPUT_SIZE, sizeof token.output);
        error = store_token_add(core->store, &token);
        wipe(&token, sizeof token);
    }
    if (ours && error == SOTTO_OK)
        error = store_token_blinds_put(core->store, 0, NULL, 0);
    wipe(outputs, sizeof outputs);
    arena_free(&arena);
    return error;
}

static void on_issued(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    core->inbox.busy = false;
    if (error == SOTTO_REFUSED && answer->error.code == WIRE_CODE_TOKEN_REFUSED) {
        core->tokens.known = false; /* another key issues by now */
        return;
    }
    if (error != SOTTO_OK) { /* enough for today, or the connection is gone: later */
        give_up(core);
        return;
    }
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = tokens_store(core, &answer->issue_tokens_ok);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_SIGNATURE || error == SOTTO_KEY || error == SOTTO_LENGTH) {
        store_rollback(core->store);
        keys_differ(core, "it uses for its tokens");
    } else if (error != SOTTO_OK) {
        local_failure(core, error);
    }
    for (struct room *room = core->rooms; room != NULL; room = room->next)
        room->wake = true; /* some may have waited for a token */
}

static bool ask_tokens(struct sotto *core)
{
    struct arena arena;
    struct store_token_blind *list = NULL;
    size_t count = 0;
    uint8_t blinded[WIRE_TOKENS_MAX * TOKEN_ELEMENT_SIZE];
    bool asking = false;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = batch_get(core, &arena, &list, &count);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        local_failure(core, error);
    } else {
        struct message message;
        memset(&message, 0, sizeof message);
        message.type = MESSAGE_ISSUE_TOKENS;
        for (size_t i = 0; i < count; i++)
            memcpy(blinded + i * TOKEN_ELEMENT_SIZE, list[i].blinded, TOKEN_ELEMENT_SIZE);
        message.issue_tokens.key = core->tokens.newest.number;
        message.issue_tokens.blinded = sotto_bytes_of(blinded, count * TOKEN_ELEMENT_SIZE);
        core->tokens.requests++;
        asking = ask_account(core, &message, on_issued);
    }
    arena_free(&arena);
    return asking;
}

/* ---- One step ------------------------------------------------------------------------------- */

bool tokens_step(struct sotto *core)
{
    struct tokens *tokens = &core->tokens;
    uint32_t count = 0;
    uint32_t enough = tokens->requests == 0 && tokens->wanted == 0 ? TOKENS_LOW : TOKENS_STOCK;
    if (tokens->wanted > enough)
        enough = tokens->wanted;
    /* A listener looks again now and then: some may have been spent. */
    if (tokens->done && core->patient && net_now_ms(core) - tokens->done_ms > TOKENS_AGAIN_MS)
        tokens_reset(core);
    if (tokens->done)
        return false;
    if (tokens->asking)
        return true;
    sotto_error error = store_tokens_count(core->store, &count);
    if (error != SOTTO_OK)
        local_failure(core, error);
    else if (tokens->requests >= TOKEN_REQUESTS || count >= enough)
        give_up(core);
    if (tokens->done)
        return false;
    if (!tokens->known)
        return ask_keys(core);
    return tokens->checked ? ask_tokens(core) : ask_as_nobody(core);
}

/* ---- Paying --------------------------------------------------------------------------------- */

sotto_error token_reserve(struct sotto *core, const char *relay, sotto_bytes owner,
                          struct token_payment *payment)
{
    struct store_token token;
    memset(payment, 0, sizeof *payment);
    payment->permission.kind = PERMISSION_NONE;
    if (strcmp(relay, core->profile.relay) != 0)
        return SOTTO_OK;
    sotto_error error = store_token_reserve(core->store, owner, &token);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    TRY(error);
    for (size_t i = 0; i < 4; i++)
        payment->value[i] = (uint8_t)(token.key >> (24 - 8 * i));
    memcpy(payment->value + 4, token.nonce, TOKEN_NONCE_SIZE);
    memcpy(payment->value + 4 + TOKEN_NONCE_SIZE, token.output, TOKEN_OUTPUT_SIZE);
    payment->permission.kind = PERMISSION_TOKEN;
    payment->permission.value = sotto_bytes_of(payment->value, sizeof payment->value);
    wipe(&token, sizeof token);
    return SOTTO_OK;
}

sotto_error token_pay(struct sotto *core, const char *relay, sotto_bytes owner,
                      struct token_payment *payment)
{
    TRY(store_begin(core->store));
    sotto_error error = token_reserve(core, relay, owner, payment);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

void token_payment_wipe(struct token_payment *payment)
{
    wipe(payment, sizeof *payment);
}

/* ---- Paying with several -------------------------------------------------------------------- */

enum { NTH_OWNER = BLOB_ID_SIZE + 4 };

static sotto_bytes nth_owner(sotto_bytes owner, size_t n, uint8_t out[static NTH_OWNER])
{
    BUG_UNLESS(owner.size == BLOB_ID_SIZE);
    memcpy(out, owner.data, BLOB_ID_SIZE);
    for (size_t i = 0; i < 4; i++)
        out[BLOB_ID_SIZE + i] = (uint8_t)(n >> (24 - 8 * i));
    return sotto_bytes_of(out, NTH_OWNER);
}

static sotto_error reserve_all(struct sotto *core, const char *relay, sotto_bytes owner,
                               struct token_payments *payments, bool *all)
{
    uint8_t name[NTH_OWNER];
    *all = true;
    for (size_t i = 0; i < payments->count && *all; i++) {
        TRY(token_reserve(core, relay, nth_owner(owner, i, name), &payments->each[i]));
        payments->permissions[i] = payments->each[i].permission;
        *all = payments->permissions[i].kind == PERMISSION_TOKEN;
    }
    return SOTTO_OK;
}

sotto_error token_pay_many(struct sotto *core, const char *relay, sotto_bytes owner, size_t count,
                           struct arena *arena, struct token_payments *payments)
{
    bool all = false;
    payments->count = count;
    payments->permissions = arena_array(arena, count, sizeof *payments->permissions);
    payments->each = arena_array(arena, count, sizeof *payments->each);
    if (payments->permissions == NULL || payments->each == NULL)
        return SOTTO_NO_MEMORY;
    TRY(store_begin(core->store));
    sotto_error error = reserve_all(core, relay, owner, payments, &all);
    if (error == SOTTO_OK && all)
        error = store_commit(core->store);
    if (error != SOTTO_OK || !all)
        store_rollback(core->store); /* some are not enough: they stay free */
    if (error == SOTTO_OK && !all) {
        payments->count = 1;
        payments->permissions[0] = (struct permission){.kind = PERMISSION_NONE};
    }
    return error;
}

/* One transaction. count 0: owner names a single token. */
static sotto_error let_go(struct sotto *core, sotto_bytes owner, size_t count, bool erase)
{
    sotto_error (*go)(struct store *, sotto_bytes) =
        erase ? store_token_erase : store_token_release;
    uint8_t name[NTH_OWNER];
    TRY(store_begin(core->store));
    sotto_error error = count == 0 ? go(core->store, owner) : SOTTO_OK;
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        error = go(core->store, nth_owner(owner, i, name));
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

sotto_error token_paid_many(struct sotto *core, sotto_bytes owner, size_t count)
{
    return let_go(core, owner, count, true);
}

/* ---- Refusals ------------------------------------------------------------------------------- */

/* There are none, and without one it cannot be had: get some now, where they are to be had. */
static bool fetch_now(struct sotto *core, const char *relay)
{
    struct tokens *tokens = &core->tokens;
    if (strcmp(relay, core->profile.relay) != 0 || (tokens->done && tokens->urgent))
        return false;
    if (!tokens->urgent && !tokens->asking)
        tokens_reset(core);
    tokens->urgent = true;
    core->inbox.wanted = true;
    return !core->inbox.failed;
}

enum token_outcome token_refused(struct sotto *core, const char *relay, sotto_bytes owner,
                                 sotto_error error, const struct message *answer)
{
    return token_refused_many(core, relay, owner, 0, error, answer);
}

enum token_outcome token_refused_many(struct sotto *core, const char *relay, sotto_bytes owner,
                                      size_t count, sotto_error error, const struct message *answer)
{
    if (error != SOTTO_REFUSED || answer == NULL)
        return TOKEN_NOT_IT;
    uint16_t code = answer->error.code;
    if (code == WIRE_CODE_TOKEN_NEEDED) {
        if (count > core->tokens.wanted)
            core->tokens.wanted = (uint32_t)count;
        return fetch_now(core, relay) ? TOKEN_WAIT : TOKEN_NOT_IT;
    }
    bool bad = code == WIRE_CODE_TOKEN_REFUSED || code == WIRE_CODE_TOKEN_SPENT;
    if (!bad && net_transient(error, answer))
        return TOKEN_NOT_IT;
    error = let_go(core, owner, count, bad);
    return bad && error == SOTTO_OK ? TOKEN_AGAIN : TOKEN_NOT_IT;
}
