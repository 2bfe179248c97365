/* The inbox subscription of an account connection: a cursor, as in subscription.c. */
#include "relay/connection.h"

#include <string.h>

static uint64_t hash_of(const struct loop *loop, int64_t device)
{
    return table_hash(&loop->inboxes, sotto_bytes_of((const uint8_t *)&device, sizeof device));
}

void inbox_end(struct connection *connection)
{
    if (connection->inbox.active)
        table_remove(&connection->loop->inboxes, &connection->inbox.node);
    connection->inbox.active = false;
}

static void answer(struct connection *connection, uint64_t head)
{
    const struct message message = {
        .type = MESSAGE_INBOX_SUBSCRIBE_OK,
        .request = connection->inbox.request,
        .head = head,
    };
    connection_send(connection, &message);
}

static void push_all(struct connection *connection, const struct store_inbox_fetch *got)
{
    struct message message = {
        .type = MESSAGE_INBOX_ENVELOPE,
        .request = connection->inbox.request,
    };
    for (size_t i = 0; i < got->count; i++) {
        message.inbox_envelope =
            (struct inbox_envelope){got->envelopes[i].seq, got->envelopes[i].sealed};
        connection_send(connection, &message);
    }
}

static void on_fetched(struct store_op *op)
{
    struct connection *connection = op->ctx;
    struct inbox *inbox = &connection->inbox;
    const struct store_inbox_fetch *got = &op->inbox_fetch;
    inbox->fetching = false;
    if (inbox->active && op->code != 0 && inbox->answered) {
        /* UNAVAILABLE: the client comes back, and later than we could try again. NOT_SIGNED_IN: the
         * device is no more; signing in tells it so. */
        connection->drop = true;
    } else if (inbox->active && op->code != 0) {
        connection_refuse(connection, inbox->request, op->code, op->detail);
        inbox_end(connection);
    } else if (inbox->active) {
        if (!inbox->answered)
            answer(connection, got->head);
        inbox->answered = true;
        push_all(connection, got);
        if (got->count > 0) {
            inbox->next = got->envelopes[got->count - 1].seq + 1;
            inbox->more = true; /* perhaps: the next fetch tells */
        }
        inbox_go_on(connection);
    }
    connection_complete_own(connection);
}

void inbox_go_on(struct connection *connection)
{
    struct inbox *inbox = &connection->inbox;
    if (!inbox->active || inbox->fetching || !inbox->more || !connection_has_room(connection))
        return;
    struct store_op *op = connection_op(connection, inbox->request, STORE_INBOX_FETCH);
    if (op == NULL) {
        connection->drop = true;
        return;
    }
    op->inbox_fetch.session = connection->session;
    op->inbox_fetch.from = inbox->next;
    inbox->fetching = true;
    inbox->more = false;
    connection_submit_own(connection, op, on_fetched, connection);
}

void inbox_notice(struct loop *loop, const struct notice *notice)
{
    struct table_node *node = table_first(&loop->inboxes, hash_of(loop, notice->device));
    for (; node != NULL; node = table_next(node)) {
        struct connection *connection = TABLE_ENTRY(node, struct connection, inbox.node);
        if (connection->session.device == notice->device) {
            connection->inbox.more = true;
            inbox_go_on(connection);
        }
    }
}

void inbox_open(struct connection *connection, uint32_t request)
{
    struct inbox *inbox = &connection->inbox;
    if (inbox->active) {
        connection_bad_request(connection, request, "inbox_subscribe (subscribed already)", 0);
        return;
    }
    uint64_t hash = hash_of(connection->loop, connection->session.device);
    if (table_add(&connection->loop->inboxes, &inbox->node, hash) != SOTTO_OK) {
        connection_refuse(connection, request, WIRE_CODE_UNAVAILABLE, 5);
        return;
    }
    inbox->active = true;
    inbox->answered = false;
    inbox->more = true;
    inbox->request = request;
    inbox->next = 0;
    inbox_go_on(connection);
}
