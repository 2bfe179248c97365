/* A log's folder, as a web server can give it out as it is: checkpoint, tiles, bundles
 * (C2SP tlog-tiles). Written so that whatever a checkpoint promises is on the disk before it. */
#ifndef TLOG_FOLDER_H
#define TLOG_FOLDER_H

#include "tlog/tile.h"

/* The entry of that index, borrowed until the next call. */
typedef sotto_error tlog_entry_fn(void *ctx, uint64_t index, sotto_bytes *entry);

/* Writes the tiles and bundles that a log has of size `to` and had not of size `from`, each whole
 * or not at all, and waits until they are on the disk. Repeating it is harmless. folder is there,
 * or its parent is. IO: errno; entry's errors. */
sotto_error tlog_folder_extend(const char *folder, uint64_t from, uint64_t to, tlog_entry_fn *entry,
                               void *ctx, const sotto_env *env);

/* The root of the first size leaves as it follows from the tiles there. IO: one cannot be read. */
sotto_error tlog_folder_root(const char *folder, uint64_t size, const sotto_env *env,
                             struct tlog_hash *root);
/* RFC 6962, 2.1.2, likewise. */
sotto_error tlog_folder_consistency(const char *folder, uint64_t from, uint64_t to,
                                    const sotto_env *env,
                                    struct tlog_hash proof[static TLOG_PROOF_MAX], size_t *count);

/* Puts a file there in place of an older one: path is relative to the folder, and its own folders
 * are made. Durable when it returns. IO: errno. */
sotto_error tlog_folder_put(const char *folder, const char *path, sotto_bytes bytes);
/* Appends what is in the file of that path, of at most max bytes. NOT_FOUND, LIMIT, IO. */
sotto_error tlog_folder_get(const char *folder, const char *path, size_t max, sotto_buf *out);

#endif
