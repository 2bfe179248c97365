#include "relay/blob_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER = 3, NAME = 2 * (HASH_SIZE - 1), PATH = FOLDER + NAME + 1 };

static sotto_error error_of(int number)
{
    return number == ENOSPC || number == EDQUOT ? SOTTO_FULL : SOTTO_IO;
}

/* "ab/cdef...": the first FOLDER - 1 characters name the folder. */
static void path_of(const uint8_t hash[static HASH_SIZE], char path[static PATH])
{
    static const char digits[] = "0123456789abcdef";
    char *at = path;
    for (size_t i = 0; i < HASH_SIZE; i++) {
        *at++ = digits[hash[i] >> 4];
        *at++ = digits[hash[i] & 15];
        if (i == 0)
            *at++ = '/';
    }
    *at = '\0';
}

static bool digit_of(char c, uint8_t *value)
{
    if (c >= '0' && c <= '9')
        *value = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *value = (uint8_t)(c - 'a' + 10);
    else
        return false;
    return true;
}

static bool hash_of(uint8_t first, const char *name, uint8_t hash[static HASH_SIZE])
{
    if (strlen(name) != NAME)
        return false;
    hash[0] = first;
    for (size_t i = 0; i + 1 < HASH_SIZE; i++) {
        uint8_t high, low;
        if (!digit_of(name[2 * i], &high) || !digit_of(name[2 * i + 1], &low))
            return false;
        hash[i + 1] = (uint8_t)(high << 4 | low);
    }
    return true;
}

sotto_error blob_files_open(struct blob_files *files, const char *path,
                            const struct blob_disk *disk)
{
    static const struct blob_disk system_disk = {pwrite, fdatasync};
    files->disk = disk != NULL ? *disk : system_disk;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_of(errno);
    files->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return files->root < 0 ? SOTTO_IO : SOTTO_OK;
}

void blob_files_close(struct blob_files *files)
{
    if (files->root >= 0)
        close(files->root);
    files->root = -1;
}

sotto_error blob_file_size(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                           uint64_t *size)
{
    char path[PATH];
    struct stat found;
    path_of(hash, path);
    if (fstatat(files->root, path, &found, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            return SOTTO_IO;
        *size = 0;
        return SOTTO_OK;
    }
    *size = (uint64_t)found.st_size;
    return SOTTO_OK;
}

/* A descriptor; -1 and errno. */
static int open_file(const struct blob_files *files, const char *path, int flags)
{
    return openat(files->root, path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int make_file(const struct blob_files *files, char path[static PATH])
{
    int fd = open_file(files, path, O_WRONLY | O_CREAT);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    path[FOLDER - 1] = '\0';
    bool made = mkdirat(files->root, path, 0700) == 0 || errno == EEXIST;
    path[FOLDER - 1] = '/';
    return made ? open_file(files, path, O_WRONLY | O_CREAT) : -1;
}

static sotto_error write_all(const struct blob_files *files, int fd, uint64_t at, sotto_bytes bytes)
{
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t size =
            files->disk.write(fd, bytes.data + done, bytes.size - done, (off_t)(at + done));
        if (size < 0 && errno != EINTR)
            return error_of(errno);
        if (size > 0)
            done += (size_t)size;
    }
    return SOTTO_OK;
}

sotto_error blob_file_append(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                             uint64_t at, sotto_bytes bytes)
{
    char path[PATH];
    path_of(hash, path);
    int fd = make_file(files, path);
    if (fd < 0)
        return error_of(errno);
    sotto_error error = write_all(files, fd, at, bytes);
    if (error != SOTTO_OK && ftruncate(fd, (off_t)at) != 0)
        error = SOTTO_IO;
    close(fd);
    return error;
}

sotto_error blob_file_read(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                           uint64_t at, uint8_t *out, size_t size)
{
    char path[PATH];
    path_of(hash, path);
    int fd = open_file(files, path, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? SOTTO_NOT_FOUND : SOTTO_IO;
    sotto_error error = SOTTO_OK;
    for (size_t done = 0; done < size && error == SOTTO_OK;) {
        ssize_t got = pread(fd, out + done, size - done, (off_t)(at + done));
        if (got == 0)
            error = SOTTO_NOT_FOUND;
        else if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            error = SOTTO_IO;
    }
    close(fd);
    return error;
}

static sotto_error sync_folder(const struct blob_files *files, char path[static PATH])
{
    path[FOLDER - 1] = '\0';
    int fd = openat(files->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    path[FOLDER - 1] = '/';
    if (fd < 0)
        return SOTTO_IO;
    sotto_error error = fsync(fd) == 0 ? SOTTO_OK : error_of(errno);
    close(fd);
    /* The folder itself may be as new as the file. */
    return error == SOTTO_OK && fsync(files->root) != 0 ? error_of(errno) : error;
}

sotto_error blob_file_sync(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                           bool whole)
{
    char path[PATH];
    path_of(hash, path);
    int fd = open_file(files, path, O_WRONLY);
    if (fd < 0)
        return SOTTO_IO;
    sotto_error error = files->disk.sync(fd) == 0 ? SOTTO_OK : error_of(errno);
    close(fd);
    return error == SOTTO_OK && whole ? sync_folder(files, path) : error;
}

sotto_error blob_file_cut(const struct blob_files *files, const uint8_t hash[static HASH_SIZE],
                          uint64_t size)
{
    char path[PATH];
    uint64_t now;
    path_of(hash, path);
    TRY(blob_file_size(files, hash, &now));
    if (now <= size)
        return SOTTO_OK;
    int fd = open_file(files, path, O_WRONLY);
    if (fd < 0)
        return SOTTO_IO;
    sotto_error error = ftruncate(fd, (off_t)size) == 0 ? SOTTO_OK : SOTTO_IO;
    close(fd);
    return error;
}

sotto_error blob_file_remove(const struct blob_files *files, const uint8_t hash[static HASH_SIZE])
{
    char path[PATH];
    path_of(hash, path);
    return unlinkat(files->root, path, 0) == 0 || errno == ENOENT ? SOTTO_OK : SOTTO_IO;
}

sotto_error blob_files_each(const struct blob_files *files, uint8_t first,
                            void (*each)(void *ctx, const uint8_t hash[static HASH_SIZE]),
                            void *ctx)
{
    char folder[FOLDER];
    snprintf(folder, sizeof folder, "%02x", first);
    int fd = openat(files->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SOTTO_OK : SOTTO_IO;
    DIR *entries = fdopendir(fd);
    if (entries == NULL) {
        close(fd);
        return SOTTO_IO;
    }
    const struct dirent *entry;
    uint8_t hash[HASH_SIZE];
    while ((entry = readdir(entries)) != NULL)
        if (hash_of(first, entry->d_name, hash))
            each(ctx, hash);
    closedir(entries);
    return SOTTO_OK;
}
