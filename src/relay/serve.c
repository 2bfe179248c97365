/* Serving: everything is made here, in order, and ended in the opposite one. The main thread keeps
 * house meanwhile: signals, expiry, the figures of the log. */
#include "relay/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "relay/backup.h"
#include "relay/data.h"
#include "relay/listen.h"
#include "relay/loop.h"
#include "relay/monitor.h"
#include "relay/notices.h"
#include "relay/notify.h"
#include "relay/reload.h"
#include "relay/sandbox.h"
#include "relay/withdrawals.h"

enum {
    TOKEN_KEYS_SECONDS = 1800,
    EXPIRE_SECONDS = 3600,
    NOTICES_SECONDS = 5,
    FIRST_EXPIRE_SECONDS = 5,
    FIGURES_SECONDS = 60
};

struct serving {
    struct relay relay;
    int lock;
    struct store_port *port; /* of the main thread */
    struct monitor *monitor;
    struct loop *loops[THREADS_MAX];
    size_t loop_count;
    int manager; /* of services; -1: none */
    long cores;
    int landlock; /* its version; 0: files are not limited */
    uint64_t started_boot_s;
    uint64_t expire_ms, figures_ms, tokens_ms, notices_ms; /* when next */
    uint64_t watchdog_ms, alive_ms;                        /* watchdog_ms 0: nobody watches */
    uint64_t corrupt;                                      /* as last logged */
    struct withdrawals withdrawals;
};

/* ---- The process ---------------------------------------------------------------------------- */

/* Secrets in memory do not reach the disk, and nothing that is run from here gains rights. */
static void harden(const struct config *config)
{
    const struct rlimit none = {0, 0};
    struct rlimit files;
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is a full disk, not an end */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!config->allow_core) {
        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

static uint64_t boot_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

static uint64_t now_us(void *ctx)
{
    (void)ctx;
    return relay_now_ms() * 1000;
}

static void tell_health(const struct serving *serving, sotto_error error, const char *failing,
                        const char *good)
{
    if (error == SOTTO_OK)
        log_event(&serving->relay.log, LOG_INFO, good, NULL);
    else
        log_event(&serving->relay.log, LOG_ERROR, failing,
                  (struct log_field[]){log_text("why", sotto_error_text(error)), LOG_END});
}

static void on_health(void *ctx, sotto_error error)
{
    struct serving *serving = ctx;
    atomic_store(&serving->relay.store_health, (int)error);
    tell_health(serving, error, "cannot_store", "storing_again");
}

static void on_blob_health(void *ctx, sotto_error error)
{
    struct serving *serving = ctx;
    atomic_store(&serving->relay.blob_health, (int)error);
    tell_health(serving, error, "cannot_store_blobs", "storing_blobs_again");
}

/* ---- Two clocks ----------------------------------------------------------------------------- */

/* The wall's, and the one that ran since the start. What one of them holds for old while the other
 * does not is kept: a jump of the clock erases nothing. */
struct clocks {
    uint64_t behind, ahead;
};

static struct clocks clocks_of(const struct serving *serving)
{
    const sotto_env *env = serving->relay.env;
    uint64_t wall = env->now(env->ctx);
    uint64_t ran = serving->relay.started_s + boot_seconds() - serving->started_boot_s;
    return wall < ran ? (struct clocks){wall, ran} : (struct clocks){ran, wall};
}

/* The issuing keys as they are now; a new one if it is time. Without any, no tokens are given out
 * or taken, and all else goes on. */
static void renew_tokens(struct serving *serving)
{
    const struct relay *relay = &serving->relay;
    sotto_error error = SOTTO_NO_MEMORY;
    struct store_op *op = store_op_new(relay->env, STORE_TOKEN_KEYS);
    if (op != NULL) {
        op->token_keys.now = clocks_of(serving).behind;
        op->token_keys.days = relay->config->token_days;
        store_call(serving->port, op);
        error = op->code == 0 ? tokens_set(relay->tokens, &op->token_keys) : SOTTO_IO;
    }
    store_op_free(op);
    if (error != SOTTO_OK)
        log_event(&relay->log, LOG_ERROR, "no_token_keys",
                  (struct log_field[]){log_text("why", sotto_error_text(error)), LOG_END});
    serving->tokens_ms =
        relay_now_ms() +
        (error == SOTTO_OK ? TOKEN_KEYS_SECONDS : FIGURES_SECONDS) * UINT64_C(1000);
}

/* ---- Starting ------------------------------------------------------------------------------- */

static bool open_blobs(struct serving *serving, char *problem)
{
    struct relay *relay = &serving->relay;
    char path[PATH_MAX];
    struct blobs_repair repair = {0};
    data_path(relay->config, DATA_BLOBS, path);
    const struct blobs_options options = {
        .path = path,
        .space = relay->config->blob_space_mib * (UINT64_C(1) << 20),
        .health = on_blob_health,
        .health_ctx = serving,
    };
    sotto_error error = blobs_open(relay->env, relay->store, &options, &repair, &relay->blobs);
    if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "the files in %.300s cannot be used: %s", path,
                 sotto_error_text(error));
    if (repair.lost > 0 || repair.orphans > 0)
        log_event(&relay->log, repair.lost > 0 ? LOG_WARNING : LOG_INFO, "blobs_repaired",
                  (struct log_field[]){log_number("lost", (int64_t)repair.lost),
                                       log_number("orphans", (int64_t)repair.orphans), LOG_END});
    return error == SOTTO_OK;
}

static bool make_parts(struct serving *serving, char *problem)
{
    struct relay *relay = &serving->relay;
    uint32_t rates[RATE_KINDS];
    reload_rates(relay->config, rates);
    sotto_error error = ratelimit_new(relay->env, rates, now_us, NULL, &relay->ratelimit);
    if (error == SOTTO_OK)
        error = courier_start(relay->courier);
    if (error == SOTTO_OK)
        error = tokens_new(relay->env, &relay->tokens);
    if (error == SOTTO_OK)
        error = store_port_open(relay->store, NULL, NULL, &serving->port);
    if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "cannot start: %s", sotto_error_text(error));
    else
        renew_tokens(serving);
    return error == SOTTO_OK;
}

static bool start_loops(struct serving *serving, char *problem)
{
    const struct config *config = serving->relay.config;
    long cores = serving->cores;
    size_t count = config->threads != 0 ? config->threads : cores > 0 ? (size_t)cores : 1;
    if (count > THREADS_MAX)
        count = THREADS_MAX;
    sotto_error error = SOTTO_OK;
    while (error == SOTTO_OK && serving->loop_count < count) {
        error = loop_new(&serving->relay, &serving->loops[serving->loop_count]);
        if (error == SOTTO_OK)
            error = loop_start(serving->loops[serving->loop_count++]);
    }
    if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "cannot start: %s", sotto_error_text(error));
    return error == SOTTO_OK;
}

/* Tells people on standard output, and scripts where they asked for it. */
static bool announce(struct serving *serving, char *problem)
{
    const struct config *config = serving->relay.config;
    char path[PATH_MAX];
    sotto_buf lines;
    bool good;
    sotto_buf_init(&lines, serving->relay.env);
    data_path(config, DATA_ADDRESS, path);
    good = listen_addresses(&serving->relay, &lines, problem);
    if (good && data_write(path, sotto_buf_view(&lines)) != SOTTO_OK) {
        snprintf(problem, CONFIG_TEXT, "%.300s cannot be written", path);
        good = false;
    }
    if (good && config->ready_file[0] != '\0' &&
        data_write(config->ready_file, sotto_buf_view(&lines)) != SOTTO_OK) {
        snprintf(problem, CONFIG_TEXT, "%.300s cannot be written", config->ready_file);
        good = false;
    }
    if (good && config->ready_fd >= 0) {
        good = write(config->ready_fd, lines.data, lines.size) == (ssize_t)lines.size;
        if (good)
            close(config->ready_fd);
        else
            snprintf(problem, CONFIG_TEXT, "descriptor %d cannot be written to", config->ready_fd);
    }
    if (good) {
        printf("The address of this relay, for `sotto register --relay`:\n%.*s", (int)lines.size,
               (const char *)lines.data);
        fflush(stdout);
    }
    sotto_buf_free(&lines);
    return good;
}

/* What is open to the relay is open now: the courier's process first, which inherits nothing. */
static bool prepare(struct serving *serving, char *problem)
{
    struct relay *relay = &serving->relay;
    const struct config *config = relay->config;
    serving->cores = sysconf(_SC_NPROCESSORS_ONLN);
    serving->manager = notify_open();
    if (!reload_check_name(relay->env, config, problem) || !data_prepare(config, problem))
        return false;
    if (courier_new(relay->env, config->code_command, &relay->log, &relay->courier) != SOTTO_OK) {
        snprintf(problem, CONFIG_TEXT, "the process that runs --code-command cannot be made: %s",
                 strerror(errno));
        return false;
    }
    serving->lock = data_lock(config, problem);
    return serving->lock >= 0 && backup_finish_restore(config, problem) &&
           reload_certificate(relay, problem) && listen_open(relay, problem) &&
           monitor_open(relay, &serving->monitor, problem);
}

static void tell_incomplete(const struct serving *serving, const char *part, const char *why)
{
    log_event(&serving->relay.log, LOG_WARNING, "sandbox_incomplete",
              (struct log_field[]){log_text("part", part), log_text("why", why), LOG_END});
}

/* Before there are threads. */
static void limit_files(struct serving *serving)
{
    const char *why;
    if (geteuid() == 0)
        log_event(&serving->relay.log, LOG_WARNING, "running_as_root", NULL);
    if (!serving->relay.config->sandbox) {
        log_event(&serving->relay.log, LOG_WARNING, "sandbox_off", NULL);
        return;
    }
    serving->landlock = sandbox_files(serving->relay.config, &why);
    if (serving->landlock == 0)
        tell_incomplete(serving, "files", why);
}

/* When all threads are there. */
static void limit_calls(struct serving *serving)
{
    const char *why;
    if (!serving->relay.config->sandbox)
        return;
    if (!sandbox_calls(&why))
        tell_incomplete(serving, "system calls", why);
    else
        log_event(&serving->relay.log, LOG_INFO, "sandboxed",
                  (struct log_field[]){log_number("landlock", serving->landlock), LOG_END});
}

static bool start_monitor(struct serving *serving, char *problem)
{
    struct relay *relay = &serving->relay;
    for (size_t i = 0; i < serving->loop_count; i++)
        relay->figures[relay->figures_count++] = &serving->loops[i]->figures;
    sotto_error error = monitor_start(serving->monitor);
    if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "cannot start: %s", sotto_error_text(error));
    return error == SOTTO_OK;
}

static bool start(struct serving *serving, char *problem)
{
    struct relay *relay = &serving->relay;
    if (!prepare(serving, problem))
        return false;
    limit_files(serving);
    if (!data_store(relay->config, relay->env, on_health, serving, &relay->store, problem) ||
        !open_blobs(serving, problem) || !make_parts(serving, problem) ||
        !start_loops(serving, problem) || !start_monitor(serving, problem) ||
        !announce(serving, problem))
        return false;
    limit_calls(serving);
    return true;
}

/* ---- Keeping house -------------------------------------------------------------------------- */

static void expire(struct serving *serving)
{
    const struct relay *relay = &serving->relay;
    uint64_t erased = 0;
    bool more = true;
    while (more && !atomic_load(&relay->stopping)) {
        struct store_op *op = store_op_new(relay->env, STORE_EXPIRE);
        if (op == NULL)
            return;
        struct clocks clocks = clocks_of(serving);
        op->expire.today = clocks.behind / 86400;
        op->expire.latest = clocks.ahead / 86400;
        op->expire.now = clocks.behind;
        op->expire.retention_days = relay->config->retention_days;
        op->expire.room_days = relay->config->room_days;
        op->expire.ip_seconds = relay->config->ip_seconds;
        store_call(serving->port, op);
        more = op->code == 0 && op->expire.more;
        erased += op->code == 0 ? op->expire.erased : 0;
        if (!more)
            erased += blobs_expire(relay->blobs, serving->port, op->expire.today,
                                   relay->config->retention_days);
        store_op_free(op);
    }
    if (erased > 0)
        log_event(&relay->log, LOG_INFO, "expired",
                  (struct log_field[]){log_number("rows", (int64_t)erased), LOG_END});
}

static void deliver_notices(struct serving *serving)
{
    const struct relay *relay = &serving->relay;
    const struct clocks clocks = clocks_of(serving);
    const size_t count = notices_deliver(relay, serving->port, clocks.behind);
    if (count > 0)
        log_event(&relay->log, LOG_INFO, "notices_delivered",
                  (struct log_field[]){log_number("count", (int64_t)count), LOG_END});
}

static void leave(struct serving *serving)
{
    const struct relay *relay = &serving->relay;
    struct withdrawals_done done;
    withdrawals_go_on(&serving->withdrawals, relay->config, relay->env, serving->port,
                      clocks_of(serving).behind, relay_now_ms(), &done);
    if (done.left > 0)
        log_event(&relay->log, LOG_WARNING, "withdrawn",
                  (struct log_field[]){log_number("accounts", (int64_t)done.accounts), LOG_END});
    if (done.more)
        serving->notices_ms = 0;
}

static void log_proxy_refused(struct relay *relay)
{
    struct log_field fields[] = {
#define FIELD(name, text) \
    [PROXY_##name] =      \
        log_number(text, (int64_t)atomic_exchange(&relay->proxy_refused[PROXY_##name], 0)),
        PROXY_REFUSALS(FIELD)
#undef FIELD
            [PROXY_REFUSAL_COUNT] = LOG_END,
    };
    bool any = false;
    for (size_t i = 0; i < PROXY_REFUSAL_COUNT; i++)
        any = any || fields[i].number > 0;
    if (any)
        log_event(&relay->log, LOG_WARNING, "proxy_headers_refused", fields);
}

static void log_figures(struct serving *serving)
{
    struct relay *relay = &serving->relay;
    size_t away = atomic_exchange(&relay->turned_away, 0);
    if (away > 0)
        log_event(&relay->log, LOG_WARNING, "connections_turned_away",
                  (struct log_field[]){log_number("count", (int64_t)away), LOG_END});
    log_proxy_refused(relay);
    uint64_t corrupt = store_corrupt(relay->store);
    if (corrupt > serving->corrupt)
        log_event(&relay->log, LOG_ERROR, "damaged_rows_met",
                  (struct log_field[]){
                      log_number("operations", (int64_t)(corrupt - serving->corrupt)), LOG_END});
    serving->corrupt = corrupt;
    log_event(&relay->log, LOG_DEBUG, "figures",
              (struct log_field[]){
                  log_number("connections", (int64_t)atomic_load(&relay->connections)), LOG_END});
}

/* Alive is who still goes round: this thread, and each loop. */
static void tell_watchdog(struct serving *serving, uint64_t now_ms)
{
    bool alive = true;
    for (size_t i = 0; i < serving->loop_count; i++)
        alive = alive && now_ms - loop_alive_ms(serving->loops[i]) < serving->watchdog_ms;
    if (alive)
        notify(serving->manager, "WATCHDOG=1");
    serving->alive_ms = now_ms;
}

static void keep_house(struct serving *serving)
{
    uint64_t now_ms = relay_now_ms();
    if (serving->watchdog_ms > 0 && now_ms - serving->alive_ms >= serving->watchdog_ms / 3)
        tell_watchdog(serving, now_ms);
    if (now_ms >= serving->expire_ms) {
        serving->expire_ms = now_ms + EXPIRE_SECONDS * 1000;
        expire(serving);
    }
    if (now_ms >= serving->tokens_ms)
        renew_tokens(serving);
    if (now_ms >= serving->notices_ms) {
        serving->notices_ms = now_ms + NOTICES_SECONDS * 1000;
        deliver_notices(serving);
        leave(serving);
    }
    if (now_ms >= serving->figures_ms) {
        serving->figures_ms = now_ms + FIGURES_SECONDS * 1000;
        log_figures(serving);
    }
}

static void read_again(struct serving *serving)
{
    notify_reloading(serving->manager);
    reload(&serving->relay);
    notify(serving->manager, "READY=1");
}

static void run(struct serving *serving, const sigset_t *signals)
{
    const struct timespec second = {1, 0};
    const struct relay *relay = &serving->relay;
    log_event(&relay->log, LOG_INFO, "serving",
              (struct log_field[]){log_number("threads", (int64_t)serving->loop_count), LOG_END});
    serving->expire_ms = relay_now_ms() + FIRST_EXPIRE_SECONDS * 1000;
    notify(serving->manager, "READY=1");
    for (int signal_number; (signal_number = sigtimedwait(signals, NULL, &second)) != SIGTERM &&
                            signal_number != SIGINT;) {
        if (signal_number == SIGHUP)
            read_again(serving);
        keep_house(serving);
    }
    notify(serving->manager, "STOPPING=1");
    log_event(&relay->log, LOG_INFO, "stopping", NULL);
}

/* ---- Ending --------------------------------------------------------------------------------- */

static void finish(struct serving *serving)
{
    struct relay *relay = &serving->relay;
    atomic_store(&relay->stopping, true);
    for (size_t i = 0; i < serving->loop_count; i++)
        loop_wake(serving->loops[i]);
    for (size_t i = 0; i < serving->loop_count; i++)
        loop_join(serving->loops[i]);
    monitor_free(serving->monitor);
    blobs_close(relay->blobs);
    store_close(relay->store);
    for (size_t i = 0; i < THREADS_MAX; i++)
        loop_free(serving->loops[i]);
    store_port_close(serving->port);
    listen_close(relay);
    courier_free(relay->courier);
    tokens_free(relay->tokens);
    ratelimit_free(relay->ratelimit);
    tls_free(relay->tls);
    pthread_mutex_destroy(&relay->tls_lock);
    reload_end(relay);
    if (serving->manager >= 0)
        close(serving->manager);
    if (serving->lock >= 0)
        close(serving->lock);
}

int serve(const struct config *config)
{
    char problem[CONFIG_TEXT] = "";
    sigset_t signals;
    const sotto_env *env = sotto_env_system();
    struct serving *serving = mem_alloc(env, sizeof *serving);
    if (serving == NULL)
        return 1;
    harden(config);
    block_signals(&signals);
    serving->lock = serving->manager = -1;
    serving->relay.env = env;
    serving->relay.config = config;
    serving->relay.log = log_to(STDERR_FILENO, config->log_level, config->log_format);
    pthread_mutex_init(&serving->relay.tls_lock, NULL);
    serving->watchdog_ms = notify_watchdog_ms();
    serving->relay.started_s = env->now(env->ctx);
    serving->started_boot_s = boot_seconds();
    bool started = start(serving, problem);
    if (started)
        run(serving, &signals);
    finish(serving);
    if (started)
        log_event(&serving->relay.log, LOG_INFO, "stopped", NULL);
    else
        fprintf(stderr, "sottod: %s.\n", problem);
    mem_free(env, serving, sizeof *serving);
    return started ? 0 : 1;
}
