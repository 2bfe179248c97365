#include "relay/store_engine.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "codec/writer.h"

/* ---- Shared bytes --------------------------------------------------------------------------- */

/* Entry: seq, epoch, kind, append_id, and the header of bytes<V> */
enum { ENTRY_SEQ = 8, ENTRY_FIXED = 8 + 8 + 1 + REQUEST_ID_SIZE };

static struct blob *blob_new(const sotto_env *env)
{
    struct blob *blob = mem_alloc(env, sizeof *blob);
    if (blob == NULL)
        return NULL;
    atomic_init(&blob->refs, 1);
    sotto_buf_init(&blob->message, env);
    return blob;
}

sotto_error blob_of_entries(const sotto_env *env, const struct entry *entries, size_t count,
                            struct blob **blob)
{
    struct message message = {
        .type = MESSAGE_ROOM_ENTRIES,
        .request = 1, /* stands for each sender's own */
        .room_entries = {entries, count},
    };
    struct blob *made = blob_new(env);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    size_t size = WIRE_HEAD + 4;
    for (size_t i = 0; i < count; i++)
        size += ENTRY_FIXED + 4 + entries[i].bytes.size;
    sotto_error error = sotto_buf_reserve(&made->message, size);
    if (error == SOTTO_OK)
        error = message_write(&message, &made->message);
    if (error != SOTTO_OK) {
        blob_drop(made);
        return error;
    }
    *blob = made;
    return SOTTO_OK;
}

sotto_error blob_of_append(const sotto_env *env, const struct append *append, struct blob **blob)
{
    struct entry entry = {
        .epoch = append->epoch,
        .kind = append->kind,
        .append_id = append->append_id,
        .bytes = append->bytes,
    };
    uint8_t header[4];
    TRY(blob_of_entries(env, &entry, 1, blob));
    sotto_buf *message = &(*blob)->message;
    size_t size = append->bytes.size;
    (*blob)->payload = sotto_bytes_of(message->data + message->size - size, size);
    (*blob)->seq_at = message->size - size - writer_encode_length(size, header) - ENTRY_FIXED;
    return SOTTO_OK;
}

sotto_error blob_of_whisper(const sotto_env *env, sotto_bytes bytes, struct blob **blob)
{
    struct message message = {.type = MESSAGE_ROOM_WHISPERED, .request = 1, .whispered = bytes};
    struct blob *made = blob_new(env);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = message_write(&message, &made->message);
    if (error != SOTTO_OK) {
        blob_drop(made);
        return error;
    }
    *blob = made;
    return SOTTO_OK;
}

void blob_set_seq(struct blob *blob, uint64_t seq)
{
    for (unsigned i = 0; i < ENTRY_SEQ; i++)
        blob->message.data[blob->seq_at + i] = (uint8_t)(seq >> (56 - 8 * i));
}

struct blob *blob_hold(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void blob_drop(struct blob *blob)
{
    if (blob == NULL || atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) > 1)
        return;
    const sotto_env *env = blob->message.env;
    sotto_buf_free(&blob->message);
    mem_free(env, blob, sizeof *blob);
}

/* ---- Operations ----------------------------------------------------------------------------- */

struct store_op *store_op_new(const sotto_env *env, enum store_kind kind)
{
    struct store_op *op = mem_alloc(env, sizeof *op);
    if (op == NULL)
        return NULL;
    op->kind = kind;
    op->size = sizeof *op;
    arena_init(&op->arena, env);
    return op;
}

void store_op_free(struct store_op *op)
{
    if (op == NULL)
        return;
    if (op->kind == STORE_ROOM_APPEND)
        blob_drop(op->append.blob);
    if (op->kind == STORE_ROOM_FETCH)
        blob_drop(op->room_fetch.blob);
    if (op->kind == STORE_ROOM_MAY_WRITE)
        blob_drop(op->may_write.blob);
    const sotto_env *env = op->arena.env;
    arena_free(&op->arena);
    mem_free(env, op, sizeof *op);
}

sotto_error store_op_copy(struct store_op *op, sotto_bytes bytes, sotto_bytes *copy)
{
    TRY(arena_copy(&op->arena, bytes, copy));
    op->size += bytes.size;
    return SOTTO_OK;
}

sotto_error store_op_devices(struct store_op *op, const struct manifest *manifest,
                             const struct store_device **devices, size_t *count)
{
    struct store_device *list = arena_array(&op->arena, manifest->device_count, sizeof *list);
    if (list == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < manifest->device_count; i++) {
        list[i].id = manifest->devices[i].id;
        memcpy(list[i].sign_in_hash, manifest->devices[i].sign_in_hash, HASH_SIZE);
    }
    *devices = list;
    *count = manifest->device_count;
    return SOTTO_OK;
}

/* ---- Notices -------------------------------------------------------------------------------- */

struct notice_batch *notice_batch_new(const sotto_env *env, size_t capacity)
{
    struct notice_batch *batch = mem_alloc(env, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->env = env;
    batch->capacity = capacity;
    batch->notices = mem_alloc(env, capacity * sizeof *batch->notices);
    atomic_init(&batch->refs, 1);
    if (batch->notices != NULL)
        return batch;
    mem_free(env, batch, sizeof *batch);
    return NULL;
}

void notice_batch_drop(struct notice_batch *batch)
{
    if (batch == NULL || atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < batch->count; i++)
        blob_drop(batch->notices[i].blob);
    mem_free(batch->env, batch->notices, batch->capacity * sizeof *batch->notices);
    mem_free(batch->env, batch, sizeof *batch);
}

/* An operation has one as a rule; what is told to all devices of an account has more. */
struct notice *notice_batch_add(struct notice_batch *batch)
{
    if (batch->count == batch->capacity) {
        const size_t size = batch->capacity * sizeof *batch->notices;
        struct notice *more = mem_alloc(batch->env, 2 * size);
        if (more == NULL)
            return NULL;
        memcpy(more, batch->notices, size);
        mem_free(batch->env, batch->notices, size);
        batch->notices = more;
        batch->capacity *= 2;
    }
    return &batch->notices[batch->count++];
}

/* ---- Ports ---------------------------------------------------------------------------------- */

struct store_port {
    const sotto_env *env;
    struct store *store; /* NULL once it was closed */
    int fd;
    void (*notice)(void *ctx, const struct notice *notice);
    void *ctx;
    pthread_mutex_t lock;
    struct store_op *first_op, **last_op;
    struct notice_link *first_notice, **last_notice;
    bool owes_wake; /* something was put into an empty port, and fd does not tell yet */
};

/* Called with the lock held, when the port had nothing before. */
static void port_wake(struct store_port *port)
{
    const uint64_t one = 1;
    /* The counter cannot be full: it is read before the queues are emptied. */
    BUG_UNLESS(write(port->fd, &one, sizeof one) == sizeof one);
}

static bool port_is_empty(const struct store_port *port)
{
    return port->first_op == NULL && port->first_notice == NULL;
}

sotto_error store_port_open(struct store *store, void (*notice)(void *ctx, const struct notice *),
                            void *ctx, struct store_port **port)
{
    struct store_port *made = mem_alloc(store->env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = store->env;
    made->store = store;
    made->notice = notice;
    made->ctx = ctx;
    made->last_op = &made->first_op;
    made->last_notice = &made->first_notice;
    made->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made->fd < 0) {
        mem_free(store->env, made, sizeof *made);
        return SOTTO_IO;
    }
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_lock(&store->ports_lock);
    bool fits = store->port_count < STORE_PORTS;
    if (fits)
        store->ports[store->port_count++] = made;
    pthread_mutex_unlock(&store->ports_lock);
    if (!fits) {
        pthread_mutex_destroy(&made->lock);
        close(made->fd);
        mem_free(store->env, made, sizeof *made);
        return SOTTO_LIMIT;
    }
    *port = made;
    return SOTTO_OK;
}

static void forget_port(struct store *store, const struct store_port *port)
{
    pthread_mutex_lock(&store->ports_lock);
    for (size_t i = 0; i < store->port_count; i++)
        if (store->ports[i] == port)
            store->ports[i] = store->ports[--store->port_count];
    pthread_mutex_unlock(&store->ports_lock);
}

void store_port_close(struct store_port *port)
{
    if (port == NULL)
        return;
    if (port->store != NULL)
        forget_port(port->store, port); /* nothing is added from here on */
    pthread_mutex_lock(&port->lock);
    for (struct store_op *op = port->first_op, *next; op != NULL; op = next) {
        next = op->next;
        store_op_free(op);
    }
    for (struct notice_link *link = port->first_notice, *next; link != NULL; link = next) {
        next = link->next;
        notice_batch_drop(link->batch);
    }
    pthread_mutex_unlock(&port->lock);
    close(port->fd);
    pthread_mutex_destroy(&port->lock);
    mem_free(port->env, port, sizeof *port);
}

int store_port_fd(const struct store_port *port)
{
    return port->fd;
}

static void run_ops(struct store_op *op)
{
    while (op != NULL) {
        struct store_op *next = op->next;
        op->next = NULL;
        if (op->done != NULL) {
            op->done(op);
            store_op_free(op);
        } else {
            *(bool *)op->ctx = true; /* store_call */
        }
        op = next;
    }
}

static void run_notices(const struct store_port *port, struct notice_link *link)
{
    while (link != NULL) {
        struct notice_link *next = link->next;
        for (size_t i = 0; i < link->batch->count; i++)
            port->notice(port->ctx, &link->batch->notices[i]);
        notice_batch_drop(link->batch);
        link = next;
    }
}

void store_port_run(struct store_port *port)
{
    uint64_t count;
    ssize_t got = read(port->fd, &count, sizeof count);
    BUG_UNLESS(got == sizeof count || errno == EAGAIN || errno == EINTR);
    pthread_mutex_lock(&port->lock);
    struct store_op *ops = port->first_op;
    struct notice_link *notices = port->first_notice;
    port->first_op = NULL;
    port->last_op = &port->first_op;
    port->first_notice = NULL;
    port->last_notice = &port->first_notice;
    pthread_mutex_unlock(&port->lock);
    run_ops(ops);
    run_notices(port, notices);
}

/* With the lock held. The port has something new, and is woken by this or by a later call. */
static void put_op(struct store_port *port, struct store_op *op)
{
    port->owes_wake = port->owes_wake || port_is_empty(port);
    *port->last_op = op;
    port->last_op = &op->next;
}

static void put_notices(struct store_port *port, struct notice_batch *batch,
                        struct notice_link *link)
{
    atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
    link->batch = batch;
    link->next = NULL;
    port->owes_wake = port->owes_wake || port_is_empty(port);
    *port->last_notice = link;
    port->last_notice = &link->next;
}

static void wake_if_owed(struct store_port *port)
{
    if (port->owes_wake)
        port_wake(port);
    port->owes_wake = false;
}

/* ---- Counting ------------------------------------------------------------------------------- */

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static enum latency_class class_of(enum store_kind kind)
{
    if (kind == STORE_ROOM_APPEND)
        return LATENCY_APPEND;
    if (kind == STORE_BLOB_JOB)
        return LATENCY_BLOB;
    return store_kind_writes(kind) ? LATENCY_WRITE : LATENCY_READ;
}

void store_begin(struct store *store, struct store_op *op)
{
    op->figures = &store->figures;
    op->submitted_us = now_us();
    count_shared(&store->figures.waiting, 1);
}

static void count_completion(struct store_op *op)
{
    static const uint32_t ends[LATENCY_BUCKETS] = LATENCY_BUCKETS_US;
    if (op->figures == NULL)
        return;
    struct latency *latency = &op->figures->latency[class_of(op->kind)];
    uint64_t took_us = now_us() - op->submitted_us;
    size_t bucket = 0;
    while (bucket < LATENCY_BUCKETS && took_us > ends[bucket])
        bucket++;
    count_shared(&latency->buckets[bucket], 1);
    count_shared(&latency->sum_us, took_us);
    atomic_fetch_sub_explicit(&op->figures->waiting, 1, memory_order_relaxed);
    op->figures = NULL;
}

void store_complete(struct store_op *op)
{
    struct store_port *port = op->port;
    count_completion(op);
    op->next = NULL;
    if (port == NULL) {
        store_op_free(op);
        return;
    }
    pthread_mutex_lock(&port->lock);
    put_op(port, op);
    wake_if_owed(port);
    pthread_mutex_unlock(&port->lock);
}

static void put_all(struct store_op *op)
{
    for (struct store_op *next; op != NULL; op = next) {
        struct store_port *port = op->port;
        next = op->next;
        count_completion(op);
        op->next = NULL;
        if (port == NULL) {
            store_op_free(op);
            continue;
        }
        pthread_mutex_lock(&port->lock);
        put_op(port, op);
        pthread_mutex_unlock(&port->lock);
    }
}

void store_finish(struct store *store, struct store_op *ops, struct notice_batch *notices)
{
    put_all(ops);
    pthread_mutex_lock(&store->ports_lock);
    for (size_t i = 0; i < store->port_count; i++) {
        struct store_port *port = store->ports[i];
        pthread_mutex_lock(&port->lock);
        if (notices != NULL && notices->count > 0 && port->notice != NULL)
            put_notices(port, notices, &notices->links[i]);
        wake_if_owed(port);
        pthread_mutex_unlock(&port->lock);
    }
    pthread_mutex_unlock(&store->ports_lock);
    notice_batch_drop(notices);
}

void store_tell(struct store *store, const struct room_id *room, struct blob *blob,
                const void *from)
{
    struct notice_batch *batch = notice_batch_new(store->env, 1);
    if (batch == NULL)
        return;
    struct notice *notice = notice_batch_add(batch); /* there is room for one */
    notice->kind = NOTICE_WHISPER;
    notice->room = *room;
    notice->blob = blob_hold(blob);
    notice->from = from;
    store_finish(store, NULL, batch);
}

/* ---- The store ------------------------------------------------------------------------------ */

void store_base_init(struct store *store, const sotto_env *env)
{
    store->env = env;
    pthread_mutex_init(&store->ports_lock, NULL);
}

void store_base_free(struct store *store)
{
    for (size_t i = 0; i < store->port_count; i++)
        store->ports[i]->store = NULL;
    pthread_mutex_destroy(&store->ports_lock);
}

void store_submit(struct store *store, struct store_op *op)
{
    op->next = NULL;
    op->code = 0;
    op->detail = 0;
    store_begin(store, op);
    store->submit(store, op);
}

void store_call(struct store_port *port, struct store_op *op)
{
    bool completed = false;
    struct pollfd wait = {.fd = port->fd, .events = POLLIN};
    op->port = port;
    op->done = NULL;
    op->ctx = &completed;
    store_submit(port->store, op);
    while (!completed) {
        BUG_UNLESS(poll(&wait, 1, -1) >= 0 || errno == EINTR);
        store_port_run(port);
    }
    op->ctx = NULL;
}

const struct store_figures *store_figures(const struct store *store)
{
    return &store->figures;
}

uint64_t store_corrupt(struct store *store)
{
    return atomic_load(&store->corrupt);
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->close(store);
}
