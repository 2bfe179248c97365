/* The store when the disk is full, fails, or lies: a VFS that stands before the system's and fails
 * on demand. */
#include <stdlib.h>

#include <sqlite3.h>

#include "unit/faulty_vfs.h"
#include "unit/relay_world.h"

static int begin(void **state)
{
    struct relay_world *world = malloc(sizeof *world);
    assert_non_null(world);
    faulty_register();
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
    atomic_store(&faulty_writes_left, -1);
    atomic_store(&faulty_write_fault, SQLITE_FULL);
    assert_int_equal(do_append(world, &try), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(do_create(world, 2, 10, 20), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(world->health, SOTTO_FULL);
    assert_int_equal(do_open(world, 1, 20, &open), 0); /* what is there can be read */
    assert_int_equal(open.head, 1);
    atomic_store(&faulty_write_fault, 0);
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
        atomic_store(&faulty_writes_left, left);
        atomic_store(&faulty_write_fault, SQLITE_FULL);
        uint16_t code = do_append(world, &try);
        atomic_store(&faulty_write_fault, 0);
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
    atomic_store(&faulty_sync_fault, SQLITE_IOERR_FSYNC);
    assert_int_equal(do_append(world, &try), WIRE_CODE_UNAVAILABLE);
    assert_int_equal(world->health, SOTTO_IO);
    atomic_store(&faulty_sync_fault, 0);
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
