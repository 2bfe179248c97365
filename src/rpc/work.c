#include "rpc/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/base.h"
#include "rpc/request.h"

struct work {
    struct work *next;
    struct works *works;
    const struct rpc_method *method;
    json_t *params, *response;
    uint64_t key, client;
    pthread_t thread;
    /* Guarded by the lock: */
    struct sotto *core; /* of the thread, while it runs */
    bool done, cancelled, stopped;
    bool moved;   /* transfer is news */
    bool further; /* so_far is news */
    uint64_t so_far, of;
    struct sotto_transfer transfer;
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
};

struct works {
    const sotto_env *env;
    const struct sotto *first_core;
    int fd;
    pthread_mutex_t lock;
    struct work *first;
    size_t count;
    bool stopping;
};

sotto_error works_new(const sotto_env *env, const struct sotto *first, struct works **out)
{
    struct works *works = mem_alloc(env, sizeof *works);
    if (works == NULL)
        return SOTTO_NO_MEMORY;
    works->env = env;
    works->first_core = first;
    works->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (works->fd < 0) {
        mem_free(env, works, sizeof *works);
        return SOTTO_IO;
    }
    pthread_mutex_init(&works->lock, NULL);
    *out = works;
    return SOTTO_OK;
}

static void work_free(struct work *work)
{
    json_decref(work->params);
    json_decref(work->response);
    mem_free(work->works->env, work, sizeof *work);
}

static void stop_all(struct works *works)
{
    pthread_mutex_lock(&works->lock);
    works->stopping = true;
    for (struct work *work = works->first; work != NULL; work = work->next)
        sotto_stop(work->core); /* NULL: it looks at stopping before it runs */
    pthread_mutex_unlock(&works->lock);
}

void works_free(struct works *works)
{
    if (works == NULL)
        return;
    stop_all(works);
    for (struct work *work = works->first, *next; work != NULL; work = next) {
        next = work->next;
        pthread_join(work->thread, NULL);
        work_free(work);
    }
    pthread_mutex_destroy(&works->lock);
    close(works->fd);
    mem_free(works->env, works, sizeof *works);
}

int works_fd(const struct works *works)
{
    return works->fd;
}

/* ---- In the thread -------------------------------------------------------------------------- */

static void wake(struct works *works)
{
    const uint64_t one = 1;
    ssize_t written = write(works->fd, &one, sizeof one);
    (void)written; /* a full counter is readable too */
}

/* Lets works_free and works_cancel find the core. */
static void show_core(struct work *work, struct sotto *core)
{
    pthread_mutex_lock(&work->works->lock);
    work->core = core;
    if (core != NULL && work->cancelled)
        sotto_cancel(core);
    if (core != NULL && (work->works->stopping || work->stopped))
        sotto_stop(core);
    pthread_mutex_unlock(&work->works->lock);
}

static void on_transfer(void *ctx, const struct sotto_transfer *transfer)
{
    struct work *work = ctx;
    pthread_mutex_lock(&work->works->lock);
    work->transfer = *transfer;
    (void)snprintf(work->client_id, sizeof work->client_id, "%s", transfer->client_id);
    work->moved = true;
    wake(work->works);
    pthread_mutex_unlock(&work->works->lock);
}

static void on_progress(void *ctx, uint64_t done, uint64_t of)
{
    struct work *work = ctx;
    pthread_mutex_lock(&work->works->lock);
    bool told = of == work->of && done < of && done - work->so_far < of / 1000 + 1;
    if (!told && of > 0) {
        work->so_far = done;
        work->of = of;
        work->further = true;
        wake(work->works);
    }
    pthread_mutex_unlock(&work->works->lock);
}

static json_t *run(struct work *work)
{
    struct call call = {.env = work->works->env,
                        .params = work->params,
                        .progress = on_progress,
                        .progress_ctx = work};
    if (sotto_open_beside(work->works->first_core, &call.core, &call.problem) != SOTTO_OK)
        return response_refusal(call.env, call_error_code(&call.problem), &call.problem, NULL);
    show_core(work, call.core);
    sotto_on_transfer(call.core, on_transfer, work);
    json_t *response = call_run(work->method, &call);
    show_core(work, NULL);
    sotto_close(call.core);
    return response;
}

static void *work_main(void *arg)
{
    struct work *work = arg;
    json_t *response = run(work);
    pthread_mutex_lock(&work->works->lock);
    work->response = response;
    work->done = true;
    wake(work->works);
    pthread_mutex_unlock(&work->works->lock);
    return NULL;
}

/* ---- Outside -------------------------------------------------------------------------------- */

/* Signals are the main thread's. */
static bool start_thread(struct work *work)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&work->thread, NULL, work_main, work) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

bool works_start(struct works *works, const struct rpc_method *method, const json_t *params,
                 uint64_t key, uint64_t client)
{
    if (works->count == WORKS_MAX || works->stopping)
        return false;
    struct work *work = mem_alloc(works->env, sizeof *work);
    if (work == NULL)
        return false;
    work->works = works;
    work->method = method;
    work->params = params != NULL ? json_deep_copy(params) : json_object();
    work->key = key;
    work->client = client;
    if (work->params == NULL || !start_thread(work)) {
        work_free(work);
        return false;
    }
    work->next = works->first;
    works->first = work;
    works->count++;
    return true;
}

size_t works_stop(struct works *works, uint64_t client)
{
    size_t count = 0;
    pthread_mutex_lock(&works->lock);
    for (struct work *work = works->first; work != NULL; work = work->next) {
        if (work->client != client || work->done)
            continue;
        work->stopped = true;
        sotto_stop(work->core); /* NULL: show_core sees to it */
        count++;
    }
    pthread_mutex_unlock(&works->lock);
    return count;
}

/* Whether it is done; tells how far its file is, if that is news. */
static bool look(struct work *work, const struct works_handler *handler)
{
    char client_id[sizeof work->client_id];
    pthread_mutex_lock(&work->works->lock);
    bool done = work->done, moved = work->moved, further = work->further;
    uint64_t so_far = work->so_far, of = work->of;
    struct sotto_transfer transfer = work->transfer;
    memcpy(client_id, work->client_id, sizeof client_id);
    work->moved = work->further = false;
    pthread_mutex_unlock(&work->works->lock);
    if (further)
        handler->progress(handler->ctx, work->key, so_far, of);
    transfer.client_id = client_id;
    if (moved)
        handler->transfer(handler->ctx, &transfer);
    return done;
}

void works_collect(struct works *works, const struct works_handler *handler)
{
    uint64_t count;
    if (read(works->fd, &count, sizeof count) < 0)
        return; /* nothing is new */
    for (struct work **at = &works->first; *at != NULL;) {
        struct work *work = *at;
        if (!look(work, handler)) {
            at = &work->next;
            continue;
        }
        pthread_join(work->thread, NULL);
        *at = work->next;
        works->count--;
        json_t *response = work->response;
        work->response = NULL;
        handler->done(handler->ctx, work->key, response);
        work_free(work);
    }
}

void works_finish(struct works *works, const struct works_handler *handler)
{
    stop_all(works);
    while (works->first != NULL) {
        struct work *work = works->first;
        pthread_join(work->thread, NULL);
        works->first = work->next;
        works->count--;
        json_t *response = work->response;
        work->response = NULL;
        handler->done(handler->ctx, work->key, response);
        work_free(work);
    }
}

bool works_cancel(struct works *works,
                  bool (*fits)(void *ctx, const struct rpc_method *method, const json_t *params),
                  void *ctx)
{
    bool found = false;
    pthread_mutex_lock(&works->lock);
    for (struct work *work = works->first; work != NULL; work = work->next) {
        if (work->done || !fits(ctx, work->method, work->params))
            continue;
        found = work->cancelled = true;
        sotto_cancel(work->core); /* NULL: it looks before it runs */
    }
    pthread_mutex_unlock(&works->lock);
    return found;
}
