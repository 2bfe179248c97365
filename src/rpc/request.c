#include "rpc/request.h"

#include <string.h>

#include "core/problem.h"
#include "rpc/call.h"

json_t *response_for(json_t *response, const json_t *id)
{
    if (response != NULL)
        (void)json_object_set_new(response, "id",
                                  id != NULL ? json_copy((json_t *)id) : json_null());
    return response;
}

json_t *response_refusal(const sotto_env *env, int code, const struct sotto_problem *problem,
                         const json_t *id)
{
    json_t *response = json_object();
    (void)json_object_set_new(response, "jsonrpc", json_string("2.0"));
    (void)json_object_set_new(response, "error", call_error(env, code, problem));
    return response_for(response, id);
}

static bool refuse(const sotto_env *env, struct request *request, json_t **refusal, int code,
                   const struct sotto_problem *problem)
{
    bool unseen = code == REQUEST_PARSE || code == REQUEST_INVALID; /* whether it has an id */
    *refusal =
        request->id != NULL || unseen ? response_refusal(env, code, problem, request->id) : NULL;
    request_free(request);
    return false;
}

/* An id is a string, a number or null (JSON-RPC 2.0, section 4). */
static bool envelope_check(struct request *request, struct sotto_problem *problem)
{
    const json_t *id = json_object_get(request->whole, "id");
    const char *version = json_string_value(json_object_get(request->whole, "jsonrpc"));
    if (!json_is_object(request->whole)) {
        (void)problem_set(problem, SOTTO_VALUE, SOTTO_CODE_USAGE, "Send one object a line.",
                          "A request is an object; several at once are not taken.");
        return false;
    }
    if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
        (void)problem_set(problem, SOTTO_VALUE, SOTTO_CODE_USAGE, NULL,
                          "`id` takes a string or a number.");
        return false;
    }
    request->id = id;
    if (version == NULL || strcmp(version, "2.0") != 0 ||
        !json_is_string(json_object_get(request->whole, "method"))) {
        (void)problem_set(problem, SOTTO_VALUE, SOTTO_CODE_USAGE, NULL,
                          "A request has \"jsonrpc\": \"2.0\" and a method.");
        return false;
    }
    request->params = json_object_get(request->whole, "params");
    return true;
}

bool request_read(const sotto_env *env, sotto_bytes line, struct request *request, json_t **refusal)
{
    struct sotto_problem problem;
    json_error_t error;
    memset(request, 0, sizeof *request);
    *refusal = NULL;
    request->whole = json_loadb((const char *)line.data, line.size,
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (request->whole == NULL) {
        (void)problem_set(&problem, SOTTO_VALUE, SOTTO_CODE_USAGE, "Send one object a line.",
                          "This line is not JSON: %.200s (at byte %d).", error.text,
                          error.position);
        return refuse(env, request, refusal, REQUEST_PARSE, &problem);
    }
    if (!envelope_check(request, &problem))
        return refuse(env, request, refusal, REQUEST_INVALID, &problem);
    const char *name = json_string_value(json_object_get(request->whole, "method"));
    request->method = rpc_method_named(name);
    if (request->method == NULL) {
        (void)problem_set(&problem, SOTTO_NOT_FOUND, SOTTO_CODE_USAGE, "rpc.discover lists them.",
                          "There is no method `%.80s`.", name);
        return refuse(env, request, refusal, REQUEST_NO_METHOD, &problem);
    }
    if (!rpc_params_check(request->method, request->params, &problem))
        return refuse(env, request, refusal, REQUEST_PARAMS, &problem);
    return true;
}

void request_free(struct request *request)
{
    json_decref(request->whole);
    memset(request, 0, sizeof *request);
}
