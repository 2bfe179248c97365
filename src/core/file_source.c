#include "core/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

int64_t file_mtime_ns(const struct stat *of)
{
    return (int64_t)of->st_mtim.tv_sec * 1000000000 + of->st_mtim.tv_nsec;
}

static bool read_at(int fd, uint8_t *out, size_t size, uint64_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(fd, out + done, size - done, (off_t)(at + done));
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

bool file_read_chunk(int fd, const struct file_cipher *cipher, uint64_t index, uint8_t *chunk)
{
    return read_at(fd, chunk, file_chunk_data(cipher, index), index * FILE_CHUNK);
}

sotto_error file_source_open(struct file_source *source, const sotto_env *env, const char *path)
{
    memset(source, 0, sizeof *source);
    sotto_buf_init(&source->bytes, env);
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return SOTTO_NO_MEMORY; /* which says nothing about the file */
    if (source->fd < 0 || fstat(source->fd, &source->stat) != 0)
        return SOTTO_IO;
    return S_ISREG(source->stat.st_mode) ? SOTTO_OK : SOTTO_ARGUMENT;
}

sotto_error file_source_start(const struct file_source *source, uint8_t start[static FILE_START])
{
    if ((uint64_t)source->stat.st_size < FILE_START)
        return SOTTO_UNSUPPORTED;
    return read_at(source->fd, start, FILE_START, 0) ? SOTTO_OK : SOTTO_IO;
}

sotto_error file_source_read(const struct file_source *source, sotto_buf *out)
{
    uint8_t *where;
    const uint64_t size = (uint64_t)source->stat.st_size;
    if (size > PICTURE_MAX)
        return SOTTO_LIMIT;
    TRY(sotto_buf_extend(out, (size_t)size, &where));
    return read_at(source->fd, where, (size_t)size, 0) ? SOTTO_OK : SOTTO_IO;
}

sotto_error file_source_strip(struct file_source *source)
{
    uint8_t start[FILE_START] = {0};
    const uint64_t size = (uint64_t)source->stat.st_size;
    enum picture_type type;
    sotto_fault fault;
    sotto_buf file;
    TRY(file_source_start(source, start));
    if (!picture_type_of(sotto_bytes_of(start, sizeof start), &type))
        return SOTTO_UNSUPPORTED;
    sotto_buf_init(&file, source->bytes.env);
    sotto_error error = file_source_read(source, &file);
    if (error == SOTTO_OK)
        error = sotto_buf_reserve(&source->bytes, (size_t)size + 64); /* it does not grow */
    if (error == SOTTO_OK)
        error = picture_strip(sotto_buf_view(&file), &source->picture, &source->bytes, &fault);
    sotto_buf_free(&file);
    source->stripped = error == SOTTO_OK;
    if (error != SOTTO_OK)
        sotto_buf_free(&source->bytes);
    return error;
}

uint64_t file_source_size(const struct file_source *source)
{
    return source->stripped ? source->bytes.size : (uint64_t)source->stat.st_size;
}

void file_source_digest(const struct file_source *source, uint8_t digest[static 32])
{
    crypto_hash_sha256(digest, source->bytes.data, source->bytes.size);
}

bool file_source_chunk(const struct file_source *source, const struct file_cipher *cipher,
                       uint64_t index, uint8_t *chunk)
{
    if (!source->stripped)
        return file_read_chunk(source->fd, cipher, index, chunk);
    size_t size = file_chunk_data(cipher, index);
    uint64_t at = index * FILE_CHUNK;
    if (size == 0)
        return true;
    if (at > source->bytes.size || source->bytes.size - at < size)
        return false;
    memcpy(chunk, source->bytes.data + at, size);
    return true;
}

void file_source_close(struct file_source *source)
{
    if (source->fd >= 0)
        (void)close(source->fd);
    source->fd = -1;
    sotto_buf_free(&source->bytes);
}
