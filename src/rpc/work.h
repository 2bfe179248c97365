/* Methods that may wait for the network: each in a thread, over a core of its own on the same
 * profile, which is what several processes do too (sotto/sotto.h). */
#ifndef RPC_WORK_H
#define RPC_WORK_H

#include "rpc/call.h"

enum { WORKS_MAX = 16 }; /* at once, of all clients */

struct works;

/* first: the profile's core, which has to outlive it and may be in use. */
sotto_error works_new(const sotto_env *env, const struct sotto *first, struct works **works);
/* Stops what is under way and waits for it. NULL allowed. */
void works_free(struct works *works);

/* Becomes readable when something is done. */
int works_fd(const struct works *works);

/* Begins one of a client's; what it answers comes with works_collect, under key. params are copied.
 * False: there are too many, or no memory. */
bool works_start(struct works *works, const struct rpc_method *method, const json_t *params,
                 uint64_t key, uint64_t client);
/* Tells all of a client's to stop, which they do soon and answer. Returns how many there are. */
size_t works_stop(struct works *works, uint64_t client);
/* What became of them. */
struct works_handler {
    void *ctx;
    /* One is done; response (NULL: no memory) is the handler's. */
    void (*done)(void *ctx, uint64_t key, json_t *response);
    /* How far a file is that one moves: the newest alone. */
    void (*transfer)(void *ctx, const struct sotto_transfer *transfer);
    /* How far one is, when that has changed by a thousandth or more. */
    void (*progress)(void *ctx, uint64_t key, uint64_t done, uint64_t of);
};
void works_collect(struct works *works, const struct works_handler *handler);

/* Stops what is under way, waits for it, and gives each to the handler. None is begun afterwards.
 */
void works_finish(struct works *works, const struct works_handler *handler);

/* sotto_cancel for all of which fits says so. True: there was one. */
bool works_cancel(struct works *works,
                  bool (*fits)(void *ctx, const struct rpc_method *method, const json_t *params),
                  void *ctx);

#endif
