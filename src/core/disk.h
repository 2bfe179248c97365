/* The profile's few files beside the database: read whole, replaced whole and durably, erased, and
 * the lock under which one process at a time makes, converts or repairs them.
 *
 * Errors: IO, FULL, NO_MEMORY; errno says more. Others are named at the function. */
#ifndef CORE_DISK_H
#define CORE_DISK_H

#include "base/base.h"

#define DISK_PATH_MAX 4096

/* directory/name into out; LIMIT if it does not fit. */
sotto_error disk_path(char out[static DISK_PATH_MAX], const char *directory, const char *name);

/* Appends the file, which no symbolic link may stand for. NOT_FOUND; LIMIT: larger than max. */
sotto_error disk_read(const char *directory, const char *name, size_t max, sotto_buf *out);

/* The file has these bytes and mode 0600 afterwards: the old ones or the new ones, whenever the
 * process or the machine stops, and the new ones once it returns. The old ones are overwritten
 * then, as far as the file system does that in place. Under the lock. */
sotto_error disk_replace(const char *directory, const char *name, sotto_bytes bytes);

/* Removes the file, after overwriting it if it has no other name; one that is not there is no
 * error. */
sotto_error disk_erase(const char *directory, const char *name);

/* Renames within the directory, over what is there, durably. */
sotto_error disk_rename(const char *directory, const char *from, const char *to);

/* A second name for a file, durably. NOT_FOUND; UNSUPPORTED: the file system knows no such thing.
 */
sotto_error disk_link(const char *directory, const char *file, const char *name);

/* Whether both names stand for one file. */
bool disk_same(const char *directory, const char *one, const char *other);

/* What was written to the file is on the disk. */
sotto_error disk_sync(const char *directory, const char *name);

bool disk_exists(const char *directory, const char *name);

/* Waits at most wait_ms for the lock of the directory; BUSY. *lock goes to disk_unlock; the end of
 * the process gives it back too. */
sotto_error disk_lock(const char *directory, unsigned wait_ms, int *lock);
void disk_unlock(int lock);

#endif
