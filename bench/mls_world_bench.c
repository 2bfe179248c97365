#include "mls_world_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mls_floor.h"

static void *counted_resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    struct bench_world *world = ctx;
    world->live += new_size - old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

static sotto_error system_random(void *ctx, uint8_t *out, size_t size)
{
    (void)ctx;
    return sotto_env_system()->random(sotto_env_system()->ctx, out, size);
}

static uint64_t system_now(void *ctx)
{
    (void)ctx;
    return sotto_env_system()->now(sotto_env_system()->ctx);
}

/* A parent's key, where loading left it out. */
static sotto_error stored(void *ctx, const sotto_mls_group *group, uint32_t kind, uint32_t index,
                          sotto_buf *value)
{
    const struct bench_world *world = ctx;
    (void)group;
    if (kind != RECORD_KEY || world->stored_keys == NULL || world->stored_keys[index] == 0)
        return SOTTO_NOT_FOUND;
    const uint8_t *at = world->stored->data + world->stored_keys[index];
    uint32_t size;
    memcpy(&size, at - sizeof size, sizeof size);
    return sotto_buf_append(value, at, size);
}

void bench_check(sotto_error error, const struct bench_world *world, const char *what)
{
    if (error == SOTTO_OK)
        return;
    fprintf(stderr, "bench_mls: %s: %s (%s)\n", what, sotto_error_text(error),
            sotto_mls_fault(world->mls)->what);
    exit(1);
}

void bench_member_init(struct bench_world *world, struct bench_member *member, unsigned number)
{
    uint64_t now = system_now(NULL);
    snprintf(member->name, sizeof member->name, "member-%u", number);
    sotto_buf *bufs[] = {&member->private_key, &member->public_key, &member->key_package,
                         &member->secrets};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
        sotto_buf_init(bufs[i], sotto_env_system());
    bench_check(sotto_mls_signature_key(world->mls, world->suite, &member->private_key,
                                        &member->public_key),
                world, "signature key");
    member->identity = (sotto_mls_identity){
        .suite = world->suite,
        .credential = {.type = SOTTO_MLS_BASIC, .identity = sotto_bytes_str(member->name)},
        .signature_private = sotto_buf_view(&member->private_key),
        .signature_public = sotto_buf_view(&member->public_key),
    };
    bench_check(sotto_mls_key_package(world->mls, &member->identity, now - 3600,
                                      now + (uint64_t)30 * 86400, 0, &member->key_package,
                                      &member->secrets),
                world, "KeyPackage");
}

void bench_member_free(struct bench_member *member)
{
    sotto_mls_group_free(member->group);
    sotto_buf_free(&member->private_key);
    sotto_buf_free(&member->public_key);
    sotto_buf_free(&member->key_package);
    sotto_buf_free(&member->secrets);
    *member = (struct bench_member){0};
}

void bench_world_init(struct bench_world *world, uint16_t suite, uint32_t count)
{
    *world = (struct bench_world){.suite = suite, .count = count};
    world->env = (sotto_env){
        .ctx = world, .resize = counted_resize, .random = system_random, .now = system_now};
    sotto_buf_init(&world->commit, sotto_env_system());
    sotto_buf_init(&world->welcome, sotto_env_system());
    const sotto_mls_config config = {.ctx = world, .stored = stored};
    if (sotto_mls_new(&world->env, &config, &world->mls) != SOTTO_OK)
        exit(1);
    world->members = calloc(count, sizeof *world->members);
    if (world->members == NULL)
        exit(1);
    for (uint32_t i = 0; i < count; i++)
        bench_member_init(world, &world->members[i], i);
    world->actor_count = count - 1 < ACTORS ? count - 1 : ACTORS;
    /* Spread, so that their common ancestors with one another stand at different levels. */
    for (uint32_t i = 0; i < world->actor_count; i++)
        world->actors[i] = &world->members[1 + (uint64_t)i * (count - 1) / world->actor_count];
}

void bench_world_free(struct bench_world *world)
{
    for (uint32_t i = 0; i < world->count; i++)
        bench_member_free(&world->members[i]);
    for (uint32_t i = 0; i < ACTORS; i++)
        bench_member_free(&world->newcomers[i]);
    free(world->members);
    sotto_mls_free(world->mls);
    sotto_buf_free(&world->commit);
    sotto_buf_free(&world->welcome);
}

/* Commits and applies at the creator; commit and Welcome replace the world's. */
static void creator_commits(struct bench_world *world, const sotto_mls_proposal *proposals,
                            size_t count)
{
    const sotto_mls_commit_options options = {.proposals = proposals, .proposal_count = count};
    sotto_mls_group *group = world->members[0].group;
    sotto_mls_staged *staged;
    sotto_buf_clear(&world->commit);
    sotto_buf_clear(&world->welcome);
    bench_check(sotto_mls_commit(group, &options, &world->commit, &world->welcome, &staged), world,
                "commit");
    sotto_mls_staged_apply(group, staged);
}

static sotto_mls_proposal add_of(const struct bench_member *member)
{
    sotto_mls_proposal add = {.type = SOTTO_MLS_ADD};
    add.u.add.key_package = sotto_buf_view(&member->key_package);
    return add;
}

void bench_world_create(struct bench_world *world)
{
    struct bench_member *creator = &world->members[0];
    sotto_mls_proposal *adds = calloc(world->count, sizeof *adds);
    if (adds == NULL)
        exit(1);
    for (uint32_t i = 1; i < world->count; i++)
        adds[i - 1] = add_of(&world->members[i]);
    sotto_mls_group_free(creator->group);
    creator->group = NULL;
    double start = cpu_ns();
    bench_check(sotto_mls_group_create(world->mls, &creator->identity, sotto_bytes_str("bench"),
                                       NULL, 0, &creator->group),
                world, "group");
    creator_commits(world, adds, world->count - 1);
    world->create_ns = cpu_ns() - start;
    free(adds);
}

void bench_world_join(struct bench_world *world, double ns[static ACTORS])
{
    for (uint32_t i = 0; i < world->actor_count; i++) {
        struct bench_member *actor = world->actors[i];
        sotto_mls_group_free(actor->group);
        actor->group = NULL;
        double start = cpu_ns();
        bench_check(sotto_mls_join(world->mls, &actor->identity,
                                   sotto_buf_view(&actor->key_package),
                                   sotto_buf_view(&actor->secrets), sotto_buf_view(&world->welcome),
                                   (sotto_bytes){0}, &actor->group),
                    world, "join");
        ns[i] = cpu_ns() - start;
    }
}

/* A path of that member put into the creator's tree, without the messages that would carry it. */
static void put_path(struct bench_world *world, uint32_t index)
{
    sotto_mls_group *group = world->members[0].group;
    struct tree_stage stage;
    struct treekem_path path;
    struct treekem_private keys;
    struct leaf_node content = *tree_leaf(group->tree, leaf_at(index));
    tree_stage_init(&stage, group->tree);
    treekem_private_init(&keys, leaf_at(index));
    bench_check(treekem_path_create(&stage, leaf_at(index), &content,
                                    sotto_buf_view(&world->members[index].private_key),
                                    sotto_mls_group_id(group), &keys, &path),
                world, "path");
    bench_check(tree_stage_prepare(&stage), world, "path");
    tree_stage_apply(&stage, group->tree);
    treekem_path_wipe(&path);
    treekem_private_wipe(&keys);
}

void bench_world_fill(struct bench_world *world)
{
    uint32_t places[ACTORS];
    sotto_mls_proposal proposals[ACTORS];
    for (uint32_t i = 0; i < world->actor_count; i++)
        places[i] = (uint32_t)(world->actors[i] - world->members);
    /* Every second leaf reaches every parent; the creator's own path comes by its commits. */
    for (uint32_t i = 2; i < world->count; i += 2)
        put_path(world, i);
    for (uint32_t i = 0; i < world->actor_count; i++) {
        proposals[i] = (sotto_mls_proposal){.type = SOTTO_MLS_REMOVE};
        proposals[i].u.remove.index = places[i];
    }
    creator_commits(world, proposals, world->actor_count);
    for (uint32_t i = 0; i < world->actor_count; i++) {
        sotto_mls_group_free(world->actors[i]->group);
        world->actors[i]->group = NULL;
        bench_member_init(world, &world->newcomers[i], 1000000 + i);
        world->actors[i] = &world->newcomers[i];
        proposals[i] = add_of(world->actors[i]);
    }
    creator_commits(world, proposals, world->actor_count);
}
