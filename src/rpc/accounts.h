/* Several accounts behind one socket: `sotto daemon --accounts DIR`. Each is a profile in a folder
 * of DIR, served by a daemon of its own, which this starts and ends: a process each, so that no
 * account's trouble is another's. A connection here has one to each account that it asks for; lines
 * are passed on as they are, but for the parameter `profile`, which says whose they are. */
#ifndef RPC_ACCOUNTS_H
#define RPC_ACCOUNTS_H

#include "sotto/sotto.h"

struct accounts_options {
    const char *directory; /* made if it is not there */
    const char *socket;    /* where to listen */
    const char *program;   /* sotto's path */
};

/* Serves until accounts_stop. DAEMON_RUNS. */
sotto_error accounts_run(const sotto_env *env, const struct accounts_options *options,
                         struct sotto_problem *problem);

/* For a signal handler. */
void accounts_stop(void);

#endif
