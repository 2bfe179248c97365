/* Backups: a folder with a copy of what a data directory holds, made while the relay serves. */
#ifndef RELAY_BACKUP_H
#define RELAY_BACKUP_H

#include "relay/data.h"

/* `sottod backup DEST` and `sottod restore SRC`. Exit codes. */
int command_backup(const struct config *config);
int command_restore(const struct config *config);

/* Finishes a restore that was cut short after it had begun to replace files; to be called with the
 * directory's lock held, before anything in it is opened. False: problem. */
bool backup_finish_restore(const struct config *config, char problem[static CONFIG_TEXT]);

/* When the last backup of this directory was made, in seconds since 1970; 0: never. */
uint64_t backup_last(const struct config *config);

#endif
