/* Reader of the TLS presentation language with RFC 9420's variable-size vectors (section 2.1.2).
 *
 * The error is sticky: after the first failure every read returns zero or an empty view and the
 * reader keeps the field's name and offset. So a decoder reads all its fields and checks once.
 * Views that a reader returns borrow from its input. */
#ifndef CODEC_READER_H
#define CODEC_READER_H

#include "base/base.h"

struct reader {
    const uint8_t *start; /* of the whole input, so that offsets in faults are absolute */
    size_t pos;
    size_t end;
    sotto_fault fault;
};

void reader_init(struct reader *reader, sotto_bytes input);

/* what: static name of the field, "Struct.field", for the fault. */
uint8_t reader_u8(struct reader *reader, const char *what);
uint16_t reader_u16(struct reader *reader, const char *what);
uint32_t reader_u32(struct reader *reader, const char *what);
uint64_t reader_u64(struct reader *reader, const char *what);

/* Exactly size bytes: opaque f[size]. */
sotto_bytes reader_fixed(struct reader *reader, size_t size, const char *what);

/* Copies exactly size bytes into out; zeroes out on failure. */
void reader_copy(struct reader *reader, uint8_t *out, size_t size, const char *what);

/* opaque f<V>, at most max bytes (LIMIT above). */
sotto_bytes reader_vector(struct reader *reader, size_t max, const char *what);

/* A length alone, as RFC 9420's variable-size vector header: minimal encoding required. */
uint32_t reader_length(struct reader *reader, const char *what);

/* The content of a vector as a reader of its own, to be left with reader_leave, which fails the
 * parent if the content failed or was not consumed to its last byte. */
void reader_enter(struct reader *reader, struct reader *inner, size_t max, const char *what);
void reader_leave(struct reader *reader, const struct reader *inner, const char *what);

/* presence octet of an optional<T>: 0 or 1, all else VALUE. */
bool reader_present(struct reader *reader, const char *what);

/* True while no failure and input is left: the loop condition over a vector's elements. */
bool reader_more(const struct reader *reader);

/* Marks the reader failed at its position, unless it failed before. */
void reader_fail(struct reader *reader, sotto_error error, const char *what);

/* The bytes from pos `from` to the present position: what a signature or a hash covers. */
sotto_bytes reader_since(const struct reader *reader, size_t from);

/* The end of a message: TRAILING if anything is left. Returns the sticky error. */
sotto_error reader_finish(struct reader *reader, const char *what);

static inline bool reader_ok(const struct reader *reader)
{
    return reader->fault.error == SOTTO_OK;
}

#endif
