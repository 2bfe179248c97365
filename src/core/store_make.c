/* Making profile.db, and encrypting one that was plain.
 *
 * A database is made beside its place, as profile.db.new, and renamed when it is whole and on the
 * disk. A plain one is copied into such a one, row by row, while nobody else has it open:
 *
 *     profile.db (plain) ── copied ──> profile.db.new ── checked, synced
 *     profile.db ── gets a second name: profile.db.plain
 *     profile.db.new ── renamed ──> profile.db            from here on the encrypted one counts
 *     profile.db.plain, profile.db.plain-log (the plain log), profile.db-journal ── overwritten,
 * removed
 *
 * Where a file cannot have two names the first step renames it; killed then, the next start renames
 * it back.
 *
 * What was overwritten may still be there below the file system: on flash, in snapshots, in the
 * journals of some file systems. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/disk.h"
#include "core/store_query.h"

#define NEW_FILE STORE_FILE ".new"
#define PLAIN_FILE STORE_FILE ".plain"
#define PLAIN_LOG STORE_FILE ".plain-log"

static sotto_error fail_disk(struct store *store, sotto_error error, const char *what)
{
    store_fail(store, error, what);
    snprintf(store->message, sizeof store->message, "%s: %s", what, strerror(errno));
    return error;
}

/* ---- What is there -------------------------------------------------------------------------- */

/* Through SQLite's VFS, whose descriptors do not cost this process its locks when they close. */
static int read_first(const struct store *store, sqlite3_vfs *vfs, sqlite3_file *file,
                      uint8_t first[static 16], sqlite3_int64 *size)
{
    char full[DISK_PATH_MAX];
    int code = vfs->xFullPathname(vfs, store->path, (int)sizeof full, full);
    if ((code & 0xFF) != SQLITE_OK)
        return code;
    sqlite3_filename name = sqlite3_create_filename(full, "", "", 0, NULL);
    if (name == NULL)
        return SQLITE_NOMEM;
    code = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, NULL);
    if (code == SQLITE_OK)
        code = file->pMethods->xFileSize(file, size);
    if (code == SQLITE_OK && *size >= 16)
        code = file->pMethods->xRead(file, first, 16, 0);
    if (file->pMethods != NULL)
        (void)file->pMethods->xClose(file);
    sqlite3_free_filename(name);
    return code;
}

sotto_error store_look(struct store *store, enum store_kind *kind)
{
    uint8_t first[16] = {0};
    sqlite3_int64 size = 0;
    if (!disk_exists(store->directory, STORE_FILE)) {
        *kind = STORE_ABSENT;
        return SOTTO_OK;
    }
    if (sqlite3_initialize() != SQLITE_OK)
        return store_fail(store, SOTTO_NO_MEMORY, STORE_FILE);
    sqlite3_vfs *vfs = sqlite3_vfs_find(store->below);
    BUG_UNLESS(vfs != NULL);
    sqlite3_file *file = mem_alloc(store->env, (size_t)vfs->szOsFile);
    if (file == NULL)
        return store_fail(store, SOTTO_NO_MEMORY, STORE_FILE);
    int code = read_first(store, vfs, file, first, &size);
    mem_free(store->env, file, (size_t)vfs->szOsFile);
    if (code != SQLITE_OK)
        return store_fail_sqlite(store, code);
    *kind = size == 0                                   ? STORE_ABSENT
            : memcmp(first, "SQLite format 3", 16) == 0 ? STORE_PLAIN
                                                        : STORE_ENCRYPTED;
    return SOTTO_OK;
}

/* Of a process that was killed while it made one: ciphertext. */
static sotto_error remove_new(struct store *store)
{
    static const char *const names[] = {NEW_FILE, NEW_FILE "-wal", NEW_FILE "-shm"};
    char path[DISK_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(disk_path(path, store->directory, names[i]));
        if (unlink(path) != 0 && errno != ENOENT)
            return fail_disk(store, SOTTO_IO, NEW_FILE " is in the way");
    }
    return SOTTO_OK;
}

/* profile.db is encrypted. A rollback journal is of the plain one then: no other has any. */
static sotto_error erase_plain(struct store *store)
{
    static const char *const names[] = {PLAIN_FILE, PLAIN_LOG, STORE_FILE "-journal"};
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && error == SOTTO_OK; i++)
        error = disk_erase(store->directory, names[i]);
    return error == SOTTO_OK
               ? SOTTO_OK
               : fail_disk(store, error, PLAIN_FILE ": the plain text cannot be overwritten");
}

/* ---- A plain database ----------------------------------------------------------------------- */

static sotto_error fail_plain(struct store *store, sqlite3 *plain, int code)
{
    if ((code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED)
        return store_fail(store, SOTTO_BUSY,
                          STORE_FILE ": a process of an older version has it open; it has to end, "
                                     "so that the database can be encrypted");
    store_fail_sqlite(store, code);
    snprintf(store->message, sizeof store->message, "%s (%s, %d)", store->fault.what,
             plain == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(plain), code);
    return store->fault.error;
}

static sotto_error exec_plain(struct store *store, sqlite3 *plain, const char *sql)
{
    int code = sqlite3_exec(plain, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? SOTTO_OK : fail_plain(store, plain, code);
}

/* The log gets a second name, for SQLite removes it without overwriting it. File systems that
 * cannot do that keep what the log's blocks held. */
static sotto_error keep_log(struct store *store)
{
    TRY(disk_erase(store->directory, PLAIN_LOG)); /* an older one, or a second name already */
    sotto_error error = disk_link(store->directory, STORE_FILE "-wal", PLAIN_LOG);
    return error == SOTTO_UNSUPPORTED || error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* Opens it so that nobody else has it open, with its log written back. */
static sotto_error open_plain(struct store *store, sqlite3 **plain)
{
    int code = sqlite3_open_v2(store->path, plain,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                               store->below);
    if (code != SQLITE_OK)
        return fail_plain(store, *plain, code);
    sqlite3_busy_timeout(*plain, STORE_BUSY_MS);
    sqlite3_db_config(*plain, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    TRY(exec_plain(store, *plain,
                   "PRAGMA locking_mode = EXCLUSIVE;"
                   "PRAGMA temp_store = MEMORY;"
                   "PRAGMA cell_size_check = ON;"
                   "SELECT count(*) FROM sqlite_schema;"));
    sotto_error error = keep_log(store);
    if (error != SOTTO_OK)
        return fail_disk(store, error, PLAIN_LOG " cannot be made");
    return exec_plain(store, *plain,
                      "PRAGMA journal_mode = DELETE;"
                      "BEGIN EXCLUSIVE;");
}

static sotto_error step_all(struct store *store, sqlite3 *plain, sqlite3_stmt *from,
                            sqlite3_stmt *to)
{
    int code, columns = sqlite3_column_count(from);
    while ((code = sqlite3_step(from)) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            int bound = sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
            if (bound != SQLITE_OK)
                return store_fail_sqlite(store, bound);
        }
        code = sqlite3_step(to);
        if (code != SQLITE_DONE)
            return store_fail_sqlite(store, code);
        sqlite3_reset(to);
    }
    return code == SQLITE_DONE ? SOTTO_OK : fail_plain(store, plain, code);
}

/* All rows of a table; the one in profile.db.new has the same columns. */
static sotto_error copy_rows(struct store *store, sqlite3 *plain, const char *table)
{
    sqlite3_stmt *from = NULL, *to = NULL;
    sotto_error error = SOTTO_NO_MEMORY;
    sqlite3_str *insert = sqlite3_str_new(NULL);
    char *select = sqlite3_mprintf("SELECT * FROM \"%w\"", table), *text = NULL;
    int code = select == NULL ? SQLITE_NOMEM : sqlite3_prepare_v2(plain, select, -1, &from, NULL);
    if (code != SQLITE_OK) {
        error = fail_plain(store, plain, code);
        goto out;
    }
    sqlite3_str_appendf(insert, "INSERT INTO \"%w\" VALUES (", table);
    for (int i = 0; i < sqlite3_column_count(from); i++)
        sqlite3_str_appendall(insert, i == 0 ? "?" : ",?");
    sqlite3_str_appendall(insert, ")");
    text = sqlite3_str_finish(insert);
    insert = NULL;
    code = text == NULL ? SQLITE_NOMEM : sqlite3_prepare_v2(store->db, text, -1, &to, NULL);
    error = code == SQLITE_OK ? step_all(store, plain, from, to) : store_fail_sqlite(store, code);
out:
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    sqlite3_free(select);
    sqlite3_free(text);
    sqlite3_free(sqlite3_str_finish(insert));
    return error;
}

/* Tables with their rows, or (fill false) indexes and the rest, in the order they were made in. */
static sotto_error copy_schema(struct store *store, sqlite3 *plain, bool fill)
{
    static const char select[] = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
                                 " AND substr(name, 1, 7) <> 'sqlite_' AND (type = 'table') = ?"
                                 " ORDER BY rowid";
    sqlite3_stmt *schema = NULL;
    int code = sqlite3_prepare_v2(plain, select, -1, &schema, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int(schema, 1, fill);
    sotto_error error = SOTTO_OK;
    while (code == SQLITE_OK && error == SOTTO_OK && sqlite3_step(schema) == SQLITE_ROW) {
        error = store_exec(store, (const char *)sqlite3_column_text(schema, 1));
        if (error == SOTTO_OK && fill)
            error = copy_rows(store, plain, (const char *)sqlite3_column_text(schema, 0));
    }
    int end = sqlite3_finalize(schema); /* of the last step */
    if (error == SOTTO_OK && (code != SQLITE_OK || end != SQLITE_OK))
        error = fail_plain(store, plain, code != SQLITE_OK ? code : end);
    return error;
}

static sotto_error copy_version(struct store *store, sqlite3 *plain)
{
    sqlite3_stmt *query = NULL;
    char sql[64];
    int code = sqlite3_prepare_v2(plain, "PRAGMA user_version", -1, &query, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW) {
        snprintf(sql, sizeof sql, "PRAGMA user_version = %d", sqlite3_column_int(query, 0));
        code = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return code == SQLITE_OK ? store_exec(store, sql) : fail_plain(store, plain, code);
}

static sotto_error copy_all(struct store *store, sqlite3 *plain)
{
    sqlite3_stmt *query = NULL;
    TRY(store_exec(store, "BEGIN"));
    TRY(copy_schema(store, plain, true));
    TRY(copy_schema(store, plain, false));
    /* The counters of AUTOINCREMENT: a number that was given is not given again. The table is there
     * if a table has one. */
    if (sqlite3_prepare_v2(plain, "SELECT 1 FROM sqlite_sequence", -1, &query, NULL) == SQLITE_OK) {
        sqlite3_finalize(query);
        TRY(store_exec(store, "DELETE FROM sqlite_sequence"));
        TRY(copy_rows(store, plain, "sqlite_sequence"));
    }
    TRY(copy_version(store, plain));
    return store_exec(store, "COMMIT");
}

/* ---- Making --------------------------------------------------------------------------------- */

/* Nobody else knows it. */
static sotto_error open_new(struct store *store)
{
    char path[DISK_PATH_MAX];
    TRY(disk_path(path, store->directory, NEW_FILE));
    int code = sqlite3_open_v2(path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                               crypt_vfs_name(store->vfs));
    if (code != SQLITE_OK)
        return store_fail_sqlite(store, code);
    return store_exec(store, "PRAGMA locking_mode = EXCLUSIVE;"
                             "PRAGMA temp_store = MEMORY;"
                             "PRAGMA secure_delete = ON;");
}

static sotto_error make_file(struct store *store)
{
    char path[DISK_PATH_MAX];
    TRY(disk_path(path, store->directory, NEW_FILE));
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail_disk(store, errno == ENOSPC || errno == EDQUOT ? SOTTO_FULL : SOTTO_IO,
                         NEW_FILE " cannot be made");
    (void)close(fd);
    return SOTTO_OK;
}

/* If it does not become whole it goes: no journal, and it is synced once, at the end. */
static sotto_error fill(struct store *store, sqlite3 *plain)
{
    TRY(make_file(store));
    TRY(open_new(store));
    TRY(store_exec(store, "PRAGMA journal_mode = OFF;"
                          "PRAGMA synchronous = OFF;"));
    if (plain != NULL)
        TRY(copy_all(store, plain));
    return store_exec(store, "PRAGMA journal_mode = WAL");
}

static sotto_error close_new(struct store *store, sotto_error error)
{
    store_forget_statements(store);
    int code = sqlite3_close(store->db);
    store->db = NULL;
    return error == SOTTO_OK && code != SQLITE_OK ? store_fail_sqlite(store, code) : error;
}

/* Makes profile.db.new, with what is in plain if that is not NULL. */
static sotto_error build(struct store *store, sqlite3 *plain)
{
    sotto_error error = close_new(store, fill(store, plain));
    if (error == SOTTO_OK && plain != NULL) { /* as it lies there, before the other one goes */
        error = open_new(store);
        if (error == SOTTO_OK)
            error = store_check(store);
        error = close_new(store, error);
    }
    if (error == SOTTO_OK) {
        error = disk_sync(store->directory, NEW_FILE);
        if (error != SOTTO_OK)
            error = fail_disk(store, error, NEW_FILE " cannot be written");
    }
    return error;
}

static sotto_error take_place(struct store *store, bool was_plain)
{
    sotto_error error = SOTTO_OK;
    if (was_plain)
        error = disk_link(store->directory, STORE_FILE, PLAIN_FILE);
    if (error == SOTTO_UNSUPPORTED)
        error = disk_rename(store->directory, STORE_FILE, PLAIN_FILE);
    if (error == SOTTO_OK)
        error = disk_rename(store->directory, NEW_FILE, STORE_FILE);
    return error == SOTTO_OK ? SOTTO_OK : fail_disk(store, error, NEW_FILE " cannot be renamed");
}

static sotto_error encrypt(struct store *store)
{
    sqlite3 *plain = NULL;
    sotto_error error = open_plain(store, &plain);
    if (error == SOTTO_OK)
        error = build(store, plain);
    if (error == SOTTO_OK)
        error = take_place(store, true);
    /* Still locked: a process of an older version that waits for it finds no database. */
    if (error == SOTTO_OK)
        error = erase_plain(store);
    sqlite3_close(plain);
    return error;
}

sotto_error store_make(struct store *store)
{
    enum store_kind kind = STORE_ABSENT;
    TRY(store_look(store, &kind));
    if (kind == STORE_ABSENT && disk_exists(store->directory, PLAIN_FILE)) {
        if (disk_rename(store->directory, PLAIN_FILE, STORE_FILE) != SOTTO_OK)
            return fail_disk(store, SOTTO_IO, PLAIN_FILE " cannot be renamed");
        kind = STORE_PLAIN;
    }
    if (kind == STORE_ENCRYPTED)
        return erase_plain(store);
    TRY(remove_new(store));
    if (kind == STORE_PLAIN) {
        /* Its second name is made anew. Another file may be what somebody misses. */
        bool there = disk_exists(store->directory, PLAIN_FILE);
        if (there && !disk_same(store->directory, STORE_FILE, PLAIN_FILE))
            return store_fail(store, SOTTO_IO,
                              PLAIN_FILE " is there too; one of both has to be moved away");
        if (there && disk_erase(store->directory, PLAIN_FILE) != SOTTO_OK)
            return fail_disk(store, SOTTO_IO, PLAIN_FILE " is in the way");
        return encrypt(store);
    }
    TRY(build(store, NULL));
    return take_place(store, false);
}
