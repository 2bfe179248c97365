/* What every part stands on: memory from the environment, wiping, fixed-capacity secrets,
 * arenas for decoded messages, and the crash for our own bugs. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdio.h>
#include <stdlib.h>

#include "sotto/bytes.h"
#include "sotto/env.h"
#include "sotto/error.h"

/* Our own bugs crash, early and loudly. Never used on anything a peer or a caller decides. */
#define BUG_UNLESS(condition)                                                    \
    do {                                                                         \
        if (!(condition)) {                                                      \
            fprintf(stderr, "%s:%d: bug: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                             \
        }                                                                        \
    } while (0)

/* Returns the error of an expression from the enclosing function; only for functions that own
 * nothing yet. Whoever owns something writes `goto out` in the open. */
#define TRY(expression)                        \
    do {                                       \
        sotto_error try_error_ = (expression); \
        if (try_error_ != SOTTO_OK)            \
            return try_error_;                 \
    } while (0)

/* Whether an error is the environment's: it says something about this device and now, nothing about
 * what was asked or received. */
static inline bool error_is_local(sotto_error error)
{
    return error == SOTTO_NO_MEMORY || error == SOTTO_NO_RANDOM || error == SOTTO_INTERNAL ||
           error == SOTTO_IO || error == SOTTO_FULL || error == SOTTO_BUSY;
}

/* Zeroes in a way that the compiler keeps. size 0 allowed with any pointer. */
void wipe(void *data, size_t size);

/* A zeroed block, or NULL (also for size 0). */
void *mem_alloc(const sotto_env *env, size_t size);

/* Wipes and frees; size is what was asked for. NULL allowed. */
void mem_free(const sotto_env *env, void *block, size_t size);

/* A secret of at most SECRET_MAX bytes, held in place. Whoever owns one calls secret_wipe on every
 * way out; copies are made by assignment and are owned anew. The largest are KEM and signature
 * private keys (P-521: 66 bytes) and KDF outputs (SHA-512: 64). */
#define SECRET_MAX 72
struct secret {
    uint8_t size;
    uint8_t data[SECRET_MAX];
};

void secret_wipe(struct secret *secret);

/* LENGTH if value is larger than SECRET_MAX; the secret is then untouched. */
sotto_error secret_set(struct secret *secret, sotto_bytes value);

/* Wipes, sets the size and returns where the caller writes the bytes. */
uint8_t *secret_reset(struct secret *secret, size_t size);

/* Fresh random bytes. On error the secret is empty. */
sotto_error secret_random(struct secret *secret, size_t size, const sotto_env *env);

static inline sotto_bytes secret_view(const struct secret *secret)
{
    return sotto_bytes_of(secret->data, secret->size);
}

/* An arena: many small blocks with one lifetime, such as the parts of a decoded message. Blocks are
 * zeroed, aligned for any type, never freed one by one; arena_free wipes and frees all. */
struct arena_chunk;
struct arena {
    const sotto_env *env;
    struct arena_chunk *chunks;
};

void arena_init(struct arena *arena, const sotto_env *env);
void arena_free(struct arena *arena); /* usable again afterwards */

/* NULL when out of memory, and for count or size 0 or a product that overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* A copy of view owned by the arena. */
sotto_error arena_copy(struct arena *arena, sotto_bytes view, sotto_bytes *copy);

#endif
