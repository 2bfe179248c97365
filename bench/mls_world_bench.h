/* Groups to measure: their members, and trees in which every parent has a key. One engine serves
 * all members; its memory is counted. */
#ifndef BENCH_MLS_WORLD_BENCH_H
#define BENCH_MLS_WORLD_BENCH_H

#include "mls/group.h"

#define ACTORS 4 /* members, the creator aside, who hold the group too */

struct bench_member {
    char name[16];
    sotto_mls_identity identity;
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_group *group; /* the creator's and the actors' */
};

struct bench_world {
    sotto_env env;
    size_t live; /* bytes given out */
    const sotto_buf
        *stored; /* records of the group that was loaded, each behind kind, index, size */
    const size_t *stored_keys; /* by node index: where the value of the record of kind 7 stands */
    sotto_mls *mls;
    uint16_t suite;
    uint32_t count, actor_count;
    struct bench_member *members;        /* [0]: the creator */
    struct bench_member *actors[ACTORS]; /* among members, or newcomers in their places */
    struct bench_member newcomers[ACTORS];
    sotto_buf commit, welcome; /* of the creation, or of what let the actors in */
    double create_ns;
};

void bench_check(sotto_error error, const struct bench_world *world, const char *what);

/* KeyPackages and no group yet. */
void bench_world_init(struct bench_world *world, uint16_t suite, uint32_t count);
void bench_world_free(struct bench_world *world);

/* A group of all, made by one commit; its parents are blank. Replaces a former one. */
void bench_world_create(struct bench_world *world);

/* Lets the actors in by world->welcome: ns of each joining. */
void bench_world_join(struct bench_world *world, double ns[static ACTORS]);

/* Gives every parent a key, as if everyone had committed, and replaces the actors by newcomers, who
 * must then join and commit. */
void bench_world_fill(struct bench_world *world);

void bench_member_init(struct bench_world *world, struct bench_member *member, unsigned number);
void bench_member_free(struct bench_member *member);

#endif
