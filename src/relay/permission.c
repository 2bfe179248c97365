#include "relay/permission.h"

#include <string.h>

/* Which code says that this kind is not taken for this; 0: it is. */
static uint16_t kind_refused(const struct config *config, uint8_t kind, enum permit permit)
{
    bool demands = permit == PERMIT_FIND
                       ? config->tokens_a_day > 0
                       : config->permissions == PERMISSIONS_TOKEN && permit != PERMIT_LOOK;
    switch (kind) {
    case PERMISSION_CAPABILITY: /* it is for one inbox: elsewhere it would tell whose guest comes */
        return permit == PERMIT_LOOK || permit == PERMIT_INBOX ? 0 : WIRE_CODE_CAPABILITY_UNKNOWN;
    case PERMISSION_TOKEN:
        return permit != PERMIT_LOOK ? 0 : WIRE_CODE_TOKEN_REFUSED;
    default:
        return demands || permit == PERMIT_EXTEND ? WIRE_CODE_TOKEN_NEEDED : 0;
    }
}

/* Nothing costs a request of the address's; a token costs none, but whoever has shown too many bad
 * ones is not computed for. */
static uint32_t must_wait(struct connection *connection, uint8_t kind)
{
    struct ratelimit *limit = connection->loop->relay->ratelimit;
    if (kind == PERMISSION_NONE)
        return ratelimit_take(limit, &connection->address, RATE_REQUEST);
    if (kind == PERMISSION_TOKEN)
        return ratelimit_look(limit, &connection->address, RATE_REQUEST);
    return 0;
}

/* As the store needs it. */
static void take(const struct relay *relay, const struct permission *permission,
                 struct store_permission *out)
{
    struct token token;
    *out = (struct store_permission){.kind = (enum permission_kind)permission->kind};
    if (permission->kind == PERMISSION_CAPABILITY)
        gate_of(permission->value, &out->capability_hash);
    if (permission->kind == PERMISSION_TOKEN && token_parse(permission->value, &token)) {
        out->token_good = tokens_check(relay->tokens, &token);
        out->token_key = token.key;
        memcpy(out->token_nonce, token.nonce.data, TOKEN_NONCE_SIZE);
    }
}

bool permission_admit(struct connection *connection, uint32_t request,
                      const struct permission *permission, enum permit permit,
                      struct store_permission *out)
{
    const struct relay *relay = connection->loop->relay;
    uint16_t code = kind_refused(relay->config, permission->kind, permit);
    if (code != 0) {
        connection_refuse(connection, request, code, 0);
        return false;
    }
    uint32_t wait = must_wait(connection, permission->kind);
    if (wait > 0) {
        connection_refuse(connection, request, WIRE_CODE_RATE_LIMITED, wait);
        return false;
    }
    take(relay, permission, out);
    return true;
}

/* ---- Several at once ------------------------------------------------------------------------ */

static bool is_shown_twice(const struct store_permission *list, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (list[i].token_key == list[at].token_key &&
            memcmp(list[i].token_nonce, list[at].token_nonce, TOKEN_NONCE_SIZE) == 0)
            return true;
    return false;
}

/* Takes them until one is not good: whoever shows many bad ones is computed for once. */
static uint16_t take_tokens(const struct relay *relay, const struct permission *permissions,
                            size_t count, struct store_permission *out)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        if (permissions[i].kind != PERMISSION_TOKEN)
            return WIRE_CODE_TOKEN_REFUSED;
        if (good)
            take(relay, &permissions[i], &out[i]);
        else
            out[i] = (struct store_permission){.kind = PERMISSION_TOKEN};
        good = good && out[i].token_good;
        if (good && is_shown_twice(out, i))
            return WIRE_CODE_TOKEN_SPENT;
    }
    return 0;
}

bool permission_admit_size(struct connection *connection, uint32_t request,
                           const struct permission *permissions, size_t count, uint64_t size,
                           struct store_permission *out)
{
    const struct relay *relay = connection->loop->relay;
    uint8_t kind = permissions[0].kind;
    uint64_t mib = (size + (1 << 20) - 1) >> 20;
    uint64_t price = (size + WIRE_BLOB_TOKEN - 1) / WIRE_BLOB_TOKEN;
    uint32_t wait = kind == PERMISSION_TOKEN ? must_wait(connection, kind) : 0;
    uint16_t code = kind_refused(relay->config, kind, PERMIT_CREATE);
    if (code == 0 && count != (kind == PERMISSION_TOKEN ? price : 1))
        code = WIRE_CODE_TOKEN_NEEDED;
    if (code == 0 && wait == 0 && kind == PERMISSION_TOKEN)
        code = take_tokens(relay, permissions, count, out);
    if (code == 0 && kind == PERMISSION_NONE) {
        take(relay, &permissions[0], &out[0]);
        wait =
            ratelimit_take_many(relay->ratelimit, &connection->address, RATE_BLOB, (uint32_t)mib);
    }
    uint64_t detail = code == WIRE_CODE_TOKEN_NEEDED ? price : 0;
    if (code != 0)
        connection_refuse(connection, request, code, detail);
    else if (wait > 0)
        connection_refuse(connection, request, WIRE_CODE_RATE_LIMITED, wait);
    return code == 0 && wait == 0;
}

void permission_settle(const struct store_op *op)
{
    const struct connection *connection = connection_of(op);
    switch (op->code) {
    case WIRE_CODE_CAPABILITY_UNKNOWN:
    case WIRE_CODE_CAPABILITY_USED:
    case WIRE_CODE_TOKEN_REFUSED:
    case WIRE_CODE_TOKEN_SPENT:
        ratelimit_take(connection->loop->relay->ratelimit, &connection->address, RATE_REQUEST);
        break;
    default:
        break;
    }
}
