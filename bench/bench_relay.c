/* What the relay carries: the real sottod on loopback under TLS and WebSocket, and beside it the
 * machine's own limits and other servers. One JSON object a line; docs/BENCH_RELAY.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load_cases.h"

static _Noreturn void usage(void)
{
    fputs("usage: bench_relay [--quick] [--floor] [--peers] [--peer NAME] [--case NAME]"
          " [--rounds N] [--seconds S] [--sottod PATH] [--against PATH]\n",
          stderr);
    exit(2);
}

static const char *value_of(int argc, char **argv, int *at)
{
    if (++*at >= argc)
        usage();
    return argv[*at];
}

static void make_quick(struct plan *plan)
{
    plan->quick = true;
    plan->warm_s = 0.02;
    plan->seconds = 0.05;
    plan->rounds = 1;
}

static void stop(int signal)
{
    (void)signal;
    exit(1); /* the children go with their parent, and process_end_all clears away */
}

int main(int argc, char **argv)
{
    struct plan plan = {.warm_s = 0.3, .seconds = 1, .rounds = 5};
    struct rlimit files;
    char built[4096];
    const char *slash = strrchr(argv[0], '/');
    int folder = slash == NULL ? 0 : (int)(slash - argv[0]) + 1;
    (void)snprintf(built, sizeof built, "%.*s../src/relay/sottod", folder, argv[0]);
    plan.sottod = built; /* of the same build */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            make_quick(&plan);
        else if (strcmp(argv[i], "--sottod") == 0)
            plan.sottod = value_of(argc, argv, &i);
        else if (strcmp(argv[i], "--against") == 0)
            plan.against = value_of(argc, argv, &i);
        else if (strcmp(argv[i], "--floor") == 0)
            plan.floor = true;
        else if (strcmp(argv[i], "--peers") == 0)
            plan.peers = true;
        else if (strcmp(argv[i], "--peer") == 0) {
            plan.peers = true;
            plan.peer = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--case") == 0)
            plan.only = value_of(argc, argv, &i);
        else if (strcmp(argv[i], "--rounds") == 0)
            plan.rounds = (unsigned)strtoul(value_of(argc, argv, &i), NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            plan.seconds = strtod(value_of(argc, argv, &i), NULL);
        else
            usage();
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    atexit(process_end_all);
    cases_run(&plan);
    return 0;
}
