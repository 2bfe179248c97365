/* What the relay can still do once it serves: use the files of a few folders, its open sockets, and
 * its threads. No new program, process, thread, socket or executable page, whatever a client makes
 * of it.
 *
 * In two steps, since Landlock holds for the threads that are made after it, and the filter of
 * system calls for all that there are. Where the kernel or the build lacks one, the other still
 * counts, and `why` says so. */
#ifndef RELAY_SANDBOX_H
#define RELAY_SANDBOX_H

#include "relay/config.h"

/* From here on this thread, and those it makes, reach only the data directory (all), the folder of
 * --ready-file (to write it), and the folders of the configuration file and of the configured
 * certificate and key, where they lie and where links lead (to read). Returns Landlock's version,
 * or 0 with *why, static text. */
int sandbox_files(const struct config *config, const char **why);

/* From here on no thread of this process makes other system calls than those that serving needs: a
 * few that only an attacker would want kill the process (SIGSYS), all others fail (ENOSYS). False:
 * *why, static text. */
bool sandbox_calls(const char **why);

/* `sottod sandbox`: enters it and tries what must not work. An exit code. */
int command_sandbox(const struct config *config);

#endif
