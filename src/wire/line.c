#include "wire/line.h"

#include <poll.h>
#include <unistd.h>

#include "wire/dial.h"
#include "wire/ws.h"

struct network {
    const sotto_env *env;
    struct tls *tls;
    struct address address;
    const struct channel_handler *handler;
    void *handler_ctx;
    struct dial *dial;       /* until the socket is connected, */
    struct channel *channel; /* then this one */
    struct channel_end end;
    bool over;
};

static void network_ends(struct network *network, sotto_error error, const char *what)
{
    network->over = true;
    network->end = (struct channel_end){.error = error, .what = what, .why = ""};
}

static void network_free(void *line)
{
    struct network *network = line;
    channel_free(network->channel);
    dial_free(network->dial);
    tls_free(network->tls);
    mem_free(network->env, network, sizeof *network);
}

static sotto_error network_open(void *ctx, const sotto_env *env, struct tls *tls,
                                const struct link_options *options,
                                const struct channel_handler *handler, void *handler_ctx,
                                void **line)
{
    (void)ctx;
    struct network *network = mem_alloc(env, sizeof *network);
    if (network == NULL)
        return SOTTO_NO_MEMORY;
    network->env = env;
    network->address = options->address;
    network->handler = handler;
    network->handler_ctx = handler_ctx;
    sotto_error error = dial_start(env, &options->address, options->proxy, options->proxy_user,
                                   options->proxy_password, &network->dial);
    if (error != SOTTO_OK) {
        mem_free(env, network, sizeof *network);
        return error;
    }
    network->tls = tls_hold(tls);
    *line = network;
    return SOTTO_OK;
}

static void network_wants(const void *line, struct link_wants *wants)
{
    const struct network *network = line;
    if (network->dial != NULL) {
        struct dial_wants dial;
        dial_wants(network->dial, &dial);
        wants->fd = dial.fd;
        wants->events = dial.events;
        wants->deadline_ms = dial.deadline_ms;
    } else if (network->channel != NULL) {
        wants->fd = channel_fd(network->channel);
        wants->events = channel_events(network->channel);
        if (channel_pending(network->channel) || channel_state(network->channel) == CHANNEL_CLOSED)
            wants->deadline_ms = 0;
    }
}

static void step_dial(struct network *network, uint64_t now_ms)
{
    int fd;
    const char *what = "the relay cannot be reached";
    sotto_error error = dial_step(network->dial, now_ms, &fd, &what);
    if (error != SOTTO_OK) {
        network_ends(network, error, what);
        return;
    }
    if (fd < 0)
        return;
    dial_free(network->dial);
    network->dial = NULL;
    error = channel_connect(network->env, network->tls, fd, &network->address, NULL,
                            network->handler, network->handler_ctx, &network->channel);
    if (error != SOTTO_OK) {
        close(fd);
        network_ends(network, error, sotto_error_text(error));
    }
}

static void step_channel(struct network *network, unsigned revents)
{
    struct channel *channel = network->channel;
    channel_step(channel, channel_pending(channel) ? revents | POLLIN : revents);
    if (channel_state(channel) != CHANNEL_CLOSED)
        return;
    const struct channel_end *why = channel_end(channel);
    if (why->error == SOTTO_OK)
        network_ends(network, SOTTO_NETWORK, "the relay closed the connection");
    else
        network_ends(network, why->error, why->what);
}

static void network_step(void *line, unsigned revents, uint64_t now_ms)
{
    struct network *network = line;
    if (!network->over && network->dial != NULL)
        step_dial(network, now_ms);
    if (!network->over && network->channel != NULL)
        step_channel(network, revents);
}

static sotto_error network_send(void *line, sotto_bytes message)
{
    struct network *network = line;
    return channel_send(network->channel, &message, 1);
}

static void network_ping(void *line)
{
    struct network *network = line;
    channel_ping(network->channel);
    channel_flush(network->channel);
}

static void network_close(void *line)
{
    struct network *network = line;
    if (network->channel == NULL)
        return;
    channel_close(network->channel, WS_CODE_NORMAL);
    channel_flush(network->channel);
}

static uint64_t network_received(const void *line)
{
    const struct network *network = line;
    return network->channel == NULL ? 0 : channel_received(network->channel);
}

static bool network_closing(const void *line)
{
    const struct network *network = line;
    return network->over ||
           (network->channel != NULL && channel_state(network->channel) > CHANNEL_OPEN);
}

static const struct channel_end *network_over(const void *line)
{
    const struct network *network = line;
    return network->over ? &network->end : NULL;
}

const struct line_type line_network = {
    .open = network_open,
    .free = network_free,
    .wants = network_wants,
    .step = network_step,
    .send = network_send,
    .ping = network_ping,
    .close = network_close,
    .received = network_received,
    .closing = network_closing,
    .over = network_over,
};
