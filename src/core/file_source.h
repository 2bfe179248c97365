/* What is sent of a file, chunk by chunk: the file as it lies there, or a picture without what it
 * tells beside (picture.h), which is made in memory whenever it is needed and never lies on the
 * disk. */
#ifndef CORE_FILE_SOURCE_H
#define CORE_FILE_SOURCE_H

#include <sys/stat.h>

#include "core/file_cipher.h"
#include "core/picture.h"

struct file_source {
    int fd; /* -1: closed */
    struct stat stat;
    bool stripped;          /* bytes is what is sent */
    struct picture picture; /* if stripped */
    sotto_buf bytes;
};

int64_t file_mtime_ns(const struct stat *of);

/* Opens it. IO: errno says why; ARGUMENT: it is no regular file; NO_MEMORY: nothing can be opened
 * now. The owner closes it, also when this failed. */
sotto_error file_source_open(struct file_source *source, const sotto_env *env, const char *path);
/* Its first bytes. UNSUPPORTED: it is shorter; IO. */
enum { FILE_START = 16 };
sotto_error file_source_start(const struct file_source *source, uint8_t start[static FILE_START]);
/* Appends all of it, PICTURE_MAX at most (LIMIT). IO. */
sotto_error file_source_read(const struct file_source *source, sotto_buf *out);
/* Reads all of it as a picture and strips that. UNSUPPORTED and the other errors of picture_strip:
 * then the file itself is what is sent, as before. IO: it cannot be read. */
sotto_error file_source_strip(struct file_source *source);
/* Bytes that are sent. */
uint64_t file_source_size(const struct file_source *source);
/* SHA-256 of what was stripped. */
void file_source_digest(const struct file_source *source, uint8_t digest[static 32]);
/* The bytes of that chunk, file_chunk_data of them; false: they are not there. */
bool file_source_chunk(const struct file_source *source, const struct file_cipher *cipher,
                       uint64_t index, uint8_t *chunk);
void file_source_close(struct file_source *source);

/* The file's bytes of that chunk; false: they are not there. */
bool file_read_chunk(int fd, const struct file_cipher *cipher, uint64_t index, uint8_t *chunk);

#endif
