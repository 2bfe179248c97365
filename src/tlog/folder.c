#include "tlog/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write.h"

/* ---- Files ---------------------------------------------------------------------------------- */

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

/* Makes the folders of a path below base bytes of it, each durable in the one above it. */
static bool make_folders(char *path, size_t base)
{
    for (char *slash = strchr(path + base, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool good = mkdir(path, 0755) == 0;
        if (!good && errno == EEXIST) {
            *slash = '/';
            continue;
        }
        char *above = strrchr(path, '/');
        if (good && above != NULL && above != path) {
            *above = '\0';
            good = sync_folder(path);
            *above = '/';
        }
        *slash = '/';
        if (!good)
            return false;
    }
    return true;
}

sotto_error tlog_folder_put(const char *folder, const char *path, sotto_bytes bytes)
{
    char whole[PATH_MAX], temporary[PATH_MAX];
    int size = snprintf(whole, sizeof whole, "%s/%s", folder, path);
    if (size < 0 || (size_t)size + 5 > sizeof whole) {
        errno = ENAMETOOLONG;
        return SOTTO_IO;
    }
    snprintf(temporary, sizeof temporary, "%.*s.new", size, whole);
    if (!make_folders(whole, strlen(folder)))
        return SOTTO_IO;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return SOTTO_IO;
    bool good = write_whole(fd, bytes) && fsync(fd) == 0;
    const int kept = errno;
    good = close(fd) == 0 && good;
    if (good && rename(temporary, whole) == 0) {
        *strrchr(whole, '/') = '\0';
        return sync_folder(whole) ? SOTTO_OK : SOTTO_IO;
    }
    if (!good)
        errno = kept;
    return SOTTO_IO;
}

sotto_error tlog_folder_get(const char *folder, const char *path, size_t max, sotto_buf *out)
{
    char whole[PATH_MAX];
    struct stat status;
    uint8_t *where;
    if ((size_t)snprintf(whole, sizeof whole, "%s/%s", folder, path) >= sizeof whole)
        return SOTTO_IO;
    int fd = open(whole, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SOTTO_NOT_FOUND : SOTTO_IO;
    sotto_error error = SOTTO_OK;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        error = SOTTO_IO;
    else if ((uint64_t)status.st_size > max)
        error = SOTTO_LIMIT;
    const size_t size = error == SOTTO_OK ? (size_t)status.st_size : 0;
    if (error == SOTTO_OK && size > 0)
        error = sotto_buf_extend(out, size, &where);
    for (size_t done = 0; error == SOTTO_OK && done < size;) {
        ssize_t got = read(fd, where + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            error = SOTTO_IO;
        else
            done += (size_t)got;
    }
    close(fd);
    return error;
}

/* ---- Tiles ---------------------------------------------------------------------------------- */

struct source {
    const char *folder;
    const sotto_env *env;
};

/* A partial tile may have gone once the full one is there. */
static sotto_error get_tile(const struct source *source, const struct tlog_tile *tile,
                            sotto_buf *out)
{
    char path[TLOG_TILE_PATH_MAX];
    tlog_tile_path(tile, path);
    sotto_error error = tlog_folder_get(source->folder, path, TLOG_TILE_SIZE, out);
    if (error == SOTTO_NOT_FOUND && tile->width < TLOG_TILE_WIDTH) {
        const struct tlog_tile full = {tile->level, tile->index, TLOG_TILE_WIDTH};
        tlog_tile_path(&full, path);
        error = tlog_folder_get(source->folder, path, TLOG_TILE_SIZE, out);
    }
    if (error == SOTTO_OK && out->size < (size_t)tile->width * TLOG_HASH_SIZE)
        error = SOTTO_IO;
    return error == SOTTO_NOT_FOUND ? SOTTO_IO : error;
}

static sotto_error fetch(void *ctx, const struct tlog_tile *tile,
                         uint8_t out[static TLOG_TILE_SIZE])
{
    const struct source *source = ctx;
    sotto_buf bytes;
    sotto_buf_init(&bytes, source->env);
    sotto_error error = get_tile(source, tile, &bytes);
    if (error == SOTTO_OK)
        memcpy(out, bytes.data, (size_t)tile->width * TLOG_HASH_SIZE);
    sotto_buf_free(&bytes);
    return error;
}

static struct tlog_tiles *tiles_new(struct source *source, uint64_t size)
{
    struct tlog_tiles *tiles = mem_alloc(source->env, sizeof *tiles);
    if (tiles != NULL) {
        tiles->fetch = fetch;
        tiles->ctx = source;
        tiles->size = size;
    }
    return tiles;
}

sotto_error tlog_folder_root(const char *folder, uint64_t size, const sotto_env *env,
                             struct tlog_hash *root)
{
    struct source source = {folder, env};
    struct tlog_tiles *tiles = tiles_new(&source, size);
    if (tiles == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = tlog_root(tlog_tiles_read, tiles, size, root);
    mem_free(env, tiles, sizeof *tiles);
    return error;
}

sotto_error tlog_folder_consistency(const char *folder, uint64_t from, uint64_t to,
                                    const sotto_env *env,
                                    struct tlog_hash proof[static TLOG_PROOF_MAX], size_t *count)
{
    struct source source = {folder, env};
    struct tlog_tiles *tiles = tiles_new(&source, to);
    if (tiles == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = tlog_prove_consistency(tlog_tiles_read, tiles, from, to, proof, count);
    mem_free(env, tiles, sizeof *tiles);
    return error;
}

static sotto_error put_tile(const struct source *source, const struct tlog_tile *tile,
                            sotto_bytes bytes)
{
    char path[TLOG_TILE_PATH_MAX];
    tlog_tile_path(tile, path);
    return tlog_folder_put(source->folder, path, bytes);
}

/* The tile of leaf hashes and the bundle of the entries, from the entries. */
static sotto_error put_leaves(const struct source *source, uint64_t index, unsigned width,
                              tlog_entry_fn *entry, void *ctx)
{
    sotto_buf hashes, bundle;
    sotto_buf_init(&hashes, source->env);
    sotto_buf_init(&bundle, source->env);
    sotto_error error = SOTTO_OK;
    for (unsigned i = 0; error == SOTTO_OK && i < width; i++) {
        struct tlog_hash leaf;
        sotto_bytes bytes;
        error = entry(ctx, index * TLOG_TILE_WIDTH + i, &bytes);
        if (error != SOTTO_OK)
            break;
        tlog_hash_leaf(bytes, &leaf);
        error = tlog_bundle_put(&bundle, bytes);
        if (error == SOTTO_OK)
            error = sotto_buf_append(&hashes, leaf.bytes, TLOG_HASH_SIZE);
    }
    if (error == SOTTO_OK)
        error = put_tile(source, &(struct tlog_tile){TLOG_ENTRIES, index, width},
                         sotto_buf_view(&bundle));
    if (error == SOTTO_OK)
        error = put_tile(source, &(struct tlog_tile){0, index, width}, sotto_buf_view(&hashes));
    sotto_buf_free(&hashes);
    sotto_buf_free(&bundle);
    return error;
}

/* A tile above the lowest, from the full ones below it. */
static sotto_error put_above(struct source *source, unsigned level, uint64_t index, unsigned width)
{
    sotto_buf hashes;
    sotto_buf_init(&hashes, source->env);
    sotto_error error = SOTTO_OK;
    for (unsigned i = 0; error == SOTTO_OK && i < width; i++) {
        const struct tlog_tile below = {level - 1, index * TLOG_TILE_WIDTH + i, TLOG_TILE_WIDTH};
        struct tlog_hash row[TLOG_TILE_WIDTH];
        uint8_t bytes[TLOG_TILE_SIZE];
        error = fetch(source, &below, bytes);
        if (error != SOTTO_OK)
            break;
        memcpy(row, bytes, sizeof row);
        for (size_t count = TLOG_TILE_WIDTH; count > 1; count /= 2)
            for (size_t k = 0; k < count / 2; k++)
                tlog_hash_node(&row[2 * k], &row[2 * k + 1], &row[k]);
        error = sotto_buf_append(&hashes, row[0].bytes, TLOG_HASH_SIZE);
    }
    if (error == SOTTO_OK)
        error = put_tile(source, &(struct tlog_tile){level, index, width}, sotto_buf_view(&hashes));
    sotto_buf_free(&hashes);
    return error;
}

sotto_error tlog_folder_extend(const char *folder, uint64_t from, uint64_t to, tlog_entry_fn *entry,
                               void *ctx, const sotto_env *env)
{
    struct source source = {folder, env};
    if (from > to || to > TLOG_SIZE_MAX)
        return SOTTO_ARGUMENT;
    for (unsigned level = 0; level < TLOG_TILE_LEVELS; level++) {
        const uint64_t had = from >> (TLOG_TILE_HEIGHT * level);
        const uint64_t has = to >> (TLOG_TILE_HEIGHT * level);
        if (had == has)
            break; /* then no level above changes either */
        for (uint64_t index = had / TLOG_TILE_WIDTH; index * TLOG_TILE_WIDTH < has; index++) {
            const unsigned width = tlog_tile_width(level, index, to);
            TRY(level == 0 ? put_leaves(&source, index, width, entry, ctx)
                           : put_above(&source, level, index, width));
        }
    }
    return SOTTO_OK;
}
