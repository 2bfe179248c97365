/* What the relay's store does in a second: one JSON object a line. Appends of 1 KiB into 100 rooms,
 * with 1, 64 and 1024 under way at a time, each durable before it counts; then reading them back in
 * the batches of a subscription. The folder is TMPDIR's, so that a disk can be chosen. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "relay/store_sqlite.h"

enum { ROOMS = 100, ENTRY = 1024, SECONDS = 3, STEPS = 20000, STEP_US = 100 };

struct bench {
    struct store *store;
    struct store_port *port;
    uint64_t id, done;
    size_t under_way;
    uint32_t took[STEPS]; /* operations by how long they took */
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of all threads. */
static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void check(sotto_error error)
{
    if (error != SOTTO_OK) {
        fprintf(stderr, "bench_store: %s\n", sotto_error_text(error));
        exit(1);
    }
}

static struct room_id room_of(uint64_t n)
{
    struct room_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

static void create_rooms(struct bench *bench)
{
    for (uint64_t i = 0; i < ROOMS; i++) {
        struct store_op *op = store_op_new(sotto_env_system(), STORE_ROOM_CREATE);
        op->room_create.room = room_of(i);
        op->room_create.size = ROOM_SIZE_UNLIMITED;
        store_call(bench->port, op);
        check(op->code == 0 ? SOTTO_OK : SOTTO_INTERNAL);
        store_op_free(op);
    }
}

static void on_done(struct store_op *op)
{
    struct bench *bench = op->ctx;
    uint64_t step = (now_ns() / 1000 - op->submitted_us) / STEP_US;
    bench->took[step < STEPS ? step : STEPS - 1]++;
    bench->under_way--;
    bench->done++;
    check(op->code == 0 ? SOTTO_OK
                        : SOTTO_INTERNAL); /* a refusal costs nothing, and says nothing */
}

static void submit_append(struct bench *bench)
{
    static const uint8_t bytes[ENTRY];
    struct store_op *op = store_op_new(sotto_env_system(), STORE_ROOM_APPEND);
    struct append append = {.kind = ENTRY_MESSAGE, .bytes = {bytes, sizeof bytes}};
    bench->id++;
    memcpy(append.append_id.bytes, &bench->id, sizeof bench->id);
    op->append.room = room_of(bench->id % ROOMS);
    op->append.append_id = append.append_id;
    op->append.kind = ENTRY_MESSAGE;
    check(blob_of_append(sotto_env_system(), &append, &op->append.blob));
    op->port = bench->port;
    op->done = on_done;
    op->ctx = bench;
    bench->under_way++;
    store_submit(bench->store, op);
}

/* Of all operations that share took no longer; milliseconds. */
static double took_ms(const struct bench *bench, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)bench->done), seen = 0;
    size_t step = 0;
    while (step < STEPS - 1 && (seen += bench->took[step]) < wanted)
        step++;
    return (double)(step + 1) * STEP_US / 1000;
}

static void run_appends(struct bench *bench, size_t at_a_time)
{
    struct pollfd wait = {.fd = store_port_fd(bench->port), .events = POLLIN};
    uint64_t begin = now_ns(), end = begin + SECONDS * 1000000000ull;
    double cpu = cpu_us();
    bench->done = 0;
    memset(bench->took, 0, sizeof bench->took);
    while (now_ns() < end || bench->under_way > 0) {
        while (bench->under_way < at_a_time && now_ns() < end)
            submit_append(bench);
        poll(&wait, 1, -1);
        store_port_run(bench->port);
    }
    double seconds = (double)(now_ns() - begin) / 1e9;
    printf("{\"impl\":\"sotto\",\"op\":\"relay append\",\"bytes\":%d,\"under_way\":%zu,"
           "\"per_second\":%.0f,\"cpu_us\":%.2f,"
           "\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"p999_ms\":%.1f}\n",
           ENTRY, at_a_time, (double)bench->done / seconds, (cpu_us() - cpu) / (double)bench->done,
           took_ms(bench, 0.5), took_ms(bench, 0.99), took_ms(bench, 0.999));
    fflush(stdout);
}

static void run_fetches(struct bench *bench)
{
    uint64_t begin = now_ns(), entries = 0;
    for (int64_t key = 1; key <= ROOMS; key++) {
        for (uint64_t from = 1, last = 1; last != 0; from = last + 1) {
            struct store_op *op = store_op_new(sotto_env_system(), STORE_ROOM_FETCH);
            op->room_fetch.key = key;
            op->room_fetch.from = from;
            op->room_fetch.until = UINT64_MAX;
            store_call(bench->port, op);
            last = op->room_fetch.blob != NULL ? op->room_fetch.last : 0;
            entries += last != 0 ? last - from + 1 : 0;
            store_op_free(op);
        }
    }
    printf("{\"impl\":\"sotto\",\"op\":\"relay fetch\",\"bytes\":%d,\"per_second\":%.0f}\n", ENTRY,
           (double)entries * 1e9 / (double)(now_ns() - begin));
}

int main(void)
{
    static struct bench bench;
    char folder[512], path[600], other[700];
    const char *top = getenv("TMPDIR"), *why;
    snprintf(folder, sizeof folder, "%s/sotto-bench-XXXXXX", top != NULL ? top : "/tmp");
    if (mkdtemp(folder) == NULL) {
        perror("bench_store");
        return 1;
    }
    snprintf(path, sizeof path, "%s/relay.db", folder);
    const struct store_sqlite_options options = {.path = path, .readers = 2};
    check(store_sqlite_open(sotto_env_system(), &options, &bench.store, &why));
    check(store_port_open(bench.store, NULL, NULL, &bench.port));
    create_rooms(&bench);
    run_appends(&bench, 1);
    run_appends(&bench, 64);
    run_appends(&bench, 1024);
    run_fetches(&bench);
    store_close(bench.store);
    store_port_close(bench.port);
    for (size_t i = 0; i < 3; i++) {
        snprintf(other, sizeof other, "%s%s", path, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
        unlink(other);
    }
    rmdir(folder);
    return 0;
}
