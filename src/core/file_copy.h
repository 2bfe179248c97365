/* A file that somebody else put at a relay, put there once more as one's own (forward.c): what is
 * sealed is fetched, verified and sent as it is, under another id and write token. */
#ifndef CORE_FILE_COPY_H
#define CORE_FILE_COPY_H

#include "core/internal.h"

/* Makes an id and a token; content's file is at that id from then on. relay: where it is now.
 * Everything lives in arena, or as long as content's views. NO_RANDOM, NO_MEMORY. */
sotto_error file_copy_make(struct sotto *core, const struct room_id *room, const char *client_id,
                           const char *relay, struct content_message *content, struct arena *arena,
                           struct store_upload *upload);
/* Inside a transaction, behind the message: the upload, and that the blob is ours. */
sotto_error file_copy_store(struct sotto *core, const struct store_room *row,
                            const struct store_upload *upload);

#endif
