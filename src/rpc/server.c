#include "rpc/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "core/problem.h"
#include "rpc/accounts.h"
#include "rpc/client.h"
#include "rpc/events.h"
#include "rpc/json_memory.h"
#include "rpc/methods.h"
#include "rpc/objects.h"
#include "rpc/request.h"
#include "rpc/socket.h"
#include "rpc/work.h"

enum { CLIENTS_MAX = 100, GATHERED_MAX = 256 };

/* An answer that a thread is at work on. */
struct pending {
    struct pending *next;
    uint64_t key;
    uint64_t client;
    json_t *id; /* NULL: a notification */
};

/* A request that was run and whose answer is given once what it did is durable. */
struct held {
    struct held *next;
    uint64_t client;
    struct request request;
    json_t *response;
};

struct server {
    const sotto_env *env;
    struct sotto *core;
    const struct server_options *options;
    struct works *works;
    int lock, listener; /* -1: none */
    struct client *clients;
    size_t client_count;
    uint64_t numbers; /* given to clients and works */
    struct pending *pending;
    struct held *held, **last_held; /* what waits for the disk, in order */
    size_t held_count;
};

/* ---- Requests ------------------------------------------------------------------------------- */

static void start_work(struct server *server, struct client *client, const struct request *request)
{
    struct sotto_problem problem;
    struct pending *pending = mem_alloc(server->env, sizeof *pending);
    uint64_t key = ++server->numbers;
    if (pending == NULL ||
        !works_start(server->works, request->method, request->params, key, client->number)) {
        mem_free(server->env, pending, sizeof *pending);
        (void)problem_set(&problem, SOTTO_LIMIT, SOTTO_CODE_BUSY,
                          "Wait for one of them, then try again.",
                          "%d calls that wait for the network are under way.", WORKS_MAX);
        if (request->id != NULL)
            client_send(client, response_refusal(server->env, call_error_code(&problem), &problem,
                                                 request->id));
        return;
    }
    pending->key = key;
    pending->client = client->number;
    pending->id = request->id != NULL ? json_copy((json_t *)request->id) : NULL;
    pending->next = server->pending;
    server->pending = pending;
    client->waiting++;
}

static struct client *client_of(const struct server *server, uint64_t number)
{
    struct client *client = server->clients;
    while (client != NULL && client->number != number)
        client = client->next;
    return client;
}

/* What only queues: many at once wait for the disk together. */
static bool is_gathered(const struct rpc_method *method)
{
    return method->run == message_send || method->run == message_edit ||
           method->run == message_delete || method->run == message_react ||
           method->run == conversation_mark_read || method->run == conversation_set_draft;
}

static json_t *answer_to(struct server *server, struct client *client,
                         const struct request *request)
{
    struct call call = {.env = server->env,
                        .core = server->core,
                        .params = request->params,
                        .client = client,
                        .works = server->works};
    return response_for(call_run(request->method, &call), request->id);
}

static void give(struct client *client, const struct request *request, json_t *response)
{
    if (client != NULL && request->id != NULL)
        client_send(client, response);
    else
        json_decref(response);
}

/* Gives the answers that were held. What could not be kept together is done again, each by itself:
 * then each has an answer of its own. */
static void release(struct server *server)
{
    struct held *held = server->held;
    server->held = NULL;
    server->last_held = &server->held;
    server->held_count = 0;
    bool kept = held == NULL || sotto_gather_end(server->core) == SOTTO_OK;
    for (struct held *next; held != NULL; held = next) {
        struct client *client = client_of(server, held->client);
        next = held->next;
        if (!kept) {
            json_decref(held->response);
            held->response = answer_to(server, client, &held->request);
        }
        give(client, &held->request, held->response);
        request_free(&held->request);
        mem_free(server->env, held, sizeof *held);
    }
}

/* Takes the request over. */
static void run_gathered(struct server *server, struct client *client, struct request *request)
{
    struct held *held = mem_alloc(server->env, sizeof *held);
    if (held == NULL) {
        release(server);
        give(client, request, answer_to(server, client, request));
        request_free(request);
        return;
    }
    if (server->held == NULL)
        sotto_gather(server->core);
    held->client = client->number;
    held->request = *request;
    held->response = answer_to(server, client, request);
    *server->last_held = held;
    server->last_held = &held->next;
    if (++server->held_count >= GATHERED_MAX)
        release(server);
}

static void on_line(struct server *server, struct client *client, sotto_bytes line)
{
    struct request request;
    json_t *refusal;
    bool read = request_read(server->env, line, &request, &refusal);
    if (read && is_gathered(request.method)) {
        run_gathered(server, client, &request);
        return;
    }
    release(server); /* answers come in the order of the requests */
    if (!read) {
        if (refusal != NULL)
            client_send(client, refusal);
        return;
    }
    if (request.method->waits)
        start_work(server, client, &request);
    else
        give(client, &request, answer_to(server, client, &request));
    request_free(&request);
}

/* Nobody waits for these: a client that is behind does without. */
static void on_transfer(void *ctx, const struct sotto_transfer *transfer)
{
    struct server *server = ctx;
    for (struct client *client = server->clients; client != NULL; client = client->next)
        if (client->subscribed && !client_is_full(client))
            client_send(client, events_transfer(server->env, transfer));
}

static void on_worked(void *ctx, uint64_t key, json_t *response)
{
    struct server *server = ctx;
    struct pending **at = &server->pending;
    while ((*at)->key != key)
        at = &(*at)->next;
    struct pending *pending = *at;
    *at = pending->next;
    struct client *client = client_of(server, pending->client);
    if (client != NULL)
        client->waiting--;
    if (client != NULL && pending->id != NULL)
        client_send(client, response_for(response, pending->id));
    else
        json_decref(response);
    json_decref(pending->id);
    mem_free(server->env, pending, sizeof *pending);
}

/* {"jsonrpc":"2.0","method":"progress","params":{"id":ID,"done":N,"of":N}} */
static void on_progress(void *ctx, uint64_t key, uint64_t done, uint64_t of)
{
    struct server *server = ctx;
    const struct pending *pending = server->pending;
    while (pending->key != key)
        pending = pending->next;
    struct client *client = client_of(server, pending->client);
    if (client == NULL || pending->id == NULL || client_is_full(client))
        return;
    client_send(client, json_pack("{s:s, s:s, s:{s:O, s:I, s:I}}", "jsonrpc", "2.0", "method",
                                  "progress", "params", "id", pending->id, "done", (json_int_t)done,
                                  "of", (json_int_t)of));
}

bool calls_stop(struct call *call)
{
    size_t count = call->client != NULL ? works_stop(call->works, call->client->number) : 0;
    call->result = json_object();
    object_set_number(call->result, "stopped", count);
    return true;
}

/* ---- Clients -------------------------------------------------------------------------------- */

static void add_client(struct server *server, int in, int out, bool owns_fds)
{
    struct client *client = server->client_count < CLIENTS_MAX
                                ? client_new(server->env, ++server->numbers, in, out, owns_fds)
                                : NULL;
    if (client == NULL) {
        if (owns_fds)
            (void)close(in);
        return;
    }
    client->next = server->clients;
    server->clients = client;
    server->client_count++;
}

static void accept_client(struct server *server)
{
    int fd = socket_accept(server->listener);
    if (fd >= 0)
        add_client(server, fd, fd, true);
}

static void run_lines(struct server *server, struct client *client)
{
    sotto_bytes line;
    while (!client->broken && client_line(client, &line))
        if (line.size > 0)
            on_line(server, client, line);
    if (client->input.size <= CLIENT_LINE_MAX)
        return;
    release(server);
    struct sotto_problem problem;
    (void)problem_set(&problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG, "Large things go by path.",
                      "A line may have %d bytes at most.", CLIENT_LINE_MAX);
    client_send(client, response_refusal(server->env, REQUEST_PARSE, &problem, NULL));
    client_drain(client);
    client->broken = true;
}

static void hear_client(struct server *server, struct client *client, const struct pollfd *fds,
                        size_t count)
{
    if (client->in_at >= 0 && (size_t)client->in_at < count) {
        short got = fds[client->in_at].revents;
        if ((got & POLLIN) != 0 || ((got & POLLHUP) != 0 && !client->ended)) {
            client_read(client);
            run_lines(server, client);
        } else if ((got & (POLLHUP | POLLERR | POLLNVAL)) != 0)
            client->broken = true;
    }
}

static void tell_client(struct server *server, struct client *client)
{
    if (!client->broken && client->subscribed && !client_is_full(client))
        events_push(server->env, server->core, client);
    if (!client->broken)
        client_write(client); /* most answers fit into the socket at once */
}

static void drop_clients(struct server *server)
{
    for (struct client **at = &server->clients; *at != NULL;) {
        struct client *client = *at;
        if (!client_is_over(client)) {
            at = &client->next;
            continue;
        }
        if (!client->owns_fds) /* standard input and output: there will be no other */
            sotto_stop(server->core);
        *at = client->next;
        server->client_count--;
        client_free(client);
    }
}

/* ---- The core's host ------------------------------------------------------------------------ */

static size_t on_wants(void *ctx, struct pollfd *fds)
{
    struct server *server = ctx;
    size_t count = 0;
    fds[count++] = (struct pollfd){works_fd(server->works), POLLIN, 0};
    if (server->listener >= 0)
        fds[count++] = (struct pollfd){server->listener, POLLIN, 0};
    for (struct client *client = server->clients; client != NULL; client = client->next)
        count += client_wants(client, fds + count, count);
    return count;
}

static void on_step(void *ctx, const struct pollfd *fds, size_t count)
{
    struct server *server = ctx;
    const struct works_handler handler = {server, on_worked, on_transfer, on_progress};
    if ((fds[0].revents & POLLIN) != 0)
        works_collect(server->works, &handler);
    for (struct client *client = server->clients; client != NULL; client = client->next)
        hear_client(server, client, fds, count);
    release(server);
    for (struct client *client = server->clients; client != NULL; client = client->next)
        tell_client(server, client);
    if (server->listener >= 0 && (fds[1].revents & POLLIN) != 0)
        accept_client(server);
    drop_clients(server);
}

static void on_notice(void *ctx, const struct sotto_problem *problem)
{
    struct server *server = ctx;
    for (struct client *client = server->clients; client != NULL; client = client->next)
        if (client->subscribed)
            client_send(client, events_connection(server->env, problem));
}

/* To whoever does not read it is not told at all. */
static void on_typing(void *ctx, const struct sotto_typing *typing)
{
    struct server *server = ctx;
    for (struct client *client = server->clients; client != NULL; client = client->next)
        if (client->subscribed && !client_is_full(client))
            client_send(client, events_typing(server->env, typing));
}

_Static_assert(2 + 2 * CLIENTS_MAX <= SOTTO_HOST_FDS_MAX, "all descriptors can be waited for");

/* ---- Running -------------------------------------------------------------------------------- */

static void close_all(struct server *server)
{
    const struct works_handler handler = {server, on_worked, on_transfer, on_progress};
    if (server->works != NULL)
        works_finish(server->works, &handler);
    works_free(server->works);
    for (struct client *client = server->clients, *next; client != NULL; client = next) {
        next = client->next;
        client_drain(client);
        client_free(client);
    }
    for (struct pending *pending = server->pending, *next; pending != NULL; pending = next) {
        next = pending->next;
        json_decref(pending->id);
        mem_free(server->env, pending, sizeof *pending);
    }
    socket_close(server->options->socket, server->lock, server->listener);
}

sotto_error server_run(const sotto_env *env, struct sotto *core,
                       const struct server_options *options, struct sotto_problem *problem)
{
    struct server server = {
        .env = env, .core = core, .options = options, .lock = -1, .listener = -1};
    server.last_held = &server.held;
    const struct sotto_host host = {&server, on_wants, on_step, on_notice, on_typing};
    sotto_error error = works_new(env, core, &server.works);
    if (error != SOTTO_OK)
        (void)problem_local(problem, error, "starting the daemon");
    if (error == SOTTO_OK && options->socket == NULL)
        add_client(&server, STDIN_FILENO, STDOUT_FILENO, false);
    else if (error == SOTTO_OK &&
             !socket_listen(options->socket, CLIENTS_MAX, &server.lock, &server.listener, problem))
        error = problem->error;
    if (error == SOTTO_OK) {
        sotto_on_transfer(core, on_transfer, &server);
        error = sotto_serve(core, &host);
        sotto_on_transfer(core, NULL, NULL);
        if (error != SOTTO_OK)
            *problem = *sotto_problem(core);
    }
    close_all(&server);
    return error;
}

/* ---- Methods of the server ------------------------------------------------------------------ */

static bool needs_daemon(struct call *call)
{
    if (call->client != NULL)
        return true;
    (void)problem_set(&call->problem, SOTTO_STATE, SOTTO_CODE_USAGE, "Start it: sotto daemon",
                      "This needs a daemon that runs.");
    return false;
}

bool daemon_stop(struct call *call)
{
    if (!needs_daemon(call))
        return false;
    if (call->hub != NULL)
        accounts_stop();
    sotto_stop(call->core); /* NULL allowed */
    return true;
}

bool events_subscribe(struct call *call)
{
    uint64_t oldest, newest;
    if (!needs_daemon(call))
        return false;
    if (sotto_events_range(call->core, &oldest, &newest) != SOTTO_OK)
        return call_fail(call);
    call->client->subscribed = true;
    call->client->event = param_number(call, "since", newest);
    call->result = json_pack("{s:I}", "event", (json_int_t)newest);
    return true;
}

bool events_unsubscribe(struct call *call)
{
    if (!needs_daemon(call))
        return false;
    call->client->subscribed = false;
    return true;
}

/* ---- One request ---------------------------------------------------------------------------- */

sotto_error server_answer_once(const sotto_env *env, struct sotto *core, sotto_bytes line,
                               sotto_buf *out)
{
    struct request request;
    json_t *response;
    if (request_read(env, line, &request, &response)) {
        struct call call = {.env = env, .core = core, .params = request.params};
        response = response_for(call_run(request.method, &call), request.id);
        if (request.id == NULL) {
            json_decref(response);
            response = NULL;
        }
        request_free(&request);
    }
    sotto_error error = response != NULL ? json_write(response, out) : SOTTO_OK;
    json_decref(response);
    return error;
}

/* Whether a line is a notification: how far the call is, or an event. */
static bool is_notification(const sotto_buf *line)
{
    json_t *whole = json_loadb((const char *)line->data, line->size, 0, NULL);
    bool is = json_object_get(whole, "method") != NULL;
    json_decref(whole);
    return is;
}

/* Appends what came, up to the end of the line that is the answer: then it is whole. */
static sotto_error take_answer(sotto_bytes came, sotto_buf *answer, bool *whole)
{
    while (came.size > 0 && !*whole) {
        const uint8_t *end = memchr(came.data, '\n', came.size);
        size_t size = end != NULL ? (size_t)(end - came.data) : came.size;
        TRY(sotto_buf_append(answer, came.data, size));
        size += end != NULL;
        came = sotto_bytes_of(came.data + size, came.size - size);
        *whole = end != NULL && !is_notification(answer);
        if (end != NULL && !*whole)
            sotto_buf_clear(answer);
    }
    return SOTTO_OK;
}

sotto_error server_ask(const char *path, sotto_bytes request, sotto_buf *answer,
                       struct sotto_problem *problem)
{
    uint8_t block[CLIENT_READ];
    int fd = socket_connect(path);
    if (fd < 0)
        return SOTTO_NOT_FOUND;
    bool sent = true;
    for (size_t done = 0; done < request.size && sent;) {
        ssize_t n = send(fd, request.data + done, request.size - done, MSG_NOSIGNAL);
        sent = n > 0 || errno == EINTR;
        done += n > 0 ? (size_t)n : 0;
    }
    sent = sent && send(fd, "\n", 1, MSG_NOSIGNAL) == 1 && shutdown(fd, SHUT_WR) == 0;
    ssize_t got = 1;
    sotto_error error = SOTTO_OK;
    bool whole = false;
    while (sent && error == SOTTO_OK && got != 0 && !whole) {
        got = read(fd, block, sizeof block);
        if (got > 0)
            error = take_answer(sotto_bytes_of(block, (size_t)got), answer, &whole);
        sent = got >= 0 || errno == EINTR;
    }
    wipe(block, sizeof block);
    (void)close(fd);
    if (!sent)
        return problem_set(problem, SOTTO_NETWORK, SOTTO_CODE_UNREACHABLE,
                           "See whether it still runs.", "The daemon broke the connection off.");
    return error == SOTTO_OK ? error : problem_local(problem, error, "reading the answer");
}
