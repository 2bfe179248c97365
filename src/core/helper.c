#include "core/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS = 6, VARIABLES = 4, VARIABLE_SIZE = 4096 };

/* Beside the program that runs, where it is as it was built; else where it is installed. */
static bool find_program(const char *name, char path[static PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = size > 0 ? memrchr(self, '/', (size_t)size) : NULL;
    if (slash != NULL) {
        int length = snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - self), self, name);
        if (length > 0 && length < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    (void)snprintf(path, PATH_MAX, "%s/%s", LIBEXEC, name);
    return access(path, X_OK) == 0;
}

/* posix_spawn takes its strings as if it changed them, which it does not. */
static void arguments_of(const struct helper *helper, char *out[static ARGUMENTS])
{
    size_t count = 0;
    out[count++] = (char *)helper->program;
    for (const char *const *one = helper->arguments; one != NULL && *one != NULL; one++) {
        BUG_UNLESS(count + 1 < ARGUMENTS);
        out[count++] = (char *)*one;
    }
    out[count] = NULL;
}

/* NAME=VALUE of those that are set and fit. */
static void environment_of(const struct helper *helper, char text[static VARIABLES][VARIABLE_SIZE],
                           char *out[static VARIABLES + 1])
{
    size_t count = 0;
    for (const char *const *one = helper->environment; one != NULL && *one != NULL; one++) {
        const char *value = getenv(*one);
        BUG_UNLESS(count < VARIABLES);
        if (value == NULL)
            continue;
        int length = snprintf(text[count], VARIABLE_SIZE, "%s=%s", *one, value);
        if (length > 0 && length < VARIABLE_SIZE) {
            out[count] = text[count];
            count++;
        }
    }
    out[count] = NULL;
}

/* Its standard input and output are one socket: a pipe's end could kill who writes to it. */
static bool start(const char *path, const struct helper *helper, int theirs, pid_t *pid)
{
    char *arguments[ARGUMENTS], *environment[VARIABLES + 1], text[VARIABLES][VARIABLE_SIZE];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    arguments_of(helper, arguments);
    environment_of(helper, text, environment);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return false;
    }
    bool started =
        posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO) == 0 &&
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1) == 0 &&
        posix_spawn(pid, path, &actions, &attributes, arguments, environment) == 0;
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return started;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Gives it the bytes; its first error or its end ends that. */
static bool give(int fd, sotto_bytes in, size_t *given)
{
    while (*given < in.size) {
        ssize_t n = send(fd, in.data + *given, in.size - *given, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            break;
        *given += (size_t)n;
    }
    (void)shutdown(fd, SHUT_WR);
    return false;
}

enum taken { MORE, ENDED, BROKEN };

static enum taken take(int fd, size_t most, sotto_buf *out)
{
    uint8_t block[8192];
    ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? MORE : BROKEN;
    bool kept = n == 0 || (out->size + (size_t)n <= most &&
                           sotto_buf_append(out, block, (size_t)n) == SOTTO_OK);
    if (n > 0)
        wipe(block, (size_t)n);
    return !kept ? BROKEN : n == 0 ? ENDED : MORE;
}

/* Whether it closed its output in time. */
static bool talk(int fd, const struct helper *helper, sotto_bytes in, uint64_t by, sotto_buf *out)
{
    size_t given = 0;
    bool giving = give(fd, in, &given);
    for (uint64_t now = now_ms(); now < by; now = now_ms()) {
        struct pollfd wait = {fd, giving ? POLLIN | POLLOUT : POLLIN, 0};
        if (poll(&wait, 1, (int)(by - now)) < 0 && errno != EINTR)
            return false;
        if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            enum taken taken = take(fd, helper->most, out);
            if (taken != MORE)
                return taken == ENDED;
        }
        if (giving && (wait.revents & POLLOUT) != 0)
            giving = give(fd, in, &given);
    }
    return false;
}

static bool ends(pid_t pid, uint64_t by)
{
    int handle = pidfd_open(pid, 0), ready = 0;
    struct pollfd wait = {handle, POLLIN, 0};
    if (handle < 0)
        return true; /* of an older kernel: it is waited for without an end */
    for (uint64_t now = now_ms(); ready <= 0 && now < by; now = now_ms())
        ready = poll(&wait, 1, (int)(by - now));
    (void)close(handle);
    return ready > 0;
}

/* Whether it ended by itself. It is killed if it did not: it said too much, or nothing, or stays.
 */
static bool end(pid_t pid, bool whole, uint64_t by, int *code)
{
    int status = 1;
    const bool killed = !whole || !ends(pid, by);
    if (killed)
        (void)kill(pid, SIGKILL);
    pid_t ended;
    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (killed || ended != pid || !WIFEXITED(status))
        return false;
    *code = WEXITSTATUS(status);
    return true;
}

sotto_error helper_run(const struct helper *helper, sotto_bytes in, sotto_buf *out, int *code)
{
    char path[PATH_MAX];
    int pair[2];
    pid_t pid = 0;
    sotto_buf said;
    const uint64_t by = now_ms() + helper->wait_ms;
    if (!find_program(helper->program, path))
        return SOTTO_NOT_FOUND;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return SOTTO_IO;
    bool started = start(path, helper, pair[1], &pid);
    (void)close(pair[1]);
    sotto_buf_init(&said, out->env);
    bool whole = started && talk(pair[0], helper, in, by, &said);
    (void)close(pair[0]);
    sotto_error error = !started ? SOTTO_IO : end(pid, whole, by, code) ? SOTTO_OK : SOTTO_REFUSED;
    if (error == SOTTO_OK && said.size > 0)
        error = sotto_buf_append(out, said.data, said.size);
    sotto_buf_free(&said);
    return error;
}
