/* The core's connections: for each relay at most one of each kind, opened when first wanted,
 * reopened with growing pauses where the core is patient (sotto_listen), given up at the first
 * failure where it is not (sotto_settle: the person is waiting for an answer). */
#ifndef CORE_NET_H
#define CORE_NET_H

#include "sotto/sotto.h"
#include "wire/link.h"

struct conn {
    struct conn *next;
    struct sotto *core;
    char relay[WIRE_ADDRESS_MAX + 1];
    enum connection_kind kind;
    uint64_t alone_ms;            /* until then nothing is gathered on it */
    bool blobs;                   /* a room connection for files alone */
    struct link *link;            /* NULL: not connected and not trying */
    bool ready;                   /* hello_ok came */
    bool dead;                    /* the link ended; freed in net_step */
    bool told;                    /* the listener knows that it is down */
    uint32_t generation;          /* of links: what was subscribed on an earlier one is gone */
    uint64_t retry_ms;            /* not before */
    uint64_t stepped_ms;          /* when it was looked at last */
    bool doubted;                 /* the next run takes another one */
    unsigned failures;            /* in a row */
    struct sotto_problem problem; /* why it is down; code OK while it is up or never tried */
};

/* Milliseconds of a clock that never goes back. */
uint64_t net_now_ms(const struct sotto *core);

/* The connection, made if it is not there; not opened yet. NULL: no memory. */
struct conn *net_conn(struct sotto *core, const char *relay, enum connection_kind kind);

/* A room connection that carries nothing but blobs: no connection shows the relay a room and a
 * file, and no file stands before a message. */
struct conn *net_blob_conn(struct sotto *core, const char *relay);

/* Opens it unless it is open, opening, or to be retried later. True: requests may be made. */
bool conn_up(struct conn *conn);

/* Whether it failed and will not be tried again in this run. */
bool conn_failed(const struct conn *conn);

/* Waits at most timeout_ms for something to happen on any connection, and lets it. */
void net_step(struct sotto *core, uint64_t timeout_ms);

/* Sends what was asked for on it, as far as it goes without waiting. Not in a transaction. */
void net_flush(struct conn *conn);

/* Ends all connections, which are opened anew when they are wanted. */
void net_reconnect(struct sotto *core);

/* The relay does not do there what it says: another one is opened, at once where the core is
 * patient. */
void net_doubt(struct conn *conn);

/* Forgets failures, and connections that nobody has looked at for a while, so that a new run tries
 * anew: before it asks for anything. */
void net_fresh(struct sotto *core);

/* Closes all. */
void net_close(struct sotto *core);

/* An error of a request in words: of the network, or what the relay answered. */
void net_problem(const struct conn *conn, sotto_error error, const struct message *answer,
                 struct sotto_problem *problem);

/* Whether an error of a request is worth the same request again later: network, rate, full disk. */
bool net_transient(sotto_error error, const struct message *answer);

/* A random number of milliseconds below max. */
uint64_t net_jitter(struct sotto *core, uint64_t max);

#endif
