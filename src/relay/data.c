#include "relay/data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write.h"

bool data_path(const struct config *config, enum data_file file, char path[static PATH_MAX])
{
    static const char *const names[] = {
        [DATA_STORE] = "relay.db",
        [DATA_LOCK] = "lock",
        [DATA_CERTIFICATE] = "certificate.pem",
        [DATA_KEY] = "key.pem",
        [DATA_ADDRESS] = "address",
        [DATA_BLOBS] = "blobs",
        [DATA_BACKUP] = "last-backup",
        [DATA_SANDBOX] = "sandbox-test",
        [DATA_LOG] = "orders/log",
        [DATA_NOTICES] = "orders/outgoing",
        [DATA_WITHDRAWALS] = WITHDRAWAL_FOLDER,
    };
    int size = snprintf(path, PATH_MAX, "%s/%s", config->data, names[file]);
    return size > 0 && size < PATH_MAX;
}

static bool make_folders(const char *path)
{
    char part[PATH_MAX];
    for (size_t i = 1;; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0700) != 0 && errno != EEXIST)
                return false;
        }
        if (path[i] == '\0')
            return true;
    }
}

bool data_prepare(const struct config *config, char problem[static CONFIG_TEXT])
{
    char path[PATH_MAX];
    struct stat folder;
    if (config->data[0] == '\0' || !data_path(config, DATA_CERTIFICATE, path)) {
        snprintf(problem, CONFIG_TEXT, "the data directory's name is too long or empty");
        return false;
    }
    if (!make_folders(config->data) || stat(config->data, &folder) != 0) {
        snprintf(problem, CONFIG_TEXT, "the data directory %.400s cannot be made: %s", config->data,
                 strerror(errno));
        return false;
    }
    if (!S_ISDIR(folder.st_mode)) {
        snprintf(problem, CONFIG_TEXT, "%.400s is not a directory: choose another with --data",
                 config->data);
        return false;
    }
    if ((folder.st_mode & 077) != 0 && chmod(config->data, 0700) != 0) {
        snprintf(problem, CONFIG_TEXT,
                 "%.400s can be read by others and is not ours to change: make it mode 0700",
                 config->data);
        return false;
    }
    return true;
}

int data_lock(const struct config *config, char problem[static CONFIG_TEXT])
{
    char path[PATH_MAX];
    data_path(config, DATA_LOCK, path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(problem, CONFIG_TEXT, "%.400s cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(problem, CONFIG_TEXT,
                 "another sottod serves %.400s: stop it first, or choose another --data",
                 config->data);
        close(fd);
        return -1;
    }
    return fd;
}

bool data_is_served(const struct config *config)
{
    char path[PATH_MAX];
    data_path(config, DATA_LOCK, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool served = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return served;
}

bool data_store(const struct config *config, const sotto_env *env,
                void (*health)(void *ctx, sotto_error error), void *ctx, struct store **store,
                char problem[static CONFIG_TEXT])
{
    static char path[PATH_MAX]; /* the store keeps the pointer */
    const char *why;
    data_path(config, DATA_STORE, path);
    const struct store_sqlite_options options = {
        .path = path,
        .readers = 2,
        .health = health,
        .health_ctx = ctx,
    };
    switch (store_sqlite_open(env, &options, store, &why)) {
    case SOTTO_OK:
        return true;
    case SOTTO_BUSY:
        snprintf(problem, CONFIG_TEXT,
                 "%.400s is held by another program: end it (a backup? a database browser?), then"
                 " start sottod again",
                 path);
        return false;
    case SOTTO_VERSION:
        snprintf(problem, CONFIG_TEXT,
                 "%.400s was written by a newer sottod: install that version or a later one", path);
        return false;
    case SOTTO_FULL:
        snprintf(problem, CONFIG_TEXT, "no space left for %.400s: free some, then start again",
                 path);
        return false;
    default:
        snprintf(problem, CONFIG_TEXT,
                 "%.400s cannot be opened (%s): look at its permissions, or restore it from a"
                 " backup",
                 path, why[0] != '\0' ? why : strerror(errno));
        return false;
    }
}

int command_fail(const char *format, ...)
{
    __builtin_va_list arguments;
    fputs("sottod: ", stderr);
    __builtin_va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    __builtin_va_end(arguments);
    fputs(".\n", stderr);
    return 1;
}

sotto_error data_write(const char *path, sotto_bytes content)
{
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= PATH_MAX)
        return SOTTO_IO;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return SOTTO_IO;
    sotto_error error = SOTTO_OK;
    if (!write_whole(fd, content))
        error = errno == ENOSPC ? SOTTO_FULL : SOTTO_IO;
    close(fd);
    if (error == SOTTO_OK && rename(temporary, path) != 0)
        error = SOTTO_IO;
    if (error != SOTTO_OK)
        unlink(temporary);
    return error;
}
