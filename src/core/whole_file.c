#include "core/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/write.h"

enum { PIECE = 64 * 1024 };

/* Of a regular file. */
static sotto_error read_all(int fd, size_t most, sotto_buf *out)
{
    size_t start = out->size;
    ssize_t got = 1;
    while (got != 0 && out->size - start <= most) {
        size_t left = most + 1 - (out->size - start), before = out->size;
        uint8_t *at;
        TRY(sotto_buf_extend(out, left < PIECE ? left : PIECE, &at));
        got = read(fd, at, out->size - before);
        out->size = before + (got > 0 ? (size_t)got : 0);
        if (got < 0 && errno != EINTR)
            return SOTTO_IO;
    }
    return SOTTO_OK;
}

sotto_error whole_file_read(struct sotto *core, const char *path, size_t most, sotto_buf *out)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool file = fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
    sotto_error error = file ? read_all(fd, most, out) : SOTTO_IO;
    if (fd >= 0)
        (void)close(fd);
    if (error == SOTTO_IO)
        return problem_set(&core->problem, SOTTO_IO, SOTTO_CODE_NO_FILE, "Name a file.",
                           "`%s` cannot be read.", path);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the file");
}

sotto_error whole_file_write(struct sotto *core, const char *path, sotto_bytes bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool exists = fd < 0 && errno == EEXIST;
    bool written = fd >= 0 && write_whole(fd, bytes);
    if (fd >= 0 && close(fd) != 0)
        written = false;
    if (fd >= 0 && !written)
        (void)unlink(path); /* nothing by halves */
    if (written)
        return SOTTO_OK;
    return problem_set(&core->problem, exists ? SOTTO_EXISTS : SOTTO_IO,
                       exists ? SOTTO_CODE_EXISTS : SOTTO_CODE_NO_FILE, "Name another file.",
                       "`%s` %s.", path, exists ? "is there already" : "cannot be written");
}
