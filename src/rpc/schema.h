/* What the interface is made of: tables of methods, their parameters and the objects that they
 * answer with. Requests are checked against them before a method runs, and the OpenRPC document
 * (docs/openrpc.json) is written from them, so that there is one description and no second. */
#ifndef RPC_SCHEMA_H
#define RPC_SCHEMA_H

#include <jansson.h>

#include "sotto/sotto.h"

enum rpc_type {
    RPC_STRING,
    RPC_INTEGER,
    RPC_BOOLEAN,
    RPC_ID,      /* 64 hex digits */
    RPC_STRINGS, /* an array of them */
    RPC_NUMBERS, /* an array of whole numbers from 0 to 255 */
    RPC_OBJECT,  /* of the type `of` */
    RPC_OBJECTS, /* an array of them */
    RPC_CALL,    /* a request's id, as the client gave it: a number or a string */
};

struct rpc_field {
    const char *name; /* NULL ends a list */
    enum rpc_type type;
    bool optional;
    uint64_t least,
        most;       /* INTEGER: its value; STRING: bytes of UTF-8; STRINGS, NUMBERS: how many */
    const char *of; /* OBJECT, OBJECTS: the type; STRING: its values, with bars between */
    const char *text;
};

/* Most bytes of a string that nothing else limits, such as a path or a name. */
#define RPC_STRING_MAX 4096

struct rpc_object {
    const char *name; /* NULL ends the list */
    const char *text;
    const struct rpc_field *fields;
};

extern const struct rpc_object rpc_objects[];

struct call;

struct rpc_method {
    const char *name; /* NULL ends the list */
    const char *summary;
    const struct rpc_field *params;
    const char *result; /* an object's name */
    /* It may wait for the network or read a large file: it runs in a thread, over a core of its
     * own on the same profile. */
    bool waits;
    /* False: call->problem says why. */
    bool (*run)(struct call *call);
};

extern const struct rpc_method rpc_methods[];

const struct rpc_method *rpc_method_named(const char *name);

/* Whether params (NULL: none were given) are what the method takes: all that it needs, nothing that
 * it does not know, each of its type and size. False: problem, which names the parameter. */
bool rpc_params_check(const struct rpc_method *method, const json_t *params,
                      struct sotto_problem *problem);

/* The OpenRPC document. NULL: out of memory. */
json_t *rpc_openrpc(void);

#endif
