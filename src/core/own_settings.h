/* The account's settings, the same on all its devices: each a number of the store that is 0 or 1,
 * told in the room among one's own devices. */
#ifndef CORE_OWN_SETTINGS_H
#define CORE_OWN_SETTINGS_H

#include "core/internal.h"

enum { OWN_SETTING = 25 }; /* a record among one's own devices: one of them */

#define SETTING_RECEIPTS_OFF "receipts-off"
#define SETTING_TYPING_OFF "typing-off"

/* Their names; NULL ends. */
extern const char *const own_settings[];

/* Whether the setting of that name is on. */
sotto_error own_setting_get(struct sotto *core, const char *name, bool *on);
/* In a transaction of its own: here, for faces, and on the other devices. Sets the problem. */
sotto_error own_setting_set(struct sotto *core, const char *name, bool on);

/* Appends records of those that are on, for a new device. */
sotto_error own_settings_write(struct sotto *core, sotto_buf *out);
/* Inside a transaction: a record taken over. */
sotto_error own_setting_read(struct sotto *core, struct reader *reader);

#endif
