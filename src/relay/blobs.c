#include "relay/blobs.h"

#include <pthread.h>
#include <string.h>

#include "relay/store_engine.h"

struct worker {
    struct blobs *blobs;
    struct store_port *port; /* for its own calls of the store */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct store_op *first, **last;
    bool closing;
};

struct blobs {
    const sotto_env *env;
    struct store *store;
    struct blobs_options options;
    struct blob_files files;
    atomic_uint_fast64_t used;
    atomic_size_t queued; /* bytes that wait for the threads */
    atomic_int health;
    struct worker workers[BLOB_THREADS];
};

uint64_t blobs_used(const struct blobs *blobs)
{
    return atomic_load(&blobs->used);
}

static void refuse(struct store_op *op, enum wire_code code, uint64_t detail)
{
    op->code = (uint16_t)code;
    op->detail = detail;
}

/* The disk's word: OK too, which ends a trouble. */
static void tell_health(struct blobs *blobs, sotto_error error)
{
    int before = atomic_exchange(&blobs->health, (int)error);
    if (before != (int)error && blobs->options.health != NULL)
        blobs->options.health(blobs->options.health_ctx, error);
}

static void refuse_disk(struct blobs *blobs, struct store_op *op, sotto_error error)
{
    tell_health(blobs, error);
    refuse(op, WIRE_CODE_UNAVAILABLE, 5);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static uint16_t call(struct worker *worker, struct store_op *op, struct store_file *file,
                     uint64_t *detail)
{
    store_call(worker->port, op);
    uint16_t code = op->code;
    *detail = op->detail;
    *file = op->file;
    store_op_free(op);
    return code;
}

/* One operation on the row; its code. *file: in and out. */
static uint16_t call_row(struct worker *worker, enum store_kind kind, struct store_file *file,
                         uint64_t *detail)
{
    struct store_op *op = store_op_new(worker->blobs->env, kind);
    *detail = 5;
    if (op == NULL)
        return WIRE_CODE_UNAVAILABLE;
    op->file = *file;
    return call(worker, op, file, detail);
}

static uint16_t create_row(struct worker *worker, const struct store_blob_job *job,
                           struct store_file *file, uint64_t *detail)
{
    struct store_op *op = store_op_new(worker->blobs->env, STORE_BLOB_CREATE);
    *detail = 5;
    if (op == NULL)
        return WIRE_CODE_UNAVAILABLE;
    op->file_create = (struct store_file_create){*file, job->permissions, job->permission_count};
    return call(worker, op, file, detail);
}

/* The row of the job, if it is there and, where a token was shown, opened by it. */
static bool find(struct worker *worker, struct store_op *op, bool owner)
{
    struct store_file file = op->blob.file;
    uint64_t detail;
    uint16_t code = call_row(worker, STORE_BLOB_FIND, &file, &detail);
    if (code == 0 && owner &&
        memcmp(file.write_gate.bytes, op->blob.file.write_gate.bytes, GATE_SIZE) != 0)
        code = WIRE_CODE_NO_BLOB; /* hashes: what the time tells is of no use */
    if (code != 0)
        refuse(op, (enum wire_code)code, detail);
    op->blob.file = file;
    return code == 0;
}

/* Says in the row how much is durable. */
static bool advance(struct worker *worker, struct store_op *op, uint64_t stored, bool finished)
{
    uint64_t detail;
    op->blob.file.stored = stored;
    op->blob.file.finished = finished;
    uint16_t code = call_row(worker, STORE_BLOB_ADVANCE, &op->blob.file, &detail);
    if (code != 0)
        refuse(op, (enum wire_code)code, detail);
    return code == 0;
}

/* ---- Jobs ----------------------------------------------------------------------------------- */

static void release(struct blobs *blobs, uint64_t size)
{
    atomic_fetch_sub(&blobs->used, size);
}

static void create(struct worker *worker, struct store_op *op)
{
    struct blobs *blobs = worker->blobs;
    struct store_file want = op->blob.file, file = want;
    uint64_t detail;
    bool fits = want.size <= blobs->options.space &&
                atomic_fetch_add(&blobs->used, want.size) <= blobs->options.space - want.size;
    uint16_t code = fits ? create_row(worker, &op->blob, &file, &detail)
                         : call_row(worker, STORE_BLOB_FIND, &file, &detail);
    bool same = file.size == want.size &&
                memcmp(file.write_gate.bytes, want.write_gate.bytes, GATE_SIZE) == 0;
    bool was_there = fits ? code == WIRE_CODE_BLOB_EXISTS : code == 0;
    if (want.size <= blobs->options.space && !(fits && code == 0))
        release(blobs, want.size);
    if (was_there && !same)
        refuse(op, WIRE_CODE_BLOB_EXISTS, 0);
    else if (!was_there && !fits)
        refuse(op, WIRE_CODE_UNAVAILABLE, 600);
    else if (!was_there && code != 0)
        refuse(op, (enum wire_code)code, detail);
    /* Of an earlier blob of this id, whose row has expired and whose file has not gone yet. */
    else if (!was_there && blob_file_cut(&blobs->files, want.hash, 0) != SOTTO_OK)
        refuse_disk(blobs, op, SOTTO_IO);
}

/* A failed sync leaves nobody knowing what is on disk: what was not known before is given up. */
static void give_up_unsynced(struct worker *worker, const struct store_file *file)
{
    (void)blob_file_cut(&worker->blobs->files, file->hash, file->stored);
}

static void put(struct worker *worker, struct store_op *op)
{
    struct blobs *blobs = worker->blobs;
    struct store_blob_job *job = &op->blob;
    const struct store_file *file = &job->file;
    uint64_t stored, end = job->offset + job->bytes.size;
    if (!find(worker, op, true))
        return;
    if (end > file->size) {
        refuse(op, WIRE_CODE_LIMIT, file->size);
        return;
    }
    if (file->finished)
        return;
    sotto_error error = blob_file_size(&blobs->files, file->hash, &stored);
    if (error == SOTTO_OK && job->offset > stored) {
        refuse(op, WIRE_CODE_BLOB_INCOMPLETE, stored);
        return;
    }
    if (error == SOTTO_OK && end > stored) {
        size_t skip = (size_t)(stored - job->offset);
        sotto_bytes rest = sotto_bytes_of(job->bytes.data + skip, job->bytes.size - skip);
        error = blob_file_append(&blobs->files, file->hash, stored, rest);
    }
    uint64_t durable = file->stored;
    if (error == SOTTO_OK && end > stored && end - durable >= BLOB_SYNC_BYTES) {
        error = blob_file_sync(&blobs->files, file->hash, false);
        if (error != SOTTO_OK)
            give_up_unsynced(worker, file);
        else
            durable = end;
    }
    if (error != SOTTO_OK) {
        refuse_disk(blobs, op, error);
        return;
    }
    tell_health(blobs, SOTTO_OK);
    if (durable != file->stored && !advance(worker, op, durable, false))
        return;
    job->file.stored = end > stored ? end : stored;
}

static void status(struct worker *worker, struct store_op *op)
{
    struct store_file *file = &op->blob.file;
    if (!find(worker, op, true) || file->finished)
        return;
    sotto_error error = blob_file_size(&worker->blobs->files, file->hash, &file->stored);
    if (error != SOTTO_OK)
        refuse_disk(worker->blobs, op, error);
}

static void finish(struct worker *worker, struct store_op *op)
{
    struct blobs *blobs = worker->blobs;
    const struct store_file *file = &op->blob.file;
    uint64_t stored;
    if (!find(worker, op, true) || file->finished)
        return;
    sotto_error error = blob_file_size(&blobs->files, file->hash, &stored);
    if (error == SOTTO_OK && stored != file->size) {
        refuse(op, WIRE_CODE_BLOB_INCOMPLETE, stored);
        return;
    }
    if (error == SOTTO_OK) {
        error = blob_file_sync(&blobs->files, file->hash, true);
        if (error != SOTTO_OK)
            give_up_unsynced(worker, file);
    }
    if (error != SOTTO_OK) {
        refuse_disk(blobs, op, error);
        return;
    }
    tell_health(blobs, SOTTO_OK);
    (void)advance(worker, op, file->size, true);
}

static void get(struct worker *worker, struct store_op *op)
{
    struct store_blob_job *job = &op->blob;
    if (!find(worker, op, false))
        return;
    if (!job->file.finished) {
        refuse(op, WIRE_CODE_NO_BLOB, 0);
        return;
    }
    if (job->offset > job->file.size || job->length > job->file.size - job->offset) {
        refuse(op, WIRE_CODE_LIMIT, job->file.size);
        return;
    }
    uint8_t *bytes = arena_array(&op->arena, job->length, 1);
    sotto_error error = bytes == NULL ? SOTTO_NO_MEMORY
                                      : blob_file_read(&worker->blobs->files, job->file.hash,
                                                       job->offset, bytes, job->length);
    if (error == SOTTO_NOT_FOUND)
        refuse(op, WIRE_CODE_NO_BLOB, 0);
    else if (error != SOTTO_OK)
        refuse(op, WIRE_CODE_UNAVAILABLE, 5);
    else
        job->bytes = sotto_bytes_of(bytes, job->length);
}

/* The row first: a file without one is nothing, and is removed at the next start at the latest. */
static void delete (struct worker *worker, struct store_op *op)
{
    struct store_file *file = &op->blob.file;
    uint64_t detail;
    if (!find(worker, op, true))
        return;
    uint16_t code = call_row(worker, STORE_BLOB_DELETE, file, &detail);
    if (code != 0) {
        refuse(op, (enum wire_code)code, detail);
        return;
    }
    (void)blob_file_remove(&worker->blobs->files, file->hash);
    release(worker->blobs, file->size);
}

/* Its row has expired. Unless the id was used anew meanwhile. */
static void drop(struct worker *worker, struct store_op *op)
{
    uint64_t size = op->blob.file.size;
    release(worker->blobs, size);
    if (!find(worker, op, false) && op->code == WIRE_CODE_NO_BLOB)
        (void)blob_file_remove(&worker->blobs->files, op->blob.file.hash);
}

static void execute(struct worker *worker, struct store_op *op)
{
    static void (*const table[])(struct worker *, struct store_op *) = {
        [BLOB_CREATE] = create, [BLOB_PUT] = put, [BLOB_STATUS] = status,
        [BLOB_FINISH] = finish, [BLOB_GET] = get, [BLOB_DELETE] = delete,
        [BLOB_DROP] = drop,
    };
    table[op->blob.job](worker, op);
}

/* ---- Threads -------------------------------------------------------------------------------- */

static struct store_op *take(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (worker->first == NULL && !worker->closing)
        pthread_cond_wait(&worker->filled, &worker->lock);
    struct store_op *op = worker->first;
    if (op != NULL) {
        worker->first = op->next;
        if (worker->first == NULL)
            worker->last = &worker->first;
    }
    pthread_mutex_unlock(&worker->lock);
    return op;
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct store_op *op;
    while ((op = take(worker)) != NULL) {
        size_t queued = op->queued;
        op->next = NULL;
        execute(worker, op);
        store_complete(op);
        atomic_fetch_sub(&worker->blobs->queued, queued);
    }
    return NULL;
}

void blobs_submit(struct blobs *blobs, struct store_op *op)
{
    struct worker *worker = &blobs->workers[op->blob.file.hash[0] % BLOB_THREADS];
    op->next = NULL;
    op->code = 0;
    op->detail = 0;
    store_begin(blobs->store, op);
    op->queued = op->size + op->blob.length;
    bool fits = atomic_fetch_add(&blobs->queued, op->queued) < BLOB_QUEUE_BYTES || op->queued == 0;
    pthread_mutex_lock(&worker->lock);
    if (fits && !worker->closing) {
        *worker->last = op;
        worker->last = &op->next;
        pthread_cond_signal(&worker->filled);
        op = NULL;
    }
    pthread_mutex_unlock(&worker->lock);
    if (op != NULL) {
        atomic_fetch_sub(&blobs->queued, op->queued);
        refuse(op, WIRE_CODE_UNAVAILABLE, 1);
        store_complete(op);
    }
}

static sotto_error start_worker(struct blobs *blobs, struct store *store, struct worker *worker)
{
    worker->blobs = blobs;
    TRY(store_port_open(store, NULL, NULL, &worker->port));
    worker->started = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    return worker->started ? SOTTO_OK : SOTTO_NO_MEMORY;
}

static void stop_worker(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->closing = true;
    pthread_cond_signal(&worker->filled);
    pthread_mutex_unlock(&worker->lock);
    if (worker->started)
        pthread_join(worker->thread, NULL);
    store_port_close(worker->port);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->filled);
}

/* ---- All ------------------------------------------------------------------------------------ */

static sotto_error start(struct blobs *blobs, struct store *store, struct blobs_repair *repair)
{
    struct store_port *port;
    uint64_t used = 0;
    TRY(blob_files_open(&blobs->files, blobs->options.path, blobs->options.disk));
    TRY(store_port_open(store, NULL, NULL, &port));
    sotto_error error = blobs_check(blobs->env, port, &blobs->files, repair, &used);
    store_port_close(port);
    atomic_init(&blobs->used, used);
    for (size_t i = 0; i < BLOB_THREADS && error == SOTTO_OK; i++)
        error = start_worker(blobs, store, &blobs->workers[i]);
    return error;
}

sotto_error blobs_open(const sotto_env *env, struct store *store,
                       const struct blobs_options *options, struct blobs_repair *repair,
                       struct blobs **out)
{
    struct blobs *blobs = mem_alloc(env, sizeof *blobs);
    if (blobs == NULL)
        return SOTTO_NO_MEMORY;
    blobs->env = env;
    blobs->store = store;
    blobs->options = *options;
    blobs->files.root = -1;
    for (size_t i = 0; i < BLOB_THREADS; i++) {
        struct worker *worker = &blobs->workers[i];
        pthread_mutex_init(&worker->lock, NULL);
        pthread_cond_init(&worker->filled, NULL);
        worker->last = &worker->first;
    }
    sotto_error error = start(blobs, store, repair);
    if (error != SOTTO_OK) {
        blobs_close(blobs);
        return error;
    }
    *out = blobs;
    return SOTTO_OK;
}

void blobs_close(struct blobs *blobs)
{
    if (blobs == NULL)
        return;
    for (size_t i = 0; i < BLOB_THREADS; i++)
        stop_worker(&blobs->workers[i]);
    blob_files_close(&blobs->files);
    mem_free(blobs->env, blobs, sizeof *blobs);
}

/* ---- Expiry --------------------------------------------------------------------------------- */

static void drop_file(struct blobs *blobs, const struct store_file *file)
{
    struct store_op *op = store_op_new(blobs->env, STORE_BLOB_JOB);
    if (op == NULL) {
        release(blobs, file->size); /* the file goes at the next start */
        return;
    }
    op->blob.job = BLOB_DROP;
    op->blob.file = *file;
    op->size = 0; /* it holds nothing, and may not be turned away */
    blobs_submit(blobs, op);
}

uint64_t blobs_expire(struct blobs *blobs, struct store_port *port, uint64_t today,
                      uint32_t retention_days)
{
    uint64_t erased = 0;
    bool more = true;
    while (more) {
        struct store_op *op = store_op_new(blobs->env, STORE_BLOB_EXPIRE);
        if (op == NULL)
            return erased;
        op->file_list.today = today;
        op->file_list.retention_days = retention_days;
        store_call(port, op);
        more = op->code == 0 && op->file_list.more;
        for (size_t i = 0; op->code == 0 && i < op->file_list.count; i++)
            drop_file(blobs, &op->file_list.files[i]);
        erased += op->code == 0 ? op->file_list.count : 0;
        store_op_free(op);
    }
    return erased;
}
