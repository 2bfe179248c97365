/* The generator's connections: many on one epoll loop, in one thread, over TLS 1.3 or in the clear,
 * with input parsed in place and output gathered until the loop has nothing else to do. A protocol
 * turns bytes into the four events below. */
#ifndef BENCH_LOAD_CLIENT_H
#define BENCH_LOAD_CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "load_stats.h"

/* Of every message. It begins with 16 hexadecimal digits, its index in its channel; the rest is
 * filled up. Text, so that every peer can carry it. */
enum { LOAD_PAYLOAD = 1024, LOAD_DIGITS = 16 };

enum load_event {
    LOAD_READY,     /* signed in, subscribed, whatever it takes */
    LOAD_ACKED,     /* the writer's message `index` is acknowledged */
    LOAD_DELIVERED, /* message `index` has come to a reader */
    LOAD_LOST,      /* the connection is over; not told of one that load_close ends */
};

enum load_role {
    LOAD_WRITES = 1,
    LOAD_READS = 2,
    LOAD_IDLE = 0, /* connects and signs in only */
};

struct load_conn;
struct load_loop;

struct load_protocol {
    const char *name;
    bool clear;    /* no TLS */
    bool preamble; /* the server says one line in the clear before TLS begins */
    /* The transport is up: say hello. */
    void (*opened)(struct load_conn *conn);
    /* Takes whole units of input and returns how many bytes they were. May write into data. */
    size_t (*input)(struct load_conn *conn, uint8_t *data, size_t size);
    /* Queues one message of the conn's channel. */
    void (*send)(struct load_conn *conn, uint64_t index);
};

struct load_bytes {
    uint8_t *data;
    size_t size, capacity;
};

struct load_conn {
    struct load_loop *loop;
    const struct load_protocol *protocol;
    int fd;
    SSL *ssl; /* NULL before TLS, and in the clear */
    enum { CONN_CONNECTING, CONN_PREAMBLE, CONN_HANDSHAKE, CONN_UP, CONN_OVER } phase;
    unsigned role;
    uint32_t channel; /* the room, topic, subject or recipient */
    uint32_t number;  /* of its own, from 1 */
    unsigned stage;   /* the protocol's */
    uint64_t next;    /* index of the next message to be delivered to it */
    uint64_t acked;   /* MQTT: index of the next to be acknowledged */
    uint64_t from;    /* Sotto: subscribe from this seq */
    struct load_bytes in, out;
    size_t out_sent;
    bool dirty, watches_output;
    struct load_conn *next_dirty;
    void (*event)(struct load_conn *conn, enum load_event event, uint64_t index);
    void *ctx;
};

struct load_loop {
    int epoll;
    SSL_CTX *tls;
    struct load_conn *dirty;
    uint32_t numbers;
    uint64_t errors; /* messages lost, doubled or out of order; connections lost */
    uint8_t *scratch;
};

void load_loop_init(struct load_loop *loop);
void load_loop_free(struct load_loop *loop);

/* Waits for events until the deadline at most, handles them, flushes. */
void load_loop_step(struct load_loop *loop, uint64_t deadline_ns);
/* Runs until *waiting is 0, or dies after so many seconds, saying what it waited for. */
void load_loop_wait(struct load_loop *loop, const size_t *waiting, double seconds,
                    const char *what);

/* Begins to connect, from a source address of its own for each 400 connections, since relays limit
 * what one address may have and a pair of addresses has few ports. */
struct load_conn *load_open(struct load_loop *loop, const struct load_protocol *protocol,
                            const struct sockaddr_in *to, unsigned role, uint32_t channel,
                            void (*event)(struct load_conn *, enum load_event, uint64_t),
                            void *ctx);
void load_close(struct load_conn *conn); /* at once; NULL allowed */

/* For protocols. */
void load_put(struct load_conn *conn, const void *data, size_t size);
uint8_t *load_extend(struct load_conn *conn, size_t size); /* to be filled in */
void load_print(struct load_conn *conn, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void load_lost(struct load_conn *conn, const char *why);
/* Writes the payload of message index. */
void load_payload(uint8_t *out, uint64_t index);
/* Tells the owner of a payload that came; false if it is none of ours. */
bool load_delivered(struct load_conn *conn, const uint8_t *payload, size_t size);

#endif
