/* The machine's own limits under the relay's store: fdatasync, and SQLite without the relay. */
#ifndef BENCH_LOAD_FLOOR_H
#define BENCH_LOAD_FLOOR_H

#include "load_stats.h"

/* Appends of 8 KiB to a file, each followed by fdatasync. */
void floor_fdatasync(double seconds);

/* Rows of LOAD_PAYLOAD bytes into a table in order of arrival with an index of (room, seq), with
 * the relay's settings, in transactions of so many rows. */
void floor_sqlite(unsigned rows, double seconds);

#endif
