#include "wire/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "wire/line.h"

#define NEVER UINT64_MAX
#define HELLO_REQUEST 1
/* What requests made before hello_ok may take; each may cost a frame's header more when sent. */
#define WAITING_MAX (2 * (size_t)WIRE_MESSAGE_MAX)
#define FRAME_HEAD_MAX 14

/* A request without its answer, or a subscription. */
struct pending {
    struct pending *next;
    uint32_t request;
    uint16_t type;
    uint64_t deadline_ms; /* NEVER: not sent yet */
    link_answer_fn *done;
    link_push_fn *push; /* NULL: not a subscription, or unsubscribed */
    void *ctx;
    sotto_buf waiting; /* the message, until hello_ok */
};

struct pending_list {
    struct pending *first, **last;
};

struct link {
    const sotto_env *env;
    enum connection_kind kind;
    struct link_handler handler;
    uint32_t answer_timeout_ms;
    uint64_t (*now_ms)(void *ctx);
    void *clock_ctx;

    const struct line_type *type;
    void *line;                   /* NULL: over, and freed */
    uint64_t connect_deadline_ms; /* until hello_ok */
    bool is_ready;
    struct hello_ok hello;
    sotto_buf name; /* hello.name */

    uint32_t last_request;
    size_t waiting_size;
    struct pending_list requests; /* in order of sending, so of deadlines too */
    struct pending_list subscriptions;

    uint64_t received; /* on the line at ... */
    uint64_t heard_ms;
    bool pinged;

    bool is_over;
    sotto_error error;
    const char *text;
    unsigned depth; /* of public calls under way: what is freed inside goes when the last returns */
    bool is_freed;
    bool is_silent; /* the owner closed it: `ended` is not called */
};

static uint64_t system_now_ms(void *ctx)
{
    (void)ctx;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Lists --------------------------------------------------------------------------------- */

static void list_init(struct pending_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void list_append(struct pending_list *list, struct pending *pending)
{
    pending->next = NULL;
    *list->last = pending;
    list->last = &pending->next;
}

/* Takes the one of that request out; NULL if there is none. */
static struct pending *list_take(struct pending_list *list, uint32_t request)
{
    for (struct pending **at = &list->first; *at != NULL; at = &(*at)->next) {
        struct pending *found = *at;
        if (found->request != request)
            continue;
        *at = found->next;
        if (list->last == &found->next)
            list->last = at;
        return found;
    }
    return NULL;
}

static struct pending *list_find(const struct pending_list *list, uint32_t request)
{
    struct pending *pending = list->first;
    while (pending != NULL && pending->request != request)
        pending = pending->next;
    return pending;
}

static void pending_free(struct link *link, struct pending *pending)
{
    sotto_buf_free(&pending->waiting);
    mem_free(link->env, pending, sizeof *pending);
}

/* The one place where requests are completed: once, since it was taken out of the list before. */
static void complete(struct link *link, struct pending *pending, sotto_error error,
                     const struct message *answer)
{
    if (pending->done != NULL)
        pending->done(pending->ctx, error, answer);
    pending_free(link, pending);
}

/* ---- Ends ---------------------------------------------------------------------------------- */

static void drain(struct link *link)
{
    sotto_error error = link->error == SOTTO_STATE ? SOTTO_NETWORK : link->error;
    while (link->requests.first != NULL)
        complete(link, list_take(&link->requests, link->requests.first->request), error, NULL);
    while (link->subscriptions.first != NULL)
        pending_free(link, list_take(&link->subscriptions, link->subscriptions.first->request));
}

/* A callback may end the link again, or free it: then the inner call drains what is left, and the
 * outer one finds nothing. */
static void end(struct link *link, sotto_error error, const char *text, bool tell)
{
    if (!link->is_over) {
        link->is_over = true;
        link->error = error;
        link->text = text;
        link->type->close(link->line);
    } else {
        tell = false;
    }
    drain(link);
    if (tell && !link->is_silent && link->handler.ended != NULL)
        link->handler.ended(link->handler.ctx, link->error, link->text);
}

static void enter(struct link *link)
{
    link->depth++;
}

static void leave(struct link *link)
{
    if (--link->depth > 0)
        return;
    if (link->is_over && link->line != NULL) {
        link->type->free(link->line);
        link->line = NULL;
    }
    if (!link->is_freed)
        return;
    sotto_buf_free(&link->name);
    mem_free(link->env, link, sizeof *link);
}

/* ---- Sending ------------------------------------------------------------------------------- */

static sotto_error send_bytes(struct link *link, struct pending *pending, sotto_bytes bytes)
{
    TRY(link->type->send(link->line, bytes));
    pending->deadline_ms = link_now(link) + link->answer_timeout_ms;
    return SOTTO_OK;
}

static struct pending *pending_new(struct link *link, uint16_t type)
{
    struct pending *pending = mem_alloc(link->env, sizeof *pending);
    if (pending == NULL)
        return NULL;
    sotto_buf_init(&pending->waiting, link->env);
    /* Numbers come round after 2^32; one still in use is passed over. */
    do {
        link->last_request++;
    } while (link->last_request <= HELLO_REQUEST ||
             list_find(&link->requests, link->last_request) != NULL ||
             list_find(&link->subscriptions, link->last_request) != NULL);
    pending->request = link->last_request;
    pending->type = type;
    pending->deadline_ms = NEVER;
    return pending;
}

/* Sends, or keeps for later when the relay has not said hello yet. */
static sotto_error send_or_keep(struct link *link, struct pending *pending)
{
    sotto_buf *bytes = &pending->waiting;
    if (link->is_ready) {
        sotto_error error = send_bytes(link, pending, sotto_buf_view(bytes));
        sotto_buf_free(bytes);
        return error;
    }
    if (bytes->size + FRAME_HEAD_MAX > WAITING_MAX - link->waiting_size)
        return SOTTO_LIMIT;
    link->waiting_size += bytes->size + FRAME_HEAD_MAX;
    return SOTTO_OK;
}

static sotto_error request_start(struct link *link, const struct message *message,
                                 struct pending **out)
{
    if (link->is_over || link->type->closing(link->line))
        return SOTTO_STATE;
    if ((message_connections(message->type) & link->kind) == 0 || message->type == MESSAGE_HELLO)
        return SOTTO_ARGUMENT;
    struct pending *pending = pending_new(link, message->type);
    if (pending == NULL)
        return SOTTO_NO_MEMORY;
    struct message numbered = *message;
    numbered.request = pending->request;
    sotto_error error = message_write(&numbered, &pending->waiting);
    if (error == SOTTO_OK)
        error = send_or_keep(link, pending);
    if (error != SOTTO_OK) {
        pending_free(link, pending);
        return error;
    }
    list_append(&link->requests, pending);
    *out = pending;
    return SOTTO_OK;
}

sotto_error link_request(struct link *link, const struct message *message, link_answer_fn *done,
                         void *ctx, uint32_t *request)
{
    return link_subscribe(link, message, done, NULL, ctx, request);
}

sotto_error link_subscribe(struct link *link, const struct message *message, link_answer_fn *done,
                           link_push_fn *push, void *ctx, uint32_t *request)
{
    struct pending *pending;
    TRY(request_start(link, message, &pending));
    pending->done = done;
    pending->push = push;
    pending->ctx = ctx;
    if (request != NULL)
        *request = pending->request;
    return SOTTO_OK;
}

/* The relay's side of an unsubscription; the inbox has none. That it may fail is no matter: pushes
 * of unknown subscriptions are dropped. */
static void tell_unsubscribed(struct link *link, const struct pending *subscription)
{
    struct message message = {.type = MESSAGE_ROOM_UNSUBSCRIBE};
    message.subscription = subscription->request;
    if (subscription->type == MESSAGE_ROOM_SUBSCRIBE && link->is_ready)
        (void)link_request(link, &message, NULL, NULL, NULL);
}

void link_unsubscribe(struct link *link, uint32_t request)
{
    struct pending *asked = list_find(&link->requests, request);
    if (asked != NULL) { /* told to the relay when it has answered */
        asked->push = NULL;
        return;
    }
    struct pending *subscription = list_take(&link->subscriptions, request);
    if (subscription == NULL)
        return;
    tell_unsubscribed(link, subscription);
    pending_free(link, subscription);
}

/* ---- Receiving ----------------------------------------------------------------------------- */

static void misbehaves(struct link *link, const char *text)
{
    end(link, SOTTO_VALUE, text, true);
}

/* All that was asked for while connecting, in order. */
static void send_waiting(struct link *link)
{
    for (struct pending *pending = link->requests.first; pending != NULL; pending = pending->next) {
        if (pending->deadline_ms != NEVER)
            continue;
        sotto_error error = send_bytes(link, pending, sotto_buf_view(&pending->waiting));
        if (error != SOTTO_OK) {
            end(link, error, "requests could not be sent", true);
            return;
        }
        sotto_buf_free(&pending->waiting);
    }
    link->waiting_size = 0;
}

static void take_hello(struct link *link, const struct message *message)
{
    if (message->type == MESSAGE_ERROR) {
        end(link, SOTTO_REFUSED, wire_code_text(message->error.code), true);
        return;
    }
    if (message->type != MESSAGE_HELLO_OK || message->request != HELLO_REQUEST) {
        misbehaves(link, "the relay did not say hello");
        return;
    }
    link->hello = message->hello_ok;
    sotto_bytes name = message->hello_ok.name;
    sotto_error error = sotto_buf_append(&link->name, name.data, name.size);
    if (error != SOTTO_OK) {
        end(link, error, sotto_error_text(error), true);
        return;
    }
    link->hello.name = sotto_buf_view(&link->name);
    link->is_ready = true;
    link->connect_deadline_ms = NEVER;
    send_waiting(link);
    if (!link->is_over && link->handler.ready != NULL)
        link->handler.ready(link->handler.ctx, &link->hello);
}

static bool push_fits(const struct pending *subscription, uint16_t type)
{
    if (type == MESSAGE_INBOX_ENVELOPE)
        return subscription->type == MESSAGE_INBOX_SUBSCRIBE;
    return subscription->type == MESSAGE_ROOM_SUBSCRIBE;
}

static void take_push(struct link *link, const struct message *message)
{
    struct pending *subscription = list_find(&link->subscriptions, message->request);
    if (subscription == NULL) /* unsubscribed while it was on its way */
        return;
    if (!push_fits(subscription, message->type)) {
        misbehaves(link, "the relay pushed what was not asked for");
        return;
    }
    link_push_fn *push = subscription->push;
    void *ctx = subscription->ctx;
    if (message->type == MESSAGE_ROOM_END)
        pending_free(link, list_take(&link->subscriptions, message->request));
    push(ctx, message);
}

/* The answer comes before the pushes, and the subscription counts when done is called, so that done
 * may unsubscribe. */
static sotto_error keep_subscription(struct link *link, const struct pending *answered)
{
    struct pending *subscription = mem_alloc(link->env, sizeof *subscription);
    if (subscription == NULL)
        return SOTTO_NO_MEMORY;
    *subscription = *answered;
    sotto_buf_init(&subscription->waiting, link->env);
    list_append(&link->subscriptions, subscription);
    return SOTTO_OK;
}

static void take_answer(struct link *link, const struct message *message)
{
    struct pending *pending = list_take(&link->requests, message->request);
    if (pending == NULL) /* came too late: was completed with TIMEOUT */
        return;
    if (message->type == MESSAGE_ERROR) {
        complete(link, pending, SOTTO_REFUSED, message);
        return;
    }
    if (message->type != (pending->type | MESSAGE_ANSWER_BIT)) {
        complete(link, pending, SOTTO_NETWORK, NULL);
        misbehaves(link, "the relay gave an answer to another question");
        return;
    }
    bool is_subscribe =
        pending->type == MESSAGE_ROOM_SUBSCRIBE || pending->type == MESSAGE_INBOX_SUBSCRIBE;
    sotto_error error = SOTTO_OK;
    if (is_subscribe && pending->push != NULL)
        error = keep_subscription(link, pending);
    else if (is_subscribe)
        tell_unsubscribed(link, pending);
    complete(link, pending, error, error == SOTTO_OK ? message : NULL);
}

static void dispatch(struct link *link, const struct message *message)
{
    if (!link->is_ready)
        take_hello(link, message);
    else if (message->type == MESSAGE_ERROR && message->request == 0)
        end(link, SOTTO_REFUSED, wire_code_text(message->error.code), true);
    else if ((message->type & MESSAGE_ANSWER_BIT) != 0)
        take_answer(link, message);
    else
        take_push(link, message);
}

static void on_message(void *ctx, sotto_bytes bytes)
{
    struct link *link = ctx;
    struct arena arena;
    struct message message;
    sotto_fault fault;
    if (link->is_over)
        return;
    arena_init(&arena, link->env);
    sotto_error error = message_read(bytes, MESSAGE_TO_CLIENT, &arena, &message, &fault);
    if (error == SOTTO_OK)
        dispatch(link, &message);
    else if (error != SOTTO_UNSUPPORTED) /* unknown pushes are newer than this client */
        end(link, error, fault.what, true);
    arena_free(&arena);
}

static void on_opened(void *ctx)
{
    struct link *link = ctx;
    struct message hello = {.type = MESSAGE_HELLO, .request = HELLO_REQUEST};
    sotto_buf bytes;
    hello.hello = (struct hello){WIRE_VERSION, (uint8_t)link->kind};
    sotto_buf_init(&bytes, link->env);
    sotto_error error = message_write(&hello, &bytes);
    if (error == SOTTO_OK)
        error = link->type->send(link->line, sotto_buf_view(&bytes));
    sotto_buf_free(&bytes);
    if (error != SOTTO_OK)
        end(link, error, sotto_error_text(error), true);
}

static const struct channel_handler channel_handler = {.opened = on_opened, .message = on_message};

/* ---- Steps --------------------------------------------------------------------------------- */

static void step_line(struct link *link, unsigned revents)
{
    link->type->step(link->line, revents, link_now(link));
    const struct channel_end *why = link->type->over(link->line);
    if (why != NULL && !link->is_over)
        end(link, why->error, why->what, true);
}

static void check_answers(struct link *link, uint64_t now)
{
    while (!link->is_over && link->requests.first != NULL &&
           link->requests.first->deadline_ms <= now)
        complete(link, list_take(&link->requests, link->requests.first->request), SOTTO_TIMEOUT,
                 NULL);
}

/* A relay that has gone without a word is found by its silence. */
static void check_silence(struct link *link, uint64_t now)
{
    uint64_t received = link->type->received(link->line);
    if (received != link->received) {
        link->received = received;
        link->heard_ms = now;
        link->pinged = false;
    }
    if (now - link->heard_ms >= LINK_SILENCE_MS) {
        end(link, SOTTO_TIMEOUT, "the relay does not answer", true);
    } else if (now - link->heard_ms >= LINK_PING_MS && !link->pinged) {
        link->pinged = true;
        link->type->ping(link->line);
    }
}

void link_probe(struct link *link)
{
    if (link->is_over || !link->is_ready)
        return;
    link->received = link->type->received(link->line);
    link->heard_ms =
        link_now(link) + LINK_PROBE_MS - LINK_SILENCE_MS; /* may be below 0: it wraps */
    link->pinged = true;
    link->type->ping(link->line);
}

void link_step(struct link *link, unsigned revents)
{
    if (link->is_over)
        return;
    enter(link);
    step_line(link, revents);
    uint64_t now = link_now(link);
    if (!link->is_over && now >= link->connect_deadline_ms)
        end(link, SOTTO_TIMEOUT, "the relay does not answer", true);
    check_answers(link, now);
    if (!link->is_over && link->is_ready)
        check_silence(link, now);
    leave(link);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_deadline(const struct link *link)
{
    uint64_t deadline = link->connect_deadline_ms;
    if (link->requests.first != NULL)
        deadline = least(deadline, link->requests.first->deadline_ms);
    if (link->is_ready)
        deadline =
            least(deadline, link->heard_ms + (link->pinged ? LINK_SILENCE_MS : LINK_PING_MS));
    return deadline;
}

void link_wants(const struct link *link, struct link_wants *wants)
{
    *wants = (struct link_wants){.fd = -1, .deadline_ms = NEVER};
    if (link->is_over)
        return;
    link->type->wants(link->line, wants);
    wants->deadline_ms = least(wants->deadline_ms, next_deadline(link));
}

/* ---- Opening and closing ------------------------------------------------------------------- */

static void set_clock(struct link *link, const struct link_options *options)
{
    uint32_t connect_ms =
        options->connect_timeout_ms == 0 ? LINK_CONNECT_MS : options->connect_timeout_ms;
    link->answer_timeout_ms =
        options->answer_timeout_ms == 0 ? LINK_ANSWER_MS : options->answer_timeout_ms;
    link->now_ms = options->now_ms == NULL ? system_now_ms : options->now_ms;
    link->clock_ctx = options->clock_ctx;
    link->heard_ms = link_now(link);
    link->connect_deadline_ms = link->heard_ms + connect_ms;
}

sotto_error link_open(const sotto_env *env, struct tls *tls, const struct link_options *options,
                      const struct link_handler *handler, struct link **out)
{
    if (options->kind != CONNECTION_ACCOUNT && options->kind != CONNECTION_ROOM)
        return SOTTO_ARGUMENT;
    struct link *link = mem_alloc(env, sizeof *link);
    if (link == NULL)
        return SOTTO_NO_MEMORY;
    link->env = env;
    link->kind = options->kind;
    link->handler = *handler;
    link->type = options->line != NULL ? options->line : &line_network;
    link->last_request = HELLO_REQUEST;
    link->text = "";
    list_init(&link->requests);
    list_init(&link->subscriptions);
    sotto_buf_init(&link->name, env);
    set_clock(link, options);
    sotto_error error =
        link->type->open(options->line_ctx, env, tls, options, &channel_handler, link, &link->line);
    if (error != SOTTO_OK) {
        mem_free(env, link, sizeof *link);
        return error;
    }
    *out = link;
    return SOTTO_OK;
}

void link_close(struct link *link)
{
    enter(link);
    link->is_silent = true;
    end(link, SOTTO_STATE, "closed", false);
    leave(link);
}

void link_free(struct link *link)
{
    if (link == NULL)
        return;
    enter(link);
    link->is_silent = true;
    end(link, SOTTO_STATE, "closed", false);
    link->is_freed = true;
    leave(link);
}

uint64_t link_now(const struct link *link)
{
    return link->now_ms(link->clock_ctx);
}

const struct hello_ok *link_hello(const struct link *link)
{
    return link->is_ready ? &link->hello : NULL;
}

sotto_error link_error(const struct link *link)
{
    return link->is_over ? link->error : SOTTO_OK;
}

const char *link_error_text(const struct link *link)
{
    return link->text;
}

static int poll_timeout(uint64_t now, uint64_t deadline)
{
    if (deadline <= now)
        return 0;
    return deadline - now > 60000 ? 60000 : (int)(deadline - now);
}

sotto_error link_wait(struct link *link, uint32_t timeout_ms, bool (*done)(void *ctx), void *ctx)
{
    uint64_t deadline = link_now(link) + timeout_ms;
    while (!done(ctx)) {
        struct link_wants wants;
        uint64_t now = link_now(link);
        if (link->is_over)
            return link->error;
        if (now >= deadline)
            return SOTTO_TIMEOUT;
        link_wants(link, &wants);
        struct pollfd entry = {.fd = wants.fd, .events = (short)wants.events};
        int ready = poll(&entry, 1, poll_timeout(now, least(deadline, wants.deadline_ms)));
        if (ready < 0 && errno != EINTR)
            return SOTTO_IO;
        link_step(link, ready > 0 ? (unsigned)entry.revents : 0);
    }
    return SOTTO_OK;
}
