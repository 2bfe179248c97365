/* Another implementation, as a program that is spoken to over stdio. Each request is one line of
 * words, byte strings in hex; each answer one line: "ok WORD..." or "no REASON". Times are
 * nanoseconds of processor time, taken by the peer around the call alone.
 *
 *   create SUITE HEX...      a group with those KeyPackages added by one commit    ok NS
 *   packages SUITE           KeyPackages of two clients, a and b                   ok HEX HEX
 *   join HEX                 both join by that Welcome; the time of a              ok NS
 *   commit_create            a makes an update commit                              ok NS
 *   commit_process           b processes it; both enter the epoch                  ok NS
 *   encrypt                  a encrypts 100 bytes                                  ok NS
 *   decrypt                  b decrypts them                                       ok NS */
#ifndef BENCH_MLS_PEER_H
#define BENCH_MLS_PEER_H

#include <stdio.h>
#include <sys/types.h>

#include "mls_world_bench.h"

struct peer {
    const char *name;
    pid_t pid;
    FILE *to, *from;
    bool joined;
};

void peer_start(struct peer *peer, const char *name, const char *command);
void peer_stop(struct peer *peer);

/* 0 where the peer cannot; the reason goes to stderr. */
double peer_create(struct peer *peer, const struct bench_world *world);
/* The world's creator lets both of the peer's clients in and then forgets that epoch, so that the
 * peer has a group like everyone's. */
double peer_join(struct peer *peer, struct bench_world *world);
double peer_run(struct peer *peer, const char *op);

#endif
