/* Other servers, from Debian's packages, each in a folder of its own on loopback. */
#ifndef BENCH_LOAD_PEERS_H
#define BENCH_LOAD_PEERS_H

#include "load_drive.h"

/* Starts those that are installed, or only the one of that name (NULL: all); says on standard error
 * which are not. Returns how many. */
size_t peers_start(struct target *targets, const char *only);

#endif
