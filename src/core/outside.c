#include "core/outside.h"

#include <time.h>

static uint64_t system_now_ms(void *ctx)
{
    (void)ctx;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int system_wait(void *ctx, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)ctx;
    return poll(fds, count, timeout_ms);
}

const struct outside *outside_system(void)
{
    static const struct outside outside = {.now_ms = system_now_ms, .wait = system_wait};
    return &outside;
}
