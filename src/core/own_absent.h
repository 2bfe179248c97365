/* What happens in a room while a device of one's own is not in it yet: who gives that device the
 * past tells it too what changes in the past meanwhile. */
#ifndef CORE_OWN_ABSENT_H
#define CORE_OWN_ABSENT_H

#include "core/internal.h"

enum { OWN_CHANGE = 58 }; /* a record among one's own devices: an edit, a deletion, a reaction */

/* Inside a transaction: the log has shown a change, as change_apply takes it. Tells those of one's
 * own devices that are not in the group, and were given by this one what it is about. */
sotto_error own_change_tell(struct room *room, const struct account_id *sender, uint64_t seq,
                            sotto_bytes data, struct arena *arena);
/* Inside a transaction: a record taken over. */
sotto_error own_change_read(struct sotto *core, struct reader *reader, struct arena *arena);

/* ---- own_history.c ---- */

/* Whether this device gives that one the past, or goes on when it comes into a room. */
sotto_error own_history_gives(struct sotto *core, const struct device_id *device, bool *gives);
/* Inside a transaction: that device came into a room; what the past had not brought to an end there
 * is given. */
sotto_error own_history_go_on(struct sotto *core, const struct device_id *device);
/* Inside a transaction: this device has put that one into a room. What was said there before, since
 * this one came in, is given, unless the past is being given anyway: the other one was linked
 * before this one came into that room. */
sotto_error own_history_of_room(struct sotto *core, const struct store_room *row,
                                const struct device_id *device);

#endif
