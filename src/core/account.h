/* What the parts that see to an account's life share: registering, recovering, moving, deleting. */
#ifndef CORE_ACCOUNT_H
#define CORE_ACCOUNT_H

#include "core/internal.h"

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

#endif
