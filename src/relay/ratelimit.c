/* A token bucket as one time stamp: the moment at which the bucket would be full again. A taken
 * token moves it by an hour divided by the rate; a token is there while it lies no more than an
 * hour ahead. So an address that has been quiet for an hour is one that is unknown. */
#include "relay/ratelimit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

#define HOUR_US UINT64_C(3600000000)
#define SETS (RATE_ADDRESSES / RATE_WAYS)

struct slot {
    struct rate_address address;
    uint32_t open;
    uint64_t full[RATE_KINDS];
};

struct ratelimit {
    const sotto_env *env;
    uint64_t (*now_us)(void *ctx);
    void *ctx;
    atomic_uint_fast64_t step_us[RATE_KINDS]; /* 0: no limit */
    uint8_t key[crypto_shorthash_KEYBYTES];   /* nobody chooses addresses that share a set */
    pthread_mutex_t lock;
    struct slot slots[SETS][RATE_WAYS];
};

struct rate_address rate_address_of(const struct ip *ip)
{
    struct rate_address address = {.family = ip->family};
    memcpy(address.bytes, ip->bytes, sizeof address.bytes); /* of IPv6, the network */
    return address;
}

sotto_error ratelimit_new(const sotto_env *env, const uint32_t per_hour[static RATE_KINDS],
                          uint64_t (*now_us)(void *ctx), void *ctx, struct ratelimit **limit)
{
    struct ratelimit *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->now_us = now_us;
    made->ctx = ctx;
    crypto_shorthash_keygen(made->key);
    pthread_mutex_init(&made->lock, NULL);
    ratelimit_set(made, per_hour);
    *limit = made;
    return SOTTO_OK;
}

void ratelimit_set(struct ratelimit *limit, const uint32_t per_hour[static RATE_KINDS])
{
    for (size_t i = 0; i < RATE_KINDS; i++)
        atomic_store(&limit->step_us[i], per_hour[i] == 0 ? 0 : HOUR_US / per_hour[i]);
}

void ratelimit_free(struct ratelimit *limit)
{
    if (limit == NULL)
        return;
    pthread_mutex_destroy(&limit->lock);
    mem_free(limit->env, limit, sizeof *limit);
}

/* When the slot is as good as unknown. */
static uint64_t forgotten_at(const struct slot *slot)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < RATE_KINDS; i++)
        if (slot->full[i] > latest)
            latest = slot->full[i];
    return latest;
}

static struct slot *set_of(struct ratelimit *limit, const struct rate_address *address)
{
    uint8_t bytes[1 + sizeof address->bytes], hash[crypto_shorthash_BYTES];
    uint64_t number;
    bytes[0] = address->family;
    memcpy(bytes + 1, address->bytes, sizeof address->bytes);
    crypto_shorthash(hash, bytes, sizeof bytes, limit->key);
    memcpy(&number, hash, sizeof number);
    return limit->slots[number % SETS];
}

static bool is_slot_of(const struct slot *slot, const struct rate_address *address)
{
    return slot->address.family == address->family &&
           memcmp(slot->address.bytes, address->bytes, sizeof address->bytes) == 0;
}

/* The address's slot; a new one takes the place of whoever is forgotten soonest. NULL: all places
 * belong to addresses with open connections. */
static struct slot *slot_of(struct ratelimit *limit, const struct rate_address *address)
{
    struct slot *set = set_of(limit, address), *victim = NULL;
    for (size_t i = 0; i < RATE_WAYS; i++) {
        if (is_slot_of(&set[i], address))
            return &set[i];
        bool is_better = victim == NULL || forgotten_at(&set[i]) < forgotten_at(victim);
        if (set[i].open == 0 && is_better)
            victim = &set[i];
    }
    if (victim != NULL)
        *victim = (struct slot){.address = *address};
    return victim;
}

static uint32_t ask(struct ratelimit *limit, const struct rate_address *address, enum rate rate,
                    uint32_t wanted, bool count)
{
    uint64_t step = atomic_load(&limit->step_us[rate]) * wanted;
    if (step == 0 || address->family == 0)
        return 0;
    if (step > HOUR_US)
        step = HOUR_US;
    uint64_t wait = 0;
    pthread_mutex_lock(&limit->lock);
    uint64_t now = limit->now_us(limit->ctx);
    struct slot *slot = slot_of(limit, address);
    if (slot != NULL) {
        uint64_t full = slot->full[rate] > now ? slot->full[rate] : now;
        if (full + step > now + HOUR_US)
            wait = full + step - now - HOUR_US;
        else if (count)
            slot->full[rate] = full + step;
    }
    pthread_mutex_unlock(&limit->lock);
    return (uint32_t)((wait + 999999) / 1000000);
}

uint32_t ratelimit_take(struct ratelimit *limit, const struct rate_address *address, enum rate rate)
{
    return ask(limit, address, rate, 1, true);
}

uint32_t ratelimit_take_many(struct ratelimit *limit, const struct rate_address *address,
                             enum rate rate, uint32_t count)
{
    return ask(limit, address, rate, count, true);
}

uint32_t ratelimit_look(struct ratelimit *limit, const struct rate_address *address, enum rate rate)
{
    return ask(limit, address, rate, 1, false);
}

bool ratelimit_enter(struct ratelimit *limit, const struct rate_address *address)
{
    /* Counted without a limit too: there may be one when it leaves. */
    bool limited = atomic_load(&limit->step_us[RATE_CONNECTION]) != 0;
    if (address->family == 0)
        return true;
    pthread_mutex_lock(&limit->lock);
    struct slot *slot = slot_of(limit, address);
    bool may = !limited || slot == NULL || slot->open < CONNECTIONS_PER_ADDRESS;
    if (slot != NULL && may)
        slot->open++;
    pthread_mutex_unlock(&limit->lock);
    return may;
}

void ratelimit_leave(struct ratelimit *limit, const struct rate_address *address)
{
    if (address->family == 0)
        return;
    pthread_mutex_lock(&limit->lock);
    struct slot *set = set_of(limit, address);
    /* One that entered when the set was full is not counted, and may be missing here. */
    for (size_t i = 0; i < RATE_WAYS; i++)
        if (is_slot_of(&set[i], address) && set[i].open > 0)
            set[i].open--;
    pthread_mutex_unlock(&limit->lock);
}
