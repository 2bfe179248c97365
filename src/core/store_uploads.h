/* Files that are on their way to a relay. See store.h.
 *
 * A row is there from the moment at which a person sends a file until the relay has all of it: as
 * long as it is, the message in the outbox with the same client id waits. The file itself stays
 * where it is; size, time and inode tell whether it is still the same. */
#ifndef CORE_STORE_UPLOADS_H
#define CORE_STORE_UPLOADS_H

#include "core/store.h"

struct store_upload {
    struct room_id room;
    const char *client_id;
    sotto_bytes blob;        /* 32 bytes, its id */
    sotto_bytes key;         /* 32 bytes; a secret */
    sotto_bytes write_token; /* 32 bytes; a secret */
    sotto_bytes path;        /* absolute; ends with NUL behind its size */
    uint64_t size;           /* of the file */
    int64_t mtime_ns;
    uint64_t inode;
};

/* [tx] EXISTS: (room, client_id) is there. */
sotto_error store_upload_add(struct store *store, const struct store_upload *upload);
/* [tx] The relay has it, or it was given up. NOT_FOUND. */
sotto_error store_upload_erase(struct store *store, const struct room_id *room,
                               const char *client_id);
/* The oldest of a room. NOT_FOUND. */
sotto_error store_upload_next(struct store *store, const struct room_id *room, struct arena *arena,
                              struct store_upload *upload);
/* Whether the message waits for its file. */
sotto_error store_upload_waits(struct store *store, const struct room_id *room,
                               const char *client_id, bool *waits);

#endif
