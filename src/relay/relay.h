/* What all threads of the relay share. Read-only once serving, but for what says otherwise. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <pthread.h>
#include <stdatomic.h>

#include "relay/blobs.h"
#include "relay/config.h"
#include "relay/courier.h"
#include "relay/figures.h"
#include "relay/log.h"
#include "relay/ratelimit.h"
#include "relay/store.h"
#include "relay/tokens.h"
#include "wire/tls.h"

struct relay {
    const sotto_env *env;
    /* Replaced as a whole by a reload; those before stay until the end, so that whoever reads
     * one is never in the way. */
    const struct config *_Atomic config;
    struct config *reloaded; /* the list of those that reloads made */
    struct log log;
    struct store *store;
    struct blobs *blobs;
    pthread_mutex_t tls_lock; /* of the pointer: a reload replaces it */
    struct tls *tls;
    struct ratelimit *ratelimit;
    struct courier *courier;
    struct tokens *tokens;
    int listeners[LISTENERS_MAX];
    size_t listener_count;
    atomic_size_t connections; /* open now */
    atomic_size_t turned_away; /* connections refused since it was last logged */
    atomic_size_t proxy_refused[PROXY_REFUSAL_COUNT]; /* likewise */
    atomic_bool stopping;
    uint64_t started_s;                        /* wall clock */
    atomic_int store_health, blob_health;      /* sotto_error: what storing fails with now */
    struct loop_figures *figures[THREADS_MAX]; /* of the loops, while they are there */
    size_t figures_count;
};

/* The TLS context of new connections, held for the caller, who frees it. Any thread. */
struct tls *relay_tls(struct relay *relay);

/* Milliseconds of a clock that never goes back. */
uint64_t relay_now_ms(void);

#endif
