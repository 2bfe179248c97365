#include "relay/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "relay/log_pages.h"

/* ---- Sending -------------------------------------------------------------------------------- */

static bool is_open(const struct connection *connection)
{
    return connection->channel != NULL && !connection->drop &&
           channel_state(connection->channel) == CHANNEL_OPEN;
}

static void send_parts(struct connection *connection, const sotto_bytes *parts, size_t count)
{
    struct loop_figures *figures = &connection->loop->figures;
    count_own(&figures->messages_out, 1);
    for (size_t i = 0; i < count; i++)
        count_own(&figures->bytes_out, parts[i].size);
    if (channel_send(connection->channel, parts, count) != SOTTO_OK)
        connection->drop = true;
    connection_touch(connection);
}

void connection_send(struct connection *connection, const struct message *message)
{
    if (!is_open(connection))
        return;
    sotto_buf *scratch = &connection->loop->scratch;
    if (message_write(message, scratch) == SOTTO_OK) {
        const sotto_bytes part = sotto_buf_view(scratch);
        send_parts(connection, &part, 1);
    } else { /* no memory, or a row of the store that is not what was put there */
        log_event(&connection->loop->relay->log, LOG_ERROR, "answer_not_written",
                  (struct log_field[]){log_number("type", message->type), LOG_END});
        connection->drop = true;
        connection_touch(connection);
    }
    if (scratch->capacity > FETCH_BYTES)
        sotto_buf_free(scratch);
    else
        sotto_buf_clear(scratch);
}

void connection_push(struct connection *connection, uint16_t type, uint32_t request,
                     const struct blob *blob)
{
    uint8_t head[WIRE_HEAD];
    if (!is_open(connection))
        return;
    message_head(type, request, head);
    const sotto_bytes parts[] = {sotto_bytes_of(head, sizeof head), blob_body(blob)};
    send_parts(connection, parts, 2);
}

void connection_answer(struct connection *connection, uint16_t type, uint32_t request)
{
    const struct message message = {.type = type, .request = request};
    connection_send(connection, &message);
}

static void send_error(struct connection *connection, uint32_t request, uint16_t code,
                       uint64_t detail, const char *text)
{
    const struct message message = {
        .type = MESSAGE_ERROR,
        .request = request,
        .error = {code, detail, sotto_bytes_str(text)},
    };
    count_own(&connection->loop->figures.refused[code % FIGURE_CODES], 1);
    connection_send(connection, &message);
}

void connection_refuse(struct connection *connection, uint32_t request, uint16_t code,
                       uint64_t detail)
{
    send_error(connection, request, code, detail, "");
}

void connection_withdrawn(struct connection *connection, const struct store_op *op)
{
    send_error(connection, op->request, WIRE_CODE_WITHDRAWN, op->detail, op->where);
}

void connection_bad_request(struct connection *connection, uint32_t request, const char *what,
                            uint64_t offset)
{
    if (!is_open(connection))
        return;
    send_error(connection, request, WIRE_CODE_BAD_REQUEST, offset, what);
    channel_close(connection->channel, 1008);
    connection_touch(connection);
}

bool connection_has_room(const struct connection *connection)
{
    return is_open(connection) && channel_queued(connection->channel) < CONNECTION_QUEUE_LOW;
}

/* ---- Operations ----------------------------------------------------------------------------- */

struct store_op *connection_op(struct connection *connection, uint32_t request,
                               enum store_kind kind)
{
    struct store_op *op = store_op_new(connection->loop->relay->env, kind);
    if (op == NULL)
        connection_refuse(connection, request, WIRE_CODE_UNAVAILABLE, 5);
    else
        op->request = request;
    return op;
}

static void hold(struct connection *connection, struct store_op *op,
                 void (*done)(struct store_op *op), void *ctx)
{
    op->port = connection->loop->port;
    op->done = done;
    op->ctx = ctx;
    connection->operations++;
}

static void charge(struct connection *connection, struct store_op *op)
{
    op->charged = op->size; /* size grows with the answer */
    connection->requests++;
    connection->request_bytes += op->charged;
}

void connection_submit_own(struct connection *connection, struct store_op *op,
                           void (*done)(struct store_op *op), void *ctx)
{
    hold(connection, op, done, ctx);
    store_submit(connection->loop->relay->store, op);
}

void connection_submit(struct connection *connection, struct store_op *op,
                       void (*done)(struct store_op *op))
{
    charge(connection, op);
    connection_submit_own(connection, op, done, connection);
}

void connection_submit_blob(struct connection *connection, struct store_op *op,
                            void (*done)(struct store_op *op))
{
    charge(connection, op);
    hold(connection, op, done, connection);
    connection->promised += op->blob.length;
    blobs_submit(connection->loop->relay->blobs, op);
}

static void free_connection(struct connection *connection)
{
    connection->loop->connections--;
    mem_free(connection->loop->relay->env, connection, sizeof *connection);
}

void connection_complete_own(struct connection *connection)
{
    connection->operations--;
    if (connection->channel != NULL)
        connection_touch(connection);
    else if (connection->operations == 0)
        free_connection(connection);
}

void connection_complete(struct store_op *op)
{
    struct connection *connection = connection_of(op);
    connection->requests--;
    connection->request_bytes -= op->charged;
    if (op->kind == STORE_BLOB_JOB)
        connection->promised -= op->blob.length;
    connection_complete_own(connection);
}

void connection_done(struct store_op *op, const struct message *answer)
{
    if (op->code != 0)
        send_error(connection_of(op), op->request, op->code, op->detail, op->where);
    else
        connection_send(connection_of(op), answer);
    connection_complete(op);
}

void connection_done_empty(struct store_op *op, uint16_t type)
{
    const struct message answer = {.type = type, .request = op->request};
    connection_done(op, &answer);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

static void on_hello(struct connection *connection, const struct message *message)
{
    const struct relay *relay = connection->loop->relay;
    struct message answer = {
        .type = MESSAGE_HELLO_OK,
        .request = message->request,
        .hello_ok =
            {
                .version = WIRE_VERSION,
                .registration = (uint8_t)relay->config->registration,
                .retention_days = (uint16_t)relay->config->retention_days,
                .max_entry = WIRE_ENTRY_MAX,
                .max_envelope = WIRE_ENVELOPE_MAX,
                .now = relay->env->now(relay->env->ctx),
                .name = sotto_bytes_str(relay->config->name),
            },
    };
    if (relay->env->random(relay->env->ctx, connection->challenge, CHALLENGE_SIZE) != SOTTO_OK) {
        connection->drop = true;
        return;
    }
    memcpy(answer.hello_ok.challenge, connection->challenge, CHALLENGE_SIZE);
    connection->kind = message->hello.connection;
    connection_send(connection, &answer);
}

static void dispatch(struct connection *connection, const struct message *message)
{
    unsigned allowed = message_connections(message->type);
    bool is_hello = message->type == MESSAGE_HELLO;
    if (is_hello != (connection->kind == 0)) {
        connection_bad_request(connection, message->request, "hello comes first, and once", 0);
    } else if (is_hello) {
        on_hello(connection, message);
    } else if ((allowed & connection->kind) == 0) {
        connection_refuse(connection, message->request, WIRE_CODE_WRONG_CONNECTION, 0);
    } else {
        request_fn *request = connection->kind == CONNECTION_ACCOUNT
                                  ? request_account(message->type)
                                  : request_room(message->type);
        if (request == NULL)
            request = request_blob(message->type);
        BUG_UNLESS(request != NULL);
        request(connection, message);
    }
}

/* What could not be read, as message.h has it. */
static void refuse_message(struct connection *connection, const struct message *message,
                           const sotto_fault *fault)
{
    uint32_t request = message->request;
    bool is_unknown = fault->error == SOTTO_UNSUPPORTED;
    if (connection->kind == 0)
        connection_bad_request(connection, request, fault->what, fault->offset);
    else if (is_unknown && request != 0)
        connection_refuse(connection, request, WIRE_CODE_UNKNOWN_TYPE, message->type);
    else if (fault->error == SOTTO_LIMIT && request != 0)
        send_error(connection, request, WIRE_CODE_LIMIT, WIRE_BODY_MAX, fault->what);
    else if (fault->error == SOTTO_NO_MEMORY)
        connection_refuse(connection, request, WIRE_CODE_UNAVAILABLE, 5);
    else
        connection_bad_request(connection, request, fault->what, fault->offset);
}

static bool must_pause(const struct connection *connection)
{
    return connection->barrier || connection->turn >= CONNECTION_TURN ||
           connection->requests >= CONNECTION_REQUESTS ||
           connection->request_bytes >= CONNECTION_BYTES ||
           channel_queued(connection->channel) + connection->promised >= CONNECTION_QUEUE_HIGH;
}

static void pause_if_needed(struct connection *connection)
{
    bool pause = must_pause(connection);
    if (pause != connection->paused)
        channel_pause(connection->channel, pause);
    connection->paused = pause;
}

static void on_message(void *ctx, sotto_bytes bytes)
{
    struct connection *connection = ctx;
    struct message message;
    struct arena arena;
    sotto_fault fault;
    if (connection->drop)
        return;
    connection->message_ms = 0;
    connection->turn++;
    count_own(&connection->loop->figures.messages_in, 1);
    count_own(&connection->loop->figures.bytes_in, bytes.size);
    arena_init(&arena, connection->loop->relay->env);
    if (message_read(bytes, MESSAGE_TO_RELAY, &arena, &message, &fault) == SOTTO_OK)
        dispatch(connection, &message);
    else
        refuse_message(connection, &message, &fault);
    arena_free(&arena);
    pause_if_needed(connection);
}

static const struct channel_handler handler = {.message = on_message, .page = log_page_http};

/* ---- Life ----------------------------------------------------------------------------------- */

void connection_touch(struct connection *connection)
{
    if (connection->touched)
        return;
    connection->touched = true;
    connection->touched_next = connection->loop->touched;
    connection->loop->touched = connection;
}

static void on_ready(struct loop *loop, struct event_source *source, uint32_t events)
{
    (void)loop;
    struct connection *connection = (struct connection *)source;
    channel_step(connection->channel, events);
    connection_touch(connection);
}

static void link_slot(struct connection *connection)
{
    struct loop *loop = connection->loop;
    struct connection **slot = &loop->slots[loop->slot];
    connection->next = *slot;
    connection->previous = slot;
    if (*slot != NULL)
        (*slot)->previous = &connection->next;
    *slot = connection;
}

static void unlink_slot(struct connection *connection)
{
    *connection->previous = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
}

void connection_turn_away(struct loop *loop, int fd)
{
    close(fd);
    atomic_fetch_sub(&loop->relay->connections, 1);
    atomic_fetch_add(&loop->relay->turned_away, 1);
    count_own(&loop->figures.turned_away, 1);
}

static bool may_enter(struct relay *relay, const struct rate_address *address)
{
    return ratelimit_take(relay->ratelimit, address, RATE_CONNECTION) == 0 &&
           ratelimit_enter(relay->ratelimit, address);
}

static void leave(struct relay *relay, const struct rate_address *address)
{
    ratelimit_leave(relay->ratelimit, address);
    atomic_fetch_sub(&relay->connections, 1);
}

static bool begin_channel(struct connection *connection, int fd)
{
    struct loop *loop = connection->loop;
    const int on = 1, unsent = CONNECTION_UNSENT;
    struct epoll_event event = {.data.ptr = connection};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    struct tls *tls = relay_tls(loop->relay);
    sotto_error error =
        channel_accept(loop->relay->env, tls, fd, NULL, &handler, connection, &connection->channel);
    tls_free(tls);
    if (error != SOTTO_OK) {
        close(fd);
        return false;
    }
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        channel_free(connection->channel);
        return false;
    }
    return true;
}

void connection_accept(struct loop *loop, int fd, const struct ip *from, uint64_t opened_ms)
{
    struct rate_address address = rate_address_of(from);
    struct connection *connection = NULL;
    if (!may_enter(loop->relay, &address)) {
        connection_turn_away(loop, fd);
        return;
    }
    connection = mem_alloc(loop->relay->env, sizeof *connection);
    if (connection == NULL) {
        close(fd);
        leave(loop->relay, &address);
        return;
    }
    connection->source.ready = on_ready;
    connection->loop = loop;
    connection->address = address;
    connection->opened_ms = opened_ms;
    connection->heard_ms = relay_now_ms();
    ip_text(from, connection->address_text);
    if (!begin_channel(connection, fd)) {
        leave(loop->relay, &address);
        mem_free(loop->relay->env, connection, sizeof *connection);
        return;
    }
    loop->connections++;
    link_slot(connection);
    connection_touch(connection);
}

void connection_end(struct connection *connection)
{
    struct loop *loop = connection->loop;
    subscription_end_all(connection);
    inbox_end(connection);
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, channel_fd(connection->channel), NULL);
    channel_free(connection->channel);
    connection->channel = NULL;
    unlink_slot(connection);
    loop->gathered -= connection->gathered;
    leave(loop->relay, &connection->address);
    if (connection->operations == 0)
        free_connection(connection);
}

static void watch_events(struct connection *connection)
{
    unsigned events = channel_events(connection->channel);
    if (events == connection->events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    connection->events = events;
    if (epoll_ctl(connection->loop->epoll, EPOLL_CTL_MOD, channel_fd(connection->channel),
                  &event) != 0)
        connection->drop = true;
}

static bool is_over(const struct connection *connection)
{
    return connection->drop || channel_state(connection->channel) == CHANNEL_CLOSED;
}

/* Memory for messages that are coming is the loop's, not for each to take as much as it likes. */
static void count_gathered(struct connection *connection)
{
    struct loop *loop = connection->loop;
    size_t gathered = channel_gathered(connection->channel);
    bool grew = gathered > connection->gathered;
    loop->gathered += gathered - connection->gathered;
    connection->gathered = gathered;
    if (grew && loop->gathered > LOOP_GATHERED_BYTES) {
        log_event(&loop->relay->log, LOG_WARNING, "too_many_large_messages_at_once", NULL);
        channel_close(connection->channel, 1013);
    }
}

void connection_settle(struct connection *connection)
{
    /* It stays marked meanwhile: what it touches itself is done here. */
    if (!is_over(connection)) {
        count_gathered(connection);
        channel_flush(connection->channel);
        subscription_go_on(connection);
        inbox_go_on(connection);
        channel_flush(connection->channel);
        connection->turn = 0;
        pause_if_needed(connection);
        watch_events(connection);
    }
    connection->touched = false;
    if (is_over(connection))
        connection_end(connection);
    else if (channel_pending(connection->channel))
        connection_touch(connection); /* and stepped before the loop sleeps, see loop.c */
}

static bool is_late(struct connection *connection, uint64_t now_ms)
{
    enum channel_state state = channel_state(connection->channel);
    if (state == CHANNEL_CLOSING) {
        if (connection->closing_ms == 0)
            connection->closing_ms = now_ms;
        return now_ms - connection->closing_ms >= CLOSING_SECONDS * 1000;
    }
    if (connection->kind == 0)
        return now_ms - connection->opened_ms >= OPENING_SECONDS * 1000;
    if (connection->gathered == 0 || connection->paused)
        connection->message_ms = 0;
    else if (connection->message_ms == 0)
        connection->message_ms = now_ms;
    else if (now_ms - connection->message_ms >= MESSAGE_SECONDS * 1000)
        return true;
    return now_ms - connection->heard_ms >= SILENCE_SECONDS * 1000;
}

/* Bytes that came, or that the peer took: either shows that it is there. */
static bool is_alive(struct connection *connection)
{
    uint64_t received = channel_received(connection->channel);
    size_t queued = channel_queued(connection->channel);
    bool alive = received != connection->received || queued < connection->queued;
    connection->received = received;
    connection->queued = queued;
    /* While it waits for our answers and we do not read, the silence is ours. */
    return alive || (connection->paused && connection->requests > 0);
}

void connection_look_after(struct connection *connection, uint64_t now_ms)
{
    if (is_alive(connection))
        connection->heard_ms = now_ms;
    if (is_late(connection, now_ms)) {
        connection->drop = true;
        connection_touch(connection);
    } else if (now_ms - connection->heard_ms >= PING_SECONDS * 1000) {
        channel_ping(connection->channel);
        connection_touch(connection);
    }
}

void connection_stop(struct connection *connection)
{
    channel_close(connection->channel, 1001);
    connection_touch(connection);
}
