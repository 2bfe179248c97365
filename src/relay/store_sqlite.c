#include "relay/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "relay/store_sql.h"

/* 8 MiB of log before it is moved into the database, while all wait. Fewer and larger moves cost no
 * less: most pages are written once, since the indexes wait in the tail. */
#define CHECKPOINT_PAGES 1024
#define BUSY_MS 5000
#define TRUNCATE_MS 100
#define GATHER_NS 1000000

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct store_op *first, **last;
    size_t count, bytes;
    size_t wanted; /* whoever waits is woken by the first and by this one; 0: by each */
    bool closing;
};

struct engine;

struct reader_thread {
    struct engine *engine;
    struct db db;
    pthread_t thread;
    bool started;
};

struct engine {
    struct store base; /* first: a struct store is cast to this */
    struct store_sqlite_options options;
    struct queue writes, reads;
    struct db db; /* the writer's */
    struct tail tail;
    pthread_t writer;
    bool writer_started;
    sotto_error health;
    bool log_owed; /* the writer's: the log may hold rows of people that were erased */
    struct reader_thread readers[THREADS_MAX];
};

/* ---- Queues --------------------------------------------------------------------------------- */

static void queue_init(struct queue *queue)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    queue->last = &queue->first;
}

static void queue_destroy(struct queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
    pthread_cond_destroy(&queue->filled);
}

static bool queue_put(struct queue *queue, struct store_op *op)
{
    pthread_mutex_lock(&queue->lock);
    bool fits = !queue->closing && queue->count < STORE_QUEUE_OPERATIONS &&
                queue->bytes + op->size <= STORE_QUEUE_BYTES;
    if (fits) {
        op->queued = op->size;
        *queue->last = op;
        queue->last = &op->next;
        queue->count++;
        queue->bytes += op->queued;
        if (queue->wanted == 0 || queue->count == 1 || queue->count == queue->wanted)
            pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return fits;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Waits for a first operation, and then a little for so many: a commit costs the same for one and
 * for a hundred. */
static void queue_gather(struct queue *queue, size_t wanted, uint64_t patience_ns)
{
    pthread_mutex_lock(&queue->lock);
    queue->wanted = wanted;
    while (queue->first == NULL && !queue->closing)
        pthread_cond_wait(&queue->filled, &queue->lock);
    uint64_t end = now_ns() + patience_ns;
    const struct timespec deadline = {(time_t)(end / 1000000000), (long)(end % 1000000000)};
    while (queue->count < wanted && !queue->closing &&
           pthread_cond_timedwait(&queue->filled, &queue->lock, &deadline) == 0) {
    }
    pthread_mutex_unlock(&queue->lock);
}

/* Waits for operations and takes up to max of them, or max_bytes and one more. What expires entries
 * is taken alone, since it changes rows under the tail. NULL: the queue is closing and empty. */
static struct store_op *queue_take(struct queue *queue, size_t max, size_t max_bytes, size_t *taken)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->first == NULL && !queue->closing)
        pthread_cond_wait(&queue->filled, &queue->lock);
    struct store_op *first = queue->first, *op = first, **end = &queue->first;
    size_t count = 0, bytes = 0;
    while (op != NULL && count < max && bytes <= max_bytes &&
           (count == 0 || (op->kind != STORE_EXPIRE && first->kind != STORE_EXPIRE))) {
        bytes += op->queued;
        count++;
        end = &op->next;
        op = op->next;
    }
    *end = NULL;
    queue->first = op;
    if (op == NULL)
        queue->last = &queue->first;
    queue->count -= count;
    queue->bytes -= bytes;
    pthread_mutex_unlock(&queue->lock);
    *taken = count;
    return first;
}

static void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- Executing ------------------------------------------------------------------------------ */

static void execute(struct exec *exec, struct store_op *op)
{
    static void (*const table[STORE_KINDS])(struct exec *, struct store_op *) = {
        [STORE_ROOM_CREATE] = rooms_create,
        [STORE_ROOM_APPEND] = rooms_append,
        [STORE_REGISTER] = registration_register,
        [STORE_PUT_MANIFEST] = accounts_put_manifest,
        [STORE_PUBLISH] = keys_publish,
        [STORE_TAKE_KEY_PACKAGE] = keys_take,
        [STORE_POST_ENVELOPE] = inbox_post,
        [STORE_NOTICE] = inbox_post_all,
        [STORE_INBOX_ACK] = inbox_ack,
        [STORE_GRANT] = grants_grant,
        [STORE_REVOKE] = grants_revoke,
        [STORE_DELETE_ACCOUNT] = accounts_delete,
        [STORE_SEEN] = accounts_seen,
        [STORE_INVITE] = registration_invite,
        [STORE_EXPIRE] = expiry_expire,
        [STORE_BLOB_CREATE] = files_create,
        [STORE_BLOB_ADVANCE] = files_advance,
        [STORE_BLOB_DELETE] = files_delete,
        [STORE_BLOB_EXPIRE] = files_expire,
        [STORE_TOKEN_KEYS] = tokens_keys,
        [STORE_ISSUE_TOKENS] = tokens_issue_charge,
        [STORE_ROOM_EXTEND] = rooms_extend,
        [STORE_SET_USERNAME] = labels_set_username,
        [STORE_SET_FINDABLE] = labels_set_findable,
        [STORE_FIND] = labels_find,
        [STORE_WITHDRAWAL] = withdrawals_step,
        [STORE_GET_LABELS] = labels_get,
        [STORE_ROOM_OPEN] = rooms_open,
        [STORE_ROOM_FETCH] = rooms_fetch,
        [STORE_ROOM_MAY_WRITE] = rooms_may_write,
        [STORE_INBOX_FETCH] = inbox_fetch,
        [STORE_SIGN_IN] = accounts_sign_in,
        [STORE_GET_MANIFEST] = accounts_get_manifest,
        [STORE_COUNT_KEY_PACKAGES] = keys_count,
        [STORE_STATUS] = expiry_status,
        [STORE_BLOB_FIND] = files_find,
        [STORE_BLOB_LIST] = files_list,
    };
    table[op->kind](exec, op);
}

static struct exec exec_of(struct engine *engine, struct db *db)
{
    uint64_t now = engine->base.env->now(engine->base.env->ctx);
    return (struct exec){
        .db = db, .tail = &engine->tail, .env = engine->base.env, .now = now, .day = now / 86400};
}

/* The transaction is over, whatever happened; the connection is usable again. */
static void roll_back(struct db *db)
{
    db->failure = SQLITE_OK;
    if (!sqlite3_get_autocommit(db->handle))
        db_exec(db, "ROLLBACK");
    db->failure = SQLITE_OK;
}

/* ---- The writer ----------------------------------------------------------------------------- */

static void tell_health(struct engine *engine, sotto_error error)
{
    if (error != engine->health && engine->options.health != NULL)
        engine->options.health(engine->options.health_ctx, error);
    engine->health = error;
}

/* Rows of people were erased: the log must not keep copies. A reader in the midst of an old
 * snapshot delays it to the next time. */
static void truncate_log(struct engine *engine)
{
    sqlite3_busy_timeout(engine->db.handle, TRUNCATE_MS);
    engine->log_owed =
        sqlite3_wal_checkpoint_v2(engine->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL) != SQLITE_OK;
    sqlite3_busy_timeout(engine->db.handle, BUSY_MS);
}

/* One transaction. The code of the failure, upon which nothing of it happened, or SQLITE_OK. */
static int commit_batch(struct engine *engine, struct exec *exec, struct store_op *batch,
                        size_t count)
{
    struct db *db = &engine->db;
    struct tail *tail = &engine->tail;
    tail_load(tail, db);
    db_exec(db, "BEGIN IMMEDIATE");
    for (struct store_op *op = batch; op != NULL && db->failure == SQLITE_OK; op = op->next)
        execute(exec, op);
    if (tail->count > TAIL_ENTRIES)
        tail_index(tail, db, 2 * count);
    tail_write(tail, db);
    db_exec(db, "COMMIT");
    int failure = db->failure;
    if (failure != SQLITE_OK) {
        roll_back(db);
        tail_forget(tail);
        tail_load(tail, db);
        db->failure = SQLITE_OK; /* then the next batch tries it again */
    } else {
        tail_committed(tail);
    }
    return failure;
}

static void refuse_all(struct store_op *op)
{
    for (; op != NULL; op = op->next)
        refuse(op, WIRE_CODE_UNAVAILABLE, 5);
}

/* A row that is not what was put there: the disk changed it, or a program of somebody else's. */
static bool is_corrupt(int failure)
{
    return (failure & 0xff) == SQLITE_CORRUPT;
}

/* False: nothing happened, and a damaged row is why. The operations can be executed again. */
static bool run_together(struct engine *engine, struct store_op *batch, size_t count)
{
    struct exec exec = exec_of(engine, &engine->db);
    exec.log_owed = engine->log_owed;
    exec.notices = notice_batch_new(engine->base.env, count);
    int failure = exec.notices != NULL ? commit_batch(engine, &exec, batch, count) : SQLITE_NOMEM;
    if (failure != SQLITE_OK) {
        notice_batch_drop(exec.notices);
        exec.notices = NULL;
    }
    if (is_corrupt(failure))
        return false;
    tell_health(engine, db_error_of(failure));
    if (failure != SQLITE_OK)
        refuse_all(batch);
    store_finish(&engine->base, batch, exec.notices);
    if (failure == SQLITE_OK && exec.erased)
        truncate_log(engine);
    return true;
}

/* Damage stops only the operation that meets it: the others are tried one by one. */
static void run_batch(struct engine *engine, struct store_op *batch, size_t count)
{
    if (run_together(engine, batch, count))
        return;
    for (struct store_op *op = batch, *next; op != NULL; op = next) {
        next = op->next;
        op->next = NULL;
        op->code = 0;
        op->detail = 0;
        if (!run_together(engine, op, 1)) {
            atomic_fetch_add(&engine->base.corrupt, 1);
            refuse_all(op);
            store_finish(&engine->base, op, NULL);
        }
    }
}

/* How many operations the last commit held is how many may come again: whoever waits for an answer
 * before it writes on comes back about now. The wait is at most a quarter of what a commit takes.
 */
static void *writer_main(void *arg)
{
    struct engine *engine = arg;
    struct store_op *batch;
    size_t count = 1;
    uint64_t took_ns = 0;
    for (;;) {
        uint64_t patience_ns = took_ns / 4 < GATHER_NS ? took_ns / 4 : GATHER_NS;
        queue_gather(&engine->writes, count, patience_ns);
        batch = queue_take(&engine->writes, STORE_BATCH_OPERATIONS, STORE_BATCH_BYTES, &count);
        if (batch == NULL)
            return NULL;
        uint64_t begin = now_ns();
        run_batch(engine, batch, count);
        took_ns = now_ns() - begin;
    }
}

/* ---- The readers ---------------------------------------------------------------------------- */

static void *reader_main(void *arg)
{
    struct reader_thread *reader = arg;
    struct engine *engine = reader->engine;
    struct store_op *op;
    size_t count;
    while ((op = queue_take(&engine->reads, 1, 0, &count)) != NULL) {
        struct exec exec = exec_of(engine, &reader->db);
        db_exec(&reader->db, "BEGIN"); /* one snapshot for all that the operation looks at */
        execute(&exec, op);
        db_exec(&reader->db, "COMMIT");
        if (is_corrupt(reader->db.failure))
            atomic_fetch_add(&engine->base.corrupt, 1);
        if (reader->db.failure != SQLITE_OK) {
            refuse(op, WIRE_CODE_UNAVAILABLE, 5);
            roll_back(&reader->db);
        }
        store_complete(op);
    }
    return NULL;
}

/* ---- Opening and closing -------------------------------------------------------------------- */

static void engine_submit(struct store *store, struct store_op *op)
{
    struct engine *engine = (struct engine *)store;
    struct queue *queue = store_kind_writes(op->kind) ? &engine->writes : &engine->reads;
    if (!queue_put(queue, op)) {
        refuse(op, WIRE_CODE_UNAVAILABLE, 1);
        store_complete(op);
    }
}

static void engine_close(struct store *store)
{
    struct engine *engine = (struct engine *)store;
    queue_close(&engine->reads);
    queue_close(&engine->writes);
    for (size_t i = 0; i < THREADS_MAX; i++) {
        if (engine->readers[i].started)
            pthread_join(engine->readers[i].thread, NULL);
        db_close(&engine->readers[i].db);
    }
    if (engine->writer_started)
        pthread_join(engine->writer, NULL);
    db_close(&engine->db);
    queue_destroy(&engine->reads);
    queue_destroy(&engine->writes);
    tail_free(&engine->tail);
    store_base_free(store);
    mem_free(store->env, engine, sizeof *engine);
}

/* Made by us and not by SQLite, so that it is never readable by others, whatever the umask is. */
static sotto_error make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? SOTTO_FULL : SOTTO_IO;
    close(fd);
    return SOTTO_OK;
}

static void set_up_writer(struct db *db)
{
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    db_exec(db, "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA cache_size=-32768;"
                "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY");
    if (db->failure == SQLITE_OK)
        sqlite3_wal_autocheckpoint(db->handle, CHECKPOINT_PAGES);
}

static sotto_error open_writer(struct engine *engine, const char **why)
{
    struct db *db = &engine->db;
    engine->log_owed = true; /* whoever wrote it may have died before emptying it */
    TRY(make_file(engine->options.path));
    int code = db_open(db, engine->options.path, SQLITE_OPEN_READWRITE, engine->options.vfs);
    if (code != SQLITE_OK) {
        *why = sqlite3_errstr(code);
        return db_error_of(code);
    }
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    sotto_error error = schema_apply(db);
    set_up_writer(db);
    tail_load(&engine->tail, db);
    if (error == SOTTO_OK)
        error = db_error_of(db->failure);
    if (db->failure != SQLITE_OK)
        *why = sqlite3_errstr(db->failure);
    return error;
}

static sotto_error open_reader(struct engine *engine, struct reader_thread *reader,
                               const char **why)
{
    reader->engine = engine;
    int code =
        db_open(&reader->db, engine->options.path, SQLITE_OPEN_READWRITE, engine->options.vfs);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(reader->db.handle, BUSY_MS);
        db_exec(&reader->db, "PRAGMA query_only=ON; PRAGMA cache_size=-8192;"
                             "PRAGMA temp_store=MEMORY");
        code = reader->db.failure;
    }
    if (code != SQLITE_OK) {
        *why = sqlite3_errstr(code);
        return db_error_of(code);
    }
    return SOTTO_OK;
}

static sotto_error start_threads(struct engine *engine)
{
    for (size_t i = 0; i < engine->options.readers; i++) {
        struct reader_thread *reader = &engine->readers[i];
        reader->started = pthread_create(&reader->thread, NULL, reader_main, reader) == 0;
        if (!reader->started)
            return SOTTO_NO_MEMORY;
    }
    engine->writer_started = pthread_create(&engine->writer, NULL, writer_main, engine) == 0;
    return engine->writer_started ? SOTTO_OK : SOTTO_NO_MEMORY;
}

sotto_error store_sqlite_open(const sotto_env *env, const struct store_sqlite_options *options,
                              struct store **store, const char **why)
{
    *why = "";
    BUG_UNLESS(options->readers >= 1 && options->readers <= THREADS_MAX);
    struct engine *engine = mem_alloc(env, sizeof *engine);
    if (engine == NULL)
        return SOTTO_NO_MEMORY;
    store_base_init(&engine->base, env);
    engine->base.submit = engine_submit;
    engine->base.close = engine_close;
    engine->options = *options;
    queue_init(&engine->writes);
    queue_init(&engine->reads);
    tail_init(&engine->tail, env);
    sotto_error error = open_writer(engine, why);
    for (size_t i = 0; i < options->readers && error == SOTTO_OK; i++)
        error = open_reader(engine, &engine->readers[i], why);
    if (error == SOTTO_OK)
        error = start_threads(engine);
    if (error != SOTTO_OK) {
        engine_close(&engine->base);
        return error;
    }
    *store = &engine->base;
    return SOTTO_OK;
}
