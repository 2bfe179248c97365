#include "unit/killed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "unit/check.h"

static bool changes_files(const struct __ptrace_syscall_info *info)
{
    static const uint64_t calls[] = {
        SYS_write,    SYS_pwrite64, SYS_fsync,     SYS_fdatasync, SYS_ftruncate,
        SYS_fchmod,   SYS_fchmodat, SYS_linkat,    SYS_renameat,  SYS_renameat2,
        SYS_unlinkat, SYS_mkdirat,  SYS_fallocate,
#ifdef SYS_rename
        SYS_rename,   SYS_link,     SYS_unlink,    SYS_mkdir,     SYS_chmod,
#endif
    };
    if (info->entry.nr == SYS_openat)
        return (info->entry.args[2] & O_CREAT) != 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (info->entry.nr == calls[i])
            return true;
    return false;
}

unsigned killed_step(unsigned many)
{
    const unsigned tries = SANITIZED ? 10 : 40;
    if (getenv("SOTTO_EVERY_KILL") != NULL || many < tries)
        return 1;
    return many / tries;
}

bool killed_possible(void)
{
    pid_t child = fork();
    int status;
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* Of the child; its threads inherit it. */
static void follow(pid_t child)
{
    const uintptr_t options =
        PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)options), 0);
}

/* Whether a thread stopped before a call that changes a file. */
static bool before_change(pid_t thread)
{
    struct __ptrace_syscall_info info;
    return ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) > 0 &&
           info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(&info);
}

/* Follows a child that stopped itself, and its threads. True: it was killed; false: it ended, with
 * that code. */
static bool trace(pid_t child, unsigned n, int *code)
{
    int status;
    unsigned seen = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    follow(child);
    pid_t thread = child;
    for (int deliver = 0;;) {
        (void)ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)deliver); /* or it is gone */
        thread = waitpid(-1, &status, __WALL);
        assert_true(thread > 0);
        deliver = 0;
        if (thread == child && WIFEXITED(status)) {
            *code = WEXITSTATUS(status);
            return false;
        }
        if (!WIFSTOPPED(status) || status >> 16 != 0)
            continue; /* a thread ended or began, or this became another program */
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            deliver = thread != child && WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
            continue;
        }
        if (before_change(thread) && seen++ == n) {
            assert_int_equal(kill(child, SIGKILL), 0);
            while ((thread = waitpid(-1, &status, __WALL)) != child)
                assert_true(thread > 0);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            return true;
        }
    }
}

bool killed_before(unsigned n, void (*act)(void *ctx), void *ctx)
{
    int code = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(1);
        raise(SIGSTOP);
        act(ctx);
        _exit(42);
    }
    if (trace(child, n, &code))
        return true;
    assert_int_equal(code, 42);
    return false;
}

bool killed_program_before(unsigned n, char *const *argv, int *code)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(127);
        raise(SIGSTOP);
        execvp(argv[0], argv);
        _exit(127);
    }
    return trace(child, n, code);
}
