#include "unit/mls_world.h"

#include <stdlib.h>

/* ---- Environment ----------------------------------------------------------------------------- */

static void *world_resize(void *ctx, void *block, size_t old_size, size_t new_size)
{
    struct world_env *env = ctx;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    if (env->fail_after == 0)
        return NULL;
    if (env->fail_after > 0)
        env->fail_after--;
    return realloc(block, new_size);
}

/* SplitMix64. */
static uint64_t next_random(struct world_env *env)
{
    uint64_t z = env->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static sotto_error world_fill(void *ctx, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)next_random(ctx);
    return SOTTO_OK;
}

static uint64_t world_now(void *ctx)
{
    (void)ctx;
    return 1000;
}

void world_env_init(struct world_env *env, uint64_t seed)
{
    *env = (struct world_env){
        .env = {env, world_resize, world_fill, world_now, NULL},
        .random = seed,
        .fail_after = -1,
    };
}

uint32_t world_random(struct world_env *env, uint32_t below)
{
    return (uint32_t)(next_random(env) % below);
}

/* ---- Members --------------------------------------------------------------------------------- */

void world_init(struct world *world, struct world_env *env, const struct suite *suite)
{
    *world = (struct world){
        .env = env,
        .suite = suite,
        .group_id = sotto_bytes_str("world"),
    };
    arena_init(&world->arena, &env->env);
    assert_ok(crypto_new(&env->env, &world->crypto));
}

void world_free(struct world *world)
{
    arena_free(&world->arena);
    crypto_free(world->crypto);
}

static void fill_content(struct world *world, sotto_bytes signature_key, sotto_bytes identity,
                         struct leaf_node *content)
{
    static const uint16_t versions[] = {MLS_VERSION_10}, credentials[] = {CREDENTIAL_BASIC};
    static const uint16_t extensions[] = {0xf042, 0x0a0a};
    struct capabilities *listed = &content->capabilities;
    *content = (struct leaf_node){
        .signature_key = signature_key,
        .credential = {.type = CREDENTIAL_BASIC, .identity = identity},
    };
    assert_ok(u16_list_make(&world->arena, versions, 1, &listed->versions));
    assert_ok(u16_list_make(&world->arena, &world->suite->id, 1, &listed->suites));
    assert_ok(u16_list_make(&world->arena, extensions, 2, &listed->extensions));
    assert_ok(u16_list_make(&world->arena, credentials, 1, &listed->credentials));
}

static void read_leaf(struct world *world, const sotto_buf *wire, struct leaf_node *leaf)
{
    struct reader reader;
    sotto_bytes copy;
    assert_ok(arena_copy(&world->arena, sotto_buf_view(wire), &copy));
    reader_init(&reader, copy);
    leaf_node_read(&reader, &world->arena, leaf);
    assert_ok(reader_finish(&reader, "LeafNode"));
}

void world_member_make(struct world *world, uint32_t number, struct world_member *member)
{
    *member = (struct world_member){0};
    sotto_buf wire, leaf_key, init_key;
    sotto_buf_init(&member->signature_public, &world->env->env);
    sotto_buf_init(&member->key_package, &world->env->env);
    sotto_buf_init(&wire, &world->env->env);
    sotto_buf_init(&leaf_key, &world->env->env);
    sotto_buf_init(&init_key, &world->env->env);
    struct secret init_private = {0};
    assert_ok(crypto_signature_generate(world->crypto, world->suite, &member->signature_private,
                                        &member->signature_public));
    assert_ok(crypto_kem_generate(world->crypto, world->suite, &member->leaf_private, &leaf_key));
    assert_ok(crypto_kem_generate(world->crypto, world->suite, &init_private, &init_key));
    struct key_package key_package = {
        .version = MLS_VERSION_10,
        .suite = world->suite->id,
        .init_key = sotto_buf_view(&init_key),
    };
    struct leaf_node content;
    uint8_t identity[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                           (uint8_t)number};
    fill_content(world, sotto_buf_view(&member->signature_public),
                 sotto_bytes_of(identity, sizeof identity), &content);
    content.encryption_key = sotto_buf_view(&leaf_key);
    content.source = LEAF_SOURCE_KEY_PACKAGE;
    content.not_after = 2000;
    sotto_mls_extension extension = {0xf042, sotto_bytes_str("of the leaf")};
    content.extensions = (struct extensions){&extension, 1};
    sotto_bytes signer = secret_view(&member->signature_private);
    assert_ok(leaf_node_sign(world->crypto, world->suite, signer, &content, world->group_id,
                             leaf_at(0), &wire));
    read_leaf(world, &wire, &key_package.leaf);
    assert_ok(
        key_package_sign(world->crypto, world->suite, signer, &key_package, &member->key_package));
    secret_wipe(&init_private);
    sotto_buf_free(&init_key);
    sotto_buf_free(&leaf_key);
    sotto_buf_free(&wire);
}

void world_member_free(struct world_member *member)
{
    secret_wipe(&member->signature_private);
    secret_wipe(&member->leaf_private);
    sotto_buf_free(&member->signature_public);
    sotto_buf_free(&member->key_package);
}

void world_key_package(struct world *world, const struct world_member *member,
                       struct key_package *key_package)
{
    struct reader reader;
    reader_init(&reader, sotto_buf_view(&member->key_package));
    key_package_read(&reader, &world->arena, key_package);
    assert_ok(reader_finish(&reader, "KeyPackage"));
}

void world_leaf_content(struct world *world, const struct world_member *member,
                        struct leaf_node *content)
{
    struct key_package key_package;
    world_key_package(world, member, &key_package);
    *content = key_package.leaf;
}

void world_update_leaf(struct world *world, const struct world_member *member,
                       struct leaf_index where, struct leaf_node *leaf)
{
    struct leaf_node content;
    struct secret private_key = {0};
    sotto_buf wire, public_key;
    sotto_buf_init(&wire, &world->env->env);
    sotto_buf_init(&public_key, &world->env->env);
    world_leaf_content(world, member, &content);
    assert_ok(crypto_kem_generate(world->crypto, world->suite, &private_key, &public_key));
    content.source = LEAF_SOURCE_UPDATE;
    content.encryption_key = sotto_buf_view(&public_key);
    assert_ok(leaf_node_sign(world->crypto, world->suite, secret_view(&member->signature_private),
                             &content, world->group_id, where, &wire));
    read_leaf(world, &wire, leaf);
    secret_wipe(&private_key);
    sotto_buf_free(&public_key);
    sotto_buf_free(&wire);
}

/* ---- Trees ----------------------------------------------------------------------------------- */

void world_commit(struct world *world, struct tree_stage *stage, struct leaf_index sender,
                  const struct world_member *member, struct treekem_private *private_state,
                  struct treekem_path *path)
{
    struct leaf_node content;
    world_leaf_content(world, member, &content);
    assert_ok(treekem_path_create(stage, sender, &content, secret_view(&member->signature_private),
                                  world->group_id, private_state, path));
}

struct tree_rules world_rules(const struct world *world)
{
    return (struct tree_rules){.group_id = world->group_id, .check_lifetime = true, .now = 1000};
}

/* Tells every member below what the sender's new keys are, as decrypting would have. */
static void spread_keys(const struct treekem_private *from, struct treekem_private *states,
                        uint32_t count)
{
    for (size_t i = 1; i < from->count; i++) {
        struct node_index x = from->keys[i].node;
        uint32_t first = node_first_leaf(x).value, span = node_leaf_span(x);
        for (uint32_t leaf = first; leaf < first + span && leaf < count; leaf++)
            if (&states[leaf] != from)
                treekem_private_set(&states[leaf], x, &from->keys[i].private_key);
    }
}

static void fill_tree(struct world *world, const struct world_member *members, uint32_t count,
                      struct treekem_private *private_states, struct tree *tree)
{
    for (uint32_t i = 0; i < count; i += 2) {
        struct tree_stage stage;
        struct treekem_path path;
        struct treekem_private own;
        tree_stage_init(&stage, tree);
        treekem_private_init(&own, leaf_at(i));
        world_commit(world, &stage, leaf_at(i), &members[i], &own, &path);
        if (private_states != NULL) {
            private_states[i] = own;
            spread_keys(&private_states[i], private_states, count);
        }
        assert_ok(tree_stage_prepare(&stage));
        tree_stage_apply(&stage, tree);
        treekem_path_wipe(&path);
        treekem_private_wipe(&own);
    }
}

void world_tree(struct world *world, const struct world_member *members, uint32_t count, bool fill,
                struct treekem_private *private_states, struct tree **tree)
{
    struct tree_stage stage;
    assert_ok(tree_new(world->crypto, world->suite, tree));
    tree_stage_init(&stage, *tree);
    for (uint32_t i = 0; i < count; i++) {
        struct key_package key_package;
        struct leaf_index where;
        world_key_package(world, &members[i], &key_package);
        assert_ok(tree_stage_add(&stage, &key_package.leaf, &where));
        assert_int_equal(where.value, i);
        if (private_states != NULL) {
            treekem_private_init(&private_states[i], where);
            treekem_private_set(&private_states[i], leaf_node_index(where),
                                &members[i].leaf_private);
        }
    }
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_apply(&stage, *tree);
    if (fill)
        fill_tree(world, members, count, private_states, *tree);
}
