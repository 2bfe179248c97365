/* From an address to a connected socket without blocking: lookup, TCP to one address after the
 * other, and SOCKS5 where there is a proxy. Internal to src/wire. */
#ifndef WIRE_DIAL_H
#define WIRE_DIAL_H

#include "wire/address.h"

struct dial;

struct dial_wants {
    int fd;          /* -1: none */
    unsigned events; /* POLLIN, POLLOUT */
    uint64_t deadline_ms;
};

/* proxy NULL: directly. Texts are copied. ARGUMENT, NO_MEMORY, IO. */
sotto_error dial_start(const sotto_env *env, const struct address *target,
                       const struct address *proxy, const char *user, const char *password,
                       struct dial **dial);

/* Does what can be done. OK and *fd >= 0: connected, the socket is the caller's. OK and *fd -1: not
 * yet. Else failed, *what says why (static). */
sotto_error dial_step(struct dial *dial, uint64_t now_ms, int *fd, const char **what);

void dial_wants(const struct dial *dial, struct dial_wants *wants);

void dial_free(struct dial *dial); /* NULL allowed */

#endif
