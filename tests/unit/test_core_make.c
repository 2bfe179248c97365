/* Plain profiles of older versions: encrypted in place, nothing lost wherever it is killed, the
 * plain text gone. */
#include "unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/disk.h"
#include "core/store_query.h"
#include "unit/faulty_vfs.h"
#include "unit/folder.h"
#include "unit/killed.h"

#define MARKER "Rumpelstilzchen"

static char base[64], folder[80], template[80];
static const sotto_env *env;

static sotto_error open_store(struct store **store, sotto_fault *fault)
{
    *fault = (sotto_fault){.what = ""};
    *store = NULL;
    return store_open(env, folder, NULL, store, fault);
}

static void copy_file(const char *from, const char *to)
{
    static uint8_t bytes[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in != NULL && out != NULL);
    size_t size = fread(bytes, 1, sizeof bytes, in);
    assert_true(size < sizeof bytes);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void path_of(char out[static 400], const char *name)
{
    snprintf(out, 400, "%s/%s", folder, name);
}

/* The profile as the older version left it when it was killed: half of it in the log. */
static void put_plain(void)
{
    char from[400], to[400];
    static const char *const names[] = {"profile.db", "profile.db-wal"};
    folder_empty(folder);
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/%s", template, names[i]);
        path_of(to, names[i]);
        copy_file(from, to);
    }
}

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

/* The tables of the last version that left them plain, with rows of every type. */
static void fill_plain(sqlite3 *db)
{
    run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    for (uint64_t version = 0; version < 3; version++)
        run(db, store_schema_step(version));
    run(db, "UPDATE number SET value = 7 WHERE name = 'message.position'");
    run(db, "INSERT INTO request (room, sender, received_s, envelope) VALUES"
            " (x'01', x'02', 3, x'0004'), (x'05', x'06', 7, randomblob(9000)); "
            "DELETE FROM request WHERE id = 2");
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    run(db, "INSERT INTO value VALUES ('x', CAST('" MARKER "' AS BLOB)), ('y', zeroblob(5000))");
    run(db,
        "INSERT INTO contact (account, name, relay, contact, verified, blocked, manifest_number,"
        " manifest, added_s) VALUES (x'07', '" MARKER "', 'r:1', 1, 0, 0, 1, x'', 5)");
}

static int setup_all(void **state)
{
    (void)state;
    env = sotto_env_system();
    if (!folder_make(base, "make"))
        return -1;
    snprintf(folder, sizeof folder, "%s/profile", base);
    snprintf(template, sizeof template, "%s/template", base);
    if (mkdir(folder, 0700) != 0 || mkdir(template, 0700) != 0)
        return -1;
    sqlite3 *db = NULL;
    char path[400], log[400], kept[2][400];
    path_of(path, "plain.db");
    path_of(log, "plain.db-wal");
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    fill_plain(db);
    snprintf(kept[0], sizeof kept[0], "%s/profile.db", template);
    snprintf(kept[1], sizeof kept[1], "%s/profile.db-wal", template);
    copy_file(path, kept[0]);
    copy_file(log, kept[1]);
    sqlite3_close(db);
    return 0;
}

static int teardown_all(void **state)
{
    (void)state;
    return folder_remove(base);
}

static void expect_all_there(void)
{
    struct store *store;
    sotto_fault fault;
    struct arena arena;
    sotto_bytes value;
    uint64_t number;
    struct query q;
    sotto_error error = open_store(&store, &fault);
    if (error != SOTTO_OK)
        fail_msg("%s: %s", sotto_error_name(error), fault.what);
    arena_init(&arena, env);
    assert_ok(store_value_get(store, "x", &arena, &value));
    assert_bytes(value, sotto_bytes_str(MARKER));
    assert_ok(store_value_get(store, "y", &arena, &value));
    assert_int_equal(value.size, 5000);
    assert_ok(store_number_get(store, "message.position", &number));
    assert_int_equal(number, 7);
    query_read(
        &q, store,
        "SELECT (SELECT count(*) FROM contact WHERE name = '" MARKER "' AND account = x'07'"
        " AND account_key IS NULL), (SELECT seq FROM sqlite_sequence WHERE name = 'request'),"
        " (SELECT count(*) FROM request WHERE envelope = x'0004'),"
        " (SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'message_order')");
    assert_true(query_next(&q));
    assert_int_equal(column_i64(&q), 1);
    assert_int_equal(column_i64(&q), 2); /* is not given again */
    assert_int_equal(column_i64(&q), 1);
    assert_int_equal(column_i64(&q), 1);
    assert_ok(query_end(&q));
    assert_ok(store_check(store));
    arena_free(&arena);
    store_close(store);
}

/* Nothing in the clear, and no file that does not belong there. */
static void expect_only_ciphertext(void)
{
    size_t files = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        static uint8_t bytes[1 << 20];
        char path[400];
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        files++;
        path_of(path, entry->d_name);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        FILE *file = fopen(path, "rb");
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        assert_null(memmem(bytes, size, MARKER, strlen(MARKER)));
        assert_null(memmem(bytes, size, "SQLite format", 13));
    }
    closedir(dir);
    assert_int_equal(files, 3); /* profile.db, keys, profile.lock */
}

/* ---- */

static void a_plain_profile_is_encrypted_at_its_first_opening(void **state)
{
    (void)state;
    static uint8_t left[1 << 20];
    char path[400], log[400];
    put_plain();
    path_of(path, "profile.db");
    path_of(log, "profile.db-wal");
    assert_int_equal(chmod(path, 0644), 0);
    int plain = open(path, O_RDONLY), plain_log = open(log, O_RDONLY);
    assert_true(pread(plain_log, left, sizeof left, 0) > 8192);
    assert_non_null(memmem(left, sizeof left, MARKER, strlen(MARKER)));
    expect_all_there();
    expect_only_ciphertext();
    /* What was in the old files' blocks. */
    int files[] = {plain, plain_log};
    for (size_t i = 0; i < 2; i++) {
        ssize_t size = pread(files[i], left, sizeof left, 0);
        assert_true(size > 8192);
        for (ssize_t at = 0; at < size; at++)
            assert_int_equal(left[at], 0);
        close(files[i]);
    }
    expect_all_there();
}

static void convert(void *ctx)
{
    (void)ctx;
    struct store *store;
    sotto_fault fault;
    (void)open_store(&store, &fault);
    store_close(store);
}

static void nothing_is_lost_wherever_it_is_killed(void **state)
{
    (void)state;
    unsigned n = 0;
    if (!killed_possible())
        skip();
    for (bool killed = true; killed; n += killed_step(350)) {
        put_plain();
        killed = killed_before(n, convert, NULL);
        expect_all_there();
        expect_only_ciphertext();
    }
    assert_in_range(n, 40, 500);
}

static void a_new_profile_is_made_wherever_it_was_killed_before(void **state)
{
    (void)state;
    unsigned n = 0;
    if (!killed_possible())
        skip();
    /* First files are made, then tables, one like the other. */
    for (bool killed = true; killed; n += killed_step(n < 40 ? 40 : 300)) {
        struct store *store;
        sotto_fault fault;
        folder_empty(folder);
        killed = killed_before(n, convert, NULL);
        sotto_error error = open_store(&store, &fault);
        if (error != SOTTO_OK)
            fail_msg("%u: %s: %s", n, sotto_error_name(error), fault.what);
        assert_ok(store_check(store));
        store_close(store);
        expect_only_ciphertext();
    }
    assert_in_range(n, 20, 1000);
}

/* Killed between two renames, on a file system without second names. */
static void a_database_that_was_put_aside_is_put_back(void **state)
{
    (void)state;
    char path[400], aside[400];
    put_plain();
    convert(NULL); /* so that there is a key */
    put_plain();
    path_of(path, "profile.db");
    path_of(aside, "profile.db.plain");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode = DELETE");
    sqlite3_close(db);
    assert_int_equal(rename(path, aside), 0);
    expect_all_there();
    expect_only_ciphertext();
}

static void two_plain_databases_are_left_alone(void **state)
{
    (void)state;
    struct store *store;
    sotto_fault fault;
    char path[400], aside[400];
    put_plain();
    path_of(path, "profile.db");
    path_of(aside, "profile.db.plain");
    copy_file(path, aside);
    assert_error(open_store(&store, &fault), IO);
    assert_string_equal(fault.what,
                        "profile.db.plain is there too; one of both has to be moved away");
    assert_int_equal(unlink(aside), 0);
    expect_all_there();
}

static void a_damaged_plain_database_stays_as_it_is(void **state)
{
    (void)state;
    static uint8_t before[1 << 20], after[1 << 20];
    static const uint8_t rubbish[4096] = {0xA5, 0xA5, 0xA5};
    struct store *store;
    sotto_fault fault;
    char path[400], log[400];
    put_plain();
    path_of(path, "profile.db");
    path_of(log, "profile.db-wal");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode = DELETE");
    sqlite3_close(db);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, 8192), sizeof rubbish);
    ssize_t size = pread(fd, before, sizeof before, 0);
    assert_error(open_store(&store, &fault), VALUE);
    assert_string_equal(fault.what, "profile.db: the database is damaged");
    close(fd);
    fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, after, sizeof after, 0), size);
    assert_memory_equal(before, after, (size_t)size);
    close(fd);
}

/* A process of the older version, which goes on writing: it is waited for. */
static void a_profile_that_an_older_version_has_open_waits(void **state)
{
    (void)state;
    int ends[2], status;
    char byte = 0, path[400];
    put_plain();
    path_of(path, "profile.db");
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(path, &db) != SQLITE_OK)
            _exit(1);
        if (sqlite3_exec(db, "SELECT count(*) FROM value", NULL, NULL, NULL) != SQLITE_OK ||
            write(ends[1], "", 1) != 1)
            _exit(1);
        struct timespec nap = {.tv_nsec = 100 * 1000 * 1000};
        nanosleep(&nap, NULL);
        if (sqlite3_exec(db, "UPDATE contact SET added_s = 99", NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        sqlite3_close(db);
        _exit(42);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    expect_all_there();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    struct store *store;
    sotto_fault fault;
    assert_ok(open_store(&store, &fault));
    struct query q;
    query_read(&q, store, "SELECT added_s FROM contact");
    assert_true(query_next(&q));
    assert_int_equal(column_i64(&q), 99);
    assert_ok(query_end(&q));
    store_close(store);
    close(ends[0]);
    close(ends[1]);
}

static void processes_that_meet_a_plain_profile_convert_it_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    pid_t children[PROCESSES];
    int status;
    put_plain();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct store *store;
            sotto_fault fault;
            sotto_error error = open_store(&store, &fault);
            store_close(store);
            _exit(error == SOTTO_OK ? 42 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    }
    expect_all_there();
    expect_only_ciphertext();
}

static sotto_error convert_over_faulty(sotto_fault *fault)
{
    const struct store_access access = {.vfs = "faulty"};
    struct store *store = NULL;
    sotto_error error = store_open(env, folder, &access, &store, fault);
    store_close(store);
    return error;
}

/* A disk that is full, or that writes something else than it was given, at each write in turn. */
static void a_conversion_that_fails_leaves_the_plain_database(void **state)
{
    (void)state;
    sotto_fault fault;
    bool struck = true;
    unsigned n = 0, full = 0, damaged = 0, step = killed_step(250);
    for (; struck; n += step) {
        put_plain();
        atomic_store(&faulty_writes_left, (int)n);
        atomic_store(&faulty_write_fault, SQLITE_FULL);
        full += convert_over_faulty(&fault) == SOTTO_FULL;
        struck = atomic_load(&faulty_writes_left) < 0;
        atomic_store(&faulty_write_fault, 0);
        expect_all_there();
        expect_only_ciphertext();
    }
    assert_in_range(full * step, 40, n);
    /* Those of the plain database are SQLite's, which notices nothing. */
    for (unsigned flip = 8; flip < n; flip += step) {
        put_plain();
        sqlite3 *db = NULL;
        char path[400];
        path_of(path, "profile.db");
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        run(db, "PRAGMA journal_mode = DELETE");
        sqlite3_close(db);
        atomic_store(&faulty_flip, (int)flip);
        sotto_error error = convert_over_faulty(&fault);
        atomic_store(&faulty_flip, -1);
        if (error == SOTTO_VALUE && disk_exists(folder, "profile.db.new"))
            damaged++;
        else
            assert_ok(error);
        if (error == SOTTO_OK) /* the flip was in what came afterwards, in the log */
            continue;
        expect_all_there();
        expect_only_ciphertext();
    }
    assert_in_range(damaged * step, 30, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_profile_is_encrypted_at_its_first_opening),
        cmocka_unit_test(nothing_is_lost_wherever_it_is_killed),
        cmocka_unit_test(a_new_profile_is_made_wherever_it_was_killed_before),
        cmocka_unit_test(a_database_that_was_put_aside_is_put_back),
        cmocka_unit_test(two_plain_databases_are_left_alone),
        cmocka_unit_test(a_damaged_plain_database_stays_as_it_is),
        cmocka_unit_test(a_conversion_that_fails_leaves_the_plain_database),
        cmocka_unit_test(a_profile_that_an_older_version_has_open_waits),
        cmocka_unit_test(processes_that_meet_a_plain_profile_convert_it_once),
    };
    faulty_register();
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
