/* A system under load, and traffic on it: channels with one writer and some readers each. */
#ifndef BENCH_LOAD_DRIVE_H
#define BENCH_LOAD_DRIVE_H

#include "load_client.h"
#include "load_process.h"

enum { DRIVE_RING = 1024 }; /* most messages under way in one channel */

struct channel_load {
    struct target *target;
    uint32_t number;
    struct load_conn *writer;
    struct load_conn **readers; /* readers[0] is the writer where it listens too */
    size_t reader_count;
    uint64_t sent, acked, done; /* done: acknowledged and delivered to all */
    uint64_t due_ns[DRIVE_RING];
    uint32_t heard[DRIVE_RING]; /* readers that message has come to */
};

struct target {
    const char *name;
    const struct load_protocol *protocol;
    struct process process;
    struct sockaddr_in address;
    struct load_loop loop;
    struct channel_load *channels;
    size_t channel_count;
    bool writer_listens;
    bool acks_by_delivery; /* XMPP */
    uint32_t first_channel;

    /* The round under way. */
    struct result *result; /* NULL: nothing counts */
    unsigned window;       /* 0: open loop */
    uint64_t outstanding;  /* sent and not done, of all channels */
    size_t waiting;        /* connections that are not ready */
};

/* Opens the connections and waits until they are ready. target->name, protocol, process and address
 * are set. Channels get numbers from target->first_channel. */
void target_open(struct target *target, size_t channels, size_t readers);
void target_close(struct target *target); /* the connections; not the process */

/* One round: traffic for warm_s + seconds, of which the latter count into result, by its window or
 * its rate; then waits for what is under way. */
void target_drive(struct target *target, struct result *result, double warm_s, double seconds);

/* Opens so many more connections, which stay idle, at most `at_once` under way at a time. Fills in
 * result: opened_per_s, cpu_us_per_open, kb_per_conn, rss_kb. The caller frees the list. */
struct load_conn **target_open_idle(struct target *target, size_t count, size_t at_once,
                                    struct result *result);

#endif
