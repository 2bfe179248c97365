#include "wire/fields.h"

#include <sodium.h>

#include "base/text.h"
#include "wire/address.h"
#include "wire/padme.h"

void writer_fail(struct writer *writer, sotto_error error)
{
    if (writer->error == SOTTO_OK)
        writer->error = error;
}

void writer_check(struct writer *writer, bool condition)
{
    if (!condition)
        writer_fail(writer, SOTTO_ARGUMENT);
}

void writer_exact(struct writer *writer, sotto_bytes bytes, size_t size)
{
    writer_check(writer, bytes.size == size);
    writer_fixed(writer, bytes);
}

void writer_limited(struct writer *writer, sotto_bytes bytes, size_t min, size_t max)
{
    writer_check(writer, bytes.size >= min);
    if (bytes.size > max)
        writer_fail(writer, SOTTO_LIMIT);
    writer_vector(writer, bytes);
}

void reader_fail_at(struct reader *reader, size_t at, sotto_error error, const char *what)
{
    if (!reader_ok(reader))
        return;
    reader->pos = at;
    reader_fail(reader, error, what);
}

sotto_bytes reader_limited(struct reader *reader, size_t min, size_t max, const char *what)
{
    size_t at = reader->pos;
    sotto_bytes view = reader_vector(reader, max, what);
    if (reader_ok(reader) && view.size < min)
        reader_fail_at(reader, at, SOTTO_LENGTH, what);
    return view;
}

uint8_t reader_choice(struct reader *reader, uint8_t low, uint8_t high, const char *what)
{
    size_t at = reader->pos;
    uint8_t value = reader_u8(reader, what);
    if (value < low || value > high)
        reader_fail_at(reader, at, SOTTO_VALUE, what);
    return value;
}

/* The offset of the first byte that is malformed UTF-8 or a control character, or the size: what
 * stands here is shown on terminals. */
static size_t text_check(sotto_bytes text)
{
    size_t pos = 0;
    while (pos < text.size) {
        uint32_t scalar;
        const size_t size = text_next(sotto_bytes_of(text.data + pos, text.size - pos), &scalar);
        if (size == 0 || scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0))
            break;
        pos += size;
    }
    return pos;
}

sotto_bytes reader_text(struct reader *reader, size_t max, const char *what)
{
    sotto_bytes text = reader_vector(reader, max, what);
    size_t good = text_check(text);
    if (good < text.size)
        reader_fail_at(reader, reader->pos - text.size + good, SOTTO_VALUE, what);
    return text;
}

void writer_text(struct writer *writer, sotto_bytes text, size_t max)
{
    writer_check(writer, text_check(text) == text.size);
    writer_limited(writer, text, 0, max);
}

static size_t permission_size(uint8_t kind)
{
    return kind == PERMISSION_CAPABILITY ? CAPABILITY_SIZE
           : kind == PERMISSION_TOKEN    ? TOKEN_VALUE_SIZE
                                         : 0;
}

void read_permission(struct reader *reader, struct permission *permission)
{
    permission->kind = reader_choice(reader, PERMISSION_NONE, PERMISSION_TOKEN, "Permission.kind");
    size_t at = reader->pos;
    permission->value = reader_vector(reader, WIRE_PERMISSION_MAX, "Permission.value");
    if (permission->value.size != permission_size(permission->kind))
        reader_fail_at(reader, at, SOTTO_LENGTH, "Permission.value");
}

void write_permission(struct writer *writer, const struct permission *permission)
{
    writer_check(writer, permission->kind <= PERMISSION_TOKEN);
    writer_check(writer, permission->value.size == permission_size(permission->kind));
    writer_u8(writer, permission->kind);
    writer_vector(writer, permission->value);
}

void read_proof(struct reader *reader, struct proof *proof)
{
    reader_copy(reader, proof->sign_in_key, SIGN_KEY_SIZE, "proof.sign_in_key");
    reader_copy(reader, proof->signature, SIGNATURE_SIZE, "proof.signature");
}

void write_proof(struct writer *writer, const struct proof *proof)
{
    writer_fixed(writer, sotto_bytes_of(proof->sign_in_key, SIGN_KEY_SIZE));
    writer_fixed(writer, sotto_bytes_of(proof->signature, SIGNATURE_SIZE));
}

static bool address_valid(sotto_bytes text, bool optional)
{
    struct address address;
    sotto_fault fault;
    return (optional && text.size == 0) || address_parse(text, &address, &fault) == SOTTO_OK;
}

sotto_bytes reader_address(struct reader *reader, bool optional, const char *what)
{
    size_t at = reader->pos;
    sotto_bytes text = reader_vector(reader, WIRE_ADDRESS_MAX, what);
    if (reader_ok(reader) && !address_valid(text, optional))
        reader_fail_at(reader, at, SOTTO_VALUE, what);
    return text;
}

void writer_address(struct writer *writer, sotto_bytes address, bool optional)
{
    writer_check(writer, address_valid(address, optional));
    writer_vector(writer, address);
}

void reader_padding(struct reader *reader, const char *what)
{
    if (!reader_ok(reader))
        return;
    size_t at = reader->pos;
    if (reader->end != padme_size(at)) {
        reader_fail(reader, SOTTO_LENGTH, what);
        return;
    }
    sotto_bytes padding = reader_fixed(reader, reader->end - at, what);
    if (padding.size > 0 && !sodium_is_zero(padding.data, padding.size))
        reader_fail_at(reader, at, SOTTO_VALUE, what);
}

void writer_padding(struct writer *writer)
{
    uint8_t *padding;
    if (writer->error != SOTTO_OK)
        return;
    size_t size = writer->buf->size - writer->start;
    writer_fail(writer, sotto_buf_extend(writer->buf, padme_size(size) - size, &padding));
}
