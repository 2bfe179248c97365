/* A set of leaf indices, one bit each. */
#ifndef MLS_LEAF_SET_H
#define MLS_LEAF_SET_H

#include "mls/types.h"

struct leaf_set {
    uint64_t *words;
    size_t word_count;
};

/* Room for leaf_count leaves, none in it. */
sotto_error leaf_set_alloc(const sotto_env *env, uint32_t leaf_count, struct leaf_set *set);
void leaf_set_free(const sotto_env *env, struct leaf_set *set);

/* A copy with room for leaf_count leaves; leaves beyond are left out. */
sotto_error leaf_set_copy(const sotto_env *env, const struct leaf_set *from, uint32_t leaf_count,
                          struct leaf_set *copy);

bool leaf_set_has(const struct leaf_set *set, uint32_t leaf);
void leaf_set_add(struct leaf_set *set, uint32_t leaf);
void leaf_set_remove(struct leaf_set *set, uint32_t leaf);

/* Whether any of count leaves from first on is in the set; leaves beyond its room are not. */
bool leaf_set_any(const struct leaf_set *set, uint32_t first, uint32_t count);

/* The first leaf at or above from that is (or is not) in the set, below limit; limit if there is
 * none. */
uint32_t leaf_set_next(const struct leaf_set *set, uint32_t from, uint32_t limit);
uint32_t leaf_set_next_absent(const struct leaf_set *set, uint32_t from, uint32_t limit);

#endif
