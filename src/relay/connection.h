/* One client's connection. It belongs to its loop's thread. Operations that are under way hold it:
 * after its end it stays, without a channel, until the last of them has completed. */
#ifndef RELAY_CONNECTION_H
#define RELAY_CONNECTION_H

#include "relay/loop.h"
#include "wire/channel.h"

struct subscription;

/* The inbox subscription of an account connection. */
struct inbox {
    struct table_node node; /* in loop->inboxes, by the device's key, while active */
    bool active;
    bool answered; /* inbox_subscribe was */
    bool fetching;
    bool more; /* there is something behind next, or there may be */
    uint32_t request;
    uint64_t next;
};

struct connection {
    struct event_source source; /* first */
    struct loop *loop;
    struct channel *channel;             /* NULL: over */
    unsigned events;                     /* that epoll was told to watch for */
    struct connection *next, **previous; /* in a slot of the loop */
    struct connection *touched_next;
    bool touched;
    bool drop; /* end it at once */

    struct rate_address address;
    char address_text[ADDRESS_TEXT];
    uint64_t opened_ms, heard_ms, closing_ms;
    uint64_t received;   /* channel_received when last looked at */
    size_t queued;       /* channel_queued likewise */
    uint64_t message_ms; /* when the last whole message came, or the next one began */
    size_t gathered;     /* of the message that is coming, counted in the loop */

    uint8_t kind; /* enum connection_kind; 0: before hello */
    uint8_t challenge[CHALLENGE_SIZE];
    size_t operations;    /* under way, of requests and of subscriptions */
    size_t requests;      /* unanswered */
    size_t request_bytes; /* of those */
    size_t promised;      /* bytes of blobs in answers under way: as good as queued */
    bool barrier;         /* nothing more is read until the answer */
    bool paused;
    unsigned turn; /* messages since it was settled */

    /* account */
    bool signed_in;
    struct session session;
    struct account_id account;
    struct device_id device;
    uint8_t sign_in_hash[HASH_SIZE]; /* shown by the sign-in, or registration */
    char code[CODE_DIGITS + 1];      /* made for the registration under way */
    struct inbox inbox;

    /* room */
    uint64_t whispers_ms; /* when all its whispers are paid for, at the rate that is allowed */
    struct subscription *subscriptions;
    size_t subscription_count;
    size_t stalled;  /* subscriptions that wait for the outgoing queue, or for other fetches */
    size_t fetching; /* subscriptions whose next entries are being read */
};

/* Takes an accepted socket, for which relay->connections counts one already. */
void connection_accept(struct loop *loop, int fd, const struct ip *from, uint64_t opened_ms);

/* Closes such a socket without more: there are too many. */
void connection_turn_away(struct loop *loop, int fd);

/* Looks at it again before the loop sleeps. */
void connection_touch(struct connection *connection);

/* The rest is for the loop. */
void connection_settle(struct connection *connection); /* what touch asked for; may free it */
void connection_look_after(struct connection *connection, uint64_t now_ms);
void connection_stop(struct connection *connection);
void connection_end(struct connection *connection);

/* ---- For what answers requests -------------------------------------------------------------- */

/* Queues a message. Where that is not possible the connection ends, since something would be
 * missing. */
void connection_send(struct connection *connection, const struct message *message);
/* The push of a blob, of that type, to one subscription. */
void connection_push(struct connection *connection, uint16_t type, uint32_t request,
                     const struct blob *blob);
void connection_answer(struct connection *connection, uint16_t type, uint32_t request);
void connection_refuse(struct connection *connection, uint32_t request, uint16_t code,
                       uint64_t detail);
/* The answer to an operation that found that the relay has left where the account is. */
void connection_withdrawn(struct connection *connection, const struct store_op *op);
/* A client that breaks the protocol is told what and where, and is closed. */
void connection_bad_request(struct connection *connection, uint32_t request, const char *what,
                            uint64_t offset);
/* Whether subscriptions may go on filling the outgoing queue. */
bool connection_has_room(const struct connection *connection);

/* A new operation, or NULL, upon which the request was refused. */
struct store_op *connection_op(struct connection *connection, uint32_t request,
                               enum store_kind kind);
/* Submits an operation that answers a request: done(op) answers. It may find the connection over
 * (connection_of(op)->channel is NULL), and what it sends is then dropped. */
void connection_submit(struct connection *connection, struct store_op *op,
                       void (*done)(struct store_op *op));
/* The same for what blobs.h does. */
void connection_submit_blob(struct connection *connection, struct store_op *op,
                            void (*done)(struct store_op *op));
/* To be called at the end of every such done: the connection may be gone afterwards. */
void connection_complete(struct store_op *op);

/* An operation of a subscription: not counted as a request. */
void connection_submit_own(struct connection *connection, struct store_op *op,
                           void (*done)(struct store_op *op), void *ctx);
void connection_complete_own(struct connection *connection);

static inline struct connection *connection_of(const struct store_op *op)
{
    return op->ctx;
}

/* The end of a done: refuses if the operation was refused, else sends answer, and completes. */
void connection_done(struct store_op *op, const struct message *answer);
/* The same for an answer of that type with an empty body. */
void connection_done_empty(struct store_op *op, uint16_t type);

/* ---- Requests ------------------------------------------------------------------------------- */

/* Refuses the request unless the connection is signed in. */
bool connection_is_signed_in(struct connection *connection, uint32_t request);

typedef void request_fn(struct connection *connection, const struct message *message);

/* requests_token.c */
request_fn request_token_keys, request_issue_tokens, request_log_get;
/* requests_label.c */
request_fn request_get_labels, request_set_username, request_set_findable, request_find;

/* requests_account.c, requests_room.c, requests_blob.c: NULL for a type that is not theirs. */
request_fn *request_account(uint16_t type);
request_fn *request_room(uint16_t type);
request_fn *request_blob(uint16_t type);

/* ---- Subscriptions -------------------------------------------------------------------------- */

/* subscription.c */
void subscription_open(struct connection *connection, const struct message *message);
void subscription_close(struct connection *connection, const struct message *message);
void subscription_go_on(struct connection *connection); /* the outgoing queue has room again */
void subscription_end_all(struct connection *connection);
void subscription_notice(struct loop *loop, const struct notice *notice);
void subscription_whisper(struct loop *loop, const struct notice *notice);

/* inbox.c */
void inbox_open(struct connection *connection, uint32_t request);
void inbox_go_on(struct connection *connection);
void inbox_end(struct connection *connection);
void inbox_notice(struct loop *loop, const struct notice *notice);

#endif
