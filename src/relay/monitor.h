/* How the relay tells its operator how it goes: HTTP on a thread of its own, one request at a time.
 *
 *   GET /metrics   Prometheus' text format: counters and gauges by kind, and no identifier
 *   GET /health    200, or 503 with a line for each reason
 *   GET /status    lines "key value", for `sottod status`; on the data directory's socket only
 *
 * It listens on the configured address, if there is one, and on a socket in the data directory. */
#ifndef RELAY_MONITOR_H
#define RELAY_MONITOR_H

#include "relay/relay.h"

struct monitor;

/* Opens the sockets. False: problem. Before the sandbox. */
bool monitor_open(struct relay *relay, struct monitor **monitor, char problem[static CONFIG_TEXT]);
/* Begins to answer, once relay's loops and store are there. NO_MEMORY. */
sotto_error monitor_start(struct monitor *monitor);
void monitor_free(struct monitor *monitor); /* NULL allowed; ends its thread */

/* monitor_text.c: the answers. */
struct monitor_health {
    const char *reasons[4]; /* static; count of them */
    size_t count;
};
void monitor_look(struct relay *relay, struct monitor_health *health);
void monitor_metrics(struct relay *relay, sotto_buf *out);
void monitor_status(struct relay *relay, sotto_buf *out);

/* `sottod status`: asks the relay that serves the directory for /status. False: nobody answers. */
bool monitor_ask(const struct config *config, sotto_buf *out);

#endif
