/* A line, read as a request of JSON-RPC 2.0. */
#ifndef RPC_REQUEST_H
#define RPC_REQUEST_H

#include "rpc/schema.h"

/* JSON-RPC's own codes; the core's are above zero (call_error_code). */
enum {
    REQUEST_PARSE = -32700,
    REQUEST_INVALID = -32600,
    REQUEST_NO_METHOD = -32601,
    REQUEST_PARAMS = -32602,
};

struct request {
    json_t *whole;
    const json_t *id;     /* NULL: a notification, nobody waits for an answer */
    const json_t *params; /* NULL: none */
    const struct rpc_method *method;
};

/* True: it can be run; it is freed with request_free. False: *refusal is the response, NULL if it
 * was a notification; the caller owns it. */
bool request_read(const sotto_env *env, sotto_bytes line, struct request *request,
                  json_t **refusal);
void request_free(struct request *request);

/* Puts the request's id (NULL: null) into a response. NULL stays NULL. */
json_t *response_for(json_t *response, const json_t *id);
/* A response that refuses. */
json_t *response_refusal(const sotto_env *env, int code, const struct sotto_problem *problem,
                         const json_t *id);

#endif
