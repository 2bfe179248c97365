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

/* Registers what the profile holds, with its manifest, at its relay. */
sotto_error account_register_run(struct sotto *core, const struct sotto_registration *registration);

/* sotto_recover with the account's key itself; the recovery's phrase is not looked at, its relay is
 * given. */
sotto_error account_recover_by_key(struct sotto *core, const struct sotto_recovery *recovery,
                                   const struct secret *seed);

/* ---- account_delete.c ---- */

/* ACCOUNT_DELETED, if it is being deleted. */
sotto_error account_ending(struct sotto *core);
/* Inside a transaction: another device has deleted it. */
sotto_error account_told_end(struct sotto *core);
/* Outside of any transaction and answer: wipes the profile if its account ended. ACCOUNT_DELETED if
 * it was wiped, by whichever process. */
sotto_error account_end_check(struct sotto *core);

#endif
