#include "load_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load_abuse.h"
#include "load_echo.h"
#include "load_floor.h"
#include "load_peers.h"
#include "load_protocols.h"

enum { TARGETS = 8 };

static void start_relay(const char *program, const char *name, const char *rate_limit,
                        struct target *target)
{
    char data[512], ready[512], line[512], sottod[4096];
    *target = (struct target){.name = name, .protocol = &load_sotto};
    process_folder(&target->process, "sotto");
    snprintf(data, sizeof data, "%s/data", target->process.folder);
    snprintf(ready, sizeof ready, "%s/ready", target->process.folder);
    if (realpath(program, sottod) == NULL)
        load_die("there is no %s", program);
    process_start(&target->process,
                  (const char *const[]){sottod, "--data", data, "--listen", "127.0.0.1:0",
                                        "--ready-file", ready, "--rate-limit", rate_limit,
                                        "--room-mib", "0", "--max-connections", "30000",
                                        "--allow-core", NULL},
                  NULL);
    process_wait_file(&target->process, "ready", line, sizeof line);
    line[strcspn(line, "#")] = '\0';
    target->address = process_address((in_port_t)strtoul(strrchr(line, ':') + 1, NULL, 10));
}

void sotto_start(const struct plan *plan, struct target *target)
{
    start_relay(plan->sottod, "sotto", "off", target);
}

static void echo_target(struct target *target, const struct load_protocol *protocol,
                        const struct echo_options *options)
{
    *target = (struct target){.name = protocol->name, .protocol = protocol};
    target->address = process_address(echo_start(&target->process, options));
    target->writer_listens = !options->fan && !options->pairs;
}

static void end_target(struct target *target)
{
    target_close(target);
    process_end(&target->process);
}

/* ---- Rooms of two, one writer and one reader ------------------------------------------------- */

struct group {
    struct target targets[TARGETS];
    struct result *results[TARGETS];
    size_t count;
};

/* Answers what those that wait for their turn are asked, such as whether they are still there. */
static void step_all(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        load_loop_step(&group->targets[i].loop, load_now_ns());
}

/* The systems take turns: what the machine does meanwhile meets them all. */
static void drive_group(struct group *group, const struct plan *plan, const char *name,
                        unsigned window, double (*rate_of)(const struct group *, size_t))
{
    for (size_t i = 0; i < group->count; i++)
        group->results[i] = result_new(group->targets[i].name, name, window,
                                       rate_of == NULL ? 0 : rate_of(group, i));
    for (unsigned round = 0; round < plan->rounds; round++)
        for (size_t i = 0; i < group->count; i++) {
            target_drive(&group->targets[i], group->results[i], plan->warm_s, plan->seconds);
            step_all(group);
        }
    for (size_t i = 0; i < group->count; i++)
        result_print(group->results[i], (const struct result *const *)group->results,
                     i == 0 ? group->count : 0);
}

static void free_results(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        free(group->results[i]);
}

static void begin_group(struct group *group, const struct plan *plan, size_t channels, bool others)
{
    *group = (struct group){0};
    sotto_start(plan, &group->targets[group->count++]);
    if (plan->against != NULL)
        start_relay(plan->against, "against", "off", &group->targets[group->count++]);
    if (plan->floor) {
        echo_target(&group->targets[group->count++], &load_echo,
                    &(struct echo_options){.threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)});
        echo_target(&group->targets[group->count++], &load_pair,
                    &(struct echo_options){.threads = 1, .pairs = true});
    }
    if (plan->peers && others)
        group->count += peers_start(&group->targets[group->count], plan->peer);
    for (size_t i = 0; i < group->count; i++)
        target_open(&group->targets[i], channels, 1);
}

static void end_group(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        end_target(&group->targets[i]);
}

static double thousand(const struct group *group, size_t i)
{
    (void)group;
    (void)i;
    return 1000;
}

static double saturation[TARGETS]; /* acknowledged a second at window 16 */

static double half(const struct group *group, size_t i)
{
    (void)group;
    return saturation[i] / 2;
}

static void rooms(const struct plan *plan, const char *name, size_t channels, bool others)
{
    struct group group;
    begin_group(&group, plan, channels, others);
    drive_group(&group, plan, name, 1, NULL);
    free_results(&group);
    drive_group(&group, plan, name, 16, NULL);
    for (size_t i = 0; i < group.count; i++)
        saturation[i] = result_acked_per_s(group.results[i]);
    free_results(&group);
    drive_group(&group, plan, name, 0, thousand);
    free_results(&group);
    drive_group(&group, plan, name, 0, half);
    free_results(&group);
    end_group(&group);
}

static void rooms_100(const struct plan *plan)
{
    rooms(plan, "rooms_100", plan->quick ? 10 : 100, true);
}

static void rooms_1000(const struct plan *plan)
{
    rooms(plan, "rooms_1000", plan->quick ? 50 : 1000, false);
}

/* ---- One room, many subscribers -------------------------------------------------------------- */

static void fanout(const struct plan *plan)
{
    struct group group = {0};
    size_t readers = plan->quick ? 50 : 1000;
    sotto_start(plan, &group.targets[group.count++]);
    if (plan->floor) {
        echo_target(&group.targets[group.count++], &load_fan,
                    &(struct echo_options){.threads = 1, .fan = true});
        group.targets[1].acks_by_delivery = true;
    }
    for (size_t i = 0; i < group.count; i++)
        target_open(&group.targets[i], 1, readers);
    drive_group(&group, plan, "fanout_1000", 1, NULL);
    free_results(&group);
    drive_group(&group, plan, "fanout_1000", 16, NULL);
    free_results(&group);
    end_group(&group);
}

/* ---- Idle connections ------------------------------------------------------------------------ */

static void close_all(struct load_conn **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        load_close(list[i]);
    free(list);
}

/* The floor first, alone: the connections of both do not fit into the usual limit of open files. */
static void idle(const struct plan *plan)
{
    size_t count = plan->quick ? 200 : 10000;
    struct result *bare = result_new("tls_echo", "idle_10000", 0, 1000);
    struct result *result = result_new("sotto", "idle_10000", 0, 1000);
    struct target target;
    if (plan->floor) {
        echo_target(&target, &load_echo, &(struct echo_options){.threads = 2});
        target_open(&target, 100, 1);
        struct load_conn **list = target_open_idle(&target, count, 32, bare);
        target_drive(&target, bare, plan->warm_s, plan->seconds * plan->rounds);
        close_all(list, count);
        end_target(&target);
        result_print(bare, NULL, 0);
    }
    sotto_start(plan, &target);
    target_open(&target, 100, 1);
    struct load_conn **list = target_open_idle(&target, count, 32, result);
    target_drive(&target, result, plan->warm_s, plan->seconds * plan->rounds);
    close_all(list, count);
    end_target(&target);
    result_print(result, &(const struct result *){bare}, plan->floor ? 1 : 0);
    free(bare);
    free(result);
}

/* ---- Catching up ------------------------------------------------------------------------------
 */

struct reading {
    struct load_conn *conn;
    size_t ready, left;
};

static void on_read(struct load_conn *conn, enum load_event event, uint64_t index)
{
    struct reading *reading = conn->ctx;
    (void)index;
    if (event == LOAD_READY)
        reading->ready = 0;
    else if (event == LOAD_DELIVERED)
        reading->left -= reading->left > 0;
    else
        load_die("a reader was lost");
}

/* One reader from its first request to the last entry. */
static void read_backlog(struct target *target, struct result *result, size_t entries)
{
    struct reading reading = {.ready = 1, .left = entries};
    bool asks = target->protocol == &load_fan;
    double cpu = process_cpu_us(&target->process);
    uint64_t begin = load_now_ns();
    reading.conn = load_open(&target->loop, target->protocol, &target->address,
                             asks ? LOAD_IDLE : LOAD_READS, 0, on_read, &reading);
    if (asks) {
        load_loop_wait(&target->loop, &reading.ready, 30, "a connection to the floor");
        target->protocol->send(reading.conn, 0);
    }
    load_loop_wait(&target->loop, &reading.left, 120, "entries of the backlog");
    uint64_t ns = load_now_ns() - begin;
    result->cpu_us += process_cpu_us(&target->process) - cpu;
    result->seconds += (double)ns / 1e9;
    result->delivered += entries;
    histogram_add(&result->latency, ns);
    load_close(reading.conn);
}

static void write_backlog(struct target *target, size_t entries)
{
    struct result *writing = result_new(target->name, "backlog", 16, 0);
    target_open(target, 1, 1);
    while (target->channels[0].done < entries)
        target_drive(target, writing, 0, 0.05);
    free(writing);
}

static void catchup(const struct plan *plan)
{
    size_t entries = plan->quick ? 500 : 10000, count = 1;
    struct target targets[2] = {0};
    struct result *results[2] = {NULL, NULL};
    sotto_start(plan, &targets[0]);
    write_backlog(&targets[0], entries);
    if (plan->floor) {
        count = 2;
        targets[1] = (struct target){.name = "sqlite_scan_tls", .protocol = &load_fan};
        targets[1].address = process_address(echo_start_scan(&targets[1].process, entries));
        load_loop_init(&targets[1].loop);
    }
    for (size_t i = 0; i < count; i++)
        results[i] = result_new(targets[i].name, "catchup_10000", 0, 0);
    for (unsigned round = 0; round < 2 * plan->rounds; round++)
        for (size_t i = 0; i < count; i++)
            read_backlog(&targets[i], results[i], entries);
    for (size_t i = 0; i < count; i++) {
        results[i]->cpu_per = (double)results[i]->delivered;
        results[i]->rss_kb = process_rss_kb(&targets[i].process);
    }
    for (size_t i = 0; i < count; i++)
        result_print(results[i], (const struct result *const *)results, i == 0 ? count : 0);
    for (size_t i = 0; i < count; i++)
        free(results[i]);
    end_target(&targets[0]);
    if (plan->floor)
        end_target(&targets[1]);
}

/* ---- Mixed ------------------------------------------------------------------------------------
 */

/* Rooms of five in which everybody listens, the writer too, while people come and go: each comes
 * anew, reads a backlog and leaves. */
static void mixed(const struct plan *plan)
{
    size_t channels = plan->quick ? 10 : 200, coming = 0;
    struct target target;
    struct result *result;
    sotto_start(plan, &target);
    target.writer_listens = true;
    target_open(&target, channels, 5);
    result = result_new("sotto", "mixed", 1, 0);
    for (unsigned round = 0; round < plan->rounds; round++)
        target_drive(&target, result, plan->warm_s, plan->seconds);
    result_print(result, NULL, 0);
    double rate = result_acked_per_s(result) / 2;
    free(result);
    result = result_new("sotto", "mixed", 0, rate);
    struct result *reading = result_new("sotto", "mixed_catchup", 0, 0);
    for (unsigned round = 0; round < plan->rounds; round++, coming++) {
        target_drive(&target, result, plan->warm_s, plan->seconds);
        read_backlog(&target, reading, target.channels[0].done);
    }
    result_print(result, NULL, 0);
    free(result);
    free(reading);
    end_target(&target);
}

/* ---- Abuse ------------------------------------------------------------------------------------
 */

/* The same honest traffic with nobody else, and with one kind of bad clients at a time, in turns.
 * What limits an address is on. */
static void abuse(const struct plan *plan)
{
    enum { KINDS = 16, ABUSE_WARM = 10 }; /* what they begin with is over by then */
    struct target target;
    struct result *results[KINDS] = {result_new("sotto", "abuse_none", 0, 1000)};
    size_t rooms = plan->quick ? 10 : 100;
    start_relay(plan->sottod, "sotto", "on", &target);
    target_open(&target, rooms, 1);
    struct result *backlog = result_new("sotto", "backlog", 16, 0);
    target_drive(&target, backlog, 0, 2 * plan->seconds);
    free(backlog);
    for (size_t i = 0; i < load_abuse_count; i++)
        results[i + 1] = result_new("sotto", load_abuses[i].name, 0, 1000);
    for (unsigned round = 0; round < plan->rounds; round++) {
        target_drive(&target, results[0], plan->warm_s, plan->seconds);
        for (size_t i = 0; i < load_abuse_count; i++) {
            struct process bad = {0};
            abuse_start(&load_abuses[i], &target.address, (uint32_t)rooms, &bad);
            target_drive(&target, results[i + 1], ABUSE_WARM * plan->warm_s, plan->seconds);
            if (!process_alive(&bad))
                process_die(&bad, "bad clients have given up");
            process_end(&bad);
        }
    }
    for (size_t i = 0; i <= load_abuse_count; i++)
        result_print(results[i], (const struct result *const *)results, i == 0 ? 0 : 1);
    for (size_t i = 0; i <= load_abuse_count; i++)
        free(results[i]);
    end_target(&target);
}

/* ---- All --------------------------------------------------------------------------------------
 */

static void store_floor(const struct plan *plan)
{
    static const unsigned sizes[] = {1, 16, 100, 1000};
    double seconds = plan->quick ? 0.1 : 1;
    floor_fdatasync(seconds);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        floor_sqlite(sizes[i], seconds);
}

void cases_run(const struct plan *plan)
{
    static const struct {
        const char *name;
        void (*run)(const struct plan *plan);
        bool floor;
    } cases[] = {
        {"store", store_floor, true},      {"rooms_100", rooms_100, false},
        {"rooms_1000", rooms_1000, false}, {"fanout_1000", fanout, false},
        {"idle_10000", idle, false},       {"catchup_10000", catchup, false},
        {"mixed", mixed, false},           {"abuse", abuse, false},
    };
    bool found = false;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (plan->only != NULL && strcmp(plan->only, cases[i].name) != 0)
            continue;
        found = true;
        if (!cases[i].floor || plan->floor)
            cases[i].run(plan);
    }
    if (!found)
        load_die("there is no case %s", plan->only);
}
