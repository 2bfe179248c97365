#include "load_stats.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void load_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fputs("bench_relay: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *load_alloc(size_t count, size_t size)
{
    void *block = calloc(count, size);
    if (block == NULL)
        load_die("out of memory");
    return block;
}

/* ---- Histogram ------------------------------------------------------------------------------ */

static size_t slot_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return (size_t)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - 6; /* the highest bit becomes bit 6 */
    size_t slot = (size_t)(shift + 1) * HISTOGRAM_STEPS + (size_t)(ns >> shift) - HISTOGRAM_STEPS;
    return slot < HISTOGRAM_SLOTS ? slot : HISTOGRAM_SLOTS - 1;
}

static double top_of(size_t slot)
{
    if (slot < HISTOGRAM_STEPS)
        return (double)slot;
    int shift = (int)(slot / HISTOGRAM_STEPS) - 1;
    return ldexp((double)(slot % HISTOGRAM_STEPS + HISTOGRAM_STEPS + 1), shift);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->slots[slot_of(ns)]++;
}

double histogram_ms(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)ceil((double)histogram->count * share), seen = 0;
    if (histogram->count == 0)
        return NAN;
    for (size_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += histogram->slots[i];
        if (seen >= wanted)
            return top_of(i) / 1e6;
    }
    return NAN;
}

/* ---- Results -------------------------------------------------------------------------------- */

struct result *result_new(const char *system, const char *name, unsigned window, double rate)
{
    struct result *result = load_alloc(1, sizeof *result);
    result->system = system;
    result->name = name;
    result->window = window;
    result->rate = rate;
    result->rss_kb = result->kb_per_conn = result->opened_per_s = NAN;
    result->cpu_us_per_open = result->cpu_per = NAN;
    return result;
}

double result_acked_per_s(const struct result *result)
{
    return result->seconds > 0 ? (double)result->acked / result->seconds : NAN;
}

double result_delivered_per_s(const struct result *result)
{
    return result->seconds > 0 ? (double)result->delivered / result->seconds : NAN;
}

double result_cpu_us_per_message(const struct result *result)
{
    double messages = isnan(result->cpu_per) ? (double)result->acked : result->cpu_per;
    return messages > 0 ? result->cpu_us / messages : NAN;
}

static void number(const char *name, double value, int digits)
{
    if (isnan(value))
        printf(",\"%s\":null", name);
    else
        printf(",\"%s\":%.*f", name, digits, value);
}

static void ratio(bool *first, const char *name, double value, double other)
{
    if (isnan(value) || isnan(other) || other <= 0)
        return;
    printf("%s\"%s\":%.2f", *first ? "" : ",", name, value / other);
    *first = false;
}

static void ratios(const struct result *result, const struct result *other)
{
    bool first = true;
    printf("\"%s\":{", other->system);
    if (result->rate == 0 && result->window > 0) {
        ratio(&first, "acked_per_s", result_acked_per_s(result), result_acked_per_s(other));
        ratio(&first, "delivered_per_s", result_delivered_per_s(result),
              result_delivered_per_s(other));
    }
    ratio(&first, "p50_ms", histogram_ms(&result->latency, 0.5),
          histogram_ms(&other->latency, 0.5));
    ratio(&first, "p99_ms", histogram_ms(&result->latency, 0.99),
          histogram_ms(&other->latency, 0.99));
    ratio(&first, "cpu_us_per_msg", result_cpu_us_per_message(result),
          result_cpu_us_per_message(other));
    ratio(&first, "kb_per_conn", result->kb_per_conn, other->kb_per_conn);
    ratio(&first, "cpu_us_per_open", result->cpu_us_per_open, other->cpu_us_per_open);
    putchar('}');
}

void result_print(const struct result *result, const struct result *const *others, size_t count)
{
    printf("{\"system\":\"%s\",\"case\":\"%s\",\"window\":%u", result->system, result->name,
           result->window);
    number("rate", result->rate > 0 ? result->rate : NAN, 0);
    number("acked_per_s", result_acked_per_s(result), 0);
    number("delivered_per_s", result_delivered_per_s(result), 0);
    number("p50_ms", histogram_ms(&result->latency, 0.5), 3);
    number("p99_ms", histogram_ms(&result->latency, 0.99), 3);
    number("p999_ms", histogram_ms(&result->latency, 0.999), 3);
    number("cpu_us_per_msg", result_cpu_us_per_message(result), 2);
    number("rss_kb", result->rss_kb, 0);
    number("kb_per_conn", result->kb_per_conn, 2);
    number("opened_per_s", result->opened_per_s, 0);
    number("cpu_us_per_open", result->cpu_us_per_open, 0);
    printf(",\"errors\":%llu,\"ratio_to\":{", (unsigned long long)result->errors);
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (others[i] == NULL || others[i] == result)
            continue;
        if (!first)
            putchar(',');
        ratios(result, others[i]);
        first = false;
    }
    puts("}}");
    fflush(stdout);
}

void result_print_line(const char *system, const char *name, const char *fields, ...)
{
    va_list arguments;
    va_start(arguments, fields);
    printf("{\"system\":\"%s\",\"case\":\"%s\",", system, name);
    vprintf(fields, arguments);
    puts("}");
    fflush(stdout);
    va_end(arguments);
}
