/* Coming back into a room whose log went on without this device (PROTOCOL.md, section 6, "Coming
 * back"): what it did not see has expired at the relay, or it was restored from a backup, or it is
 * a new device of an account that is in the room. It asks members' devices; whichever is online
 * lets it in again by a commit, and nobody needs to be asked anything: the account is in the room.
 *
 *     ACTIVE --entries expired--> REJOINING --Welcome--> ACTIVE, with a line that says what is
 *                                                        missing
 *
 * What waits in the outbox waits on, and leaves after it. A room that the relay does not know any
 * more may be one whose read gate was closed too long ago, or one that the relay lost: then members
 * are asked too, but the group is kept, in case the relay finds it again (rejoin_suspect). */
#ifndef CORE_REJOIN_H
#define CORE_REJOIN_H

#include "core/internal.h"

enum { REJOIN_WELCOME_S = 60 }; /* how long a Welcome is waited for before anybody is asked */

/* ---- Asking: rejoin_ask.c ------------------------------------------------------------------- */

/* Inside a transaction: the room is lost to this device; its MLS records, if there are any, are
 * erased, and from then on (delay_s later) members are asked. Whom: the group's members, and those
 * whom store_rejoin_peer_add has named before, which is for rooms that never had a group here (a
 * backup, a new device). Where there is nobody to ask, the room ends as REMOVED. The row is
 * written. */
sotto_error rejoin_begin(struct room *room, struct store_room *row, uint64_t delay_s);

/* A room that a backup, or a device that linked this one, told of, and that this one was never in.
 */
static inline bool rejoin_waits(const struct store_room *row)
{
    return row->state == STORE_ROOM_REMOVED && row->next_seq == 1;
}

/* Inside a transaction, once this is a device of the account: members of the rooms that a backup
 * told of are asked, after a while if the account has other devices, which let this one in and give
 * it their history too. */
sotto_error rejoin_restored(struct sotto *core, struct arena *arena);

/* Inside a transaction: the relay says that there is no such room. Members are asked, and the group
 * is kept. */
sotto_error rejoin_suspect(struct room *room);

/* Asks the next members, if it is time. True: a request is under way. */
bool rejoin_next(struct room *room, const struct store_room *row);

/* Whether a Welcome with that KeyPackage, of that account, is what was asked for: it was made for
 * that, or, while members are asked, one of them adds the account in another way, because its old
 * devices are gone (room_judge.c). */
sotto_error rejoin_expects(struct sotto *core, const struct room_id *room,
                           sotto_bytes key_package_ref, const struct account_id *sender,
                           bool *expects);

/* Inside a transaction, after joining: before is what the room was; own: another own device let
 * this one in. The line, and nothing is asked for any more. */
sotto_error rejoin_done(struct sotto *core, const struct store_room *before, bool own,
                        uint64_t next_seq);

/* Inside a transaction: nothing is asked for any more in that room, and what was asked is not
 * wanted when it comes late. */
sotto_error rejoin_end(struct room *room);

/* What such a line holds: when the last entry before was applied. 0: it is not known. */
uint64_t rejoin_missing_since(sotto_bytes content);

/* ---- Being asked: rejoin_answer.c ----------------------------------------------------------- */

/* Inside a transaction: a request that came, opened. Queues its answer, or drops it. */
sotto_error rejoin_consider(struct sotto *core, sotto_bytes opened, uint64_t now_s);

/* Inside a transaction, at the head of the log: whether the intent can and shall be done now. leaf:
 * the index of the leaf to be removed, UINT32_MAX for none. */
sotto_error rejoin_wanted(struct room *room, const struct commit_intent *intent,
                          struct arena *arena, struct store_take *take, uint32_t *leaf,
                          bool *wanted);

/* Inside a transaction: a commit adds a device of an account that is in the group. */
sotto_error rejoin_came(struct sotto *core, const struct room_id *room,
                        const struct account_id *account, const struct device_id *device,
                        const sotto_mls_leaf *leaf);

#endif
