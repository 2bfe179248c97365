/* Members with keys and a tree that they make together, for tests and benchmarks of the ratchet
 * tree: the group around it is left out. Randomness is seeded, so every run is the same. */
#ifndef TESTS_UNIT_MLS_WORLD_H
#define TESTS_UNIT_MLS_WORLD_H

#include "mls/treekem.h"
#include "unit/check.h"

struct world_env {
    sotto_env env; /* first: its ctx is this struct */
    uint64_t random;
    long fail_after; /* the allocation that fails, counted down; -1: none */
};

void world_env_init(struct world_env *env, uint64_t seed);
uint32_t world_random(struct world_env *env, uint32_t below);

struct world_member {
    struct secret signature_private;
    sotto_buf signature_public;
    struct secret leaf_private; /* of the KeyPackage's leaf */
    sotto_buf key_package;
};

struct world {
    struct world_env *env;
    struct crypto *crypto;
    const struct suite *suite;
    sotto_bytes group_id;
    struct arena arena; /* of what is decoded */
};

void world_init(struct world *world, struct world_env *env, const struct suite *suite);
void world_free(struct world *world);

/* A member with a signed KeyPackage whose identity is its number; and its decoded form. */
void world_member_make(struct world *world, uint32_t number, struct world_member *member);
void world_member_free(struct world_member *member);
void world_key_package(struct world *world, const struct world_member *member,
                       struct key_package *key_package);

/* A leaf for an Update of that member at that place: decoded. */
void world_update_leaf(struct world *world, const struct world_member *member,
                       struct leaf_index where, struct leaf_node *leaf);

/* What a member's new leaf says in a path. */
void world_leaf_content(struct world *world, const struct world_member *member,
                        struct leaf_node *content);

/* Makes a path of a member in the stage; private_state and path are the caller's to wipe. */
void world_commit(struct world *world, struct tree_stage *stage, struct leaf_index sender,
                  const struct world_member *member, struct treekem_private *private_state,
                  struct treekem_path *path);

/* The rules under which its trees are valid. */
struct tree_rules world_rules(const struct world *world);

/* A tree of the members, in order, in which no parent is blank if fill is set and the number is a
 * power of two: every second member commits. private_states: NULL, or room for count states, which
 * then hold all that each member knows. */
void world_tree(struct world *world, const struct world_member *members, uint32_t count, bool fill,
                struct treekem_private *private_states, struct tree **tree);

#endif
