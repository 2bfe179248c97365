#include <stdlib.h>
#include <time.h>

#include <sodium.h>

#include "sotto/env.h"

static void *system_resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static sotto_error system_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    /* Aborts rather than return weak bytes, and so never fails. */
    randombytes_buf(out, size);
    return SOTTO_OK;
}

static uint64_t system_now(void *ctx)
{
    (void)ctx;
    /* Not time(): its clock ticks up to 10 ms later, so that what another program dates "now" would
     * lie in the future. */
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec;
}

const sotto_env *sotto_env_system(void)
{
    static const sotto_env env = {
        .resize = system_resize,
        .random = system_random,
        .now = system_now,
    };
    return &env;
}
