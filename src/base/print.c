#include "base/print.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

sotto_error buf_print(sotto_buf *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    const int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text)
        return SOTTO_LIMIT;
    const sotto_error error = sotto_buf_append(out, (const uint8_t *)text, (size_t)size);
    wipe(text, (size_t)size);
    return error;
}
