/* What an engine under store.h builds on: ports, completions, notices. Internal to the engines. */
#ifndef RELAY_STORE_ENGINE_H
#define RELAY_STORE_ENGINE_H

#include <pthread.h>

#include "relay/store.h"

enum { STORE_PORTS = THREADS_MAX + BLOB_THREADS + 4 };

/* The head of every engine's own struct. */
struct store {
    const sotto_env *env;
    void (*submit)(struct store *store, struct store_op *op);
    void (*close)(struct store *store);
    pthread_mutex_t ports_lock;
    struct store_port *ports[STORE_PORTS];
    size_t port_count;
    struct store_figures figures;
    atomic_uint_fast64_t corrupt; /* operations that met a damaged row */
};

void store_base_init(struct store *store, const sotto_env *env);
void store_base_free(struct store *store);

/* Gives an operation back to whoever submitted it; the engine forgets it. */
void store_complete(struct store_op *op);

/* Notices of one commit, shared by all ports. */
struct notice_batch;
struct notice_link {
    struct notice_link *next;
    struct notice_batch *batch;
};
struct notice_batch {
    const sotto_env *env;
    atomic_uint refs;
    size_t capacity, count;
    struct notice_link links[STORE_PORTS];
    struct notice *notices;
};

/* Room for so many notices, to begin with. NULL when out of memory. */
struct notice_batch *notice_batch_new(const sotto_env *env, size_t capacity);
void notice_batch_drop(struct notice_batch *batch); /* NULL allowed */

/* Zeroed, to be filled in; the batch owns its blob. Before the commit, so that nothing can fail
 * behind it: NULL when there is no memory for more than there was room for. Valid until the next
 * call. */
struct notice *notice_batch_add(struct notice_batch *batch);

/* Gives back the operations of a commit (linked by next), and its notices to every port that hears
 * them: each port wakes once for both, so that what goes to one connection goes together. Drops
 * notices, which may be NULL. */
void store_finish(struct store *store, struct store_op *ops, struct notice_batch *notices);

#endif
