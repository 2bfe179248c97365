#include "core/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

sotto_error process_protect(void)
{
    struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return SOTTO_IO;
    return SOTTO_OK;
}
