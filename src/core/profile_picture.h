/* People's pictures: one's own, which one's contacts get in the conversations with them alone, and
 * theirs. */
#ifndef CORE_PROFILE_PICTURE_H
#define CORE_PROFILE_PICTURE_H

#include "core/people.h"

enum { OWN_PICTURE = 35 }; /* a record among one's own devices: a person's picture */

/* Appends the picture as it may be kept: without what it tells beside. VALUE: it is none, too
 * large, or of another type. */
sotto_error profile_picture_clean(sotto_bytes picture, sotto_buf *out);

/* Inside a transaction: tells a contact one's picture, in the conversation with them; nothing in
 * another one. also_none: that there is none, too. */
sotto_error profile_picture_queue(struct sotto *core, const struct room_id *room, bool also_none);

/* Inside a transaction: what the other one of a conversation with one person sent. */
sotto_error profile_picture_received(struct sotto *core, const struct store_room *row,
                                     const struct account_id *sender, sotto_bytes picture);

/* The hash of a picture in hex; empty: there is none. */
sotto_error profile_picture_hash(struct sotto *core, const struct account_id *account,
                                 char hex[static 65]);

/* Inside a transaction: all pictures' records into a sink; a record taken over. */
sotto_error profile_pictures_write(struct sotto *core, struct arena *arena, struct own_sink *sink);
sotto_error profile_picture_read(struct sotto *core, struct reader *reader);

#endif
