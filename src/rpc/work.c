#include "rpc/work.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/base.h"
#include "rpc/request.h"

struct work {
    struct work *next;
    struct works *works;
    const struct rpc_method *method;
    json_t *params, *response;
    uint64_t key;
    struct sotto *core; /* of the thread, while it runs; guarded by the lock */
    bool done;          /* likewise */
    pthread_t thread;
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

void works_free(struct works *works)
{
    if (works == NULL)
        return;
    pthread_mutex_lock(&works->lock);
    works->stopping = true;
    for (struct work *work = works->first; work != NULL; work = work->next)
        sotto_stop(work->core); /* NULL: it looks at stopping before it runs */
    pthread_mutex_unlock(&works->lock);
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

/* Lets works_free find the core. False: all shall end. */
static bool show_core(struct work *work, struct sotto *core)
{
    pthread_mutex_lock(&work->works->lock);
    work->core = core;
    bool go_on = !work->works->stopping;
    pthread_mutex_unlock(&work->works->lock);
    return go_on;
}

static json_t *run(struct work *work)
{
    struct call call = {.env = work->works->env, .params = work->params};
    if (sotto_open_beside(work->works->first_core, &call.core, &call.problem) != SOTTO_OK)
        return response_refusal(call.env, call_error_code(&call.problem), &call.problem, NULL);
    json_t *response = NULL;
    if (show_core(work, call.core))
        response = call_run(work->method, &call);
    (void)show_core(work, NULL);
    sotto_close(call.core);
    return response;
}

static void *work_main(void *arg)
{
    struct work *work = arg;
    const uint64_t one = 1;
    json_t *response = run(work);
    pthread_mutex_lock(&work->works->lock);
    work->response = response;
    work->done = true;
    ssize_t written = write(work->works->fd, &one, sizeof one);
    pthread_mutex_unlock(&work->works->lock);
    (void)written; /* a full counter is readable too */
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
                 uint64_t key)
{
    if (works->count == WORKS_MAX)
        return false;
    struct work *work = mem_alloc(works->env, sizeof *work);
    if (work == NULL)
        return false;
    work->works = works;
    work->method = method;
    work->params = params != NULL ? json_deep_copy(params) : json_object();
    work->key = key;
    if (work->params == NULL || !start_thread(work)) {
        work_free(work);
        return false;
    }
    work->next = works->first;
    works->first = work;
    works->count++;
    return true;
}

void works_collect(struct works *works, void (*each)(void *ctx, uint64_t key, json_t *response),
                   void *ctx)
{
    uint64_t count;
    if (read(works->fd, &count, sizeof count) < 0)
        return; /* nothing is done */
    for (struct work **at = &works->first; *at != NULL;) {
        struct work *work = *at;
        pthread_mutex_lock(&works->lock);
        bool done = work->done;
        pthread_mutex_unlock(&works->lock);
        if (!done) {
            at = &work->next;
            continue;
        }
        pthread_join(work->thread, NULL);
        *at = work->next;
        works->count--;
        json_t *response = work->response;
        work->response = NULL;
        each(ctx, work->key, response);
        work_free(work);
    }
}
