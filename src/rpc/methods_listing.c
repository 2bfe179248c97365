/* conversation.*: the list, and what a person sets in it. */
#include "rpc/methods.h"
#include "rpc/objects.h"

static void conversation_add(void *ctx, const struct sotto_conversation *one)
{
    struct call *call = ctx;
    (void)json_array_append_new(call->result, object_conversation(call->env, one));
}

bool conversation_list(struct call *call)
{
    const struct sotto_list list = {param_flag(call, "archived"), param_number(call, "offset", 0),
                                    param_number(call, "limit", PAGE_DEFAULT)};
    uint64_t total = 0;
    call->result = json_array();
    sotto_error error = sotto_conversations(call->core, &list, &total, conversation_add, call);
    json_t *items = call->result;
    call->result = NULL;
    if (error != SOTTO_OK) {
        json_decref(items);
        return call_fail(call);
    }
    call->result = json_object();
    (void)json_object_set_new(call->result, "conversations", items);
    object_set_number(call->result, "total", total);
    return true;
}

static void conversation_take(void *ctx, const struct sotto_conversation *one)
{
    struct call *call = ctx;
    call->result = object_conversation(call->env, one);
}

/* The conversation as it is now. */
static bool answer(struct call *call, const struct sotto_id *id, sotto_error error)
{
    return error == SOTTO_OK
               ? call_done(call, sotto_conversation(call->core, id, conversation_take, call))
               : call_fail(call);
}

bool conversation_set_pinned(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return answer(call, &id, sotto_pin(call->core, &id, param_flag(call, "on")));
}

bool conversation_set_archived(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return answer(call, &id, sotto_archive(call->core, &id, param_flag(call, "on")));
}

bool conversation_set_muted(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const struct sotto_muting muting = {param_flag(call, "on"), param_number(call, "until", 0),
                                        param_flag(call, "mentions")};
    return answer(call, &id, sotto_mute(call->core, &id, &muting));
}

bool conversation_set_timer(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return answer(call, &id,
                  sotto_set_timer(call->core, &id, (uint32_t)param_number(call, "seconds", 0)));
}

bool conversation_mark_unread(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return answer(call, &id, sotto_mark_unread(call->core, &id));
}

bool conversation_set_draft(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    const struct sotto_draft draft = {param_bytes(call, "text"), param_flag(call, "markdown"),
                                      (int64_t)param_number(call, "replyTo", 0), 0};
    return answer(call, &id, sotto_set_draft(call->core, &id, &draft));
}

bool conversation_set_typing(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_set_typing(call->core, &id, param_flag(call, "on")));
}

bool conversation_erase(struct call *call)
{
    struct sotto_id id = param_id(call, "conversation");
    return call_done(call, sotto_erase(call->core, &id));
}
