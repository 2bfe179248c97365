/* What an export holds, back into the history. The file is read twice: once to see that all of it
 * can be used, then into the store, some messages a transaction, which a repetition finds done. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/content.h"
#include "core/internal.h"

enum {
    LINE_SIZE_MAX = 8 * 1024 * 1024, /* the largest text, each byte of it escaped, and the rest */
    LINES_MAX = 4 * 1000 * 1000,
    BATCH = 256,
    PART_MAX = 0xFFFF,
};
#define NUMBER_MAX (INT64_C(1) << 53) /* what any reader of JSON holds exactly */

struct importing {
    struct sotto *core;
    char path[PATH_MAX];
    FILE *file;
    uint64_t size, read; /* of the file, and of both passes so far */
    uint64_t line;       /* 1, 2, ... */
    sotto_buf bytes;     /* of the line */
    struct room_id room;
    bool taking; /* the second pass */
    uint32_t in_batch;
    struct sotto_imported done;
    sotto_progress_fn *progress;
    void *ctx;
};

/* ---- What was wrong ------------------------------------------------------------------------- */

static sotto_error cannot_read(struct importing *m)
{
    return problem_set(&m->core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NO_FILE,
                       "Give the path of a folder that `sotto export` made.",
                       "%.400s cannot be read: %s.", m->path, strerror(errno));
}

static sotto_error refused(struct importing *m, const char *field, const char *what)
{
    return problem_set(&m->core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_EXPORT, "Export it again.",
                       "%.300s cannot be used: line %llu%s%s: %.120s.", m->path,
                       (unsigned long long)m->line, field != NULL ? ", " : "",
                       field != NULL ? field : "", what);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The next line without its end. NOT_FOUND: that was all. */
static sotto_error line_read(struct importing *m)
{
    int c = EOF;
    sotto_buf_clear(&m->bytes);
    m->line++;
    while ((c = getc_unlocked(m->file)) != EOF && c != '\n') {
        uint8_t byte = (uint8_t)c;
        if (m->bytes.size == LINE_SIZE_MAX)
            return refused(m, NULL, "it is too long");
        if (sotto_buf_append(&m->bytes, &byte, 1) != SOTTO_OK)
            return core_store_problem(m->core, SOTTO_NO_MEMORY, "reading the export");
    }
    if (ferror(m->file))
        return cannot_read(m);
    if (c == EOF && m->bytes.size == 0)
        return SOTTO_NOT_FOUND;
    if (c == EOF)
        return refused(m, NULL, "it is cut off");
    if (m->line > LINES_MAX)
        return refused(m, NULL, "there are too many");
    m->read += m->bytes.size + 1;
    return SOTTO_OK;
}

/* The object of the line; jansson has seen that it is JSON, UTF-8, without NUL, all of the line,
 * and names no key twice. */
static sotto_error object_read(struct importing *m, json_t **object)
{
    json_error_t error;
    json_t *found =
        json_loadb((const char *)m->bytes.data, m->bytes.size, JSON_REJECT_DUPLICATES, &error);
    if (found == NULL)
        return refused(m, NULL, error.text);
    if (!json_is_object(found)) {
        json_decref(found);
        return refused(m, NULL, "it is not an object");
    }
    *object = found;
    return SOTTO_OK;
}

static sotto_error number_read(struct importing *m, const json_t *object, const char *name,
                               bool wanted, int64_t least, int64_t most, uint64_t *value)
{
    const json_t *found = json_object_get(object, name);
    if (found == NULL && !wanted)
        return SOTTO_OK;
    if (!json_is_integer(found) || json_integer_value(found) < least ||
        json_integer_value(found) > most)
        return refused(m, name, "it is not a number that can be there");
    *value = (uint64_t)json_integer_value(found);
    return SOTTO_OK;
}

/* 32 bytes as hex. *there: it is; NULL: it has to be. */
static sotto_error id_read(struct importing *m, const json_t *object, const char *name,
                           uint8_t id[static 32], bool *there)
{
    const json_t *found = json_object_get(object, name);
    size_t size = 0;
    if (there != NULL)
        *there = found != NULL;
    if (found == NULL && there != NULL)
        return SOTTO_OK;
    if (json_string_length(found) != 64 ||
        sodium_hex2bin(id, 32, json_string_value(found), 64, NULL, &size, NULL) != 0 || size != 32)
        return refused(m, name, "it is not an id of 64 hex digits");
    return SOTTO_OK;
}

static sotto_error text_read(struct importing *m, const json_t *object, const char *name,
                             bool wanted, size_t max, sotto_bytes *text)
{
    const json_t *found = json_object_get(object, name);
    if (found == NULL && !wanted)
        return SOTTO_OK;
    if (!json_is_string(found))
        return refused(m, name, "it is not a text");
    if (json_string_length(found) > max)
        return refused(m, name, "it is too long");
    *text = sotto_bytes_of((const uint8_t *)json_string_value(found), json_string_length(found));
    return SOTTO_OK;
}

static sotto_error flag_read(struct importing *m, const json_t *object, const char *name,
                             bool *value)
{
    const json_t *found = json_object_get(object, name);
    if (found != NULL && !json_is_boolean(found))
        return refused(m, name, "it is neither true nor false");
    *value = json_is_true(found);
    return SOTTO_OK;
}

static sotto_error head_read(struct importing *m, const json_t *object, struct room_id *room)
{
    sotto_bytes type = {NULL, 0};
    uint64_t version = 0;
    TRY(text_read(m, object, "type", true, 64, &type));
    if (!sotto_bytes_equal(type, sotto_bytes_str("export")))
        return refused(m, "type", "it does not begin an export");
    TRY(number_read(m, object, "version", true, 1, NUMBER_MAX, &version));
    if (version > 1)
        return problem_set(&m->core->problem, SOTTO_VERSION, SOTTO_CODE_STORAGE_NEWER,
                           "Install the newer version.",
                           "%.300s was made by a newer version of Sotto.", m->path);
    return id_read(m, object, "conversation", room->bytes, NULL);
}

/* ---- Messages ------------------------------------------------------------------------------- */

/* What was sent is not taken over: its name and what was said about it are. */
static sotto_error file_text(struct importing *m, const json_t *object, sotto_buf *joined,
                             sotto_bytes *text)
{
    sotto_bytes name = {NULL, 0};
    TRY(text_read(m, object, "fileName", true, NAME_MAX, &name));
    sotto_error error = sotto_buf_append(joined, name.data, name.size);
    if (error == SOTTO_OK && text->size > 0)
        error = sotto_buf_append(joined, (const uint8_t *)"\n", 1);
    if (error == SOTTO_OK && text->size > 0)
        error = sotto_buf_append(joined, text->data, text->size);
    if (error != SOTTO_OK)
        return core_store_problem(m->core, error, "reading the export");
    *text = sotto_buf_view(joined);
    return SOTTO_OK;
}

static sotto_error put(struct importing *m, const struct store_message *message)
{
    struct store *store = m->core->store;
    sotto_error error = m->in_batch == 0 ? store_begin(store) : SOTTO_OK;
    if (error == SOTTO_OK)
        error = store_message_take_in(store, message);
    if (error == SOTTO_EXISTS)
        m->done.known++;
    else if (error == SOTTO_OK)
        m->done.messages++;
    else
        return core_store_problem(m->core, error, "importing");
    m->in_batch++;
    return SOTTO_OK;
}

static sotto_error commit(struct importing *m)
{
    if (m->in_batch == 0)
        return SOTTO_OK;
    m->in_batch = 0;
    sotto_error error = store_commit(m->core->store);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(m->core, error, "importing");
}

static bool is_one_of(sotto_bytes text, const char *const *names)
{
    while (*names != NULL && !sotto_bytes_equal(text, sotto_bytes_str(*names)))
        names++;
    return *names != NULL;
}

static sotto_error said_read(struct importing *m, const json_t *object, sotto_buf *joined)
{
    static const char *const texts[] = {"text", NULL}, *const files[] = {"file", "picture", "voice",
                                                                         NULL};
    struct store_message message = {.room = m->room, .kind = SOTTO_KIND_TEXT, .client_id = ""};
    uint8_t id[CONTENT_ID_SIZE], target[CONTENT_ID_SIZE];
    sotto_bytes kind = {NULL, 0};
    uint64_t part = 0;
    bool answers = false;
    TRY(text_read(m, object, "kind", true, 64, &kind));
    if (!is_one_of(kind, texts) && !is_one_of(kind, files)) {
        m->done.skipped += m->taking;
        return SOTTO_OK;
    }
    TRY(number_read(m, object, "seq", true, 1, NUMBER_MAX, &message.seq));
    TRY(number_read(m, object, "part", false, 0, PART_MAX, &part));
    TRY(id_read(m, object, "sender", message.sender.bytes, NULL));
    TRY(number_read(m, object, "time", true, 0, NUMBER_MAX, &message.time_s));
    TRY(id_read(m, object, "contentId", id, NULL));
    TRY(id_read(m, object, "target", target, &answers));
    TRY(flag_read(m, object, "markdown", &message.markdown));
    TRY(number_read(m, object, "edited", false, 0, NUMBER_MAX, &message.edited_s));
    TRY(text_read(m, object, "text", is_one_of(kind, texts), CONTENT_TEXT_MAX, &message.text));
    if (is_one_of(kind, files))
        TRY(file_text(m, object, joined, &message.text));
    if (!m->taking)
        return SOTTO_OK;
    message.part = (uint32_t)part | STORE_PART_IMPORTED;
    message.content_id = sotto_bytes_of(id, sizeof id);
    message.target = sotto_bytes_of(target, answers ? sizeof target : 0);
    message.own = core_is_own(m->core, &message.sender);
    message.state = message.own ? STORE_MESSAGE_SENT : STORE_MESSAGE_RECEIVED;
    return put(m, &message);
}

static sotto_error line_use(struct importing *m, const json_t *object)
{
    sotto_bytes type = {NULL, 0};
    sotto_buf joined;
    if (m->line == 1) {
        struct room_id room;
        TRY(head_read(m, object, &room));
        if (m->taking && memcmp(room.bytes, m->room.bytes, ROOM_ID_SIZE) != 0)
            return refused(m, "conversation", "it changed while it was read");
        m->room = room;
        return SOTTO_OK;
    }
    TRY(text_read(m, object, "type", true, 64, &type));
    if (!sotto_bytes_equal(type, sotto_bytes_str("message"))) {
        m->done.skipped += m->taking;
        return SOTTO_OK;
    }
    sotto_buf_init(&joined, m->core->env);
    sotto_error error = said_read(m, object, &joined);
    sotto_buf_free(&joined);
    return error;
}

static sotto_error pass(struct importing *m)
{
    sotto_error error = SOTTO_OK;
    if (fseeko(m->file, 0, SEEK_SET) != 0)
        return cannot_read(m);
    m->line = 0;
    while ((error = line_read(m)) == SOTTO_OK) {
        json_t *object = NULL;
        if (m->core->stop)
            return problem_set(&m->core->problem, SOTTO_STATE, SOTTO_CODE_STOPPED,
                               "Run the command again: it goes on.",
                               "Stopped before all was imported.");
        TRY(object_read(m, &object));
        error = line_use(m, object);
        json_decref(object);
        TRY(error);
        if (m->in_batch >= BATCH)
            TRY(commit(m));
        if (m->progress != NULL && m->line % BATCH == 0)
            m->progress(m->ctx, m->read, 2 * m->size > m->read ? 2 * m->size : m->read);
    }
    if (error != SOTTO_NOT_FOUND)
        return error;
    return m->line > 1 ? commit(m) : refused(m, NULL, "it is empty");
}

static sotto_error room_check(struct importing *m)
{
    struct arena arena;
    struct store_room row;
    arena_init(&arena, m->core->env);
    sotto_error error = store_room_get(m->core->store, &m->room, &arena, &row);
    bool own = error == SOTTO_OK && row.kind == STORE_ROOM_OWN;
    arena_free(&arena);
    if (error == SOTTO_NOT_FOUND || own)
        return problem_set(&m->core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                           "Only what was said in conversations that are here can be imported.",
                           "The conversation of this export is not in this profile.");
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(m->core, error, "importing");
}

static sotto_error file_open_in(struct importing *m, const char *folder)
{
    struct stat found = {0};
    int size = snprintf(m->path, sizeof m->path, "%s/messages.jsonl", folder);
    if (size <= 0 || (size_t)size >= sizeof m->path) {
        errno = ENAMETOOLONG;
        return cannot_read(m);
    }
    int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode) ||
        (m->file = fdopen(fd, "r")) == NULL) {
        if (fd >= 0 && !S_ISREG(found.st_mode))
            errno = S_ISDIR(found.st_mode) ? EISDIR : ESPIPE;
        sotto_error error = cannot_read(m);
        if (fd >= 0)
            (void)close(fd);
        return error;
    }
    m->size = (uint64_t)found.st_size;
    return SOTTO_OK;
}

static sotto_error import(struct importing *m, const char *folder)
{
    TRY(file_open_in(m, folder));
    TRY(pass(m));
    TRY(room_check(m));
    m->taking = true;
    return pass(m);
}

sotto_error sotto_import(struct sotto *core, const char *path, struct sotto_imported *imported,
                         sotto_progress_fn *progress, void *ctx)
{
    TRY(core_need_past(core));
    struct importing *m = mem_alloc(core->env, sizeof *m);
    if (m == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "importing");
    problem_clear(&core->problem);
    m->core = core;
    m->progress = progress;
    m->ctx = ctx;
    sotto_buf_init(&m->bytes, core->env);
    sotto_error error = import(m, path);
    if (m->in_batch > 0)
        store_rollback(core->store);
    if (error == SOTTO_OK) {
        memcpy(imported, &m->done, sizeof *imported);
        memcpy(imported->conversation.bytes, m->room.bytes, ROOM_ID_SIZE);
    }
    if (m->file != NULL)
        (void)fclose(m->file);
    sotto_buf_free(&m->bytes);
    mem_free(core->env, m, sizeof *m);
    return error;
}
