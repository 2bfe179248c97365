/* An event loop: one thread, some of the connections, a port of the store. Loops share nothing but
 * struct relay; what one of them stores reaches the subscribers of the others as notices. */
#ifndef RELAY_LOOP_H
#define RELAY_LOOP_H

#include <pthread.h>
#include <sys/epoll.h>

#include "relay/relay.h"
#include "relay/table.h"

struct arrival;
struct connection;
struct loop;

/* What epoll announces. */
struct event_source {
    void (*ready)(struct loop *loop, struct event_source *source, uint32_t events);
    int fd; /* of listeners and arrivals */
};

enum { LOOP_SLOTS = 4 }; /* each second the connections of one slot are looked after */

struct loop {
    struct relay *relay;
    pthread_t thread;
    bool started;
    int epoll, wake;
    struct store_port *port;
    struct event_source wake_source, port_source, listener_sources[LISTENERS_MAX];
    bool listening;
    struct arrival *arrivals; /* of trusted proxies, whose header is awaited */
    struct connection *slots[LOOP_SLOTS];
    unsigned slot;
    atomic_uint_fast64_t ticked_ms;
    uint64_t stopping_ms;       /* 0: not stopping */
    size_t gathered;            /* bytes of messages that are coming, of all connections */
    size_t connections;         /* open here, and those that wait for operations to end */
    struct connection *touched; /* to be looked at before the loop sleeps */
    struct table watches;       /* rooms with subscribers here */
    struct table inboxes;       /* devices whose inbox is subscribed here */
    struct loop_figures figures;
    sotto_buf scratch; /* a message being written */
};

sotto_error loop_new(struct relay *relay, struct loop **loop);
sotto_error loop_start(struct loop *loop);
void loop_wake(struct loop *loop);         /* any thread: look at relay->stopping */
uint64_t loop_alive_ms(struct loop *loop); /* any thread: when it last went round, within a tick */
void loop_join(struct loop *loop);
void loop_free(struct loop *loop); /* NULL allowed; not while it runs */

#endif
