/* PROTOCOL.md section 3: hello, token_keys and error. */
#include "wire/codec_rows.h"

static void read_version(struct reader *reader, uint16_t *version, const char *what)
{
    size_t at = reader->pos;
    *version = reader_u16(reader, what);
    if (*version != WIRE_VERSION)
        reader_fail_at(reader, at, SOTTO_VERSION, what);
}

static void read_hello(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct hello *hello = &message->hello;
    read_version(reader, &hello->version, "hello.version");
    hello->connection =
        reader_choice(reader, CONNECTION_ACCOUNT, CONNECTION_ROOM, "hello.connection");
}

static void write_hello(struct writer *writer, const struct message *message)
{
    const struct hello *hello = &message->hello;
    writer_check(writer, hello->version == WIRE_VERSION);
    writer_check(writer,
                 hello->connection == CONNECTION_ACCOUNT || hello->connection == CONNECTION_ROOM);
    writer_u16(writer, hello->version);
    writer_u8(writer, hello->connection);
}

static void read_hello_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct hello_ok *ok = &message->hello_ok;
    read_version(reader, &ok->version, "hello_ok.version");
    reader_copy(reader, ok->challenge, CHALLENGE_SIZE, "hello_ok.challenge");
    ok->registration =
        reader_choice(reader, REGISTRATION_OPEN, REGISTRATION_PHONE, "hello_ok.registration");
    ok->retention_days = reader_u16(reader, "hello_ok.retention_days");
    ok->max_entry = reader_u32(reader, "hello_ok.max_entry");
    ok->max_envelope = reader_u32(reader, "hello_ok.max_envelope");
    ok->now = reader_u64(reader, "hello_ok.now");
    ok->name = reader_text(reader, WIRE_TEXT_MAX, "hello_ok.name");
}

static void write_hello_ok(struct writer *writer, const struct message *message)
{
    const struct hello_ok *ok = &message->hello_ok;
    writer_check(writer, ok->version == WIRE_VERSION);
    writer_check(writer,
                 ok->registration >= REGISTRATION_OPEN && ok->registration <= REGISTRATION_PHONE);
    writer_u16(writer, ok->version);
    writer_fixed(writer, sotto_bytes_of(ok->challenge, CHALLENGE_SIZE));
    writer_u8(writer, ok->registration);
    writer_u16(writer, ok->retention_days);
    writer_u32(writer, ok->max_entry);
    writer_u32(writer, ok->max_envelope);
    writer_u64(writer, ok->now);
    writer_text(writer, ok->name, WIRE_TEXT_MAX);
}

static void read_token_keys(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->first_key = reader_u32(reader, "token_keys.from");
}

static void write_token_keys(struct writer *writer, const struct message *message)
{
    writer_u32(writer, message->first_key);
}

/* Each key follows from the one before: a list that contradicts itself goes no further. */
static size_t count_token_keys(struct reader *inner)
{
    struct token_key key, before = {0};
    size_t count = 0;
    while (reader_more(inner)) {
        size_t at = inner->pos;
        if (count == WIRE_TOKEN_KEYS_MAX)
            reader_fail(inner, SOTTO_LIMIT, "token_keys_ok.keys");
        token_key_read(inner, &key);
        if (count > 0 && !token_key_follows(&before, &key))
            reader_fail_at(inner, at, SOTTO_VALUE, "TokenKey.previous");
        before = key;
        count++;
    }
    if (count == 0)
        reader_fail(inner, SOTTO_LENGTH, "token_keys_ok.keys");
    return count;
}

static void read_token_keys_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    struct token_keys *body = &message->token_keys;
    struct reader inner, counted;
    body->a_day = reader_u32(reader, "token_keys_ok.a_day");
    reader_enter(reader, &inner, WIRE_MESSAGE_MAX, "token_keys_ok.keys");
    counted = inner;
    size_t count = count_token_keys(&counted);
    reader_leave(reader, &counted, "token_keys_ok.keys");
    if (!reader_ok(reader))
        return;
    struct token_key *keys = arena_array(arena, count, sizeof *keys);
    if (keys == NULL) {
        reader_fail(reader, SOTTO_NO_MEMORY, "token_keys_ok.keys");
        return;
    }
    for (size_t i = 0; i < count; i++)
        token_key_read(&inner, &keys[i]);
    body->keys = keys;
    body->count = count;
}

static void write_token_keys_ok(struct writer *writer, const struct message *message)
{
    const struct token_keys *body = &message->token_keys;
    writer_check(writer, body->count > 0);
    if (body->count > WIRE_TOKEN_KEYS_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    writer_u32(writer, body->a_day);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < body->count && writer->error == SOTTO_OK; i++) {
        writer_check(writer, i == 0 || token_key_follows(&body->keys[i - 1], &body->keys[i]));
        token_key_write(writer, &body->keys[i]);
    }
    writer_close(writer, opened);
}

static void read_log_get(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->log_path = reader_text(reader, WIRE_LOG_PATH_MAX, "log_get.path");
}

static void write_log_get(struct writer *writer, const struct message *message)
{
    writer_text(writer, message->log_path, WIRE_LOG_PATH_MAX);
}

static void read_log_get_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->log_file = reader_limited(reader, 0, WIRE_LOG_FILE_MAX, "log_get_ok.file");
}

static void write_log_get_ok(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->log_file, 0, WIRE_LOG_FILE_MAX);
}

static void read_error(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->error.code = reader_u16(reader, "error.code");
    message->error.detail = reader_u64(reader, "error.detail");
    message->error.text = reader_text(reader, WIRE_TEXT_MAX, "error.text");
}

static void write_error(struct writer *writer, const struct message *message)
{
    writer_u16(writer, message->error.code);
    writer_u64(writer, message->error.detail);
    writer_text(writer, message->error.text, WIRE_TEXT_MAX);
}

const struct message_row message_rows_common[] = {
    ROW_REQUEST(MESSAGE_HELLO, "hello", CONNECTION_ACCOUNT | CONNECTION_ROOM, read_hello,
                write_hello),
    ROW_ANSWER(MESSAGE_HELLO_OK, "hello_ok", read_hello_ok, write_hello_ok),
    ROW_REQUEST(MESSAGE_TOKEN_KEYS, "token_keys", CONNECTION_ACCOUNT | CONNECTION_ROOM,
                read_token_keys, write_token_keys),
    ROW_ANSWER(MESSAGE_TOKEN_KEYS_OK, "token_keys_ok", read_token_keys_ok, write_token_keys_ok),
    ROW_REQUEST(MESSAGE_LOG_GET, "log_get", CONNECTION_ACCOUNT | CONNECTION_ROOM, read_log_get,
                write_log_get),
    ROW_ANSWER(MESSAGE_LOG_GET_OK, "log_get_ok", read_log_get_ok, write_log_get_ok),
    ROW_ANSWER(MESSAGE_ERROR, "error", read_error, write_error),
    {0},
};
