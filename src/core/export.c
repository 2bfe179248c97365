/* A conversation as files for people and programs. The folder is made beside its name, as
 * .sotto-NAME.part, and takes that once all is in it and on the disk. What a killed process left
 * under that name goes when the next one begins. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/export_page.h"
#include "core/new_file.h"

enum { PAGE = 32 };

struct exporting {
    struct sotto *core;
    const struct sotto_export *what;
    struct room_id room;
    char path[PATH_MAX], part[PATH_MAX]; /* the folder, and what it is until it is whole */
    int part_fd;                         /* its lock; -1: it is not ours */
    FILE *html, *json;
    struct sotto_exported done;
    uint64_t of;
    sotto_progress_fn *progress;
    void *ctx;
};

static sotto_error cannot_write(struct exporting *e)
{
    struct sotto_problem *problem = &e->core->problem;
    int number = errno;
    if (number == EEXIST || number == ENOTEMPTY)
        return problem_set(problem, SOTTO_EXISTS, SOTTO_CODE_EXISTS, "Choose another name.",
                           "%.400s is there already.", e->path);
    if (number == ENOSPC || number == EDQUOT)
        return problem_set(problem, SOTTO_FULL, SOTTO_CODE_STORAGE_FULL,
                           "Make room on the disk, or choose another place.",
                           "The disk is full while writing %.400s.", e->path);
    return problem_set(problem, SOTTO_IO, SOTTO_CODE_STORAGE, "Choose another place.",
                       "%.400s cannot be written: %s.", e->path, strerror(number));
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (size <= 0 || (size_t)size >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL && fd >= 0)
        (void)close(fd);
    return file;
}

/* What is in the folder, two levels deep: nothing else was put there. */
static void folder_empty(const char *path, bool deeper)
{
    char below[PATH_MAX];
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        int size = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || size <= 0 ||
            (size_t)size >= sizeof below)
            continue;
        if (unlink(below) != 0 && deeper) {
            folder_empty(below, false);
            (void)rmdir(below);
        }
    }
    if (folder != NULL)
        (void)closedir(folder);
}

/* False: errno says why not. */
static bool choose_names(struct exporting *e)
{
    size_t size = strlen(e->what->path);
    while (size > 1 && e->what->path[size - 1] == '/')
        size--;
    int written = snprintf(e->path, sizeof e->path, "%.*s", (int)size, e->what->path);
    if (written > 0 && (size_t)written < sizeof e->path) {
        const char *slash = strrchr(e->path, '/');
        int folder = slash == NULL ? 0 : (int)(slash + 1 - e->path);
        written = snprintf(e->part, sizeof e->part, "%.*s.sotto-%s.part", folder, e->path,
                           e->path + folder);
    }
    errno = written == 0 ? ENOENT : ENAMETOOLONG;
    return written > 0 && (size_t)written < sizeof e->part;
}

/* Makes the folder, or takes the one that a killed process of the same person left. */
static sotto_error part_take(struct exporting *e)
{
    struct stat found;
    bool fresh = mkdir(e->part, 0700) == 0;
    if (!fresh && errno != EEXIST)
        return cannot_write(e);
    e->part_fd = new_file_lock(AT_FDCWD, e->part, O_RDONLY | O_DIRECTORY, 0);
    if (e->part_fd < 0 && errno == EWOULDBLOCK)
        return problem_set(&e->core->problem, SOTTO_BUSY, SOTTO_CODE_STORAGE_BUSY,
                           "Wait until it is done.", "Another sotto command writes %.400s.",
                           e->path);
    if (e->part_fd < 0)
        return cannot_write(e);
    if (fresh)
        return SOTTO_OK;
    if (fstat(e->part_fd, &found) != 0 || found.st_uid != geteuid()) {
        (void)close(e->part_fd);
        e->part_fd = -1;
        (void)snprintf(e->path, sizeof e->path, "%s", e->part); /* what is in the way */
        errno = EEXIST;
        return cannot_write(e);
    }
    (void)fchmod(e->part_fd, 0700);
    folder_empty(e->part, true);
    return SOTTO_OK;
}

static sotto_error begin(struct exporting *e)
{
    struct stat found;
    if (!choose_names(e))
        return cannot_write(e);
    errno = EEXIST;
    if (lstat(e->path, &found) == 0)
        return cannot_write(e);
    TRY(part_take(e));
    e->html = open_in(e->part, "index.html");
    e->json = e->html != NULL ? open_in(e->part, "messages.jsonl") : NULL;
    return e->json != NULL ? SOTTO_OK : cannot_write(e);
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* Its place in the folder, in file; empty: it cannot be had. */
static sotto_error file_fetch(struct exporting *e, const struct sotto_message *message,
                              char file[static NAME_MAX + 64])
{
    char to[PATH_MAX], saved[PATH_MAX];
    int size = snprintf(to, sizeof to, "%s/files", e->part);
    if (size <= 0 || (size_t)size >= sizeof to || (mkdir(to, 0700) != 0 && errno != EEXIST))
        return cannot_write(e);
    (void)snprintf(file, NAME_MAX + 64, "files/%lld-%.200s", (long long)message->id,
                   message->file_name);
    size = snprintf(to, sizeof to, "%s/%s", e->part, file);
    if (size <= 0 || (size_t)size >= sizeof to) {
        errno = ENAMETOOLONG;
        return cannot_write(e);
    }
    sotto_error error = sotto_save(e->core, message->id, to, saved, sizeof saved);
    if (error == SOTTO_OK) {
        e->done.files++;
        return SOTTO_OK;
    }
    file[0] = '\0';
    enum sotto_code code = e->core->problem.code;
    if (code != SOTTO_CODE_FILE_GONE && code != SOTTO_CODE_BAD_FILE)
        return error;
    e->done.missing++;
    problem_clear(&e->core->problem);
    return SOTTO_OK;
}

/* ---- Messages ------------------------------------------------------------------------------- */

static sotto_error one(struct exporting *e, const struct store_message *row, struct arena *arena)
{
    struct sotto_message message;
    char file[NAME_MAX + 64] = "";
    memset(&message, 0, sizeof message);
    message_show(e->core, row, arena, &message);
    if (e->what->files && sotto_message_has_file(message.kind))
        TRY(file_fetch(e, &message, file));
    page_message_html(e->html, &message, file[0] != '\0' ? file : NULL);
    page_message_json(e->json, row, &message, file[0] != '\0' ? file : NULL);
    e->done.messages++;
    return ferror(e->html) || ferror(e->json) ? cannot_write(e) : SOTTO_OK;
}

static sotto_error messages(struct exporting *e)
{
    struct sotto *core = e->core;
    int64_t last = 0;
    for (size_t count = PAGE; count == PAGE;) {
        struct arena arena;
        struct store_message *rows = NULL;
        if (core->stop)
            return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_STOPPED,
                               "Run the command again.",
                               "Stopped before all was written; nothing is left of it.");
        arena_init(&arena, core->env);
        sotto_error error =
            store_messages_of(core->store, &e->room, last, PAGE, &arena, &rows, &count);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the conversation");
        for (size_t i = 0; i < count && error == SOTTO_OK; i++)
            error = one(e, &rows[i], &arena);
        if (error == SOTTO_OK && count > 0)
            last = rows[count - 1].position;
        arena_free(&arena);
        TRY(error);
        if (e->progress != NULL)
            e->progress(e->ctx, e->done.messages,
                        e->of > e->done.messages ? e->of : e->done.messages);
    }
    return SOTTO_OK;
}

static sotto_error file_close(struct exporting *e, FILE **file, sotto_error error)
{
    if (*file == NULL)
        return error;
    bool good = !ferror(*file) && fflush(*file) == 0 && fsync(fileno(*file)) == 0;
    if (error == SOTTO_OK && !good)
        error = cannot_write(e);
    (void)fclose(*file);
    *file = NULL;
    return error;
}

static void directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static sotto_error end(struct exporting *e, sotto_error error)
{
    error = file_close(e, &e->html, error);
    error = file_close(e, &e->json, error);
    if (error == SOTTO_OK) {
        directory_sync(e->part);
        if (renameat2(AT_FDCWD, e->part, AT_FDCWD, e->path, RENAME_NOREPLACE) != 0 &&
            ((errno != EINVAL && errno != ENOSYS) || rename(e->part, e->path) != 0))
            error = cannot_write(e);
    }
    if (error != SOTTO_OK && e->part_fd >= 0) {
        folder_empty(e->part, true);
        (void)rmdir(e->part);
    }
    if (e->part_fd >= 0)
        (void)close(e->part_fd);
    e->part_fd = -1;
    return error;
}

static sotto_error write_all(struct exporting *e, struct arena *arena)
{
    struct sotto *core = e->core;
    struct store_room row;
    sotto_error error = store_room_get(core->store, &e->room, arena, &row);
    if (error == SOTTO_NOT_FOUND || (error == SOTTO_OK && row.kind == STORE_ROOM_OWN))
        return problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                           "`sotto conversations` lists them.",
                           "There is no conversation of that id.");
    if (error == SOTTO_OK)
        error = store_messages_count_of(core->store, &e->room, &e->of);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the conversation");
    error = begin(e);
    if (error == SOTTO_OK) {
        const char *title = names_title(core, &row, arena);
        page_begin_html(e->html, title, core_now_s(core));
        page_begin_json(e->json, &e->room, title, core_now_s(core));
        error = messages(e);
        page_end_html(e->html);
    }
    return end(e, error);
}

sotto_error sotto_export(struct sotto *core, const struct sotto_export *what,
                         struct sotto_exported *exported, sotto_progress_fn *progress, void *ctx)
{
    struct arena arena;
    TRY(core_need_past(core));
    struct exporting *e = mem_alloc(core->env, sizeof *e);
    if (e == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "exporting");
    problem_clear(&core->problem);
    e->core = core;
    e->what = what;
    e->part_fd = -1;
    e->progress = progress;
    e->ctx = ctx;
    memcpy(e->room.bytes, what->conversation.bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = write_all(e, &arena);
    if (error == SOTTO_OK)
        *exported = e->done;
    arena_free(&arena);
    mem_free(core->env, e, sizeof *e);
    return error;
}
