/* PROTOCOL.md section 3: hello and error. */
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
    ROW_ANSWER(MESSAGE_ERROR, "error", read_error, write_error),
    {0},
};
