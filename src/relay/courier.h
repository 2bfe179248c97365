/* Hands verification codes over: to the configured command, or, where there is none, to the log.
 *
 * The command is run by a small process of its own, forked before the relay gives its rights away:
 * the relay itself can then not run anything any more. */
#ifndef RELAY_COURIER_H
#define RELAY_COURIER_H

#include "relay/limits.h"
#include "relay/log.h"
#include "base/base.h"

struct courier;

/* command: run by /bin/sh for each code, which it reads from standard input: two lines, the phone
 * number and the code. Empty: the log. Both are borrowed. To be called before there are threads,
 * or files that the command must not see. NO_MEMORY, IO. */
sotto_error courier_new(const sotto_env *env, const char *command, const struct log *log,
                        struct courier **courier);
/* Begins to hand over. NO_MEMORY. */
sotto_error courier_start(struct courier *courier);
/* Ends a command under way. NULL allowed. */
void courier_free(struct courier *courier);

/* Any thread. False: too many wait already. */
bool courier_send(struct courier *courier, sotto_bytes phone, const char *code);

#endif
