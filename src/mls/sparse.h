/* A sparse map from 32-bit keys to blocks, for what only few members of a large group have: secret
 * tree nodes, ratchets. Open addressing with linear probing; no tombstones.
 *
 * Putting never fails, because sparse_reserve made room before: callers prepare everything that can
 * fail, then change state. The map owns its table, not the values. */
#ifndef MLS_SPARSE_H
#define MLS_SPARSE_H

#include "base/base.h"

struct sparse_slot {
    void *value; /* NULL: free */
    uint32_t key;
};

struct sparse {
    const sotto_env *env;
    struct sparse_slot *slots;
    size_t capacity; /* 0 or a power of two, at least twice the count */
    size_t count;
};

void sparse_init(struct sparse *map, const sotto_env *env);
void sparse_free(struct sparse *map);

/* NULL if absent. */
void *sparse_get(const struct sparse *map, uint32_t key);

/* Room for extra more keys. */
sotto_error sparse_reserve(struct sparse *map, size_t extra);

/* key must be absent and room reserved. value must not be NULL. */
void sparse_put(struct sparse *map, uint32_t key, void *value);

/* Removes and returns; NULL if absent. */
void *sparse_take(struct sparse *map, uint32_t key);

/* All entries in no order: start with *at = 0; NULL at the end. The map must not change meanwhile.
 */
void *sparse_next(const struct sparse *map, size_t *at, uint32_t *key);

#endif
