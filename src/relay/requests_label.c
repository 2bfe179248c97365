/* Labels: what an account is found by, and who asks for one (PROTOCOL.md, "Being found"). The first
 * on the account connection, the second on the other one, where nobody knows who asks. */
#include "relay/permission.h"

/* ---- One's own ------------------------------------------------------------------------------ */

static void on_labels(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_GET_LABELS_OK,
        .request = op->request,
        .labels = {op->labels.username, op->labels.phone, op->labels.findable},
    };
    connection_done(op, &message);
}

void request_get_labels(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_GET_LABELS);
    if (op == NULL)
        return;
    op->labels.session = connection->session;
    connection_submit(connection, op, on_labels);
}

static void on_username(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_SET_USERNAME_OK);
}

/* That a name is taken tells that there is one: trying many counts like registering. */
void request_set_username(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    uint32_t wait =
        ratelimit_take(connection->loop->relay->ratelimit, &connection->address, RATE_REGISTRATION);
    if (wait > 0) {
        connection_refuse(connection, message->request, WIRE_CODE_RATE_LIMITED, wait);
        return;
    }
    struct store_op *op = connection_op(connection, message->request, STORE_SET_USERNAME);
    if (op == NULL)
        return;
    op->labels.session = connection->session;
    if (store_op_copy(op, message->username, &op->labels.username) != SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    connection_submit(connection, op, on_username);
}

static void on_findable(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_SET_FINDABLE_OK);
}

void request_set_findable(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_SET_FINDABLE);
    if (op == NULL)
        return;
    op->labels.session = connection->session;
    op->labels.findable = message->findable;
    connection_submit(connection, op, on_findable);
}

/* ---- Others' -------------------------------------------------------------------------------- */

static void on_found(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_FIND_OK,
        .request = op->request,
        .manifest = op->find.manifest,
    };
    permission_settle(op);
    connection_done(op, &message);
}

void request_find(struct connection *connection, const struct message *message)
{
    const struct find *body = &message->find;
    struct store_permission permission;
    if (!permission_admit(connection, message->request, &body->permission, PERMIT_FIND,
                          &permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_FIND);
    if (op == NULL)
        return;
    op->find.permission = permission;
    op->find.kind = (enum label_kind)body->kind;
    if (store_op_copy(op, body->label, &op->find.label) != SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    connection_submit(connection, op, on_found);
}
