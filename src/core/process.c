#include "core/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/sanitized.h"

sotto_error process_protect(void)
{
    const struct rlimit none = {0};
    if (SANITIZED)
        return SOTTO_OK; /* a sanitizer's build traces itself to find leaks */
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return SOTTO_IO;
    return SOTTO_OK;
}
