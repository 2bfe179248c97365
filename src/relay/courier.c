#include "relay/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct letter {
    char phone[WIRE_PHONE_MAX + 1];
    char code[CODE_DIGITS + 1];
};

struct courier {
    const sotto_env *env;
    const char *command;
    const struct log *log;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct letter letters[COURIER_QUEUE];
    size_t first, count;
    bool closing;
};

/* ---- Running the command -------------------------------------------------------------------- */

/* The child reads from the pipe, and has none of the relay's signals blocked. */
static int spawn(const char *command, int input, pid_t *child)
{
    char shell[] = "/bin/sh", option[] = "-c";
    char *const arguments[] = {shell, option, (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); /* which the relay ignores */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setpgroup(&attributes, 0); /* so that all of it can be ended */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int code = posix_spawn(child, shell, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static bool is_closing(struct courier *courier)
{
    pthread_mutex_lock(&courier->lock);
    bool closing = courier->closing;
    pthread_mutex_unlock(&courier->lock);
    return closing;
}

/* Its exit status, or -1 if it had to be ended. */
static int wait_for(struct courier *courier, pid_t child)
{
    const struct timespec pause = {0, 50 * 1000 * 1000};
    for (int tries = 0; tries < COURIER_SECONDS * 20 && !is_closing(courier); tries++) {
        int status;
        pid_t got = waitpid(child, &status, WNOHANG);
        if (got == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        nanosleep(&pause, NULL);
    }
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static void run_command(struct courier *courier, const struct letter *letter)
{
    int ends[2];
    pid_t child;
    char text[sizeof *letter + 2];
    int size = snprintf(text, sizeof text, "%s\n%s\n", letter->phone, letter->code);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        log_event(courier->log, LOG_ERROR, "code_command_failed", NULL);
        return;
    }
    int code = spawn(courier->command, ends[0], &child);
    close(ends[0]);
    /* Far smaller than a pipe, so it never blocks; the program ignores SIGPIPE. */
    bool written = code == 0 && write(ends[1], text, (size_t)size) == size;
    close(ends[1]);
    int status = code == 0 ? wait_for(courier, child) : -1;
    if (status != 0 || !written)
        log_event(courier->log, LOG_ERROR, "code_command_failed",
                  (struct log_field[]){log_number("status", status), LOG_END});
    wipe(text, sizeof text);
}

static void deliver(struct courier *courier, const struct letter *letter)
{
    if (courier->command[0] == '\0')
        log_code(courier->log, letter->code, letter->phone);
    else
        run_command(courier, letter);
}

static void *courier_main(void *arg)
{
    struct courier *courier = arg;
    pthread_mutex_lock(&courier->lock);
    while (!courier->closing) {
        if (courier->count == 0) {
            pthread_cond_wait(&courier->filled, &courier->lock);
            continue;
        }
        struct letter letter = courier->letters[courier->first];
        wipe(&courier->letters[courier->first], sizeof letter);
        courier->first = (courier->first + 1) % COURIER_QUEUE;
        courier->count--;
        pthread_mutex_unlock(&courier->lock);
        deliver(courier, &letter);
        wipe(&letter, sizeof letter);
        pthread_mutex_lock(&courier->lock);
    }
    pthread_mutex_unlock(&courier->lock);
    return NULL;
}

/* ---- The courier ---------------------------------------------------------------------------- */

sotto_error courier_new(const sotto_env *env, const char *command, const struct log *log,
                        struct courier **courier)
{
    struct courier *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->env = env;
    made->command = command;
    made->log = log;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->filled, NULL);
    if (pthread_create(&made->thread, NULL, courier_main, made) != 0) {
        mem_free(env, made, sizeof *made);
        return SOTTO_NO_MEMORY;
    }
    *courier = made;
    return SOTTO_OK;
}

void courier_free(struct courier *courier)
{
    if (courier == NULL)
        return;
    pthread_mutex_lock(&courier->lock);
    courier->closing = true;
    pthread_cond_signal(&courier->filled);
    pthread_mutex_unlock(&courier->lock);
    pthread_join(courier->thread, NULL);
    pthread_mutex_destroy(&courier->lock);
    pthread_cond_destroy(&courier->filled);
    mem_free(courier->env, courier, sizeof *courier);
}

bool courier_send(struct courier *courier, sotto_bytes phone, const char *code)
{
    pthread_mutex_lock(&courier->lock);
    bool fits = courier->count < COURIER_QUEUE && phone.size <= WIRE_PHONE_MAX;
    if (fits) {
        size_t at = (courier->first + courier->count++) % COURIER_QUEUE;
        struct letter *letter = &courier->letters[at];
        memcpy(letter->phone, phone.data, phone.size);
        letter->phone[phone.size] = '\0';
        snprintf(letter->code, sizeof letter->code, "%s", code);
        pthread_cond_signal(&courier->filled);
    }
    pthread_mutex_unlock(&courier->lock);
    return fits;
}
