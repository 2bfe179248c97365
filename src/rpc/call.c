#include "rpc/call.h"

#include <string.h>

#include "base/base.h"
#include "rpc/objects.h"

int call_error_code(const struct sotto_problem *problem)
{
    switch (sotto_code_trouble(problem->code)) {
    case SOTTO_TROUBLE_USAGE:
        return 2;
    case SOTTO_TROUBLE_NETWORK:
        return 3;
    case SOTTO_TROUBLE_REFUSED:
        return 4;
    case SOTTO_TROUBLE_NOTFOUND:
        return 5;
    case SOTTO_TROUBLE_PERSON:
        return 6;
    case SOTTO_TROUBLE_SECURITY:
        return 7;
    default:
        return 1;
    }
}

json_t *call_error(const sotto_env *env, int code, const struct sotto_problem *problem)
{
    json_t *error = json_object(), *data = json_object();
    (void)json_object_set_new(error, "code", json_integer(code));
    object_set_text(env, error, "message", problem->message);
    object_set_text(env, data, "code", sotto_code_name(problem->code));
    object_set_text(env, data, "next", problem->next);
    (void)json_object_set_new(error, "data", data);
    return error;
}

json_t *call_run(const struct rpc_method *method, struct call *call)
{
    json_t *none = NULL, *response = json_object();
    if (call->params == NULL)
        call->params = none = json_object();
    (void)json_object_set_new(response, "jsonrpc", json_string("2.0"));
    if (method->run(call)) {
        json_t *result = call->result != NULL ? call->result : json_object();
        (void)json_object_set_new(response, "result", result);
    } else {
        json_decref(call->result);
        (void)json_object_set_new(
            response, "error",
            call_error(call->env, call_error_code(&call->problem), &call->problem));
    }
    call->result = NULL;
    call->params = NULL;
    json_decref(none);
    return response;
}

/* ---- Parameters ----------------------------------------------------------------------------- */

const char *param_text(const struct call *call, const char *name)
{
    return json_string_value(json_object_get(call->params, name));
}

sotto_bytes param_bytes(const struct call *call, const char *name)
{
    const json_t *text = json_object_get(call->params, name);
    return sotto_bytes_of((const uint8_t *)json_string_value(text), json_string_length(text));
}

bool param_flag(const struct call *call, const char *name)
{
    return json_is_true(json_object_get(call->params, name));
}

uint64_t param_number(const struct call *call, const char *name, uint64_t otherwise)
{
    const json_t *value = json_object_get(call->params, name);
    return value == NULL ? otherwise : (uint64_t)json_integer_value(value);
}

static unsigned nibble(char digit)
{
    return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
}

struct sotto_id param_id(const struct call *call, const char *name)
{
    struct sotto_id id = {{0}};
    const char *hex = param_text(call, name);
    for (size_t i = 0; i < sizeof id.bytes && hex != NULL; i++)
        id.bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    return id;
}

/* ---- Ends ----------------------------------------------------------------------------------- */

bool call_fail(struct call *call)
{
    call->problem = *sotto_problem(call->core);
    return false;
}

bool call_done(struct call *call, sotto_error error)
{
    return error == SOTTO_OK || call_fail(call);
}

bool call_conversation(struct call *call, sotto_error error, const struct sotto_id *id)
{
    if (error != SOTTO_OK)
        return call_fail(call);
    call->result = json_object();
    object_set_id(call->result, "conversation", id);
    return true;
}

/* ---- Pages ---------------------------------------------------------------------------------- */

struct page page_begin(const struct call *call)
{
    return (struct page){
        .env = call->env,
        .items = json_array(),
        .offset = param_number(call, "offset", 0),
        .limit = param_number(call, "limit", PAGE_DEFAULT),
    };
}

bool page_takes(struct page *page)
{
    uint64_t at = page->total++;
    return at >= page->offset && at - page->offset < page->limit;
}

bool page_end(struct call *call, struct page *page, const char *name, sotto_error error)
{
    if (error != SOTTO_OK) {
        json_decref(page->items);
        return call_fail(call);
    }
    call->result = json_object();
    (void)json_object_set_new(call->result, name, page->items);
    object_set_number(call->result, "total", page->total);
    return true;
}
