#include "load_drive.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { READY_SECONDS = 120, DRAIN_SECONDS = 30, OPENING = 64, ACTIONS = 64 };

/* ---- Messages ------------------------------------------------------------------------------- */

static void send_next(struct channel_load *channel, uint64_t due_ns)
{
    size_t slot = channel->sent % DRIVE_RING;
    channel->due_ns[slot] = due_ns;
    channel->heard[slot] = 0;
    channel->target->outstanding++;
    channel->target->protocol->send(channel->writer, channel->sent++);
}

/* Messages are done in order, and each time one is, the window has room for another. */
static void look(struct channel_load *channel)
{
    struct target *target = channel->target;
    uint64_t now = 0;
    while (channel->done < channel->acked &&
           channel->heard[channel->done % DRIVE_RING] == channel->reader_count) {
        uint64_t due = channel->due_ns[channel->done++ % DRIVE_RING];
        target->outstanding--;
        now = now == 0 ? load_now_ns() : now;
        if (target->result != NULL)
            histogram_add(&target->result->latency, now > due ? now - due : 0);
        if (target->window > 0)
            send_next(channel, now);
    }
}

static void on_acked(struct channel_load *channel, uint64_t index)
{
    struct target *target = channel->target;
    if (index != channel->acked)
        target->loop.errors++;
    channel->acked = index + 1;
    if (target->result != NULL)
        target->result->acked++;
}

static void on_event(struct load_conn *conn, enum load_event event, uint64_t index)
{
    struct channel_load *channel = conn->ctx;
    struct target *target = channel->target;
    switch (event) {
    case LOAD_READY:
        target->waiting--;
        return;
    case LOAD_ACKED:
        on_acked(channel, index);
        break;
    case LOAD_DELIVERED:
        if (index >= channel->sent || index < channel->done)
            load_die("%s: a message came that is not under way", target->name);
        channel->heard[index % DRIVE_RING]++;
        if (target->acks_by_delivery && channel->heard[index % DRIVE_RING] == 1)
            on_acked(channel, index);
        if (target->result != NULL)
            target->result->delivered++;
        break;
    case LOAD_LOST:
        load_die("%s: a connection was lost under load", target->name);
    }
    look(channel);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static struct load_conn *open_one(struct channel_load *channel, unsigned role)
{
    struct target *target = channel->target;
    target->waiting++;
    return load_open(&target->loop, target->protocol, &target->address, role, channel->number,
                     on_event, channel);
}

static void wait_ready(struct target *target, size_t left)
{
    uint64_t deadline = load_now_ns() + READY_SECONDS * 1000000000ull;
    while (target->waiting > left) {
        load_loop_step(&target->loop, load_now_ns() + 100000000);
        if (load_now_ns() > deadline)
            load_die("%s: %zu connections are not ready after %d s", target->name, target->waiting,
                     READY_SECONDS);
    }
}

void target_open(struct target *target, size_t channels, size_t readers)
{
    load_loop_init(&target->loop);
    target->channels = load_alloc(channels, sizeof *target->channels);
    target->channel_count = channels;
    for (size_t i = 0; i < channels; i++) {
        struct channel_load *channel = &target->channels[i];
        channel->target = target;
        channel->number = target->first_channel + (uint32_t)i;
        channel->readers = load_alloc(readers, sizeof *channel->readers);
        channel->reader_count = readers;
        /* Readers first: what is written before they listen would not come to them. */
        for (size_t k = target->writer_listens ? 1 : 0; k < readers; k++) {
            channel->readers[k] = open_one(channel, LOAD_READS);
            wait_ready(target, OPENING);
        }
    }
    wait_ready(target, 0);
    for (size_t i = 0; i < channels; i++) {
        struct channel_load *channel = &target->channels[i];
        channel->writer =
            open_one(channel, target->writer_listens ? LOAD_WRITES | LOAD_READS : LOAD_WRITES);
        if (target->writer_listens)
            channel->readers[0] = channel->writer;
        wait_ready(target, OPENING);
    }
    wait_ready(target, 0);
}

void target_close(struct target *target)
{
    for (size_t i = 0; i < target->channel_count; i++) {
        struct channel_load *channel = &target->channels[i];
        for (size_t k = target->writer_listens ? 1 : 0; k < channel->reader_count; k++)
            load_close(channel->readers[k]);
        load_close(channel->writer);
        free(channel->readers);
    }
    free(target->channels);
    target->channels = NULL;
    target->channel_count = 0;
    load_loop_free(&target->loop);
}

static void on_idle_event(struct load_conn *conn, enum load_event event, uint64_t index)
{
    struct target *target = conn->ctx;
    (void)index;
    if (event != LOAD_READY)
        load_die("%s: an idle connection was lost", target->name);
    target->waiting--;
}

struct load_conn **target_open_idle(struct target *target, size_t count, size_t at_once,
                                    struct result *result)
{
    struct load_conn **list = load_alloc(count, sizeof *list);
    const struct timespec while_freeing = {0, 300000000};
    double rss = process_rss_kb(&target->process), cpu = process_cpu_us(&target->process);
    uint64_t begin = load_now_ns();
    for (size_t i = 0; i < count; i++) {
        target->waiting++;
        list[i] = load_open(&target->loop, target->protocol, &target->address, LOAD_IDLE, 0,
                            on_idle_event, target);
        wait_ready(target, at_once - 1);
    }
    wait_ready(target, 0);
    result->opened_per_s = (double)count * 1e9 / (double)(load_now_ns() - begin);
    result->cpu_us_per_open = (process_cpu_us(&target->process) - cpu) / (double)count;
    nanosleep(&while_freeing, NULL); /* what the last handshakes left is given back */
    result->rss_kb = process_rss_kb(&target->process);
    result->kb_per_conn = (result->rss_kb - rss) / (double)count;
    return list;
}

/* ---- Rounds --------------------------------------------------------------------------------- */

struct open_loop {
    double rate;
    uint64_t begin_ns, next;
};

/* When message n of all is due. */
static uint64_t due_of(const struct open_loop *open, uint64_t n)
{
    return open->begin_ns + (uint64_t)((double)n * 1e9 / open->rate);
}

/* Sends what is due. A channel whose ring is full stalls all until it has room: the time that this
 * takes counts, since messages keep the time at which they were due. */
static void send_due(struct target *target, struct open_loop *open, uint64_t now)
{
    for (unsigned i = 0; i < ACTIONS && due_of(open, open->next) <= now; i++) {
        struct channel_load *channel = &target->channels[open->next % target->channel_count];
        if (channel->sent - channel->done >= DRIVE_RING)
            return;
        send_next(channel, due_of(open, open->next));
        open->next++;
    }
}

static void fill_windows(struct target *target)
{
    for (size_t i = 0; i < target->channel_count; i++)
        for (unsigned k = 0; k < target->window; k++)
            send_next(&target->channels[i], load_now_ns());
}

static void run_until(struct target *target, struct open_loop *open, uint64_t end_ns)
{
    uint64_t now;
    while ((now = load_now_ns()) < end_ns) {
        uint64_t deadline = end_ns;
        if (open->rate > 0) {
            send_due(target, open, now);
            uint64_t due = due_of(open, open->next);
            deadline = due < end_ns ? due : end_ns;
        }
        load_loop_step(&target->loop, deadline);
    }
}

static void drain(struct target *target)
{
    uint64_t deadline = load_now_ns() + DRAIN_SECONDS * 1000000000ull;
    target->window = 0;
    while (target->outstanding > 0) {
        load_loop_step(&target->loop, load_now_ns() + 10000000);
        if (load_now_ns() > deadline)
            load_die("%s: %llu messages are not answered and delivered after %d s", target->name,
                     (unsigned long long)target->outstanding, DRAIN_SECONDS);
    }
}

void target_drive(struct target *target, struct result *result, double warm_s, double seconds)
{
    uint64_t begin = load_now_ns(), errors = target->loop.errors;
    struct open_loop open = {.rate = result->rate, .begin_ns = begin};
    target->window = result->rate > 0 ? 0 : result->window;
    fill_windows(target);
    run_until(target, &open, begin + (uint64_t)(warm_s * 1e9));
    double cpu = process_cpu_us(&target->process);
    uint64_t counted = load_now_ns();
    target->result = result;
    run_until(target, &open, counted + (uint64_t)(seconds * 1e9));
    target->result = NULL;
    result->seconds += (double)(load_now_ns() - counted) / 1e9;
    result->cpu_us += process_cpu_us(&target->process) - cpu;
    double rss = process_rss_kb(&target->process);
    result->rss_kb = isnan(result->rss_kb) || rss > result->rss_kb ? rss : result->rss_kb;
    drain(target);
    result->errors += target->loop.errors - errors;
}
