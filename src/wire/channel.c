#include "wire/channel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "wire/tls_internal.h"
#include "wire/ws.h"

#define RECORD_MAX 16384   /* RFC 8446, 5.1 */
#define RECORDS_PER_STEP 8 /* then other channels have their turn */

struct channel {
    const sotto_env *env;
    struct tls *tls;
    SSL *ssl;
    struct tls_socket socket;
    const struct channel_handler *handler;
    void *ctx;
    struct ws ws;

    enum channel_state state;
    struct channel_end end;

    sotto_buf out;   /* WebSocket frames to send; given back when empty */
    size_t out_sent; /* how much of it TLS has taken */
    size_t max_queue;
    sotto_buf unread; /* input that came in while paused */

    bool is_client;
    bool tls_done;
    bool paused;
    bool finishing;    /* nothing more is read; CLOSED when all is written */
    bool has_more;     /* the last step stopped before the input's end */
    bool in_feed;      /* a handler may be looking at a buffer: nothing is given back now */
    short tls_wants;   /* during the handshake */
    short read_wants;  /* POLLOUT where TLS must write before it can read */
    short write_wants; /* POLLIN where TLS must read before it can write */
};

/* ---- Ends ---------------------------------------------------------------------------------- */

/* The first reason stays. */
static void set_end(struct channel *channel, sotto_error error, const char *what, const char *why)
{
    if (channel->end.what != NULL)
        return;
    channel->end.error = error;
    channel->end.what = what;
    channel->end.why = why == NULL ? "" : why;
}

static void closed(struct channel *channel)
{
    channel->state = CHANNEL_CLOSED;
    if (channel->in_feed) /* feed calls again */
        return;
    sotto_buf_free(&channel->out);
    sotto_buf_free(&channel->unread);
    ws_free(&channel->ws);
    channel->out_sent = 0;
}

/* At once, with nothing more written. */
static void fail(struct channel *channel, sotto_error error, const char *what, const char *why)
{
    set_end(channel, error, what, why);
    closed(channel);
}

/* Once what is queued was written. */
static void finish(struct channel *channel, sotto_error error, const char *what)
{
    set_end(channel, error, what, "");
    channel->state = CHANNEL_CLOSING;
    channel->finishing = true;
}

/* The reason that OpenSSL gives, static text. */
static const char *openssl_reason(void)
{
    return ERR_reason_error_string(ERR_peek_error());
}

/* ---- TLS ----------------------------------------------------------------------------------- */

static void handshake_failed(struct channel *channel)
{
    long verdict = SSL_get_verify_result(channel->ssl);
    if (channel->socket.pin_mismatch)
        fail(channel, SOTTO_PIN, "the relay's key is not the one in its address", "");
    else if (channel->is_client && verdict != X509_V_OK)
        fail(channel, SOTTO_PIN, "the relay's certificate was not accepted",
             X509_verify_cert_error_string(verdict));
    else
        fail(channel, SOTTO_NETWORK, "the TLS handshake failed", openssl_reason());
}

static void handshake(struct channel *channel)
{
    ERR_clear_error();
    int result = SSL_do_handshake(channel->ssl);
    if (result == 1) {
        channel->tls_done = true;
        return;
    }
    switch (SSL_get_error(channel->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        channel->tls_wants = POLLIN;
        break;
    case SSL_ERROR_WANT_WRITE:
        channel->tls_wants = POLLOUT;
        break;
    default:
        handshake_failed(channel);
    }
}

/* How many bytes were read into data; 0: none now, or the end. */
static size_t tls_read(struct channel *channel, uint8_t data[static RECORD_MAX])
{
    size_t got = 0;
    ERR_clear_error();
    channel->read_wants = POLLIN;
    int result = SSL_read_ex(channel->ssl, data, RECORD_MAX, &got);
    if (result == 1)
        return got;
    switch (SSL_get_error(channel->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_WANT_WRITE:
        channel->read_wants = POLLOUT;
        break;
    default:
        if (channel->state ==
            CHANNEL_CLOSING) /* our close was sent: the peer's end is its answer */
            fail(channel, SOTTO_OK, "closed", "");
        else
            fail(channel, SOTTO_NETWORK, "the connection was lost", openssl_reason());
    }
    return 0;
}

static void compact_out(struct channel *channel)
{
    sotto_buf *out = &channel->out;
    size_t left = out->size - channel->out_sent;
    memmove(out->data, out->data + channel->out_sent, left);
    wipe(out->data + left, channel->out_sent);
    out->size = left;
    channel->out_sent = 0;
}

static void write_out(struct channel *channel)
{
    sotto_buf *out = &channel->out;
    channel->write_wants = POLLOUT;
    while (channel->out_sent < out->size) {
        size_t sent = 0;
        ERR_clear_error();
        int result = SSL_write_ex(channel->ssl, out->data + channel->out_sent,
                                  out->size - channel->out_sent, &sent);
        if (result == 1) {
            channel->out_sent += sent;
            continue;
        }
        int error = SSL_get_error(channel->ssl, result);
        if (error == SSL_ERROR_WANT_READ)
            channel->write_wants = POLLIN;
        else if (error != SSL_ERROR_WANT_WRITE)
            fail(channel, SOTTO_NETWORK, "the connection was lost", openssl_reason());
        return;
    }
    sotto_buf_free(out);
    channel->out_sent = 0;
}

void channel_flush(struct channel *channel)
{
    if (channel->state == CHANNEL_CLOSED || !channel->tls_done)
        return;
    write_out(channel);
    if (channel->state == CHANNEL_CLOSED || !channel->finishing || channel->out.size > 0)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(channel->ssl); /* says close_notify; its answer is not waited for */
    ERR_clear_error();
    closed(channel);
}

/* ---- Input --------------------------------------------------------------------------------- */

static void handle(struct channel *channel, enum ws_event event, sotto_bytes message)
{
    switch (event) {
    case WS_OPENED:
        channel->state = CHANNEL_OPEN;
        if (channel->handler->opened != NULL)
            channel->handler->opened(channel->ctx);
        break;
    case WS_MESSAGE:
        if (channel->state == CHANNEL_OPEN)
            channel->handler->message(channel->ctx, message);
        break;
    case WS_CLOSED:
        channel->end.close_code = channel->ws.close_code;
        finish(channel, SOTTO_OK, "closed");
        break;
    case WS_FAILED:
        finish(channel, channel->ws.error, channel->ws.what);
        break;
    case WS_PONG:
    case WS_MORE:
        break;
    }
}

static bool takes_input(const struct channel *channel)
{
    return channel->state != CHANNEL_CLOSED && !channel->finishing && !channel->paused;
}

/* Feeds until all is used or no more is wanted; returns how much was used. */
static size_t feed(struct channel *channel, uint8_t *data, size_t size)
{
    size_t pos = 0;
    channel->in_feed = true;
    while (takes_input(channel)) {
        size_t used;
        sotto_bytes message;
        channel->ws.no_pongs = channel_queued(channel) >= channel->max_queue;
        enum ws_event event =
            ws_feed(&channel->ws, data + pos, size - pos, &used, &message, &channel->out);
        pos += used;
        if (event == WS_MORE)
            break;
        handle(channel, event, message);
    }
    channel->in_feed = false;
    if (channel->state == CHANNEL_CLOSED)
        closed(channel);
    return pos;
}

/* What a pause left behind comes first. */
static void feed_unread(struct channel *channel)
{
    sotto_buf unread = channel->unread;
    if (unread.size == 0)
        return;
    sotto_buf_init(&channel->unread, channel->env);
    size_t used = feed(channel, unread.data, unread.size);
    if (used == unread.size || channel->state == CHANNEL_CLOSED || channel->finishing) {
        sotto_buf_free(&unread);
        return;
    }
    memmove(unread.data, unread.data + used, unread.size - used);
    wipe(unread.data + unread.size - used, used);
    unread.size -= used;
    channel->unread = unread;
}

static void read_record(struct channel *channel, uint8_t *data, size_t size)
{
    size_t used = feed(channel, data, size);
    if (used == size || channel->state == CHANNEL_CLOSED || channel->finishing)
        return;
    sotto_error error = sotto_buf_append(&channel->unread, data + used, size - used);
    if (error != SOTTO_OK)
        fail(channel, error, "out of memory", "");
}

static void read_input(struct channel *channel)
{
    uint8_t data[RECORD_MAX];
    feed_unread(channel);
    channel->has_more = false;
    for (unsigned i = 0; takes_input(channel); i++) {
        if (i == RECORDS_PER_STEP) {
            channel->has_more = true;
            return;
        }
        size_t size = tls_read(channel, data);
        if (size == 0)
            return;
        read_record(channel, data, size);
        wipe(data, size);
        /* Asking once more would only hear that there is nothing: poll announces what comes. */
        if (channel->socket.drained && SSL_has_pending(channel->ssl) == 0)
            return;
    }
    /* Paused: TLS may hold more that poll will not announce. */
    channel->has_more = channel->state != CHANNEL_CLOSED && SSL_has_pending(channel->ssl) == 1;
}

void channel_step(struct channel *channel, unsigned revents)
{
    if (channel->state == CHANNEL_CLOSED)
        return;
    if (!channel->tls_done) {
        handshake(channel);
        if (!channel->tls_done)
            return;
    }
    if (channel->paused && (revents & (POLLERR | POLLHUP)) != 0) {
        fail(channel, SOTTO_NETWORK, "the connection was lost", "");
        return;
    }
    if (takes_input(channel) && (revents & ~(unsigned)POLLOUT || channel->read_wants == POLLOUT ||
                                 channel->state == CHANNEL_OPENING || channel_pending(channel)))
        read_input(channel);
    channel_flush(channel);
}

/* ---- Making and freeing -------------------------------------------------------------------- */

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    int on = 1;
    /* Messages are gathered before they are flushed, so Nagle would only wait. Fails on sockets
     * that are not TCP, which have no such wait. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static sotto_error channel_new(const sotto_env *env, struct tls *tls, int fd, enum ws_role role,
                               const struct channel_options *options,
                               const struct channel_handler *handler, void *ctx,
                               struct channel **out)
{
    static const struct channel_options defaults = {0};
    const struct channel_options *given = options == NULL ? &defaults : options;
    struct channel *channel = mem_alloc(env, sizeof *channel);
    if (channel == NULL)
        return SOTTO_NO_MEMORY;
    channel->env = env;
    channel->tls = tls;
    channel->socket.fd = fd;
    channel->handler = handler;
    channel->ctx = ctx;
    channel->is_client = role == WS_CLIENT;
    channel->max_queue = given->max_queue == 0 ? 2 * (size_t)WIRE_MESSAGE_MAX : given->max_queue;
    channel->tls_wants = channel->is_client ? POLLOUT : POLLIN;
    sotto_buf_init(&channel->out, env);
    sotto_buf_init(&channel->unread, env);
    ws_init(&channel->ws, env, role,
            given->max_message == 0 ? WIRE_MESSAGE_MAX : given->max_message);
    channel->ws.page = role == WS_SERVER ? handler->page : NULL;
    channel->ws.page_ctx = ctx;
    channel->ssl = tls_session(tls, &channel->socket);
    if (channel->ssl == NULL || !set_nonblocking(fd)) {
        channel->socket.fd = -1; /* the caller keeps it */
        channel_free(channel);
        return SOTTO_INTERNAL;
    }
    *out = channel;
    return SOTTO_OK;
}

sotto_error channel_accept(const sotto_env *env, struct tls *tls, int fd,
                           const struct channel_options *options,
                           const struct channel_handler *handler, void *ctx,
                           struct channel **channel)
{
    TRY(channel_new(env, tls, fd, WS_SERVER, options, handler, ctx, channel));
    SSL_set_accept_state((*channel)->ssl);
    return SOTTO_OK;
}

/* Whom the certificate must name where there is no pin; the name for SNI where it is one. */
static bool set_peer(struct channel *channel, const struct address *address)
{
    X509_VERIFY_PARAM *verify = SSL_get0_param(channel->ssl);
    channel->socket.has_pin = address->has_pin;
    memcpy(channel->socket.pin, address->pin, PIN_SIZE);
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, address->host) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(channel->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(channel->ssl, address->host) == 1 &&
           SSL_set_tlsext_host_name(channel->ssl, address->host) == 1;
}

static sotto_error start_client(struct channel *channel, const struct address *address)
{
    char host[WIRE_ADDRESS_MAX + 1];
    sotto_buf text;
    struct address without_pin = *address;
    without_pin.has_pin = false;
    if (!set_peer(channel, address))
        return SOTTO_INTERNAL;
    sotto_buf_init(&text, channel->env);
    sotto_error error = address_format(&without_pin, &text);
    if (error == SOTTO_OK) {
        memcpy(host, text.data, text.size);
        host[text.size] = 0;
        error = ws_request(&channel->ws, host, &channel->out);
    }
    sotto_buf_free(&text);
    return error;
}

sotto_error channel_connect(const sotto_env *env, struct tls *tls, int fd,
                            const struct address *address, const struct channel_options *options,
                            const struct channel_handler *handler, void *ctx, struct channel **out)
{
    struct channel *channel;
    TRY(channel_new(env, tls, fd, WS_CLIENT, options, handler, ctx, &channel));
    SSL_set_connect_state(channel->ssl);
    sotto_error error = start_client(channel, address);
    if (error != SOTTO_OK) {
        channel->socket.fd = -1;
        channel_free(channel);
        return error;
    }
    *out = channel;
    return SOTTO_OK;
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    closed(channel);
    tls_session_free(channel->tls, channel->ssl);
    if (channel->socket.fd >= 0)
        close(channel->socket.fd);
    mem_free(channel->env, channel, sizeof *channel);
}

/* ---- The owner's side ---------------------------------------------------------------------- */

unsigned channel_events(const struct channel *channel)
{
    if (channel->state == CHANNEL_CLOSED)
        return 0;
    if (!channel->tls_done)
        return (unsigned)channel->tls_wants;
    unsigned events = 0;
    if (takes_input(channel))
        events |= (unsigned)(channel->read_wants == 0 ? POLLIN : channel->read_wants);
    if (channel->out_sent < channel->out.size)
        events |= (unsigned)(channel->write_wants == 0 ? POLLOUT : channel->write_wants);
    return events;
}

size_t channel_gathered(const struct channel *channel)
{
    return channel->state == CHANNEL_OPEN ? channel->ws.message.size : 0;
}

bool channel_pending(const struct channel *channel)
{
    return takes_input(channel) && (channel->has_more || channel->unread.size > 0);
}

sotto_error channel_send(struct channel *channel, const sotto_bytes *parts, size_t count)
{
    if (channel->state != CHANNEL_OPEN)
        return SOTTO_STATE;
    size_t queued = channel_queued(channel);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    if (queued > 0 && (queued >= channel->max_queue || size > channel->max_queue - queued))
        return SOTTO_LIMIT;
    if (channel->out_sent > channel->out.size / 2)
        compact_out(channel);
    return ws_send(&channel->ws, parts, count, &channel->out);
}

size_t channel_queued(const struct channel *channel)
{
    return channel->out.size - channel->out_sent;
}

void channel_pause(struct channel *channel, bool paused)
{
    channel->paused = paused;
}

void channel_ping(struct channel *channel)
{
    if (channel->state == CHANNEL_OPEN)
        (void)ws_ping(&channel->ws, &channel->out); /* no memory: the silence will tell */
}

uint64_t channel_received(const struct channel *channel)
{
    return channel->socket.received;
}

void channel_close(struct channel *channel, uint16_t code)
{
    if (channel->state == CHANNEL_OPENING) {
        fail(channel, SOTTO_OK, "closed", "");
        return;
    }
    if (channel->state != CHANNEL_OPEN)
        return;
    channel->state = CHANNEL_CLOSING;
    channel->paused = false; /* the peer's close must be read */
    sotto_error error = ws_close(&channel->ws, code, &channel->out);
    if (error != SOTTO_OK)
        fail(channel, error, "closed", "");
}

enum channel_state channel_state(const struct channel *channel)
{
    return channel->state;
}

const struct channel_end *channel_end(const struct channel *channel)
{
    return &channel->end;
}

int channel_fd(const struct channel *channel)
{
    return channel->socket.fd;
}
