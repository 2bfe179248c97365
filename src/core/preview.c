#include "core/preview.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "sotto-preview"

enum { WAIT_MS = 20000 };

/* Beside the program that runs, where it is as it was built; else where it is installed. */
static bool find_program(char path[static PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = size > 0 ? memrchr(self, '/', (size_t)size) : NULL;
    if (slash != NULL) {
        int length = snprintf(path, PATH_MAX, "%.*s/" PROGRAM, (int)(slash - self), self);
        if (length > 0 && length < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    (void)snprintf(path, PATH_MAX, "%s/" PROGRAM, LIBEXEC);
    return access(path, X_OK) == 0;
}

/* Its standard input and output are one socket: a pipe's end could kill who writes to it. */
static bool start(const char *path, bool voice, int theirs, pid_t *pid)
{
    char name[] = PROGRAM, what[] = "voice";
    char *const arguments[] = {name, voice ? what : NULL, NULL}, *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
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

/* Gives it the file; its first error or its end ends that. */
static void give(int fd, sotto_bytes file, size_t *given)
{
    while (*given < file.size) {
        ssize_t n = send(fd, file.data + *given, file.size - *given, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            break;
        *given += (size_t)n;
    }
    *given = file.size;
    (void)shutdown(fd, SHUT_WR);
}

/* Takes what comes. False: its end, or more than it may say. */
static bool take(int fd, sotto_buf *out)
{
    uint8_t block[8192];
    ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    return n > 0 && sotto_buf_append(out, block, (size_t)n) == SOTTO_OK &&
           out->size <= CORE_PREVIEW_MAX;
}

static void talk(int fd, sotto_bytes file, sotto_buf *out)
{
    const uint64_t end = now_ms() + WAIT_MS;
    size_t given = 0;
    for (uint64_t now = now_ms(); now < end; now = now_ms()) {
        struct pollfd wait = {fd, given < file.size ? POLLIN | POLLOUT : POLLIN, 0};
        if (poll(&wait, 1, (int)(end - now)) < 0 && errno != EINTR)
            return;
        if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !take(fd, out))
            return;
        if ((wait.revents & POLLOUT) != 0)
            give(fd, file, &given);
    }
}

/* Whether it ended well. It is killed if it did not end: it has said all, or waited too long. */
static bool end(pid_t pid, bool killed)
{
    int status = 1;
    if (killed)
        (void)kill(pid, SIGKILL);
    pid_t ended;
    do
        ended = waitpid(pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static sotto_error ask(sotto_bytes file, bool voice, sotto_buf *out)
{
    char path[PATH_MAX];
    int ends[2];
    pid_t pid = 0;
    sotto_buf made;
    if (!find_program(path))
        return SOTTO_NOT_FOUND;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return SOTTO_IO;
    bool started = start(path, voice, ends[1], &pid);
    (void)close(ends[1]);
    sotto_buf_init(&made, out->env);
    if (started)
        talk(ends[0], file, &made);
    (void)close(ends[0]);
    bool whole = made.size > 0 && made.size <= CORE_PREVIEW_MAX;
    bool good = started && end(pid, !whole) && whole;
    sotto_error error = good ? sotto_buf_append(out, made.data, made.size) : SOTTO_REFUSED;
    sotto_buf_free(&made);
    return error;
}

sotto_error preview_make(sotto_bytes file, sotto_buf *out)
{
    return ask(file, false, out);
}

sotto_error preview_listen(sotto_bytes file, const sotto_env *env, struct preview_voice *voice)
{
    sotto_buf said;
    sotto_buf_init(&said, env);
    sotto_error error = ask(file, true, &said);
    if (error == SOTTO_OK && said.size != 4 + PREVIEW_PEAKS)
        error = SOTTO_REFUSED;
    if (error == SOTTO_OK) {
        voice->duration_ms = (uint32_t)said.data[0] << 24 | (uint32_t)said.data[1] << 16 |
                             (uint32_t)said.data[2] << 8 | said.data[3];
        memcpy(voice->peaks, said.data + 4, PREVIEW_PEAKS);
    }
    sotto_buf_free(&said);
    return error;
}
