/* The list of conversations, and what keeps it in step over one's own devices. */
#ifndef CORE_LISTING_H
#define CORE_LISTING_H

#include "core/internal.h"

/* Inside a transaction: a message of people came, or one's own took its place: an archived
 * conversation comes back, unless it is muted. *listed: it is in the list now, where further ones
 * of this transaction leave it. */
sotto_error listing_came(struct sotto *core, const struct room_id *room, bool own, bool mention,
                         bool *listed);

/* Whether a text mentions oneself. */
bool listing_mentions(const struct sotto *core, sotto_bytes text, bool markdown);

/* Inside a transaction: the mark as unread goes, here and on other devices. */
sotto_error listing_unmark(struct sotto *core, const struct room_id *room);

/* Erases some of what is to be erased. *more: call again. */
sotto_error listing_erase_some(struct sotto *core, bool *more);
/* Inside a transaction: from now on all up to entry seq is erased, as listing_erase_some is called.
 */
sotto_error listing_erase(struct sotto *core, const struct room_id *room, uint64_t seq);

/* read.c: gives the conversation to each. */
sotto_error conversation_show(struct sotto *core, const struct store_room *row, struct arena *arena,
                              void (*each)(void *ctx, const struct sotto_conversation *one),
                              void *ctx);
/* The conversation with what its row in the list says, in *out, whose strings live in arena. */
sotto_error listing_show(struct sotto *core, const struct store_room *row, struct arena *arena,
                         struct sotto_conversation *out);

/* ---- own_listing.c ---- */

/* Inside a transaction: queues what was set for one's own devices. */
sotto_error own_tell_pinned(struct sotto *core, const struct store_listing *listing);
sotto_error own_tell_muted(struct sotto *core, const struct store_listing *listing);
sotto_error own_tell_marked(struct sotto *core, const struct store_listing *listing);
/* seq: of the room's last entry: a message behind it brings the conversation back. */
sotto_error own_tell_shelf(struct sotto *core, const struct store_listing *listing, uint64_t seq);
/* A draft that is written on replaces what was queued of it and did not leave yet. */
sotto_error own_tell_draft(struct sotto *core, const struct store_listing *listing);
sotto_error own_tell_erased(struct sotto *core, const struct room_id *room, uint64_t seq);

/* Appends the records of a conversation for a device that was linked; none, if all is as it is at
 * first. */
sotto_error own_listing_write(const struct store_listing *listing, uint64_t seq, sotto_buf *out);

/* Inside a transaction: reads a record of those kinds. */
bool own_listing_is(uint8_t record);
sotto_error own_listing_read(struct sotto *core, uint8_t record, struct reader *reader,
                             struct arena *arena);

#endif
