/* The container of a backup (docs/BACKUP.md): records in one file, encrypted as a stream under a
 * key that a passphrase gives, so that memory is flat and whatever is cut off, moved, repeated or
 * changed is refused. What the records mean is backup.c's and restore.c's affair.
 *
 * offset size
 *   0     8   "sottobak"
 *   8     2   version, 2; 1: what one's devices tell each other is without lengths in it
 *  10     1   what the key comes from: enum backup_secret
 *  11     1   0
 *  12     4   Argon2id's passes
 *  16     4   Argon2id's memory in KiB
 *  20    16   its salt
 *  36    24   header of the stream (secretstream_xchacha20poly1305 of libsodium)
 *  60    16   BLAKE2b of bytes 0 to 59, keyed: a wrong passphrase is told before anything else
 *  76    16   BLAKE2b of bytes 0 to 75: a damaged header is no wrong passphrase
 *  92         chunks of 65536 bytes of plaintext, each with 17 bytes of the stream; the first one
 * is bound to bytes 0 to 91, the last one bears the stream's final tag and ends the file
 *
 * The plaintext is records: type (1 byte), length (4), body; type 0 is the end, and what follows it
 * in its chunk is zeros. */
#ifndef CORE_BACKUP_FILE_H
#define CORE_BACKUP_FILE_H

#include "base/base.h"

struct vault_cost;

enum {
    BACKUP_VERSION = 2,
    BACKUP_UNFRAMED = 1, /* an older one */
    BACKUP_HEADER_SIZE = 92,
    BACKUP_CHUNK = 65536,                /* of plaintext */
    BACKUP_SEALED = BACKUP_CHUNK + 17,   /* in the file */
    BACKUP_RECORD_MAX = 2 * 1024 * 1024, /* a body */
    BACKUP_SECRET_MAX = 1024,            /* of a passphrase */
};

enum backup_secret {
    BACKUP_PASSPHRASE = 1, /* a person chose it: guessing is made dear */
    BACKUP_KEY = 2,        /* random digits: nobody guesses them */
};

/* What a file may ask of whoever reads it: else a forged one could hold the machine up. */
#define BACKUP_PASSES_MAX 16
#define BACKUP_KIB_MIN 8
#define BACKUP_KIB_MAX (1024 * 1024)
#define BACKUP_WORK_MAX (4 * 1024 * 1024) /* passes times KiB */

/* What a backup asks for unless a test says otherwise. */
extern const struct vault_cost backup_cost_passphrase, backup_cost_key;

/* ---- Writing -------------------------------------------------------------------------------- */

struct backup_writer;

/* Writes the header to fd, which stays the caller's. secret: 1 to BACKUP_SECRET_MAX bytes (LENGTH).
 * cost NULL: the usual of that kind. IO, FULL, NO_MEMORY, NO_RANDOM. */
sotto_error backup_writer_new(const sotto_env *env, int fd, enum backup_secret kind,
                              sotto_bytes secret, const struct vault_cost *cost,
                              struct backup_writer **writer);
/* One record; type is not 0. LIMIT: body is larger than BACKUP_RECORD_MAX. IO, FULL: and then every
 * later call fails the same way. */
sotto_error backup_write(struct backup_writer *writer, uint8_t type, sotto_bytes body);
/* The end. What was written is whole from here on, but not synchronised to the disk. */
sotto_error backup_write_end(struct backup_writer *writer);
/* Bytes of the file so far. */
uint64_t backup_written(const struct backup_writer *writer);
void backup_writer_free(struct backup_writer *writer); /* wipes; NULL allowed */

/* ---- Reading -------------------------------------------------------------------------------- */

struct backup_reader;

/* Reads the header from fd, which stays the caller's, and opens the stream. secret_of: appends the
 * passphrase, knowing what it is; false: there is none (STATE). fault says what and where:
 * VALUE: no backup, or damaged; VERSION: of a newer Sotto; KEY: not this passphrase; LIMIT: it asks
 * for more work than is allowed. IO, NO_MEMORY. */
sotto_error backup_reader_new(const sotto_env *env, int fd,
                              bool (*secret_of)(void *ctx, enum backup_secret kind, sotto_buf *out),
                              void *ctx, struct backup_reader **reader, sotto_fault *fault);
/* The next record; body is good until the next call. NOT_FOUND: that was all, and the file ends
 * where it should. DECRYPT: a chunk was changed, moved, or is of another backup; TRUNCATED: the
 * file ends too early; TRAILING: something follows its end; VALUE, LIMIT: what was sealed is not in
 * order. After a failure every later call fails the same way. */
sotto_error backup_read(struct backup_reader *reader, uint8_t *type, sotto_bytes *body,
                        sotto_fault *fault);
/* What the header says. */
uint8_t backup_read_version(const struct backup_reader *reader);
/* Bytes of the file that were read. */
uint64_t backup_read_so_far(const struct backup_reader *reader);
void backup_reader_free(struct backup_reader *reader); /* wipes; NULL allowed */

/* ---- Keys of digits ---------------------------------------------------------------------------
 */

#define BACKUP_KEY_DIGITS 48     /* 159 bits */
#define BACKUP_KEY_SIZE (48 + 8) /* in groups of six, with NUL */

/* A random key, as people write it down. NO_RANDOM. */
sotto_error backup_key_make(const sotto_env *env, char key[static BACKUP_KEY_SIZE]);
/* Appends the key's digits alone, whatever stands between them. VALUE: they are not so many, or
 * there is something else than digits, spaces and dashes. */
sotto_error backup_key_digits(sotto_bytes text, sotto_buf *out);

#endif
