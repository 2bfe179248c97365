/* Methods that may wait for the network: each in a thread, over a core of its own on the same
 * profile, which is what several processes do too (sotto/sotto.h). */
#ifndef RPC_WORK_H
#define RPC_WORK_H

#include "rpc/call.h"

enum { WORKS_MAX = 8 }; /* at once, of all clients */

struct works;

/* first: the profile's core, which has to outlive it and may be in use. */
sotto_error works_new(const sotto_env *env, const struct sotto *first, struct works **works);
/* Stops what is under way and waits for it. NULL allowed. */
void works_free(struct works *works);

/* Becomes readable when something is done. */
int works_fd(const struct works *works);

/* Begins one; what it answers comes with works_collect, under key. params are copied. False: there
 * are too many, or no memory. */
bool works_start(struct works *works, const struct rpc_method *method, const json_t *params,
                 uint64_t key);
/* Gives each that is done to the caller, who owns response (NULL: no memory). */
void works_collect(struct works *works, void (*each)(void *ctx, uint64_t key, json_t *response),
                   void *ctx);

#endif
