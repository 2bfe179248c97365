/* JSON-RPC 2.0 over a Unix socket or over standard input and output: `sotto daemon`. The protocol
 * is described in docs/RPC.md. */
#ifndef RPC_SERVER_H
#define RPC_SERVER_H

#include "sotto/sotto.h"

struct server_options {
    const char *socket; /* where to listen; NULL: standard input and output instead */
};

/* Serves until sotto_stop, or, over standard input and output, until its end. One at a time for a
 * socket: DAEMON_RUNS. Threads: it makes some; they use cores of their own. */
sotto_error server_run(const sotto_env *env, struct sotto *core,
                       const struct server_options *options, struct sotto_problem *problem);

/* Sends one request as a line to the daemon at that socket and gets its answer, put into answer
 * (which is empty) without its line break; notifications before it are passed over. NOT_FOUND: no
 * daemon is there. */
sotto_error server_ask(const char *socket, sotto_bytes request, sotto_buf *answer,
                       struct sotto_problem *problem);

/* One request (a whole line) without a server: its response, as a line without a break, appended to
 * out; nothing for a notification. The methods of events and of the daemon are refused. */
sotto_error server_answer_once(const sotto_env *env, struct sotto *core, sotto_bytes line,
                               sotto_buf *out);

#endif
