/* Blobs: rows in the store, bytes in files beside it, and threads between, so that no event loop
 * waits for a disk. All that is asked of one blob is done by one thread, in the order in which it
 * was asked.
 *
 * What is durable: a put is acknowledged when the bytes are written, a finish when the file, its
 * name and its row are on disk. In between, the row says how much of the file was synced; the rest
 * is cut off when a relay starts, since after a power cut a file may be long and hold nothing. */
#ifndef RELAY_BLOBS_H
#define RELAY_BLOBS_H

#include "relay/blob_files.h"
#include "relay/store.h"

struct blobs;

struct blobs_options {
    const char *path;             /* the directory; made if it is not there */
    uint64_t space;               /* bytes that all blobs may have */
    const struct blob_disk *disk; /* NULL: the system's; others are for tests */

    /* Called by any of the threads when storing begins to fail (with the error) and when it works
     * again (SOTTO_OK). May be NULL. */
    void (*health)(void *ctx, sotto_error error);
    void *health_ctx;
};

/* What was found and put right at the start. */
struct blobs_repair {
    uint64_t lost;    /* finished blobs whose file is gone or short: their rows were erased */
    uint64_t orphans; /* files without a row: removed */
};

/* Opens the directory, makes files and rows agree, starts the threads. The store must outlive it.
 * IO, FULL, NO_MEMORY. */
sotto_error blobs_open(const sotto_env *env, struct store *store,
                       const struct blobs_options *options, struct blobs_repair *repair,
                       struct blobs **blobs);

/* Executes what was submitted, then closes. NULL allowed. */
void blobs_close(struct blobs *blobs);

/* Takes an operation of kind STORE_BLOB_JOB, whatever happens, as store_submit does. What may be
 * answered, in op->code: NO_BLOB, BLOB_EXISTS, BLOB_INCOMPLETE, LIMIT (detail: the blob's size),
 * UNAVAILABLE, and what permission_allow says. Any thread. */
void blobs_submit(struct blobs *blobs, struct store_op *op);

/* Erases what has had its time: rows at once, files by the threads. port: as store_call has it.
 * today as of STORE_EXPIRE. Returns how many. */
uint64_t blobs_expire(struct blobs *blobs, struct store_port *port, uint64_t today,
                      uint32_t retention_days);

/* Bytes that are taken or promised. */
uint64_t blobs_used(const struct blobs *blobs);

/* blobs_check.c. The part of blobs_open that makes files and rows agree; used: bytes of all rows.
 */
sotto_error blobs_check(const sotto_env *env, struct store_port *port,
                        const struct blob_files *files, struct blobs_repair *repair,
                        uint64_t *used);

#endif
