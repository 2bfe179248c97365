/* A message channel: TLS 1.3 and WebSocket over a connected, non-blocking stream socket, both
 * roles.
 *
 * The owner polls. Before each poll it asks channel_events, after it calls channel_step with what
 * the poll said; the channel reads, calls the handler for each whole message, and writes. It has
 * no clock: deadlines (handshake, silence, closing) are the owner's, who sees channel_state
 * and channel_received. An idle open channel holds no buffers.
 *
 * Inside a handler every function of the channel may be called except channel_free and
 * channel_step. A channel serves one thread at a time. */
#ifndef WIRE_CHANNEL_H
#define WIRE_CHANNEL_H

#include "wire/address.h"
#include "wire/limits.h"
#include "wire/tls.h"

struct channel;

enum channel_state {
    CHANNEL_OPENING, /* handshakes under way */
    CHANNEL_OPEN,    /* messages go both ways */
    CHANNEL_CLOSING, /* a close was sent or received; what is queued is still written */
    CHANNEL_CLOSED,  /* over: channel_end says why; free it */
};

struct channel_handler {
    /* The channel is open. May be NULL. */
    void (*opened)(void *ctx);
    /* One whole message; the view is valid during the call. Never after channel_close. */
    void (*message)(void *ctx, sotto_bytes message);
    /* Server: a GET of that path, by somebody who wants no WebSocket. body is appended to, type is
     * its media type (static). False: nothing is there (404). May be NULL. */
    bool (*page)(void *ctx, sotto_bytes path, sotto_buf *body, const char **type);
};

/* Why a channel is over. */
struct channel_end {
    sotto_error error;   /* OK: orderly; else NETWORK, PIN, LIMIT, VALUE, NO_MEMORY, ... */
    uint16_t close_code; /* the peer's WebSocket close code; 0: none was received */
    const char *what;    /* static text: what happened */
    const char *why;     /* static text of the library underneath, or "" */
};

struct channel_options {
    size_t max_message; /* 0: WIRE_MESSAGE_MAX */
    size_t max_queue; /* most bytes queued to send, at least one message; 0: 2 * WIRE_MESSAGE_MAX */
};

/* Server side of a socket that was accepted. options NULL: defaults. The channel takes fd (makes it
 * non-blocking) and closes it in channel_free; on failure the caller keeps it. handler and ctx are
 * borrowed for the channel's life. NO_MEMORY or INTERNAL. */
sotto_error channel_accept(const sotto_env *env, struct tls *tls, int fd,
                           const struct channel_options *options,
                           const struct channel_handler *handler, void *ctx,
                           struct channel **channel);

/* Client side of a connected socket. address: whom TLS must prove (copied). */
sotto_error channel_connect(const sotto_env *env, struct tls *tls, int fd,
                            const struct address *address, const struct channel_options *options,
                            const struct channel_handler *handler, void *ctx,
                            struct channel **channel);

/* Closes the socket at once and frees. NULL allowed. No handler is called. */
void channel_free(struct channel *channel);

/* What to wait for: POLLIN, POLLOUT (their epoll twins have the same values); 0 when closed or
 * paused with nothing to write. May change with every call. */
unsigned channel_events(const struct channel *channel);

/* Does what can be done without waiting. revents: what poll said; POLLERR and POLLHUP count as
 * readable and writable. Ends early after a fair amount of input: see channel_pending. */
void channel_step(struct channel *channel, unsigned revents);

/* True when input is waiting inside the channel that poll will not announce: call channel_step with
 * POLLIN again soon. False while paused. */
bool channel_pending(const struct channel *channel);

/* Queues one message made of count parts, copied. Nothing is written yet: queue all that there is,
 * then channel_flush; small messages so share a TLS record. STATE: not open. LIMIT: larger than
 * max_message, or the queue would exceed max_queue: stop, wait for channel_queued to fall. */
sotto_error channel_send(struct channel *channel, const sotto_bytes *parts, size_t count);

/* Writes what the socket takes now. Failures show in channel_state. */
void channel_flush(struct channel *channel);

/* Bytes queued and not yet taken by TLS. For back-pressure. */
size_t channel_queued(const struct channel *channel);

/* Bytes kept of a message whose end has not come yet. */
size_t channel_gathered(const struct channel *channel);

/* Stops and resumes reading. While paused no message is delivered, and the peer is held back by
 * TCP. After resuming ask channel_pending. */
void channel_pause(struct channel *channel, bool paused);

/* Sends a ping; the answer shows in channel_received. Nothing happens unless open. */
void channel_ping(struct channel *channel);

/* Bytes received on the socket in all: a change is a sign of life. */
uint64_t channel_received(const struct channel *channel);

/* Starts an orderly close with a WebSocket code (1000 normal, 1001 going away, 1008 policy, ...).
 * No message is delivered after this. Queued messages are still written; the channel is CLOSED when
 * the peer answered, or at once if the handshakes were not over. The owner sets a deadline. */
void channel_close(struct channel *channel, uint16_t code);

enum channel_state channel_state(const struct channel *channel);
const struct channel_end *channel_end(const struct channel *channel);
int channel_fd(const struct channel *channel);

#endif
