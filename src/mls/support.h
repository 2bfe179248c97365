/* How many members list a type in their capabilities, and how many use a credential type, so that
 * "every member supports it" costs one look. Counts may be negative in a stage: a difference to its
 * base. */
#ifndef MLS_SUPPORT_H
#define MLS_SUPPORT_H

#include "mls/types.h"

enum support_kind {
    SUPPORT_EXTENSION = 0,
    SUPPORT_PROPOSAL = 1,
    SUPPORT_CREDENTIAL = 2,
    SUPPORT_CREDENTIAL_IN_USE = 3, /* the leaf's own credential */
};

struct support_slot {
    uint32_t ref; /* 0: empty; else (kind << 16 | type) + 1 */
    int32_t count;
};

struct support {
    struct support_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t used;
};

void support_free(const sotto_env *env, struct support *support);

int64_t support_count(const struct support *support, enum support_kind kind, uint16_t type);

/* Counts all that a leaf lists by `by`: +1 or -1, or more for a number of leaves that list the
 * same; each value once, however often the leaf lists it. NO_MEMORY: some may have been counted. */
sotto_error support_count_leaf(const sotto_env *env, struct support *support,
                               const struct leaf_node *leaf, int32_t by);

/* Whether two leaves count for the same. False for lists that differ in order alone. */
bool support_same(const struct leaf_node *a, const struct leaf_node *b);

/* A larger table if base plus all of difference would not fit into base's own, else none. */
sotto_error support_prepare(const sotto_env *env, const struct support *base,
                            const struct support *difference, struct support *larger);

/* Adds difference to base, with the table that support_prepare gave. Cannot fail. */
void support_merge(const sotto_env *env, struct support *base, const struct support *difference,
                   struct support *larger);

#endif
