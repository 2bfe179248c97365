#include "unit/faulty_vfs.h"

#include <pthread.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "unit/check.h"

atomic_int faulty_write_fault, faulty_sync_fault;
atomic_int faulty_writes_left, faulty_syncs_left;
atomic_int faulty_flip = -1;

enum { SECTOR = 512 };

/* ---- What a disk holds ---------------------------------------------------------------------- */

struct pending {
    struct pending *next;
    bool truncates;
    size_t at, size; /* truncates: to at */
    uint8_t bytes[];
};

/* One file: what was synced, and what was written since, in order. */
struct disk {
    uint8_t *bytes;
    size_t size;
    struct pending *first, **last;
    size_t count;
};

enum { DISK_DATABASE, DISK_LOG, DISKS };

static struct {
    pthread_mutex_t lock;
    bool on;
    char path[128];
    struct disk disks[DISKS];
} recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void resize(struct disk *disk, size_t size)
{
    uint8_t *bytes = realloc(disk->bytes, size > 0 ? size : 1);
    assert_non_null(bytes);
    if (size > disk->size)
        memset(bytes + disk->size, 0, size - disk->size);
    disk->bytes = bytes;
    disk->size = size;
}

/* The first size bytes of the write. */
static void apply(struct disk *disk, const struct pending *pending, size_t size)
{
    if (pending->truncates) {
        resize(disk, pending->at);
        return;
    }
    if (pending->at + size > disk->size)
        resize(disk, pending->at + size);
    memcpy(disk->bytes + pending->at, pending->bytes, size);
}

static void forget(struct disk *disk)
{
    struct pending *one = disk->first;
    disk->first = one->next;
    if (disk->first == NULL)
        disk->last = &disk->first;
    disk->count--;
    free(one);
}

static void remember(struct disk *disk, bool truncates, size_t at, const void *bytes, size_t size)
{
    if (disk == NULL)
        return;
    struct pending *one = malloc(sizeof *one + size);
    assert_non_null(one);
    *one = (struct pending){.truncates = truncates, .at = at, .size = size};
    if (size > 0)
        memcpy(one->bytes, bytes, size);
    *disk->last = one;
    disk->last = &one->next;
    disk->count++;
}

static void load(struct disk *disk, const char *path)
{
    FILE *file = fopen(path, "rb");
    disk->last = &disk->first;
    if (file == NULL)
        return;
    fseek(file, 0, SEEK_END);
    resize(disk, (size_t)ftell(file));
    rewind(file);
    assert_int_equal(fread(disk->bytes, 1, disk->size, file), disk->size);
    fclose(file);
}

static void log_path(char out[static 136], const char *path)
{
    snprintf(out, 136, "%s-wal", path);
}

void faulty_record(const char *path)
{
    char log[136];
    pthread_mutex_lock(&recorder.lock);
    assert_false(recorder.on);
    snprintf(recorder.path, sizeof recorder.path, "%s", path);
    log_path(log, path);
    load(&recorder.disks[DISK_DATABASE], path);
    load(&recorder.disks[DISK_LOG], log);
    recorder.on = true;
    pthread_mutex_unlock(&recorder.lock);
}

void faulty_record_end(void)
{
    pthread_mutex_lock(&recorder.lock);
    for (size_t i = 0; i < DISKS; i++) {
        struct disk *disk = &recorder.disks[i];
        while (disk->first != NULL)
            forget(disk);
        free(disk->bytes);
        *disk = (struct disk){0};
    }
    recorder.on = false;
    pthread_mutex_unlock(&recorder.lock);
}

/* The next number of a small generator (splitmix64): a test can be repeated. */
static uint64_t draw(uint64_t *state)
{
    uint64_t value = *state += 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

/* Either the writes up to some moment, whose last one is torn, or a part of them in disorder. */
static void cut_disk(const struct disk *disk, const char *path, uint64_t *random)
{
    struct disk left = {0};
    bool in_order = draw(random) % 2 == 0;
    size_t kept = disk->count > 0 ? draw(random) % (disk->count + 1) : 0, at = 0;
    resize(&left, disk->size);
    memcpy(left.bytes, disk->bytes, disk->size);
    for (const struct pending *one = disk->first; one != NULL; one = one->next, at++) {
        size_t torn = draw(random) % (one->size / SECTOR + 1) * SECTOR;
        if (in_order ? at < kept : draw(random) % 2 == 0)
            apply(&left, one, one->size);
        else if (!one->truncates && torn > 0 && (!in_order || at == kept))
            apply(&left, one, torn);
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(left.bytes, 1, left.size, file), left.size);
    assert_int_equal(fclose(file), 0);
    free(left.bytes);
}

void faulty_cut(const char *copy, uint64_t random)
{
    char log[136];
    log_path(log, copy);
    pthread_mutex_lock(&recorder.lock);
    assert_true(recorder.on);
    cut_disk(&recorder.disks[DISK_DATABASE], copy, &random);
    cut_disk(&recorder.disks[DISK_LOG], log, &random);
    pthread_mutex_unlock(&recorder.lock);
}

/* ---- The VFS -------------------------------------------------------------------------------- */

struct faulty_file {
    sqlite3_file base;
    int disk;           /* -1: neither database nor log */
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

/* With the lock held. NULL: nothing is recorded of this file. */
static struct disk *disk_of(sqlite3_file *file)
{
    int disk = ((struct faulty_file *)file)->disk;
    return recorder.on && disk >= 0 ? &recorder.disks[disk] : NULL;
}

static int faulty_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), out, size, at);
}

/* The lock is held over the system's call, so that the record has the order of the file. */
static int faulty_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    int fault = atomic_load(&faulty_write_fault);
    if (fault != 0 && atomic_fetch_sub(&faulty_writes_left, 1) <= 0)
        return fault;
    uint8_t *flipped = NULL;
    if (atomic_load(&faulty_flip) >= 0 && atomic_fetch_sub(&faulty_flip, 1) == 0) {
        flipped = malloc((size_t)size);
        assert_non_null(flipped);
        memcpy(flipped, bytes, (size_t)size);
        flipped[size / 2] ^= 1;
        bytes = flipped;
    }
    pthread_mutex_lock(&recorder.lock);
    int code = real_of(file)->pMethods->xWrite(real_of(file), bytes, size, at);
    if (code == SQLITE_OK)
        remember(disk_of(file), false, (size_t)at, bytes, (size_t)size);
    pthread_mutex_unlock(&recorder.lock);
    free(flipped);
    return code;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    pthread_mutex_lock(&recorder.lock);
    int code = real_of(file)->pMethods->xTruncate(real_of(file), size);
    if (code == SQLITE_OK)
        remember(disk_of(file), true, (size_t)size, NULL, 0);
    pthread_mutex_unlock(&recorder.lock);
    return code;
}

/* What was written before the sync began is on the disk once it is over. */
static int faulty_sync(sqlite3_file *file, int flags)
{
    int fault = atomic_load(&faulty_sync_fault);
    if (fault != 0 && atomic_fetch_sub(&faulty_syncs_left, 1) <= 0)
        return fault;
    pthread_mutex_lock(&recorder.lock);
    struct disk *disk = disk_of(file);
    size_t count = disk != NULL ? disk->count : 0;
    pthread_mutex_unlock(&recorder.lock);
    int code = real_of(file)->pMethods->xSync(real_of(file), flags);
    pthread_mutex_lock(&recorder.lock);
    disk = disk_of(file);
    for (; disk != NULL && code == SQLITE_OK && count > 0 && disk->first != NULL; count--) {
        apply(disk, disk->first, disk->first->size);
        forget(disk);
    }
    pthread_mutex_unlock(&recorder.lock);
    return code;
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int faulty_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_reserved(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int faulty_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int faulty_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int faulty_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, out);
}

static int faulty_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void faulty_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int faulty_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* Version 2: no memory-mapped database, whose writes would pass by. */
static const sqlite3_io_methods faulty_methods = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_reserved,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_device,
    .xShmMap = faulty_map,
    .xShmLock = faulty_shm_lock,
    .xShmBarrier = faulty_barrier,
    .xShmUnmap = faulty_unmap,
};

static sqlite3_vfs *system_vfs;

static int faulty_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                       int *out_flags)
{
    (void)vfs;
    struct faulty_file *faulty = (struct faulty_file *)file;
    faulty->real = (sqlite3_file *)(void *)(faulty + 1);
    faulty->disk = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? DISK_DATABASE
                   : (flags & SQLITE_OPEN_WAL) != 0   ? DISK_LOG
                                                      : -1;
    int code = system_vfs->xOpen(system_vfs, name, faulty->real, flags, out_flags);
    file->pMethods = code == SQLITE_OK ? &faulty_methods : NULL;
    return code;
}

void faulty_register(void)
{
    static sqlite3_vfs vfs;
    system_vfs = sqlite3_vfs_find(NULL);
    vfs = *system_vfs;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(struct faulty_file) + system_vfs->szOsFile;
    vfs.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
}
