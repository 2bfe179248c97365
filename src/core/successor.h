/* A group that a member has stopped goes on in another room, which an owner's client makes without
 * that member (PROTOCOL.md, section 6, "Commits that are refused"). Everybody's client moves there
 * by itself: the new room names the old one in its settings, and who made it was an owner there. */
#ifndef CORE_SUCCESSOR_H
#define CORE_SUCCESSOR_H

#include "core/room_settings.h"

enum { SUCCESSOR_TURN_S = 600 }; /* how long one owner's device leaves the next one in front */

/* Inside a transaction, with room->group as it was when the room was stopped by offender: this
 * device makes the new room at once if it is the first of the owners' devices by leaf index, later
 * if another one does not, never if it is none of them. */
sotto_error successor_after(struct room *room, const struct store_room *row, struct arena *arena,
                            const struct account_id *offender);

/* Everything in the room was read: if it goes on in another one, it ends here. False: it does not.
 */
bool successor_close(struct room *room);

/* Makes those whose time has come. */
sotto_error successor_sweep(struct sotto *core);

/* Whether a room with these settings, made by sender, is where a group of ours goes on. */
sotto_error successor_expected(struct sotto *core, const struct settings *settings,
                               const struct account_id *sender, bool *expected);

/* Inside a transaction: this device is in a room with these settings, which sender let it into. */
sotto_error successor_joined(struct sotto *core, const struct room_id *room,
                             const struct settings *settings, const struct account_id *sender);

/* Inside a transaction: the room cannot be written to any more, as the last commit left it: its
 * member gave the relay another gate than all others derive. */
sotto_error successor_shut_out(struct room *room, struct store_room *row, struct arena *arena);

#endif
