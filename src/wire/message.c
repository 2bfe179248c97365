#include "wire/codec_rows.h"

#include <string.h>

static const struct message_row *row_in(const struct message_row *rows, uint16_t type)
{
    for (; rows->type != 0; rows++)
        if (rows->type == type)
            return rows;
    return NULL;
}

static const struct message_row *row_of(uint16_t type)
{
    /* The high octet without the bits for answers and pushes tells the connection. */
    switch (type >> 8 & 0x3f) {
    case 0x01:
        return row_in(message_rows_account, type);
    case 0x02:
        return row_in(message_rows_room, type);
    case 0x03:
        return row_in(message_rows_blob, type);
    default:
        return row_in(message_rows_common, type);
    }
}

static void read_body(struct reader *reader, enum message_direction direction, struct arena *arena,
                      struct message *message)
{
    const struct message_row *row = row_of(message->type);
    if (row == NULL || row->direction != direction) {
        reader_fail_at(reader, 0, SOTTO_UNSUPPORTED, "Message.type");
        return;
    }
    if (message->request == 0 && message->type != MESSAGE_ERROR)
        reader_fail_at(reader, 2, SOTTO_VALUE, "Message.request");
    if (row->read != NULL)
        row->read(reader, arena, message);
    reader_finish(reader, row->end);
}

sotto_error message_read(sotto_bytes bytes, enum message_direction direction, struct arena *arena,
                         struct message *message, sotto_fault *fault)
{
    struct reader reader;
    reader_init(&reader, bytes);
    memset(message, 0, sizeof *message);
    uint16_t type = reader_u16(&reader, "Message.type");
    uint32_t request = reader_u32(&reader, "Message.request");
    message->type = type;
    message->request = request;
    if (bytes.size > WIRE_MESSAGE_MAX)
        reader_fail_at(&reader, 0, SOTTO_LIMIT, "Message");
    if (reader_ok(&reader))
        read_body(&reader, direction, arena, message);
    if (!reader_ok(&reader)) {
        memset(message, 0, sizeof *message);
        message->type = type;
        message->request = request;
    }
    *fault = reader.fault;
    return reader.fault.error;
}

sotto_error message_write(const struct message *message, sotto_buf *buf)
{
    const struct message_row *row = row_of(message->type);
    if (row == NULL)
        return SOTTO_UNSUPPORTED;
    if (message->request == 0 && message->type != MESSAGE_ERROR)
        return SOTTO_ARGUMENT;
    struct writer writer;
    writer_init(&writer, buf);
    writer_u16(&writer, message->type);
    writer_u32(&writer, message->request);
    if (row->write != NULL)
        row->write(&writer, message);
    if (buf->size - writer.start > WIRE_MESSAGE_MAX)
        writer_fail(&writer, SOTTO_LIMIT);
    return writer_finish(&writer);
}

void message_head(uint16_t type, uint32_t request, uint8_t out[static WIRE_HEAD])
{
    out[0] = (uint8_t)(type >> 8);
    out[1] = (uint8_t)type;
    for (unsigned i = 0; i < 4; i++)
        out[2 + i] = (uint8_t)(request >> (24 - 8 * i));
}

unsigned message_connections(uint16_t type)
{
    const struct message_row *row = row_of(type);
    return row == NULL ? 0 : row->connections;
}

const char *message_name(uint16_t type)
{
    const struct message_row *row = row_of(type);
    return row == NULL ? "unknown" : row->name;
}

struct code_row {
    uint16_t number;
    const char *name, *text;
};

static const struct code_row *code_of(uint16_t code)
{
    static const struct code_row rows[] = {
#define CODE_ROW(name, number, paper, text) {number, paper, text},
        WIRE_CODES(CODE_ROW)
#undef CODE_ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].number == code)
            return &rows[i];
    return NULL;
}

const char *wire_code_name(uint16_t code)
{
    const struct code_row *row = code_of(code);
    return row == NULL ? "unknown" : row->name;
}

const char *wire_code_text(uint16_t code)
{
    const struct code_row *row = code_of(code);
    return row == NULL ? "the relay refused for a reason that this client does not know"
                       : row->text;
}
