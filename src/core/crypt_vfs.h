/* Between SQLite and its files: what goes down is encrypted, what comes up is decrypted and known
 * to be what was written there (page_cipher.h).
 *
 * The database and its write-ahead log are all that SQLite may open through it. Rollback journals,
 * temporary databases and spilled sorts are refused, so that there is no file that could hold plain
 * text: use it with journal_mode = WAL and temp_store = MEMORY alone, secure_delete on (every
 * page is written before it is read), locking as usual: several processes may have the database
 * open. Of each file these bytes are plain: the log's header; of each frame the page number and the
 * size of the database after it; in -shm page numbers, salts and a checksum that tells nothing.
 * Memory mapping of the database is not offered.
 *
 * A page that was damaged, cut, moved or put there from elsewhere is SQLITE_IOERR_DATA; so is the
 * log where it is damaged and goes on behind. In its last transaction nobody can tell damage from
 * what a power cut leaves: the log ends before it. (synchronous = FULL, which every transaction
 * but the last has stood.) */
#ifndef CORE_CRYPT_VFS_H
#define CORE_CRYPT_VFS_H

#include "core/page_cipher.h"

struct crypt_vfs;

/* A VFS for connections of one thread at a time, above the one called below (NULL: the system's).
 * vault is not needed afterwards; env is. NOT_FOUND: there is no such VFS. */
sotto_error crypt_vfs_new(const sotto_env *env, const struct vault *vault, const char *below,
                          struct crypt_vfs **vfs);

/* For sqlite3_open_v2, until it is freed. */
const char *crypt_vfs_name(const struct crypt_vfs *vfs);

/* When no connection is left. Wipes the keys. NULL allowed. */
void crypt_vfs_free(struct crypt_vfs *vfs);

#endif
