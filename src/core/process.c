#include "core/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

sotto_error process_protect(void)
{
#ifdef SANITIZED
    return SOTTO_OK; /* a sanitizer's build traces itself to find leaks */
#endif
    struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return SOTTO_IO;
    return SOTTO_OK;
}
