#include <sys/resource.h>

#include "base/sanitized.h"
#include "base/seccomp.h"
#include "preview/preview.h"

#define MEMORY (UINT64_C(768) << 20)
#define SECONDS 10

static void limit(int what, uint64_t most)
{
    const struct rlimit both = {most, most};
    (void)setrlimit((__rlimit_resource_t)what, &both);
}

#ifdef ARCHITECTURE

static const struct sock_filter filter[] = {
    FILTER_BEGIN,
    ALLOW(read),
    ALLOW(write),
    ALLOW_UNLESS_EXECUTABLE(mmap),
    ALLOW_UNLESS_EXECUTABLE(mprotect),
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(madvise),
    ALLOW(brk),
    ALLOW(futex),
    ALLOW(rt_sigreturn),
    ALLOW(exit),
    ALLOW(exit_group),
    ALLOW(getrandom), /* the C library's, for its heap */
    FILTER_END,
};

static bool confine_calls(void)
{
    return filter_enter(filter, sizeof filter / sizeof *filter);
}

#else

static bool confine_calls(void)
{
    return true; /* docs/THREATS.md says so */
}

#endif

bool confine(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, SECONDS);
    if (SANITIZED)
        return true;
    limit(RLIMIT_AS, MEMORY);
    limit(RLIMIT_FSIZE, PREVIEW_MAX);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_NOFILE, 3);
    return confine_calls();
}
