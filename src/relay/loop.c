#include "relay/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "relay/arrival.h"
#include "relay/connection.h"

enum { EVENTS = 256, ACCEPTS = 64, TICK_MS = 1000 };

uint64_t relay_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Listening ------------------------------------------------------------------------------ */

static void set_listening(struct loop *loop, bool listening)
{
    if (loop->listening == listening)
        return;
    loop->listening = listening;
    for (size_t i = 0; i < loop->relay->listener_count; i++) {
        /* One loop is woken for a new connection, not all. */
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLEXCLUSIVE,
            .data.ptr = &loop->listener_sources[i],
        };
        epoll_ctl(loop->epoll, listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, loop->relay->listeners[i],
                  &event);
    }
}

static void on_listener(struct loop *loop, struct event_source *source, uint32_t events)
{
    (void)events;
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof from;
        int fd = accept4(source->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            arrival_accept(loop, fd, &from);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* Until the next tick: the waiting connection would wake us without end. */
            log_event(&loop->relay->log, LOG_WARNING, "no_descriptors_left", NULL);
            set_listening(loop, false);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } /* else: that one connection failed */
    }
}

/* ---- Events --------------------------------------------------------------------------------- */

static void on_wake(struct loop *loop, struct event_source *source, uint32_t events)
{
    (void)events;
    (void)source;
    uint64_t count;
    ssize_t ignored = read(loop->wake, &count, sizeof count);
    (void)ignored;
}

static void on_port(struct loop *loop, struct event_source *source, uint32_t events)
{
    (void)events;
    (void)source;
    store_port_run(loop->port);
}

static void on_notice(void *ctx, const struct notice *notice)
{
    if (notice->kind == NOTICE_ENTRY)
        subscription_notice(ctx, notice);
    else if (notice->kind == NOTICE_WHISPER)
        subscription_whisper(ctx, notice);
    else
        inbox_notice(ctx, notice);
}

/* Everything that was touched, until nothing is but what has input left to read. */
static void settle(struct loop *loop)
{
    struct connection *touched = loop->touched;
    loop->touched = NULL;
    while (touched != NULL) {
        struct connection *next = touched->touched_next;
        connection_settle(touched);
        touched = next;
    }
}

/* Input that lies in channels: epoll does not announce it. */
static void step_pending(struct loop *loop)
{
    for (struct connection *one = loop->touched; one != NULL; one = one->touched_next)
        if (channel_pending(one->channel))
            channel_step(one->channel, POLLIN);
}

static void tick(struct loop *loop)
{
    uint64_t now_ms = relay_now_ms();
    if (now_ms - loop_alive_ms(loop) < TICK_MS)
        return;
    atomic_store_explicit(&loop->ticked_ms, now_ms, memory_order_relaxed);
    loop->slot = (loop->slot + 1) % LOOP_SLOTS;
    for (struct connection *one = loop->slots[loop->slot]; one != NULL; one = one->next)
        connection_look_after(one, now_ms);
    arrival_look_after(loop, now_ms);
    if (loop->stopping_ms == 0)
        set_listening(loop, true);
}

/* ---- Stopping ------------------------------------------------------------------------------- */

static void for_each_open(struct loop *loop, void (*what)(struct connection *connection))
{
    for (size_t i = 0; i < LOOP_SLOTS; i++) {
        for (struct connection *one = loop->slots[i], *next; one != NULL; one = next) {
            next = one->next;
            what(one);
        }
    }
}

static void drop(struct connection *connection)
{
    connection->drop = true;
    connection_touch(connection);
}

/* Asks all to go, and after a while shows them the door. True when nobody is left. */
static bool stop(struct loop *loop)
{
    uint64_t now_ms = relay_now_ms();
    if (loop->stopping_ms == 0) {
        loop->stopping_ms = now_ms;
        set_listening(loop, false);
        arrival_end_all(loop);
        for_each_open(loop, connection_stop);
    } else if (now_ms - loop->stopping_ms >= STOP_SECONDS * 1000) {
        for_each_open(loop, drop);
    }
    settle(loop);
    return loop->connections == 0;
}

/* ---- The thread ----------------------------------------------------------------------------- */

static void run_events(struct loop *loop)
{
    struct epoll_event events[EVENTS];
    int timeout = loop->touched != NULL ? 0 : loop->stopping_ms != 0 ? 100 : TICK_MS;
    int count = epoll_wait(loop->epoll, events, EVENTS, timeout);
    for (int i = 0; i < count; i++) {
        struct event_source *source = events[i].data.ptr;
        source->ready(loop, source, events[i].events);
    }
}

static void *loop_main(void *arg)
{
    struct loop *loop = arg;
    while (!atomic_load(&loop->relay->stopping) || !stop(loop)) {
        run_events(loop);
        step_pending(loop);
        settle(loop);
        tick(loop);
    }
    return NULL;
}

/* ---- Making and ending ---------------------------------------------------------------------- */

static sotto_error add_source(struct loop *loop, struct event_source *source, int fd,
                              void (*ready)(struct loop *, struct event_source *, uint32_t))
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    source->ready = ready;
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? SOTTO_OK : SOTTO_IO;
}

static sotto_error open_all(struct loop *loop)
{
    struct relay *relay = loop->relay;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll < 0 || loop->wake < 0)
        return SOTTO_IO;
    TRY(store_port_open(relay->store, on_notice, loop, &loop->port));
    TRY(add_source(loop, &loop->wake_source, loop->wake, on_wake));
    TRY(add_source(loop, &loop->port_source, store_port_fd(loop->port), on_port));
    for (size_t i = 0; i < relay->listener_count; i++)
        loop->listener_sources[i] = (struct event_source){on_listener, relay->listeners[i]};
    return SOTTO_OK;
}

sotto_error loop_new(struct relay *relay, struct loop **loop)
{
    struct loop *made = mem_alloc(relay->env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->relay = relay;
    made->epoll = made->wake = -1;
    atomic_init(&made->ticked_ms, relay_now_ms());
    table_init(&made->watches, relay->env);
    table_init(&made->inboxes, relay->env);
    sotto_buf_init(&made->scratch, relay->env);
    sotto_error error = open_all(made);
    if (error != SOTTO_OK) {
        loop_free(made);
        return error;
    }
    *loop = made;
    return SOTTO_OK;
}

sotto_error loop_start(struct loop *loop)
{
    set_listening(loop, true);
    loop->started = pthread_create(&loop->thread, NULL, loop_main, loop) == 0;
    return loop->started ? SOTTO_OK : SOTTO_NO_MEMORY;
}

void loop_wake(struct loop *loop)
{
    const uint64_t one = 1;
    ssize_t ignored = write(loop->wake, &one, sizeof one);
    (void)ignored; /* full: it is awake */
}

uint64_t loop_alive_ms(struct loop *loop)
{
    return atomic_load_explicit(&loop->ticked_ms, memory_order_relaxed);
}

void loop_join(struct loop *loop)
{
    if (loop->started)
        pthread_join(loop->thread, NULL);
    loop->started = false;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    const sotto_env *env = loop->relay->env;
    store_port_close(loop->port);
    table_free(&loop->watches);
    table_free(&loop->inboxes);
    sotto_buf_free(&loop->scratch);
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
    mem_free(env, loop, sizeof *loop);
}
