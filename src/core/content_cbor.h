/* CBOR as MIMI content wants it (RFC 8949, section 4.2.1, and the draft's "Data model
 * restrictions"), over libcbor's streaming coder, which takes no memory. Inside content_*.c alone.
 *
 * The reader's error is sticky, as codec/reader.h's is: read all, check once. */
#ifndef CORE_CONTENT_CBOR_H
#define CORE_CONTENT_CBOR_H

#include "base/base.h"

enum cbor_kind {
    CBOR_KIND_UINT,
    CBOR_KIND_NEGINT, /* -1 - value */
    CBOR_KIND_BYTES,
    CBOR_KIND_TEXT, /* checked to be UTF-8 */
    CBOR_KIND_ARRAY,
    CBOR_KIND_MAP,
    CBOR_KIND_TAG,
    CBOR_KIND_BOOL,
    CBOR_KIND_NULL,
    CBOR_KIND_OTHER, /* undefined, floats */
};

/* The head of an item; bytes and text with their content. */
struct cbor_head {
    enum cbor_kind kind;
    uint64_t value; /* of integers, tags, bool; count of elements of arrays, of pairs of maps */
    sotto_bytes bytes;
};

struct cbor_reader {
    sotto_bytes input;
    size_t pos;
    size_t start; /* of the item that was read last */
    sotto_fault fault;
};

void cbor_reader_init(struct cbor_reader *r, sotto_bytes input);
void cbor_fail(struct cbor_reader *r, sotto_error error, const char *what); /* at the last item */
static inline bool cbor_ok(const struct cbor_reader *r)
{
    return r->fault.error == SOTTO_OK;
}

/* False after a failure; head is then zeroed. */
bool cbor_read(struct cbor_reader *r, struct cbor_head *head, const char *what);
uint64_t cbor_read_uint(struct cbor_reader *r, uint64_t max, const char *what);
bool cbor_read_bool(struct cbor_reader *r, const char *what);
sotto_bytes cbor_read_bytes(struct cbor_reader *r, size_t max, const char *what);
sotto_bytes cbor_read_text(struct cbor_reader *r, size_t max, const char *what);
size_t cbor_read_array(struct cbor_reader *r, size_t max, const char *what); /* the count */
size_t cbor_read_map(struct cbor_reader *r, size_t max, const char *what);
/* null: false; else bytes of exactly that size: true. */
bool cbor_read_optional(struct cbor_reader *r, uint8_t *out, size_t size, const char *what);
/* A whole item, containers of at most depth levels. */
sotto_bytes cbor_read_any(struct cbor_reader *r, unsigned depth, const char *what);

/* The key of a map's next pair, which must be an integer or text (or bytes, where allowed), and
 * behind *previous in the order of the encodings; *previous becomes it. Empty at first. */
void cbor_read_key(struct cbor_reader *r, struct cbor_head *head, bool bytes_allowed,
                   sotto_bytes *previous, const char *what);
/* TRAILING if anything is left. Returns the sticky error. */
sotto_error cbor_finish(struct cbor_reader *r, const char *what);

/* The writer's error is sticky too. */
struct cbor_writer {
    sotto_buf *buf;
    size_t start;
    sotto_error error;
};

void cbor_writer_init(struct cbor_writer *w, sotto_buf *buf);
void cbor_write_uint(struct cbor_writer *w, uint64_t value);
void cbor_write_int(struct cbor_writer *w, int64_t value);
void cbor_write_bool(struct cbor_writer *w, bool value);
void cbor_write_null(struct cbor_writer *w);
void cbor_write_bytes(struct cbor_writer *w, sotto_bytes value);
void cbor_write_text(struct cbor_writer *w, sotto_bytes value); /* VALUE: not UTF-8 */
void cbor_write_array(struct cbor_writer *w, size_t count);
void cbor_write_map(struct cbor_writer *w, size_t count);
void cbor_write_raw(struct cbor_writer *w, sotto_bytes item);
void cbor_write_fail(struct cbor_writer *w, sotto_error error);
/* On failure the buffer is as it was. */
sotto_error cbor_writer_finish(struct cbor_writer *w);

#endif
