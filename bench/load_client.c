#include "load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

enum { EVENTS = 512, SCRATCH = 512 * 1024, CONNS_PER_SOURCE = 400 };

/* ---- Bytes ---------------------------------------------------------------------------------- */

static uint8_t *extend(struct load_bytes *bytes, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        size_t capacity = bytes->capacity == 0 ? 2048 : bytes->capacity;
        while (capacity < bytes->size + size)
            capacity *= 2;
        bytes->data = realloc(bytes->data, capacity);
        if (bytes->data == NULL)
            load_die("out of memory");
        bytes->capacity = capacity;
    }
    bytes->size += size;
    return bytes->data + bytes->size - size;
}

static void bytes_free(struct load_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct load_bytes){0};
}

static void mark(struct load_conn *conn)
{
    if (conn->dirty)
        return;
    conn->dirty = true;
    conn->next_dirty = conn->loop->dirty;
    conn->loop->dirty = conn;
}

uint8_t *load_extend(struct load_conn *conn, size_t size)
{
    mark(conn);
    return extend(&conn->out, size);
}

void load_put(struct load_conn *conn, const void *data, size_t size)
{
    memcpy(load_extend(conn, size), data, size);
}

void load_print(struct load_conn *conn, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        load_die("a request is too long");
    load_put(conn, text, (size_t)size);
}

/* ---- Payloads ------------------------------------------------------------------------------- */

void load_payload(uint8_t *out, uint64_t index)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < LOAD_DIGITS; i++)
        out[i] = (uint8_t)digits[index >> (60 - 4 * i) & 15];
    memset(out + LOAD_DIGITS, 'x', LOAD_PAYLOAD - LOAD_DIGITS);
}

bool load_delivered(struct load_conn *conn, const uint8_t *payload, size_t size)
{
    uint64_t index = 0;
    if (size != LOAD_PAYLOAD)
        return false;
    for (unsigned i = 0; i < LOAD_DIGITS; i++) {
        unsigned digit = payload[i] - (payload[i] <= '9' ? '0' : 'a' - 10u);
        if (digit > 15)
            return false;
        index = index << 4 | digit;
    }
    if (index != conn->next)
        conn->loop->errors++;
    conn->next = index + 1;
    conn->event(conn, LOAD_DELIVERED, index);
    return true;
}

/* ---- Connections ---------------------------------------------------------------------------- */

void load_lost(struct load_conn *conn, const char *why)
{
    if (conn->phase == CONN_OVER)
        return;
    conn->phase = CONN_OVER;
    conn->loop->errors++;
    epoll_ctl(conn->loop->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    fprintf(stderr, "bench_relay: %s: connection %u lost: %s\n", conn->protocol->name, conn->number,
            why);
    conn->event(conn, LOAD_LOST, 0);
}

static void watch(struct load_conn *conn, bool output)
{
    struct epoll_event event = {
        .events = EPOLLIN | (output ? EPOLLOUT : 0u),
        .data.ptr = conn,
    };
    if (conn->watches_output != output)
        epoll_ctl(conn->loop->epoll, EPOLL_CTL_MOD, conn->fd, &event);
    conn->watches_output = output;
}

struct load_conn *load_open(struct load_loop *loop, const struct load_protocol *protocol,
                            const struct sockaddr_in *to, unsigned role, uint32_t channel,
                            void (*event)(struct load_conn *, enum load_event, uint64_t), void *ctx)
{
    const int on = 1;
    struct load_conn *conn = load_alloc(1, sizeof *conn);
    *conn = (struct load_conn){
        .loop = loop,
        .protocol = protocol,
        .role = role,
        .channel = channel,
        .number = ++loop->numbers,
        .from = 1,
        .event = event,
        .ctx = ctx,
    };
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + conn->number / CONNS_PER_SOURCE % 200),
    };
    struct epoll_event first = {.events = EPOLLIN | EPOLLOUT, .data.ptr = conn};
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    conn->watches_output = true;
    if (conn->fd < 0)
        load_die("no socket: %s", strerror(errno));
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(conn->fd, (struct sockaddr *)&source, sizeof source) != 0 ||
        (connect(conn->fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, conn->fd, &first) != 0)
        load_die("cannot connect: %s", strerror(errno));
    return conn;
}

void load_close(struct load_conn *conn)
{
    if (conn == NULL)
        return;
    for (struct load_conn **at = &conn->loop->dirty; conn->dirty; at = &(*at)->next_dirty) {
        if (*at == conn) {
            *at = conn->next_dirty;
            break;
        }
    }
    SSL_free(conn->ssl);
    close(conn->fd);
    bytes_free(&conn->in);
    bytes_free(&conn->out);
    free(conn);
}

/* ---- Output --------------------------------------------------------------------------------- */

/* Bytes that went; 0: none now. */
static size_t write_some(struct load_conn *conn, const uint8_t *data, size_t size)
{
    if (conn->ssl == NULL) {
        ssize_t sent = send(conn->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            load_lost(conn, strerror(errno));
        return sent > 0 ? (size_t)sent : 0;
    }
    size_t sent = 0;
    ERR_clear_error();
    int code = SSL_write_ex(conn->ssl, data, size, &sent);
    if (code != 1 && SSL_get_error(conn->ssl, code) != SSL_ERROR_WANT_WRITE &&
        SSL_get_error(conn->ssl, code) != SSL_ERROR_WANT_READ)
        load_lost(conn, "write failed");
    return sent;
}

static void flush_one(struct load_conn *conn)
{
    if (conn->phase != CONN_UP)
        return;
    while (conn->out_sent < conn->out.size) {
        size_t sent =
            write_some(conn, conn->out.data + conn->out_sent, conn->out.size - conn->out_sent);
        conn->out_sent += sent;
        if (sent == 0)
            break;
    }
    if (conn->phase != CONN_UP)
        return;
    if (conn->out_sent == conn->out.size) {
        conn->out.size = conn->out_sent = 0;
        if (conn->role == LOAD_IDLE)
            bytes_free(&conn->out);
    }
    watch(conn, conn->out.size > 0);
}

static void flush_all(struct load_loop *loop)
{
    while (loop->dirty != NULL) {
        struct load_conn *conn = loop->dirty;
        loop->dirty = conn->next_dirty;
        conn->dirty = false;
        flush_one(conn);
    }
}

/* ---- Input ---------------------------------------------------------------------------------- */

/* 0: none now, or over. */
static size_t read_some(struct load_conn *conn, uint8_t *data, size_t size)
{
    if (conn->ssl == NULL) {
        ssize_t got = recv(conn->fd, data, size, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            load_lost(conn, got == 0 ? "closed by the server" : strerror(errno));
        return got > 0 ? (size_t)got : 0;
    }
    size_t got = 0;
    ERR_clear_error();
    int code = SSL_read_ex(conn->ssl, data, size, &got);
    if (code != 1 && SSL_get_error(conn->ssl, code) != SSL_ERROR_WANT_READ)
        load_lost(conn, "closed by the server");
    return got;
}

/* What a unit that is not whole yet leaves stays in conn->in and comes first the next time. */
static void read_all(struct load_conn *conn)
{
    uint8_t *data = conn->loop->scratch;
    while (conn->phase == CONN_UP) {
        size_t size = conn->in.size;
        if (size > SCRATCH / 2)
            load_die("%s: a unit of input does not end", conn->protocol->name);
        if (size > 0)
            memcpy(data, conn->in.data, size);
        size_t got = 0, last;
        do { /* a record each */
            last = read_some(conn, data + size + got, SCRATCH - size - got);
            got += last;
        } while (last > 0 && conn->ssl != NULL && SCRATCH - size - got >= 16384);
        if (got == 0)
            return;
        size += got;
        size_t used = conn->protocol->input(conn, data, size);
        conn->in.size = 0;
        if (used < size)
            memcpy(extend(&conn->in, size - used), data + used, size - used);
        else
            bytes_free(&conn->in);
        if (last == 0 || conn->ssl == NULL)
            return;
    }
}

/* ---- Beginning ------------------------------------------------------------------------------ */

static void up(struct load_conn *conn)
{
    conn->phase = CONN_UP;
    conn->protocol->opened(conn);
    mark(conn);
}

static void begin_tls(struct load_conn *conn)
{
    conn->phase = CONN_HANDSHAKE;
    conn->ssl = SSL_new(conn->loop->tls);
    if (conn->ssl == NULL || SSL_set_fd(conn->ssl, conn->fd) != 1)
        load_die("out of memory");
    SSL_set_connect_state(conn->ssl);
}

static void connected(struct load_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        load_lost(conn, strerror(error));
    else if (conn->protocol->preamble)
        conn->phase = CONN_PREAMBLE;
    else if (conn->protocol->clear)
        up(conn);
    else
        begin_tls(conn);
}

/* One line, byte by byte: behind it begins what TLS has to read. */
static void read_preamble(struct load_conn *conn)
{
    char byte;
    ssize_t got;
    while ((got = recv(conn->fd, &byte, 1, 0)) == 1) {
        if (byte == '\n') {
            begin_tls(conn);
            return;
        }
    }
    if (got == 0)
        load_lost(conn, "closed by the server");
}

static void handshake(struct load_conn *conn)
{
    ERR_clear_error();
    int code = SSL_do_handshake(conn->ssl);
    int error = code == 1 ? SSL_ERROR_NONE : SSL_get_error(conn->ssl, code);
    if (error == SSL_ERROR_NONE)
        up(conn);
    else if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        watch(conn, error == SSL_ERROR_WANT_WRITE);
    else
        load_lost(conn, "the TLS handshake failed");
}

static void ready(struct load_conn *conn, uint32_t events)
{
    if (conn->phase == CONN_CONNECTING) {
        if ((events & EPOLLOUT) == 0)
            return;
        connected(conn);
    }
    watch(conn, conn->phase == CONN_HANDSHAKE && conn->watches_output);
    if (conn->phase == CONN_PREAMBLE)
        read_preamble(conn);
    if (conn->phase == CONN_HANDSHAKE)
        handshake(conn);
    if (conn->phase != CONN_UP)
        return;
    if ((events & EPOLLOUT) != 0)
        mark(conn);
    if ((events & ~(uint32_t)EPOLLOUT) != 0)
        read_all(conn);
}

/* ---- The loop ------------------------------------------------------------------------------- */

void load_loop_init(struct load_loop *loop)
{
    *loop = (struct load_loop){
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .tls = SSL_CTX_new(TLS_client_method()),
        .scratch = load_alloc(1, SCRATCH),
    };
    if (loop->epoll < 0 || loop->tls == NULL)
        load_die("cannot start: %s", strerror(errno));
    /* Whom it talks to it has started itself. */
    SSL_CTX_set_verify(loop->tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_min_proto_version(loop->tls, TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(loop->tls, "X25519");
    SSL_CTX_set_mode(loop->tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(loop->tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(loop->tls, 1);
}

void load_loop_free(struct load_loop *loop)
{
    close(loop->epoll);
    SSL_CTX_free(loop->tls);
    free(loop->scratch);
}

void load_loop_step(struct load_loop *loop, uint64_t deadline_ns)
{
    struct epoll_event events[EVENTS];
    flush_all(loop);
    uint64_t now = load_now_ns(), wait = deadline_ns > now ? deadline_ns - now : 0;
    const struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
    int count = epoll_pwait2(loop->epoll, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++)
        ready(events[i].data.ptr, events[i].events);
    flush_all(loop);
}

void load_loop_wait(struct load_loop *loop, const size_t *waiting, double seconds, const char *what)
{
    uint64_t deadline = load_now_ns() + (uint64_t)(seconds * 1e9);
    while (*waiting > 0) {
        load_loop_step(loop, load_now_ns() + 100000000);
        if (load_now_ns() > deadline)
            load_die("%zu left after %.0f s: %s", *waiting, seconds, what);
    }
}
