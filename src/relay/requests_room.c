/* The requests of the room connection (PROTOCOL.md section 5). */
#include "relay/connection.h"

/* ---- Permissions ---------------------------------------------------------------------------- */

/* Without a capability, an address may do so much an hour. */
static bool is_permitted(struct connection *connection, uint32_t request,
                         const struct permission *permission)
{
    if (permission->kind == PERMISSION_CAPABILITY)
        return true;
    uint32_t wait =
        ratelimit_take(connection->loop->relay->ratelimit, &connection->address, RATE_REQUEST);
    if (wait > 0)
        connection_refuse(connection, request, WIRE_CODE_RATE_LIMITED, wait);
    return wait == 0;
}

static struct store_permission store_permission_of(const struct permission *permission)
{
    struct store_permission made = {.has_capability = permission->kind == PERMISSION_CAPABILITY};
    if (made.has_capability)
        gate_of(permission->value, &made.capability_hash);
    return made;
}

/* A capability that opens nothing counts as none at all. */
static void charge_refused(const struct store_op *op)
{
    const struct connection *connection = connection_of(op);
    if (op->code == WIRE_CODE_CAPABILITY_UNKNOWN || op->code == WIRE_CODE_CAPABILITY_USED)
        ratelimit_take(connection->loop->relay->ratelimit, &connection->address, RATE_REQUEST);
}

/* ---- Other people's accounts ---------------------------------------------------------------- */

static void on_manifest(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_GET_MANIFEST_OK,
        .request = op->request,
        .manifest = op->get_manifest.manifest,
    };
    charge_refused(op);
    if (op->code != 0)
        connection_refuse(connection_of(op), op->request, op->code, op->detail);
    else
        connection_send(connection_of(op), &message);
    connection_complete(op);
}

static void get_manifest(struct connection *connection, const struct message *message)
{
    const struct get_manifest *body = &message->get_manifest;
    if (!is_permitted(connection, message->request, &body->permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_GET_MANIFEST);
    if (op == NULL)
        return;
    op->get_manifest.permission = store_permission_of(&body->permission);
    op->get_manifest.account = body->account;
    connection_submit(connection, op, on_manifest);
}

static void on_taken(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_TAKE_KEY_PACKAGE_OK,
        .request = op->request,
        .key_package = op->take.key_package,
    };
    charge_refused(op);
    if (op->code != 0)
        connection_refuse(connection_of(op), op->request, op->code, op->detail);
    else
        connection_send(connection_of(op), &message);
    connection_complete(op);
}

static void take_key_package(struct connection *connection, const struct message *message)
{
    const struct take_key_package *body = &message->take_key_package;
    if (!is_permitted(connection, message->request, &body->permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_TAKE_KEY_PACKAGE);
    if (op == NULL)
        return;
    op->take.permission = store_permission_of(&body->permission);
    op->take.take_id = body->take_id;
    op->take.account = body->account;
    op->take.device = body->device;
    connection_submit(connection, op, on_taken);
}

static void on_posted(struct store_op *op)
{
    charge_refused(op);
    connection_done_empty(op, MESSAGE_POST_ENVELOPE_OK);
}

static void post_envelope(struct connection *connection, const struct message *message)
{
    const struct post_envelope *body = &message->post_envelope;
    if (!is_permitted(connection, message->request, &body->permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_POST_ENVELOPE);
    if (op == NULL)
        return;
    op->post.permission = store_permission_of(&body->permission);
    op->post.post_id = body->post_id;
    op->post.account = body->account;
    op->post.device = body->device;
    if (store_op_copy(op, body->sealed, &op->post.sealed) != SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    connection_submit(connection, op, on_posted);
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

static void on_created(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_ROOM_CREATE_OK);
}

static void room_create(struct connection *connection, const struct message *message)
{
    const struct room_create *body = &message->room_create;
    /* A capability is for one inbox. Here it would tell whose invitation a room comes from. */
    if (body->permission.kind == PERMISSION_CAPABILITY) {
        connection_refuse(connection, message->request, WIRE_CODE_CAPABILITY_UNKNOWN, 0);
        return;
    }
    if (!is_permitted(connection, message->request, &body->permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_ROOM_CREATE);
    if (op == NULL)
        return;
    op->room_create.room = body->room;
    op->room_create.write_gate = body->write_gate;
    op->room_create.read_gate = body->read_gate;
    connection_submit(connection, op, on_created);
}

static void on_appended(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_ROOM_APPEND_OK,
        .request = op->request,
        .seq = op->append.seq,
    };
    if (op->code != 0)
        connection_refuse(connection_of(op), op->request, op->code, op->detail);
    else
        connection_send(connection_of(op), &message);
    connection_complete(op);
}

static void room_append(struct connection *connection, const struct message *message)
{
    const struct append *body = &message->append;
    struct store_op *op = connection_op(connection, message->request, STORE_ROOM_APPEND);
    if (op == NULL)
        return;
    struct store_append *append = &op->append;
    append->room = body->room;
    append->append_id = body->append_id;
    append->epoch = body->epoch;
    gate_of(body->write_token, &append->gate);
    append->kind = body->kind;
    append->next_write_gate = body->next_write_gate;
    append->has_next_read_gate = body->has_next_read_gate;
    append->next_read_gate = body->next_read_gate;
    if (blob_of_append(connection->loop->relay->env, body, &append->blob) != SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    op->size += append->blob->message.size;
    connection_submit(connection, op, on_appended);
}

request_fn *request_room(uint16_t type)
{
    switch (type) {
    case MESSAGE_GET_MANIFEST:
        return get_manifest;
    case MESSAGE_TAKE_KEY_PACKAGE:
        return take_key_package;
    case MESSAGE_POST_ENVELOPE:
        return post_envelope;
    case MESSAGE_ROOM_CREATE:
        return room_create;
    case MESSAGE_ROOM_APPEND:
        return room_append;
    case MESSAGE_ROOM_SUBSCRIBE:
        return subscription_open;
    case MESSAGE_ROOM_UNSUBSCRIBE:
        return subscription_close;
    default:
        return NULL;
    }
}
