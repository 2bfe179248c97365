#include "core/content_cbor.h"

#include <cbor.h>
#include <string.h>

#include "base/text.h"

/* The draft, "Data model restrictions": integer keys fit a double without loss. */
#define KEY_INTEGER_MAX 9007199254740991u /* 2^53 - 1 */
#define HEAD_MAX 9

/* ---- One head ------------------------------------------------------------------------------- */

struct sink {
    struct cbor_head head;
    bool indefinite;
};

static void take(void *ctx, enum cbor_kind kind, uint64_t value)
{
    struct sink *sink = ctx;
    sink->head.kind = kind;
    sink->head.value = value;
}

static void take_uint8(void *ctx, uint8_t value)
{
    take(ctx, CBOR_KIND_UINT, value);
}

static void take_uint16(void *ctx, uint16_t value)
{
    take(ctx, CBOR_KIND_UINT, value);
}

static void take_uint32(void *ctx, uint32_t value)
{
    take(ctx, CBOR_KIND_UINT, value);
}

static void take_uint64(void *ctx, uint64_t value)
{
    take(ctx, CBOR_KIND_UINT, value);
}

static void take_negint8(void *ctx, uint8_t value)
{
    take(ctx, CBOR_KIND_NEGINT, value);
}

static void take_negint16(void *ctx, uint16_t value)
{
    take(ctx, CBOR_KIND_NEGINT, value);
}

static void take_negint32(void *ctx, uint32_t value)
{
    take(ctx, CBOR_KIND_NEGINT, value);
}

static void take_negint64(void *ctx, uint64_t value)
{
    take(ctx, CBOR_KIND_NEGINT, value);
}

static void take_bytes(void *ctx, cbor_data data, size_t size)
{
    take(ctx, CBOR_KIND_BYTES, size);
    ((struct sink *)ctx)->head.bytes = sotto_bytes_of(data, size);
}

static void take_text(void *ctx, cbor_data data, size_t size)
{
    take(ctx, CBOR_KIND_TEXT, size);
    ((struct sink *)ctx)->head.bytes = sotto_bytes_of(data, size);
}

static void take_array(void *ctx, size_t count)
{
    take(ctx, CBOR_KIND_ARRAY, count);
}

static void take_map(void *ctx, size_t count)
{
    take(ctx, CBOR_KIND_MAP, count);
}

static void take_tag(void *ctx, uint64_t value)
{
    take(ctx, CBOR_KIND_TAG, value);
}

static void take_float(void *ctx, float value)
{
    (void)value;
    take(ctx, CBOR_KIND_OTHER, 0);
}

static void take_double(void *ctx, double value)
{
    (void)value;
    take(ctx, CBOR_KIND_OTHER, 0);
}

static void take_undefined(void *ctx)
{
    take(ctx, CBOR_KIND_OTHER, 0);
}

static void take_null(void *ctx)
{
    take(ctx, CBOR_KIND_NULL, 0);
}

static void take_bool(void *ctx, bool value)
{
    take(ctx, CBOR_KIND_BOOL, value);
}

static void take_indefinite(void *ctx)
{
    ((struct sink *)ctx)->indefinite = true;
}

static const struct cbor_callbacks callbacks = {
    .uint8 = take_uint8,
    .uint16 = take_uint16,
    .uint32 = take_uint32,
    .uint64 = take_uint64,
    .negint64 = take_negint64,
    .negint32 = take_negint32,
    .negint16 = take_negint16,
    .negint8 = take_negint8,
    .byte_string_start = take_indefinite,
    .byte_string = take_bytes,
    .string = take_text,
    .string_start = take_indefinite,
    .indef_array_start = take_indefinite,
    .array_start = take_array,
    .indef_map_start = take_indefinite,
    .map_start = take_map,
    .tag = take_tag,
    .float2 = take_float,
    .float4 = take_float,
    .float8 = take_double,
    .undefined = take_undefined,
    .null = take_null,
    .boolean = take_bool,
    .indef_break = take_indefinite,
};

/* ---- Shortest encodings (RFC 8949, 4.2.1) ------------------------------------------------------
 */

static size_t shortest_head(uint64_t value)
{
    return value < 24 ? 1 : value <= 0xFF ? 2 : value <= 0xFFFF ? 3 : value <= 0xFFFFFFFF ? 5 : 9;
}

/* Whether a finite single is also a half: 10 bits of mantissa, exponents -14 to 15 or subnormal. */
static bool fits_half(uint32_t bits)
{
    uint32_t exponent = bits >> 23 & 0xFF, mantissa = bits & 0x7FFFFF;
    if (exponent == 0)
        return mantissa == 0;
    if (exponent == 0xFF)
        return true; /* infinities */
    if (exponent >= 113 && exponent <= 142)
        return (mantissa & 0x1FFF) == 0;
    if (exponent < 103 || exponent > 142)
        return false;
    uint32_t dropped = 13 + (113 - exponent); /* bits below the half's least subnormal step */
    return ((mantissa | 0x800000) & ((1u << dropped) - 1)) == 0;
}

/* Floats: the shortest that holds the value; of NaNs the one of half width alone. */
static bool float_is_deterministic(const uint8_t *item)
{
    if (item[0] == 0xF9) {
        bool is_nan = (item[1] & 0x7C) == 0x7C && ((item[1] & 0x03) != 0 || item[2] != 0);
        return !is_nan || (item[1] == 0x7E && item[2] == 0);
    }
    if (item[0] == 0xFA) {
        uint32_t bits = 0;
        for (int i = 1; i <= 4; i++)
            bits = bits << 8 | item[i];
        bool is_nan = (bits & 0x7F800000) == 0x7F800000 && (bits & 0x7FFFFF) != 0;
        return !is_nan && !fits_half(bits);
    }
    if (item[0] == 0xFB) {
        uint64_t bits = 0;
        double value;
        for (int i = 1; i <= 8; i++)
            bits = bits << 8 | item[i];
        memcpy(&value, &bits, sizeof value);
        uint64_t exponent = bits >> 52 & 0x7FF;
        if (exponent == 0x7FF) /* infinity has a shorter form, NaN is not allowed */
            return false;
        if (value > 3.4028234663852886e38 || value < -3.4028234663852886e38)
            return true; /* the conversion below would overflow */
        return (double)(float)value != value;
    }
    return true; /* undefined */
}

static bool is_deterministic(const struct cbor_head *head, const uint8_t *item, size_t size)
{
    switch (head->kind) {
    case CBOR_KIND_BYTES:
    case CBOR_KIND_TEXT:
        return size == shortest_head(head->value) + head->bytes.size;
    case CBOR_KIND_OTHER:
        return float_is_deterministic(item);
    case CBOR_KIND_BOOL:
    case CBOR_KIND_NULL:
        return size == 1;
    default:
        return size == shortest_head(head->value);
    }
}

/* ---- Reader --------------------------------------------------------------------------------- */

void cbor_reader_init(struct cbor_reader *r, sotto_bytes input)
{
    *r = (struct cbor_reader){.input = input, .fault.what = ""};
}

void cbor_fail(struct cbor_reader *r, sotto_error error, const char *what)
{
    if (cbor_ok(r))
        r->fault = (sotto_fault){.error = error, .what = what, .offset = r->start};
}

bool cbor_read(struct cbor_reader *r, struct cbor_head *head, const char *what)
{
    struct sink sink = {0};
    *head = (struct cbor_head){0};
    if (!cbor_ok(r))
        return false;
    r->start = r->pos;
    size_t left = r->input.size - r->pos;
    if (left == 0) {
        cbor_fail(r, SOTTO_TRUNCATED, what);
        return false;
    }
    const uint8_t *item = r->input.data + r->pos;
    struct cbor_decoder_result result = cbor_stream_decode(item, left, &callbacks, &sink);
    if (result.status == CBOR_DECODER_NEDATA)
        cbor_fail(r, SOTTO_TRUNCATED, what);
    else if (result.status != CBOR_DECODER_FINISHED)
        cbor_fail(r, SOTTO_VALUE, what);
    else if (sink.indefinite || !is_deterministic(&sink.head, item, result.read))
        cbor_fail(r, SOTTO_LENGTH, what);
    else if (sink.head.kind == CBOR_KIND_TEXT && !text_is_utf8(sink.head.bytes))
        cbor_fail(r, SOTTO_VALUE, what);
    if (!cbor_ok(r))
        return false;
    r->pos += result.read;
    *head = sink.head;
    return true;
}

/* The head if it is of that kind. */
static struct cbor_head read_kind(struct cbor_reader *r, enum cbor_kind kind, uint64_t max,
                                  const char *what)
{
    struct cbor_head head;
    if (cbor_read(r, &head, what) && head.kind != kind)
        cbor_fail(r, SOTTO_VALUE, what);
    else if (head.value > max)
        cbor_fail(r, SOTTO_LIMIT, what);
    return cbor_ok(r) ? head : (struct cbor_head){0};
}

uint64_t cbor_read_uint(struct cbor_reader *r, uint64_t max, const char *what)
{
    return read_kind(r, CBOR_KIND_UINT, max, what).value;
}

bool cbor_read_bool(struct cbor_reader *r, const char *what)
{
    return read_kind(r, CBOR_KIND_BOOL, 1, what).value == 1;
}

sotto_bytes cbor_read_bytes(struct cbor_reader *r, size_t max, const char *what)
{
    return read_kind(r, CBOR_KIND_BYTES, max, what).bytes;
}

sotto_bytes cbor_read_text(struct cbor_reader *r, size_t max, const char *what)
{
    return read_kind(r, CBOR_KIND_TEXT, max, what).bytes;
}

size_t cbor_read_array(struct cbor_reader *r, size_t max, const char *what)
{
    return (size_t)read_kind(r, CBOR_KIND_ARRAY, max, what).value;
}

size_t cbor_read_map(struct cbor_reader *r, size_t max, const char *what)
{
    return (size_t)read_kind(r, CBOR_KIND_MAP, max, what).value;
}

bool cbor_read_optional(struct cbor_reader *r, uint8_t *out, size_t size, const char *what)
{
    struct cbor_head head;
    if (!cbor_read(r, &head, what) || head.kind == CBOR_KIND_NULL)
        return false;
    if (head.kind != CBOR_KIND_BYTES || head.bytes.size != size) {
        cbor_fail(r, SOTTO_VALUE, what);
        return false;
    }
    memcpy(out, head.bytes.data, size);
    return true;
}

void cbor_read_key(struct cbor_reader *r, struct cbor_head *head, bool bytes_allowed,
                   sotto_bytes *previous, const char *what)
{
    if (!cbor_read(r, head, what))
        return;
    bool integer = head->kind == CBOR_KIND_UINT || head->kind == CBOR_KIND_NEGINT;
    bool text = head->kind == CBOR_KIND_TEXT || (bytes_allowed && head->kind == CBOR_KIND_BYTES);
    uint64_t most = head->kind == CBOR_KIND_NEGINT ? KEY_INTEGER_MAX - 1 : KEY_INTEGER_MAX;
    if (!integer && !text)
        cbor_fail(r, SOTTO_VALUE, what);
    else if (integer && head->value > most)
        cbor_fail(r, SOTTO_LIMIT, what);
    sotto_bytes key = sotto_bytes_of(r->input.data + r->start, r->pos - r->start);
    if (previous->size > 0) {
        size_t common = previous->size < key.size ? previous->size : key.size;
        int order = memcmp(previous->data, key.data, common);
        /* Bytewise order; one key is never the beginning of another. Equal: there twice. */
        if (order >= 0)
            cbor_fail(r, SOTTO_VALUE, what);
    }
    *previous = key;
}

static void skip(struct cbor_reader *r, unsigned depth, const char *what)
{
    struct cbor_head head, key;
    sotto_bytes previous = {0};
    if (!cbor_read(r, &head, what))
        return;
    if (head.kind != CBOR_KIND_ARRAY && head.kind != CBOR_KIND_MAP && head.kind != CBOR_KIND_TAG)
        return;
    if (depth == 0) {
        cbor_fail(r, SOTTO_LIMIT, what);
        return;
    }
    /* A count that lies is found out at the end of the input. */
    uint64_t count = head.kind == CBOR_KIND_TAG ? 1 : head.value;
    for (uint64_t i = 0; i < count && cbor_ok(r); i++) {
        if (head.kind == CBOR_KIND_MAP)
            cbor_read_key(r, &key, true, &previous, what);
        skip(r, depth - 1, what);
    }
}

sotto_bytes cbor_read_any(struct cbor_reader *r, unsigned depth, const char *what)
{
    size_t from = r->pos;
    skip(r, depth, what);
    return cbor_ok(r) ? sotto_bytes_of(r->input.data + from, r->pos - from) : (sotto_bytes){0};
}

sotto_error cbor_finish(struct cbor_reader *r, const char *what)
{
    r->start = r->pos;
    if (r->pos < r->input.size)
        cbor_fail(r, SOTTO_TRAILING, what);
    return r->fault.error;
}

/* ---- Writer --------------------------------------------------------------------------------- */

void cbor_writer_init(struct cbor_writer *w, sotto_buf *buf)
{
    *w = (struct cbor_writer){.buf = buf, .start = buf->size};
}

void cbor_write_fail(struct cbor_writer *w, sotto_error error)
{
    if (w->error == SOTTO_OK)
        w->error = error;
}

void cbor_write_raw(struct cbor_writer *w, sotto_bytes item)
{
    if (w->error == SOTTO_OK && item.size > 0)
        w->error = sotto_buf_append(w->buf, item.data, item.size);
}

/* libcbor's encoders are called with a buffer that is large enough for any head. */
static void write_head(struct cbor_writer *w, const uint8_t head[HEAD_MAX], size_t size)
{
    BUG_UNLESS(size > 0);
    cbor_write_raw(w, sotto_bytes_of(head, size));
}

void cbor_write_uint(struct cbor_writer *w, uint64_t value)
{
    uint8_t head[HEAD_MAX];
    write_head(w, head, cbor_encode_uint(value, head, sizeof head));
}

void cbor_write_int(struct cbor_writer *w, int64_t value)
{
    uint8_t head[HEAD_MAX];
    if (value >= 0)
        cbor_write_uint(w, (uint64_t)value);
    else
        write_head(w, head, cbor_encode_negint((uint64_t)(-1 - value), head, sizeof head));
}

void cbor_write_bool(struct cbor_writer *w, bool value)
{
    uint8_t head[HEAD_MAX];
    write_head(w, head, cbor_encode_bool(value, head, sizeof head));
}

void cbor_write_null(struct cbor_writer *w)
{
    uint8_t head[HEAD_MAX];
    write_head(w, head, cbor_encode_null(head, sizeof head));
}

void cbor_write_bytes(struct cbor_writer *w, sotto_bytes value)
{
    uint8_t head[HEAD_MAX];
    write_head(w, head, cbor_encode_bytestring_start(value.size, head, sizeof head));
    cbor_write_raw(w, value);
}

void cbor_write_text(struct cbor_writer *w, sotto_bytes value)
{
    uint8_t head[HEAD_MAX];
    if (!text_is_utf8(value))
        cbor_write_fail(w, SOTTO_VALUE);
    write_head(w, head, cbor_encode_string_start(value.size, head, sizeof head));
    cbor_write_raw(w, value);
}

void cbor_write_array(struct cbor_writer *w, size_t count)
{
    uint8_t head[HEAD_MAX];
    write_head(w, head, cbor_encode_array_start(count, head, sizeof head));
}

void cbor_write_map(struct cbor_writer *w, size_t count)
{
    uint8_t head[HEAD_MAX];
    write_head(w, head, cbor_encode_map_start(count, head, sizeof head));
}

sotto_error cbor_writer_finish(struct cbor_writer *w)
{
    if (w->error != SOTTO_OK)
        w->buf->size = w->start;
    return w->error;
}
