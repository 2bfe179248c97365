/* What the ratchet tree costs in groups of different sizes: one JSON object a line,
 * {"impl":"sotto","op":...,"suite":...,"members":N,"ns":median}; processor time, so that a busy
 * machine does not count. Arguments: a suite (default 0x0001) and group sizes (default 1000 and
 * 10000). Every parent node of the trees has a key. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mls/treekem.h"
#include "unit/mls_world.h"

#define ROUNDS 51
#define SMALLEST 256 /* members: room to remove 100 */

enum op {
    OP_IMPORT,
    OP_VALIDATE,
    OP_EXPORT,
    OP_PATH_CREATE,
    OP_PATH_ENCRYPT,
    OP_PATH_READ,
    OP_LEAF_CHECK,
    OP_MERGE,
    OP_HASH,
    OP_CHECK,
    OP_DECRYPT,
    OP_PREPARE,
    OP_APPLY,
    OP_ADD,
    OP_REMOVE,
    OP_ADD_MANY,
    OP_COUNT,
};

static const char *const names[OP_COUNT] = {
    "tree_import", "tree_validate", "tree_export", "path_create", "path_encrypt", "path_read",
    "leaf_check",  "path_merge",    "tree_hash",   "stage_check", "path_decrypt", "stage_prepare",
    "stage_apply", "add_one",       "remove_one",  "add_100",
};

struct samples {
    double ns[ROUNDS];
    size_t count;
};

struct bench {
    struct world world;
    struct world_member *members;
    uint32_t count;
    struct tree *made, *received;
    struct samples samples[OP_COUNT];
    struct timespec started;
};

static void start(struct bench *b)
{
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b->started);
}

static void stop(struct bench *b, enum op op)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    struct samples *samples = &b->samples[op];
    if (samples->count < ROUNDS)
        samples->ns[samples->count++] = (double)(now.tv_sec - b->started.tv_sec) * 1e9 +
                                        (double)(now.tv_nsec - b->started.tv_nsec);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Prints and forgets what was measured. */
static void report(struct bench *b)
{
    for (size_t op = 0; op < OP_COUNT; op++) {
        struct samples *samples = &b->samples[op];
        if (samples->count == 0)
            continue;
        qsort(samples->ns, samples->count, sizeof samples->ns[0], by_size);
        printf(
            "{\"impl\":\"sotto\",\"op\":\"%s\",\"suite\":\"0x%04X\",\"members\":%u,\"ns\":%.0f}\n",
            names[op], (unsigned)b->world.suite->id, (unsigned)b->count,
            samples->ns[samples->count / 2]);
        samples->count = 0;
    }
    fflush(stdout);
}

static void report_memory(const struct bench *b)
{
    size_t wire = 0;
    for (uint32_t i = 0; i < b->count; i++)
        wire += tree_leaf(b->made, leaf_at(i))->wire.size;
    printf("{\"impl\":\"sotto\",\"op\":\"tree_memory\",\"suite\":\"0x%04X\",\"members\":%u,"
           "\"bytes_per_member\":%zu,\"of_it_leaf_wire\":%zu}\n",
           (unsigned)b->world.suite->id, (unsigned)b->count, tree_memory(b->made) / b->count,
           wire / b->count);
}

/* The whole tree: as joining does. */
static void bench_whole(struct bench *b)
{
    struct tree_rules rules = world_rules(&b->world);
    sotto_fault fault;
    for (size_t i = 0; i < 5; i++) {
        struct tree *tree;
        sotto_buf encoded;
        sotto_buf_init(&encoded, sotto_env_system());
        start(b);
        assert_ok(tree_export(b->made, &encoded));
        stop(b, OP_EXPORT);
        start(b);
        assert_ok(
            tree_import(b->world.crypto, b->world.suite, sotto_buf_view(&encoded), &tree, &fault));
        stop(b, OP_IMPORT);
        start(b);
        assert_ok(tree_validate(tree, &rules, &fault));
        stop(b, OP_VALIDATE);
        tree_free(b->received);
        b->received = tree;
        sotto_buf_free(&encoded);
    }
}

static void receive(struct bench *b, struct leaf_index sender, const sotto_buf *encoded,
                    struct treekem_private *own)
{
    struct tree_stage stage;
    struct reader reader;
    struct arena arena;
    struct update_path path;
    struct secret commit_secret = {0};
    struct leaf_rules rules = {
        .source = LEAF_SOURCE_COMMIT, .group_id = b->world.group_id, .index = sender};
    sotto_fault fault;
    sotto_bytes hash;
    arena_init(&arena, sotto_env_system());
    start(b);
    reader_init(&reader, sotto_buf_view(encoded));
    update_path_read(&reader, &arena, &path);
    assert_ok(reader_finish(&reader, "UpdatePath"));
    stop(b, OP_PATH_READ);
    start(b);
    assert_ok(leaf_node_check(b->world.crypto, b->world.suite, &path.leaf, &rules, &fault));
    stop(b, OP_LEAF_CHECK);
    tree_stage_init(&stage, b->received);
    start(b);
    treekem_private_prune(own, &stage);
    assert_ok(treekem_merge(&stage, sender, &path, &fault));
    stop(b, OP_MERGE);
    start(b);
    assert_ok(tree_stage_root_hash(&stage, &hash));
    stop(b, OP_HASH);
    start(b);
    assert_ok(treekem_decrypt(&stage, sender, &path, hash, own, &commit_secret, &fault));
    stop(b, OP_DECRYPT);
    start(b);
    assert_ok(tree_stage_check(&stage, NULL, &fault));
    stop(b, OP_CHECK);
    start(b);
    assert_ok(tree_stage_prepare(&stage));
    stop(b, OP_PREPARE);
    start(b);
    tree_stage_apply(&stage, b->received);
    stop(b, OP_APPLY);
    arena_free(&arena);
    secret_wipe(&commit_secret);
}

/* One commit without proposals, made on one copy of the tree and received on the other. While there
 * is no other copy, own becomes the sender's state: so the receiver gets its keys. */
static void bench_commit(struct bench *b, uint32_t sender, struct treekem_private *own)
{
    struct tree_stage stage;
    struct treekem_private made;
    struct treekem_path path;
    sotto_bytes hash;
    sotto_buf encoded;
    sotto_buf_init(&encoded, sotto_env_system());
    tree_stage_init(&stage, b->made);
    treekem_private_init(&made, leaf_at(sender));
    start(b);
    world_commit(&b->world, &stage, leaf_at(sender), &b->members[sender], &made, &path);
    stop(b, OP_PATH_CREATE);
    assert_ok(tree_stage_root_hash(&stage, &hash));
    start(b);
    assert_ok(treekem_path_encrypt(&stage, &path, hash, &encoded));
    stop(b, OP_PATH_ENCRYPT);
    if (b->received == NULL)
        *own = made;
    else
        receive(b, leaf_at(sender), &encoded, own);
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_apply(&stage, b->made);
    assert_true(b->received == NULL ||
                sotto_bytes_equal(tree_hash(b->made), tree_hash(b->received)));
    sotto_buf_free(&encoded);
    treekem_path_wipe(&path);
    treekem_private_wipe(&made);
}

static void bench_proposals(struct bench *b, const struct world_member *others)
{
    struct tree_stage stage;
    struct leaf_node leaf;
    struct leaf_index where;
    sotto_bytes hash;
    for (size_t i = 0; i < ROUNDS; i++) {
        world_leaf_content(&b->world, &others[0], &leaf);
        tree_stage_init(&stage, b->made);
        start(b);
        assert_ok(tree_stage_remove(&stage, leaf_at(world_random(b->world.env, b->count))));
        assert_ok(tree_stage_root_hash(&stage, &hash));
        stop(b, OP_REMOVE);
        start(b);
        assert_ok(tree_stage_add(&stage, &leaf, &where));
        assert_ok(tree_stage_root_hash(&stage, &hash));
        stop(b, OP_ADD);
        tree_stage_drop(&stage);
    }
    /* In a tree where there is room. */
    tree_stage_init(&stage, b->made);
    for (uint32_t i = 0; i < 100; i++)
        assert_ok(tree_stage_remove(&stage, leaf_at(7 + i * (b->count / 128))));
    assert_ok(tree_stage_prepare(&stage));
    tree_stage_apply(&stage, b->made);
    for (size_t round = 0; round < 5; round++) {
        tree_stage_init(&stage, b->made);
        struct leaf_node leaves[100];
        for (size_t i = 0; i < 100; i++)
            world_leaf_content(&b->world, &others[i], &leaves[i]);
        start(b);
        for (size_t i = 0; i < 100; i++)
            assert_ok(tree_stage_add(&stage, &leaves[i], &where));
        assert_ok(tree_stage_prepare(&stage));
        stop(b, OP_ADD_MANY);
        tree_stage_drop(&stage);
    }
}

static void bench_group(const struct suite *suite, uint32_t count)
{
    struct world_env env;
    struct bench b = {.count = count};
    struct treekem_private own;
    world_env_init(&env, count);
    world_init(&b.world, &env, suite);
    b.members = calloc(count + 100, sizeof *b.members);
    assert_non_null(b.members);
    for (uint32_t i = 0; i < count + 100; i++)
        world_member_make(&b.world, i, &b.members[i]);
    world_tree(&b.world, b.members, count, true, NULL, &b.made);
    bench_commit(&b, count - 1, &own);
    bench_whole(&b);
    for (size_t i = 0; i < ROUNDS; i++)
        bench_commit(&b, world_random(&env, count - 1), &own);
    report(&b);
    report_memory(&b);
    bench_proposals(&b, b.members + count);
    report(&b);
    treekem_private_wipe(&own);
    tree_free(b.made);
    tree_free(b.received);
    for (uint32_t i = 0; i < count + 100; i++)
        world_member_free(&b.members[i]);
    free(b.members);
    world_free(&b.world);
}

int main(int argc, char **argv)
{
    uint16_t id = SUITE_X25519_AES128_SHA256_ED25519;
    if (argc > 1)
        id = (uint16_t)strtoul(argv[1], NULL, 0);
    const struct suite *suite = suite_by_id(id);
    if (suite == NULL) {
        fprintf(stderr, "bench_mls_tree: suite 0x%04X is not known\n", id);
        return 2;
    }
    if (argc <= 2) {
        bench_group(suite, 1000);
        bench_group(suite, 10000);
    }
    for (int i = 2; i < argc; i++) {
        unsigned long count = strtoul(argv[i], NULL, 10);
        if (count < SMALLEST || count > LIMIT_LEAVES / 2) {
            fprintf(stderr, "bench_mls_tree: %s: a group has %u to %u members here\n", argv[i],
                    SMALLEST, LIMIT_LEAVES / 2);
            return 2;
        }
        bench_group(suite, (uint32_t)count);
    }
    return 0;
}
