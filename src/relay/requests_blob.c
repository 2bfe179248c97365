/* The requests about blobs (PROTOCOL.md section 5, "Blobs"). */
#include "relay/permission.h"

#define MIB (UINT64_C(1) << 20)

static struct store_op *job_new(struct connection *connection, uint32_t request, enum blob_job job,
                                const struct blob_id *id, sotto_bytes write_token)
{
    struct store_op *op = connection_op(connection, request, STORE_BLOB_JOB);
    if (op == NULL)
        return NULL;
    op->blob.job = job;
    wire_hash(sotto_bytes_of(id->bytes, BLOB_ID_SIZE), op->blob.file.hash);
    if (write_token.size > 0)
        gate_of(write_token, &op->blob.file.write_gate);
    return op;
}

/* ---- Create --------------------------------------------------------------------------------- */

static void on_created(struct store_op *op)
{
    permission_settle(op);
    connection_done_empty(op, MESSAGE_BLOB_CREATE_OK);
}

static void blob_create(struct connection *connection, const struct message *message)
{
    const struct blob_create *body = &message->blob_create;
    const struct config *config = connection->loop->relay->config;
    uint64_t max = MIB * (config->blob_max_mib < config->blob_space_mib ? config->blob_max_mib
                                                                        : config->blob_space_mib);
    if (body->size > max) {
        connection_refuse(connection, message->request, WIRE_CODE_LIMIT, max);
        return;
    }
    struct store_op *op =
        job_new(connection, message->request, BLOB_CREATE, &body->blob, (sotto_bytes){0});
    if (op == NULL)
        return;
    struct store_permission *permissions =
        arena_array(&op->arena, body->permission_count, sizeof *permissions);
    if (permissions == NULL)
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
    if (permissions == NULL ||
        !permission_admit_size(connection, message->request, body->permissions,
                               body->permission_count, body->size, permissions)) {
        store_op_free(op);
        return;
    }
    op->blob.permissions = permissions;
    op->blob.permission_count = body->permission_count;
    op->blob.file.write_gate = body->write_gate;
    op->blob.file.size = body->size;
    connection_submit_blob(connection, op, on_created);
}

/* ---- Put, status, finish, delete ------------------------------------------------------------ */

static void on_put(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_BLOB_PUT_OK,
        .request = op->request,
        .blob_stored = op->blob.file.stored,
    };
    connection_done(op, &message);
}

static void blob_put(struct connection *connection, const struct message *message)
{
    const struct blob_put *body = &message->blob_put;
    struct store_op *op =
        job_new(connection, message->request, BLOB_PUT, &body->blob, body->write_token);
    if (op == NULL)
        return;
    op->blob.offset = body->offset;
    if (store_op_copy(op, body->bytes, &op->blob.bytes) != SOTTO_OK) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    connection_submit_blob(connection, op, on_put);
}

static void on_status(struct store_op *op)
{
    const struct store_file *file = &op->blob.file;
    const struct message message = {
        .type = MESSAGE_BLOB_STATUS_OK,
        .request = op->request,
        .blob_state = {file->size, file->stored, file->finished},
    };
    connection_done(op, &message);
}

static void on_finished(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_BLOB_FINISH_OK);
}

static void on_deleted(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_BLOB_DELETE_OK);
}

static void ask_owner(struct connection *connection, const struct message *message,
                      enum blob_job job, void (*done)(struct store_op *op))
{
    const struct blob_owner *body = &message->blob_owner;
    struct store_op *op =
        job_new(connection, message->request, job, &body->blob, body->write_token);
    if (op != NULL)
        connection_submit_blob(connection, op, done);
}

static void blob_status(struct connection *connection, const struct message *message)
{
    ask_owner(connection, message, BLOB_STATUS, on_status);
}

static void blob_finish(struct connection *connection, const struct message *message)
{
    ask_owner(connection, message, BLOB_FINISH, on_finished);
}

static void blob_delete(struct connection *connection, const struct message *message)
{
    ask_owner(connection, message, BLOB_DELETE, on_deleted);
}

/* ---- Get ------------------------------------------------------------------------------------ */

static void on_got(struct store_op *op)
{
    const struct message message = {
        .type = MESSAGE_BLOB_GET_OK,
        .request = op->request,
        .blob_bytes = op->blob.bytes,
    };
    connection_done(op, &message);
}

static void blob_get(struct connection *connection, const struct message *message)
{
    const struct blob_get *body = &message->blob_get;
    struct store_op *op =
        job_new(connection, message->request, BLOB_GET, &body->blob, (sotto_bytes){0});
    if (op == NULL)
        return;
    op->blob.offset = body->offset;
    op->blob.length = body->length;
    connection_submit_blob(connection, op, on_got);
}

request_fn *request_blob(uint16_t type)
{
    switch (type) {
    case MESSAGE_BLOB_CREATE:
        return blob_create;
    case MESSAGE_BLOB_PUT:
        return blob_put;
    case MESSAGE_BLOB_STATUS:
        return blob_status;
    case MESSAGE_BLOB_FINISH:
        return blob_finish;
    case MESSAGE_BLOB_GET:
        return blob_get;
    case MESSAGE_BLOB_DELETE:
        return blob_delete;
    default:
        return NULL;
    }
}
