/* PROTOCOL.md section 4: the messages of the account connection. */
#include "wire/codec_rows.h"

static void read_device_id(struct reader *reader, struct device_id *id, const char *what)
{
    reader_copy(reader, id->bytes, DEVICE_ID_SIZE, what);
}

static void write_device_id(struct writer *writer, const struct device_id *id)
{
    writer_fixed(writer, sotto_bytes_of(id->bytes, DEVICE_ID_SIZE));
}

static void read_register(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct register_request *body = &message->register_request;
    body->manifest = reader_limited(reader, 1, WIRE_MANIFEST_MAX, "register.manifest");
    read_device_id(reader, &body->device, "register.device_id");
    read_proof(reader, &body->proof);
    body->phone = reader_text(reader, WIRE_PHONE_MAX, "register.phone");
    body->invitation = reader_text(reader, WIRE_INVITATION_MAX, "register.invitation");
    body->code = reader_text(reader, WIRE_CODE_MAX, "register.code");
}

static void write_register(struct writer *writer, const struct message *message)
{
    const struct register_request *body = &message->register_request;
    writer_limited(writer, body->manifest, 1, WIRE_MANIFEST_MAX);
    write_device_id(writer, &body->device);
    write_proof(writer, &body->proof);
    writer_text(writer, body->phone, WIRE_PHONE_MAX);
    writer_text(writer, body->invitation, WIRE_INVITATION_MAX);
    writer_text(writer, body->code, WIRE_CODE_MAX);
}

static void read_sign_in(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct sign_in *body = &message->sign_in;
    reader_copy(reader, body->account.bytes, ACCOUNT_ID_SIZE, "sign_in.account_id");
    read_device_id(reader, &body->device, "sign_in.device_id");
    read_proof(reader, &body->proof);
}

static void write_sign_in(struct writer *writer, const struct message *message)
{
    const struct sign_in *body = &message->sign_in;
    writer_fixed(writer, sotto_bytes_of(body->account.bytes, ACCOUNT_ID_SIZE));
    write_device_id(writer, &body->device);
    write_proof(writer, &body->proof);
}

static void read_put_manifest(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->manifest = reader_limited(reader, 1, WIRE_MANIFEST_MAX, "put_manifest.manifest");
}

static void write_put_manifest(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->manifest, 1, WIRE_MANIFEST_MAX);
}

static void read_delete(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct delete_account *body = &message->delete_account;
    reader_copy(reader, body->proof.account_key, SIGN_KEY_SIZE, "delete_account.account_key");
    reader_copy(reader, body->proof.signature, SIGNATURE_SIZE, "delete_account.signature");
    body->unless_waiting = reader_choice(reader, 0, 1, "delete_account.unless_waiting") != 0;
}

static void write_delete(struct writer *writer, const struct message *message)
{
    const struct delete_account *body = &message->delete_account;
    writer_fixed(writer, sotto_bytes_of(body->proof.account_key, SIGN_KEY_SIZE));
    writer_fixed(writer, sotto_bytes_of(body->proof.signature, SIGNATURE_SIZE));
    writer_u8(writer, body->unless_waiting);
}

static sotto_bytes read_key_package(struct reader *reader)
{
    return reader_limited(reader, 1, WIRE_KEY_PACKAGE_MAX, "publish_key_packages.key_package");
}

/* Two passes: the first counts, so that the arena gives one array. */
static void read_key_package_list(struct reader *reader, struct arena *arena,
                                  struct publish_key_packages *body)
{
    struct reader inner, counted;
    reader_enter(reader, &inner, WIRE_MESSAGE_MAX, "publish_key_packages.key_packages");
    counted = inner;
    size_t count = 0;
    while (reader_more(&counted)) {
        if (count == WIRE_KEY_PACKAGES_MAX)
            reader_fail(&counted, SOTTO_LIMIT, "publish_key_packages.key_packages");
        read_key_package(&counted);
        count++;
    }
    reader_leave(reader, &counted, "publish_key_packages.key_packages");
    if (!reader_ok(reader) || count == 0)
        return;
    sotto_bytes *list = arena_array(arena, count, sizeof *list);
    if (list == NULL) {
        reader_fail(reader, SOTTO_NO_MEMORY, "publish_key_packages.key_packages");
        return;
    }
    for (size_t i = 0; i < count; i++)
        list[i] = read_key_package(&inner);
    body->key_packages = list;
    body->count = count;
}

static void read_publish(struct reader *reader, struct arena *arena, struct message *message)
{
    struct publish_key_packages *body = &message->publish_key_packages;
    read_key_package_list(reader, arena, body);
    body->last_resort =
        reader_vector(reader, WIRE_KEY_PACKAGE_MAX, "publish_key_packages.last_resort");
}

static void write_publish(struct writer *writer, const struct message *message)
{
    const struct publish_key_packages *body = &message->publish_key_packages;
    if (body->count > WIRE_KEY_PACKAGES_MAX) {
        writer_fail(writer, SOTTO_LIMIT);
        return;
    }
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < body->count; i++)
        writer_limited(writer, body->key_packages[i], 1, WIRE_KEY_PACKAGE_MAX);
    writer_close(writer, opened);
    writer_limited(writer, body->last_resort, 0, WIRE_KEY_PACKAGE_MAX);
}

static void read_publish_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->key_package_count.count = reader_u32(reader, "publish_key_packages_ok.count");
}

static void write_publish_ok(struct writer *writer, const struct message *message)
{
    writer_u32(writer, message->key_package_count.count);
}

static void read_count_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct key_package_count *body = &message->key_package_count;
    body->count = reader_u32(reader, "count_key_packages_ok.count");
    body->has_last_resort =
        reader_choice(reader, 0, 1, "count_key_packages_ok.has_last_resort") != 0;
}

static void write_count_ok(struct writer *writer, const struct message *message)
{
    writer_u32(writer, message->key_package_count.count);
    writer_u8(writer, message->key_package_count.has_last_resort);
}

static void read_envelope_push(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->inbox_envelope.seq = reader_u64(reader, "inbox_envelope.seq");
    message->inbox_envelope.sealed =
        reader_limited(reader, 1, WIRE_ENVELOPE_MAX, "inbox_envelope.sealed");
}

static void write_envelope_push(struct writer *writer, const struct message *message)
{
    writer_u64(writer, message->inbox_envelope.seq);
    writer_limited(writer, message->inbox_envelope.sealed, 1, WIRE_ENVELOPE_MAX);
}

static void read_inbox_subscribe_ok(struct reader *reader, struct arena *arena,
                                    struct message *message)
{
    (void)arena;
    message->head = reader_u64(reader, "inbox_subscribe_ok.head");
}

static void write_inbox_subscribe_ok(struct writer *writer, const struct message *message)
{
    writer_u64(writer, message->head);
}

static void read_ack(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->seq = reader_u64(reader, "inbox_ack.seq");
}

static void write_ack(struct writer *writer, const struct message *message)
{
    writer_u64(writer, message->seq);
}

static void read_grant(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct grant *body = &message->grant;
    reader_copy(reader, body->capability_hash.bytes, GATE_SIZE, "grant.capability_hash");
    body->expires = reader_u64(reader, "grant.expires");
    size_t at = reader->pos;
    body->uses = reader_u32(reader, "grant.uses");
    if (body->uses == 0)
        reader_fail_at(reader, at, SOTTO_VALUE, "grant.uses");
}

static void write_grant(struct writer *writer, const struct message *message)
{
    const struct grant *body = &message->grant;
    writer_check(writer, body->uses > 0);
    writer_fixed(writer, sotto_bytes_of(body->capability_hash.bytes, GATE_SIZE));
    writer_u64(writer, body->expires);
    writer_u32(writer, body->uses);
}

static void read_revoke(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    reader_copy(reader, message->capability_hash.bytes, GATE_SIZE, "revoke.capability_hash");
}

static void write_revoke(struct writer *writer, const struct message *message)
{
    writer_fixed(writer, sotto_bytes_of(message->capability_hash.bytes, GATE_SIZE));
}

/* One to WIRE_TOKENS_MAX whole elements. Whether they are elements is for who evaluates them. */
static sotto_bytes read_elements(struct reader *reader, const char *what)
{
    size_t at = reader->pos;
    sotto_bytes elements =
        reader_limited(reader, TOKEN_ELEMENT_SIZE, WIRE_TOKENS_MAX * TOKEN_ELEMENT_SIZE, what);
    if (elements.size % TOKEN_ELEMENT_SIZE != 0)
        reader_fail_at(reader, at, SOTTO_LENGTH, what);
    return elements;
}

static void write_elements(struct writer *writer, sotto_bytes elements)
{
    writer_check(writer, elements.size % TOKEN_ELEMENT_SIZE == 0);
    writer_limited(writer, elements, TOKEN_ELEMENT_SIZE, WIRE_TOKENS_MAX * TOKEN_ELEMENT_SIZE);
}

static void read_issue(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->issue_tokens.key = reader_u32(reader, "issue_tokens.key");
    message->issue_tokens.blinded = read_elements(reader, "issue_tokens.blinded");
}

static void write_issue(struct writer *writer, const struct message *message)
{
    writer_u32(writer, message->issue_tokens.key);
    write_elements(writer, message->issue_tokens.blinded);
}

static void read_issue_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct issue_tokens_ok *body = &message->issue_tokens_ok;
    body->evaluated = read_elements(reader, "issue_tokens_ok.evaluated");
    body->proof = reader_fixed(reader, TOKEN_PROOF_SIZE, "issue_tokens_ok.proof");
}

static void write_issue_ok(struct writer *writer, const struct message *message)
{
    write_elements(writer, message->issue_tokens_ok.evaluated);
    writer_exact(writer, message->issue_tokens_ok.proof, TOKEN_PROOF_SIZE);
}

/* ---- Labels --------------------------------------------------------------------------------- */

static sotto_bytes read_username(struct reader *reader, const char *what)
{
    size_t at = reader->pos;
    sotto_bytes username = reader_vector(reader, USERNAME_MAX, what);
    if (username.size > 0 && !username_is_valid(username))
        reader_fail_at(reader, at, SOTTO_VALUE, what);
    return username;
}

static void write_username(struct writer *writer, sotto_bytes username)
{
    writer_check(writer, username.size == 0 || username_is_valid(username));
    writer_vector(writer, username);
}

static void read_set_username(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->username = read_username(reader, "set_username.username");
}

static void write_set_username(struct writer *writer, const struct message *message)
{
    write_username(writer, message->username);
}

static void read_set_findable(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->findable = reader_choice(reader, 0, 1, "set_findable.by_phone") != 0;
}

static void write_set_findable(struct writer *writer, const struct message *message)
{
    writer_u8(writer, message->findable);
}

static void read_labels(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct labels *body = &message->labels;
    body->username = read_username(reader, "get_labels_ok.username");
    size_t at = reader->pos;
    body->phone = reader_vector(reader, WIRE_PHONE_MAX, "get_labels_ok.phone");
    if (body->phone.size > 0 && !phone_is_valid(body->phone))
        reader_fail_at(reader, at, SOTTO_VALUE, "get_labels_ok.phone");
    body->findable = reader_choice(reader, 0, 1, "get_labels_ok.by_phone") != 0;
}

static void write_labels(struct writer *writer, const struct message *message)
{
    const struct labels *body = &message->labels;
    write_username(writer, body->username);
    writer_check(writer, body->phone.size == 0 || phone_is_valid(body->phone));
    writer_vector(writer, body->phone);
    writer_u8(writer, body->findable);
}

const struct message_row message_rows_account[] = {
    ROW_REQUEST(MESSAGE_REGISTER, "register", CONNECTION_ACCOUNT, read_register, write_register),
    ROW_REQUEST(MESSAGE_SIGN_IN, "sign_in", CONNECTION_ACCOUNT, read_sign_in, write_sign_in),
    ROW_REQUEST(MESSAGE_PUT_MANIFEST, "put_manifest", CONNECTION_ACCOUNT, read_put_manifest,
                write_put_manifest),
    ROW_REQUEST(MESSAGE_PUBLISH_KEY_PACKAGES, "publish_key_packages", CONNECTION_ACCOUNT,
                read_publish, write_publish),
    ROW_REQUEST(MESSAGE_COUNT_KEY_PACKAGES, "count_key_packages", CONNECTION_ACCOUNT, NULL, NULL),
    ROW_REQUEST(MESSAGE_INBOX_SUBSCRIBE, "inbox_subscribe", CONNECTION_ACCOUNT, NULL, NULL),
    ROW_REQUEST(MESSAGE_INBOX_ACK, "inbox_ack", CONNECTION_ACCOUNT, read_ack, write_ack),
    ROW_REQUEST(MESSAGE_GRANT, "grant", CONNECTION_ACCOUNT, read_grant, write_grant),
    ROW_REQUEST(MESSAGE_REVOKE, "revoke", CONNECTION_ACCOUNT, read_revoke, write_revoke),
    ROW_REQUEST(MESSAGE_DELETE_ACCOUNT, "delete_account", CONNECTION_ACCOUNT, read_delete,
                write_delete),
    ROW_REQUEST(MESSAGE_ISSUE_TOKENS, "issue_tokens", CONNECTION_ACCOUNT, read_issue, write_issue),
    ROW_REQUEST(MESSAGE_SET_USERNAME, "set_username", CONNECTION_ACCOUNT, read_set_username,
                write_set_username),
    ROW_REQUEST(MESSAGE_SET_FINDABLE, "set_findable", CONNECTION_ACCOUNT, read_set_findable,
                write_set_findable),
    ROW_REQUEST(MESSAGE_GET_LABELS, "get_labels", CONNECTION_ACCOUNT, NULL, NULL),
    ROW_ANSWER(MESSAGE_SET_USERNAME_OK, "set_username_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_SET_FINDABLE_OK, "set_findable_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_GET_LABELS_OK, "get_labels_ok", read_labels, write_labels),
    ROW_ANSWER(MESSAGE_REGISTER_OK, "register_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_SIGN_IN_OK, "sign_in_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_PUT_MANIFEST_OK, "put_manifest_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_PUBLISH_KEY_PACKAGES_OK, "publish_key_packages_ok", read_publish_ok,
               write_publish_ok),
    ROW_ANSWER(MESSAGE_COUNT_KEY_PACKAGES_OK, "count_key_packages_ok", read_count_ok,
               write_count_ok),
    ROW_ANSWER(MESSAGE_INBOX_SUBSCRIBE_OK, "inbox_subscribe_ok", read_inbox_subscribe_ok,
               write_inbox_subscribe_ok),
    ROW_ANSWER(MESSAGE_INBOX_ACK_OK, "inbox_ack_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_GRANT_OK, "grant_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_REVOKE_OK, "revoke_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_DELETE_ACCOUNT_OK, "delete_account_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_ISSUE_TOKENS_OK, "issue_tokens_ok", read_issue_ok, write_issue_ok),
    ROW_ANSWER(MESSAGE_INBOX_ENVELOPE, "inbox_envelope", read_envelope_push, write_envelope_push),
    {0},
};
