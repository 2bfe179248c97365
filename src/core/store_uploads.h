/* Files that are on their way to a relay. See store.h.
 *
 * A row is there from the moment at which a person sends a file until the relay has all of it: as
 * long as it is, the message in the outbox with the same client id waits. The file itself stays
 * where it is; size, time and inode tell whether it is still the same. */
#ifndef CORE_STORE_UPLOADS_H
#define CORE_STORE_UPLOADS_H

#include "core/store.h"

enum store_upload_form {
    STORE_UPLOAD_FILE = 0,    /* as it lies there */
    STORE_UPLOAD_PICTURE = 1, /* picture_strip's output of it, made anew whenever it is needed */
    STORE_UPLOAD_COPY = 2,    /* another blob, as it is there (file_copy.h) */
};

struct store_upload {
    struct room_id room;
    const char *client_id;
    sotto_bytes blob;        /* 32 bytes, its id */
    sotto_bytes key;         /* 32 bytes; a secret */
    sotto_bytes write_token; /* 32 bytes; a secret */
    sotto_bytes path;        /* absolute; COPY: the relay it is at; ends with NUL behind its size */
    uint64_t size;           /* of the file */
    int64_t mtime_ns;
    uint64_t inode;
    enum store_upload_form form;
    uint64_t sent;      /* PICTURE: bytes of what is sent; else 0 */
    sotto_bytes digest; /* PICTURE: its SHA-256; COPY: the blob's id there; else empty */
    bool failed;        /* only kept so that it can be tried anew */
};

/* [tx] EXISTS: (room, client_id) is there. */
sotto_error store_upload_add(struct store *store, const struct store_upload *upload);
/* [tx] The relay has it, or nobody wants it. NOT_FOUND. */
sotto_error store_upload_erase(struct store *store, const struct room_id *room,
                               const char *client_id);
/* [tx] It was given up: the message waits for it no longer. NOT_FOUND. */
sotto_error store_upload_fail(struct store *store, const struct room_id *room,
                              const char *client_id);
/* NOT_FOUND. */
sotto_error store_upload_get(struct store *store, const struct room_id *room, const char *client_id,
                             struct arena *arena, struct store_upload *upload);
/* The oldest of a room that did not fail. NOT_FOUND. */
sotto_error store_upload_next(struct store *store, const struct room_id *room, struct arena *arena,
                              struct store_upload *upload);
/* Whether the message waits for its file. */
sotto_error store_upload_waits(struct store *store, const struct room_id *room,
                               const char *client_id, bool *waits);

#endif
