/* The bytes of blobs, as files in a directory of their own: blobs/ab/cdef..., named by the SHA-256
 * of the blob's id, so that neither a listing nor a copy of the disk tells an id. Plain calls that
 * may block: for blobs.h's threads, never for an event loop. A file belongs to one thread at a
 * time. */
#ifndef RELAY_BLOB_FILES_H
#define RELAY_BLOB_FILES_H

#include <sys/types.h>

#include "base/base.h"
#include "wire/ids.h"

/* Where tests let a disk fail. */
struct blob_disk {
    ssize_t (*write)(int fd, const void *bytes, size_t size, off_t offset); /* as pwrite */
    int (*sync)(int fd);                                                    /* as fdatasync */
};

struct blob_files {
    int root; /* the directory */
    struct blob_disk disk;
};

/* Opens the directory, made if it is not there (mode 0700). disk NULL: the system's. IO, FULL. */
sotto_error blob_files_open(struct blob_files *files, const char *path,
                            const struct blob_disk *disk);
void blob_files_close(struct blob_files *files);

/* The file's size; 0 if there is none. IO. */
sotto_error blob_file_size(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                           uint64_t *size);

/* Appends bytes at `at`, which is the size; makes the file if there is none. On failure it is as it
 * was before. FULL, IO. */
sotto_error blob_file_append(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                             uint64_t at, sotto_bytes bytes);

/* Exactly size bytes from `at` into out. NOT_FOUND: no such file, or it is shorter; IO. */
sotto_error blob_file_read(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                           uint64_t at, uint8_t *out, size_t size);

/* What was appended is on disk when this returns OK; with the file's name, if whole. FULL, IO:
 * nobody knows what of it is. */
sotto_error blob_file_sync(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                           bool whole);

/* Cuts the file down to size, if it is larger. IO. */
sotto_error blob_file_cut(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                          uint64_t size);

/* Removes the file, and its space with it. One that is not there is removed. IO. */
sotto_error blob_file_remove(const struct blob_files *files, const uint8_t hash[static HASH_SIZE]);

/* Calls each for every file whose hash begins with first. IO. */
sotto_error blob_files_each(const struct blob_files *files, uint8_t first,
                            void (*each)(void *ctx, const uint8_t hash[static HASH_SIZE]),
                            void *ctx);

#endif
