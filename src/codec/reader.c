#include "codec/reader.h"

#include <string.h>

void reader_init(struct reader *reader, sotto_bytes input)
{
    *reader = (struct reader){
        .start = input.data,
        .end = input.size,
        .fault = {SOTTO_OK, "", 0},
    };
}

void reader_fail(struct reader *reader, sotto_error error, const char *what)
{
    if (reader->fault.error != SOTTO_OK)
        return;
    reader->fault = (sotto_fault){error, what, reader->pos};
}

/* The next size bytes, or NULL after marking the reader failed. */
static const uint8_t *take(struct reader *reader, size_t size, const char *what)
{
    if (!reader_ok(reader))
        return NULL;
    if (reader->end - reader->pos < size) {
        reader_fail(reader, SOTTO_TRUNCATED, what);
        return NULL;
    }
    const uint8_t *at = reader->start + reader->pos;
    reader->pos += size;
    return at;
}

static uint64_t take_uint(struct reader *reader, size_t size, const char *what)
{
    const uint8_t *at = take(reader, size, what);
    uint64_t value = 0;
    if (at != NULL)
        for (size_t i = 0; i < size; i++)
            value = value << 8 | at[i];
    return value;
}

uint8_t reader_u8(struct reader *reader, const char *what)
{
    return (uint8_t)take_uint(reader, 1, what);
}

uint16_t reader_u16(struct reader *reader, const char *what)
{
    return (uint16_t)take_uint(reader, 2, what);
}

uint32_t reader_u32(struct reader *reader, const char *what)
{
    return (uint32_t)take_uint(reader, 4, what);
}

uint64_t reader_u64(struct reader *reader, const char *what)
{
    return take_uint(reader, 8, what);
}

sotto_bytes reader_fixed(struct reader *reader, size_t size, const char *what)
{
    if (size == 0)
        return (sotto_bytes){0};
    const uint8_t *at = take(reader, size, what);
    return at == NULL ? (sotto_bytes){0} : sotto_bytes_of(at, size);
}

void reader_copy(struct reader *reader, uint8_t *out, size_t size, const char *what)
{
    sotto_bytes view = reader_fixed(reader, size, what);
    if (view.size == size && size > 0)
        memcpy(out, view.data, size);
    else
        memset(out, 0, size);
}

uint32_t reader_length(struct reader *reader, const char *what)
{
    /* RFC 9420, 2.1.2: the two high bits of the first octet give the length's own length
     * (1, 2 or 4 octets); 11 is invalid and so is a longer form than needed. */
    size_t at = reader->pos;
    uint8_t first = reader_u8(reader, what);
    uint32_t value = first & 0x3f;
    unsigned prefix = first >> 6;
    if (prefix == 3) {
        reader->pos = reader_ok(reader) ? at : reader->pos;
        reader_fail(reader, SOTTO_LENGTH, what);
        return 0;
    }
    for (unsigned i = 1; i < 1U << prefix; i++)
        value = value << 8 | reader_u8(reader, what);
    if (!reader_ok(reader))
        return 0;
    if ((prefix == 1 && value < 1U << 6) || (prefix == 2 && value < 1U << 14)) {
        reader->pos = at;
        reader_fail(reader, SOTTO_LENGTH, what);
        return 0;
    }
    return value;
}

sotto_bytes reader_vector(struct reader *reader, size_t max, const char *what)
{
    size_t at = reader->pos;
    uint32_t size = reader_length(reader, what);
    if (reader_ok(reader) && size > max) {
        reader->pos = at;
        reader_fail(reader, SOTTO_LIMIT, what);
    }
    return reader_fixed(reader, size, what);
}

void reader_enter(struct reader *reader, struct reader *inner, size_t max, const char *what)
{
    sotto_bytes content = reader_vector(reader, max, what);
    *inner = *reader; /* with the fault, if the header failed */
    inner->end = reader->pos;
    inner->pos = reader->pos - content.size;
}

void reader_leave(struct reader *reader, const struct reader *inner, const char *what)
{
    if (!reader_ok(reader))
        return;
    if (!reader_ok(inner))
        reader->fault = inner->fault;
    else if (inner->pos != inner->end)
        reader->fault = (sotto_fault){SOTTO_TRAILING, what, inner->pos};
}

/* RFC 9420, 2.1.1. */
bool reader_present(struct reader *reader, const char *what)
{
    uint8_t octet = reader_u8(reader, what);
    if (octet > 1) {
        reader->pos--;
        reader_fail(reader, SOTTO_VALUE, what);
        return false;
    }
    return octet == 1;
}

bool reader_more(const struct reader *reader)
{
    return reader_ok(reader) && reader->pos < reader->end;
}

sotto_bytes reader_since(const struct reader *reader, size_t from)
{
    if (!reader_ok(reader) || from >= reader->pos)
        return (sotto_bytes){0};
    return sotto_bytes_of(reader->start + from, reader->pos - from);
}

sotto_error reader_finish(struct reader *reader, const char *what)
{
    if (reader_more(reader))
        reader_fail(reader, SOTTO_TRAILING, what);
    return reader->fault.error;
}
