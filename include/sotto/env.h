/* The environment: memory, randomness and time, given by the caller. The MLS engine has no other
 * way to reach the world, so that test vectors, simulations and failure injection are exact. */
#ifndef SOTTO_ENV_H
#define SOTTO_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "sotto/api.h"
#include "sotto/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sotto_env {
    void *ctx; /* passed back unchanged to each function */

    /* One function for memory. block NULL: a new block of new_size bytes, aligned for any type.
     * new_size 0: frees block, returns NULL. Else: moves or grows, keeping the lesser of both
     * sizes; on failure returns NULL and leaves block valid. old_size is the exact size asked for
     * before. Callers wipe secrets before they give a block back and never resize a block that
     * holds one. */
    void *(*resize)(void *ctx, void *block, size_t old_size, size_t new_size);

    /* Fills out with size random bytes fit for keys. SOTTO_NO_RANDOM on failure. */
    sotto_error (*random)(void *ctx, uint8_t *out, size_t size);

    /* Seconds since 1970-01-01 UTC. May jump. */
    uint64_t (*now)(void *ctx);

    /* Several things at a time; NULL: one after the other, on the caller's thread, which is all
     * that anybody needs. Calls job(job_ctx, i) once for each i below count, in any order, on as
     * many threads as the caller has, and returns when all have returned. The MLS engine, which
     * starts no threads, so verifies the signatures of a tree that is joined and of many members
     * added at once. Jobs share nothing that changes, and call no function of the environment's but
     * resize, which then must be callable from several threads at a time. */
    void (*parallel)(void *ctx, void (*job)(void *job_ctx, size_t i), void *job_ctx, size_t count);
} sotto_env;

/* malloc, the kernel's random source, the system clock. Static; any thread. */
SOTTO_API const sotto_env *sotto_env_system(void);

#ifdef __cplusplus
}
#endif
#endif
