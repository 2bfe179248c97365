/* `sottod sandbox`: what the sandbox is worth on this machine. Each attempt is made by a process of
 * its own that has entered the sandbox as the relay does. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/data.h"
#include "relay/sandbox.h"

/* Each returns 0 where it worked, else errno, if it returns. */
typedef int attempt_fn(const struct config *config);

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int write_in_data(const struct config *config)
{
    char path[PATH_MAX];
    if (!data_path(config, DATA_SANDBOX, path))
        return ENAMETOOLONG;
    int why = try_open(path, O_WRONLY | O_CREAT);
    return why != 0 ? why : unlink(path) == 0 ? 0 : errno;
}

static int read_system(const struct config *config)
{
    (void)config;
    return try_open("/etc/passwd", O_RDONLY);
}

static int write_elsewhere(const struct config *config)
{
    (void)config;
    return try_open("/tmp/sottod-sandbox", O_WRONLY | O_CREAT);
}

static int read_memory(const struct config *config)
{
    (void)config;
    return try_open("/proc/self/mem", O_RDONLY);
}

static int run_program(const struct config *config)
{
    char shell[] = "/bin/true", *const arguments[] = {shell, NULL};
    (void)config;
    execv(shell, arguments);
    return errno;
}

static int make_process(const struct config *config)
{
    (void)config;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child < 0 ? errno : 0;
}

static void *nothing(void *arg)
{
    return arg;
}

static int make_thread(const struct config *config)
{
    pthread_t thread;
    (void)config;
    return pthread_create(&thread, NULL, nothing, NULL);
}

static int make_socket(const struct config *config)
{
    (void)config;
    return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int make_code(const struct config *config)
{
    (void)config;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int change_core_dumps(const struct config *config)
{
    (void)config;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 ? errno : 0;
}

enum { WORKS, IS_REFUSED, DIES };

static const struct {
    const char *what;
    attempt_fn *attempt;
    int expected;
} attempts[] = {
    {"write a file in the data directory", write_in_data, WORKS},
    {"read /etc/passwd", read_system, IS_REFUSED},
    {"write a file in /tmp", write_elsewhere, IS_REFUSED},
    {"read /proc/self/mem", read_memory, IS_REFUSED},
    {"run a program", run_program, DIES},
    {"make a process", make_process, DIES},
    {"make a thread", make_thread, DIES},
    {"make a socket", make_socket, DIES},
    {"make memory that can be executed", make_code, DIES},
    {"allow core dumps", change_core_dumps, IS_REFUSED},
};

/* In the child: 0 worked, 1 refused, 2 the sandbox could not be entered. */
static int try_inside(const struct config *config, attempt_fn *attempt)
{
    const struct rlimit none = {0, 0};
    const char *why;
    setrlimit(RLIMIT_CORE, &none);
    if (sandbox_files(config, &why) == 0)
        fprintf(stderr, "sottod: files are not limited: %s\n", why);
    if (!sandbox_calls(&why))
        fprintf(stderr, "sottod: system calls are not limited: %s\n", why);
    return attempt(config) == 0 ? 0 : 1;
}

static int outcome_of(const struct config *config, attempt_fn *attempt)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(try_inside(config, attempt));
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? DIES : -1;
    return WEXITSTATUS(status) == 0 ? WORKS : IS_REFUSED;
}

int command_sandbox(const struct config *config)
{
    static const char *const names[] = {"works", "is refused", "kills the process"};
    char problem[CONFIG_TEXT];
    bool good = true;
    if (!data_prepare(config, problem))
        return command_fail("%s", problem);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        int outcome = outcome_of(config, attempts[i].attempt);
        bool as_expected = outcome == attempts[i].expected;
        printf("%-36s %s%s\n", attempts[i].what, outcome < 0 ? "failed" : names[outcome],
               as_expected ? "" : ", which it should not");
        good = good && as_expected;
    }
    return good ? 0 : 1;
}
