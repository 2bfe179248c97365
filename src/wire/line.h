/* The line of a link: what carries its whole messages to a relay and back. line_network is the one
 * that programs use; a simulation gives another, so that everything above it, requests, answers and
 * deadlines, is the same code in both. Internal to src/wire and to who simulates.
 *
 * Handlers are called inside step alone. One thread at a time. */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include "wire/channel.h"
#include "wire/link.h"

struct line_type {
    /* Starts to connect; failures come later. options: of link_open. ctx: of the options. handler
     * and handler_ctx are borrowed for the line's life; handler->opened is called once. ARGUMENT,
     * NO_MEMORY, IO. */
    sotto_error (*open)(void *ctx, const sotto_env *env, struct tls *tls,
                        const struct link_options *options, const struct channel_handler *handler,
                        void *handler_ctx, void **line);
    void (*free)(void *line);
    /* Descriptor, events and deadline; *wants says none of all. */
    void (*wants)(const void *line, struct link_wants *wants);
    void (*step)(void *line, unsigned revents, uint64_t now_ms);
    /* Queues one message, copied. LIMIT, STATE, NO_MEMORY. */
    sotto_error (*send)(void *line, sotto_bytes message);
    void (*ping)(void *line);
    /* No message is delivered any more; what is queued still goes, as far as it can at once. */
    void (*close)(void *line);
    /* Grows with every sign of life of the other side. */
    uint64_t (*received)(const void *line);
    /* Whether it is being closed, or over: nothing can be sent. */
    bool (*closing)(const void *line);
    /* What ended it; error is never OK. NULL: it is not over. */
    const struct channel_end *(*over)(const void *line);
};

/* Dialling, then TLS and WebSocket over the socket. */
extern const struct line_type line_network;

#endif
