/* Leaving a group. It is a proposal, which holds for its epoch alone: a commit of somebody who had
 * not seen it ends it, and from then on nobody could tell that the person had asked. So a device
 * that left reads on, commits and nothing else, until one of them takes it out, and asks again in
 * each epoch that it is still in. To the person it left with the first: nothing more is shown.
 *
 *     outbox: WANTED --append--> READY --accepted: the room is LEFT--> SAID --removed--> nothing
 *                ^----------------another epoch, still in-----------------'
 *
 * The row is under OUT_LEAVE; the room keeps its MLS records as long as there is one. */
#ifndef CORE_LEAVING_H
#define CORE_LEAVING_H

#include "core/internal.h"

#define OUT_LEAVE "leave.self"

/* Inside a transaction: the relay accepted what that row of the outbox asks. The rest of the outbox
 * fails; the caller writes the room's row, and the line where it is the first time. */
sotto_error leaving_said(struct room *room, struct store_room *row, int64_t out,
                         struct arena *arena);

/* Whether a room that was left is followed still. */
sotto_error leaving_goes_on(struct sotto *core, const struct room_id *room, bool *goes_on);

/* Inside a transaction, of such a room, after room_enter: the next entry. The caller writes the
 * row. */
sotto_error leaving_entry(struct room *room, struct store_room *row, struct arena *arena,
                          const struct entry *entry);

/* Inside a transaction: this device is out, or cannot follow any more. The caller writes the row.
 */
sotto_error leaving_end(struct room *room);

/* The same, where another group is in its place already. */
sotto_error leaving_forget(struct sotto *core, const struct room_id *room);

/* Ends what has gone on for too long; then, or otherwise, false: it is over. */
bool leaving_look(struct room *room);

#endif
