/* The disk below the stores' encryption: files in memory, and what a crash leaves of them. A disk
 * keeps what was synced; of what was written since it may keep all, nothing, or a part in any order
 * and with a torn write at that, and which of it the seed decides.
 *
 * One process has a profile open at a time here, so locks are always to be had. */
#include <sqlite3.h>

#include "sim/sim.h"

struct change {
    sqlite3_int64 at, size_before;
    size_t size, old_size; /* bytes written; of the file there before */
    uint8_t *bytes, *old;
};

struct file {
    struct file *next;
    struct client *client;
    char path[256];
    uint8_t *bytes;
    size_t size, room;
    struct change *changes; /* not synced */
    size_t change_count, change_room;
    uint8_t *shared[64]; /* of the log's index */
};

struct handle {
    sqlite3_file base;
    struct file *file;
};

static struct world *the_world; /* SQLite's VFS is the process's */
static struct file *files;

/* ---- Files -------------------------------------------------------------------------------------
 */

static struct file *file_find(const char *path)
{
    for (struct file *file = files; file != NULL; file = file->next)
        if (strcmp(file->path, path) == 0)
            return file;
    return NULL;
}

static struct client *client_of(const char *path)
{
    for (unsigned i = 0; i < the_world->client_count; i++) {
        struct client *client = &the_world->clients[i];
        size_t size = strlen(client->folder);
        if (strncmp(client->folder, path, size) == 0 && path[size] == '/')
            return client;
    }
    return NULL;
}

static void changes_forget(struct file *file)
{
    for (size_t i = 0; i < file->change_count; i++) {
        free(file->changes[i].bytes);
        free(file->changes[i].old);
    }
    file->change_count = 0;
}

/* The store makes a database beside its place, as a new file, syncs and renames it, which SQLite's
 * VFS is not told of. */
static struct file *file_open(const char *path)
{
    static const char fresh[] = ".new";
    char before[sizeof files->path];
    size_t size = strlen(path);
    struct file *file = file_find(path);
    if (file != NULL && size > sizeof fresh && strcmp(path + size - sizeof fresh + 1, fresh) == 0) {
        changes_forget(file); /* of one that was killed */
        file->size = 0;
    }
    if (file != NULL)
        return file;
    (void)snprintf(before, sizeof before, "%s%s", path, fresh);
    file = file_find(before);
    if (file == NULL) {
        file = sim_alloc(sizeof *file);
        file->client = client_of(path);
        file->next = files;
        files = file;
    }
    (void)snprintf(file->path, sizeof file->path, "%s", path);
    changes_forget(file);
    return file;
}

static void put(struct file *file, const uint8_t *bytes, size_t size, size_t at)
{
    if (at + size > file->room) {
        file->room = (at + size) * 2;
        file->bytes = realloc(file->bytes, file->room);
        if (file->bytes == NULL)
            abort();
    }
    if (at > file->size)
        memset(file->bytes + file->size, 0, at - file->size);
    if (at + size > file->size)
        file->size = at + size;
    memcpy(file->bytes + at, bytes, size);
}

static void undo(struct file *file, const struct change *change)
{
    if (change->old_size > 0)
        put(file, change->old, change->old_size, (size_t)change->at);
    file->size = (size_t)change->size_before;
}

static void file_crash(struct file *file, struct chance *chance)
{
    for (size_t i = file->change_count; i > 0; i--)
        undo(file, &file->changes[i - 1]);
    uint64_t kind = chance_below(chance, 3); /* nothing of it, some of it, all of it */
    for (size_t i = 0; i < file->change_count; i++) {
        struct change *change = &file->changes[i];
        if (kind == 0 || (kind == 1 && chance_below(chance, 2) == 0))
            continue;
        size_t kept = change->size;
        if (kind == 1 && kept > 512 && chance_below(chance, 4) == 0)
            kept = 512 * (1 + chance_below(chance, kept / 512));
        if (change->bytes == NULL) /* it was cut off */
            file->size = file->size > (size_t)change->at ? (size_t)change->at : file->size;
        else
            put(file, change->bytes, kept, (size_t)change->at);
    }
    changes_forget(file);
}

static void shared_forget(struct file *file)
{
    for (size_t i = 0; i < sizeof file->shared / sizeof *file->shared; i++) {
        free(file->shared[i]);
        file->shared[i] = NULL;
    }
}

void disk_crash(struct client *client, bool power)
{
    for (struct file *file = files; file != NULL; file = file->next) {
        if (file->client != client)
            continue;
        if (power)
            file_crash(file, &client->chance);
        else
            changes_forget(file);
    }
}

void disk_forget(struct world *world)
{
    (void)world;
    while (files != NULL) {
        struct file *file = files;
        files = file->next;
        changes_forget(file);
        shared_forget(file);
        free(file->changes);
        free(file->bytes);
        free(file);
    }
    the_world = NULL;
}

/* ---- What SQLite calls -------------------------------------------------------------------------
 */

static struct file *of(sqlite3_file *handle)
{
    return ((struct handle *)(void *)handle)->file;
}

static int disk_close(sqlite3_file *handle)
{
    (void)handle;
    return SQLITE_OK;
}

static int disk_read(sqlite3_file *handle, void *out, int size, sqlite3_int64 at)
{
    const struct file *file = of(handle);
    size_t from = (size_t)at, wanted = (size_t)size, there = 0;
    if (from < file->size)
        there = file->size - from < wanted ? file->size - from : wanted;
    if (there > 0)
        memcpy(out, file->bytes + from, there);
    memset((uint8_t *)out + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static struct change *change_new(struct file *file, sqlite3_int64 at)
{
    struct change *change =
        sim_grow((void **)&file->changes, &file->change_count, &file->change_room, sizeof *change);
    change->at = at;
    change->size_before = (sqlite3_int64)file->size;
    return change;
}

static void keep_old(const struct file *file, struct change *change, size_t most)
{
    if ((size_t)change->at >= file->size)
        return;
    change->old_size =
        file->size - (size_t)change->at < most ? file->size - (size_t)change->at : most;
    change->old = sim_alloc(change->old_size);
    memcpy(change->old, file->bytes + change->at, change->old_size);
}

static int disk_write(sqlite3_file *handle, const void *bytes, int size, sqlite3_int64 at)
{
    struct file *file = of(handle);
    if (!client_lives(file->client))
        return SQLITE_IOERR_WRITE;
    struct change *change = change_new(file, at);
    keep_old(file, change, (size_t)size);
    change->size = (size_t)size;
    change->bytes = sim_alloc(change->size);
    memcpy(change->bytes, bytes, change->size);
    put(file, bytes, change->size, (size_t)at);
    return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *handle, sqlite3_int64 size)
{
    struct file *file = of(handle);
    if (!client_lives(file->client))
        return SQLITE_IOERR_TRUNCATE;
    if ((size_t)size >= file->size)
        return SQLITE_OK;
    keep_old(file, change_new(file, size), SIZE_MAX);
    file->size = (size_t)size;
    return SQLITE_OK;
}

static int disk_sync(sqlite3_file *handle, int flags)
{
    struct file *file = of(handle);
    (void)flags;
    if (!client_lives(file->client))
        return SQLITE_IOERR_FSYNC;
    changes_forget(file);
    return SQLITE_OK;
}

static int disk_size(sqlite3_file *handle, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)of(handle)->size;
    return SQLITE_OK;
}

static int disk_lock(sqlite3_file *handle, int level)
{
    (void)handle;
    (void)level;
    return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *handle, int *out)
{
    (void)handle;
    *out = 0;
    return SQLITE_OK;
}

static int disk_control(sqlite3_file *handle, int op, void *arg)
{
    (void)handle;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *handle)
{
    (void)handle;
    return 512;
}

static int disk_device(sqlite3_file *handle)
{
    (void)handle;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int disk_map(sqlite3_file *handle, int region, int size, int extend, void volatile **out)
{
    struct file *file = of(handle);
    if (region >= (int)(sizeof file->shared / sizeof *file->shared))
        return SQLITE_FULL;
    if (file->shared[region] == NULL && extend)
        file->shared[region] = sim_alloc((size_t)size);
    *out = file->shared[region];
    return SQLITE_OK;
}

static int disk_shared_lock(sqlite3_file *handle, int offset, int n, int flags)
{
    (void)handle;
    (void)offset;
    (void)n;
    (void)flags;
    return SQLITE_OK;
}

static void disk_barrier(sqlite3_file *handle)
{
    (void)handle;
}

/* The last process that has it open goes. */
static int disk_unmap(sqlite3_file *handle, int remove)
{
    (void)remove;
    shared_forget(of(handle));
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_lock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_device,
    .xShmMap = disk_map,
    .xShmLock = disk_shared_lock,
    .xShmBarrier = disk_barrier,
    .xShmUnmap = disk_unmap,
};

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *handle, int flags,
                     int *out_flags)
{
    (void)vfs;
    handle->pMethods = NULL;
    if (name == NULL || client_of(name) == NULL)
        return SQLITE_CANTOPEN;
    ((struct handle *)(void *)handle)->file = file_open(name);
    handle->pMethods = &methods;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct file *file = file_find(name);
    (void)vfs;
    (void)sync;
    if (file == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    if (!client_lives(file->client))
        return SQLITE_IOERR_DELETE;
    for (struct file **at = &files; *at != NULL; at = &(*at)->next)
        if (*at == file) {
            *at = file->next;
            break;
        }
    changes_forget(file);
    shared_forget(file);
    free(file->changes);
    free(file->bytes);
    free(file);
    return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    (void)flags;
    *out = file_find(name) != NULL;
    return SQLITE_OK;
}

static int disk_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int disk_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    memset(out, 0x5A, (size_t)size);
    return size;
}

static int disk_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int disk_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    *out = 2461000.5;
    return SQLITE_OK;
}

static int disk_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    if (size > 0)
        *out = '\0';
    return 0;
}

void disk_register(struct world *world)
{
    static sqlite3_vfs vfs = {
        .iVersion = 1,
        .szOsFile = sizeof(struct handle),
        .mxPathname = sizeof((struct file *)NULL)->path - 1,
        .zName = SIM_VFS,
        .xOpen = disk_open,
        .xDelete = disk_delete,
        .xAccess = disk_access,
        .xFullPathname = disk_full_pathname,
        .xRandomness = disk_randomness,
        .xSleep = disk_sleep,
        .xCurrentTime = disk_time,
        .xGetLastError = disk_error,
    };
    the_world = world;
    if (sqlite3_vfs_find(SIM_VFS) == NULL && sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        abort();
}
