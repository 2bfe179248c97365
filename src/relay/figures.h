/* What is counted while serving, by kind only: never by anybody. Each counter has one writer, or is
 * added to atomically; anyone may read. */
#ifndef RELAY_FIGURES_H
#define RELAY_FIGURES_H

#include <stdatomic.h>
#include <stdint.h>

typedef atomic_uint_fast64_t counter;

/* Why a proxy's connection was cut before it was anybody's. */
#define PROXY_REFUSALS(X)                                                               \
    X(ABSENT, "absent")       /* other bytes than a header */                           \
    X(MALFORMED, "malformed") /* a header that breaks the PROXY protocol, or a limit */ \
    X(LATE, "late")           /* no whole header in the time of opening */              \
    X(ENDED, "ended")         /* closed within the header */

enum proxy_refusal {
#define PROXY_REFUSAL_ENUM(name, text) PROXY_##name,
    PROXY_REFUSALS(PROXY_REFUSAL_ENUM)
#undef PROXY_REFUSAL_ENUM
        PROXY_REFUSAL_COUNT
};

enum { FIGURE_CODES = 64 }; /* above every enum wire_code */

/* Of one event loop, which alone writes them. */
struct loop_figures {
    counter accepted, turned_away;
    counter proxy_refused[PROXY_REFUSAL_COUNT];
    counter messages_in, bytes_in, messages_out, bytes_out;
    counter refused[FIGURE_CODES]; /* by the code of the answer */
};

enum latency_class { LATENCY_APPEND, LATENCY_WRITE, LATENCY_READ, LATENCY_BLOB, LATENCY_CLASSES };

/* Upper ends of the buckets, in microseconds; one more bucket is behind them. */
#define LATENCY_BUCKETS_US                                                                   \
    {                                                                                        \
        500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000 \
    }
enum { LATENCY_BUCKETS = 12 };

struct latency {
    counter buckets[LATENCY_BUCKETS + 1];
    counter sum_us;
};

/* Of the store. */
struct store_figures {
    counter waiting; /* operations that were submitted and have not completed */
    struct latency latency[LATENCY_CLASSES]; /* from submission to completion */
};

/* For a counter's only writer. */
static inline void count_own(counter *of, uint64_t more)
{
    atomic_store_explicit(of, atomic_load_explicit(of, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static inline void count_shared(counter *of, uint64_t more)
{
    atomic_fetch_add_explicit(of, more, memory_order_relaxed);
}

static inline uint64_t counted(const counter *of)
{
    return atomic_load_explicit(of, memory_order_relaxed);
}

#endif
