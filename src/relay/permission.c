#include "relay/permission.h"

#include <string.h>

/* Which code says that this kind is not taken for this; 0: it is. */
static uint16_t kind_refused(const struct config *config, uint8_t kind, enum permit permit)
{
    bool demands = config->permissions == PERMISSIONS_TOKEN && permit != PERMIT_LOOK;
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

bool permission_admit(struct connection *connection, uint32_t request,
                      const struct permission *permission, enum permit permit,
                      struct store_permission *out)
{
    const struct relay *relay = connection->loop->relay;
    struct token token;
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
    *out = (struct store_permission){.kind = (enum permission_kind)permission->kind};
    if (permission->kind == PERMISSION_CAPABILITY)
        gate_of(permission->value, &out->capability_hash);
    if (permission->kind == PERMISSION_TOKEN && token_parse(permission->value, &token)) {
        out->token_good = tokens_check(relay->tokens, &token);
        out->token_key = token.key;
        memcpy(out->token_nonce, token.nonce.data, TOKEN_NONCE_SIZE);
    }
    return true;
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
