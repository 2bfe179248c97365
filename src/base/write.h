/* Writing to a descriptor. */
#ifndef BASE_WRITE_H
#define BASE_WRITE_H

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "sotto/bytes.h"

/* All of it, however many calls that takes. False: errno says why not. */
static inline bool write_whole(int fd, sotto_bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote == 0)
            errno = EIO;
        if (wrote <= 0)
            return false;
        bytes = sotto_bytes_of(bytes.data + wrote, bytes.size - (size_t)wrote);
    }
    return true;
}

#endif
