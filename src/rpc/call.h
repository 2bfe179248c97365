/* One request, as a method sees it. */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "rpc/schema.h"

struct client;
struct works;
struct hub;

struct call {
    const sotto_env *env;
    struct sotto *core;
    const json_t *params; /* an object that fits the method; never NULL */
    json_t *result;       /* the method sets it; NULL counts as an empty object */
    struct sotto_problem problem;
    struct client *client; /* who asks; NULL in a thread and in `sotto call` without a daemon */
    struct hub *hub;       /* several accounts; NULL likewise */
    struct works *works;   /* the daemon's threads; NULL likewise */
    sotto_progress_fn *progress; /* for what takes long; NULL: nobody looks */
    void *progress_ctx;
};

/* Makes the call and answers it: the response's object, without an id. params may be NULL. The
 * caller owns it; NULL: out of memory. */
json_t *call_run(const struct rpc_method *method, struct call *call);

/* An error's object of JSON-RPC. code: see docs/RPC.md. */
json_t *call_error(const sotto_env *env, int code, const struct sotto_problem *problem);
/* The code that goes with a problem of the core's: its sort of trouble, as an exit code. */
int call_error_code(const struct sotto_problem *problem);

/* ---- Parameters ---- */

const char *param_text(const struct call *call, const char *name);  /* NULL: not given */
sotto_bytes param_bytes(const struct call *call, const char *name); /* empty: not given */
bool param_flag(const struct call *call, const char *name);         /* false: not given */
uint64_t param_number(const struct call *call, const char *name, uint64_t otherwise);
struct sotto_id param_id(const struct call *call, const char *name);

/* ---- Ends of a method ---- */

/* With the core's problem. Returns false. */
bool call_fail(struct call *call);
/* Whether error is OK, else as call_fail. */
bool call_done(struct call *call, sotto_error error);

/* A conversation's id as the result, if error is OK. */
bool call_conversation(struct call *call, sotto_error error, const struct sotto_id *id);

/* How far an own message, or change of one, is, as the result. */
bool call_sending(struct call *call, const struct sotto_id *conversation, const char *client_id);

/* ---- A page of a list ---- */

struct page {
    const sotto_env *env;
    json_t *items;
    uint64_t offset, limit, total;
};

enum { PAGE_DEFAULT = 100 };

/* By the parameters offset and limit. */
struct page page_begin(const struct call *call);
/* Counts one more; true: it is to be added to items. */
bool page_takes(struct page *page);
/* The result: {name: items, "total": n}; or fails if error is not OK. */
bool page_end(struct call *call, struct page *page, const char *name, sotto_error error);

#endif
