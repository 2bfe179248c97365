/* Databases of older relays, and upgrades that are cut short. */
#include "unit/relay_world.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "relay/store_sql.h"

/* What the first version made: fixed, since such databases are about. */
static const char version_1[] = "CREATE TABLE accounts("
                                " key INTEGER PRIMARY KEY AUTOINCREMENT,"
                                " account_id BLOB NOT NULL UNIQUE,"
                                " phone TEXT UNIQUE,"
                                " last_ip TEXT,"
                                " last_ip_time INTEGER,"
                                " manifest BLOB NOT NULL);"
                                "CREATE TABLE devices("
                                " key INTEGER PRIMARY KEY AUTOINCREMENT,"
                                " account INTEGER NOT NULL,"
                                " device_id BLOB NOT NULL,"
                                " sign_in_hash BLOB NOT NULL,"
                                " last_resort BLOB,"
                                " inbox_next INTEGER NOT NULL DEFAULT 1,"
                                " inbox_count INTEGER NOT NULL DEFAULT 0,"
                                " inbox_bytes INTEGER NOT NULL DEFAULT 0,"
                                " UNIQUE(account, device_id));"
                                "CREATE TABLE key_packages("
                                " position INTEGER PRIMARY KEY,"
                                " device INTEGER NOT NULL,"
                                " bytes BLOB NOT NULL);"
                                "CREATE INDEX key_packages_device ON key_packages(device);"
                                "CREATE TABLE taken("
                                " device INTEGER NOT NULL,"
                                " take_id BLOB NOT NULL,"
                                " bytes BLOB,"
                                " day INTEGER NOT NULL,"
                                " PRIMARY KEY(device, take_id));"
                                "CREATE TABLE envelopes("
                                " position INTEGER PRIMARY KEY,"
                                " device INTEGER NOT NULL,"
                                " seq INTEGER NOT NULL,"
                                " sealed BLOB NOT NULL,"
                                " day INTEGER NOT NULL,"
                                " UNIQUE(device, seq));"
                                "CREATE INDEX envelopes_day ON envelopes(day);"
                                "CREATE TABLE posts("
                                " device INTEGER NOT NULL,"
                                " post_id BLOB NOT NULL,"
                                " day INTEGER NOT NULL,"
                                " PRIMARY KEY(device, post_id)) WITHOUT ROWID;"
                                "CREATE TABLE grants("
                                " account INTEGER NOT NULL,"
                                " hash BLOB NOT NULL,"
                                " expires INTEGER NOT NULL,"
                                " takes_left INTEGER NOT NULL,"
                                " posts_left INTEGER NOT NULL,"
                                " PRIMARY KEY(account, hash)) WITHOUT ROWID;"
                                "CREATE TABLE invitations("
                                " hash BLOB PRIMARY KEY,"
                                " uses_left INTEGER NOT NULL,"
                                " expires INTEGER NOT NULL) WITHOUT ROWID;"
                                "CREATE TABLE codes("
                                " phone TEXT PRIMARY KEY,"
                                " hash BLOB NOT NULL,"
                                " expires INTEGER NOT NULL,"
                                " tries_left INTEGER NOT NULL,"
                                " sent INTEGER NOT NULL,"
                                " day INTEGER NOT NULL) WITHOUT ROWID;"
                                "CREATE TABLE rooms("
                                " key INTEGER PRIMARY KEY AUTOINCREMENT,"
                                " room_id BLOB NOT NULL UNIQUE,"
                                " epoch INTEGER NOT NULL,"
                                " write_gate BLOB NOT NULL,"
                                " next_seq INTEGER NOT NULL,"
                                " first_seq INTEGER NOT NULL,"
                                " bytes INTEGER NOT NULL,"
                                " day INTEGER NOT NULL);"
                                "CREATE INDEX rooms_day ON rooms(day);"
                                "CREATE TABLE read_gates("
                                " room INTEGER NOT NULL,"
                                " gate BLOB NOT NULL,"
                                " until_seq INTEGER,"
                                " until_epoch INTEGER,"
                                " PRIMARY KEY(room, gate)) WITHOUT ROWID;"
                                "CREATE TABLE entries("
                                " position INTEGER PRIMARY KEY,"
                                " room INTEGER NOT NULL,"
                                " seq INTEGER NOT NULL,"
                                " epoch INTEGER NOT NULL,"
                                " kind INTEGER NOT NULL,"
                                " append_id BLOB NOT NULL,"
                                " bytes BLOB NOT NULL,"
                                " day INTEGER NOT NULL,"
                                " UNIQUE(room, seq),"
                                " UNIQUE(room, append_id));"
                                "CREATE INDEX entries_day ON entries(day);";

enum { OLD_ENTRIES = 200, OLD_ENTRY = 1024 };

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static void hex(sotto_bytes bytes, char out[static 128])
{
    for (size_t i = 0; i < bytes.size && i < 63; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes.data[i]);
}

static void add_room(sqlite3 *db)
{
    char sql[1024], room[128], write[128], read[128];
    hex(VIEW(room_of(1)), room);
    hex(VIEW(token_gate(10)), write);
    hex(VIEW(token_gate(20)), read);
    snprintf(sql, sizeof sql,
             "INSERT INTO rooms VALUES(1, x'%s', 3, x'%s', %d, 1, %d, %d);"
             "INSERT INTO read_gates VALUES(1, x'%s', NULL, NULL);",
             room, write, OLD_ENTRIES + 1, OLD_ENTRIES * OLD_ENTRY, WORLD_DAY, read);
    run(db, sql);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             "INSERT INTO entries SELECT i, 1, i, 3, 1, randomblob(16), randomblob(%d), %d FROM n",
             OLD_ENTRIES, OLD_ENTRY, WORLD_DAY);
    run(db, sql);
}

/* A database as the first version left it, with one room. */
static void make_old(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF");
    run(db, version_1);
    add_room(db);
    run(db, "INSERT INTO accounts VALUES(7, x'0102', '+491555012345', '192.0.2.1', 5, x'aa');"
            "INSERT INTO devices VALUES(9, 7, x'03', x'04', NULL, 2, 1, 3);"
            "INSERT INTO envelopes VALUES(1, 9, 1, x'010203', 20000);"
            "INSERT INTO invitations VALUES(x'05', 3, 99999999999);"
            "PRAGMA user_version=1");
    sqlite3_close(db);
}

static void remove_files(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char name[160];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static int begin(void **state)
{
    struct relay_world *world = malloc(sizeof *world);
    assert_non_null(world);
    world_begin(world, NULL);
    world_close(world);
    remove_files(world->path);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct relay_world *world = *state;
    if (world->store == NULL)
        world_reopen(world, NULL);
    world_end(world);
    free(world);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void a_database_of_the_first_version_goes_on_with_all_that_it_held(void **state)
{
    struct relay_world *world = *state;
    struct store_room_open open = {0};
    unsigned ids[4];
    make_old(world->path);
    world_reopen(world, NULL);
    assert_int_equal(do_open(world, 1, 20, &open), 0);
    assert_int_equal(do_fetch(world, 1, 1, 4, ids, 4), 4);
    assert_int_equal(say(world, 1, 500, 3, 10), OLD_ENTRIES + 1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), OLD_ENTRIES + 1);
    assert_int_equal(world_query(world, "SELECT count(*) FROM accounts WHERE key = 7 AND"
                                        " phone = '+491555012345' AND last_ip = '192.0.2.1'"),
                     1);
    assert_int_equal(world_query(world, "SELECT account FROM devices WHERE inbox_count = 1"), 7);
    assert_int_equal(world_query(world, "SELECT count(*) FROM envelopes"), 1);
    assert_int_equal(world_query(world, "SELECT uses_left FROM invitations"), 3);
}

/* The columns of all tables as one text. */
static void shape(const char *path, sotto_buf *out)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT m.name || '.' || c.name || ' ' || c.type || c.\"notnull\" ||"
                           " c.pk || ifnull(c.dflt_value, '-') || char(10) FROM sqlite_schema m,"
                           " pragma_table_xinfo(m.name) c ORDER BY 1",
                           -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        assert_ok(sotto_buf_append(out, sqlite3_column_text(stmt, 0),
                                   (size_t)sqlite3_column_bytes(stmt, 0)));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void an_upgraded_database_has_the_shape_of_a_new_one(void **state)
{
    struct relay_world *world = *state;
    sotto_buf upgraded, fresh;
    sotto_buf_init(&upgraded, &world->env);
    sotto_buf_init(&fresh, &world->env);
    make_old(world->path);
    world_reopen(world, NULL);
    world_close(world);
    shape(world->path, &upgraded);
    remove_files(world->path);
    world_reopen(world, NULL);
    shape(world->path, &fresh);
    assert_true(fresh.size > 500);
    assert_bytes(sotto_buf_view(&upgraded), sotto_buf_view(&fresh));
    sotto_buf_free(&upgraded);
    sotto_buf_free(&fresh);
}

/* ---- Cut short ------------------------------------------------------------------------------ */

/* Two more versions, each of which touches every entry. */
static const char *const steps[] = {
    version_1,
    "ALTER TABLE entries ADD COLUMN length INTEGER NOT NULL DEFAULT 0;"
    "UPDATE entries SET length = length(bytes);"
    "CREATE TABLE copies(room INTEGER, bytes BLOB);"
    "INSERT INTO copies SELECT room, bytes FROM entries;",
    "CREATE TABLE more(room INTEGER, bytes BLOB);"
    "INSERT INTO more SELECT room, bytes FROM copies;"
    "DROP TABLE copies;",
};

struct death {
    int after;                       /* calls of the progress handler; 0: lives on */
    int before_commit, after_commit; /* at which one; 0: none */
    rlim_t file_size;                /* a write behind it kills; 0: none */
};

static int die_after(void *ctx)
{
    int *left = ctx;
    if (--*left == 0)
        raise(SIGKILL);
    return 0;
}

static int die_before_commit(void *ctx)
{
    return die_after(ctx);
}

static int die_after_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name, (void)pages;
    return die_after(ctx);
}

/* In a process of its own. No assertion in here. */
static void upgrade_and_die(const char *path, const struct death *death)
{
    struct db db;
    struct rlimit limit = {death->file_size, death->file_size}, none = {0, 0};
    int left = death->after, before = death->before_commit, after = death->after_commit;
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGXFSZ, SIG_DFL);
    if (death->file_size != 0)
        setrlimit(RLIMIT_FSIZE, &limit);
    if (db_open(&db, path, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        _exit(2);
    sqlite3_busy_timeout(db.handle, 5000);
    db_exec(&db, "PRAGMA synchronous=OFF; PRAGMA cache_size=4"); /* spills: the log grows early */
    if (left != 0)
        sqlite3_progress_handler(db.handle, 100, die_after, &left);
    if (before != 0)
        sqlite3_commit_hook(db.handle, die_before_commit, &before);
    if (after != 0)
        sqlite3_wal_hook(db.handle, die_after_commit, &after);
    sotto_error error = schema_upgrade(&db, steps, 3);
    db_close(&db);
    _exit(error == SOTTO_OK ? 0 : 1);
}

static bool survives(const char *path, const struct death *death)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        upgrade_and_die(path, death);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

/* Exactly one version, whole. Returns which. */
static int64_t check_version(struct relay_world *world)
{
    int64_t version = world_query(world, "PRAGMA user_version");
    bool has_length = world_query(world, "SELECT count(*) FROM pragma_table_info('entries')"
                                         " WHERE name = 'length'") == 1;
    bool has_copies = world_query(world, "SELECT count(*) FROM sqlite_schema"
                                         " WHERE name = 'copies'") == 1;
    bool has_more = world_query(world, "SELECT count(*) FROM sqlite_schema"
                                       " WHERE name = 'more'") == 1;
    assert_int_equal(has_length, version >= 2);
    assert_int_equal(has_copies, version == 2);
    assert_int_equal(has_more, version == 3);
    assert_int_equal(world_query(world, "SELECT count(*) FROM entries"), OLD_ENTRIES);
    if (has_length)
        assert_int_equal(world_query(world, "SELECT sum(length) FROM entries"),
                         OLD_ENTRIES * OLD_ENTRY);
    if (has_more)
        assert_int_equal(world_query(world, "SELECT count(*) FROM more"), OLD_ENTRIES);
    return version;
}

struct tally {
    unsigned deaths, versions[4];
};

/* Whether it lived to the end. */
static bool try_death(struct relay_world *world, const struct death *death, struct tally *tally)
{
    make_old(world->path);
    bool alive = survives(world->path, death);
    tally->deaths += !alive;
    tally->versions[check_version(world)]++;
    assert_true(survives(world->path, &(struct death){0}));
    assert_int_equal(check_version(world), 3);
    remove_files(world->path);
    return alive;
}

static void an_upgrade_killed_anywhere_leaves_one_version_and_is_finished_by_the_next(void **state)
{
    struct relay_world *world = *state;
    struct tally tally = {0};
    for (int at = 1; !try_death(world, &(struct death){.after = at}, &tally);)
        at += 9;
    for (rlim_t at = 40000; !try_death(world, &(struct death){.file_size = at}, &tally);)
        at += 30011;
    for (int at = 1; !try_death(world, &(struct death){.before_commit = at}, &tally);)
        at++;
    for (int at = 1; !try_death(world, &(struct death){.after_commit = at}, &tally);)
        at++;
    assert_true(tally.deaths > 15);
    for (size_t i = 1; i < 4; i++)
        assert_true(tally.versions[i] > 0);
}

static void a_step_that_fails_leaves_the_version_before_it(void **state)
{
    struct relay_world *world = *state;
    const char *const wrong[] = {version_1, steps[1],
                                 "CREATE TABLE more(x); INSERT INTO none VALUES(1)"};
    struct db db;
    make_old(world->path);
    assert_int_equal(db_open(&db, world->path, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_error(schema_upgrade(&db, wrong, 3), INTERNAL);
    db_close(&db);
    assert_int_equal(check_version(world), 2);
    remove_files(world->path);
}

static void a_database_of_a_newer_relay_is_left_as_it_is(void **state)
{
    struct relay_world *world = *state;
    struct db db;
    make_old(world->path);
    assert_int_equal(db_open(&db, world->path, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_ok(schema_upgrade(&db, steps, 3));
    assert_error(schema_upgrade(&db, steps, 2), VERSION);
    db_close(&db);
    assert_int_equal(check_version(world), 3);
    remove_files(world->path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_database_of_the_first_version_goes_on_with_all_that_it_held),
        TEST(an_upgraded_database_has_the_shape_of_a_new_one),
        TEST(an_upgrade_killed_anywhere_leaves_one_version_and_is_finished_by_the_next),
        TEST(a_step_that_fails_leaves_the_version_before_it),
        TEST(a_database_of_a_newer_relay_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
