/* How much one address may do. An address is an IPv4 address or an IPv6 /64. Counters live in
 * memory only, in a table of fixed size; nothing is ever written or logged. Any thread. */
#ifndef RELAY_RATELIMIT_H
#define RELAY_RATELIMIT_H

#include "base/base.h"
#include "relay/ip.h"
#include "relay/limits.h"

enum rate {
    RATE_CONNECTION,
    RATE_REQUEST,
    RATE_REGISTRATION,
    RATE_SIGN_IN,
    RATE_CODE,
    RATE_BLOB,
    RATE_KINDS
};

struct rate_address {
    uint8_t family; /* 4 or 6; 0: none, never limited */
    uint8_t bytes[8];
};

struct rate_address rate_address_of(const struct ip *ip);

struct ratelimit;

/* per_hour: 0 is no limit. now_us: a clock in microseconds that never goes back. NO_MEMORY. */
sotto_error ratelimit_new(const sotto_env *env, const uint32_t per_hour[static RATE_KINDS],
                          uint64_t (*now_us)(void *ctx), void *ctx, struct ratelimit **limit);
/* Other limits from now on; what was counted stays. Any thread. */
void ratelimit_set(struct ratelimit *limit, const uint32_t per_hour[static RATE_KINDS]);
void ratelimit_free(struct ratelimit *limit); /* NULL allowed */

/* Counts one. 0: allowed; else the seconds after which one is, and nothing was counted. */
uint32_t ratelimit_take(struct ratelimit *limit, const struct rate_address *address,
                        enum rate rate);

/* Counts so many at once, all or none; more than an hour allows are as many as that. */
uint32_t ratelimit_take_many(struct ratelimit *limit, const struct rate_address *address,
                             enum rate rate, uint32_t count);

/* The same without counting, of one. */
uint32_t ratelimit_look(struct ratelimit *limit, const struct rate_address *address,
                        enum rate rate);

/* Connections open at the same time: false if there are too many from that address. What was let
 * in is left once. */
bool ratelimit_enter(struct ratelimit *limit, const struct rate_address *address);
void ratelimit_leave(struct ratelimit *limit, const struct rate_address *address);

#endif
