/* What all threads of the relay share. Read-only once serving, but for what says otherwise. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdatomic.h>

#include "relay/blobs.h"
#include "relay/config.h"
#include "relay/courier.h"
#include "relay/log.h"
#include "relay/ratelimit.h"
#include "relay/store.h"
#include "relay/tokens.h"
#include "wire/tls.h"

struct relay {
    const sotto_env *env;
    const struct config *config;
    struct log log;
    struct store *store;
    struct blobs *blobs;
    struct tls *tls;
    struct ratelimit *ratelimit;
    struct courier *courier;
    struct tokens *tokens;
    int listeners[LISTENERS_MAX];
    size_t listener_count;
    atomic_size_t connections; /* open now */
    atomic_size_t turned_away; /* connections refused since it was last logged */
    atomic_bool stopping;
};

/* Milliseconds of a clock that never goes back. */
uint64_t relay_now_ms(void);

#endif
