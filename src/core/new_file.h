/* A file for people that is there under its name once it is whole: written beside as
 * .sotto-NAME.part, synchronised, renamed. What a killed process left under that name is written
 * over by the next one. */
#ifndef CORE_NEW_FILE_H
#define CORE_NEW_FILE_H

#include <limits.h>
#include <sys/types.h>

#include "core/internal.h"

struct new_file {
    struct sotto *core;
    int folder_fd, fd;
    char path[PATH_MAX], part[NAME_MAX + 1];
    const char *name; /* in path */
};

/* Opens it for writing, mode 0600. replace: one that is there gives way. The problem says why not:
 * EXISTS; IO, FULL; BUSY: another process writes the same one. new_file_end follows in any case. */
sotto_error new_file_begin(struct new_file *file, struct sotto *core, const char *path,
                           bool replace);
/* error OK: it takes its name, durably. Else nothing is left of it, and error is returned. */
sotto_error new_file_end(struct new_file *file, bool replace, sotto_error error);
/* The problem of a write to it that failed: FULL, or another one with errno. Returns error. */
sotto_error new_file_failed(struct new_file *file, sotto_error error);

/* Opens a part, or a folder, that one process at a time works on, and locks it. -1: errno says why;
 * EWOULDBLOCK: another one has it. flags, mode: as openat's. */
int new_file_lock(int folder_fd, const char *name, int flags, mode_t mode);

#endif
