#include "wire/padme.h"

#include "base/base.h"
#include "wire/limits.h"

static unsigned log2_floor(size_t value)
{
    unsigned log = 0;
    while (value >>= 1)
        log++;
    return log;
}

size_t padme_size(size_t size)
{
    if (size <= WIRE_PADDING_MIN)
        return WIRE_PADDING_MIN;
    /* PURBs, algorithm 1: the exponent E may have S significant bits of mantissa behind it; the
     * last E - S bits of the size are made zero by rounding up. */
    unsigned exponent = log2_floor(size);
    unsigned significant = log2_floor(exponent) + 1;
    BUG_UNLESS(exponent > significant);
    size_t mask = ((size_t)1 << (exponent - significant)) - 1;
    return size > (size_t)-1 - mask ? size : (size + mask) & ~mask;
}
