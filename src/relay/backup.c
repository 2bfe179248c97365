#include "relay/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/check.h"
#include "relay/files.h"
#include "relay/store_sql.h"

/* What a backup holds beside relay.db, where it is there. */
static const char *const also[] = {"certificate.pem", "key.pem", "blobs"};
enum { ALSO = sizeof also / sizeof *also, ALSO_KEYS = 2 };

/* A restored inbox goes on far behind every number that was given out before: devices take what
 * is not above the last one they saw for a repetition. */
#define INBOX_JUMP "4294967296"

static bool say(char *problem, const char *what, const char *path)
{
    snprintf(problem, CONFIG_TEXT, "%s %.400s: %s", what, path, strerror(errno));
    return false;
}

static bool join(char path[static PATH_MAX], const char *folder, const char *name)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* ---- Backup --------------------------------------------------------------------------------- */

/* One snapshot, held while it is copied: the relay goes on writing beside it. */
static int copy_pages(struct db *from, struct db *to)
{
    sqlite3_busy_timeout(from->handle, 5000);
    db_exec(from, "BEGIN; SELECT count(*) FROM sqlite_schema");
    db_exec(to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"); /* synced as a whole, below */
    if (from->failure != SQLITE_OK)
        return from->failure;
    sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    if (backup == NULL)
        return sqlite3_extended_errcode(to->handle);
    sqlite3_backup_step(backup, -1);
    int code = sqlite3_backup_finish(backup);
    db_exec(from, "COMMIT");
    return code != SQLITE_OK ? code : from->failure;
}

static bool copy_store(const char *from_path, const char *to_path, char *problem)
{
    struct db from, to;
    int fd = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return say(problem, "cannot make", to_path);
    int code = db_open(&from, from_path, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) {
        code = db_open(&to, to_path, SQLITE_OPEN_READWRITE, NULL);
        if (code == SQLITE_OK) {
            code = copy_pages(&from, &to);
            db_close(&to);
        }
        db_close(&from);
    }
    bool good = code == SQLITE_OK && fsync(fd) == 0;
    if (code != SQLITE_OK)
        snprintf(problem, CONFIG_TEXT, "%.400s cannot be copied: %s", from_path,
                 sqlite3_errstr(code));
    else if (!good)
        say(problem, "cannot write", to_path);
    close(fd);
    return good;
}

static bool copy_these(const char *from, const char *to, const char *const *names, size_t count,
                       char *problem)
{
    char source[PATH_MAX], target[PATH_MAX];
    for (size_t i = 0; i < count; i++) {
        if (!join(source, from, names[i]) || !join(target, to, names[i]))
            return say(problem, "cannot copy", names[i]);
        if (files_exist(source) && !files_copy(source, target))
            return say(problem, "cannot copy", source);
    }
    return true;
}

static bool copy_also(const char *from, const char *to, bool with_keys, char *problem)
{
    const size_t first = with_keys ? 0 : ALSO_KEYS;
    return copy_these(from, to, also + first, ALSO - first, problem);
}

/* What sottod-orders keeps (docs/LAWFUL-ORDERS.md), of one moment: no command runs meanwhile. */
static bool copy_orders(const char *from, const char *to, bool with_keys, char *problem)
{
    static const char *const names[] = {"log.key", "answer.key", "answer.pem",
                                        "log",     "outgoing",   "withdrawals"};
    enum { NAMES = sizeof names / sizeof *names, KEYS = 2 };
    char source[PATH_MAX], target[PATH_MAX], records[PATH_MAX], copy[PATH_MAX], lock[PATH_MAX];
    if (!join(source, from, "orders") || !join(target, to, "orders") ||
        !join(records, source, "orders.db") || !join(copy, target, "orders.db") ||
        !join(lock, source, "lock"))
        return say(problem, "cannot copy", "orders");
    if (!files_exist(records))
        return true;
    const int fd = open(lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC); /* a backup has none */
    if (fd >= 0 && flock(fd, LOCK_SH) != 0) {
        say(problem, "cannot lock", lock);
        close(fd);
        return false;
    }
    bool good = mkdir(target, 0700) == 0 || say(problem, "cannot make", target);
    const size_t first = with_keys ? 0 : KEYS;
    good = good && copy_store(records, copy, problem) &&
           copy_these(source, target, names + first, NAMES - first, problem) &&
           (files_sync_folder(target) || say(problem, "cannot write", target));
    if (fd >= 0)
        close(fd);
    return good;
}

/* The database first: what it names lay in the folder of blobs already. */
static bool fill(const struct config *config, const char *folder, char *problem)
{
    char store[PATH_MAX], copy[PATH_MAX];
    data_path(config, DATA_STORE, store);
    if (!join(copy, folder, "relay.db"))
        return say(problem, "cannot make", folder);
    return copy_store(store, copy, problem) &&
           copy_also(config->data, folder, !config->without_key, problem) &&
           copy_orders(config->data, folder, !config->without_key, problem) &&
           check_store(copy, problem) &&
           (files_sync_folder(folder) || say(problem, "cannot write", folder));
}

/* The folder above, for what has to be on the disk after a rename. */
static void parent_of(const char *path, char parent[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        (void)snprintf(parent, PATH_MAX, ".");
    else
        (void)snprintf(parent, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static bool move_into_place(const char *made, const char *path, char *problem)
{
    char parent[PATH_MAX];
    parent_of(path, parent);
    if (renameat2(AT_FDCWD, made, AT_FDCWD, path, RENAME_NOREPLACE) != 0 ||
        !files_sync_folder(parent))
        return say(problem, "cannot make", path);
    return true;
}

/* For `sottod status` and the metrics. Best effort: the backup is made. */
static void note_backup(const struct config *config)
{
    char path[PATH_MAX], text[32];
    struct stat folder;
    const sotto_env *env = sotto_env_system();
    snprintf(text, sizeof text, "%" PRIu64 "\n", env->now(env->ctx));
    data_path(config, DATA_BACKUP, path);
    if (data_write(path, sotto_bytes_str(text)) == SOTTO_OK && geteuid() == 0 &&
        stat(config->data, &folder) == 0)
        (void)files_give(path, folder.st_uid, folder.st_gid);
}

uint64_t backup_last(const struct config *config)
{
    char path[PATH_MAX], text[32] = "";
    data_path(config, DATA_BACKUP, path);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return read ? strtoull(text, NULL, 10) : 0;
}

int command_backup(const struct config *config)
{
    char problem[CONFIG_TEXT] = "", path[PATH_MAX], making[PATH_MAX], target[PATH_MAX];
    size_t size = strlen(config->argument);
    umask(077);
    (void)snprintf(target, sizeof target, "%s", config->argument);
    while (size > 1 && target[size - 1] == '/')
        target[--size] = '\0';
    if (size == 0)
        return command_fail("backup takes the name of a folder to make");
    data_path(config, DATA_STORE, path);
    if (!files_exist(path))
        return command_fail("there is no relay in %.400s: give its --data", config->data);
    if (files_exist(target))
        return command_fail("%.400s is there already: a backup does not overwrite, give a new name",
                            target);
    if (snprintf(making, sizeof making, "%s.unfinished-%d", target, (int)getpid()) >= PATH_MAX)
        return command_fail("the name %.400s is too long", target);
    if (mkdir(making, 0700) != 0)
        return command_fail("cannot make %.400s: %s", making, strerror(errno));
    if (!fill(config, making, problem) || !move_into_place(making, target, problem)) {
        (void)files_remove(making);
        return command_fail("%s. There is no backup", problem);
    }
    note_backup(config);
    printf("%s\n", target);
    return 0;
}

/* ---- Restore -------------------------------------------------------------------------------- */

/* The two folders of a restore under way: one that is being filled, and one that is complete and
 * takes the place of what is there. */
static const char new_folder[] = "restore.new", now_folder[] = "restore.now";

/* What must not come back, as it was good once only and has been used since, perhaps. */
static bool forget_used(const char *path, char *problem)
{
    struct db db;
    int code = db_open(&db, path, SQLITE_OPEN_READWRITE, NULL);
    sotto_error error = code == SQLITE_OK ? schema_apply(&db) : SOTTO_IO;
    if (error == SOTTO_OK) {
        db_exec(&db, "PRAGMA secure_delete=ON; BEGIN;"
                     "DELETE FROM key_packages; DELETE FROM codes; DELETE FROM invitations;"
                     "UPDATE token_keys SET private_key = NULL; DELETE FROM token_spent;"
                     "UPDATE devices SET inbox_next = inbox_next + " INBOX_JUMP "; COMMIT");
        error = db_error_of(db.failure);
    }
    if (code == SQLITE_OK)
        db_close(&db); /* moves its log into it */
    if (error == SOTTO_VERSION)
        snprintf(problem, CONFIG_TEXT, "the backup is of a newer sottod: restore it with that one");
    else if (error != SOTTO_OK)
        snprintf(problem, CONFIG_TEXT, "the backup's database cannot be used: %s",
                 sotto_error_text(error));
    return error == SOTTO_OK;
}

static bool stage(const struct config *config, char *problem)
{
    char folder[PATH_MAX], ready[PATH_MAX], from[PATH_MAX], store[PATH_MAX], orders[PATH_MAX];
    struct stat owner;
    if (!join(folder, config->data, new_folder) || !join(ready, config->data, now_folder) ||
        !join(from, config->argument, "relay.db") || !join(store, folder, "relay.db"))
        return say(problem, "cannot restore to", config->data);
    if (!files_remove(folder) || mkdir(folder, 0700) != 0)
        return say(problem, "cannot make", folder);
    /* A log that is here is not put back: it would lose the entries since. */
    if (!join(orders, config->data, "orders/orders.db") ||
        (!files_exist(orders) && !copy_orders(config->argument, folder, true, problem)))
        return false;
    if (!copy_store(from, store, problem) || !copy_also(config->argument, folder, true, problem) ||
        !forget_used(store, problem) || !check_store(store, problem))
        return false;
    if (geteuid() == 0 &&
        (stat(config->data, &owner) != 0 || !files_give(folder, owner.st_uid, owner.st_gid)))
        return say(problem, "cannot hand over", folder);
    if (!files_sync_folder(folder) || rename(folder, ready) != 0 ||
        !files_sync_folder(config->data))
        return say(problem, "cannot make", ready);
    return true;
}

/* Each step can be repeated: a kill between two is made up for by the next start. */
static bool replace(const struct config *config, const char *ready, const char *name)
{
    char made[PATH_MAX], place[PATH_MAX], log[PATH_MAX];
    if (!join(made, ready, name) || !join(place, config->data, name))
        return false;
    if (!files_exist(made))
        return true;
    if (strcmp(name, "relay.db") == 0) { /* the old one's log is not the new one's */
        static const char *const logs[] = {"relay.db-wal", "relay.db-shm"};
        for (size_t i = 0; i < 2; i++)
            if (!join(log, config->data, logs[i]) || !files_remove(log))
                return false;
    }
    return files_remove(place) && rename(made, place) == 0 && files_sync_folder(config->data);
}

bool backup_finish_restore(const struct config *config, char problem[static CONFIG_TEXT])
{
    char ready[PATH_MAX], unfinished[PATH_MAX];
    if (!join(ready, config->data, now_folder) || !join(unfinished, config->data, new_folder))
        return say(problem, "cannot restore to", config->data);
    if (!files_remove(unfinished))
        return say(problem, "cannot remove", unfinished);
    if (!files_exist(ready))
        return true;
    bool good = replace(config, ready, "relay.db");
    for (size_t i = 0; i < ALSO && good; i++)
        good = replace(config, ready, also[i]);
    good = good && replace(config, ready, "orders");
    if (!good || !files_remove(ready) || !files_sync_folder(config->data))
        return say(problem, "the restore cannot be finished in", config->data);
    return true;
}

/* Whether there is a relay in the directory that a restore would erase. */
static bool is_used(const struct config *config)
{
    static const char *const names[] = {"relay.db", "key.pem", "blobs"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (join(path, config->data, names[i]) && files_exist(path))
            return true;
    return false;
}

int command_restore(const struct config *config)
{
    char problem[CONFIG_TEXT] = "", path[PATH_MAX];
    umask(077);
    if (config->argument[0] == '\0' || !join(path, config->argument, "relay.db") ||
        !files_exist(path))
        return command_fail("restore takes a backup's folder, with a relay.db in it");
    if (!data_prepare(config, problem))
        return command_fail("%s", problem);
    int lock = data_lock(config, problem);
    if (lock < 0)
        return command_fail("%s", problem);
    if (!backup_finish_restore(config, problem)) {
        close(lock);
        return command_fail("%s", problem);
    }
    if (is_used(config) && !config->force) {
        close(lock);
        return command_fail(
            "there is a relay in %.300s: restoring would erase its accounts, rooms and messages"
            " for good and put the backup's in their place. If that is what you want, say --force",
            config->data);
    }
    bool good = stage(config, problem) && backup_finish_restore(config, problem);
    if (!good) {
        char ignored[CONFIG_TEXT];
        (void)backup_finish_restore(config, ignored); /* removes what was staged */
    }
    close(lock);
    if (!good)
        return command_fail("%s", problem);
    printf("Restored to %s.\n"
           "Rooms that were written to since the backup was made will be found to contradict\n"
           "themselves: their members begin them anew. Invitations to register and verification\n"
           "codes are void; make new ones. What people deleted since is there again.\n",
           config->data);
    return 0;
}
