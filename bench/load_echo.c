#include "load_echo.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <sqlite3.h>

#include "load_protocols.h"

/* A frame: channel, size, payload. Without a payload: listens. An acknowledgement carries the
 * digits of the payload alone. */
enum {
    HEAD = 4,
    FRAME = HEAD + LOAD_PAYLOAD,
    ACK = HEAD + LOAD_DIGITS,
    BUFFER = 64 * 1024,
    EVENTS = 256,
    CHANNELS = 65536,
};

/* ---- Client --------------------------------------------------------------------------------- */

static void put_frame(struct load_conn *conn, uint32_t size, uint64_t index)
{
    uint8_t *out = load_extend(conn, HEAD + size);
    const uint32_t head = conn->channel << 16 | size;
    for (unsigned i = 0; i < HEAD; i++)
        out[i] = (uint8_t)(head >> (24 - 8 * i));
    if (size > 0)
        load_payload(out + HEAD, index);
}

static void send_payload(struct load_conn *conn, uint64_t index)
{
    put_frame(conn, LOAD_PAYLOAD, index);
}

static void echo_opened(struct load_conn *conn)
{
    conn->event(conn, LOAD_READY, 0);
}

static void fan_opened(struct load_conn *conn)
{
    if ((conn->role & LOAD_READS) != 0)
        put_frame(conn, 0, 0);
    conn->event(conn, LOAD_READY, 0);
}

static size_t take(struct load_conn *conn, uint8_t *data, size_t size, bool acks)
{
    size_t used = 0;
    for (; size - used >= FRAME; used += FRAME) {
        uint64_t index = conn->next;
        if (!load_delivered(conn, data + used + HEAD, LOAD_PAYLOAD))
            load_die("echo: something else came back");
        if (acks)
            conn->event(conn, LOAD_ACKED, index);
    }
    return used;
}

static size_t echo_input(struct load_conn *conn, uint8_t *data, size_t size)
{
    return take(conn, data, size, true);
}

static size_t fan_input(struct load_conn *conn, uint8_t *data, size_t size)
{
    return take(conn, data, size, false);
}

static size_t pair_input(struct load_conn *conn, uint8_t *data, size_t size)
{
    size_t used = 0;
    if ((conn->role & LOAD_READS) != 0)
        return take(conn, data, size, false);
    for (; size - used >= ACK; used += ACK)
        conn->event(conn, LOAD_ACKED, conn->acked++);
    return used;
}

const struct load_protocol load_echo = {"tls_echo", .opened = echo_opened, .input = echo_input,
                                        .send = send_payload};
const struct load_protocol load_fan = {"tls_writes", .opened = fan_opened, .input = fan_input,
                                       .send = send_payload};
const struct load_protocol load_pair = {"tls_pair", .opened = fan_opened, .input = pair_input,
                                        .send = send_payload};

/* ---- Server --------------------------------------------------------------------------------- */

struct peer {
    SSL *ssl;
    int fd;
    bool up, blocked;
    uint8_t *out; /* only while something waits */
    size_t out_size, out_sent;
    size_t in_size;
    uint8_t *in; /* a frame that has not come whole */
};

struct server {
    SSL_CTX *tls;
    int listener;
    bool fan;
    struct peer **listening; /* fan */
    size_t listening_count;
    struct peer **readers; /* pairs: by channel */
    sqlite3 *rows;         /* catch-up */
};

struct server_thread {
    struct server *server;
    int epoll;
    struct peer *reader; /* that something was queued for */
    uint8_t in[BUFFER];
};

static void drop(struct peer *peer)
{
    SSL_free(peer->ssl);
    close(peer->fd);
    free(peer->in);
    free(peer->out);
    free(peer);
}

static void watch(struct server_thread *thread, struct peer *peer, bool output)
{
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0u), .data.ptr = peer};
    if (peer->blocked != output)
        epoll_ctl(thread->epoll, EPOLL_CTL_MOD, peer->fd, &event);
    peer->blocked = output;
}

static void flush(struct server_thread *thread, struct peer *peer)
{
    while (peer->out_sent < peer->out_size) {
        size_t sent = 0;
        ERR_clear_error();
        if (SSL_write_ex(peer->ssl, peer->out + peer->out_sent, peer->out_size - peer->out_sent,
                         &sent) != 1)
            break;
        peer->out_sent += sent;
    }
    if (peer->out_sent == peer->out_size) {
        free(peer->out);
        peer->out = NULL;
        peer->out_size = peer->out_sent = 0;
    }
    watch(thread, peer, peer->out_size > 0);
}

static void queue(struct peer *peer, const uint8_t *data, size_t size)
{
    uint8_t *out = realloc(peer->out, peer->out_size + size);
    if (out == NULL)
        load_die("out of memory");
    memcpy(out + peer->out_size, data, size);
    peer->out = out;
    peer->out_size += size;
}

static void fan_out(struct server_thread *thread, const uint8_t *frame)
{
    const struct server *server = thread->server;
    for (size_t i = 0; i < server->listening_count; i++) {
        queue(server->listening[i], frame, FRAME);
        flush(thread, server->listening[i]);
    }
}

static void listen_to(struct server *server, struct peer *peer)
{
    size_t count = server->listening_count++;
    server->listening =
        realloc(server->listening, server->listening_count * sizeof *server->listening);
    if (server->listening == NULL)
        load_die("out of memory");
    server->listening[count] = peer;
}

/* One record to the reader and one to the writer for all that came in one. */
static void pass_on(struct server_thread *thread, struct peer *writer, struct peer *reader,
                    const uint8_t *frame)
{
    static const uint8_t head[HEAD] = {0, 0, 0, LOAD_DIGITS};
    if (reader == NULL)
        load_die("echo: nobody listens");
    thread->reader = reader;
    queue(reader, frame, FRAME);
    queue(writer, head, HEAD);
    queue(writer, frame + HEAD, LOAD_DIGITS);
}

static void send_rows(struct server_thread *thread, struct peer *peer)
{
    static const uint8_t head[HEAD] = {0, 0, LOAD_PAYLOAD >> 8, LOAD_PAYLOAD & 255};
    sqlite3_stmt *scan = NULL;
    if (sqlite3_prepare_v2(thread->server->rows, "SELECT bytes FROM rows ORDER BY position", -1,
                           &scan, NULL) != SQLITE_OK)
        load_die("sqlite: %s", sqlite3_errmsg(thread->server->rows));
    while (sqlite3_step(scan) == SQLITE_ROW) {
        queue(peer, head, HEAD);
        queue(peer, sqlite3_column_blob(scan, 0), LOAD_PAYLOAD);
        if (peer->out_size >= 128 * (size_t)1024) /* as much as the relay reads at a time */
            flush(thread, peer);
    }
    sqlite3_finalize(scan);
}

/* Whole frames only; returns how many bytes they were. */
static size_t take_frames(struct server_thread *thread, struct peer *peer, size_t size)
{
    struct server *server = thread->server;
    size_t used = 0;
    while (size - used >= HEAD) {
        uint32_t length = (uint32_t)(thread->in[used + 2] << 8 | thread->in[used + 3]);
        struct peer **reader = server->readers;
        if (reader != NULL)
            reader += thread->in[used] << 8 | thread->in[used + 1];
        if (size - used < HEAD + length)
            break;
        if (length == 0 && reader != NULL)
            *reader = peer;
        else if (length == 0)
            listen_to(server, peer);
        else if (server->rows != NULL)
            send_rows(thread, peer);
        else if (reader != NULL)
            pass_on(thread, peer, *reader, thread->in + used);
        else if (server->fan)
            fan_out(thread, thread->in + used);
        else
            queue(peer, thread->in + used, HEAD + length);
        used += HEAD + length;
    }
    return used;
}

static void serve_peer(struct server_thread *thread, struct peer *peer)
{
    size_t size = peer->in_size, got;
    ERR_clear_error();
    int code = peer->up ? 1 : SSL_do_handshake(peer->ssl);
    peer->up = code == 1;
    if (size > 0)
        memcpy(thread->in, peer->in, size);
    free(peer->in);
    peer->in = NULL;
    while (code == 1) {
        code = SSL_read_ex(peer->ssl, thread->in + size, BUFFER - size, &got);
        size += code == 1 ? got : 0;
        size_t used = take_frames(thread, peer, size);
        size -= used;
        memmove(thread->in, thread->in + used, size);
    }
    peer->in_size = size;
    if (size > 0)
        peer->in = memcpy(load_alloc(1, FRAME), thread->in, size);
    int error = SSL_get_error(peer->ssl, code);
    if (thread->reader != NULL)
        flush(thread, thread->reader);
    thread->reader = NULL;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        drop(peer);
    else if (peer->up)
        flush(thread, peer);
}

static void accept_all(struct server_thread *thread)
{
    const int on = 1;
    for (int fd;
         (fd = accept4(thread->server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct peer *peer = load_alloc(1, sizeof *peer);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
        peer->fd = fd;
        peer->ssl = SSL_new(thread->server->tls);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (peer->ssl == NULL || SSL_set_fd(peer->ssl, fd) != 1)
            load_die("out of memory");
        SSL_set_accept_state(peer->ssl);
        epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void *serve(void *arg)
{
    struct server_thread *thread = load_alloc(1, sizeof *thread);
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    thread->server = arg;
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->server->listener, &event);
    int count = 0;
    while (count >= 0 || errno == EINTR) {
        count = epoll_wait(thread->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(thread);
            else
                serve_peer(thread, events[i].data.ptr);
        }
    }
    return NULL;
}

/* ---- Starting ------------------------------------------------------------------------------- */

struct start {
    struct echo_options options;
    char folder[256];
    size_t rows;
};

static void make_rows(struct server *server, const struct start *start)
{
    char path[512], sql[512];
    snprintf(path, sizeof path, "%s/rows.db", start->folder);
    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size=8192; PRAGMA journal_mode=WAL;"
        "CREATE TABLE rows(position INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<%zu)"
        "INSERT INTO rows(bytes) SELECT CAST(printf('%%016x%%.*c', i, %d, 'x') AS BLOB) FROM n",
        start->rows - 1, LOAD_PAYLOAD - LOAD_DIGITS);
    if (sqlite3_open(path, &server->rows) != SQLITE_OK ||
        sqlite3_exec(server->rows, sql, NULL, NULL, NULL) != SQLITE_OK)
        load_die("sqlite: %s", sqlite3_errmsg(server->rows));
}

static SSL_CTX *server_context(const char *folder)
{
    char certificate[512], key[512];
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    if (tls == NULL || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        load_die("echo: no TLS");
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(tls, 0);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(tls, 1);
    return tls;
}

static int server_main(void *arg)
{
    const struct start *start = arg;
    struct server server = {.tls = server_context(start->folder), .fan = start->options.fan};
    if (start->options.pairs)
        server.readers = load_alloc(CHANNELS, sizeof *server.readers);
    struct sockaddr_in address = process_address(0);
    socklen_t size = sizeof address;
    struct process self = {0};
    struct rlimit files;
    pthread_t thread;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (start->rows > 0)
        make_rows(&server, start);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(server.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server.listener, 4096) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &size) != 0)
        load_die("echo: cannot listen");
    memcpy(self.folder, start->folder, sizeof self.folder);
    process_file(&self, "port", "%u\n", ntohs(address.sin_port));
    for (unsigned i = 1; i < start->options.threads; i++)
        pthread_create(&thread, NULL, serve, &server);
    serve(&server);
    return 0;
}

static in_port_t begin(struct process *process, const struct start *options)
{
    char line[32];
    struct start start = *options;
    process_folder(process, "floor");
    process_certificate(process);
    memcpy(start.folder, process->folder, sizeof start.folder);
    process_fork(process, server_main, &start);
    process_wait_file(process, "port", line, sizeof line);
    return (in_port_t)strtoul(line, NULL, 10);
}

in_port_t echo_start(struct process *process, const struct echo_options *options)
{
    return begin(process, &(struct start){.options = *options});
}

in_port_t echo_start_scan(struct process *process, size_t rows)
{
    return begin(process, &(struct start){.options = {.threads = 1}, .rows = rows});
}
