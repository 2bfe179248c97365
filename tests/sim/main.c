/* sim [--seed N] [--seeds COUNT] [--days D] [--clients C] [...]: runs the simulation; says of each
 * failure which seed shows it again. */
#include "sim/sim.h"

#include <getopt.h>
#include <malloc.h>
#include <sqlite3.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a seed's relay is like: each of them is bad in its own way. */
static void weather_choose(struct world *world)
{
    struct weather *weather = &world->weather;
    struct chance *chance = &world->chance;
    *weather = (struct weather){.latency_ms = 20, .jitter_ms = 30, .keep_days = 30};
    if (world->options.calm)
        return;
    weather->latency_ms = 5 + (uint32_t)chance_below(chance, 200);
    weather->jitter_ms = (uint32_t)chance_below(chance, 400);
    weather->crash = (uint32_t)chance_below(chance, 4) * 40000;
    weather->needs_tokens = chance_below(chance, 3) == 0;
    if (chance_below(chance, 2) == 0) {
        weather->slow = (uint32_t)chance_below(chance, 20000);
        weather->slow_ms = 1000 + (uint32_t)chance_below(chance, 70000);
    }
    if (chance_below(chance, 2) == 0) {
        weather->cut_before = (uint32_t)chance_below(chance, 20000);
        weather->cut_after = (uint32_t)chance_below(chance, 20000);
        weather->refuse_connection = (uint32_t)chance_below(chance, 100000);
    }
    if (chance_below(chance, 2) == 0)
        weather->unavailable = (uint32_t)chance_below(chance, 30000);
    if (chance_below(chance, 2) == 0) {
        weather->repeat_push = (uint32_t)chance_below(chance, 100000);
        weather->repeat_answer = (uint32_t)chance_below(chance, 100000);
    }
    if (chance_below(chance, 2) == 0) {
        weather->reorder = (uint32_t)chance_below(chance, 300000);
        weather->reorder_ms = (uint32_t)chance_below(chance, 5000);
    }
    if (chance_below(chance, 3) == 0)
        weather->withhold = (uint32_t)chance_below(chance, 30000);
    if (chance_below(chance, 3) == 0) {
        weather->outage_days = 2 + (uint32_t)chance_below(chance, 10);
        weather->outage_hours = 1 + (uint32_t)chance_below(chance, 30);
    }
    if (chance_below(chance, 4) == 0)
        weather->skew_s = 1 + (uint32_t)chance_below(chance, 86400);
    if (chance_below(chance, 5) == 0)
        weather->fork = 5000 + (uint32_t)chance_below(chance, 50000);
}

/* By chance of its own, so that a seed's weather is what it was before there were habits. */
static void habits_choose(struct world *world)
{
    struct chance chance = {.state = ~world->options.seed};
    if (world->options.busy)
        return;
    world->habits.timers = chance_below(&chance, 4) == 0;
    world->habits.files = chance_below(&chance, 4) == 0;
    world->habits.labels = chance_below(&chance, 4) == 0;
    if (!world->options.calm && chance_below(&chance, 5) == 0)
        world->weather.keep_days = 1 + (uint32_t)chance_below(&chance, 4);
    if (!world->options.calm && chance_below(&chance, 4) == 0)
        world->weather.mute = (uint32_t)chance_below(&chance, 50000);
}

static sotto_error world_random(void *ctx, uint8_t *out, size_t size)
{
    struct world *world = ctx;
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {1};
    world->drawn++;
    memcpy(nonce, &world->drawn, sizeof world->drawn);
    crypto_stream_chacha20(out, size, nonce, world->key);
    return SOTTO_OK;
}

static uint64_t world_now(void *ctx)
{
    return SIM_BEGIN_S + ((const struct world *)ctx)->now_ms / 1000;
}

bool sim_run(const struct options *options, struct outcome *outcome)
{
    struct world *world = sim_alloc(sizeof *world);
    world->options = *options;
    world->chance.state = options->seed;
    world->end_ms = options->days * SIM_DAY_MS;
    world->env = *sotto_env_system();
    world->env.ctx = world;
    world->env.random = world_random;
    world->env.now = world_now;
    crypto_generichash(world->key, sizeof world->key, (const uint8_t *)&options->seed,
                       sizeof options->seed, NULL, 0);
    crypto_generichash_init(&world->transcript, NULL, 0, sizeof outcome->transcript);
    /* What SQLite draws itself, such as for `random()`: whom a device asks to let it in again. */
    int drawn = (int)(options->seed % INT32_MAX) + 1;
    BUG_UNLESS(sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, drawn, NULL) == SQLITE_OK);
    weather_choose(world);
    habits_choose(world);
    disk_register(world);
    crypto_watch(world, &world->watched);
    relay_begin(world);
    people_begin(world);
    world_run(world);
    check_end(world);
    *outcome = (struct outcome){
        .requests = world->requests,
        .pushes = world->pushes,
        .crashes = world->crashes,
        .forks = world->forks,
        .cuts = world->cuts,
        .entries = world->entries,
        .texts = world->sent_count,
        .clients = world->client_count,
        .rooms = (unsigned)world->room_count,
    };
    crypto_generichash_final(&world->transcript, outcome->transcript, sizeof outcome->transcript);
    bool good = world->failures == 0;
    people_end(world);
    while (world->event_count > 0)
        sotto_buf_free(&world->events[--world->event_count].bytes);
    while (world->conns != NULL) {
        world->conns->holds = 1;
        conn_release(world->conns);
    }
    relay_end(world);
    disk_forget(world);
    digest_free(&world->sealed);
    digest_free(&world->keys);
    digest_free(&world->named);
    digest_free(&world->found);
    free(world->events);
    free(world->numbered);
    free(world->sent);
    free(world);
    return good;
}

/* ---- One seed ----------------------------------------------------------------------------------
 */

static char crash_line[200];

static void on_crash(int signal_number)
{
    ssize_t n = write(STDOUT_FILENO, crash_line, strlen(crash_line));
    (void)n;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* The command that shows a seed's run again. */
static void command_of(const struct options *options, char *out, size_t size)
{
    int used = snprintf(out, size, "./dev sim --seed %llu --days %u --clients %u",
                        (unsigned long long)options->seed, options->days, options->people);
    if (options->messages_a_day > 0)
        used +=
            snprintf(out + used, size - (size_t)used, " --messages %u", options->messages_a_day);
    (void)snprintf(out + used, size - (size_t)used, "%s%s", options->calm ? " --calm" : "",
                   options->busy ? " --busy" : "");
}

static bool run_one(const struct options *options, bool twice)
{
    struct outcome outcome, again;
    struct timespec begun, ended;
    char command[160];
    command_of(options, command, sizeof command);
    (void)snprintf(crash_line, sizeof crash_line, "seed %llu crashed: %s\n",
                   (unsigned long long)options->seed, command);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
    bool good = sim_run(options, &outcome);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    double seconds =
        (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9;
    if (good && twice && sim_run(options, &again) &&
        memcmp(outcome.transcript, again.transcript, sizeof again.transcript) != 0) {
        printf("seed %llu: the same seed gave another transcript\n",
               (unsigned long long)options->seed);
        good = false;
    }
    if (options->tap)
        printf("%sok - seed %llu\n", good ? "" : "not ", (unsigned long long)options->seed);
    else if (!good)
        printf("again: %s\n", command);
    if (!options->quiet) {
        printf("seed %llu: %u clients, %u rooms, %llu messages, %llu entries, %llu requests, "
               "%llu pushes, %llu cuts, %llu crashes, %llu forks, %.1f s of the processor, ",
               (unsigned long long)options->seed, outcome.clients, outcome.rooms,
               (unsigned long long)outcome.texts, (unsigned long long)outcome.entries,
               (unsigned long long)outcome.requests, (unsigned long long)outcome.pushes,
               (unsigned long long)outcome.cuts, (unsigned long long)outcome.crashes,
               (unsigned long long)outcome.forks, seconds);
        for (size_t i = 0; i < sizeof outcome.transcript; i++)
            printf("%02x", outcome.transcript[i]);
        printf("\n");
    }
    fflush(stdout);
    return good;
}

/* ---- All seeds: in this process, or in several, each of which takes the next one that nobody has
 */

struct work {
    struct options options;
    bool twice;
    uint64_t count;
    time_t ends; /* 0: never */
    struct {     /* shared by all processes */
        _Atomic uint64_t next, done, failed;
    } * shared;
};

static void work_on(const struct work *work)
{
    struct options options = work->options;
    while (work->ends == 0 || time(NULL) < work->ends) {
        uint64_t at = atomic_fetch_add(&work->shared->next, 1);
        if (at >= work->count)
            return;
        options.seed = work->options.seed + at;
        if (!run_one(&options, work->twice))
            atomic_fetch_add(&work->shared->failed, 1);
        atomic_fetch_add(&work->shared->done, 1);
    }
}

static pid_t worker_start(const struct work *work)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work_on(work);
        fflush(stdout);
        _exit(0);
    }
    return pid;
}

/* A worker that crashes has said with which seed, and another one takes its place. */
static void work_shared(const struct work *work, unsigned jobs)
{
    for (unsigned i = 0; i < jobs; i++)
        if (worker_start(work) < 0)
            abort();
    for (int status; wait(&status) > 0;) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        atomic_fetch_add(&work->shared->failed, 1);
        atomic_fetch_add(&work->shared->done, 1);
        if (worker_start(work) < 0)
            abort();
    }
}

/* ---- The program -------------------------------------------------------------------------------
 */

static void usage(void)
{
    fputs("usage: sim [--seed N] [--seeds COUNT] [--days D] [--clients C] [--messages M] [--calm]\n"
          "           [--busy] [--twice] [--seconds S] [--jobs J] [--quiet] [--tap] [--trace]\n",
          stderr);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'n'},
        {"days", required_argument, NULL, 'd'},
        {"clients", required_argument, NULL, 'c'},
        {"messages", required_argument, NULL, 'm'},
        {"calm", no_argument, NULL, 'k'},
        {"busy", no_argument, NULL, 'b'},
        {"twice", no_argument, NULL, 't'},
        {"tap", no_argument, NULL, 'p'},
        {"trace", no_argument, NULL, 'v'},
        {"seconds", required_argument, NULL, 'l'},
        {"jobs", required_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},
        {NULL, 0, NULL, 0},
    };
    struct work work = {.options = {.seed = 1, .days = 14, .people = 6}, .count = 1};
    struct options *options = &work.options;
    unsigned jobs = 1;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        unsigned long long number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case 's':
            options->seed = number;
            break;
        case 'n':
            work.count = number;
            break;
        case 'd':
            options->days = (unsigned)number;
            break;
        case 'c':
            options->people = (unsigned)number;
            break;
        case 'm':
            options->messages_a_day = (unsigned)number;
            break;
        case 'k':
            options->calm = true;
            break;
        case 'b':
            options->busy = true;
            break;
        case 't':
            work.twice = true;
            break;
        case 'l':
            work.ends = time(NULL) + (time_t)number;
            break;
        case 'j':
            jobs = (unsigned)number;
            break;
        case 'v':
            options->trace = true;
            break;
        case 'p':
            options->tap = options->quiet = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        default:
            usage();
            return 2;
        }
    }
    if (sodium_init() < 0 || options->people < 2 || options->days == 0 || jobs == 0 ||
        jobs > 1000) {
        usage();
        return 2;
    }
    /* Memory that was had once is kept: clients come and go by the thousand. One thread, and nobody
     * asks how much memory SQLite has. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        abort();
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    work.shared =
        mmap(NULL, sizeof *work.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (work.shared == MAP_FAILED)
        abort();
    if (options->tap)
        printf("1..%llu\n", (unsigned long long)work.count);
    if (jobs == 1)
        work_on(&work);
    else
        work_shared(&work, jobs);
    uint64_t failed = atomic_load(&work.shared->failed);
    if (!options->tap)
        printf("%llu of %llu seeds failed\n", (unsigned long long)failed,
               (unsigned long long)atomic_load(&work.shared->done));
    return failed == 0 ? 0 : 1;
}
