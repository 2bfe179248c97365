/* What a filter of system calls (seccomp) is made of, for the one file of a program that confines
 * itself; Linux alone. A filter is a list:
 *
 *     static const struct sock_filter filter[] = {
 *         FILTER_BEGIN, ALLOW(read), KILL(execve), FILTER_END};
 *
 * What it does not name fails (ENOSYS); another architecture's calls kill the process.
 * ARCHITECTURE is defined where the numbers of calls are those of one that is known. */
#ifndef BASE_SECCOMP_H
#define BASE_SECCOMP_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#define LOAD(member) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, member))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(action))
#define ON(name, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), ANSWER(action)

#ifdef __x86_64__
#define HIGHEST 0x3FFFFFFF /* above are x32's */
#else
#define HIGHEST UINT32_MAX
#endif

#define FILTER_BEGIN                                                     \
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0), \
        ANSWER(SECCOMP_RET_KILL_PROCESS), LOAD(nr),                      \
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, HIGHEST, 0, 1), ANSWER(SECCOMP_RET_KILL_PROCESS)
#define ALLOW(name) ON(name, SECCOMP_RET_ALLOW)
#define KILL(name) ON(name, SECCOMP_RET_KILL_PROCESS)
/* Of mmap and mprotect, whose third argument is the protection: no pages that can be executed. */
#define ALLOW_UNLESS_EXECUTABLE(name)                                                            \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 4), LOAD(args[2]),                       \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), ANSWER(SECCOMP_RET_KILL_PROCESS), \
        ANSWER(SECCOMP_RET_ALLOW), LOAD(nr)
#define FILTER_END ANSWER(SECCOMP_RET_ERRNO | ENOSYS)

/* From here on the filter holds for all threads of this process, for good. False: this kernel has
 * none. */
static inline bool filter_enter(const struct sock_filter *filter, size_t count)
{
    const struct sock_fprog program = {(unsigned short)count, (struct sock_filter *)filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

#endif
