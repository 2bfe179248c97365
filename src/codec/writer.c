#include "codec/writer.h"

#include <string.h>

#define VECTOR_MAX ((size_t)1 << 30)

void writer_init(struct writer *writer, sotto_buf *buf)
{
    *writer = (struct writer){.buf = buf, .start = buf->size};
}

static void put(struct writer *writer, const uint8_t *data, size_t size)
{
    if (writer->error == SOTTO_OK)
        writer->error = sotto_buf_append(writer->buf, data, size);
}

static void put_uint(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t octets[8];
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    put(writer, octets, size);
}

void writer_u8(struct writer *writer, uint8_t value)
{
    put_uint(writer, value, 1);
}

void writer_u16(struct writer *writer, uint16_t value)
{
    put_uint(writer, value, 2);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    put_uint(writer, value, 4);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    put_uint(writer, value, 8);
}

void writer_fixed(struct writer *writer, sotto_bytes bytes)
{
    put(writer, bytes.data, bytes.size);
}

size_t writer_encode_length(size_t length, uint8_t out[static 4])
{
    if (length < 1U << 6) {
        out[0] = (uint8_t)length;
        return 1;
    }
    if (length < 1U << 14) {
        out[0] = (uint8_t)(0x40 | length >> 8);
        out[1] = (uint8_t)length;
        return 2;
    }
    out[0] = (uint8_t)(0x80 | length >> 24);
    out[1] = (uint8_t)(length >> 16);
    out[2] = (uint8_t)(length >> 8);
    out[3] = (uint8_t)length;
    return 4;
}

void writer_vector(struct writer *writer, sotto_bytes bytes)
{
    if (bytes.size >= VECTOR_MAX) {
        if (writer->error == SOTTO_OK)
            writer->error = SOTTO_LENGTH;
        return;
    }
    uint8_t header[4];
    put(writer, header, writer_encode_length(bytes.size, header));
    put(writer, bytes.data, bytes.size);
}

size_t writer_open(struct writer *writer)
{
    /* One octet is reserved; writer_close makes room where the length needs more. */
    writer_u8(writer, 0);
    return writer->buf->size;
}

void writer_close(struct writer *writer, size_t opened)
{
    if (writer->error != SOTTO_OK)
        return;
    size_t length = writer->buf->size - opened;
    if (length >= VECTOR_MAX) {
        writer->error = SOTTO_LENGTH;
        return;
    }
    uint8_t header[4];
    size_t header_size = writer_encode_length(length, header);
    uint8_t *unused;
    writer->error = sotto_buf_extend(writer->buf, header_size - 1, &unused);
    if (writer->error != SOTTO_OK)
        return;
    uint8_t *content = writer->buf->data + opened;
    memmove(content + header_size - 1, content, length);
    memcpy(content - 1, header, header_size);
}

void writer_present(struct writer *writer, bool present)
{
    writer_u8(writer, present ? 1 : 0);
}

sotto_error writer_finish(struct writer *writer)
{
    sotto_buf *buf = writer->buf;
    if (writer->error != SOTTO_OK && buf->size > writer->start) {
        wipe(buf->data + writer->start, buf->size - writer->start);
        buf->size = writer->start;
    }
    return writer->error;
}
