/* Opening a profile: its directory, its key, its database. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/disk.h"
#include "core/store_query.h"
#include "core/store_wipe.h"

static sotto_error fail_errno(struct store *store, const char *what)
{
    sotto_error error = errno == ENOSPC || errno == EDQUOT ? SOTTO_FULL : SOTTO_IO;
    store->fault = (sotto_fault){.error = error, .what = what};
    snprintf(store->message, sizeof store->message, "%s: %s", what, strerror(errno));
    return error;
}

/* Makes the directory of path and what is missing above it. One that is there keeps its mode: it
 * may hold other things, and our files have a mode of their own. */
static sotto_error make_directories(struct store *store, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0700) != 0 && errno != EEXIST;
        *slash = '/';
        if (failed)
            return fail_errno(store, "the profile's directory cannot be made");
    }
    return SOTTO_OK;
}

/* Not by opening it: the locks that this process holds on a file end with any descriptor of it that
 * is closed. SQLite gives its other files (-wal, -shm) the mode of the database. */
static sotto_error make_private(struct store *store, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? SOTTO_OK : fail_errno(store, "the profile cannot be read");
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return fail_errno(store, "the profile holds something else than files");
    }
    if ((status.st_mode & 0777) != 0600 && chmod(path, 0600) != 0)
        return fail_errno(store, "the profile cannot be made private");
    return SOTTO_OK;
}

/* ---- The key -------------------------------------------------------------------------------- */

static sotto_error lock_profile(struct store *store, int *lock)
{
    sotto_error error = disk_lock(store->directory, STORE_BUSY_MS, lock);
    if (error == SOTTO_BUSY)
        return store_fail(store, error, "profile.lock: another process holds it");
    if (error != SOTTO_OK)
        return fail_errno(store, "profile.lock cannot be made");
    return SOTTO_OK;
}

/* A new profile, or one from before there were keys: under the lock. */
static sotto_error make_key(struct store *store)
{
    int lock = -1;
    TRY(lock_profile(store, &lock));
    sotto_error error =
        vault_open(store->env, store->directory, NULL, &store->vault, &store->fault);
    enum store_kind kind = STORE_ABSENT;
    if (error == SOTTO_NOT_FOUND) { /* else another process was faster */
        error = store_look(store, &kind);
        if (error == SOTTO_OK && kind == STORE_ENCRYPTED)
            error = store_fail(store, SOTTO_VALUE, VAULT_FILE ": the key file is missing");
        if (error == SOTTO_OK) {
            error = vault_create(store->env, store->directory, &store->vault);
            if (error == SOTTO_IO || error == SOTTO_FULL)
                error = fail_errno(store, VAULT_FILE ": the key file cannot be made");
            else if (error != SOTTO_OK)
                error = store_fail(store, error, VAULT_FILE ": the key file cannot be made");
        }
    }
    disk_unlock(lock);
    return error;
}

static sotto_error ask_passphrase(struct store *store, const struct store_access *access)
{
    sotto_error error = SOTTO_STATE;
    for (unsigned tries = 0; error == SOTTO_STATE || error == SOTTO_KEY; tries++) {
        sotto_buf passphrase;
        sotto_buf_init(&passphrase, store->env);
        bool given = access != NULL && access->passphrase != NULL &&
                     access->passphrase(access->ctx, tries, &passphrase);
        if (given) {
            const sotto_bytes view = sotto_buf_view(&passphrase);
            error = vault_open(store->env, store->directory, &view, &store->vault, &store->fault);
        }
        sotto_buf_free(&passphrase);
        if (!given)
            break;
    }
    return error;
}

static sotto_error open_key(struct store *store, const struct store_access *access)
{
    sotto_error error =
        vault_open(store->env, store->directory, NULL, &store->vault, &store->fault);
    if (error == SOTTO_NOT_FOUND)
        error = make_key(store);
    if (error == SOTTO_STATE)
        error = ask_passphrase(store, access);
    return error;
}

/* ---- The database --------------------------------------------------------------------------- */

void store_memory_uncounted(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* refused: it counts, as before */
}

static void nap(void)
{
    struct timespec time = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&time, NULL);
}

/* It is one already, but SQLite has to look; and it does not wait when another process is just
 * opening or closing the log. */
static sotto_error enter_wal(struct store *store)
{
    for (int tries = 0;; tries++) {
        sotto_error error = store_exec(store, "PRAGMA journal_mode = WAL");
        if (error != SOTTO_BUSY || tries == STORE_BUSY_MS / 20)
            return error;
        nap();
    }
}

/* Pages that are read again cost their decryption, hence a larger cache than SQLite's own choice:
 * 8 MiB. */
static sotto_error configure(struct store *store)
{
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* The schema is our own: nobody without the key can have written it. Its triggers keep the
     * index of words, which SQLite would else not let them. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
    TRY(store_exec(store, "PRAGMA temp_store = MEMORY;"
                          "PRAGMA secure_delete = ON;"));
    TRY(enter_wal(store));
    return store_exec(store, "PRAGMA synchronous = FULL;"
                             "PRAGMA foreign_keys = ON;"
                             "PRAGMA cell_size_check = ON;"
                             "PRAGMA cache_size = -8192;"
                             "PRAGMA journal_size_limit = 4194304;");
}

static sotto_error set_up_encryption(struct store *store)
{
    sotto_error error = crypt_vfs_new(store->env, store->vault, store->below, &store->vfs);
    if (error != SOTTO_OK)
        return store_fail(store, error, STORE_FILE ": its encryption cannot be set up");
    return SOTTO_OK;
}

static sotto_error open_sqlite(struct store *store)
{
    int code = sqlite3_open_v2(store->path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                               crypt_vfs_name(store->vfs));
    if (code != SQLITE_OK)
        return store_fail_sqlite(store, code);
    return configure(store);
}

static sotto_error open_database(struct store *store)
{
    TRY(set_up_encryption(store));
    int lock = -1;
    TRY(lock_profile(store, &lock));
    sotto_error error = store_make(store);
    disk_unlock(lock);
    TRY(error);
    TRY(open_sqlite(store));
    return store_migrate(store);
}

static sotto_error open_profile(struct store *store, const struct store_access *access)
{
    char keys[DISK_PATH_MAX];
    if (store_erase_go_on(store->directory) != SOTTO_OK)
        return fail_errno(store, "the profile of a deleted account cannot be erased");
    TRY(make_directories(store, store->path));
    if (disk_path(keys, store->directory, VAULT_FILE) != SOTTO_OK)
        return store_fail(store, SOTTO_IO, "the profile's path is too long");
    TRY(make_private(store, store->path));
    TRY(make_private(store, keys));
    sotto_error error = open_key(store, access);
    if (error != SOTTO_OK && store->fault.error == SOTTO_OK)
        return store_fail(store, error, VAULT_FILE ": the key file cannot be opened");
    TRY(error);
    return open_database(store);
}

/* NULL: no memory. */
static struct store *store_new(const sotto_env *env, const char *directory)
{
    size_t folder_size = strlen(directory) + 1, size = folder_size + sizeof STORE_FILE;
    struct store *store = mem_alloc(env, sizeof *store);
    char *path = mem_alloc(env, size), *folder = mem_alloc(env, folder_size);
    if (store == NULL || path == NULL || folder == NULL) {
        mem_free(env, path, size);
        mem_free(env, folder, folder_size);
        mem_free(env, store, sizeof *store);
        return NULL;
    }
    memcpy(folder, directory, folder_size);
    snprintf(path, size, "%s/" STORE_FILE, directory);
    store->env = env;
    store->path = path;
    store->path_size = size;
    store->directory = folder;
    store->directory_size = folder_size;
    store->fault.what = "";
    return store;
}

/* The end of opening: gives the store, or its fault. */
static sotto_error opened(struct store *store, sotto_error error, struct store **out,
                          sotto_fault *fault)
{
    const sotto_fault no_memory = {.error = SOTTO_NO_MEMORY, .what = "store"};
    if (store != NULL && error == SOTTO_OK) {
        *out = store;
        return SOTTO_OK;
    }
    if (fault != NULL)
        *fault = store == NULL || store->fault.error == SOTTO_OK ? no_memory : store->fault;
    store_close(store);
    return error;
}

sotto_error store_open(const sotto_env *env, const char *directory,
                       const struct store_access *access, struct store **out, sotto_fault *fault)
{
    struct store *store = store_new(env, directory);
    sotto_error error = SOTTO_NO_MEMORY;
    if (store != NULL && access != NULL) {
        store->below = access->vfs;
        store->cost = access->cost;
    }
    if (store != NULL)
        error = open_profile(store, access);
    return opened(store, error, out, fault);
}

sotto_error store_open_beside(const struct store *first, struct store **out, sotto_fault *fault)
{
    struct store *store = store_new(first->env, first->directory);
    sotto_error error = SOTTO_NO_MEMORY;
    if (store != NULL) {
        store->below = first->below;
        store->cost = first->cost;
        store->vault = vault_copy(first->vault);
    }
    if (store != NULL && store->vault != NULL)
        error = set_up_encryption(store);
    if (error == SOTTO_OK)
        error = open_sqlite(store);
    return opened(store, error, out, fault);
}

/* ---- The passphrase ---------------------------------------------------------------------------
 */

sotto_error store_passphrase_is_set(struct store *store, bool *set)
{
    return vault_look(store->env, store->directory, set, &store->fault);
}

sotto_error store_passphrase_set(struct store *store, const sotto_bytes *passphrase)
{
    int lock = -1;
    if (passphrase != NULL && (passphrase->size == 0 || passphrase->size > VAULT_PASSPHRASE_MAX))
        return store_fail(store, SOTTO_LENGTH, "passphrase");
    TRY(lock_profile(store, &lock));
    const struct vault_cost *cost = store->cost != NULL ? store->cost : &vault_cost_default;
    sotto_error error = vault_seal(store->vault, store->directory, passphrase, cost);
    if (error == SOTTO_IO || error == SOTTO_FULL)
        error = fail_errno(store, VAULT_FILE ": the key file cannot be written");
    else if (error != SOTTO_OK)
        error = store_fail(store, error, VAULT_FILE ": the key file cannot be written");
    disk_unlock(lock);
    return error;
}
