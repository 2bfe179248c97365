#include "relay/monitor.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/backup.h"
#include "relay/data.h"

__attribute__((format(printf, 2, 3))) static void add(sotto_buf *out, const char *format, ...)
{
    char text[512];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    __builtin_va_end(arguments);
    BUG_UNLESS(size >= 0 && (size_t)size < sizeof text);
    sotto_error ignored = sotto_buf_append(out, (const uint8_t *)text, (size_t)size);
    (void)ignored; /* no memory: the answer is cut, and Content-Length says less */
}

/* ---- Health --------------------------------------------------------------------------------- */

void monitor_look(struct relay *relay, struct monitor_health *health)
{
    *health = (struct monitor_health){0};
    sotto_error store = (sotto_error)atomic_load(&relay->store_health);
    sotto_error blobs = (sotto_error)atomic_load(&relay->blob_health);
    if (atomic_load(&relay->stopping))
        health->reasons[health->count++] = "stopping";
    if (store != SOTTO_OK)
        health->reasons[health->count++] =
            store == SOTTO_FULL ? "cannot store: no space left" : "cannot store";
    if (blobs != SOTTO_OK)
        health->reasons[health->count++] =
            blobs == SOTTO_FULL ? "cannot store files: no space left" : "cannot store files";
    if (store_corrupt(relay->store) > 0)
        health->reasons[health->count++] = "damaged rows were met: run sottod check";
}

static uint64_t file_size(struct relay *relay, const char *ending)
{
    char path[PATH_MAX];
    struct stat file;
    data_path(relay->config, DATA_STORE, path);
    size_t size = strlen(path);
    (void)snprintf(path + size, sizeof path - size, "%s", ending);
    return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

/* ---- Metrics -------------------------------------------------------------------------------- */

static void head(sotto_buf *out, const char *name, const char *type, const char *help)
{
    add(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(sotto_buf *out, const char *name, const char *type, const char *help,
                uint64_t value)
{
    head(out, name, type, help);
    add(out, "%s %" PRIu64 "\n", name, value);
}

static uint64_t sum_of(const struct relay *relay, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < relay->figures_count; i++) {
        const char *figures = (const char *)relay->figures[i];
        sum += counted((const counter *)(const void *)(figures + offset));
    }
    return sum;
}

#define SUM(relay, member) sum_of(relay, offsetof(struct loop_figures, member))

static void add_traffic(const struct relay *relay, sotto_buf *out)
{
    one(out, "sottod_connections", "gauge", "Connections that are open.",
        atomic_load(&relay->connections));
    one(out, "sottod_connections_limit", "gauge", "Connections that may be open.",
        relay->config->max_connections);
    one(out, "sottod_connections_accepted_total", "counter", "Connections accepted.",
        SUM(relay, accepted));
    one(out, "sottod_connections_turned_away_total", "counter",
        "Connections refused by max-connections or a rate.", SUM(relay, turned_away));
    one(out, "sottod_messages_received_total", "counter", "Messages from clients.",
        SUM(relay, messages_in));
    one(out, "sottod_messages_sent_total", "counter", "Messages to clients.",
        SUM(relay, messages_out));
    one(out, "sottod_message_bytes_received_total", "counter",
        "Bytes of messages from clients, without TLS and WebSocket.", SUM(relay, bytes_in));
    one(out, "sottod_message_bytes_sent_total", "counter",
        "Bytes of messages to clients, without TLS and WebSocket.", SUM(relay, bytes_out));
}

static void add_proxy_refused(const struct relay *relay, sotto_buf *out)
{
    static const char *const reasons[] = {
#define REASON(name, text) text,
        PROXY_REFUSALS(REASON)
#undef REASON
    };
    head(out, "sottod_proxy_headers_refused_total", "counter",
         "Connections of trusted proxies that were cut for want of a PROXY header.");
    for (size_t i = 0; i < PROXY_REFUSAL_COUNT; i++)
        add(out, "sottod_proxy_headers_refused_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i],
            sum_of(relay, offsetof(struct loop_figures, proxy_refused) + i * sizeof(counter)));
}

static void add_refused(const struct relay *relay, sotto_buf *out)
{
    static const struct {
        uint16_t code;
        const char *name;
    } codes[] = {
#define CODE(name, number, text, meaning) {number, text},
        WIRE_CODES(CODE)
#undef CODE
    };
    head(out, "sottod_requests_refused_total", "counter", "Requests that were answered by a code.");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        BUG_UNLESS(codes[i].code < FIGURE_CODES);
        add(out, "sottod_requests_refused_total{code=\"%s\"} %" PRIu64 "\n", codes[i].name,
            sum_of(relay,
                   offsetof(struct loop_figures, refused) + codes[i].code * sizeof(counter)));
    }
}

static void add_latency(sotto_buf *out, const struct latency *latency, const char *name)
{
    static const uint32_t ends[LATENCY_BUCKETS] = LATENCY_BUCKETS_US;
    static const char metric[] = "sottod_store_operation_seconds";
    uint64_t total = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        total += counted(&latency->buckets[i]);
        add(out, "%s_bucket{kind=\"%s\",le=\"%g\"} %" PRIu64 "\n", metric, name,
            (double)ends[i] / 1e6, total);
    }
    total += counted(&latency->buckets[LATENCY_BUCKETS]);
    add(out, "%s_bucket{kind=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", metric, name, total);
    add(out, "%s_sum{kind=\"%s\"} %.6f\n", metric, name, (double)counted(&latency->sum_us) / 1e6);
    add(out, "%s_count{kind=\"%s\"} %" PRIu64 "\n", metric, name, total);
}

static void add_store(struct relay *relay, sotto_buf *out)
{
    static const char *const names[LATENCY_CLASSES] = {
        [LATENCY_APPEND] = "append",
        [LATENCY_WRITE] = "write",
        [LATENCY_READ] = "read",
        [LATENCY_BLOB] = "blob",
    };
    const struct store_figures *figures = store_figures(relay->store);
    head(out, "sottod_store_operation_seconds", "histogram",
         "From a request to the store until it is durable or read.");
    for (size_t i = 0; i < LATENCY_CLASSES; i++)
        add_latency(out, &figures->latency[i], names[i]);
    one(out, "sottod_store_operations_waiting", "gauge",
        "Operations that the store has not completed.", counted(&figures->waiting));
    one(out, "sottod_store_healthy", "gauge", "1 while the store can write.",
        atomic_load(&relay->store_health) == SOTTO_OK);
    one(out, "sottod_store_damaged_rows_total", "counter",
        "Operations that met a row which is not what was written.", store_corrupt(relay->store));
    one(out, "sottod_store_database_bytes", "gauge", "Size of relay.db.", file_size(relay, ""));
    one(out, "sottod_store_log_bytes", "gauge", "Size of relay.db-wal.", file_size(relay, "-wal"));
}

void monitor_metrics(struct relay *relay, sotto_buf *out)
{
    struct monitor_health health;
    monitor_look(relay, &health);
    head(out, "sottod_build_info", "gauge", "The version that runs.");
    add(out, "sottod_build_info{version=\"%s\"} 1\n", SOTTOD_VERSION);
    one(out, "sottod_start_time_seconds", "gauge", "When it was started, since 1970.",
        relay->started_s);
    one(out, "sottod_healthy", "gauge", "1 while /health says 200.", health.count == 0);
    add_traffic(relay, out);
    add_proxy_refused(relay, out);
    add_refused(relay, out);
    add_store(relay, out);
    one(out, "sottod_blobs_healthy", "gauge", "1 while files can be stored.",
        atomic_load(&relay->blob_health) == SOTTO_OK);
    one(out, "sottod_blobs_bytes", "gauge", "Bytes of files, taken or promised.",
        blobs_used(relay->blobs));
    one(out, "sottod_blobs_limit_bytes", "gauge", "Bytes that files may take: blob-space.",
        (uint64_t)relay->config->blob_space_mib << 20);
    one(out, "sottod_last_backup_time_seconds", "gauge",
        "When `sottod backup` was last done, since 1970; 0: never.", backup_last(relay->config));
}

/* ---- Status --------------------------------------------------------------------------------- */

void monitor_status(struct relay *relay, sotto_buf *out)
{
    struct monitor_health health;
    monitor_look(relay, &health);
    add(out, "version %s\n", SOTTOD_VERSION);
    add(out, "started %" PRIu64 "\n", relay->started_s);
    add(out, "connections %zu\n", atomic_load(&relay->connections));
    add(out, "max_connections %" PRIu32 "\n", relay->config->max_connections);
    add(out, "threads %zu\n", relay->figures_count);
    add(out, "blob_bytes %" PRIu64 "\n", blobs_used(relay->blobs));
    add(out, "blob_limit_bytes %" PRIu64 "\n", (uint64_t)relay->config->blob_space_mib << 20);
    for (size_t i = 0; i < health.count; i++)
        add(out, "problem %s\n", health.reasons[i]);
}
