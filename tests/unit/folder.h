/* Folders that tests make and remove. */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A fresh one; in memory where there is such a place: what is tested is what is written and in
 * which order, not how long a disk takes. False: none can be made. */
static inline bool folder_make(char out[static 64], const char *name)
{
    const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(out, 64, "%s/sotto-%s-XXXXXX", top, name);
    return mkdtemp(out) != NULL;
}

/* Its files; folders in it have to be gone. */
static inline void folder_empty(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        (void)closedir(dir);
}

static inline int folder_forget(const char *path, const struct stat *status, int kind,
                                struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

/* With all that is in it. 0: it is gone. */
static inline int folder_remove(const char *path)
{
    return nftw(path, folder_forget, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
