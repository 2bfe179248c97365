#include "mls/verify_many.h"

#define ITEMS_A_JOB 32 /* below this, a thread's waking costs more than it saves */
#define JOBS_MOST 64

/* A run of items, with a crypto context of its own. */
struct job {
    struct crypto *crypto;
    const struct suite *suite;
    sotto_bytes group_id;
    struct to_verify *items;
    size_t count;
};

bool verify_many_helps(const struct crypto *crypto, size_t count)
{
    return crypto_env(crypto)->parallel != NULL && count >= 2 * ITEMS_A_JOB;
}

static bool holds(const struct job *job, const struct to_verify *item)
{
    if (leaf_node_verify(job->crypto, job->suite, item->leaf, job->group_id, item->index) !=
        SOTTO_OK)
        return false;
    return item->package == NULL ||
           key_package_verify(job->crypto, job->suite, item->package) == SOTTO_OK;
}

static void run(void *ctx, size_t number)
{
    struct job *job = (struct job *)ctx + number;
    for (size_t i = 0; i < job->count; i++)
        job->items[i].verified = holds(job, &job->items[i]);
}

/* Contexts are made here, one after the other, because a provider need not allow more. */
static size_t prepare(struct crypto *crypto, struct job *jobs, size_t count)
{
    size_t made = 0;
    while (made < count && crypto_twin(crypto, &jobs[made].crypto) == SOTTO_OK)
        made++;
    return made;
}

void verify_many(struct crypto *crypto, const struct suite *suite, sotto_bytes group_id,
                 struct to_verify *items, size_t count)
{
    const sotto_env *env = crypto_env(crypto);
    struct job jobs[JOBS_MOST];
    if (!verify_many_helps(crypto, count))
        return;
    size_t wanted = count / ITEMS_A_JOB < JOBS_MOST ? count / ITEMS_A_JOB : JOBS_MOST;
    size_t job_count = prepare(crypto, jobs, wanted);
    for (size_t i = 0, from = 0; i < job_count; i++) {
        size_t to = count * (i + 1) / job_count;
        jobs[i].suite = suite;
        jobs[i].group_id = group_id;
        jobs[i].items = items + from;
        jobs[i].count = to - from;
        from = to;
    }
    if (job_count > 0)
        env->parallel(env->ctx, run, jobs, job_count);
    for (size_t i = 0; i < job_count; i++)
        crypto_free(jobs[i].crypto);
}
