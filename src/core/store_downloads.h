/* Files that are fetched without being asked for, and kept as the relay has them: encrypted, in a
 * folder beside the database. See store.h.
 *
 * A row is there as long as its message is and has a file. Whatever ends that leaves the name of
 * what was kept behind, until it is gone from the disk (store_download_left). */
#ifndef CORE_STORE_DOWNLOADS_H
#define CORE_STORE_DOWNLOADS_H

#include "core/store.h"

enum { DOWNLOAD_NAME_SIZE = 32 }; /* of a file in the folder: random, in hex */

enum store_download_state {
    STORE_DOWNLOAD_NONE = 0, /* there is no row */
    STORE_DOWNLOAD_WANTED = 1,
    STORE_DOWNLOAD_HERE = 2,
    STORE_DOWNLOAD_FAILED = 3, /* the relay has it no more, or something else */
};

struct store_download {
    int64_t local; /* of the message */
    char name[DOWNLOAD_NAME_SIZE + 1];
    enum store_download_state state;
};

/* [tx] It is to be fetched; size: of the file. EXISTS. */
sotto_error store_download_add(struct store *store, int64_t local,
                               const char name[static DOWNLOAD_NAME_SIZE + 1], uint64_t size);
/* The newest that is wanted. NOT_FOUND. */
sotto_error store_download_next(struct store *store, struct store_download *download);
/* Of a message. NOT_FOUND. */
sotto_error store_download_get(struct store *store, int64_t local, struct store_download *download);
/* [tx] What became of it. NOT_FOUND: nobody wants it any more. */
sotto_error store_download_end(struct store *store, int64_t local, enum store_download_state state);
/* [tx] The oldest go, until those that are here have `most` bytes together. */
sotto_error store_download_trim(struct store *store, uint64_t most);

/* One that has to go from the disk. NOT_FOUND. */
sotto_error store_download_left(struct store *store, char name[static DOWNLOAD_NAME_SIZE + 1]);
/* [tx] It went. */
sotto_error store_download_gone(struct store *store, const char *name);

#endif
