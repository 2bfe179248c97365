#include "relay/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>

#include "base/sanitized.h"
#include "base/seccomp.h"

static const char sanitized[] = "built with a sanitizer";

/* ---- Files: Landlock ------------------------------------------------------------------------ */

/* Rights of later versions than the oldest headers that we build with. */
#define RIGHT_REFER (1ULL << 13)    /* 2 */
#define RIGHT_TRUNCATE (1ULL << 14) /* 3 */
#define RIGHT_IOCTL (1ULL << 15)    /* 5 */

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_WRITE                                                  \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_REG | RIGHT_TRUNCATE)
#define RIGHTS_ALL                                                                              \
    (RIGHTS_READ | RIGHTS_WRITE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     RIGHT_REFER)

struct ruleset {
    int fd;
    uint64_t handled;
    bool failed;
};

static uint64_t handled_by(int version)
{
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* all of version 1 */
    if (version >= 2)
        rights |= RIGHT_REFER;
    if (version >= 3)
        rights |= RIGHT_TRUNCATE;
    if (version >= 5)
        rights |= RIGHT_IOCTL;
    return rights;
}

static void allow_folder(struct ruleset *set, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; /* not there: nothing to allow */
    const struct landlock_path_beneath_attr rule = {
        .allowed_access = rights & set->handled,
        .parent_fd = fd,
    };
    if (syscall(SYS_landlock_add_rule, set->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        set->failed = true;
    close(fd);
}

static void allow_folder_of(struct ruleset *set, const char *path, uint64_t rights)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        (void)snprintf(folder, sizeof folder, ".");
    else
        (void)snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path),
                       path);
    allow_folder(set, folder, rights);
}

/* A folder and not the file: a renewed file is another one of the same name. */
static void allow_file(struct ruleset *set, const char *path, uint64_t rights)
{
    char resolved[PATH_MAX];
    if (path[0] == '\0')
        return;
    allow_folder_of(set, path, rights);
    if (realpath(path, resolved) != NULL)
        allow_folder_of(set, resolved, rights);
}

int sandbox_files(const struct config *config, const char **why)
{
    *why = sanitized;
    if (SANITIZED)
        return 0;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *why = "this kernel has no Landlock";
    if (version < 1)
        return 0;
    struct ruleset set = {.handled = handled_by((int)version)};
    const struct landlock_ruleset_attr attributes = {.handled_access_fs = set.handled};
    set.fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    *why = "Landlock takes no rules";
    if (set.fd < 0)
        return 0;
    allow_folder(&set, config->data, RIGHTS_ALL);
    allow_file(&set, config->ready_file, RIGHTS_WRITE);
    allow_file(&set, config->file, RIGHTS_READ);
    allow_file(&set, config->certificate, RIGHTS_READ);
    allow_file(&set, config->key, RIGHTS_READ);
    bool good = !set.failed && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                syscall(SYS_landlock_restrict_self, set.fd, 0) == 0;
    close(set.fd);
    return good ? (int)version : 0;
}

/* ---- System calls: seccomp ------------------------------------------------------------------ */

#ifdef ARCHITECTURE

static const struct sock_filter filter[] = {
    FILTER_BEGIN,
    /* sockets and loops */
    ALLOW(epoll_pwait),
    ALLOW(epoll_ctl),
    ALLOW(read),
    ALLOW(write),
    ALLOW(futex),
    ALLOW(accept4),
    ALLOW(readv),
    ALLOW(writev),
    ALLOW(recvfrom),
    ALLOW(sendto),
    ALLOW(recvmsg),
    ALLOW(sendmsg),
    ALLOW(recvmmsg),
    ALLOW(sendmmsg),
    ALLOW(shutdown),
    ALLOW(setsockopt),
    ALLOW(getsockopt),
    ALLOW(getsockname),
    ALLOW(getpeername),
    ALLOW(ppoll),
    ALLOW(epoll_create1),
    ALLOW(eventfd2),
    /* files */
    ALLOW(openat),
    ALLOW(close),
    ALLOW(fstat),
    ALLOW(newfstatat),
    ALLOW(statx),
    ALLOW(statfs),
    ALLOW(fstatfs),
    ALLOW(lseek),
    ALLOW(pread64),
    ALLOW(pwrite64),
    ALLOW(preadv),
    ALLOW(pwritev),
    ALLOW(fsync),
    ALLOW(fdatasync),
    ALLOW(sync_file_range),
    ALLOW(ftruncate),
    ALLOW(fallocate),
    ALLOW(fcntl),
    ALLOW(flock),
    ALLOW(fchmod),
    ALLOW(fchown),
    ALLOW(faccessat),
    ALLOW(readlinkat),
    ALLOW(mkdirat),
    ALLOW(unlinkat),
    ALLOW(renameat2),
#ifdef __NR_renameat
    ALLOW(renameat),
#endif
    ALLOW(getdents64),
    ALLOW(getcwd),
    ALLOW(utimensat),
    /* memory */
    ALLOW_UNLESS_EXECUTABLE(mmap),
    ALLOW_UNLESS_EXECUTABLE(mprotect),
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(madvise),
    ALLOW(brk),
    ALLOW(mlock),
    ALLOW(munlock),
    /* time, threads, the process itself */
    ALLOW(clock_gettime),
    ALLOW(clock_getres),
    ALLOW(clock_nanosleep),
    ALLOW(nanosleep),
    ALLOW(gettimeofday),
    ALLOW(rt_sigaction),
    ALLOW(rt_sigprocmask),
    ALLOW(rt_sigtimedwait),
    ALLOW(rt_sigreturn),
    ALLOW(sigaltstack),
    ALLOW(restart_syscall),
    ALLOW(sched_yield),
    ALLOW(sched_getaffinity),
    ALLOW(set_robust_list),
    ALLOW(rseq),
    ALLOW(membarrier),
    ALLOW(getpid),
    ALLOW(gettid),
    ALLOW(getuid),
    ALLOW(geteuid),
    ALLOW(getgid),
    ALLOW(getegid),
    ALLOW(getrusage),
    ALLOW(prlimit64),
    ALLOW(sysinfo),
    ALLOW(uname),
    ALLOW(getrandom),
    ALLOW(tgkill),
    ALLOW(wait4),
    ALLOW(exit),
    ALLOW(exit_group),
#ifdef __x86_64__ /* the old forms, which C libraries still use there */
    ALLOW(epoll_wait),
    ALLOW(poll),
    ALLOW(open),
    ALLOW(stat),
    ALLOW(lstat),
    ALLOW(access),
    ALLOW(readlink),
    ALLOW(mkdir),
    ALLOW(rmdir),
    ALLOW(unlink),
    ALLOW(rename),
    ALLOW(time),
#endif
    /* what only somebody else would want */
    KILL(execve),
    KILL(execveat),
    KILL(clone),
    KILL(clone3),
#ifdef __x86_64__
    KILL(fork),
    KILL(vfork),
#endif
    KILL(socket),
    KILL(socketpair),
    KILL(connect),
    KILL(bind),
    KILL(listen),
    KILL(ptrace),
    KILL(process_vm_readv),
    KILL(process_vm_writev),
    KILL(memfd_create),
    KILL(mount),
    KILL(umount2),
    KILL(pivot_root),
    KILL(chroot),
    KILL(setns),
    KILL(unshare),
    KILL(init_module),
    KILL(finit_module),
    KILL(bpf),
    KILL(perf_event_open),
    KILL(userfaultfd),
    KILL(io_uring_setup),
    KILL(keyctl),
    KILL(open_by_handle_at),
    KILL(setuid),
    KILL(setgid),
    KILL(setresuid),
    KILL(setresgid),
    FILTER_END,
};

bool sandbox_calls(const char **why)
{
    *why = sanitized;
    if (SANITIZED)
        return false;
    *why = "this kernel has no filter of system calls";
    return filter_enter(filter, sizeof filter / sizeof *filter);
}

#else

bool sandbox_calls(const char **why)
{
    *why = "no filter of system calls was written for this architecture";
    return false;
}

#endif
