/* The requests of the room connection (PROTOCOL.md section 5). */
#include "relay/permission.h"

/* ---- Other people's accounts ---------------------------------------------------------------- */

static void on_manifest(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_GET_MANIFEST_OK,
        .request = op->request,
        .manifest = op->get_manifest.manifest,
    };
    permission_settle(op);
    connection_done(op, &message);
}

static void get_manifest(struct connection *connection, const struct message *message)
{
    const struct get_manifest *body = &message->get_manifest;
    struct store_permission permission;
    if (!permission_admit(connection, message->request, &body->permission, PERMIT_LOOK,
                          &permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_GET_MANIFEST);
    if (op == NULL)
        return;
    op->get_manifest.permission = permission;
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
    permission_settle(op);
    connection_done(op, &message);
}

static void take_key_package(struct connection *connection, const struct message *message)
{
    const struct take_key_package *body = &message->take_key_package;
    struct store_permission permission;
    if (!permission_admit(connection, message->request, &body->permission, PERMIT_INBOX,
                          &permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_TAKE_KEY_PACKAGE);
    if (op == NULL)
        return;
    op->take.permission = permission;
    op->take.take_id = body->take_id;
    op->take.account = body->account;
    op->take.device = body->device;
    connection_submit(connection, op, on_taken);
}

static void on_posted(struct store_op *op)
{
    permission_settle(op);
    connection_done_empty(op, MESSAGE_POST_ENVELOPE_OK);
}

static void post_envelope(struct connection *connection, const struct message *message)
{
    const struct post_envelope *body = &message->post_envelope;
    struct store_permission permission;
    if (!permission_admit(connection, message->request, &body->permission, PERMIT_INBOX,
                          &permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_POST_ENVELOPE);
    if (op == NULL)
        return;
    op->post.permission = permission;
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
    permission_settle(op);
    connection_done_empty(op, MESSAGE_ROOM_CREATE_OK);
}

/* What one token pays for. */
static uint64_t room_step(const struct connection *connection)
{
    uint64_t mib = connection->loop->relay->config->room_mib;
    return mib == 0 ? ROOM_SIZE_UNLIMITED : mib << 20;
}

static void room_create(struct connection *connection, const struct message *message)
{
    const struct room_create *body = &message->room_create;
    struct store_permission permission;
    if (!permission_admit(connection, message->request, &body->permission, PERMIT_CREATE,
                          &permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_ROOM_CREATE);
    if (op == NULL)
        return;
    op->room_create.permission = permission;
    op->room_create.size = room_step(connection);
    if (permission.kind == PERMISSION_NONE)
        op->room_create.size /= ROOM_WITHOUT_TOKEN;
    op->room_create.room = body->room;
    op->room_create.write_gate = body->write_gate;
    op->room_create.read_gate = body->read_gate;
    connection_submit(connection, op, on_created);
}

static void on_extended(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_ROOM_EXTEND_OK,
        .request = op->request,
        .size = op->room_extend.size,
    };
    permission_settle(op);
    connection_done(op, &message);
}

static void room_extend(struct connection *connection, const struct message *message)
{
    const struct room_extend *body = &message->room_extend;
    struct store_permission permission;
    if (!permission_admit(connection, message->request, &body->permission, PERMIT_EXTEND,
                          &permission))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_ROOM_EXTEND);
    if (op == NULL)
        return;
    op->room_extend.permission = permission;
    op->room_extend.room = body->room;
    op->room_extend.step = room_step(connection);
    op->room_extend.size = body->size;
    connection_submit(connection, op, on_extended);
}

static void on_appended(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_ROOM_APPEND_OK,
        .request = op->request,
        .seq = op->append.seq,
    };
    connection_done(op, &message);
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

/* ---- Whispers ------------------------------------------------------------------------------- */

static void on_whisper(struct store_op *op)
{
    struct connection *connection = connection_of(op);
    if (op->code == 0)
        store_tell(connection->loop->relay->store, &op->may_write.room, op->may_write.blob,
                   connection);
    connection_done_empty(op, MESSAGE_ROOM_WHISPER_OK);
}

/* Seconds until the connection may whisper; 0: it may, and it is counted. */
static uint64_t whisper_pause(struct connection *connection)
{
    const uint64_t now = relay_now_ms(), ahead = CONNECTION_WHISPERS * CONNECTION_WHISPER_MS;
    uint64_t paid = connection->whispers_ms > now ? connection->whispers_ms : now;
    if (paid - now >= ahead)
        return 1;
    connection->whispers_ms = paid + CONNECTION_WHISPER_MS;
    return 0;
}

static void room_whisper(struct connection *connection, const struct message *message)
{
    const struct room_whisper *body = &message->whisper;
    uint64_t pause = whisper_pause(connection);
    if (pause != 0) {
        connection_refuse(connection, message->request, WIRE_CODE_RATE_LIMITED, pause);
        return;
    }
    struct store_op *op = connection_op(connection, message->request, STORE_ROOM_MAY_WRITE);
    if (op == NULL)
        return;
    op->may_write.room = body->room;
    op->may_write.epoch = body->epoch;
    gate_of(body->write_token, &op->may_write.gate);
    if (blob_of_whisper(connection->loop->relay->env, body->bytes, &op->may_write.blob) !=
        SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    op->size += body->bytes.size;
    connection_submit(connection, op, on_whisper);
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
    case MESSAGE_ROOM_EXTEND:
        return room_extend;
    case MESSAGE_TOKEN_KEYS:
        return request_token_keys;
    case MESSAGE_LOG_GET:
        return request_log_get;
    case MESSAGE_FIND:
        return request_find;
    case MESSAGE_ROOM_APPEND:
        return room_append;
    case MESSAGE_ROOM_WHISPER:
        return room_whisper;
    case MESSAGE_ROOM_SUBSCRIBE:
        return subscription_open;
    case MESSAGE_ROOM_UNSUBSCRIBE:
        return subscription_close;
    default:
        return NULL;
    }
}
