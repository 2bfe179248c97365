/* The daemon's Unix socket: listening with a lock, taking connections of its person alone, and
 * connecting. */
#ifndef RPC_SOCKET_H
#define RPC_SOCKET_H

#include "sotto/sotto.h"

/* Listens at path. *lock and *listener go to socket_close; both are -1 on failure, or as far as it
 * came. DAEMON_RUNS: another process does. */
bool socket_listen(const char *path, int backlog, int *lock, int *listener,
                   struct sotto_problem *problem);
void socket_close(const char *path, int lock, int listener);
/* The next connection, if it is of the same person. -1: there is none. */
int socket_accept(int listener);
/* -1: nobody listens there. */
int socket_connect(const char *path);

#endif
