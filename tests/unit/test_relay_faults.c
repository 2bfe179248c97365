/* The store when the disk is full, fails, or lies: a VFS that stands before the system's and fails
 * on demand. */
#include "unit/relay_world.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <sqlite3.h>

/* ---- The failing VFS ------------------------------------------------------------------------ */

static atomic_int write_fault, sync_fault; /* result codes; 0: none */
static atomic_int writes_left;             /* before write_fault strikes; negative: at once */

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

static int faulty_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), out, size, at);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    if (atomic_load(&write_fault) != 0 && atomic_fetch_sub(&writes_left, 1) <= 0)
        return atomic_load(&write_fault);
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, size, at);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
    int fault = atomic_load(&sync_fault);
    return fault != 0 ? fault : real_of(file)->pMethods->xSync(real_of(file), flags);
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
    int code = system_vfs->xOpen(system_vfs, name, faulty->real, flags, out_flags);
    file->pMethods = code == SQLITE_OK ? &faulty_methods : NULL;
    return code;
}

static void register_vfs(void)
{
    static sqlite3_vfs vfs;
    system_vfs = sqlite3_vfs_find(NULL);
    vfs = *system_vfs;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(struct faulty_file) + system_vfs->szOsFile;
    vfs.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static int begin(void **state)
{
    struct relay_world *world = malloc(sizeof *world);
    assert_non_null(world);
    register_vfs();
    world_begin(world, "faulty");
    *state = world;
    return 0;
}

static int end(void **state)
{
    world_end(*state);
    free(*state);
    return 0;
}

static void a_full_disk_refuses_everything_and_loses_nothing(void **state)
{
    struct relay_world *world = *state;
    struct append_try try = {.room = 1, .id = 2, .token = 10};
    struct store_room_open open;
    do_create(world, 1, 10, 20);
    assert_int_equal(say(world, 1, 1, 0, 10), 1);
    atomic_store(&writes_left, -1);
    atomic_store(&write_fault, SQLITE_FULL);
    assert_int_equal(do_append(world, &try), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(do_create(world, 2, 10, 20), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(world->health, SOTTO_FULL);
    assert_int_equal(do_open(world, 1, 20, &open), 0); /* what is there can be read */
    assert_int_equal(open.head, 1);
    atomic_store(&write_fault, 0);
    assert_int_equal(do_append(world, &try), 0);
    assert_int_equal(try.seq, 2);
    assert_int_equal(world->health, SOTTO_OK);
    assert_int_equal(do_open(world, 2, 20, &open), WIRE_CODE_NO_ROOM);
    world_listen(world);
    assert_int_equal(world->heard_count, 2); /* of the refused one nobody heard */
}

static void a_disk_that_fills_up_in_mid_write_takes_the_whole_batch_back(void **state)
{
    struct relay_world *world = *state;
    static uint8_t large[200000];
    struct append_try try = {.room = 1, .token = 10, .bytes = {large, sizeof large}};
    do_create(world, 1, 10, 20);
    for (int left = 0; left < 60; left++) {
        try.id = 1000 + (unsigned)left;
        atomic_store(&writes_left, left);
        atomic_store(&write_fault, SQLITE_FULL);
        uint16_t code = do_append(world, &try);
        atomic_store(&write_fault, 0);
        int64_t rows = world_query(world, "SELECT count(*) FROM entries");
        assert_int_equal(rows, world_query(world, "SELECT next_seq-1 FROM rooms"));
        if (code == 0)
            assert_int_equal(rows, (int64_t)try.seq);
        else
            assert_int_equal(code, WIRE_CODE_UNAVAILABLE);
    }
}

static void what_was_not_synced_is_not_acknowledged(void **state)
{
    struct relay_world *world = *state;
    struct append_try try = {.room = 1, .id = 1, .token = 10};
    do_create(world, 1, 10, 20);
    atomic_store(&sync_fault, SQLITE_IOERR_FSYNC);
    assert_int_equal(do_append(world, &try), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(world->health, SOTTO_IO);
    atomic_store(&sync_fault, 0);
    world_listen(world);
    assert_int_equal(world->heard_count, 0);
    assert_int_equal(do_append(world, &try), 0);
    assert_int_equal(try.seq, 1);
}

static void another_program_that_holds_the_file_is_named_at_the_start(void **state)
{
    struct relay_world *world = *state;
    const struct store_sqlite_options options = {.path = world->path, .readers = 1};
    struct store *store;
    const char *why;
    sqlite3 *db;
    world_close(world);
    assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    assert_error(store_sqlite_open(&world->env, &options, &store, &why), BUSY);
    sqlite3_close(db);
    world_reopen(world, "faulty");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct relay_world *world = *state;
    struct store *store;
    const char *why;
    char path[128];
    snprintf(path, sizeof path, "%s/other", world->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        fputs("this is no database ", file);
    fclose(file);
    const struct store_sqlite_options options = {.path = path, .readers = 1};
    assert_error(store_sqlite_open(&world->env, &options, &store, &why), IO);
    assert_int_not_equal(strlen(why), 0);
    remove(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk_refuses_everything_and_loses_nothing),
        TEST(a_disk_that_fills_up_in_mid_write_takes_the_whole_batch_back),
        TEST(what_was_not_synced_is_not_acknowledged),
        TEST(another_program_that_holds_the_file_is_named_at_the_start),
        TEST(a_file_that_is_no_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
