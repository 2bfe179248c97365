/* Fields that several structures of the protocol share, reader beside writer. Internal. */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include "codec/reader.h"
#include "codec/writer.h"
#include "wire/message.h"

/* Marks the writer failed, unless it failed before. */
void writer_fail(struct writer *writer, sotto_error error);

/* ARGUMENT unless condition: the writer's side of a reader's VALUE. */
void writer_check(struct writer *writer, bool condition);

/* opaque f[size] from a view: ARGUMENT if the view has another size. */
void writer_exact(struct writer *writer, sotto_bytes bytes, size_t size);

/* opaque f<V> of min to max bytes: ARGUMENT below, LIMIT above. */
void writer_limited(struct writer *writer, sotto_bytes bytes, size_t min, size_t max);

/* opaque f<V> of min to max bytes: LENGTH below, LIMIT above. */
sotto_bytes reader_limited(struct reader *reader, size_t min, size_t max, const char *what);

/* The reader failed at `at` rather than at its present position. */
void reader_fail_at(struct reader *reader, size_t at, sotto_error error, const char *what);

/* UTF-8 for people, at most max bytes: well-formed (RFC 3629), without control characters. */
sotto_bytes reader_text(struct reader *reader, size_t max, const char *what);
void writer_text(struct writer *writer, sotto_bytes text, size_t max);

/* A uint8 from low to high: VALUE outside. */
uint8_t reader_choice(struct reader *reader, uint8_t low, uint8_t high, const char *what);

void read_permission(struct reader *reader, struct permission *permission);
void write_permission(struct writer *writer, const struct permission *permission);

void token_key_read(struct reader *reader, struct token_key *key);
void token_key_write(struct writer *writer, const struct token_key *key);

void read_proof(struct reader *reader, struct proof *proof);
void write_proof(struct writer *writer, const struct proof *proof);

/* An address that address_parse takes; empty allowed where optional. */
sotto_bytes reader_address(struct reader *reader, bool optional, const char *what);
void writer_address(struct writer *writer, sotto_bytes address, bool optional);

/* Zeros up to Padmé's size of what was written since writer_init, to the end. The rest must be what
 * the writer would have padded with: another amount could carry a mark. LENGTH, VALUE. */
void reader_padding(struct reader *reader, const char *what);
void writer_padding(struct writer *writer);

#endif
