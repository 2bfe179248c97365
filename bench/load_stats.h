/* What a run yields: latencies in a histogram, counts, processor time; and JSON lines of them. */
#ifndef BENCH_LOAD_STATS_H
#define BENCH_LOAD_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds of a clock that never goes back. */
uint64_t load_now_ns(void);

/* Says what failed (printf's format) on standard error and ends the program with status 1; its
 * children end with it (load_process.h). */
_Noreturn void load_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* calloc that does not fail. */
void *load_alloc(size_t count, size_t size);

/* ---- Histogram ------------------------------------------------------------------------------ */

/* Log-linear, as HdrHistogram: each power of two in 64 steps, so that a quantile is at most 1.6 %
 * too large, at any latency. */
enum { HISTOGRAM_STEPS = 64, HISTOGRAM_SLOTS = HISTOGRAM_STEPS * 48 };

struct histogram {
    uint64_t count;
    uint64_t slots[HISTOGRAM_SLOTS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);
/* The value that a share of all (0 to 1) does not exceed; 0 where there is none. */
double histogram_ms(const struct histogram *histogram, double share);

/* ---- Results -------------------------------------------------------------------------------- */

/* One system in one case; rounds add up. NAN: not measured. */
struct result {
    const char *system, *name;
    unsigned window; /* 0: open loop, at rate */
    double rate;     /* messages a second that were due; 0: as fast as the window lets */
    double seconds;  /* measured */
    uint64_t acked, delivered, errors;
    double cpu_us;  /* of the system, in all */
    double cpu_per; /* messages that cpu_us counts for, where they are not the acked ones */
    double rss_kb, kb_per_conn, opened_per_s, cpu_us_per_open;
    struct histogram latency; /* due until both acknowledged and delivered to all */
};

struct result *result_new(const char *system, const char *name, unsigned window, double rate);

double result_acked_per_s(const struct result *result);
double result_delivered_per_s(const struct result *result);
double result_cpu_us_per_message(const struct result *result);

/* Prints the line of one, with the ratios of its figures to those of others, the systems and floors
 * of the same rounds. */
void result_print(const struct result *result, const struct result *const *others, size_t count);

/* A line of another shape: {"system":system,"case":name,FIELDS}. fields: printf's format. */
void result_print_line(const char *system, const char *name, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));

#endif
