#include "core/store_wipe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/disk.h"
#include "core/store_query.h"

#define WIPED "profile.wiped"     /* in the database: its rows are gone, its files shall go */
#define ERASING "profile.erasing" /* a file: they are going */
#define LOCK_NAME "profile.lock"  /* disk.c's */

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Names of tables or triggers; %: of which sort. */
static sotto_error names_of(struct store *store, const char *sql, struct arena *arena,
                            const char ***names, size_t *count)
{
    struct rows rows = {.arena = arena, .size = sizeof **names};
    struct query q;
    query_read(&q, store, sql);
    while (query_next(&q)) {
        const char **name = rows_add(&rows, &q);
        if (name != NULL)
            *name = column_text(&q, arena);
    }
    TRY(query_end(&q));
    *names = (const char **)(void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

static sotto_error exec_each(struct store *store, const char *format, const char *const *names,
                             size_t count)
{
    char sql[200];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(sql, sizeof sql, format, names[i]);
        TRY(store_exec(store, sql));
    }
    return SOTTO_OK;
}

/* Without triggers, which would keep an index of what goes and tell of each row. */
static sotto_error wipe_rows(struct store *store, struct arena *arena)
{
    const char **names;
    size_t count;
    TRY(names_of(store, "SELECT name FROM sqlite_master WHERE type = 'trigger'", arena, &names,
                 &count));
    TRY(exec_each(store, "DROP TRIGGER \"%s\"", names, count));
    TRY(names_of(store,
                 "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
                 " AND name NOT LIKE 'search%'",
                 arena, &names, &count));
    TRY(exec_each(store, "DELETE FROM \"%s\"", names, count));
    return store_exec(store, "INSERT INTO search (search) VALUES ('delete-all')");
}

sotto_error store_wipe(struct store *store)
{
    struct arena arena;
    struct query q;
    BUG_UNLESS(store->in_transaction);
    arena_init(&arena, store->env);
    sotto_error error = wipe_rows(store, &arena);
    arena_free(&arena);
    TRY(error);
    store->scrub = true;
    TRY(store_number_put(store, WIPED, 1));
    query_write(&q, store, "INSERT INTO event (kind) VALUES (6)");
    return query_run(&q);
}

sotto_error store_is_wiped(struct store *store, bool *wiped)
{
    uint64_t number = 0;
    TRY(store_number_get(store, WIPED, &number));
    *wiped = number != 0;
    return SOTTO_OK;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Not overwritten: a process that has one open would find it damaged. It was wiped, and is
 * ciphertext. */
static sotto_error unlink_all(const char *directory)
{
    static const char *const names[] = {
        STORE_FILE,           STORE_FILE "-wal",     STORE_FILE "-shm",
        STORE_FILE ".new",    STORE_FILE ".new-wal", STORE_FILE ".new-shm",
        STORE_FILE "-journal"};
    char path[DISK_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(disk_path(path, directory, names[i]));
        if (unlink(path) != 0 && errno != ENOENT)
            return SOTTO_IO;
    }
    return SOTTO_OK;
}

/* What was fetched: ciphertext, whose keys were wiped. */
static sotto_error unlink_downloads(const char *directory)
{
    char path[DISK_PATH_MAX];
    bool good = true;
    TRY(disk_path(path, directory, STORE_DOWNLOADS));
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            good &= unlinkat(dirfd(folder), entry->d_name, 0) == 0 || errno == ENOENT;
    if (folder != NULL)
        (void)closedir(folder);
    (void)rmdir(path);
    return good ? SOTTO_OK : SOTTO_IO;
}

/* Under the lock. */
static sotto_error erase_all(const char *directory)
{
    char path[DISK_PATH_MAX];
    if (!disk_exists(directory, ERASING))
        TRY(disk_replace(directory, ERASING, sotto_bytes_str("erased")));
    TRY(disk_erase(directory, VAULT_FILE));
    TRY(disk_erase(directory, VAULT_FILE ".new"));
    TRY(disk_erase(directory, VAULT_KEYRING_FILE));
    TRY(unlink_all(directory));
    TRY(unlink_downloads(directory));
    TRY(disk_erase(directory, ERASING)); /* last; syncs the directory */
    TRY(disk_path(path, directory, LOCK_NAME));
    (void)unlink(path);
    (void)rmdir(directory); /* unless something else is in it */
    return SOTTO_OK;
}

sotto_error store_erase_files(const char *directory)
{
    int lock = -1;
    TRY(disk_lock(directory, STORE_BUSY_MS, &lock));
    sotto_error error = erase_all(directory);
    disk_unlock(lock);
    return error;
}

sotto_error store_erase_go_on(const char *directory)
{
    if (!disk_exists(directory, ERASING))
        return SOTTO_OK;
    return store_erase_files(directory);
}
