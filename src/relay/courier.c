#include "relay/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
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
    int helper_fd; /* -1: no command */
    pid_t helper;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct letter letters[COURIER_QUEUE];
    size_t first, count;
    bool closing;
};

/* ---- The helper process --------------------------------------------------------------------- */

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

/* Whether the relay is gone, or ends. Waits a little to see it. */
static bool is_left(int relay)
{
    struct pollfd wait = {.fd = relay, .events = 0};
    return poll(&wait, 1, 50) > 0; /* POLLHUP */
}

/* Its exit status, or -1 if it had to be ended. */
static int wait_for(int relay, pid_t child)
{
    for (int tries = 0; tries < COURIER_SECONDS * 20; tries++) {
        int status;
        bool left = is_left(relay);
        pid_t got = waitpid(child, &status, WNOHANG);
        if (got == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (left)
            break;
    }
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static int run_command(int relay, const char *command, const char *text, size_t size)
{
    int ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    int code = spawn(command, ends[0], &child);
    close(ends[0]);
    /* Far smaller than a pipe, so it never blocks; the program ignores SIGPIPE. */
    bool written = code == 0 && write(ends[1], text, size) == (ssize_t)size;
    close(ends[1]);
    int status = code == 0 ? wait_for(relay, child) : -1;
    return written ? status : -1;
}

/* Until the relay closes its end. */
static _Noreturn void help(int relay, const char *command)
{
    char text[sizeof(struct letter) + 2];
    prctl(PR_SET_NAME, "sottod-courier");
    if (dup2(relay, 3) == 3) { /* nothing else that the relay has open */
        relay = 3;
        fcntl(relay, F_SETFD, FD_CLOEXEC);
        close_range(4, ~0U, 0);
    }
    for (;;) {
        ssize_t size = recv(relay, text, sizeof text, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            _exit(0);
        int32_t status = run_command(relay, command, text, (size_t)size);
        wipe(text, sizeof text);
        if (send(relay, &status, sizeof status, MSG_NOSIGNAL) != sizeof status)
            _exit(0);
    }
}

static sotto_error start_helper(struct courier *courier)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return SOTTO_IO;
    courier->helper = fork();
    if (courier->helper == 0)
        help(ends[1], courier->command);
    close(ends[1]);
    courier->helper_fd = ends[0];
    return courier->helper > 0 ? SOTTO_OK : SOTTO_IO;
}

/* ---- The relay's side ----------------------------------------------------------------------- */

/* The helper answers in any case, and courier_free's shutdown ends the waiting. */
static void ask_helper(const struct courier *courier, const struct letter *letter)
{
    char text[sizeof *letter + 2];
    int32_t status = -1;
    int size = snprintf(text, sizeof text, "%s\n%s\n", letter->phone, letter->code);
    bool asked = send(courier->helper_fd, text, (size_t)size, MSG_NOSIGNAL) == size;
    wipe(text, sizeof text);
    if (!asked || recv(courier->helper_fd, &status, sizeof status, 0) != sizeof status ||
        status != 0)
        log_event(courier->log, LOG_ERROR, "code_command_failed",
                  (struct log_field[]){log_number("status", status), LOG_END});
}

static void deliver(struct courier *courier, const struct letter *letter)
{
    if (courier->command[0] == '\0')
        log_code(courier->log, letter->code, letter->phone);
    else
        ask_helper(courier, letter);
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
    made->helper_fd = -1;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->filled, NULL);
    sotto_error error = command[0] != '\0' ? start_helper(made) : SOTTO_OK;
    if (error != SOTTO_OK) {
        courier_free(made);
        return error;
    }
    *courier = made;
    return SOTTO_OK;
}

sotto_error courier_start(struct courier *courier)
{
    courier->started = pthread_create(&courier->thread, NULL, courier_main, courier) == 0;
    return courier->started ? SOTTO_OK : SOTTO_NO_MEMORY;
}

void courier_free(struct courier *courier)
{
    if (courier == NULL)
        return;
    pthread_mutex_lock(&courier->lock);
    courier->closing = true;
    pthread_cond_signal(&courier->filled);
    pthread_mutex_unlock(&courier->lock);
    if (courier->helper_fd >= 0)
        shutdown(courier->helper_fd, SHUT_RDWR);
    if (courier->started)
        pthread_join(courier->thread, NULL);
    if (courier->helper_fd >= 0)
        close(courier->helper_fd);
    if (courier->helper > 0)
        waitpid(courier->helper, NULL, 0);
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
