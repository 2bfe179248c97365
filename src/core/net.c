#include "core/net.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/internal.h"
#include "core/netwatch.h"

enum {
    RETRY_FIRST_MS = 500,
    RETRY_MAX_MS = 60000,
    ANONYMOUS_DELAY_MS = 1500, /* the room connection does not open in step with the account's */
    CONNS_MAX = 256,
    ALONE_MS = 60000,
};

uint64_t net_now_ms(const struct sotto *core)
{
    return core->outside->now_ms(core->outside->ctx);
}

static uint64_t link_clock(void *ctx)
{
    return net_now_ms(ctx);
}

uint64_t net_jitter(struct sotto *core, uint64_t max)
{
    uint32_t random = 0;
    if (max == 0 ||
        core->env->random(core->env->ctx, (uint8_t *)&random, sizeof random) != SOTTO_OK)
        return 0;
    return random % max;
}

static struct conn *conn_get(struct sotto *core, const char *relay, enum connection_kind kind,
                             bool blobs)
{
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next)
        if (conn->kind == kind && conn->blobs == blobs && strcmp(conn->relay, relay) == 0)
            return conn;
    if (strlen(relay) > WIRE_ADDRESS_MAX)
        return NULL;
    struct conn *conn = mem_alloc(core->env, sizeof *conn);
    if (conn == NULL)
        return NULL;
    conn->core = core;
    conn->kind = kind;
    conn->blobs = blobs;
    memcpy(conn->relay, relay, strlen(relay) + 1);
    if (core->patient && kind == CONNECTION_ROOM)
        conn->retry_ms = net_now_ms(core) + net_jitter(core, ANONYMOUS_DELAY_MS);
    conn->next = core->conns;
    core->conns = conn;
    return conn;
}

struct conn *net_conn(struct sotto *core, const char *relay, enum connection_kind kind)
{
    return conn_get(core, relay, kind, false);
}

struct conn *net_blob_conn(struct sotto *core, const char *relay)
{
    return conn_get(core, relay, CONNECTION_ROOM, true);
}

/* Whether the listener knows that a relay is away: two connections to it are one matter. */
static bool relay_told(const struct conn *of)
{
    for (const struct conn *conn = of->core->conns; conn != NULL; conn = conn->next)
        if (conn->told && strcmp(conn->relay, of->relay) == 0)
            return true;
    return false;
}

static void conn_notice(struct conn *conn, bool down)
{
    struct sotto *core = conn->core;
    bool before = relay_told(conn);
    conn->told = down;
    if (relay_told(conn) == before)
        return;
    const struct sotto_problem *problem = down ? &conn->problem : NULL;
    if (core->listener != NULL && core->listener->notice != NULL)
        core->listener->notice(core->listener->ctx, problem);
    if (core->host != NULL)
        core->host->notice(core->host->ctx, problem);
}

static void conn_fail(struct conn *conn, sotto_error error, const char *text)
{
    problem_network(&conn->problem, conn->relay, error, text);
    if (conn->failures < 16)
        conn->failures++;
    uint64_t pause = (uint64_t)RETRY_FIRST_MS << (conn->failures - 1);
    if (pause > RETRY_MAX_MS)
        pause = RETRY_MAX_MS;
    conn->retry_ms = net_now_ms(conn->core) + pause / 2 + net_jitter(conn->core, pause);
    conn_notice(conn, true);
}

static void on_ready(void *ctx, const struct hello_ok *hello)
{
    struct conn *conn = ctx;
    conn->ready = true;
    if (conn->kind == CONNECTION_ACCOUNT) /* one's own relay: others' may be anywhere */
        clock_told(conn->core, hello->now);
    conn->failures = 0;
    problem_clear(&conn->problem);
    conn_notice(conn, false);
}

static void on_ended(void *ctx, sotto_error error, const char *text)
{
    struct conn *conn = ctx;
    conn->ready = false;
    conn->dead = true;
    /* Subscriptions end with the link, without a word to those who have them. */
    for (struct room *room = conn->core->rooms; room != NULL; room = room->next)
        if (room->conn == conn)
            room->wake = true;
    conn_fail(conn, error == SOTTO_OK ? SOTTO_NETWORK : error, text);
}

bool conn_failed(const struct conn *conn)
{
    return conn->link == NULL && conn->problem.code != SOTTO_CODE_OK && !conn->core->patient;
}

/* Credentials of their own keep each connection on a circuit of its own: nothing but the relay
 * joins them, and it cannot. */
static sotto_error through_proxy(struct sotto *core, struct proxy *proxy,
                                 struct link_options *options)
{
    uint8_t random[16];
    TRY(proxy_now(core, proxy));
    if (!proxy->on)
        return SOTTO_OK;
    options->proxy = &proxy->address;
    if (proxy->isolates) {
        TRY(core->env->random(core->env->ctx, random, sizeof random));
        (void)snprintf(proxy->user, sizeof proxy->user, "sotto");
        core_id_hex(random, sizeof random, proxy->password);
    }
    if (proxy->isolates || proxy->has_login) {
        options->proxy_user = proxy->user;
        options->proxy_password = proxy->password;
    }
    return SOTTO_OK;
}

bool conn_up(struct conn *conn)
{
    struct sotto *core = conn->core;
    if (conn->link != NULL)
        return !conn->dead;
    if (conn_failed(conn) || net_now_ms(core) < conn->retry_ms)
        return false;
    struct link_options options;
    memset(&options, 0, sizeof options);
    options.kind = conn->kind;
    options.now_ms = link_clock;
    options.clock_ctx = core;
    options.line = core->outside->line;
    options.line_ctx = core->outside->ctx;
    sotto_fault fault;
    struct proxy proxy = {.on = false};
    sotto_error error = address_parse(sotto_bytes_str(conn->relay), &options.address, &fault);
    struct link_handler handler = {conn, on_ready, on_ended};
    if (error == SOTTO_OK)
        error = through_proxy(core, &proxy, &options);
    if (error == SOTTO_OK)
        error = link_open(core->env, core->tls, &options, &handler, &conn->link);
    proxy_wipe(&proxy);
    if (error != SOTTO_OK) {
        conn->link = NULL;
        conn_fail(conn, error, sotto_error_text(error));
        return false;
    }
    conn->generation++;
    conn->dead = conn->ready = conn->doubted = false;
    conn->stepped_ms = net_now_ms(core);
    return true;
}

static void conn_bury(struct conn *conn)
{
    link_free(conn->link);
    conn->link = NULL;
    conn->dead = conn->ready = false;
}

static void pipe_drain(int fd)
{
    char bytes[16];
    while (read(fd, bytes, sizeof bytes) > 0)
        continue;
}

/* What is connected has to show that it lives; what is not tries again without its long pause. */
static void network_changed(struct sotto *core)
{
    uint64_t soon = net_now_ms(core) + RETRY_FIRST_MS;
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next) {
        if (conn->link != NULL)
            link_probe(conn->link);
        else if (conn->failures > 0 && conn->retry_ms > soon) {
            conn->retry_ms = soon + net_jitter(core, ANONYMOUS_DELAY_MS);
            conn->failures = 1;
            for (struct room *room = core->rooms; room != NULL; room = room->next)
                room->wake |= room->conn == conn;
        }
    }
}

/* What came at once on a room connection is stored at once: the disk is waited for once, not for
 * each entry. Nothing is asked or acknowledged in the callbacks, but in the rooms' next steps. */
static void step_link(struct conn *conn, unsigned revents)
{
    struct sotto *core = conn->core;
    conn->stepped_ms = net_now_ms(core);
    if (conn->kind != CONNECTION_ROOM || conn->blobs || (revents & POLLIN) == 0 ||
        net_now_ms(core) < conn->alone_ms) {
        link_step(conn->link, revents);
        return;
    }
    store_gather(core->store);
    link_step(conn->link, revents);
    sotto_error error = store_gather_end(core->store);
    if (error != SOTTO_OK) {
        conn->alone_ms = net_now_ms(core) + ALONE_MS; /* one room's trouble is not the others' */
        rooms_unkept(conn, error);
    }
    store_scrub(core->store, false);
}

void net_step(struct sotto *core, uint64_t timeout_ms)
{
    struct pollfd fds[CONNS_MAX + 2 + SOTTO_HOST_FDS_MAX];
    struct conn *of[CONNS_MAX];
    struct link *links[CONNS_MAX];
    bool polled[CONNS_MAX];
    nfds_t fd_count = 0;
    size_t count = 0;
    uint64_t now = net_now_ms(core);
    uint64_t until = now + timeout_ms;
    if (core->patient && core->netwatch < 0 && core->outside->line == NULL)
        core->netwatch = netwatch_open();
    fds[fd_count++] = (struct pollfd){core->stop_pipe[0], POLLIN, 0};
    fds[fd_count++] = (struct pollfd){core->netwatch, POLLIN, 0}; /* -1 is passed over */
    for (struct conn *conn = core->conns; conn != NULL && count < CONNS_MAX; conn = conn->next) {
        if (conn->link == NULL)
            continue;
        struct link_wants wants;
        link_wants(conn->link, &wants);
        if (wants.deadline_ms < until)
            until = wants.deadline_ms;
        polled[count] = wants.fd >= 0;
        if (polled[count])
            fds[fd_count++] = (struct pollfd){wants.fd, (short)wants.events, 0};
        links[count] = conn->link;
        of[count++] = conn;
    }
    const struct sotto_host *host = core->host;
    nfds_t host_at = fd_count;
    size_t host_count = host != NULL ? host->wants(host->ctx, fds + host_at) : 0;
    now = net_now_ms(core);
    uint64_t wait = until > now ? until - now : 0;
    store_reads_end(core->store);
    int n = core->outside->wait(core->outside->ctx, fds, fd_count + host_count,
                                wait > 60000 ? 60000 : (int)wait);
    for (size_t i = 0; i < host_count && n <= 0; i++)
        fds[host_at + i].revents = 0;
    if (n > 0 && fds[0].revents != 0)
        pipe_drain(core->stop_pipe[0]);
    if (n > 0 && fds[1].revents != 0 && netwatch_changed(core->netwatch))
        network_changed(core);
    nfds_t at = 2;
    for (size_t i = 0; i < count; i++) {
        unsigned revents = polled[i] ? (unsigned)(unsigned short)fds[at++].revents : 0;
        if (of[i]->link == links[i] && !of[i]->dead)
            step_link(of[i], n > 0 ? revents : 0);
    }
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next)
        if (conn->dead)
            conn_bury(conn);
    if (host != NULL)
        host->step(host->ctx, fds + host_at, host_count);
}

void net_flush(struct conn *conn)
{
    if (conn->link != NULL && !conn->dead)
        link_step(conn->link, 0);
}

void net_reconnect(struct sotto *core)
{
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next) {
        if (conn->link == NULL || conn->dead)
            continue;
        on_ended(conn, SOTTO_NETWORK, "the proxy was changed");
        problem_clear(&conn->problem);
        conn->failures = 0;
        conn->retry_ms = net_now_ms(core) + 1;
        if (core->patient && conn->kind == CONNECTION_ROOM)
            conn->retry_ms += net_jitter(core, ANONYMOUS_DELAY_MS);
    }
}

/* What nobody stepped for so long may be over, and would be found to be when it is used. */
static void unwatched_end(struct sotto *core)
{
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next)
        if (conn->link != NULL &&
            (conn->doubted || net_now_ms(core) - conn->stepped_ms >= LINK_PING_MS))
            conn_bury(conn);
}

void net_doubt(struct conn *conn)
{
    conn->doubted = true;
    if (conn->core->patient && conn->link != NULL && !conn->dead)
        on_ended(conn, SOTTO_TIMEOUT, "the relay does not send what it tells of");
}

void net_fresh(struct sotto *core)
{
    proxy_check(core);
    unwatched_end(core);
    for (struct conn *conn = core->conns; conn != NULL; conn = conn->next)
        if (conn->link == NULL) {
            problem_clear(&conn->problem);
            conn->retry_ms = 0;
            conn->failures = 0;
            conn->told = false;
        }
}

void net_close(struct sotto *core)
{
    struct conn *conn = core->conns;
    core->conns = NULL;
    if (core->netwatch >= 0)
        (void)close(core->netwatch);
    core->netwatch = -1;
    while (conn != NULL) {
        struct conn *next = conn->next;
        link_free(conn->link);
        mem_free(core->env, conn, sizeof *conn);
        conn = next;
    }
}

bool net_transient(sotto_error error, const struct message *answer)
{
    if (error != SOTTO_REFUSED || answer == NULL)
        return true;
    return answer->error.code == WIRE_CODE_RATE_LIMITED ||
           answer->error.code == WIRE_CODE_UNAVAILABLE ||
           answer->error.code == WIRE_CODE_INBOX_FULL;
}

void net_problem(const struct conn *conn, sotto_error error, const struct message *answer,
                 struct sotto_problem *problem)
{
    if (error == SOTTO_REFUSED && answer != NULL) {
        problem_refused(problem, conn->relay, &answer->error);
        return;
    }
    /* The link says more exactly what happened to it than the error of one request. */
    const char *text = sotto_error_text(error);
    if (conn->link != NULL && link_error(conn->link) != SOTTO_OK)
        text = link_error_text(conn->link);
    problem_network(problem, conn->relay, error, text);
}
