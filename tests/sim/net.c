/* The lines between clients and the relay: whole messages, encoded, that take their time. */
#include "sim/sim.h"

uint64_t net_latency(struct world *world)
{
    const struct weather *weather = &world->weather;
    uint64_t ms = weather->latency_ms + chance_below(&world->chance, weather->jitter_ms + 1);
    if (!world->calm && chance_of(&world->chance, weather->slow))
        ms += chance_below(&world->chance, weather->slow_ms + 1);
    return ms;
}

static void release(struct conn_sim *conn, unsigned holds)
{
    conn->holds -= holds;
    if (conn->holds > 0)
        return;
    conn->world->numbered[conn->number] = NULL;
    for (struct conn_sim **at = &conn->world->conns; *at != NULL; at = &(*at)->next)
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    while (conn->first != NULL) {
        struct arrival *arrival = conn->first;
        conn->first = arrival->next;
        sotto_buf_free(&arrival->bytes);
        free(arrival);
    }
    free(conn);
}

void conn_release(struct conn_sim *conn)
{
    release(conn, 1);
}

static void client_hears(struct conn_sim *conn)
{
    if (conn->client->waiting)
        task_wake(&conn->client->task);
}

static void conn_ends(struct conn_sim *conn, sotto_error error, const char *what)
{
    if (conn->ended)
        return;
    conn->ended = true;
    conn->end = (struct channel_end){.error = error, .what = what, .why = ""};
    client_hears(conn);
}

/* How many holds the relay had, for the caller to release. */
static unsigned relay_gone(struct conn_sim *conn)
{
    if (!conn->up)
        return 0;
    conn->up = false;
    relay_closed(conn);
    return 1;
}

/* ---- From the relay ----------------------------------------------------------------------------
 */

static void arrives(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct conn_sim *conn = ctx;
    (void)number;
    if (!conn->closed && !conn->ended) {
        struct arrival *arrival = sim_alloc(sizeof *arrival);
        arrival->bytes = *bytes;
        sotto_buf_init(bytes, &world->env);
        *conn->last = arrival;
        conn->last = &arrival->next;
        conn->received++;
        client_hears(conn);
    }
    conn_release(conn);
}

uint64_t conn_send(struct conn_sim *conn, const struct message *message, uint64_t not_before_ms,
                   uint64_t extra_ms)
{
    struct world *world = conn->world;
    sotto_buf bytes;
    sotto_buf_init(&bytes, &world->env);
    if (message_write(message, &bytes) != SOTTO_OK)
        abort(); /* the relay's bug */
    uint64_t ms = world->now_ms + net_latency(world) + extra_ms;
    if (ms < not_before_ms)
        ms = not_before_ms;
    conn->holds++;
    world_at(world, ms, arrives, conn, &bytes, 0);
    return ms;
}

static void end_arrives(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct conn_sim *conn = ctx;
    (void)world;
    (void)bytes;
    (void)number;
    conn_ends(conn, SOTTO_NETWORK, "the relay closed the connection");
    conn_release(conn);
}

void conn_cut(struct conn_sim *conn)
{
    struct world *world = conn->world;
    if (!conn->up)
        return;
    world->cuts++;
    conn->holds++;
    world_at(world, world->now_ms + net_latency(world), end_arrives, conn, NULL, 0);
    release(conn, relay_gone(conn));
}

void net_cut_all(struct world *world)
{
    for (struct conn_sim *conn = world->conns; conn != NULL; conn = conn->next)
        conn_cut(conn);
}

/* ---- From the client ---------------------------------------------------------------------------
 */

static void request_arrives(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct conn_sim *conn = ctx;
    (void)number;
    if (conn->up) {
        uint64_t head[2] = {world->now_ms, conn->client->number};
        crypto_generichash_update(&world->transcript, (const uint8_t *)head, sizeof head);
        crypto_generichash_update(&world->transcript, bytes->data, bytes->size);
        world->requests++;
        if (world->options.trace)
            printf("%llu client %u: %s\n", (unsigned long long)world->now_ms, conn->client->number,
                   message_name((uint16_t)(bytes->data[0] << 8 | bytes->data[1])));
        relay_receive(conn, sotto_buf_view(bytes));
    }
    conn_release(conn);
}

static void close_arrives(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct conn_sim *conn = ctx;
    (void)world;
    (void)bytes;
    (void)number;
    release(conn, 1 + relay_gone(conn));
}

static void connects(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct conn_sim *conn = ctx;
    (void)bytes;
    (void)number;
    if (!conn->closed) {
        bool refused = world->down || (!world->calm &&
                                       chance_of(&world->chance, world->weather.refuse_connection));
        if (refused) {
            conn_ends(conn, SOTTO_NETWORK, "the relay cannot be reached");
        } else {
            conn->up = conn->opening = true;
            conn->holds++;
            client_hears(conn);
        }
    }
    conn_release(conn);
}

static sotto_error line_open(void *ctx, const sotto_env *env, struct tls *tls,
                             const struct link_options *options,
                             const struct channel_handler *handler, void *handler_ctx, void **line)
{
    struct client *client = ctx;
    struct world *world = client->world;
    struct conn_sim *conn = sim_alloc(sizeof *conn);
    (void)env;
    (void)tls;
    conn->world = world;
    conn->client = client;
    conn->number = world->numbered_count;
    *(struct conn_sim **)sim_grow((void **)&world->numbered, &world->numbered_count,
                                  &world->numbered_room, sizeof conn) = conn;
    conn->kind = (uint8_t)options->kind;
    conn->handler = handler;
    conn->handler_ctx = handler_ctx;
    conn->last = &conn->first;
    conn->holds = 2; /* the line's, and that of the event below */
    conn->next = world->conns;
    world->conns = conn;
    if (client->dead)
        conn_ends(conn, SOTTO_NETWORK, "it crashed");
    world_at(world, world->now_ms + 2 * net_latency(world), connects, conn, NULL, 0);
    *line = conn;
    return SOTTO_OK;
}

static void line_close(void *line)
{
    struct conn_sim *conn = line;
    struct world *world = conn->world;
    if (conn->closed)
        return;
    conn->closed = true;
    uint64_t ms = world->now_ms + net_latency(world);
    conn->holds++;
    world_at(world, ms < conn->up_ms ? conn->up_ms : ms, close_arrives, conn, NULL, 0);
}

static void line_free(void *line)
{
    struct conn_sim *conn = line;
    line_close(line);
    conn->handler = NULL;
    conn_release(conn);
}

static void line_wants(const void *line, struct link_wants *wants)
{
    const struct conn_sim *conn = line;
    wants->fd = SIM_FD + (int)conn->number;
    wants->events = POLLIN;
}

int net_poll(struct world *world, struct pollfd *fds, nfds_t count)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd < SIM_FD)
            continue;
        const struct conn_sim *conn = world->numbered[fds[i].fd - SIM_FD];
        if (conn == NULL || (conn->first == NULL && !conn->opening && !conn->ended))
            continue;
        fds[i].revents = POLLIN;
        ready++;
    }
    return ready;
}

static void line_step(void *line, unsigned revents, uint64_t now_ms)
{
    struct conn_sim *conn = line;
    (void)revents;
    (void)now_ms;
    if (conn->opening && !conn->closed) {
        conn->opening = false;
        conn->handler->opened(conn->handler_ctx);
    }
    while (conn->first != NULL && !conn->closed) {
        struct arrival *arrival = conn->first;
        conn->first = arrival->next;
        if (conn->first == NULL)
            conn->last = &conn->first;
        conn->handler->message(conn->handler_ctx, sotto_buf_view(&arrival->bytes));
        sotto_buf_free(&arrival->bytes);
        free(arrival);
    }
    conn->over |= conn->ended && conn->first == NULL;
}

static sotto_error line_send(void *line, sotto_bytes message)
{
    struct conn_sim *conn = line;
    struct world *world = conn->world;
    sotto_buf bytes;
    if (conn->closed || conn->over || !client_lives(conn->client))
        return SOTTO_STATE;
    sotto_buf_init(&bytes, &world->env);
    if (sotto_buf_append(&bytes, message.data, message.size) != SOTTO_OK)
        return SOTTO_NO_MEMORY;
    uint64_t ms = world->now_ms + net_latency(world);
    conn->up_ms = ms < conn->up_ms ? conn->up_ms : ms;
    conn->holds++;
    world_at(world, conn->up_ms, request_arrives, conn, &bytes, 0);
    return SOTTO_OK;
}

static void pong_arrives(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number)
{
    struct conn_sim *conn = ctx;
    (void)world;
    (void)bytes;
    (void)number;
    if (conn->up && !conn->closed)
        conn->received++;
    conn_release(conn);
}

static void line_ping(void *line)
{
    struct conn_sim *conn = line;
    conn->holds++;
    world_at(conn->world, conn->world->now_ms + 2 * net_latency(conn->world), pong_arrives, conn,
             NULL, 0);
}

static uint64_t line_received(const void *line)
{
    return ((const struct conn_sim *)line)->received;
}

static bool line_closing(const void *line)
{
    const struct conn_sim *conn = line;
    return conn->closed || conn->over;
}

static const struct channel_end *line_over(const void *line)
{
    const struct conn_sim *conn = line;
    return conn->over ? &conn->end : NULL;
}

const struct line_type line_sim = {
    .open = line_open,
    .free = line_free,
    .wants = line_wants,
    .step = line_step,
    .send = line_send,
    .ping = line_ping,
    .close = line_close,
    .received = line_received,
    .closing = line_closing,
    .over = line_over,
};
