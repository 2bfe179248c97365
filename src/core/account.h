/* What the parts that see to an account's life share: registering, recovering, moving, deleting. */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include "core/internal.h"
#include "wire/statement.h"

/* Whether it will do; else the problem says what would. */
sotto_error account_name_check(struct sotto *core, const char *name);
sotto_error account_relay_check(struct sotto *core, const char *relay);

/* An account whose key is here; LIMITED_DEVICE. */
sotto_error account_need_key(struct sotto *core);

/* Whether two addresses are the same: host and port are, and of pins what both have. */
bool account_same_relay(const char *one, sotto_bytes other);

/* Registers what the profile holds, or what inbox.place says, with its manifest, at its relay. */
sotto_error account_register_run(struct sotto *core, const struct sotto_registration *registration);

/* sotto_recover with the account's key itself; the recovery's phrase is not looked at, its relay is
 * given. */
sotto_error account_recover_by_key(struct sotto *core, const struct sotto_recovery *recovery,
                                   const struct secret *seed);

/* The newest manifest that the relay has, or the known one if that is newer; known here from then
 * on. Lives in arena. Network. */
sotto_error account_fetch_manifest(struct sotto *core, struct arena *arena, sotto_bytes *newest);

/* ---- account_move.c ---- */

/* Inside a transaction, in which the profile came to be at another relay: everybody is told. */
sotto_error account_moved_in(struct sotto *core);
/* Inside a transaction: another device has moved the account. */
sotto_error account_told_move(struct sotto *core, sotto_bytes relay, uint64_t number);
/* Inside a transaction: another device says that it has followed. */
sotto_error account_followed_read(struct sotto *core, struct reader *reader);
/* Outside of any transaction and answer: follows the account, and what another process did. */
sotto_error account_relay_check_changes(struct sotto *core);
/* Likewise: leaves the old relay if all that comes before was done. Network. */
sotto_error account_move_go_on(struct sotto *core);
/* The relay that is not left yet; empty: none. Lives in arena. */
const char *account_moving_from(struct sotto *core, struct arena *arena);
/* What a move that is not done has at another relay than the profile's goes, for the account ends.
 * force: even if that cannot be done. Network. */
sotto_error account_move_abandon(struct sotto *core, bool force);

/* ---- account_left.c ---- */

/* For so long what waits at the old relay is looked for: as long as an inbox keeps anything. */
enum { ACCOUNT_MOVE_S = 30 * 86400 };

/* Inside a transaction: this device follows the account, which moved with that manifest. */
sotto_error account_left_put(struct sotto *core, const char *from, const char *to, uint64_t number);
/* Fetches what was posted there, and forgets it when the account is not there any more. Network. */
sotto_error account_left_look(struct sotto *core);
/* The account ends: there too. force: even if that cannot be done. Network. */
sotto_error account_left_abandon(struct sotto *core, bool force);

/* ---- account_delete.c ---- */

/* ACCOUNT_DELETED, if it is being deleted. */
sotto_error account_ending(struct sotto *core);
/* Inside a transaction: another device has deleted it. */
sotto_error account_told_end(struct sotto *core);
/* Deletes the account at its relay, or at that place, whose manifests are those before number. One
 * try. fetch: after what waits in its inbox was fetched. OK: it is gone, or was before. Network. */
sotto_error account_end_at(struct sotto *core, const struct inbox_place *place, uint64_t number,
                           bool fetch);
/* Fetches what waits in the inbox at that place. *gone: the account is not there any more. Network.
 */
sotto_error account_look_at(struct sotto *core, const struct inbox_place *place, uint64_t number,
                            bool *gone);
/* Outside of any transaction and answer: wipes the profile if its account ended. ACCOUNT_DELETED if
 * it was wiped, by whichever process. */
sotto_error account_end_check(struct sotto *core);

#endif
