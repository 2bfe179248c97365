#include "relay/arrival.h"

#include <errno.h>
#include <unistd.h>

#include "relay/connection.h"
#include "relay/proxy_header.h"

struct arrival {
    struct event_source source; /* first */
    struct arrival *next, **previous;
    struct ip peer;
    uint64_t opened_ms;
    size_t size; /* of the header so far */
    uint8_t header[PROXY_HEADER_MAX];
};

/* ---- Ends ----------------------------------------------------------------------------------- */

/* Leaves the socket, which is the caller's again. */
static int free_arrival(struct loop *loop, struct arrival *arrival)
{
    int fd = arrival->source.fd;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    *arrival->previous = arrival->next;
    if (arrival->next != NULL)
        arrival->next->previous = arrival->previous;
    mem_free(loop->relay->env, arrival, sizeof *arrival);
    return fd;
}

static void end(struct loop *loop, struct arrival *arrival)
{
    close(free_arrival(loop, arrival));
    atomic_fetch_sub(&loop->relay->connections, 1);
}

static void refuse(struct loop *loop, struct arrival *arrival, enum proxy_refusal why)
{
    count_own(&loop->figures.proxy_refused[why], 1);
    atomic_fetch_add(&loop->relay->proxy_refused[why], 1);
    end(loop, arrival);
}

/* ---- The header ----------------------------------------------------------------------------- */

static void refuse_header(struct loop *loop, struct arrival *arrival, const sotto_fault *fault)
{
    log_event(&loop->relay->log, LOG_DEBUG, "proxy_header_refused",
              (struct log_field[]){log_text("what", fault->what),
                                   log_text("why", sotto_error_text(fault->error)), LOG_END});
    refuse(loop, arrival, fault->error == SOTTO_UNSUPPORTED ? PROXY_ABSENT : PROXY_MALFORMED);
}

static void pass_on(struct loop *loop, struct arrival *arrival, const struct proxy_header *header)
{
    const struct ip from = header->from.family != 0 ? header->from : arrival->peer;
    uint64_t opened_ms = arrival->opened_ms;
    connection_accept(loop, free_arrival(loop, arrival), &from, opened_ms);
}

/* Looks at what is there, and takes of it what belongs to the header: the client's bytes behind it
 * stay in the socket for TLS. */
static void on_ready(struct loop *loop, struct event_source *source, uint32_t events)
{
    (void)events;
    struct arrival *arrival = (struct arrival *)source;
    struct proxy_header header;
    sotto_fault fault;
    uint8_t *end_of_it = arrival->header + arrival->size;
    ssize_t seen = recv(source->fd, end_of_it, sizeof arrival->header - arrival->size, MSG_PEEK);
    if (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (seen <= 0) { /* a check whether anybody listens is no fault */
        if (arrival->size > 0)
            refuse(loop, arrival, PROXY_ENDED);
        else
            end(loop, arrival);
        return;
    }
    size_t more = (size_t)seen;
    sotto_error error =
        proxy_header_read(sotto_bytes_of(arrival->header, arrival->size + more), &header, &fault);
    if (error != SOTTO_OK && error != SOTTO_TRUNCATED) {
        refuse_header(loop, arrival, &fault);
        return;
    }
    if (error == SOTTO_OK)
        more = header.size - arrival->size;
    if (recv(source->fd, end_of_it, more, 0) != (ssize_t)more)
        refuse(loop, arrival, PROXY_ENDED);
    else if (error == SOTTO_OK)
        pass_on(loop, arrival, &header);
    else
        arrival->size += more;
}

/* ---- Arriving ------------------------------------------------------------------------------- */

static void await_header(struct loop *loop, int fd, const struct ip *peer, uint64_t now_ms)
{
    struct arrival *arrival = mem_alloc(loop->relay->env, sizeof *arrival);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = arrival};
    if (arrival == NULL || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        mem_free(loop->relay->env, arrival, sizeof *arrival);
        connection_turn_away(loop, fd);
        return;
    }
    arrival->source = (struct event_source){on_ready, fd};
    arrival->peer = *peer;
    arrival->opened_ms = now_ms;
    arrival->next = loop->arrivals;
    arrival->previous = &loop->arrivals;
    if (arrival->next != NULL)
        arrival->next->previous = &arrival->next;
    loop->arrivals = arrival;
}

void arrival_accept(struct loop *loop, int fd, const struct sockaddr_storage *from)
{
    struct relay *relay = loop->relay;
    const struct config *config = relay->config;
    const struct ip peer = ip_of(from);
    uint64_t now_ms = relay_now_ms();
    count_own(&loop->figures.accepted, 1);
    if (atomic_fetch_add(&relay->connections, 1) >= config->max_connections)
        connection_turn_away(loop, fd);
    else if (networks_contain(&config->trusted_proxies, &peer))
        await_header(loop, fd, &peer, now_ms);
    else
        connection_accept(loop, fd, &peer, now_ms);
}

void arrival_look_after(struct loop *loop, uint64_t now_ms)
{
    for (struct arrival *one = loop->arrivals, *next; one != NULL; one = next) {
        next = one->next;
        if (now_ms - one->opened_ms >= OPENING_SECONDS * 1000)
            refuse(loop, one, PROXY_LATE);
    }
}

void arrival_end_all(struct loop *loop)
{
    while (loop->arrivals != NULL)
        end(loop, loop->arrivals);
}
