/* sim [--seed N] [--seeds COUNT] [--days D] [--clients C] [...]: runs the simulation; says of each
 * failure which seed shows it again. */
#include "sim/sim.h"

#include <getopt.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* What a seed's relay is like: each of them is bad in its own way. */
static void weather_choose(struct world *world)
{
    struct weather *weather = &world->weather;
    struct chance *chance = &world->chance;
    *weather = (struct weather){.latency_ms = 20, .jitter_ms = 30};
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
    weather_choose(world);
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
    free(world->events);
    free(world->sent);
    free(world);
    return good;
}

/* ---- The program -------------------------------------------------------------------------------
 */

static char crash_line[200];

static void on_crash(int signal_number)
{
    ssize_t n = write(STDOUT_FILENO, crash_line, strlen(crash_line));
    (void)n;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static bool run_one(const struct options *options, bool twice)
{
    struct outcome outcome, again;
    struct timespec begun, ended;
    (void)snprintf(crash_line, sizeof crash_line,
                   "seed %llu crashed: ./dev sim --seed %llu --days %u --clients %u\n",
                   (unsigned long long)options->seed, (unsigned long long)options->seed,
                   options->days, options->people);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    bool good = sim_run(options, &outcome);
    clock_gettime(CLOCK_MONOTONIC, &ended);
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
        printf("again: ./dev sim --seed %llu --days %u --clients %u%s%s\n",
               (unsigned long long)options->seed, options->days, options->people,
               options->calm ? " --calm" : "", options->busy ? " --busy" : "");
    if (!options->quiet) {
        printf("seed %llu: %u clients, %u rooms, %llu messages, %llu entries, %llu requests, "
               "%llu pushes, %llu cuts, %llu crashes, %llu forks, %.1f s, ",
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

static void usage(void)
{
    fputs("usage: sim [--seed N] [--seeds COUNT] [--days D] [--clients C] [--messages M] [--calm]\n"
          "           [--busy] [--twice] [--seconds S] [--quiet] [--tap] [--trace]\n",
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
        {"quiet", no_argument, NULL, 'q'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.seed = 1, .days = 14, .people = 6};
    unsigned long long count = 1, failed = 0, done = 0;
    bool twice = false;
    unsigned limit_s = 0;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        unsigned long long number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case 's':
            options.seed = number;
            break;
        case 'n':
            count = number;
            break;
        case 'd':
            options.days = (unsigned)number;
            break;
        case 'c':
            options.people = (unsigned)number;
            break;
        case 'm':
            options.messages_a_day = (unsigned)number;
            break;
        case 'k':
            options.calm = true;
            break;
        case 'b':
            options.busy = true;
            break;
        case 't':
            twice = true;
            break;
        case 'l':
            limit_s = (unsigned)number;
            break;
        case 'v':
            options.trace = true;
            break;
        case 'p':
            options.tap = options.quiet = true;
            break;
        case 'q':
            options.quiet = true;
            break;
        default:
            usage();
            return 2;
        }
    }
    if (sodium_init() < 0 || options.people < 2 || options.days == 0) {
        usage();
        return 2;
    }
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    if (options.tap)
        printf("1..%llu\n", count);
    time_t begun = time(NULL);
    for (; done < count; done++, options.seed++) {
        if (limit_s > 0 && time(NULL) - begun >= (time_t)limit_s)
            break;
        failed += !run_one(&options, twice);
    }
    if (!options.tap)
        printf("%llu of %llu seeds failed\n", failed, done);
    return failed == 0 ? 0 : 1;
}
