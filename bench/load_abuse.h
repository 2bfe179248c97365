/* Clients as one would not like them, each kind in a process of its own that ends with its parent.
 * They run at low priority: what is looked for is what they make the relay do, not what they
 * take of the processor themselves. */
#ifndef BENCH_LOAD_ABUSE_H
#define BENCH_LOAD_ABUSE_H

#include "load_process.h"

struct abuse {
    const char *name;         /* of the case */
    void (*run)(void *start); /* does not return */
};

extern const struct abuse load_abuses[];
extern const size_t load_abuse_count;

/* Begins it against a relay at that address with so many rooms in use, and returns when it is under
 * way. process_end ends it. */
void abuse_start(const struct abuse *abuse, const struct sockaddr_in *to, uint32_t rooms,
                 struct process *process);

#endif
