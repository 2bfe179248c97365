#include "core/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

sotto_error new_file_failed(struct new_file *file, sotto_error error)
{
    struct sotto_problem *problem = &file->core->problem;
    int number = errno;
    if (error == SOTTO_FULL || number == ENOSPC || number == EDQUOT)
        return problem_set(problem, SOTTO_FULL, SOTTO_CODE_STORAGE_FULL,
                           "Make room on the disk, or choose another place, and run the command "
                           "again.",
                           "The disk is full while writing %.400s.", file->path);
    return problem_set(problem, SOTTO_IO, SOTTO_CODE_STORAGE, "Choose another place.",
                       "%.400s cannot be written: %s.", file->path, strerror(number));
}

static sotto_error is_there(struct new_file *file)
{
    return problem_set(&file->core->problem, SOTTO_EXISTS, SOTTO_CODE_EXISTS,
                       "Choose another name, or say that it may be replaced.",
                       "%.400s is there already.", file->path);
}

/* Whether that is what the name stands for. */
static bool is_named(int fd, int folder_fd, const char *name)
{
    struct stat opened, named;
    return fstat(fd, &opened) == 0 && fstatat(folder_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

int new_file_lock(int folder_fd, const char *name, int flags, mode_t mode)
{
    /* Whoever had the lock before may have given it its own name meanwhile: what is there then is
     * whole, and not to be touched. */
    for (unsigned tries = 0; tries < 8; tries++) {
        int fd = openat(folder_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
            return -1;
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        int number = errno;
        if (locked && is_named(fd, folder_fd, name))
            return fd;
        (void)close(fd);
        errno = number;
        if (!locked)
            return -1;
    }
    errno = EWOULDBLOCK;
    return -1;
}

static bool names(struct new_file *file, const char *path, char folder[static PATH_MAX])
{
    int size = snprintf(file->path, sizeof file->path, "%s", path);
    if (size <= 0 || (size_t)size >= sizeof file->path)
        return false;
    const char *slash = strrchr(file->path, '/');
    file->name = slash == NULL ? file->path : slash + 1;
    int before = slash == NULL ? 0 : slash == file->path ? 1 : (int)(slash - file->path);
    (void)snprintf(folder, PATH_MAX, "%.*s", before == 0 ? 1 : before,
                   before == 0 ? "." : file->path);
    size = snprintf(file->part, sizeof file->part, ".sotto-%s.part", file->name);
    return file->name[0] != '\0' && size > 0 && (size_t)size < sizeof file->part;
}

sotto_error new_file_begin(struct new_file *file, struct sotto *core, const char *path,
                           bool replace)
{
    char folder[PATH_MAX];
    struct stat found;
    memset(file, 0, sizeof *file);
    file->core = core;
    file->folder_fd = file->fd = -1;
    if (!names(file, path, folder)) {
        errno = path[0] == '\0' ? ENOENT : ENAMETOOLONG;
        return new_file_failed(file, SOTTO_IO);
    }
    if (lstat(file->path, &found) == 0) {
        if (!replace)
            return is_there(file);
        if (!S_ISREG(found.st_mode)) {
            errno = S_ISDIR(found.st_mode) ? EISDIR : EEXIST;
            return new_file_failed(file, SOTTO_IO);
        }
    }
    file->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->folder_fd < 0)
        return new_file_failed(file, SOTTO_IO);
    file->fd = new_file_lock(file->folder_fd, file->part, O_WRONLY | O_CREAT, 0600);
    if (file->fd < 0 && errno == EWOULDBLOCK)
        return problem_set(&core->problem, SOTTO_BUSY, SOTTO_CODE_STORAGE_BUSY,
                           "Wait until it is done.", "Another sotto command writes %.400s.",
                           file->path);
    if (file->fd < 0)
        return new_file_failed(file, SOTTO_IO);
    if (ftruncate(file->fd, 0) != 0)
        return new_file_failed(file, SOTTO_IO);
    return SOTTO_OK;
}

static sotto_error take_name(struct new_file *file, bool replace)
{
    if (replace)
        return renameat(file->folder_fd, file->part, file->folder_fd, file->name) == 0
                   ? SOTTO_OK
                   : new_file_failed(file, SOTTO_IO);
    if (renameat2(file->folder_fd, file->part, file->folder_fd, file->name, RENAME_NOREPLACE) == 0)
        return SOTTO_OK;
    if (errno == EEXIST)
        return is_there(file);
    if (errno != EINVAL && errno != ENOSYS)
        return new_file_failed(file, SOTTO_IO);
    /* A file system that cannot do that: a second name, then the first one goes. */
    if (linkat(file->folder_fd, file->part, file->folder_fd, file->name, 0) != 0)
        return errno == EEXIST ? is_there(file) : new_file_failed(file, SOTTO_IO);
    (void)unlinkat(file->folder_fd, file->part, 0);
    return SOTTO_OK;
}

sotto_error new_file_end(struct new_file *file, bool replace, sotto_error error)
{
    bool renamed = false;
    if (error == SOTTO_OK && fsync(file->fd) != 0)
        error = new_file_failed(file, SOTTO_IO);
    if (error == SOTTO_OK) {
        error = take_name(file, replace);
        renamed = error == SOTTO_OK;
    }
    /* Some network file systems do not know it for directories, and need none. */
    if (renamed && fsync(file->folder_fd) != 0 && errno != EINVAL)
        error = new_file_failed(file, SOTTO_IO);
    if (file->fd >= 0) {
        if (!renamed)
            (void)unlinkat(file->folder_fd, file->part, 0);
        (void)close(file->fd);
    }
    if (file->folder_fd >= 0)
        (void)close(file->folder_fd);
    file->fd = file->folder_fd = -1;
    return error;
}
