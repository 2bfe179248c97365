/* file.*: what is done to files on their way. */
#include <string.h>

#include "core/problem.h"
#include "rpc/methods.h"
#include "rpc/work.h"

/* Calls under way that move this file. */
struct moved {
    const char *method;
    const char *client_id, *conversation; /* of what is sent, else NULL */
    uint64_t message;
};

static bool is_moved(void *ctx, const struct rpc_method *method, const json_t *params)
{
    const struct moved *moved = ctx;
    if (strcmp(method->name, moved->method) != 0)
        return false;
    if (moved->client_id == NULL)
        return (uint64_t)json_integer_value(json_object_get(params, "message")) == moved->message;
    const char *id = json_string_value(json_object_get(params, "clientId"));
    return id != NULL && strcmp(id, moved->client_id) == 0 &&
           strcmp(json_string_value(json_object_get(params, "conversation")),
                  moved->conversation) == 0;
}

static bool fail(struct call *call, sotto_error error, enum sotto_code code, const char *message)
{
    (void)problem_set(&call->problem, error, code, NULL, "%s", message);
    return false;
}

bool file_cancel(struct call *call)
{
    struct moved moved = {
        .method = "message.saveFile",
        .message = param_number(call, "message", 0),
        .client_id = param_text(call, "clientId"),
        .conversation = param_text(call, "conversation"),
    };
    bool sent = moved.client_id != NULL && moved.conversation != NULL;
    if (sent == (moved.message != 0) || (moved.client_id == NULL) != (moved.conversation == NULL))
        return fail(call, SOTTO_ARGUMENT, SOTTO_CODE_USAGE,
                    "Name a message whose file is fetched, or a conversation and a clientId whose"
                    " file is sent.");
    if (sent)
        moved.method = "message.sendFile";
    if (call->works != NULL && works_cancel(call->works, is_moved, &moved))
        return true;
    if (!sent)
        return fail(call, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                    "The file of that message is not being fetched.");
    struct sotto_id conversation = param_id(call, "conversation");
    return call_done(call, sotto_cancel_file(call->core, &conversation, moved.client_id));
}
