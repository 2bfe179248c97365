/* What a core has of the outside, beside sotto_env: a clock that never goes back, waiting, what
 * carries a link's messages, the disk under the store's encryption, and the cryptography's
 * primitives. Programs have the system's; a simulation gives others, and nothing else of the core
 * differs. */
#ifndef CORE_OUTSIDE_H
#define CORE_OUTSIDE_H

#include <poll.h>

#include "sotto/mls_provider.h"
#include "wire/line.h"

struct outside {
    void *ctx;
    /* Milliseconds of a clock that never goes back. */
    uint64_t (*now_ms)(void *ctx);
    /* poll(2): until one of the descriptors is ready or so many milliseconds passed. */
    int (*wait)(void *ctx, struct pollfd *fds, nfds_t count, int timeout_ms);
    const struct line_type *line;       /* of every link; NULL: the network */
    const char *vfs;                    /* SQLite's, below the encryption; NULL: the system's */
    const sotto_mls_provider *provider; /* NULL: the one that is shipped */
};

/* Static. */
const struct outside *outside_system(void);

struct sotto;
struct sotto_problem;
struct sotto_unlock;
/* sotto_open with another outside, which must outlive the core. */
sotto_error core_open(const sotto_env *env, const struct outside *outside, const char *profile,
                      const struct sotto_unlock *unlock, struct sotto **core,
                      struct sotto_problem *problem);

#endif
