/* The client's connection to a relay: name lookup, TCP (or SOCKS5), channel, hello, then requests
 * with answers and subscriptions with pushes.
 *
 * The owner polls: before each poll link_wants (descriptor, events and deadline all change as
 * the link moves on), after it link_step. Nothing blocks, except link_wait.
 *
 * Every request is completed exactly once: by its answer, an error of the relay, a timeout, or the
 * end of the link. Callbacks run inside link_step, link_close and link_free, never inside
 * link_request. Inside a callback every function may be called, link_free too, except link_step
 * and link_wait. No callback follows once link_free returned. One thread at a time. */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "wire/message.h"
#include "wire/tls.h"

struct link;
struct line_type;

struct link_options {
    enum connection_kind kind;
    struct address address;

    /* SOCKS5 proxy, NULL: none. Names are then looked up by the proxy. Different user and password
     * isolate circuits (Tor). All borrowed for the call of link_open alone. */
    const struct address *proxy;
    const char *proxy_user, *proxy_password; /* both or neither; at most 255 bytes each */

    /* Milliseconds; 0: the defaults of limits.h. */
    uint32_t connect_timeout_ms, answer_timeout_ms;

    /* A clock in milliseconds that never goes back; NULL: the system's monotonic clock. */
    uint64_t (*now_ms)(void *ctx);
    void *clock_ctx;

    /* What carries the messages (line.h); NULL: the network. For simulations. */
    const struct line_type *line;
    void *line_ctx;
};

struct link_handler {
    void *ctx;
    /* The relay said hello_ok. Once at most. May be NULL. */
    void (*ready)(void *ctx, const struct hello_ok *hello);
    /* The link is over, after all outstanding requests were completed. Once, and not if the owner
     * called link_close or link_free. text is for people: what happened; PIN: the relay's
     * certificate is another, do not go on. May be NULL. */
    void (*ended)(void *ctx, sotto_error error, const char *text);
};

/* error OK: answer is the answer to the request. REFUSED: answer is the relay's `error`. TIMEOUT,
 * NETWORK, PIN, ...: answer is NULL; whether the relay did it is unknown. Views die with it. */
typedef void link_answer_fn(void *ctx, sotto_error error, const struct message *answer);

/* A push of a subscription: INBOX_ENVELOPE, ROOM_ENTRIES, ROOM_WHISPERED, or ROOM_END, which is the
 * last one. */
typedef void link_push_fn(void *ctx, const struct message *push);

/* Starts to connect. tls: a client context. options and handler are copied. Failures of the network
 * come later, through ended. ARGUMENT, NO_MEMORY, IO (no descriptors left). */
sotto_error link_open(const sotto_env *env, struct tls *tls, const struct link_options *options,
                      const struct link_handler *handler, struct link **link);

/* Closes, completes outstanding requests with NETWORK, frees. NULL allowed. */
void link_free(struct link *link);

/* Closes with a WebSocket close and completes outstanding requests with NETWORK; ended is not
 * called. Requests afterwards are STATE. */
void link_close(struct link *link);

/* Sends a request; message->request is chosen by the link and given in *request (may be NULL).
 * Requests may be made from link_open on and go out after hello_ok, in order. LIMIT: too much is
 * queued, wait for answers. STATE: the link is over. ARGUMENT or LIMIT of message_write. done is
 * called later unless an error is returned here. */
sotto_error link_request(struct link *link, const struct message *message, link_answer_fn *done,
                         void *ctx, uint32_t *request);

/* The same for INBOX_SUBSCRIBE and ROOM_SUBSCRIBE; push is called for each push that follows the
 * answer, until ROOM_END, link_unsubscribe or the end of the link. ctx is for both. */
sotto_error link_subscribe(struct link *link, const struct message *message, link_answer_fn *done,
                           link_push_fn *push, void *ctx, uint32_t *request);

/* No push callback of that subscription follows. Tells the relay, where it can be told. */
void link_unsubscribe(struct link *link, uint32_t request);

struct link_wants {
    int fd;               /* -1: nothing to poll, only the deadline counts */
    unsigned events;      /* POLLIN, POLLOUT */
    uint64_t deadline_ms; /* on the link's clock: call link_step by then; UINT64_MAX: none */
};

void link_wants(const struct link *link, struct link_wants *wants);

/* revents: what poll said of the descriptor; 0 for a deadline alone. */
void link_step(struct link *link, unsigned revents);

/* The network may be another one: asks the relay for a sign of life at once, and gives the
 * connection up if none comes soon. */
void link_probe(struct link *link);

/* Milliseconds on the link's clock. */
uint64_t link_now(const struct link *link);

/* The relay's hello_ok once it came, else NULL. Its name is owned by the link. */
const struct hello_ok *link_hello(const struct link *link);

/* OK while alive (connecting or open); what ended it afterwards (STATE after link_close). */
sotto_error link_error(const struct link *link);
const char *link_error_text(const struct link *link);

/* Polls and steps until done says true (OK), timeout_ms passed (TIMEOUT), or the link ended (its
 * error). For programs that do one thing at a time. done is asked first. */
sotto_error link_wait(struct link *link, uint32_t timeout_ms, bool (*done)(void *ctx), void *ctx);

#endif
