/* The blobs at relays that this profile put there, and which of its messages speak of them. See
 * store.h.
 *
 * Whoever has the write token may delete a blob: this device and the account's others, which are
 * told (own_blobs.h). A row is there from
 * the moment at which a file is queued until the relay has deleted the blob; when the last of one's
 * own messages that speaks of it is gone, the row says from when on that is owed. */
#ifndef CORE_STORE_BLOBS_H
#define CORE_STORE_BLOBS_H

#include "core/store.h"

struct store_blob {
    sotto_bytes blob;        /* 32 bytes, its id */
    const char *relay;       /* where it is */
    sotto_bytes write_token; /* 32 bytes; a secret */
};

/* [tx] EXISTS. */
sotto_error store_blob_add(struct store *store, const struct store_blob *blob);
/* Whether it is here. NOT_FOUND. */
sotto_error store_blob_get(struct store *store, sotto_bytes blob, struct arena *arena,
                           struct store_blob *out);

/* [tx] The own message of that client id speaks of the blob, in place of another one; nothing if
 * the blob is none of this device's. One that is owed a deletion is kept again. */
sotto_error store_blob_refer(struct store *store, const struct room_id *room, const char *client_id,
                             sotto_bytes blob);
/* [tx] The same of the own message of that row. */
sotto_error store_blob_refer_local(struct store *store, int64_t local, sotto_bytes blob);
/* That which a message, by its row, speaks of. NOT_FOUND. */
sotto_error store_blob_of(struct store *store, int64_t local, struct arena *arena,
                          struct store_blob *out);
/* [tx] The message, by its row, speaks of no blob any more. If it was the last one to do so, the
 * deletion is owed from that second on. */
sotto_error store_blob_release(struct store *store, int64_t local, uint64_t from_s);
/* [tx] The same for all messages whose time is over: their blobs are owed a deletion grace_s
 * later, or as long later as their readers may still have them, if that is more. */
sotto_error store_blobs_expire(struct store *store, uint64_t now_s, uint32_t grace_s);

/* [tx] The deletion of all is owed from that second on. */
sotto_error store_blobs_end(struct store *store, uint64_t from_s);

/* One whose deletion is owed by now. NOT_FOUND. */
sotto_error store_blob_due(struct store *store, uint64_t now_s, struct arena *arena,
                           struct store_blob *blob);
/* [tx] Not before that second. */
sotto_error store_blob_later(struct store *store, sotto_bytes blob, uint64_t from_s);
/* [tx] The relay does not have it any more. Nothing if the row is gone. */
sotto_error store_blob_erase(struct store *store, sotto_bytes blob);

#endif
