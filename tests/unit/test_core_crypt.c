/* The database at rest: nothing of it in the clear in any file, every damage found, nothing lost by
 * a power cut that SQLite alone would have kept. */
#include "unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/crypt_vfs.h"
#include "core/store_query.h"
#include "unit/faulty_vfs.h"
#include "unit/folder.h"

#define MARKER "Rumpelstilzchen"

static char folder[64];
static struct store *store;
static const sotto_env *env;

static struct store *open_over(const char *vfs)
{
    struct store *opened = NULL;
    struct store_access access = {.vfs = vfs};
    sotto_fault fault = {.what = ""};
    sotto_error error = store_open(env, folder, &access, &opened, &fault);
    if (error != SOTTO_OK)
        fail_msg("%s: %s", sotto_error_name(error), fault.what);
    return opened;
}

static int setup(void **state)
{
    (void)state;
    env = sotto_env_system();
    if (!folder_make(folder, "crypt"))
        return -1;
    store = open_over(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    return folder_remove(folder);
}

static void exec(struct store *to, const char *sql)
{
    if (store_exec(to, sql) != SOTTO_OK)
        fail_msg("%s: %s", sql, store_message(to));
}

static int64_t number(struct store *from, const char *sql)
{
    struct query q;
    query_read(&q, from, sql);
    int64_t found = query_next(&q) ? column_i64(&q) : -1;
    assert_ok(query_end(&q));
    return found;
}

/* Rows of a kilobyte, each with the marker. */
static void fill(struct store *to, int rows)
{
    char sql[300];
    exec(to, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, text TEXT, bytes BLOB)");
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO t (text, bytes) SELECT '" MARKER " ' || i, zeroblob(1000) FROM n",
             rows);
    exec(to, sql);
}

/* ---- Files ---- */

static void path_of(char out[static 128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static uint8_t *load(const char *name, size_t *size)
{
    char path[128];
    struct stat status;
    path_of(path, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &status) == 0);
    *size = (size_t)status.st_size;
    uint8_t *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, *size), *size);
    close(fd);
    return bytes;
}

static void overwrite(const char *name, off_t at, const void *bytes, size_t size)
{
    char path[128];
    path_of(path, name);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    close(fd);
}

static void flip(const char *name, off_t at, uint8_t bit)
{
    size_t size;
    uint8_t *bytes = load(name, &size);
    assert_true((size_t)at < size);
    bytes[at] ^= bit;
    overwrite(name, at, bytes + at, 1);
    free(bytes);
}

/* How many files of the folder were searched; none holds what would give something away. */
static size_t search_folder(void)
{
    static const char *const marks[] = {MARKER,       "SQLite format", "CREATE TABLE",
                                        "rumpelstil", "zchen",         "profile"};
    size_t searched = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t size;
        if (entry->d_name[0] == '.')
            continue;
        uint8_t *bytes = load(entry->d_name, &size);
        for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
            if (memmem(bytes, size, marks[i], strlen(marks[i])) != NULL)
                fail_msg("%s holds %s", entry->d_name, marks[i]);
        free(bytes);
        searched += size > 0;
    }
    closedir(dir);
    return searched;
}

static void reopen(void)
{
    store_close(store);
    store = open_over(NULL);
}

/* ---- Nothing in the clear ---- */

static void no_file_holds_plain_text_while_in_use_or_after(void **state)
{
    (void)state;
    fill(store, 300);
    assert_int_equal(search_folder(), 4); /* keys, database, log, -shm */
    exec(store, "CREATE VIRTUAL TABLE f USING fts5(text, tokenize = 'unicode61')");
    exec(store, "INSERT INTO f SELECT text FROM t");
    assert_int_equal(number(store, "SELECT count(*) FROM f WHERE f MATCH 'rumpelstilzchen'"), 300);
    search_folder();
    /* What spills and what wants a journal elsewhere: a large sort, statements that fail half way,
     * a transaction larger than the cache, a vacuum. */
    exec(store, "PRAGMA cache_size = 20");
    fill(store, 5000);
    exec(store, "CREATE INDEX i ON t (text, bytes)");
    assert_int_equal(number(store,
                            "SELECT count(*) FROM (SELECT text, bytes FROM t ORDER BY bytes, "
                            "text || id DESC LIMIT 100000)"),
                     5300);
    exec(store, "BEGIN; SAVEPOINT a; UPDATE t SET text = text || '!'; ROLLBACK TO a; RELEASE a;");
    search_folder();
    assert_int_not_equal(
        store_exec(store, "UPDATE t SET id = CASE WHEN id = 5200 THEN 5201 ELSE id END"), SOTTO_OK);
    search_folder();
    exec(store, "DELETE FROM t WHERE id % 2; COMMIT; VACUUM");
    search_folder();
    assert_int_equal(number(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    search_folder();
    assert_ok(store_check(store));
    assert_int_equal(number(store, "SELECT count(*) FROM t"), 2650);
    store_close(store);
    store = NULL;
    assert_int_equal(search_folder(), 2);
    store = open_over(NULL);
    assert_int_equal(number(store, "SELECT count(*) FROM f WHERE f MATCH 'rumpelstilzchen'"), 300);
    assert_ok(store_check(store));
}

/* Would a file be opened that the encryption does not cover, it is an error before it is written.
 */
static void journals_and_temporary_files_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "BEGIN; INSERT INTO temp.x SELECT randomblob(1000) FROM t; COMMIT",
        "CREATE INDEX i ON t (bytes)",
    };
    fill(store, 5000);
    exec(store, "PRAGMA temp_store = FILE; PRAGMA temp.cache_size = 10; PRAGMA cache_size = 10;"
                "CREATE TEMP TABLE x (bytes BLOB)");
    assert_int_not_equal(store_exec(store, refused[0]), SOTTO_OK);
    (void)store_exec(store, "ROLLBACK");
    exec(store, "PRAGMA temp_store = MEMORY");
    struct vault *vault = NULL;
    struct crypt_vfs *vfs = NULL;
    sqlite3 *db = NULL;
    char path[128];
    assert_ok(vault_open(env, folder, NULL, &vault, NULL));
    assert_ok(crypt_vfs_new(env, vault, NULL, &vfs));
    path_of(path, "other.db");
    assert_int_equal(
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, crypt_vfs_name(vfs)),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE a (b)", NULL, NULL, NULL), SQLITE_CANTOPEN);
    sqlite3_close(db);
    /* Pages of another size or without room behind them are not written either. */
    unlink(path);
    assert_int_equal(
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, crypt_vfs_name(vfs)),
        SQLITE_OK);
    int none = 0;
    sqlite3_exec(db, "PRAGMA journal_mode = OFF", NULL, NULL, NULL);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &none);
    int code = sqlite3_exec(db, "CREATE TABLE a (b)", NULL, NULL, NULL);
    if (code == SQLITE_OK) /* told already what there is to reserve */
        assert_int_equal(none, PAGE_RESERVED);
    sqlite3_close(db);
    crypt_vfs_free(vfs);
    vault_free(vault);
    unlink(path);
}

static void a_page_written_twice_has_other_bytes(void **state)
{
    (void)state;
    size_t sizes[2];
    uint8_t *copies[2];
    for (int i = 0; i < 2; i++) {
        exec(store, "PRAGMA user_version = 3"); /* writes page 1, with nothing new in it */
        assert_int_equal(number(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
        copies[i] = load(STORE_FILE, &sizes[i]);
    }
    assert_int_equal(sizes[0], sizes[1]);
    size_t equal = 0;
    for (size_t i = 0; i < PAGE_BYTES; i++)
        equal += copies[0][i] == copies[1][i];
    assert_true(equal < 100); /* of 4096, 16 by chance */
    assert_memory_equal(copies[0] + PAGE_BYTES, copies[1] + PAGE_BYTES, sizes[0] - PAGE_BYTES);
    free(copies[0]);
    free(copies[1]);
}

/* The running checksum of the log, over pages in the clear, which SQLite has in -shm too: the log
 * does not hold it, nor the salts behind its header, in either order of bytes. */
static void the_log_does_not_hold_its_checksums(void **state)
{
    (void)state;
    size_t size, log_size;
    exec(store, "UPDATE number SET value = 5");
    uint8_t *shm = load(STORE_FILE "-shm", &size), *log = load(STORE_FILE "-wal", &log_size);
    assert_true(size > 48 && log_size >= 32 + FRAME_HEADER + PAGE_BYTES);
    uint32_t words[4]; /* WalIndexHdr.aFrameCksum and aSalt */
    memcpy(words, shm + 24, sizeof words);
    assert_true(words[0] != 0 && words[2] != 0);
    for (size_t i = 0; i < 4; i++) {
        uint32_t swapped = __builtin_bswap32(words[i]);
        assert_null(memmem(log + 32, log_size - 32, &words[i], 4));
        assert_null(memmem(log + 32, log_size - 32, &swapped, 4));
    }
    free(shm);
    free(log);
}

static void the_mask_is_renewed_and_the_log_keeps_it(void **state)
{
    (void)state;
    struct vault *vault = NULL;
    struct page_cipher *cipher = NULL;
    uint8_t page[PAGE_BYTES] = {0}, sealed[PAGE_BYTES], found[PAGE_BYTES], first[8];
    struct page_place base = {.page = 7}, log = {.page = 7, .offset = 32};
    assert_ok(vault_open(env, folder, NULL, &vault, NULL));
    assert_ok(page_cipher_new(env, vault, &cipher));
    memset(page, 'a', PAGE_BYTES - PAGE_RESERVED);
    for (int i = 0; i < 2; i++) {
        assert_ok(page_seal(cipher, &base, page, sealed));
        assert_ok(page_open(cipher, &base, sealed, found));
        assert_memory_equal(found, page, PAGE_BYTES - PAGE_RESERVED);
        assert_false(
            memcmp(found + PAGE_BYTES - PAGE_RESERVED, page + PAGE_BYTES - PAGE_RESERVED, 8) == 0);
        if (i == 1)
            assert_memory_not_equal(first, found + PAGE_BYTES - PAGE_RESERVED, 8);
        memcpy(first, found + PAGE_BYTES - PAGE_RESERVED, 8);
    }
    assert_ok(page_seal(cipher, &log, found, sealed));
    assert_ok(page_open(cipher, &log, sealed, page));
    assert_memory_equal(found, page, PAGE_BYTES);
    /* Good in its place alone. */
    struct page_place others[] = {base, log, log, log};
    others[1].page = 8, others[2].offset = 32 + 4120, others[3].size = 1;
    for (size_t i = 0; i < 4; i++)
        assert_error(page_open(cipher, &others[i], sealed, page), TAG);
    static const uint8_t zeros[PAGE_BYTES];
    assert_memory_equal(page, zeros, PAGE_BYTES);
    assert_error(page_open(cipher, &base, zeros, page), TAG);
    /* What SQLite would put where the nonce goes is never lost silently. */
    for (size_t at = PAGE_BYTES - 40; at < PAGE_BYTES; at++) {
        found[at] = 1;
        assert_error(page_seal(cipher, &log, found, sealed), VALUE);
        found[at] = 0;
    }
    base.page = 1; /* which says that nothing is reserved */
    assert_error(page_seal(cipher, &base, found, sealed), VALUE);
    page_cipher_free(cipher);
    vault_free(vault);
}

/* ---- Damage ---- */

static sotto_error read_all(void)
{
    struct store *opened = NULL;
    sotto_fault fault;
    sotto_error error = store_open(env, folder, NULL, &opened, &fault);
    if (error == SOTTO_OK) {
        struct query q;
        query_read(&q, opened, "SELECT sum(length(hex(bytes))) + sum(length(text)) FROM t");
        while (query_next(&q))
            continue;
        error = query_end(&q);
        if (error == SOTTO_OK)
            error = store_check(opened);
        fault = *store_fault(opened);
    }
    store_close(opened);
    if (error != SOTTO_OK)
        assert_string_equal(fault.what, "profile.db: the database is damaged");
    return error;
}

static void a_flipped_bit_in_any_page_is_found(void **state)
{
    (void)state;
    fill(store, 100);
    exec(store,
         "INSERT INTO t (bytes) VALUES (randomblob(30000))"); /* overflow pages, at the end */
    store_close(store);
    store = NULL;
    size_t size;
    uint8_t *bytes = load(STORE_FILE, &size);
    assert_int_equal(size % PAGE_BYTES, 0);
    assert_ok(read_all());
    for (size_t page = 0; page < size / PAGE_BYTES; page++) {
        /* Ciphertext, nonce and tag in turns, and the header that SQLite has at the front. */
        off_t at = (off_t)(page * PAGE_BYTES + (page % 4 == 0   ? page % 100
                                                : page % 4 == 1 ? 2000
                                                : page % 4 == 2 ? PAGE_BYTES - 40
                                                                : PAGE_BYTES - 1));
        flip(STORE_FILE, at, (uint8_t)(1u << page % 8));
        assert_error(read_all(), VALUE);
        overwrite(STORE_FILE, at, bytes + at, 1);
    }
    assert_ok(read_all());
    free(bytes);
}

static void pages_that_were_moved_zeroed_or_cut_are_found(void **state)
{
    (void)state;
    static const uint8_t zeros[PAGE_BYTES];
    fill(store, 100);
    exec(store,
         "INSERT INTO t (bytes) VALUES (randomblob(30000))"); /* overflow pages, at the end */
    store_close(store);
    store = NULL;
    size_t size;
    uint8_t *bytes = load(STORE_FILE, &size);
    size_t pages = size / PAGE_BYTES;
    for (size_t i = 1; i < pages; i++) { /* each with the one before it */
        overwrite(STORE_FILE, (off_t)((i - 1) * PAGE_BYTES), bytes + i * PAGE_BYTES, PAGE_BYTES);
        overwrite(STORE_FILE, (off_t)(i * PAGE_BYTES), bytes + (i - 1) * PAGE_BYTES, PAGE_BYTES);
        assert_error(read_all(), VALUE);
        overwrite(STORE_FILE, (off_t)((i - 1) * PAGE_BYTES), bytes + (i - 1) * PAGE_BYTES,
                  2 * PAGE_BYTES);
        overwrite(STORE_FILE, (off_t)(i * PAGE_BYTES), zeros, PAGE_BYTES);
        assert_error(read_all(), VALUE);
        overwrite(STORE_FILE, (off_t)(i * PAGE_BYTES), bytes + i * PAGE_BYTES, PAGE_BYTES);
    }
    char path[128];
    path_of(path, STORE_FILE);
    for (size_t cut = 1; cut < size; cut += cut < 3 * PAGE_BYTES ? 1000 : PAGE_BYTES + 1) {
        assert_int_equal(truncate(path, (off_t)(size - cut)), 0);
        assert_error(read_all(), VALUE);
        overwrite(STORE_FILE, 0, bytes, size);
    }
    assert_ok(read_all());
    free(bytes);
}

static void a_page_of_another_profile_is_not_taken(void **state)
{
    (void)state;
    size_t size;
    fill(store, 10);
    store_close(store);
    store = NULL;
    uint8_t *bytes = load(STORE_FILE, &size);
    char keys[128], moved[128];
    path_of(keys, VAULT_FILE);
    path_of(moved, "moved");
    assert_int_equal(rename(keys, moved), 0);
    /* Without its key the database is not overwritten by a new one. */
    struct store *opened = NULL;
    sotto_fault fault;
    assert_error(store_open(env, folder, NULL, &opened, &fault), VALUE);
    assert_string_equal(fault.what, "keys: the key file is missing");
    char path[128];
    path_of(path, STORE_FILE);
    unlink(path);
    store = open_over(NULL); /* another key */
    fill(store, 10);
    store_close(store);
    store = NULL;
    assert_ok(read_all());
    overwrite(STORE_FILE, PAGE_BYTES, bytes + PAGE_BYTES, PAGE_BYTES);
    assert_error(read_all(), VALUE);
    overwrite(STORE_FILE, 0, bytes, size);
    assert_error(read_all(), VALUE);
    assert_int_equal(rename(moved, keys), 0);
    assert_ok(read_all());
    free(bytes);
}

/* Copies the files of the profile as they are into another folder, as a power cut leaves them. */
static void copy_profile(const char *to)
{
    static const char *const names[] = {VAULT_FILE, STORE_FILE, STORE_FILE "-wal"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        uint8_t *bytes = load(names[i], &size);
        snprintf(path, sizeof path, "%s/%s", to, names[i]);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        fclose(file);
        free(bytes);
    }
}

/* In its last transaction damage may be what a power cut left: the log ends before it, what came
 * earlier is there, whole. Anywhere else it is damage. */
static void a_flipped_bit_in_the_log_is_found(void **state)
{
    (void)state;
    enum { COMMITS = 5 };
    char origin[64], copy[64];
    fill(store, 0); /* one row */
    assert_int_equal(number(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    size_t ends[COMMITS + 1] = {32}, size;
    for (int i = 1; i <= COMMITS; i++) {
        exec(store, "INSERT INTO t (text, bytes) VALUES ('" MARKER "', randomblob(5000)),"
                    " ('" MARKER "', zeroblob(3000))");
        free(load(STORE_FILE "-wal", &ends[i]));
    }
    assert_true(folder_make(copy, "crypt"));
    snprintf(origin, sizeof origin, "%s", folder);
    size_t found = 0, ended = 0;
    for (size_t at = 0; at < ends[COMMITS]; at += at < 150 ? 1 : 211) {
        struct store *opened = NULL;
        sotto_fault fault;
        copy_profile(copy);
        snprintf(folder, sizeof folder, "%s", copy);
        flip(STORE_FILE "-wal", (off_t)at, (uint8_t)(1u << at % 8));
        sotto_error error = store_open(env, folder, NULL, &opened, &fault);
        if (at < ends[COMMITS - 1]) {
            assert_error(error, VALUE);
            assert_string_equal(fault.what, "profile.db: the database is damaged");
            found++;
        } else {
            assert_ok(error);
            assert_int_equal(number(opened, "SELECT count(*) FROM t"), 1 + 2 * (COMMITS - 1));
            assert_ok(store_check(opened));
            ended++;
        }
        store_close(opened);
        snprintf(folder, sizeof folder, "%s", origin);
    }
    assert_true(found > 200 && ended > 30);
    /* While it is in use, it is damage everywhere. */
    exec(store, "DROP TABLE t");
    fill(store, 50);
    free(load(STORE_FILE "-wal", &size));
    for (size_t at = 32 + FRAME_HEADER + 100; at < size; at += FRAME_HEADER + PAGE_BYTES)
        flip(STORE_FILE "-wal", (off_t)at, 1);
    struct store *other = NULL;
    sotto_fault fault;
    assert_error(store_open(env, folder, NULL, &other, &fault), VALUE);
    assert_int_equal(folder_remove(copy), 0);
}

/* Behind the end of the log stands what earlier rounds of it left. */
static void an_older_round_of_the_log_is_no_damage(void **state)
{
    (void)state;
    char origin[64], copy[64];
    fill(store, 0);
    assert_true(folder_make(copy, "crypt"));
    snprintf(origin, sizeof origin, "%s", folder);
    exec(store, "PRAGMA wal_autocheckpoint = 0");
    for (int round = 0; round < 4; round++) {
        for (int n = 0; n < 40 - 10 * round; n++)
            exec(store, "INSERT INTO t (bytes) VALUES (randomblob(3000))");
        int64_t rows = number(store, "SELECT count(*) FROM t");
        copy_profile(copy);
        snprintf(folder, sizeof folder, "%s", copy);
        struct store *opened = open_over(NULL);
        assert_int_equal(number(opened, "SELECT count(*) FROM t"), rows);
        assert_ok(store_check(opened));
        store_close(opened);
        snprintf(folder, sizeof folder, "%s", origin);
        assert_int_equal(number(store, "PRAGMA wal_checkpoint(RESTART)"), 0);
    }
    assert_int_equal(folder_remove(copy), 0);
}

/* ---- Several processes, power cuts ---- */

static void two_processes_use_one_database(void **state)
{
    (void)state;
    enum { EACH = 150 };
    exec(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, who INTEGER, n INTEGER, pad BLOB)");
    store_close(store);
    store = NULL;
    pid_t children[3];
    for (int who = 0; who < 3; who++) {
        children[who] = fork();
        assert_true(children[who] >= 0);
        if (children[who] != 0)
            continue;
        struct store *mine = open_over(NULL);
        exec(mine, "PRAGMA wal_autocheckpoint = 20; PRAGMA synchronous = NORMAL");
        for (int n = 0; n < EACH; n++) {
            char sql[200];
            assert_ok(store_begin(mine));
            snprintf(sql, sizeof sql,
                     "INSERT INTO t (who, n, pad) VALUES (%d, %d, randomblob(2000))", who, n);
            exec(mine, sql);
            assert_ok(store_commit(mine));
            snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE who = %d", who);
            assert_int_equal(number(mine, sql), n + 1);
        }
        store_close(mine);
        _exit(42);
    }
    int status;
    for (int who = 0; who < 3; who++) {
        assert_int_equal(waitpid(children[who], &status, 0), children[who]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    }
    store = open_over(NULL);
    assert_int_equal(number(store, "SELECT count(*) FROM t"), 3 * EACH);
    assert_ok(store_check(store));
}

static void a_large_database_is_what_was_written(void **state)
{
    (void)state;
    fill(store, 12000);
    exec(store, "CREATE INDEX i ON t (text)");
    exec(store, "UPDATE t SET bytes = randomblob(3000) WHERE id % 7 = 0");
    reopen();
    assert_true(number(store, "PRAGMA page_count") > 3500);
    assert_int_equal(number(store, "SELECT count(*) FROM t WHERE text = '" MARKER " ' || id"),
                     12000);
    assert_int_equal(number(store, "SELECT sum(length(bytes)) FROM t"), 12000 * 1000 + 1714 * 2000);
    assert_ok(store_check(store));
}

/* Copies the profile as a power cut leaves it, opens the copy and looks. */
static void cut_power(const char *copy, int least, int most, uint64_t random)
{
    char origin[64], db[160];
    snprintf(origin, sizeof origin, "%s", folder);
    snprintf(db, sizeof db, "%s/" STORE_FILE, copy);
    copy_profile(copy); /* the key */
    faulty_cut(db, random);
    snprintf(folder, sizeof folder, "%s", copy);
    struct store *left = open_over(NULL);
    assert_in_range(number(left, "SELECT count(*) FROM t"), least, most);
    assert_ok(store_check(left));
    store_close(left);
    snprintf(folder, sizeof folder, "%s", origin);
}

static void fail_at(atomic_int *fault, int code, int after, const char *sql)
{
    atomic_store(&faulty_writes_left, after);
    atomic_store(&faulty_syncs_left, after);
    atomic_store(fault, code);
    (void)store_exec(store, sql);
    atomic_store(fault, 0);
    if (!sqlite3_get_autocommit(store->db))
        exec(store, "ROLLBACK");
}

/* Every commit that returned is there after a power cut, and nothing half, wherever it strikes:
 * behind a commit, in the middle of one, or of writing the log back, when any page of the database
 * may be torn. Of a commit that failed, all may be there or nothing. */
static void a_power_cut_loses_no_commit(void **state)
{
    (void)state;
    static const char insert[] = "BEGIN IMMEDIATE; INSERT INTO t (pad) VALUES (randomblob(6000));"
                                 "UPDATE t SET pad = randomblob(5000) WHERE id % 5 = 0; COMMIT";
    char copy[64], path[160];
    store_close(store);
    store = open_over("faulty");
    exec(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad BLOB)");
    exec(store, "PRAGMA wal_autocheckpoint = 0");
    assert_true(folder_make(copy, "crypt"));
    snprintf(path, sizeof path, "%s/" STORE_FILE, folder);
    assert_int_equal(number(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    faulty_record(path);
    for (int n = 1; n <= 60; n++) {
        uint64_t random = (uint64_t)n * 10;
        fail_at(&faulty_write_fault, SQLITE_IOERR_WRITE, n % 11, insert);
        cut_power(copy, n - 1, n - 1, random++);
        if (n % 4 == 0) {
            fail_at(&faulty_sync_fault, SQLITE_IOERR_FSYNC, 0, insert);
            cut_power(copy, n - 1, n, random++);
        }
        exec(store, insert);
        if (n % 3 == 0)
            exec(store, "BEGIN IMMEDIATE; INSERT INTO t (pad) VALUES (randomblob(6000)); ROLLBACK");
        cut_power(copy, n, n, random++);
        cut_power(copy, n, n, random++);
        fail_at(&faulty_write_fault, SQLITE_IOERR_WRITE, n % 9 + 1,
                "PRAGMA wal_checkpoint(PASSIVE)");
        cut_power(copy, n, n, random++);
        cut_power(copy, n, n, random++);
        if (n % 10 == 0)
            assert_int_equal(number(store, "PRAGMA wal_checkpoint(PASSIVE)"), 0);
    }
    faulty_record_end();
    store_close(store);
    store = NULL;
    assert_int_equal(folder_remove(copy), 0);
}

/* The first transaction of a new round stands where that of the older one stood, which was whole,
 * and its first pages may be the ones that are missing. */
static void a_log_that_was_begun_anew_and_torn_is_no_damage(void **state)
{
    (void)state;
    char copy[64], path[160], one_page[64];
    store_close(store);
    store = open_over("faulty");
    exec(store, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad BLOB); PRAGMA wal_autocheckpoint = 0");
    assert_true(folder_make(copy, "crypt"));
    snprintf(path, sizeof path, "%s/" STORE_FILE, folder);
    assert_int_equal(number(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    faulty_record(path);
    for (int n = 0; n < 12; n++) {
        snprintf(one_page, sizeof one_page, "UPDATE number SET value = %d", n);
        exec(store, one_page);
        exec(store, "INSERT INTO t (pad) VALUES (randomblob(2000))");
        assert_int_equal(number(store, "PRAGMA wal_checkpoint(PASSIVE)"), 0);
        /* The log's header is synced, its frames are not. */
        fail_at(&faulty_sync_fault, SQLITE_IOERR_FSYNC, 1,
                "INSERT INTO t (pad) VALUES (randomblob(9000))");
        for (uint64_t cut = 0; cut < 20; cut++)
            cut_power(copy, n + 1, n + 2, (uint64_t)n * 100 + cut);
        exec(store, one_page);
        assert_int_equal(number(store, "PRAGMA wal_checkpoint(PASSIVE)"), 0);
    }
    faulty_record_end();
    store_close(store);
    store = NULL;
    assert_int_equal(folder_remove(copy), 0);
}

/* Writes that fail one after the other: the transaction has failed, what was there is there. */
static void a_write_that_fails_takes_nothing_along(void **state)
{
    (void)state;
    store_close(store);
    store = open_over("faulty");
    fill(store, 20);
    int64_t rows = 20;
    bool failed = true;
    for (int n = 0; failed; n++) {
        exec(store, "PRAGMA wal_autocheckpoint = 5");
        atomic_store(&faulty_writes_left, n);
        atomic_store(&faulty_write_fault, SQLITE_IOERR_WRITE);
        sotto_error error = store_begin(store);
        if (error == SOTTO_OK)
            error = store_exec(store,
                               "INSERT INTO t (text, bytes) VALUES ('" MARKER "', zeroblob(9000))");
        if (error == SOTTO_OK)
            error = store_commit(store);
        else
            store_rollback(store);
        failed = atomic_load(&faulty_writes_left) < 0;
        atomic_store(&faulty_write_fault, 0);
        assert_int_equal(number(store, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
        rows += error == SOTTO_OK;
        assert_int_equal(number(store, "SELECT count(*) FROM t"), rows);
        assert_ok(store_check(store));
        assert_in_range(n, 0, 200);
    }
    assert_true(rows > 20);
    reopen();
    assert_int_equal(number(store, "SELECT count(*) FROM t"), rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_file_holds_plain_text_while_in_use_or_after),
        TEST(journals_and_temporary_files_are_refused),
        TEST(a_page_written_twice_has_other_bytes),
        TEST(the_log_does_not_hold_its_checksums),
        TEST(the_mask_is_renewed_and_the_log_keeps_it),
        TEST(a_flipped_bit_in_any_page_is_found),
        TEST(pages_that_were_moved_zeroed_or_cut_are_found),
        TEST(a_page_of_another_profile_is_not_taken),
        TEST(a_flipped_bit_in_the_log_is_found),
        TEST(an_older_round_of_the_log_is_no_damage),
        TEST(two_processes_use_one_database),
        TEST(a_large_database_is_what_was_written),
        TEST(a_power_cut_loses_no_commit),
        TEST(a_log_that_was_begun_anew_and_torn_is_no_damage),
        TEST(a_write_that_fails_takes_nothing_along),
    };
    faulty_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
