/* Subscriptions are cursors. Each knows the seq that it wants next; while the connection's outgoing
 * queue is short, the entries behind the cursor are fetched and sent, a batch at a time. An entry
 * that was stored just now is sent from memory if the cursor stands exactly at it. So a slow reader
 * costs a cursor, not memory, and nothing is pushed that is not durable.
 *
 * A subscription is entered in its room's watch before the store is asked: whatever is committed
 * between the store's answer and its arrival here is heard as a notice. */
#include "relay/connection.h"

#include <string.h>

/* A room with subscribers on this loop. */
struct watch {
    struct table_node node;
    struct room_id room;
    uint64_t head; /* newest seq known to be durable */
    struct subscription *subscriptions;
    bool busy; /* a notice is being given out: not to be freed */
};

struct subscription {
    struct connection *connection;
    struct watch *watch;                   /* NULL: over, waits for its operation to end */
    struct subscription *next, **previous; /* of the connection */
    struct subscription *watch_next, **watch_previous; /* of the watch */
    uint32_t request;
    struct gate gate;
    int64_t key;          /* of the room in the store; 0: not opened yet */
    uint64_t want, until; /* the next seq, and the last that may be sent */
    bool fetching, stalled;
};

/* ---- Watches -------------------------------------------------------------------------------- */

static struct watch *find_watch(const struct loop *loop, const struct room_id *room)
{
    uint64_t hash = table_hash(&loop->watches, sotto_bytes_of(room->bytes, ROOM_ID_SIZE));
    struct table_node *node = table_first(&loop->watches, hash);
    for (; node != NULL; node = table_next(node)) {
        struct watch *watch = TABLE_ENTRY(node, struct watch, node);
        if (memcmp(watch->room.bytes, room->bytes, ROOM_ID_SIZE) == 0)
            return watch;
    }
    return NULL;
}

static struct watch *get_watch(struct loop *loop, const struct room_id *room)
{
    struct watch *watch = find_watch(loop, room);
    if (watch != NULL)
        return watch;
    watch = mem_alloc(loop->relay->env, sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->room = *room;
    uint64_t hash = table_hash(&loop->watches, sotto_bytes_of(room->bytes, ROOM_ID_SIZE));
    if (table_add(&loop->watches, &watch->node, hash) != SOTTO_OK) {
        mem_free(loop->relay->env, watch, sizeof *watch);
        return NULL;
    }
    return watch;
}

static void free_if_idle(struct loop *loop, struct watch *watch)
{
    if (watch->subscriptions != NULL || watch->busy)
        return;
    table_remove(&loop->watches, &watch->node);
    mem_free(loop->relay->env, watch, sizeof *watch);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void link_both(struct subscription *one, struct watch *watch)
{
    struct connection *connection = one->connection;
    one->next = connection->subscriptions;
    one->previous = &connection->subscriptions;
    if (one->next != NULL)
        one->next->previous = &one->next;
    connection->subscriptions = one;
    connection->subscription_count++;
    one->watch = watch;
    one->watch_next = watch->subscriptions;
    one->watch_previous = &watch->subscriptions;
    if (one->watch_next != NULL)
        one->watch_next->watch_previous = &one->watch_next;
    watch->subscriptions = one;
}

static void set_stalled(struct subscription *one, bool stalled)
{
    if (one->stalled == stalled)
        return;
    one->stalled = stalled;
    if (stalled)
        one->connection->stalled++;
    else
        one->connection->stalled--;
}

static void free_subscription(struct subscription *one)
{
    mem_free(one->connection->loop->relay->env, one, sizeof *one);
}

/* Leaves both lists. Freed at once, or when its operation has ended. */
static void end(struct subscription *one)
{
    struct watch *watch = one->watch;
    BUG_UNLESS(watch != NULL);
    set_stalled(one, false);
    *one->previous = one->next;
    if (one->next != NULL)
        one->next->previous = one->previous;
    *one->watch_previous = one->watch_next;
    if (one->watch_next != NULL)
        one->watch_next->watch_previous = one->watch_previous;
    one->connection->subscription_count--;
    one->watch = NULL;
    free_if_idle(one->connection->loop, watch);
    if (!one->fetching)
        free_subscription(one);
}

static void end_with(struct subscription *one, uint16_t code)
{
    const struct message message = {
        .type = MESSAGE_ROOM_END,
        .request = one->request,
        .end_code = code,
    };
    connection_send(one->connection, &message);
    end(one);
}

void subscription_end_all(struct connection *connection)
{
    while (connection->subscriptions != NULL)
        end(connection->subscriptions);
}

/* ---- The pump ------------------------------------------------------------------------------- */

static void on_fetched(struct store_op *op);

static void fetch(struct subscription *one)
{
    struct connection *connection = one->connection;
    struct store_op *op = store_op_new(connection->loop->relay->env, STORE_ROOM_FETCH);
    if (op == NULL) {
        end_with(one, WIRE_CODE_UNAVAILABLE);
        return;
    }
    op->room_fetch.key = one->key;
    op->room_fetch.from = one->want;
    op->room_fetch.until = one->watch->head < one->until ? one->watch->head : one->until;
    one->fetching = true;
    connection->fetching++;
    connection_submit_own(connection, op, on_fetched, one);
}

/* Goes on from the cursor, if there is something, and room for it. May end the subscription. */
static void go_on(struct subscription *one)
{
    struct connection *connection = one->connection;
    if (one->key == 0 || one->fetching)
        return;
    if (one->want > one->until) {
        end_with(one, WIRE_CODE_GATE_CLOSED);
        return;
    }
    bool has_more = one->want <= one->watch->head;
    bool may = connection_has_room(connection) && connection->fetching < CONNECTION_FETCHES;
    set_stalled(one, has_more && !may);
    if (has_more && may)
        fetch(one);
}

void subscription_go_on(struct connection *connection)
{
    struct subscription *next;
    if (connection->stalled == 0)
        return;
    for (struct subscription *one = connection->subscriptions; one != NULL; one = next) {
        if (!connection_has_room(connection) || connection->fetching >= CONNECTION_FETCHES)
            return;
        next = one->next;
        if (one->stalled)
            go_on(one);
    }
}

static void on_fetched(struct store_op *op)
{
    struct subscription *one = op->ctx;
    struct connection *connection = one->connection;
    const struct store_room_fetch *got = &op->room_fetch;
    one->fetching = false;
    connection->fetching--;
    if (one->watch == NULL) {
        free_subscription(one);
    } else if (op->code != 0) {
        end_with(one, WIRE_CODE_UNAVAILABLE);
    } else {
        if (got->blob != NULL)
            connection_push(connection, MESSAGE_ROOM_ENTRIES, one->request, got->blob);
        /* None in that span: they have expired since. */
        one->want = (got->blob != NULL ? got->last : got->until) + 1;
        go_on(one);
    }
    connection_complete_own(connection);
}

/* ---- Notices -------------------------------------------------------------------------------- */

static void hear(struct subscription *one, const struct notice *notice)
{
    bool closes =
        notice->closes_gate && memcmp(one->gate.bytes, notice->closed_gate.bytes, GATE_SIZE) == 0;
    if (closes && notice->seq < one->until)
        one->until = notice->seq;
    bool is_next = one->key != 0 && !one->fetching && one->want == notice->seq;
    if (is_next && notice->seq <= one->until && connection_has_room(one->connection)) {
        connection_push(one->connection, MESSAGE_ROOM_ENTRIES, one->request, notice->blob);
        one->want++;
    }
    go_on(one);
}

void subscription_notice(struct loop *loop, const struct notice *notice)
{
    struct watch *watch = find_watch(loop, &notice->room);
    if (watch == NULL)
        return;
    if (notice->seq > watch->head)
        watch->head = notice->seq;
    watch->busy = true;
    for (struct subscription *one = watch->subscriptions, *next; one != NULL; one = next) {
        next = one->watch_next;
        hear(one, notice);
    }
    watch->busy = false;
    free_if_idle(loop, watch);
}

/* Whoever has all entries and an open gate is told, except its sender. It is the first thing that
 * is dropped: where the outgoing queue is not short, nobody waits for it. */
void subscription_whisper(struct loop *loop, const struct notice *notice)
{
    struct watch *watch = find_watch(loop, &notice->room);
    if (watch == NULL)
        return;
    for (struct subscription *one = watch->subscriptions; one != NULL; one = one->watch_next)
        if (one->key != 0 && one->until == UINT64_MAX && one->want > watch->head &&
            one->connection != notice->from && connection_has_room(one->connection))
            connection_push(one->connection, MESSAGE_ROOM_WHISPERED, one->request, notice->blob);
}

/* ---- Requests ------------------------------------------------------------------------------- */

static void answer_opened(struct subscription *one, const struct store_room_open *open)
{
    const struct message message = {
        .type = MESSAGE_ROOM_SUBSCRIBE_OK,
        .request = one->request,
        .room_subscribe_ok = {open->head, open->first, open->epoch},
    };
    connection_send(one->connection, &message);
    one->key = open->key;
    if (open->until < one->until)
        one->until = open->until;
    if (open->head > one->watch->head)
        one->watch->head = open->head;
    if (open->first > one->want)
        one->want = open->first; /* what lies before has expired */
    go_on(one);
}

static void on_opened(struct store_op *op)
{
    struct subscription *one = op->ctx;
    struct connection *connection = one->connection;
    one->fetching = false;
    connection->requests--;
    if (one->watch == NULL) { /* unsubscribed meanwhile, or the connection is over */
        connection_refuse(connection, op->request, WIRE_CODE_NO_ROOM, 0);
        free_subscription(one);
    } else if (op->code != 0) {
        connection_refuse(connection, op->request, op->code, op->detail);
        end(one);
    } else {
        answer_opened(one, &op->room_open);
    }
    connection_complete_own(connection);
}

static struct subscription *find(const struct connection *connection, uint32_t request)
{
    struct subscription *one = connection->subscriptions;
    while (one != NULL && one->request != request)
        one = one->next;
    return one;
}

static struct subscription *begin(struct connection *connection, const struct message *message)
{
    const struct room_subscribe *subscribe = &message->room_subscribe;
    struct watch *watch = get_watch(connection->loop, &subscribe->room);
    if (watch == NULL)
        return NULL;
    struct subscription *one = mem_alloc(connection->loop->relay->env, sizeof *one);
    if (one == NULL) {
        free_if_idle(connection->loop, watch);
        return NULL;
    }
    one->connection = connection;
    one->request = message->request;
    gate_of(subscribe->read_token, &one->gate);
    one->want = subscribe->from_seq;
    one->until = UINT64_MAX;
    link_both(one, watch);
    return one;
}

void subscription_open(struct connection *connection, const struct message *message)
{
    if (find(connection, message->request) != NULL) {
        connection_bad_request(connection, message->request, "Message.request (in use)", 2);
        return;
    }
    if (connection->subscription_count >= CONNECTION_SUBSCRIPTIONS) {
        connection_refuse(connection, message->request, WIRE_CODE_LIMIT, CONNECTION_SUBSCRIPTIONS);
        return;
    }
    struct store_op *op = connection_op(connection, message->request, STORE_ROOM_OPEN);
    if (op == NULL)
        return;
    struct subscription *one = begin(connection, message);
    if (one == NULL) {
        store_op_free(op);
        connection_refuse(connection, message->request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    op->room_open.room = message->room_subscribe.room;
    op->room_open.gate = one->gate;
    one->fetching = true; /* the operation holds it */
    connection->requests++;
    connection_submit_own(connection, op, on_opened, one);
}

void subscription_close(struct connection *connection, const struct message *message)
{
    struct subscription *one = find(connection, message->subscription);
    if (one != NULL)
        end(one);
    connection_answer(connection, MESSAGE_ROOM_UNSUBSCRIBE_OK, message->request);
}
