#include "relay/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write.h"

enum { COPY_BYTES = 1 << 20 };

/* Calls each(folder/name) for what lies in a folder, or stops where it fails. */
static bool for_each(const char *path, bool (*each)(void *ctx, const char *name, const char *inner),
                     void *ctx)
{
    char inner[PATH_MAX];
    const struct dirent *entry;
    bool good = true;
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    while (good && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int size = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        good = size < PATH_MAX && each(ctx, entry->d_name, inner);
        if (size >= PATH_MAX)
            errno = ENAMETOOLONG;
    }
    int why = errno;
    closedir(folder);
    errno = why;
    return good;
}

/* ---- Copying -------------------------------------------------------------------------------- */

static bool copy_bytes(int from, int to)
{
    /* In the kernel where the file systems allow it, which may share blocks. */
    ssize_t size;
    while ((size = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0)) > 0) {
    }
    if (size == 0)
        return true;
    uint8_t bytes[16384];
    while ((size = read(from, bytes, sizeof bytes)) > 0)
        if (!write_whole(to, sotto_bytes_of(bytes, (size_t)size)))
            return false;
    return size == 0;
}

static bool copy_file(int from, const char *path)
{
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return false;
    bool good = copy_bytes(from, to) && fsync(to) == 0;
    int why = errno;
    close(to);
    errno = why;
    return good;
}

static bool copy_inner(void *ctx, const char *name, const char *inner)
{
    char to[PATH_MAX];
    if (snprintf(to, sizeof to, "%s/%s", (const char *)ctx, name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return files_copy(inner, to) || errno == ENOENT;
}

bool files_copy(const char *from, const char *to)
{
    struct stat what;
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno == ELOOP; /* a link: left out */
    bool good = fstat(fd, &what) == 0;
    if (good && S_ISREG(what.st_mode))
        good = copy_file(fd, to);
    else if (good && S_ISDIR(what.st_mode))
        good =
            mkdir(to, 0700) == 0 && for_each(from, copy_inner, (char *)to) && files_sync_folder(to);
    int why = errno;
    close(fd);
    errno = why;
    return good;
}

/* ---- Removing, giving ----------------------------------------------------------------------- */

static bool remove_inner(void *ctx, const char *name, const char *inner)
{
    (void)ctx;
    (void)name;
    return files_remove(inner);
}

bool files_remove(const char *path)
{
    struct stat what;
    if (lstat(path, &what) != 0)
        return errno == ENOENT;
    if (!S_ISDIR(what.st_mode))
        return unlink(path) == 0;
    return for_each(path, remove_inner, NULL) && rmdir(path) == 0;
}

struct owner {
    uid_t user;
    gid_t group;
};

static bool give_inner(void *ctx, const char *name, const char *inner)
{
    const struct owner *owner = ctx;
    (void)name;
    return files_give(inner, owner->user, owner->group);
}

bool files_give(const char *path, uid_t user, gid_t group)
{
    struct owner owner = {user, group};
    struct stat what;
    if (lstat(path, &what) != 0 || lchown(path, user, group) != 0)
        return false;
    return !S_ISDIR(what.st_mode) || for_each(path, give_inner, &owner);
}

bool files_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    int why = errno;
    close(fd);
    errno = why;
    return good;
}

bool files_exist(const char *path)
{
    struct stat what;
    return lstat(path, &what) == 0;
}
