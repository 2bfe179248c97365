/* What deletes a file at its relay, in step over one's own devices: whichever takes a message back,
 * or sees its time end, can have the file deleted. */
#ifndef CORE_OWN_BLOBS_H
#define CORE_OWN_BLOBS_H

#include "core/internal.h"

enum {
    OWN_BLOB = 48
}; /* a record among one's own devices: a blob and a message that speaks of it */

/* Inside a transaction: tells the other devices of the blob of one's own message, which is in the
 * room's log now; nothing if that speaks of none that this device put somewhere. */
sotto_error own_blob_tell(struct sotto *core, const struct room_id *room, const char *client_id,
                          struct arena *arena);
/* Those of messages of one's own; the last ones are left in the sink. */
sotto_error own_blobs_write(struct sotto *core, const struct store_message *messages, size_t count,
                            struct arena *arena, struct own_sink *sink);
/* Inside a transaction: a record taken over. */
sotto_error own_blob_read(struct sotto *core, struct reader *reader, struct arena *arena);

#endif
