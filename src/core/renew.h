/* Fresh keys for one's own leaf of each room, without being asked: what a thief of the old ones had
 * is worthless afterwards. Every commit of one's own brings them (its path replaces the leaf's and
 * its parents' keys), so the time counts from the last one.
 *
 * Due within a week (at a random time of its last two days, so that who joined together does not
 * commit together), or when the room's log has grown by 200 entries, receipts and commits counted.
 * Each member does that, so n members write n commits for so many entries: where there are more
 * than 20 devices, the number is ten for each device, and commits stay below a tenth of the log. */
#ifndef CORE_RENEW_H
#define CORE_RENEW_H

#include "core/internal.h"

enum {
    RENEW_DAYS = 7,
    RENEW_SPREAD_DAYS = 2,
    RENEW_ENTRIES = 200,
    RENEW_ENTRIES_A_DEVICE = 10,
};

/* Inside a transaction: one's own leaf has new keys since entry seq. */
sotto_error renew_done(struct sotto *core, const struct room_id *room, uint32_t members,
                       uint64_t seq);

/* Queues a commit if it is time, at the head of the log, when nothing else is to be done. True: it
 * did. */
bool renew_if_due(struct room *room, const struct store_room *row);

#endif
