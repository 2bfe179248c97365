/* The data directory: its files, its lock, and the store in it. */
#ifndef RELAY_DATA_H
#define RELAY_DATA_H

#include "relay/config.h"
#include "relay/store_sqlite.h"

enum data_file {
    DATA_STORE,
    DATA_LOCK,
    DATA_CERTIFICATE,
    DATA_KEY,
    DATA_ADDRESS,
    DATA_BLOBS,
    DATA_BACKUP,
    DATA_SANDBOX,
    DATA_LOG,        /* the published log of orders */
    DATA_NOTICES,    /* to accounts, to be delivered */
    DATA_WITHDRAWALS /* withdrawal.h */
};

/* The path of a file in the directory. False: too long. */
bool data_path(const struct config *config, enum data_file file, char path[static PATH_MAX]);

/* Makes the directory (mode 0700) and its parents where they are missing. False: problem. */
bool data_prepare(const struct config *config, char problem[static CONFIG_TEXT]);

/* The lock that one serving relay holds: a descriptor, to be kept open; -1: another has it, or
 * problem. */
int data_lock(const struct config *config, char problem[static CONFIG_TEXT]);

/* Whether a relay is serving this directory now. */
bool data_is_served(const struct config *config);

/* Opens the store. False: problem says why, and what to do. */
bool data_store(const struct config *config, const sotto_env *env,
                void (*health)(void *ctx, sotto_error error), void *ctx, struct store **store,
                char problem[static CONFIG_TEXT]);

/* Tells a person on standard error what a command cannot do, in a sentence without its full stop.
 * Returns the exit code. */
__attribute__((format(printf, 1, 2))) int command_fail(const char *format, ...);

/* Writes a small file whole or not at all. IO, FULL. */
sotto_error data_write(const char *path, sotto_bytes content);

#endif
