/* The cases of `./dev bench relay` (docs/BENCH_RELAY.md). */
#ifndef BENCH_LOAD_CASES_H
#define BENCH_LOAD_CASES_H

#include "load_drive.h"

struct plan {
    const char *sottod;
    const char *against; /* another relay, in the same rounds; NULL: none */
    const char *only;    /* NULL: all cases */
    const char *peer;    /* NULL: all peers */
    bool quick, floor, peers;
    double warm_s, seconds; /* of one round */
    unsigned rounds;
};

/* Runs what the plan says, case by case. */
void cases_run(const struct plan *plan);

/* A relay with an empty data directory. */
void sotto_start(const struct plan *plan, struct target *target);

#endif
