/* Joining a group by a link (PROTOCOL.md, section 6, "Joining by a link"): a request to the inbox
 * of the device that made the link, answered with an Add, by a person or by the group's rule.
 *
 *     ASKED --request posted, someone approves: a Welcome--> the row goes, the group is there
 *           --the link is used up or revoked---------------> REMOVED */
#ifndef CORE_JOINING_H
#define CORE_JOINING_H

#include "core/groups.h"
#include "core/store_joining.h"

/* Inside a transaction: a request that came, opened. Adds who asks, or keeps it, or drops it. */
sotto_error joining_consider(struct sotto *core, sotto_bytes opened, uint64_t now_s);

/* A step of a room in state ASKED. */
void joining_step(struct room *room, const struct store_room *row);
/* Inside a transaction: the relay does not take the request. */
sotto_error joining_refused(struct room *room, const struct store_room *row);
/* Inside a transaction, after joining with a capability of one's own: what was asked is answered.
 */
sotto_error joining_answered(struct sotto *core, sotto_bytes capability);

/* The next link of whose end the relay has to be told; false: none. */
bool joining_revoked_next(struct sotto *core, uint8_t capability[static CAPABILITY_SIZE]);
/* In a transaction of its own: it was told. */
sotto_error joining_revoked(struct sotto *core, const uint8_t capability[static CAPABILITY_SIZE]);

#endif
