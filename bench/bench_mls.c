/* What MLS costs, beside the floor under it (docs/BENCH.md): one JSON object a line.
 *
 *   bench_mls [--quick] [--large] [--suite N] [--n N] [--peer NAME COMMAND]...
 *
 * --quick: groups of 2 to 100 and few rounds. --large: 50,000 members too. A peer is a program that
 * speaks the lines of mls_peer.h; its operations alternate with Sotto's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mls_floor.h"
#include "mls_peer.h"
#include "mls_world_bench.h"

#define ROUNDS_MAX 64
#define BATCH 20 /* messages in one sample */
#define PEERS_MAX 4

struct series {
    const char *op;
    double ns[ROUNDS_MAX], floor[ROUNDS_MAX], ratio[ROUNDS_MAX];
    size_t count;
    double bytes;
};

struct bench {
    struct bench_world world;
    struct prims prims;
    const char *tree;
    unsigned rounds;
    struct work work;
    struct peer peers[PEERS_MAX];
    size_t peer_count;
    bool quick, large;
    uint32_t only_n;
    uint16_t only_suite;
};

/* ---- Reporting ------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(const double *values, size_t count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, by_size);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static void note(struct series *s, double ns, double floor)
{
    if (s->count == ROUNDS_MAX)
        return;
    s->ns[s->count] = ns;
    s->floor[s->count] = floor;
    s->ratio[s->count++] = floor > 0 ? ns / floor : 0;
}

static void line(const struct bench *b, const char *impl, const struct series *s)
{
    if (s->count == 0)
        return;
    double floor = median(s->floor, s->count);
    printf("{\"impl\":\"%s\",\"op\":\"%s\",\"suite\":\"0x%04X\",\"n\":%u,\"tree\":\"%s\","
           "\"ns\":%.0f,\"bytes\":%.0f,\"floor_ns\":",
           impl, s->op, (unsigned)b->world.suite, (unsigned)b->world.count, b->tree,
           median(s->ns, s->count), s->bytes);
    if (floor > 0)
        printf("%.0f,\"ratio\":%.2f}\n", floor, median(s->ratio, s->count));
    else
        printf("null,\"ratio\":null}\n");
    fflush(stdout);
}

/* The mean pace since *before, which becomes the present one. */
static double pace_since(const struct bench *b, double *before)
{
    double now = prims_pace(&b->prims), mean = (*before + now) / 2;
    *before = now;
    return mean;
}

/* ---- What work there is ---------------------------------------------------------------------- */

static unsigned depth_of(uint32_t leaf_count)
{
    unsigned depth = 0;
    while ((UINT32_C(1) << depth) < leaf_count)
        depth++;
    return depth;
}

static void measure_tree(struct bench *b)
{
    const struct tree *tree = b->world.members[0].group->tree;
    uint32_t nodes = 2 * tree_leaf_count(tree) - 1;
    b->work = (struct work){
        .members = tree_member_count(tree),
        .depth = depth_of(tree_leaf_count(tree)),
        .package = b->world.members[0].key_package.size,
    };
    size_t leaves = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        const struct tree_node *node = tree_node(tree, node_at(i));
        if (node != NULL && node->type == NODE_LEAF)
            leaves += node->u.leaf.wire.size;
        else if (node != NULL)
            b->work.parents++;
    }
    b->work.leaf = leaves / b->work.members;
}

/* The path of a commit by from, and what of it reaches to (NULL: nobody). */
static void measure_path(struct bench *b, const sotto_mls_group *from, const sotto_mls_group *to)
{
    struct tree_stage view;
    struct node_index path[LIMIT_DEPTH];
    struct node_list list;
    struct leaf_index own = from->private_state.own;
    tree_stage_init(&view, from->tree);
    node_list_init(&list, sotto_env_system());
    b->work.path = (unsigned)tree_stage_filtered_path(&view, own, path);
    b->work.above = 0;
    for (unsigned i = 0; i < b->work.path; i++) {
        bench_check(tree_stage_resolution(&view, node_child_away(path[i], own), false, &list),
                    &b->world, "resolution");
        if (to != NULL && node_covers(path[i], to->private_state.own))
            b->work.above++;
    }
    b->work.seals = (unsigned)list.count;
    node_list_free(&list);
}

/* ---- Commits --------------------------------------------------------------------------------- */

/* One member commits without proposals, the others process. In a filled tree all enter the epoch;
 * a blank one would not stay blank, so there the epoch is dropped. */
static void commit_round(struct bench *b, unsigned round, struct series *create,
                         struct series *process)
{
    struct bench_member *everyone[ACTORS + 1] = {&b->world.members[0]};
    unsigned count = 1 + b->world.actor_count;
    bool enter = strcmp(b->tree, "filled") == 0;
    for (unsigned i = 1; i < count; i++)
        everyone[i] = b->world.actors[i - 1];
    sotto_mls_group *from = everyone[round % count]->group;
    sotto_buf commit, welcome;
    sotto_mls_staged *staged;
    sotto_buf_init(&commit, sotto_env_system());
    sotto_buf_init(&welcome, sotto_env_system());
    struct work base = b->work;
    measure_path(b, from, NULL);
    struct work work = b->work;
    double pace = prims_pace(&b->prims), start = cpu_ns();
    bench_check(sotto_mls_commit(from, NULL, &commit, &welcome, &staged), &b->world, "commit");
    double made = cpu_ns() - start, create_pace = pace_since(b, &pace);
    work.bytes = commit.size;
    for (unsigned i = 0; i < count; i++) {
        sotto_mls_group *to = everyone[i]->group;
        struct sotto_mls_received received;
        if (to == from)
            continue;
        measure_path(b, from, to);
        b->work.bytes = commit.size;
        start = cpu_ns();
        bench_check(sotto_mls_process(to, sotto_buf_view(&commit), &received), &b->world,
                    "process");
        if (enter) {
            sotto_mls_staged_apply(to, received.staged);
            received.staged = NULL;
        }
        double ns = cpu_ns() - start;
        sotto_mls_received_clear(&received);
        note(process, ns, pace_since(b, &pace) * floor_commit_process(&b->prims, &b->work));
    }
    start = cpu_ns();
    if (enter)
        sotto_mls_staged_apply(from, staged);
    else
        sotto_mls_staged_drop(staged);
    note(create, made + (enter ? cpu_ns() - start : 0),
         create_pace * floor_commit_create(&b->prims, &work));
    create->bytes = process->bytes = (double)commit.size;
    b->work = base;
    sotto_buf_free(&commit);
    sotto_buf_free(&welcome);
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void message_round(struct bench *b, struct series *encrypt, struct series *decrypt)
{
    static const uint8_t text[100] = {'t'};
    sotto_mls_group *from = b->world.members[0].group, *to = b->world.actors[0]->group;
    sotto_buf messages[BATCH];
    struct sotto_mls_received received;
    double pace = prims_pace(&b->prims), start = cpu_ns();
    for (unsigned i = 0; i < BATCH; i++) {
        sotto_buf_init(&messages[i], sotto_env_system());
        bench_check(sotto_mls_encrypt(from, sotto_bytes_of(text, sizeof text), (sotto_bytes){0}, 0,
                                      &messages[i]),
                    &b->world, "encrypt");
    }
    struct work work = b->work;
    work.bytes = messages[0].size;
    double ns = (cpu_ns() - start) / BATCH;
    note(encrypt, ns, pace_since(b, &pace) * floor_encrypt(&b->prims, &work));
    start = cpu_ns();
    for (unsigned i = 0; i < BATCH; i++) {
        bench_check(sotto_mls_process(to, sotto_buf_view(&messages[i]), &received), &b->world,
                    "decrypt");
        sotto_mls_received_clear(&received);
    }
    ns = (cpu_ns() - start) / BATCH;
    note(decrypt, ns, pace_since(b, &pace) * floor_decrypt(&b->prims, &work));
    encrypt->bytes = decrypt->bytes = (double)messages[0].size;
    for (unsigned i = 0; i < BATCH; i++)
        sotto_buf_free(&messages[i]);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

/* Records one behind the other: kind, index, size, value. */
struct records {
    sotto_buf bytes;
    size_t at, end; /* of what is read */
};

static sotto_error records_put(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    struct records *records = ctx;
    uint32_t head[3] = {kind, index, (uint32_t)value.size};
    TRY(sotto_buf_append(&records->bytes, (const uint8_t *)head, sizeof head));
    return sotto_buf_append(&records->bytes, value.data, value.size);
}

static sotto_error records_erase(void *ctx, uint32_t kind, uint32_t index)
{
    (void)ctx;
    (void)kind;
    (void)index;
    return SOTTO_OK;
}

/* The group's own record first, as the header of sotto_mls_group_load recommends: a store reads it
 * by its key. */
static sotto_error records_next(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    struct records *records = ctx;
    uint32_t head[3];
    if (records->at == records->end)
        return SOTTO_NOT_FOUND;
    memcpy(head, records->bytes.data + records->at, sizeof head);
    *kind = head[0];
    *index = head[1];
    *value = sotto_bytes_of(records->bytes.data + records->at + sizeof head, head[2]);
    records->at += sizeof head + head[2];
    return SOTTO_OK;
}

/* Where each long key of a parent stands, for who asks for it. */
static size_t *find_keys(const sotto_mls_group *group, struct records *all)
{
    size_t *places = calloc(2 * (size_t)tree_leaf_count(group->tree), sizeof *places);
    uint32_t kind, index;
    sotto_bytes value;
    if (places == NULL)
        exit(1);
    while (records_next(all, &kind, &index, &value) == SOTTO_OK)
        places[index] = (size_t)(value.data - all->bytes.data);
    return places;
}

/* Everything again: the group's record, the others, and behind what is loaded the long keys. Where
 * those stand, for b->world to fetch from. */
static size_t *dump(struct bench *b, sotto_mls_group *group, struct records *out)
{
    struct records all = {0};
    sotto_buf_init(&all.bytes, sotto_env_system());
    const sotto_mls_store store = {&all, records_put, records_erase};
    group->all_dirty = true;
    bench_check(sotto_mls_group_save(group, &store), &b->world, "save");
    all.end = all.bytes.size;
    for (int pass = 0; pass < 3; pass++) {
        uint32_t kind, index;
        sotto_bytes value;
        all.at = 0;
        while (records_next(&all, &kind, &index, &value) == SOTTO_OK) {
            int place = kind == RECORD_GROUP ? 0 : kind == RECORD_KEY ? 2 : 1;
            if (place == pass)
                bench_check(records_put(out, kind, index, value), &b->world, "save");
        }
        if (pass < 2)
            out->at = out->bytes.size;
    }
    sotto_buf_free(&all.bytes);
    size_t loaded = out->at;
    out->end = out->bytes.size;
    size_t *keys = find_keys(group, out);
    out->end = loaded;
    return keys;
}

static void keeping(struct bench *b, struct series *save, struct series *load,
                    struct series *memory)
{
    struct bench_member *actor = b->world.actors[0];
    struct records all = {0}, changed = {0};
    const sotto_mls_store store = {&changed, records_put, records_erase};
    sotto_buf message;
    sotto_buf_init(&all.bytes, sotto_env_system());
    sotto_buf_init(&changed.bytes, sotto_env_system());
    sotto_buf_init(&message, sotto_env_system());
    size_t *keys = dump(b, actor->group, &all);
    b->world.stored = &all.bytes;
    b->world.stored_keys = keys;
    load->bytes = (double)all.bytes.size;
    unsigned rounds = b->rounds < 9 ? b->rounds : 9;
    for (unsigned i = 0; i < rounds; i++) {
        sotto_mls_group *group;
        size_t before = b->world.live;
        all.at = 0;
        double pace = prims_pace(&b->prims), start = cpu_ns();
        bench_check(
            sotto_mls_group_load(b->world.mls, &actor->identity, records_next, &all, &group),
            &b->world, "load");
        double ns = cpu_ns() - start;
        note(load, ns, pace_since(b, &pace) * floor_load(&b->prims, &b->work));
        note(memory, 0, 0);
        memory->bytes =
            ((double)(b->world.live - before) - (double)b->work.leaf * b->work.members) /
            b->work.members;
        sotto_buf_clear(&message);
        bench_check(
            sotto_mls_encrypt(group, sotto_bytes_str("kept"), (sotto_bytes){0}, 0, &message),
            &b->world, "encrypt");
        sotto_buf_clear(&changed.bytes);
        bench_check(sotto_mls_group_save(group, &store), &b->world, "save");
        sotto_buf_clear(&message);
        bench_check(
            sotto_mls_encrypt(group, sotto_bytes_str("kept"), (sotto_bytes){0}, 0, &message),
            &b->world, "encrypt");
        sotto_buf_clear(&changed.bytes);
        start = cpu_ns();
        bench_check(sotto_mls_group_save(group, &store), &b->world, "save");
        note(save, cpu_ns() - start, 0);
        save->bytes = (double)changed.bytes.size;
        sotto_mls_group_free(group);
    }
    b->world.stored = NULL;
    b->world.stored_keys = NULL;
    free(keys);
    sotto_buf_free(&message);
    sotto_buf_free(&all.bytes);
    sotto_buf_free(&changed.bytes);
}

/* ---- One group, one kind of tree ------------------------------------------------------------- */

static void joining(struct bench *b, struct series *join)
{
    double ns[ACTORS];
    size_t info = 0;
    double pace = prims_pace(&b->prims);
    bench_world_join(&b->world, ns);
    pace = pace_since(b, &pace);
    measure_tree(b);
    sotto_buf tree;
    sotto_buf_init(&tree, sotto_env_system());
    bench_check(sotto_mls_ratchet_tree(b->world.members[0].group, &tree), &b->world, "tree");
    info = tree.size;
    sotto_buf_free(&tree);
    for (uint32_t i = 0; i < b->world.actor_count; i++) {
        measure_path(b, b->world.members[0].group, b->world.actors[i]->group);
        b->work.bytes = info;
        note(join, ns[i], pace * floor_join(&b->prims, &b->work));
    }
    join->bytes = (double)b->world.welcome.size;
}

static void everything_else(struct bench *b)
{
    enum { CREATE, PROCESS, ENCRYPT, DECRYPT, COUNT };
    struct series own[COUNT] = {
        {.op = "commit_create"}, {.op = "commit_process"}, {.op = "encrypt"}, {.op = "decrypt"}};
    struct series theirs[PEERS_MAX][COUNT] = {0};
    struct series save = {.op = "save"}, load = {.op = "load"}, memory = {.op = "memory"};
    for (size_t p = 0; p < b->peer_count; p++) {
        for (size_t i = 0; i < COUNT; i++)
            theirs[p][i].op = own[i].op;
        struct series join = {.op = "join"};
        double ns = peer_join(&b->peers[p], &b->world);
        if (ns > 0)
            note(&join, ns, 0);
        line(b, b->peers[p].name, &join);
    }
    for (unsigned round = 0; round < b->rounds; round++) {
        commit_round(b, round, &own[CREATE], &own[PROCESS]);
        message_round(b, &own[ENCRYPT], &own[DECRYPT]);
        for (size_t p = 0; p < b->peer_count; p++)
            for (size_t i = 0; i < COUNT; i++) {
                double ns = peer_run(&b->peers[p], own[i].op);
                if (ns > 0)
                    note(&theirs[p][i], ns, 0);
            }
    }
    keeping(b, &save, &load, &memory);
    for (size_t i = 0; i < COUNT; i++) {
        line(b, "sotto", &own[i]);
        for (size_t p = 0; p < b->peer_count; p++)
            line(b, b->peers[p].name, &theirs[p][i]);
    }
    line(b, "sotto", &save);
    line(b, "sotto", &load);
    line(b, "sotto", &memory);
}

static void creating(struct bench *b)
{
    struct series create = {.op = "group_create"};
    unsigned rounds = b->world.count <= 100 ? 9 : b->world.count <= 1000 ? 3 : 1;
    for (unsigned i = 0; i < rounds; i++) {
        double pace = prims_pace(&b->prims);
        bench_world_create(&b->world);
        pace = pace_since(b, &pace);
        measure_tree(b);
        measure_path(b, b->world.members[0].group, NULL);
        b->work.added = b->world.count - 1;
        b->work.commit = b->world.commit.size;
        b->work.bytes = (b->work.leaf + 4) * b->work.members;
        note(&create, b->world.create_ns, pace * floor_group_create(&b->prims, &b->work));
        create.bytes = (double)(b->world.commit.size + b->world.welcome.size);
    }
    line(b, "sotto", &create);
    for (size_t p = 0; p < b->peer_count; p++) {
        struct series theirs = {.op = "group_create"};
        double ns = peer_create(&b->peers[p], &b->world);
        if (ns > 0)
            note(&theirs, ns, 0);
        line(b, b->peers[p].name, &theirs);
    }
}

static unsigned rounds_for(const struct bench *b, uint32_t n, bool blank)
{
    if (b->quick)
        return 3;
    if (blank && n >= 1000)
        return n >= 10000 ? 3 : 5;
    return 20;
}

static void bench_group(struct bench *b, uint16_t suite, uint32_t n)
{
    bench_world_init(&b->world, suite, n);
    prims_measure(b->world.mls->crypto, suite_by_id(suite), &b->prims);
    struct series join = {.op = "join"};
    b->tree = "blank";
    b->rounds = rounds_for(b, n, true);
    creating(b);
    joining(b, &join);
    line(b, "sotto", &join);
    everything_else(b);
    b->tree = "filled";
    b->rounds = rounds_for(b, n, false);
    prims_measure(b->world.mls->crypto, suite_by_id(suite), &b->prims);
    bench_world_fill(&b->world);
    join.count = 0;
    joining(b, &join);
    line(b, "sotto", &join);
    struct series warm[2] = {{0}, {0}};
    for (unsigned i = 0; i <= b->world.actor_count; i++) /* newcomers have not committed yet */
        commit_round(b, i, &warm[0], &warm[1]);
    measure_tree(b);
    everything_else(b);
    bench_world_free(&b->world);
}

static void options(struct bench *b, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            b->quick = true;
        } else if (strcmp(argv[i], "--large") == 0) {
            b->large = true;
        } else if (strcmp(argv[i], "--suite") == 0 && i + 1 < argc) {
            b->only_suite = (uint16_t)strtoul(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--n") == 0 && i + 1 < argc) {
            b->only_n = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--peer") == 0 && i + 2 < argc && b->peer_count < PEERS_MAX) {
            peer_start(&b->peers[b->peer_count++], argv[i + 1], argv[i + 2]);
            i += 2;
        } else {
            fprintf(stderr, "usage: bench_mls [--quick] [--large] [--suite N] [--n N]"
                            " [--peer NAME COMMAND]...\n");
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static const uint16_t suites[] = {0x0001, 0x004D};
    static const uint32_t sizes[] = {2, 10, 100, 1000, 10000, 50000};
    static struct bench b;
    options(&b, argc, argv);
    size_t count = b.large ? 6 : b.quick ? 3 : 5;
    for (size_t s = 0; s < sizeof suites / sizeof suites[0]; s++) {
        if (b.only_suite != 0 && b.only_suite != suites[s])
            continue;
        if (b.only_n >= 2) {
            bench_group(&b, suites[s], b.only_n);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            bench_group(&b, suites[s], sizes[i]);
    }
    for (size_t p = 0; p < b.peer_count; p++)
        peer_stop(&b.peers[p]);
    return 0;
}
