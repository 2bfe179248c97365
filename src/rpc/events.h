/* What a client that subscribed is told. */
#ifndef RPC_EVENTS_H
#define RPC_EVENTS_H

#include "sotto/sotto.h"
#include "rpc/client.h"

/* Queues the events that the client was not given yet, until it is full. A client that is so slow
 * that they are not kept any more is told so, and goes on from the newest; so is one that asked for
 * those behind a number that was not given yet. */
void events_push(const sotto_env *env, struct sotto *core, struct client *client);

/* The notification `transfer`. */
json_t *events_transfer(const sotto_env *env, const struct sotto_transfer *transfer);
/* The notification `typing`. */
json_t *events_typing(const sotto_env *env, const struct sotto_typing *typing);

/* The notification `connection`; problem NULL: a relay is back. */
json_t *events_connection(const sotto_env *env, const struct sotto_problem *problem);

#endif
