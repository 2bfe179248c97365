/* conversation.*, message.*, sync. */
#include <string.h>

#include "rpc/methods.h"
#include "rpc/objects.h"

/* ---- Conversations -------------------------------------------------------------------------- */

static void conversation_take_whole(void *ctx, const struct sotto_conversation *one)
{
    struct call *call = ctx;
    call->result = object_conversation(call->env, one);
    (void)json_object_set_new(call->result, "settings", object_settings(call->env, &one->settings));
}

bool conversation_get(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_conversation(call->core, &id, conversation_take_whole, call));
}

bool conversation_find(struct call *call)
{
    struct sotto_id id;
    return call_conversation(call, sotto_find(call->core, param_text(call, "name"), &id), &id);
}

bool conversation_mark_read(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(
        call, sotto_mark_read(call->core, &id, (int64_t)param_number(call, "message", INT64_MAX)));
}

/* ---- Sending -------------------------------------------------------------------------------- */

bool call_sending(struct call *call, const struct sotto_id *conversation, const char *client_id)
{
    enum sotto_message_status status;
    uint64_t seq;
    if (sotto_sending(call->core, conversation, client_id, &status, &seq) != SOTTO_OK)
        return call_fail(call);
    call->result = object_sending(call->env, conversation, client_id, status, seq);
    return true;
}

bool message_send(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const struct sotto_text text = {param_bytes(call, "text"), param_flag(call, "markdown"),
                                    (int64_t)param_number(call, "replyTo", 0)};
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    if (sotto_send(call->core, &id, param_text(call, "clientId"), &text, client_id) != SOTTO_OK)
        return call_fail(call);
    return call_sending(call, &id, client_id);
}

/* ---- Changing ------------------------------------------------------------------------------- */

static bool changed(struct call *call, sotto_error error, const struct sotto_change *done)
{
    return error == SOTTO_OK ? call_sending(call, &done->conversation, done->client_id)
                             : call_fail(call);
}

bool message_edit(struct call *call)
{
    struct sotto_change done;
    sotto_error error = sotto_edit(call->core, (int64_t)param_number(call, "message", 0),
                                   param_text(call, "clientId"), param_bytes(call, "text"),
                                   param_flag(call, "markdown"), &done);
    return changed(call, error, &done);
}

bool message_delete(struct call *call)
{
    struct sotto_change done;
    sotto_error error = sotto_delete(call->core, (int64_t)param_number(call, "message", 0),
                                     param_text(call, "clientId"), &done);
    return changed(call, error, &done);
}

bool message_react(struct call *call)
{
    struct sotto_change done;
    sotto_error error =
        sotto_react(call->core, (int64_t)param_number(call, "message", 0),
                    param_text(call, "clientId"), param_bytes(call, "reaction"), &done);
    return changed(call, error, &done);
}

bool message_forward(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    if (sotto_forward(call->core, (int64_t)param_number(call, "message", 0), &id,
                      param_text(call, "clientId"), client_id) != SOTTO_OK)
        return call_fail(call);
    return call_sending(call, &id, client_id);
}

bool message_retry(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const char *client_id = param_text(call, "clientId");
    return sotto_retry(call->core, &id, client_id) == SOTTO_OK ? call_sending(call, &id, client_id)
                                                               : call_fail(call);
}

bool message_status(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_sending(call, &id, param_text(call, "clientId"));
}

/* ---- Reading -------------------------------------------------------------------------------- */

struct history {
    const sotto_env *env;
    json_t *messages;
    uint64_t placed; /* of them, those that have an id */
};

static void history_add(void *ctx, const struct sotto_message *message)
{
    struct history *history = ctx;
    history->placed += message->id != 0;
    (void)json_array_append_new(history->messages, object_message(history->env, message));
}

struct info {
    const sotto_env *env;
    json_t *message, *receipts;
};

static void info_take(void *ctx, const struct sotto_message *message)
{
    struct info *info = ctx;
    info->message = object_message(info->env, message);
}

static void info_add(void *ctx, const struct sotto_receipt *receipt)
{
    struct info *info = ctx;
    (void)json_array_append_new(info->receipts, object_receipt(info->env, receipt));
}

bool message_info(struct call *call)
{
    struct info info = {.env = call->env, .receipts = json_array()};
    int64_t id = (int64_t)param_number(call, "message", 0);
    sotto_error error = sotto_message(call->core, id, info_take, &info);
    if (error == SOTTO_OK)
        error = sotto_receipts(call->core, id, info_add, &info);
    if (error != SOTTO_OK) {
        json_decref(info.message);
        json_decref(info.receipts);
        return call_fail(call);
    }
    call->result = json_object();
    (void)json_object_set_new(call->result, "message", info.message);
    (void)json_object_set_new(call->result, "receipts", info.receipts);
    return true;
}

bool message_link(struct call *call)
{
    char link[SOTTO_MESSAGE_LINK_SIZE];
    if (sotto_message_link(call->core, (int64_t)param_number(call, "message", 0), link) != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_text(call->env, call->result, "link", link);
    return true;
}

static void found_take(void *ctx, const struct sotto_message *message)
{
    struct call *call = ctx;
    call->result = object_message(call->env, message);
}

bool message_find(struct call *call)
{
    return call_done(call,
                     sotto_message_find(call->core, param_text(call, "link"), found_take, call));
}

bool message_list(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    uint64_t limit = param_number(call, "limit", 100);
    struct history history = {.env = call->env, .messages = json_array()};
    /* One more than wanted says whether there are more. */
    sotto_error error =
        sotto_history(call->core, &id, (uint32_t)limit + 1,
                      (int64_t)param_number(call, "before", 0), history_add, &history);
    if (error != SOTTO_OK) {
        json_decref(history.messages);
        return call_fail(call);
    }
    bool more = history.placed > limit;
    if (more)
        (void)json_array_remove(history.messages, 0);
    call->result = json_object();
    (void)json_object_set_new(call->result, "messages", history.messages);
    (void)json_object_set_new(call->result, "more", json_boolean(more));
    return true;
}

bool message_search(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    bool in_one = json_object_get(call->params, "conversation") != NULL;
    uint64_t limit = param_number(call, "limit", 100);
    struct history history = {.env = call->env, .messages = json_array()};
    sotto_error error = sotto_search(call->core, in_one ? &id : NULL, param_text(call, "words"),
                                     (uint32_t)limit + 1, (int64_t)param_number(call, "before", 0),
                                     history_add, &history);
    if (error != SOTTO_OK) {
        json_decref(history.messages);
        return call_fail(call);
    }
    bool more = json_array_size(history.messages) > limit;
    if (more)
        (void)json_array_remove(history.messages, limit);
    call->result = json_object();
    (void)json_object_set_new(call->result, "messages", history.messages);
    (void)json_object_set_new(call->result, "more", json_boolean(more));
    return true;
}

bool rpc_sync(struct call *call)
{
    return call_done(call, sotto_sync(call->core));
}
