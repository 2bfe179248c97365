/* The requests of the account connection (PROTOCOL.md section 4). */
#include "relay/connection.h"

#include <string.h>

#include <sodium.h>

#include "relay/registration.h"

/* ---- Helpers -------------------------------------------------------------------------------- */

bool connection_is_signed_in(struct connection *connection, uint32_t request)
{
    if (!connection->signed_in)
        connection_refuse(connection, request, WIRE_CODE_NOT_SIGNED_IN, 0);
    return connection->signed_in;
}

static bool may_sign_in(struct connection *connection, uint32_t request)
{
    if (connection->signed_in) {
        connection_bad_request(connection, request, "signed in already", 0);
        return false;
    }
    uint32_t wait =
        ratelimit_look(connection->loop->relay->ratelimit, &connection->address, RATE_SIGN_IN);
    if (wait > 0)
        connection_refuse(connection, request, WIRE_CODE_RATE_LIMITED, wait);
    return wait == 0;
}

static void count_failed(struct connection *connection)
{
    ratelimit_take(connection->loop->relay->ratelimit, &connection->address, RATE_SIGN_IN);
}

static void sign_in_failed(struct connection *connection, uint32_t request)
{
    count_failed(connection);
    connection_refuse(connection, request, WIRE_CODE_SIGN_IN_FAILED, 0);
}

static void out_of_memory(struct connection *connection, struct store_op *op, uint32_t request)
{
    store_op_free(op);
    connection_refuse(connection, request, WIRE_CODE_UNAVAILABLE, 5);
}

static bool keeps_addresses(const struct connection *connection)
{
    return connection->loop->relay->config->ip_seconds != 0;
}

/* Of a verified manifest: its devices and its bytes into the operation. */
static sotto_error copy_manifest(struct store_op *op, sotto_bytes bytes,
                                 const struct manifest *manifest, sotto_bytes *copy,
                                 const struct store_device **devices, size_t *count)
{
    TRY(store_op_devices(op, manifest, devices, count));
    return store_op_copy(op, bytes, copy);
}

/* Reads a manifest that a client sent; refuses the request if it is not valid. */
static bool read_manifest(struct connection *connection, uint32_t request, sotto_bytes bytes,
                          struct arena *arena, struct manifest *manifest)
{
    sotto_fault fault;
    sotto_error error = manifest_read(bytes, arena, manifest, &fault);
    if (error == SOTTO_NO_MEMORY)
        connection_refuse(connection, request, WIRE_CODE_UNAVAILABLE, 5);
    else if (error != SOTTO_OK)
        connection_refuse(connection, request, WIRE_CODE_BAD_MANIFEST, fault.offset);
    return error == SOTTO_OK;
}

/* ---- Register ------------------------------------------------------------------------------- */

static void on_registered(struct store_op *op)
{
    struct connection *connection = connection_of(op);
    const struct store_register *want = &op->registration;
    connection->barrier = false;
    if (op->code == WIRE_CODE_CODE_SENT && want->send_code &&
        !courier_send(connection->loop->relay->courier, want->phone, connection->code))
        op->code = WIRE_CODE_UNAVAILABLE;
    wipe(connection->code, sizeof connection->code);
    if (op->code == 0 && connection->channel != NULL) {
        connection->signed_in = true;
        connection->session = want->session;
        connection->account = want->account;
        connection->device = want->device;
    }
    connection_done_empty(op, MESSAGE_REGISTER_OK);
}

/* What can be told before the store is asked. False: refused. */
static bool check_registration(struct connection *connection, const struct message *message,
                               const struct manifest *manifest, struct account_id *account)
{
    const struct register_request *body = &message->register_request;
    const struct device *device = manifest_device(manifest, &body->device);
    account_id_of(manifest->account_key, account);
    if (device == NULL || !proof_key_is(&body->proof, device->sign_in_hash) ||
        proof_verify(&body->proof, connection->challenge, account, &body->device) != SOTTO_OK) {
        sign_in_failed(connection, message->request);
        return false;
    }
    wire_hash(sotto_bytes_of(body->proof.sign_in_key, SIGN_KEY_SIZE), connection->sign_in_hash);
    if (body->phone.size > 0 && !phone_is_valid(body->phone)) {
        connection_refuse(connection, message->request, WIRE_CODE_PHONE_NEEDED, 0);
        return false;
    }
    struct ratelimit *limit = connection->loop->relay->ratelimit;
    uint32_t wait = ratelimit_take(limit, &connection->address, RATE_REGISTRATION);
    if (wait == 0 && body->phone.size > 0 && body->code.size == 0)
        wait = ratelimit_take(limit, &connection->address, RATE_CODE);
    if (wait > 0)
        connection_refuse(connection, message->request, WIRE_CODE_RATE_LIMITED, wait);
    return wait == 0;
}

static sotto_error fill_registration(struct connection *connection, struct store_op *op,
                                     const struct register_request *body,
                                     const struct manifest *manifest)
{
    const struct relay *relay = connection->loop->relay;
    struct store_register *want = &op->registration;
    TRY(copy_manifest(op, body->manifest, manifest, &want->manifest, &want->devices,
                      &want->device_count));
    TRY(store_op_copy(op, body->phone, &want->phone));
    TRY(code_make(relay->env, connection->code));
    want->device = body->device;
    want->mode = relay->config->registration;
    want->has_invitation = body->invitation.size > 0;
    invitation_hash(body->invitation, want->invitation_hash);
    want->has_code = body->code.size > 0;
    code_hash(body->phone, body->code, want->code_hash);
    code_hash(body->phone, sotto_bytes_str(connection->code), want->new_code_hash);
    want->label = relay->config->label;
    if (keeps_addresses(connection))
        memcpy(want->address, connection->address_text, ADDRESS_TEXT);
    return SOTTO_OK;
}

static void submit_registration(struct connection *connection, const struct message *message,
                                const struct manifest *manifest, const struct account_id *account)
{
    struct store_op *op = connection_op(connection, message->request, STORE_REGISTER);
    if (op == NULL)
        return;
    op->registration.account = *account;
    if (fill_registration(connection, op, &message->register_request, manifest) != SOTTO_OK) {
        out_of_memory(connection, op, message->request);
        return;
    }
    connection->barrier = true;
    connection_submit(connection, op, on_registered);
}

static void do_register(struct connection *connection, const struct message *message)
{
    struct arena arena;
    struct manifest manifest;
    struct account_id account;
    if (!may_sign_in(connection, message->request))
        return;
    arena_init(&arena, connection->loop->relay->env);
    if (read_manifest(connection, message->request, message->register_request.manifest, &arena,
                      &manifest) &&
        check_registration(connection, message, &manifest, &account))
        submit_registration(connection, message, &manifest, &account);
    arena_free(&arena);
}

/* ---- Sign in -------------------------------------------------------------------------------- */

static void remember_address(struct connection *connection)
{
    struct store_op *op = store_op_new(connection->loop->relay->env, STORE_SEEN);
    if (op == NULL || !keeps_addresses(connection)) {
        store_op_free(op);
        return; /* the last known address stays: no reason to keep a person out */
    }
    op->seen.session = connection->session;
    memcpy(op->seen.address, connection->address_text, ADDRESS_TEXT);
    store_submit(connection->loop->relay->store, op);
}

static void on_signed_in(struct store_op *op)
{
    struct connection *connection = connection_of(op);
    const struct store_sign_in *found = &op->sign_in;
    connection->barrier = false;
    bool is_key = op->code == 0 &&
                  sodium_memcmp(found->sign_in_hash, connection->sign_in_hash, HASH_SIZE) == 0;
    if (op->code == WIRE_CODE_UNAVAILABLE) {
        connection_refuse(connection, op->request, op->code, op->detail);
    } else if (op->code == WIRE_CODE_WITHDRAWN || (is_key && found->withdrawn)) {
        count_failed(connection);
        connection_withdrawn(connection, op);
    } else if (!is_key) {
        sign_in_failed(connection, op->request);
    } else if (connection->channel != NULL) {
        connection->signed_in = true;
        connection->session = found->session;
        connection->account = found->account;
        connection->device = found->device;
        remember_address(connection);
        connection_answer(connection, MESSAGE_SIGN_IN_OK, op->request);
    }
    connection_complete(op);
}

static void do_sign_in(struct connection *connection, const struct message *message)
{
    const struct sign_in *body = &message->sign_in;
    if (!may_sign_in(connection, message->request))
        return;
    if (proof_verify(&body->proof, connection->challenge, &body->account, &body->device) !=
        SOTTO_OK) {
        sign_in_failed(connection, message->request);
        return;
    }
    struct store_op *op = connection_op(connection, message->request, STORE_SIGN_IN);
    if (op == NULL)
        return;
    op->sign_in.account = body->account;
    op->sign_in.device = body->device;
    wire_hash(sotto_bytes_of(body->proof.sign_in_key, SIGN_KEY_SIZE), connection->sign_in_hash);
    connection->barrier = true;
    connection_submit(connection, op, on_signed_in);
}

/* ---- The account ---------------------------------------------------------------------------- */

static void on_manifest_put(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_PUT_MANIFEST_OK);
}

static void submit_manifest(struct connection *connection, const struct message *message,
                            const struct manifest *manifest)
{
    struct store_op *op = connection_op(connection, message->request, STORE_PUT_MANIFEST);
    if (op == NULL)
        return;
    struct store_put_manifest *put = &op->put_manifest;
    put->session = connection->session;
    if (copy_manifest(op, message->manifest, manifest, &put->manifest, &put->devices,
                      &put->device_count) != SOTTO_OK)
        out_of_memory(connection, op, message->request);
    else
        connection_submit(connection, op, on_manifest_put);
}

static void put_manifest(struct connection *connection, const struct message *message)
{
    struct arena arena;
    struct manifest manifest;
    struct account_id account;
    if (!connection_is_signed_in(connection, message->request))
        return;
    arena_init(&arena, connection->loop->relay->env);
    if (read_manifest(connection, message->request, message->manifest, &arena, &manifest)) {
        account_id_of(manifest.account_key, &account);
        if (account_id_equal(&account, &connection->account))
            submit_manifest(connection, message, &manifest);
        else /* a valid manifest of somebody else */
            connection_refuse(connection, message->request, WIRE_CODE_BAD_MANIFEST, 2);
    }
    arena_free(&arena);
}

static void on_deleted(struct store_op *op)
{
    struct connection *connection = connection_of(op);
    bool deleted = op->code == 0;
    connection->barrier = false;
    if (deleted && connection->channel != NULL) {
        connection->signed_in = false;
        connection_answer(connection, MESSAGE_DELETE_ACCOUNT_OK, op->request);
        channel_close(connection->channel, 1000);
    } else {
        connection_refuse(connection, op->request, op->code, op->detail);
    }
    connection_complete(op);
}

static void delete_account(struct connection *connection, const struct message *message)
{
    const struct delete_account *body = &message->delete_account;
    if (!connection_is_signed_in(connection, message->request))
        return;
    if (ending_proof_verify(&body->proof, connection->challenge, &connection->account,
                            &connection->device, connection->sign_in_hash) != SOTTO_OK) {
        connection_refuse(connection, message->request, WIRE_CODE_ACCOUNT_KEY_NEEDED, 0);
        return;
    }
    struct store_op *op = connection_op(connection, message->request, STORE_DELETE_ACCOUNT);
    if (op == NULL)
        return;
    op->delete_account.session = connection->session;
    op->delete_account.unless_waiting = body->unless_waiting;
    connection->barrier = true;
    connection_submit(connection, op, on_deleted);
}

/* ---- KeyPackages ---------------------------------------------------------------------------- */

static void answer_count(struct store_op *op, uint16_t type)
{
    const struct message message = {
        .type = type,
        .request = op->request,
        .key_package_count = {op->publish.stored, op->publish.has_last_resort},
    };
    connection_done(op, &message);
}

static void on_published(struct store_op *op)
{
    answer_count(op, MESSAGE_PUBLISH_KEY_PACKAGES_OK);
}

static void on_counted(struct store_op *op)
{
    answer_count(op, MESSAGE_COUNT_KEY_PACKAGES_OK);
}

static sotto_error fill_publish(struct store_op *op, const struct publish_key_packages *body)
{
    struct store_publish *publish = &op->publish;
    if (body->count > 0) {
        sotto_bytes *list = arena_array(&op->arena, body->count, sizeof *list);
        if (list == NULL)
            return SOTTO_NO_MEMORY;
        for (size_t i = 0; i < body->count; i++)
            TRY(store_op_copy(op, body->key_packages[i], &list[i]));
        publish->key_packages = list;
        publish->count = body->count;
    }
    return store_op_copy(op, body->last_resort, &publish->last_resort);
}

static void publish_key_packages(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_PUBLISH);
    if (op == NULL)
        return;
    op->publish.session = connection->session;
    if (fill_publish(op, &message->publish_key_packages) != SOTTO_OK)
        out_of_memory(connection, op, message->request);
    else
        connection_submit(connection, op, on_published);
}

static void count_key_packages(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_COUNT_KEY_PACKAGES);
    if (op == NULL)
        return;
    op->publish.session = connection->session;
    connection_submit(connection, op, on_counted);
}

/* ---- Inbox and grants ----------------------------------------------------------------------- */

static void inbox_subscribe(struct connection *connection, const struct message *message)
{
    if (connection_is_signed_in(connection, message->request))
        inbox_open(connection, message->request);
}

static void on_acked(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_INBOX_ACK_OK);
}

static void inbox_ack(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_INBOX_ACK);
    if (op == NULL)
        return;
    op->ack.session = connection->session;
    op->ack.seq = message->seq;
    connection_submit(connection, op, on_acked);
}

static void on_granted(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_GRANT_OK);
}

static void grant(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_GRANT);
    if (op == NULL)
        return;
    op->grant.session = connection->session;
    op->grant.capability_hash = message->grant.capability_hash;
    op->grant.expires = message->grant.expires;
    op->grant.uses = message->grant.uses;
    connection_submit(connection, op, on_granted);
}

static void on_revoked(struct store_op *op)
{
    connection_done_empty(op, MESSAGE_REVOKE_OK);
}

static void revoke(struct connection *connection, const struct message *message)
{
    if (!connection_is_signed_in(connection, message->request))
        return;
    struct store_op *op = connection_op(connection, message->request, STORE_REVOKE);
    if (op == NULL)
        return;
    op->grant.session = connection->session;
    op->grant.capability_hash = message->capability_hash;
    connection_submit(connection, op, on_revoked);
}

request_fn *request_account(uint16_t type)
{
    static const struct {
        uint16_t type;
        request_fn *request;
    } rows[] = {
        {MESSAGE_REGISTER, do_register},
        {MESSAGE_SIGN_IN, do_sign_in},
        {MESSAGE_PUT_MANIFEST, put_manifest},
        {MESSAGE_PUBLISH_KEY_PACKAGES, publish_key_packages},
        {MESSAGE_COUNT_KEY_PACKAGES, count_key_packages},
        {MESSAGE_INBOX_SUBSCRIBE, inbox_subscribe},
        {MESSAGE_INBOX_ACK, inbox_ack},
        {MESSAGE_GRANT, grant},
        {MESSAGE_REVOKE, revoke},
        {MESSAGE_DELETE_ACCOUNT, delete_account},
        {MESSAGE_TOKEN_KEYS, request_token_keys},
        {MESSAGE_LOG_GET, request_log_get},
        {MESSAGE_ISSUE_TOKENS, request_issue_tokens},
        {MESSAGE_SET_USERNAME, request_set_username},
        {MESSAGE_SET_FINDABLE, request_set_findable},
        {MESSAGE_GET_LABELS, request_get_labels},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type)
            return rows[i].request;
    return NULL;
}
