/* Writer of the TLS presentation language, into a sotto_buf. The error is sticky: write all, check
 * once with writer_finish. On failure the buffer is cut back to where it was at writer_init. */
#ifndef CODEC_WRITER_H
#define CODEC_WRITER_H

#include "base/base.h"

struct writer {
    sotto_buf *buf;
    size_t start;
    sotto_error error;
};

/* Appends behind what buf holds; buf must outlive the writer. */
void writer_init(struct writer *writer, sotto_buf *buf);

void writer_u8(struct writer *writer, uint8_t value);
void writer_u16(struct writer *writer, uint16_t value);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);

/* opaque f[n]: the bytes as they are. */
void writer_fixed(struct writer *writer, sotto_bytes bytes);

/* opaque f<V>: length and bytes. LENGTH above 2^30 - 1. */
void writer_vector(struct writer *writer, sotto_bytes bytes);

/* The length header of a vector alone (2.1.2): length below 2^30. Returns its number of octets. */
size_t writer_encode_length(size_t length, uint8_t out[static 4]);

/* A vector of structures: what is written between open and close becomes its content. */
size_t writer_open(struct writer *writer);
void writer_close(struct writer *writer, size_t opened);

/* presence octet of an optional<T> */
void writer_present(struct writer *writer, bool present);

/* The sticky error; on failure the buffer holds what it held at writer_init. */
sotto_error writer_finish(struct writer *writer);

#endif
