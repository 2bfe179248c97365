/* Looks for damage: `sottod check`, and every backup before it counts as one. */
#ifndef RELAY_CHECK_H
#define RELAY_CHECK_H

#include "relay/data.h"

/* Reads all of a relay.db of this program's version, in one snapshot, also while a relay serves it:
 * SQLite's own integrity check, and what must hold between the rows. Each finding is a sentence
 * with a number, printed as a line "relay.db: ..." to standard error. False: something was found,
 * or problem says why it could not be looked at. */
bool check_store(const char *path, char problem[static CONFIG_TEXT]);

/* `sottod check [DIR]`: a data directory or a backup. An exit code. */
int command_check(const struct config *config);

#endif
