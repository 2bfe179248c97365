#include "core/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/write.h"

#define LOCK_FILE "profile.lock"

static sotto_error of_errno(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SOTTO_FULL : SOTTO_IO;
}

sotto_error disk_path(char out[static DISK_PATH_MAX], const char *directory, const char *name)
{
    int n = snprintf(out, DISK_PATH_MAX, "%s/%s", directory, name);
    return n > 0 && n < DISK_PATH_MAX ? SOTTO_OK : SOTTO_LIMIT;
}

static sotto_error open_in(const char *directory, const char *name, int flags, int *fd)
{
    char path[DISK_PATH_MAX];
    TRY(disk_path(path, directory, name));
    int opened = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (opened < 0)
        return errno == ENOENT ? SOTTO_NOT_FOUND : of_errno();
    *fd = opened;
    return SOTTO_OK;
}

static sotto_error sync_and_close(int fd)
{
    sotto_error error = fsync(fd) == 0 ? SOTTO_OK : of_errno();
    if (close(fd) != 0 && error == SOTTO_OK)
        error = of_errno();
    return error;
}

/* What was made, renamed or removed in it is on the disk. */
static sotto_error sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return of_errno();
    /* Some network file systems do not know it for directories, and need none. */
    sotto_error error = fsync(fd) == 0 || errno == EINVAL ? SOTTO_OK : of_errno();
    (void)close(fd);
    return error;
}

sotto_error disk_read(const char *directory, const char *name, size_t max, sotto_buf *out)
{
    int fd = -1;
    TRY(open_in(directory, name, O_RDONLY | O_NONBLOCK, &fd));
    struct stat status;
    uint8_t *to = NULL;
    size_t before = out->size, done = 0, size = 0;
    sotto_error error = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? SOTTO_OK : SOTTO_IO;
    if (error == SOTTO_OK && (uint64_t)status.st_size > max)
        error = SOTTO_LIMIT;
    if (error == SOTTO_OK) {
        size = (size_t)status.st_size;
        error = size > 0 ? sotto_buf_extend(out, size, &to) : SOTTO_OK;
    }
    while (error == SOTTO_OK && done < size) {
        ssize_t n = read(fd, to + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            error = SOTTO_IO;
        else
            done += (size_t)n;
    }
    (void)close(fd);
    if (error != SOTTO_OK)
        out->size = before;
    return error;
}

/* Zeroes over what the file holds, unless it has more names than `names`: a backup that consists of
 * hard links keeps what it has. */
static sotto_error overwrite(int fd, nlink_t names)
{
    static const uint8_t zeros[65536];
    struct stat status;
    if (fstat(fd, &status) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return of_errno();
    if (status.st_nlink > names)
        return SOTTO_OK;
    for (off_t left = status.st_size; left > 0;) {
        size_t n = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
        if (!write_whole(fd, sotto_bytes_of(zeros, n)))
            return of_errno();
        left -= (off_t)n;
    }
    return fsync(fd) == 0 ? SOTTO_OK : of_errno();
}

sotto_error disk_replace(const char *directory, const char *name, sotto_bytes bytes)
{
    char fresh[DISK_PATH_MAX], path[DISK_PATH_MAX], fresh_name[64];
    int old = -1, fd = -1;
    (void)snprintf(fresh_name, sizeof fresh_name, "%s.new", name);
    TRY(disk_path(path, directory, name));
    TRY(disk_path(fresh, directory, fresh_name));
    /* Of a process that was killed. It may hold a key. */
    TRY(disk_erase(directory, fresh_name));
    TRY(open_in(directory, fresh_name, O_WRONLY | O_CREAT | O_EXCL, &fd));
    sotto_error error = write_whole(fd, bytes) ? SOTTO_OK : of_errno();
    sotto_error synced = sync_and_close(fd);
    if (error == SOTTO_OK)
        error = synced;
    if (error == SOTTO_OK && open_in(directory, name, O_WRONLY, &old) != SOTTO_OK)
        old = -1;
    if (error == SOTTO_OK && rename(fresh, path) != 0)
        error = of_errno();
    if (error == SOTTO_OK)
        error = sync_directory(directory);
    else
        (void)disk_erase(directory, fresh_name);
    if (old >= 0) {
        if (error == SOTTO_OK)
            (void)overwrite(old, 0); /* the new file counts already */
        (void)close(old);
    }
    return error;
}

sotto_error disk_erase(const char *directory, const char *name)
{
    char path[DISK_PATH_MAX];
    int fd = -1;
    TRY(disk_path(path, directory, name));
    sotto_error error = open_in(directory, name, O_WRONLY, &fd);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    TRY(error);
    error = overwrite(fd, 1);
    (void)close(fd);
    TRY(error);
    if (unlink(path) != 0 && errno != ENOENT)
        return of_errno();
    return sync_directory(directory);
}

sotto_error disk_rename(const char *directory, const char *from, const char *to)
{
    char old[DISK_PATH_MAX], new[DISK_PATH_MAX];
    TRY(disk_path(old, directory, from));
    TRY(disk_path(new, directory, to));
    if (rename(old, new) != 0)
        return of_errno();
    return sync_directory(directory);
}

sotto_error disk_link(const char *directory, const char *file, const char *name)
{
    char old[DISK_PATH_MAX], new[DISK_PATH_MAX];
    TRY(disk_path(old, directory, file));
    TRY(disk_path(new, directory, name));
    if (link(old, new) == 0)
        return sync_directory(directory);
    if (errno == ENOENT)
        return SOTTO_NOT_FOUND;
    /* Which of them a file system chooses is its own affair; a kernel may also protect the file. */
    if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK ||
        errno == EACCES)
        return SOTTO_UNSUPPORTED;
    return of_errno();
}

bool disk_same(const char *directory, const char *one, const char *other)
{
    char paths[2][DISK_PATH_MAX];
    struct stat status[2];
    return disk_path(paths[0], directory, one) == SOTTO_OK &&
           disk_path(paths[1], directory, other) == SOTTO_OK && lstat(paths[0], &status[0]) == 0 &&
           lstat(paths[1], &status[1]) == 0 && status[0].st_dev == status[1].st_dev &&
           status[0].st_ino == status[1].st_ino;
}

sotto_error disk_sync(const char *directory, const char *name)
{
    int fd = -1;
    TRY(open_in(directory, name, O_RDWR, &fd));
    return sync_and_close(fd);
}

bool disk_exists(const char *directory, const char *name)
{
    char path[DISK_PATH_MAX];
    struct stat status;
    return disk_path(path, directory, name) == SOTTO_OK && lstat(path, &status) == 0;
}

sotto_error disk_lock(const char *directory, unsigned wait_ms, int *lock)
{
    const struct timespec nap = {.tv_nsec = 5 * 1000 * 1000};
    int fd = -1;
    TRY(open_in(directory, LOCK_FILE, O_RDWR | O_CREAT, &fd));
    for (unsigned waited = 0;; waited += 5) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            *lock = fd;
            return SOTTO_OK;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            (void)close(fd);
            return SOTTO_IO;
        }
        if (waited >= wait_ms) {
            (void)close(fd);
            return SOTTO_BUSY;
        }
        (void)nanosleep(&nap, NULL);
    }
}

void disk_unlock(int lock)
{
    (void)close(lock);
}
