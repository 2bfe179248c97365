#include "rpc/events.h"

#include "rpc/objects.h"

enum { BATCH = 100 };

static json_t *notification(const char *method, json_t *params)
{
    json_t *whole = json_object();
    (void)json_object_set_new(whole, "jsonrpc", json_string("2.0"));
    (void)json_object_set_new(whole, "method", json_string(method));
    (void)json_object_set_new(whole, "params", params);
    return whole;
}

json_t *events_connection(const sotto_env *env, const struct sotto_problem *problem)
{
    json_t *params = json_object();
    object_set_text(env, params, "state", problem != NULL ? "lost" : "back");
    if (problem != NULL)
        (void)json_object_set_new(params, "problem", object_problem(env, problem));
    return notification("connection", params);
}

json_t *events_transfer(const sotto_env *env, const struct sotto_transfer *transfer)
{
    return notification("transfer", object_transfer(env, transfer));
}

json_t *events_typing(const sotto_env *env, const struct sotto_typing *typing)
{
    json_t *params = json_object();
    object_set_id(params, "conversation", &typing->conversation);
    object_set_id(params, "account", &typing->account);
    object_set_text(env, params, "name", typing->name);
    (void)json_object_set_new(params, "on", json_boolean(typing->on));
    return notification("typing", params);
}

struct push {
    const sotto_env *env;
    struct sotto *core;
    struct client *client;
    json_t *params;
    size_t count;
};

static const char *type_name(enum sotto_event_kind kind)
{
    switch (kind) {
    case SOTTO_EVENT_MESSAGE:
        return "message";
    case SOTTO_EVENT_MESSAGE_ERASED:
        return "messageErased";
    case SOTTO_EVENT_CONVERSATION_ERASED:
        return "conversationErased";
    case SOTTO_EVENT_MESSAGE_CHANGED:
        return "messageChanged";
    case SOTTO_EVENT_CONVERSATION:
        return "conversation";
    case SOTTO_EVENT_CONTACT:
        return "contact";
    case SOTTO_EVENT_REQUEST:
        return "request";
    case SOTTO_EVENT_JOIN_REQUEST:
        return "joinRequest";
    case SOTTO_EVENT_ACCOUNT:
        return "account";
    case SOTTO_EVENT_NOTICE:
        return "notice";
    case SOTTO_EVENT_RELAY:
        return "relay";
    }
    return "conversation";
}

static void take_conversation(void *ctx, const struct sotto_conversation *one)
{
    struct push *push = ctx;
    (void)json_object_set_new(push->params, "conversation", object_conversation(push->env, one));
}

static void take_contact(void *ctx, const struct sotto_contact *contact)
{
    struct push *push = ctx;
    (void)json_object_set_new(push->params, "contact", object_contact(push->env, contact));
}

static void take_notice(void *ctx, const struct sotto_notice *notice)
{
    struct push *push = ctx;
    (void)json_object_set_new(push->params, "notice", object_notice(push->env, notice));
}

static void take_relay(void *ctx, const struct sotto_relay *relay)
{
    struct push *push = ctx;
    (void)json_object_set_new(push->params, "relay", object_relay(push->env, relay));
}

/* As it is now: what is gone is left out. */
static void add_object(struct push *push, const struct sotto_event *event)
{
    struct sotto_account account;
    switch (event->kind) {
    case SOTTO_EVENT_MESSAGE:
    case SOTTO_EVENT_MESSAGE_CHANGED:
        if (event->message != NULL)
            (void)json_object_set_new(push->params, "message",
                                      object_message(push->env, event->message));
        break;
    case SOTTO_EVENT_CONVERSATION:
    case SOTTO_EVENT_CONVERSATION_ERASED:
        (void)sotto_conversation(push->core, &event->about, take_conversation, push);
        break;
    case SOTTO_EVENT_CONTACT:
        (void)sotto_contact(push->core, &event->about, take_contact, push);
        break;
    case SOTTO_EVENT_MESSAGE_ERASED:
        if (event->erased != 0)
            object_set_number(push->params, "erased", (uint64_t)event->erased);
        break;
    case SOTTO_EVENT_REQUEST:
    case SOTTO_EVENT_JOIN_REQUEST:
        break;
    case SOTTO_EVENT_ACCOUNT:
        if (sotto_account(push->core, &account) == SOTTO_OK)
            (void)json_object_set_new(push->params, "account", object_account(push->env, &account));
        break;
    case SOTTO_EVENT_NOTICE:
        (void)sotto_notice(push->core, &event->about, take_notice, push);
        break;
    case SOTTO_EVENT_RELAY:
        (void)sotto_relay(push->core, take_relay, push);
        break;
    }
}

static void push_event(void *ctx, const struct sotto_event *event)
{
    struct push *push = ctx;
    push->params = json_object();
    object_set_number(push->params, "number", event->number);
    object_set_text(push->env, push->params, "type", type_name(event->kind));
    if (event->kind != SOTTO_EVENT_ACCOUNT && event->kind != SOTTO_EVENT_RELAY)
        object_set_id(push->params, "about", &event->about);
    add_object(push, event);
    client_send(push->client, notification("event", push->params));
    push->client->event = event->number;
    push->count++;
}

void events_push(const sotto_env *env, struct sotto *core, struct client *client)
{
    uint64_t oldest, newest;
    struct push push = {.env = env, .core = core, .client = client, .count = BATCH};
    if (sotto_events_range(core, &oldest, &newest) != SOTTO_OK)
        return; /* tried again at the next turn */
    bool gone = client->event < newest && client->event + 1 < oldest;
    if (gone || client->event > newest) { /* the number is of another profile, or of one before */
        client->event = newest;
        client_send(client,
                    notification("overflow", json_pack("{s:I}", "event", (json_int_t)newest)));
    }
    while (push.count == BATCH && client->event < newest && !client->broken &&
           !client_is_full(client)) {
        push.count = 0;
        if (sotto_events(core, client->event, BATCH, push_event, &push) != SOTTO_OK)
            return;
    }
}
