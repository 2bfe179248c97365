/* The floor of the relay's transport: a bare OpenSSL server on epoll, with the relay's settings of
 * TLS, frames of four bytes' length and a payload, and nothing else. A frame of LOAD_PAYLOAD bytes
 * comes back to its sender; or, in fan-out, goes to all connections that said they listen; or, in
 * pairs, to the one that listens to the sender's channel, and the sender gets an acknowledgement.
 */
#ifndef BENCH_LOAD_ECHO_H
#define BENCH_LOAD_ECHO_H

#include "load_process.h"

struct echo_options {
    unsigned threads; /* 1 for fan-out and pairs */
    bool fan, pairs;
};

/* Starts it as a child in process; returns its port. */
in_port_t echo_start(struct process *process, const struct echo_options *options);

/* The floor of catch-up: on each frame, reads `rows` rows of LOAD_PAYLOAD bytes from a SQLite file
 * made for that, in the order of its key, and sends them in full records. */
in_port_t echo_start_scan(struct process *process, size_t rows);

#endif
