/* Every message: there and back, cut at each length, each bit flipped, one byte too many, and what
 * the limits refuse. */
#include "codec/writer.h"
#include "unit/check.h"
#include "wire/message.h"

static const uint8_t secret[32] = {9, 8, 7};
static const uint8_t text[] = "some opaque bytes";

static sotto_bytes opaque(void)
{
    return sotto_bytes_of(text, sizeof text);
}

static sotto_bytes token(void)
{
    return sotto_bytes_of(secret, sizeof secret);
}

static void fill(void *out, size_t size, uint8_t seed)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(seed + i);
}

/* ---- One specimen of each message --------------------------------------------------------------
 */

static const uint16_t all_types[] = {
    MESSAGE_HELLO,
    MESSAGE_REGISTER,
    MESSAGE_SIGN_IN,
    MESSAGE_PUT_MANIFEST,
    MESSAGE_PUBLISH_KEY_PACKAGES,
    MESSAGE_COUNT_KEY_PACKAGES,
    MESSAGE_INBOX_SUBSCRIBE,
    MESSAGE_INBOX_ACK,
    MESSAGE_GRANT,
    MESSAGE_REVOKE,
    MESSAGE_DELETE_ACCOUNT,
    MESSAGE_GET_MANIFEST,
    MESSAGE_TAKE_KEY_PACKAGE,
    MESSAGE_POST_ENVELOPE,
    MESSAGE_ROOM_CREATE,
    MESSAGE_ROOM_APPEND,
    MESSAGE_ROOM_SUBSCRIBE,
    MESSAGE_ROOM_UNSUBSCRIBE,
    MESSAGE_BLOB_CREATE,
    MESSAGE_BLOB_PUT,
    MESSAGE_BLOB_STATUS,
    MESSAGE_BLOB_FINISH,
    MESSAGE_BLOB_GET,
    MESSAGE_BLOB_DELETE,
    MESSAGE_TOKEN_KEYS,
    MESSAGE_LOG_GET,
    MESSAGE_LOG_GET_OK,
    MESSAGE_ISSUE_TOKENS,
    MESSAGE_ROOM_EXTEND,
    MESSAGE_ROOM_WHISPER,
    MESSAGE_ROOM_WHISPER_OK,
    MESSAGE_ROOM_WHISPERED,
    MESSAGE_SET_USERNAME,
    MESSAGE_SET_FINDABLE,
    MESSAGE_GET_LABELS,
    MESSAGE_FIND,
    MESSAGE_SET_USERNAME_OK,
    MESSAGE_SET_FINDABLE_OK,
    MESSAGE_GET_LABELS_OK,
    MESSAGE_FIND_OK,
    MESSAGE_TOKEN_KEYS_OK,
    MESSAGE_ISSUE_TOKENS_OK,
    MESSAGE_ROOM_EXTEND_OK,
    MESSAGE_HELLO_OK,
    MESSAGE_REGISTER_OK,
    MESSAGE_SIGN_IN_OK,
    MESSAGE_PUT_MANIFEST_OK,
    MESSAGE_PUBLISH_KEY_PACKAGES_OK,
    MESSAGE_COUNT_KEY_PACKAGES_OK,
    MESSAGE_INBOX_SUBSCRIBE_OK,
    MESSAGE_INBOX_ACK_OK,
    MESSAGE_GRANT_OK,
    MESSAGE_REVOKE_OK,
    MESSAGE_DELETE_ACCOUNT_OK,
    MESSAGE_GET_MANIFEST_OK,
    MESSAGE_TAKE_KEY_PACKAGE_OK,
    MESSAGE_POST_ENVELOPE_OK,
    MESSAGE_ROOM_CREATE_OK,
    MESSAGE_ROOM_APPEND_OK,
    MESSAGE_ROOM_SUBSCRIBE_OK,
    MESSAGE_ROOM_UNSUBSCRIBE_OK,
    MESSAGE_BLOB_CREATE_OK,
    MESSAGE_BLOB_PUT_OK,
    MESSAGE_BLOB_STATUS_OK,
    MESSAGE_BLOB_FINISH_OK,
    MESSAGE_BLOB_GET_OK,
    MESSAGE_BLOB_DELETE_OK,
    MESSAGE_INBOX_ENVELOPE,
    MESSAGE_ROOM_ENTRIES,
    MESSAGE_ROOM_END,
    MESSAGE_ERROR,
};
#define TYPE_COUNT (sizeof all_types / sizeof *all_types)

static enum message_direction direction_of(uint16_t type)
{
    return message_connections(type) != 0 ? MESSAGE_TO_RELAY : MESSAGE_TO_CLIENT;
}

static void specimen_account(struct message *message)
{
    static sotto_bytes packages[2];
    packages[0] = opaque();
    packages[1] = token();
    switch (message->type) {
    case MESSAGE_REGISTER:
        message->register_request = (struct register_request){
            .manifest = opaque(),
            .phone = sotto_bytes_str("+4915112345678"),
            .invitation = sotto_bytes_str("invited"),
            .code = sotto_bytes_str("123456"),
        };
        fill(&message->register_request.device, DEVICE_ID_SIZE, 10);
        fill(&message->register_request.proof, sizeof(struct proof), 20);
        break;
    case MESSAGE_SIGN_IN:
        fill(&message->sign_in, sizeof message->sign_in, 1);
        break;
    case MESSAGE_PUBLISH_KEY_PACKAGES:
        message->publish_key_packages = (struct publish_key_packages){packages, 2, opaque()};
        break;
    case MESSAGE_PUBLISH_KEY_PACKAGES_OK:
        message->key_package_count.count = 0x01020304;
        break;
    case MESSAGE_COUNT_KEY_PACKAGES_OK:
        message->key_package_count = (struct key_package_count){77, true};
        break;
    case MESSAGE_INBOX_SUBSCRIBE_OK:
        message->head = 0x0102030405060708;
        break;
    case MESSAGE_INBOX_ACK:
        message->seq = 0x0102030405060708;
        break;
    case MESSAGE_GRANT:
        message->grant.expires = 1000;
        message->grant.uses = 5;
        fill(&message->grant.capability_hash, GATE_SIZE, 3);
        break;
    case MESSAGE_REVOKE:
        fill(&message->capability_hash, GATE_SIZE, 4);
        break;
    case MESSAGE_DELETE_ACCOUNT:
        fill(&message->delete_account.proof, sizeof(struct ending_proof), 7);
        message->delete_account.unless_waiting = true;
        break;
    case MESSAGE_INBOX_ENVELOPE:
        message->inbox_envelope = (struct inbox_envelope){9, opaque()};
        break;
    default:
        break;
    }
}

static void specimen_blob(struct message *message)
{
    static const struct permission permissions[2];
    switch (message->type) {
    case MESSAGE_BLOB_CREATE:
        message->blob_create =
            (struct blob_create){.permissions = permissions, .permission_count = 2, .size = 1000};
        fill(&message->blob_create.blob, BLOB_ID_SIZE, 5);
        fill(&message->blob_create.write_gate, GATE_SIZE, 6);
        break;
    case MESSAGE_BLOB_PUT:
        message->blob_put =
            (struct blob_put){.write_token = token(), .offset = 0x12345, .bytes = opaque()};
        break;
    case MESSAGE_BLOB_STATUS:
    case MESSAGE_BLOB_FINISH:
    case MESSAGE_BLOB_DELETE:
        message->blob_owner.write_token = token();
        fill(&message->blob_owner.blob, BLOB_ID_SIZE, 7);
        break;
    case MESSAGE_BLOB_GET:
        message->blob_get = (struct blob_get){.offset = 99, .length = 4096};
        break;
    case MESSAGE_BLOB_PUT_OK:
        message->blob_stored = 0x0102030405;
        break;
    case MESSAGE_BLOB_STATUS_OK:
        message->blob_state = (struct blob_state){1000, 10, false};
        break;
    case MESSAGE_BLOB_GET_OK:
        message->blob_bytes = opaque();
        break;
    default:
        specimen_account(message);
    }
}

static void specimen_token(struct message *message)
{
    static struct token_key keys[2];
    static uint8_t value[TOKEN_VALUE_SIZE], elements[3 * TOKEN_ELEMENT_SIZE];
    fill(value, sizeof value, 7);
    fill(elements, sizeof elements, 8);
    keys[0] = (struct token_key){.number = 1, .begins = 10, .replaced = 20, .ends = 30};
    fill(keys[0].public_key, TOKEN_ELEMENT_SIZE, 9);
    keys[1] = (struct token_key){.number = 2, .begins = 20, .replaced = 30, .ends = 40};
    token_key_hash(&keys[0], keys[1].previous);
    switch (message->type) {
    case MESSAGE_TOKEN_KEYS:
        message->first_key = 3;
        break;
    case MESSAGE_TOKEN_KEYS_OK:
        message->token_keys = (struct token_keys){100, keys, 2};
        break;
    case MESSAGE_ISSUE_TOKENS:
        message->issue_tokens = (struct issue_tokens){2, sotto_bytes_of(elements, sizeof elements)};
        break;
    case MESSAGE_ISSUE_TOKENS_OK:
        message->issue_tokens_ok = (struct issue_tokens_ok){
            sotto_bytes_of(elements, sizeof elements), sotto_bytes_of(elements, TOKEN_PROOF_SIZE)};
        break;
    case MESSAGE_ROOM_EXTEND:
        message->room_extend.permission =
            (struct permission){PERMISSION_TOKEN, sotto_bytes_of(value, sizeof value)};
        fill(&message->room_extend.room, ROOM_ID_SIZE, 1);
        message->room_extend.size = 1 << 20;
        break;
    case MESSAGE_ROOM_EXTEND_OK:
        message->size = 1 << 21;
        break;
    case MESSAGE_ROOM_WHISPER:
        fill(&message->whisper.room, ROOM_ID_SIZE, 1);
        message->whisper.epoch = 3;
        message->whisper.write_token = token();
        message->whisper.bytes = opaque();
        break;
    case MESSAGE_ROOM_WHISPERED:
        message->whispered = opaque();
        break;
    default:
        break;
    }
}

static void specimen_room(struct message *message)
{
    static struct entry entries[2];
    struct permission capability = {PERMISSION_CAPABILITY, token()};
    entries[0] = (struct entry){.seq = 5, .epoch = 1, .kind = ENTRY_MESSAGE, .bytes = opaque()};
    entries[1] = (struct entry){.seq = 6, .epoch = 1, .kind = ENTRY_COMMIT, .bytes = token()};
    switch (message->type) {
    case MESSAGE_GET_MANIFEST:
        message->get_manifest.permission = capability;
        break;
    case MESSAGE_TAKE_KEY_PACKAGE:
        fill(&message->take_key_package.take_id, REQUEST_ID_SIZE, 1);
        fill(&message->take_key_package.account, ACCOUNT_ID_SIZE, 2);
        fill(&message->take_key_package.device, DEVICE_ID_SIZE, 3);
        break;
    case MESSAGE_TAKE_KEY_PACKAGE_OK:
        message->key_package = opaque();
        break;
    case MESSAGE_POST_ENVELOPE:
        message->post_envelope.permission = capability;
        message->post_envelope.sealed = opaque();
        break;
    case MESSAGE_ROOM_CREATE:
        fill(&message->room_create.room, ROOM_ID_SIZE, 1);
        fill(&message->room_create.write_gate, GATE_SIZE, 2);
        fill(&message->room_create.read_gate, GATE_SIZE, 3);
        break;
    case MESSAGE_ROOM_APPEND:
        message->append = (struct append){
            .epoch = 3,
            .write_token = token(),
            .kind = ENTRY_COMMIT,
            .has_next_read_gate = true,
            .bytes = opaque(),
        };
        fill(&message->append.next_read_gate, GATE_SIZE, 8);
        break;
    case MESSAGE_ROOM_APPEND_OK:
        message->seq = 12;
        break;
    case MESSAGE_ROOM_SUBSCRIBE:
        message->room_subscribe.read_token = token();
        message->room_subscribe.from_seq = 1;
        break;
    case MESSAGE_ROOM_SUBSCRIBE_OK:
        message->room_subscribe_ok = (struct room_subscribe_ok){4, 1, 2};
        break;
    case MESSAGE_ROOM_UNSUBSCRIBE:
        message->subscription = 6;
        break;
    case MESSAGE_ROOM_ENTRIES:
        message->room_entries = (struct room_entries){entries, 2};
        break;
    case MESSAGE_ROOM_END:
        message->end_code = WIRE_CODE_GATE_CLOSED;
        break;
    default:
        specimen_blob(message);
    }
}

static struct message specimen(uint16_t type)
{
    struct message message = {.type = type, .request = 0xA1B2C3D4};
    switch (type) {
    case MESSAGE_HELLO:
        message.hello = (struct hello){WIRE_VERSION, CONNECTION_ROOM};
        break;
    case MESSAGE_HELLO_OK:
        message.hello_ok = (struct hello_ok){.version = WIRE_VERSION,
                                             .registration = REGISTRATION_INVITE,
                                             .retention_days = 30,
                                             .max_entry = 1000,
                                             .max_envelope = 2000,
                                             .now = 1800000000,
                                             .name = sotto_bytes_str("Familie Müller")};
        break;
    case MESSAGE_ERROR:
        message.error = (struct wire_error){WIRE_CODE_LIMIT, 5, sotto_bytes_str("too much")};
        break;
    case MESSAGE_PUT_MANIFEST:
    case MESSAGE_GET_MANIFEST_OK:
    case MESSAGE_FIND_OK:
        message.manifest = opaque();
        break;
    case MESSAGE_LOG_GET:
        message.log_path = sotto_bytes_str("tile/0/000.p/7");
        break;
    case MESSAGE_LOG_GET_OK:
        message.log_file = opaque();
        break;
    case MESSAGE_SET_USERNAME:
        message.username = sotto_bytes_str("anna");
        break;
    case MESSAGE_SET_FINDABLE:
        message.findable = true;
        break;
    case MESSAGE_GET_LABELS_OK:
        message.labels =
            (struct labels){sotto_bytes_str("anna.b"), sotto_bytes_str("+4930123456"), true};
        break;
    case MESSAGE_FIND:
        message.find = (struct find){{0}, LABEL_PHONE, sotto_bytes_str("+4930123456")};
        break;
    case MESSAGE_TOKEN_KEYS:
    case MESSAGE_TOKEN_KEYS_OK:
    case MESSAGE_ISSUE_TOKENS:
    case MESSAGE_ISSUE_TOKENS_OK:
    case MESSAGE_ROOM_EXTEND:
    case MESSAGE_ROOM_EXTEND_OK:
    case MESSAGE_ROOM_WHISPER:
    case MESSAGE_ROOM_WHISPERED:
        specimen_token(&message);
        break;
    default:
        specimen_room(&message);
    }
    return message;
}

/* ---- Helpers -----------------------------------------------------------------------------------
 */

struct scene {
    struct arena arena;
    sotto_buf bytes, again;
    struct message message;
    sotto_fault fault;
};

static int setup(void **state)
{
    static struct scene scene;
    arena_init(&scene.arena, sotto_env_system());
    sotto_buf_init(&scene.bytes, sotto_env_system());
    sotto_buf_init(&scene.again, sotto_env_system());
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    arena_free(&scene->arena);
    sotto_buf_free(&scene->bytes);
    sotto_buf_free(&scene->again);
    return 0;
}

static void write_specimen(struct scene *scene, uint16_t type)
{
    struct message message = specimen(type);
    sotto_buf_clear(&scene->bytes);
    assert_ok(message_write(&message, &scene->bytes));
}

/* Reads an exact-size copy, so that a sanitizer sees each byte read behind the end. */
static sotto_error read_copy(struct scene *scene, sotto_bytes bytes, uint16_t type)
{
    uint8_t *copy = malloc(bytes.size + (bytes.size == 0));
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    arena_free(&scene->arena);
    sotto_error error = message_read(sotto_bytes_of(copy, bytes.size), direction_of(type),
                                     &scene->arena, &scene->message, &scene->fault);
    /* What was accepted is written again while its views are alive. */
    sotto_buf_clear(&scene->again);
    if (error == SOTTO_OK)
        assert_ok(message_write(&scene->message, &scene->again));
    free(copy);
    return error;
}

/* A body written by hand behind a head. */
static sotto_error read_raw(struct scene *scene, uint16_t type, const char *body, size_t size)
{
    uint8_t head[WIRE_HEAD];
    sotto_buf_clear(&scene->bytes);
    message_head(type, 1, head);
    assert_ok(sotto_buf_append(&scene->bytes, head, WIRE_HEAD));
    assert_ok(sotto_buf_append(&scene->bytes, (const uint8_t *)body, size));
    return read_copy(scene, sotto_buf_view(&scene->bytes), type);
}

/* ---- Tests -------------------------------------------------------------------------------------
 */

static void each_message_survives_the_round_trip(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        write_specimen(scene, all_types[i]);
        assert_ok(read_copy(scene, sotto_buf_view(&scene->bytes), all_types[i]));
        assert_int_equal(scene->message.type, all_types[i]);
        assert_int_equal(scene->message.request, 0xA1B2C3D4);
        assert_bytes(sotto_buf_view(&scene->again), sotto_buf_view(&scene->bytes));
        assert_string_not_equal(message_name(all_types[i]), "unknown");
    }
}

static void each_message_cut_anywhere_is_truncated(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        write_specimen(scene, all_types[i]);
        for (size_t size = 0; size < scene->bytes.size; size++) {
            sotto_error error =
                read_copy(scene, sotto_bytes_of(scene->bytes.data, size), all_types[i]);
            assert_error(error, TRUNCATED);
            assert_in_range(scene->fault.offset, 0, size);
            assert_true(strlen(scene->fault.what) > 0);
        }
    }
}

static void each_message_with_a_byte_too_many_is_refused(void **state)
{
    struct scene *scene = *state;
    static const uint8_t zero;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        write_specimen(scene, all_types[i]);
        size_t size = scene->bytes.size;
        assert_ok(sotto_buf_append(&scene->bytes, &zero, 1));
        assert_error(read_copy(scene, sotto_buf_view(&scene->bytes), all_types[i]), TRAILING);
        assert_int_equal(scene->fault.offset, size);
        assert_int_equal(scene->message.request, 0xA1B2C3D4);
    }
}

/* A flipped bit is refused, or makes another valid message, which then is written as it was read.
 */
static void each_bit_flipped_is_refused_or_means_itself(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        write_specimen(scene, all_types[i]);
        for (size_t bit = 0; bit < scene->bytes.size * 8; bit++) {
            scene->bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
            sotto_bytes flipped = sotto_buf_view(&scene->bytes);
            if (read_copy(scene, flipped, all_types[i]) == SOTTO_OK)
                assert_bytes(sotto_buf_view(&scene->again), flipped);
            scene->bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

static void the_bytes_are_those_of_the_document(void **state)
{
    struct scene *scene = *state;
    static const uint8_t hello[] = {0x00, 0x01, 0xA1, 0xB2, 0xC3, 0xD4, 0x00, 0x01, 0x02};
    static const uint8_t error[] = {0xFF, 0xFF, 0xA1, 0xB2, 0xC3, 0xD4, 0x00, 0x04, 0,
                                    0,    0,    0,    0,    0,    0,    5,    8,    't',
                                    'o',  'o',  ' ',  'm',  'u',  'c',  'h'};
    write_specimen(scene, MESSAGE_HELLO);
    assert_bytes(sotto_buf_view(&scene->bytes), sotto_bytes_of(hello, sizeof hello));
    write_specimen(scene, MESSAGE_ERROR);
    assert_bytes(sotto_buf_view(&scene->bytes), sotto_bytes_of(error, sizeof error));
    write_specimen(scene, MESSAGE_ROOM_APPEND);
    /* head, room, append_id, epoch, write_token, kind, next_write_gate, optional, bytes */
    assert_int_equal(scene->bytes.size, 6 + 32 + 16 + 8 + 32 + 1 + 32 + 1 + 32 + 1 + sizeof text);
    assert_int_equal(scene->bytes.data[6 + 32 + 16 + 7], 3);
}

static void a_side_refuses_what_only_the_other_reads(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        uint16_t type = all_types[i];
        enum message_direction wrong =
            direction_of(type) == MESSAGE_TO_RELAY ? MESSAGE_TO_CLIENT : MESSAGE_TO_RELAY;
        write_specimen(scene, type);
        assert_error(message_read(sotto_buf_view(&scene->bytes), wrong, &scene->arena,
                                  &scene->message, &scene->fault),
                     UNSUPPORTED);
        assert_int_equal(scene->message.type, type);
    }
}

static void reserved_and_unknown_types_are_unsupported_at_offset_0(void **state)
{
    struct scene *scene = *state;
    static const uint16_t types[] = {0,      2,      0x0118, 0x020B, 0x010F,
                                     0x020F, 0x0307, 0x0400, 0x4105, 0xC201};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_error(read_raw(scene, types[i], "", 0), UNSUPPORTED);
        assert_string_equal(scene->fault.what, "Message.type");
        assert_int_equal(scene->fault.offset, 0);
        assert_int_equal(scene->message.type, types[i]);
        assert_int_equal(message_connections(types[i]), 0);
    }
}

static void request_zero_is_for_errors_about_the_connection_alone(void **state)
{
    struct scene *scene = *state;
    struct message message = specimen(MESSAGE_ERROR);
    message.request = 0;
    assert_ok(message_write(&message, &scene->bytes));
    assert_ok(read_copy(scene, sotto_buf_view(&scene->bytes), MESSAGE_ERROR));
    message = specimen(MESSAGE_HELLO);
    message.request = 0;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    write_specimen(scene, MESSAGE_HELLO);
    memset(scene->bytes.data + 2, 0, 4);
    assert_error(read_copy(scene, sotto_buf_view(&scene->bytes), MESSAGE_HELLO), VALUE);
    assert_string_equal(scene->fault.what, "Message.request");
    assert_int_equal(scene->fault.offset, 2);
}

static void bad_values_are_named_with_their_offset(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *body, *what;
        size_t size, offset;
        sotto_error error;
        uint16_t type;
    } cases[] = {
        {"\x00\x02\x01", "hello.version", 3, 6, SOTTO_VERSION, MESSAGE_HELLO},
        {"\x00\x01\x03", "hello.connection", 3, 8, SOTTO_VALUE, MESSAGE_HELLO},
        {"\x00\x01\x00", "hello.connection", 3, 8, SOTTO_VALUE, MESSAGE_HELLO},
        {"\x03\x00", "Permission.kind", 2, 6, SOTTO_VALUE, MESSAGE_GET_MANIFEST},
        {"\x02\x00", "Permission.value", 2, 7, SOTTO_LENGTH, MESSAGE_GET_MANIFEST},
        {"\0\0\0\x01\x01x", "issue_tokens.blinded", 6, 10, SOTTO_LENGTH, MESSAGE_ISSUE_TOKENS},
        {"\0\0\0\x01\x00", "token_keys_ok.keys", 5, 11, SOTTO_LENGTH, MESSAGE_TOKEN_KEYS_OK},
        {"\x01\x01\xff", "Permission.value", 3, 7, SOTTO_LENGTH, MESSAGE_GET_MANIFEST},
        {"\x00\x01\xff", "Permission.value", 3, 7, SOTTO_LENGTH, MESSAGE_GET_MANIFEST},
        {"\x04"
         "Anna",
         "set_username.username", 5, 6, SOTTO_VALUE, MESSAGE_SET_USERNAME},
        {"\x02", "set_findable.by_phone", 1, 6, SOTTO_VALUE, MESSAGE_SET_FINDABLE},
        {"\x00\x00\x03", "find.kind", 3, 8, SOTTO_VALUE, MESSAGE_FIND},
        {"\x00\x00\x02\x04"
         "anna",
         "find.label", 8, 9, SOTTO_VALUE, MESSAGE_FIND},
        {"\x00", "put_manifest.manifest", 1, 6, SOTTO_LENGTH, MESSAGE_PUT_MANIFEST},
        {"\x40\x01x", "put_manifest.manifest", 3, 6, SOTTO_LENGTH, MESSAGE_PUT_MANIFEST},
        {"\x80\x01\x00\x01", "put_manifest.manifest", 4, 6, SOTTO_LIMIT, MESSAGE_PUT_MANIFEST},
        {"\x01\x00\x00", "publish_key_packages.key_package", 3, 7, SOTTO_LENGTH,
         MESSAGE_PUBLISH_KEY_PACKAGES},
        {"\x00", "entries.entries", 1, 7, SOTTO_LENGTH, MESSAGE_ROOM_ENTRIES},
        {"\x00\x01\0\0\0\0\0\0\0\0\x02\xc3\x28", "error.text", 13, 17, SOTTO_VALUE, MESSAGE_ERROR},
        {"\x00\x01\0\0\0\0\0\0\0\0\x02"
         "a\x1b",
         "error.text", 13, 18, SOTTO_VALUE, MESSAGE_ERROR},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sotto_error error = read_raw(scene, cases[i].type, cases[i].body, cases[i].size);
        assert_string_equal(sotto_error_name(error), sotto_error_name(cases[i].error));
        assert_string_equal(scene->fault.what, cases[i].what);
        assert_int_equal(scene->fault.offset, cases[i].offset);
    }
}

static void a_blob_has_bounds(void **state)
{
    struct scene *scene = *state;
    static struct permission permissions[WIRE_PERMISSIONS_MAX + 1];
    struct message message = specimen(MESSAGE_BLOB_CREATE);
    message.blob_create.size = WIRE_BLOB_MAX;
    message.blob_create.permissions = permissions;
    message.blob_create.permission_count = WIRE_PERMISSIONS_MAX;
    assert_ok(message_write(&message, &scene->bytes));
    assert_ok(read_copy(scene, sotto_buf_view(&scene->bytes), message.type));
    assert_int_equal(scene->message.blob_create.permission_count, WIRE_PERMISSIONS_MAX);
    /* One byte more, in the last octets of the size, which stands before the gate. */
    scene->bytes.data[scene->bytes.size - GATE_SIZE - 1] = 1;
    assert_error(read_copy(scene, sotto_buf_view(&scene->bytes), message.type), LIMIT);
    assert_string_equal(scene->fault.what, "blob_create.size");
    sotto_buf_clear(&scene->bytes);
    message.blob_create.size++;
    assert_error(message_write(&message, &scene->bytes), LIMIT);
    message.blob_create.size = 0;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    message.blob_create.size = 1;
    message.blob_create.permission_count++;
    assert_error(message_write(&message, &scene->bytes), LIMIT);
    message.blob_create.permission_count = 0;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    assert_error(read_raw(scene, message.type, "\0", 1), LENGTH); /* no permission at all */
    message = specimen(MESSAGE_BLOB_GET);
    sotto_buf_clear(&scene->bytes);
    message.blob_get.length = WIRE_BLOB_PIECE_MAX + 1;
    assert_error(message_write(&message, &scene->bytes), LIMIT);
    message.blob_get.length = 0;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    message = specimen(MESSAGE_BLOB_STATUS_OK);
    message.blob_state.stored = message.blob_state.size + 1;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
}

static void entries_with_a_gap_are_refused(void **state)
{
    struct scene *scene = *state;
    static const uint64_t bad[] = {7, 5, 4, 0};
    struct entry entries[2] = {
        {.seq = 5, .kind = ENTRY_MESSAGE, .bytes = opaque()},
        {.seq = 6, .kind = ENTRY_MESSAGE, .bytes = opaque()},
    };
    struct message message = {.type = MESSAGE_ROOM_ENTRIES, .request = 1};
    message.room_entries = (struct room_entries){entries, 2};
    assert_ok(message_write(&message, &scene->bytes));
    size_t second = WIRE_HEAD + 2 + 33 + 1 + sizeof text; /* the second Entry.seq */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        scene->bytes.data[second + 7] = (uint8_t)bad[i];
        assert_error(read_copy(scene, sotto_buf_view(&scene->bytes), MESSAGE_ROOM_ENTRIES), VALUE);
        assert_string_equal(scene->fault.what, "Entry.seq");
        assert_int_equal(scene->fault.offset, second);
        entries[1].seq = bad[i];
        assert_error(message_write(&message, &scene->again), ARGUMENT);
    }
}

static void token_keys_that_do_not_follow_one_another_are_refused(void **state)
{
    struct scene *scene = *state;
    const size_t first = WIRE_HEAD + 4 + 2, size = 4 + 3 * 8 + 32 + 32;
    write_specimen(scene, MESSAGE_TOKEN_KEYS_OK);
    assert_int_equal(scene->bytes.size, first + 2 * size);
    /* A changed first key is not the one that the second names; a skipped number follows nothing;
     * the first of all names none before it. */
    static const struct {
        size_t at;
        const char *what;
    } cases[] = {{4 + 24, "TokenKey.previous"},
                 {92 + 3, "TokenKey.previous"},
                 {92 + 60, "TokenKey.previous"},
                 {60, "TokenKey"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_specimen(scene, MESSAGE_TOKEN_KEYS_OK);
        scene->bytes.data[first + cases[i].at] ^= 1;
        assert_error(read_copy(scene, sotto_buf_view(&scene->bytes), MESSAGE_TOKEN_KEYS_OK), VALUE);
        assert_string_equal(scene->fault.what, cases[i].what);
    }
    struct message message = specimen(MESSAGE_ISSUE_TOKENS);
    message.issue_tokens.blinded.size--;
    assert_error(message_write(&message, &scene->again), ARGUMENT);
}

static void lists_have_limits(void **state)
{
    struct scene *scene = *state;
    static sotto_bytes packages[WIRE_KEY_PACKAGES_MAX + 1];
    for (size_t i = 0; i <= WIRE_KEY_PACKAGES_MAX; i++)
        packages[i] = sotto_bytes_of(text, 1);
    struct message message = {.type = MESSAGE_PUBLISH_KEY_PACKAGES, .request = 1};
    message.publish_key_packages =
        (struct publish_key_packages){packages, WIRE_KEY_PACKAGES_MAX, {0}};
    assert_ok(message_write(&message, &scene->bytes));
    assert_ok(read_copy(scene, sotto_buf_view(&scene->bytes), message.type));
    assert_int_equal(scene->message.publish_key_packages.count, WIRE_KEY_PACKAGES_MAX);
    message.publish_key_packages.count++;
    sotto_buf_clear(&scene->bytes);
    assert_error(message_write(&message, &scene->bytes), LIMIT);
    assert_int_equal(scene->bytes.size, 0);
    /* One more, written around the writer's own check: 129 elements of 2 octets. */
    struct writer writer;
    writer_init(&writer, &scene->bytes);
    writer_u16(&writer, MESSAGE_PUBLISH_KEY_PACKAGES);
    writer_u32(&writer, 1);
    size_t opened = writer_open(&writer);
    for (size_t i = 0; i <= WIRE_KEY_PACKAGES_MAX; i++)
        writer_vector(&writer, packages[i]);
    writer_close(&writer, opened);
    writer_vector(&writer, (sotto_bytes){0});
    assert_ok(writer_finish(&writer));
    assert_error(read_copy(scene, sotto_buf_view(&scene->bytes), message.type), LIMIT);
    assert_int_equal(scene->fault.offset, WIRE_HEAD + 2 + 2 * WIRE_KEY_PACKAGES_MAX);
}

static void the_largest_entry_fits_and_a_larger_one_does_not(void **state)
{
    struct scene *scene = *state;
    uint8_t *data = calloc(1, WIRE_ENTRY_MAX + 1);
    assert_non_null(data);
    struct message message = specimen(MESSAGE_ROOM_APPEND);
    message.append.bytes = sotto_bytes_of(data, WIRE_ENTRY_MAX);
    assert_ok(message_write(&message, &scene->bytes));
    assert_true(scene->bytes.size <= WIRE_MESSAGE_MAX);
    assert_ok(message_read(sotto_buf_view(&scene->bytes), MESSAGE_TO_RELAY, &scene->arena,
                           &scene->message, &scene->fault));
    assert_int_equal(scene->message.append.bytes.size, WIRE_ENTRY_MAX);
    message.append.bytes.size++;
    sotto_buf_clear(&scene->bytes);
    assert_error(message_write(&message, &scene->bytes), LIMIT);
    struct entry entry = {.seq = 1, .kind = ENTRY_MESSAGE};
    entry.bytes = sotto_bytes_of(data, WIRE_ENTRY_MAX);
    struct message push = {.type = MESSAGE_ROOM_ENTRIES, .request = 1};
    push.room_entries = (struct room_entries){&entry, 1};
    assert_ok(message_write(&push, &scene->bytes));
    assert_true(scene->bytes.size <= WIRE_MESSAGE_MAX);
    free(data);
}

static void wrong_sizes_are_not_written(void **state)
{
    struct scene *scene = *state;
    struct message message = specimen(MESSAGE_ROOM_SUBSCRIBE);
    message.room_subscribe.read_token.size = 31;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    message = specimen(MESSAGE_ROOM_APPEND);
    message.append.kind = 3;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    message = specimen(MESSAGE_POST_ENVELOPE);
    message.post_envelope.permission.value.size = 5;
    assert_error(message_write(&message, &scene->bytes), ARGUMENT);
    message = specimen(MESSAGE_HELLO);
    message.type = 0x020B;
    assert_error(message_write(&message, &scene->bytes), UNSUPPORTED);
    assert_int_equal(scene->bytes.size, 0);
}

struct failing {
    unsigned left;
};

static void *failing_resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    struct failing *failing = ctx;
    if (new_size > 0 && failing->left-- == 0) {
        failing->left = 0;
        return NULL;
    }
    return sotto_env_system()->resize(NULL, block, old_size, new_size);
}

static void each_allocation_may_fail(void **state)
{
    struct scene *scene = *state;
    for (unsigned nth = 0; nth < 4; nth++) {
        struct failing failing = {nth};
        sotto_env env = *sotto_env_system();
        env.ctx = &failing;
        env.resize = failing_resize;
        struct arena arena;
        sotto_buf buf;
        arena_init(&arena, &env);
        sotto_buf_init(&buf, &env);
        struct message message = specimen(MESSAGE_ROOM_ENTRIES);
        sotto_error error = message_write(&message, &buf);
        if (error == SOTTO_OK)
            error = message_read(sotto_buf_view(&buf), MESSAGE_TO_CLIENT, &arena, &scene->message,
                                 &scene->fault);
        else
            assert_int_equal(buf.size, 0);
        if (error != SOTTO_OK)
            assert_error(error, NO_MEMORY);
        arena_free(&arena);
        sotto_buf_free(&buf);
    }
}

static void codes_have_names_and_texts(void **state)
{
    (void)state;
    assert_string_equal(wire_code_name(WIRE_CODE_STALE_EPOCH), "stale_epoch");
    assert_int_equal(WIRE_CODE_GATE_CLOSED, 33);
    assert_string_equal(wire_code_name(9), "unknown");
    assert_true(strlen(wire_code_text(9)) > 0);
    assert_int_equal(message_connections(MESSAGE_HELLO), CONNECTION_ACCOUNT | CONNECTION_ROOM);
    assert_int_equal(message_connections(MESSAGE_GRANT), CONNECTION_ACCOUNT);
    assert_int_equal(message_connections(MESSAGE_ROOM_APPEND), CONNECTION_ROOM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_message_survives_the_round_trip),
        TEST(each_message_cut_anywhere_is_truncated),
        TEST(each_message_with_a_byte_too_many_is_refused),
        TEST(each_bit_flipped_is_refused_or_means_itself),
        TEST(the_bytes_are_those_of_the_document),
        TEST(a_side_refuses_what_only_the_other_reads),
        TEST(reserved_and_unknown_types_are_unsupported_at_offset_0),
        TEST(request_zero_is_for_errors_about_the_connection_alone),
        TEST(bad_values_are_named_with_their_offset),
        TEST(a_blob_has_bounds),
        TEST(entries_with_a_gap_are_refused),
        TEST(token_keys_that_do_not_follow_one_another_are_refused),
        TEST(lists_have_limits),
        TEST(the_largest_entry_fits_and_a_larger_one_does_not),
        TEST(wrong_sizes_are_not_written),
        TEST(each_allocation_may_fail),
        TEST(codes_have_names_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
