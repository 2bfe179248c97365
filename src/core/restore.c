/* Taking a backup over. The file is read twice: once to see that it is whole, then record by record
 * into the store, a transaction each, which a repetition finds done. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/account.h"
#include "core/backup.h"
#include "core/own_settings.h"

struct restoring {
    struct sotto *core;
    const char *path;
    sotto_bytes secret;
    int fd;
    uint64_t size; /* of the file */
    struct backup_reader *reader;
    bool merging; /* into a profile of the account */
    struct backup_info info;
    struct backup_account account;
    sotto_buf account_body; /* what account borrows from */
    uint64_t skipped;
    uint64_t done_before;
    sotto_progress_fn *progress;
    void *progress_ctx;
};

/* ---- What was wrong ---------------------------------------------------------------------------
 */

static sotto_error cannot_read(struct restoring *r)
{
    return problem_set(&r->core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NO_FILE,
                       "Give the path of a backup.", "%.400s cannot be read: %s.", r->path,
                       strerror(errno));
}

static sotto_error refused(struct restoring *r, sotto_error error, const sotto_fault *fault)
{
    struct sotto_problem *problem = &r->core->problem;
    switch (error) {
    case SOTTO_NO_MEMORY:
    case SOTTO_INTERNAL:
        return problem_local(problem, error, "reading the backup");
    case SOTTO_IO:
        return cannot_read(r);
    case SOTTO_STATE:
    case SOTTO_KEY:
        return problem_set(problem, SOTTO_KEY, SOTTO_CODE_WRONG_PASSPHRASE,
                           "Try again. Nobody can open the backup without it.",
                           "That is not the passphrase or key of the backup %.300s.", r->path);
    case SOTTO_VERSION:
        return problem_set(problem, error, SOTTO_CODE_STORAGE_NEWER, "Install the newer version.",
                           "The backup %.300s was made by a newer version of Sotto.", r->path);
    default:
        return problem_set(problem, error, SOTTO_CODE_BAD_BACKUP,
                           "Use another copy of it, or an older backup.",
                           "The backup %.300s cannot be used: %s (at byte %llu).", r->path,
                           fault->what, (unsigned long long)fault->offset);
    }
}

static sotto_error stopped(struct restoring *r)
{
    return problem_set(&r->core->problem, SOTTO_STATE, SOTTO_CODE_STOPPED,
                       "Run the command again: it goes on.", "Stopped before all was restored.");
}

/* ---- Reading -------------------------------------------------------------------------------- */

static bool give_secret(void *ctx, enum backup_secret kind, sotto_buf *out)
{
    const struct restoring *r = ctx;
    if (kind == BACKUP_KEY)
        return backup_key_digits(r->secret, out) == SOTTO_OK;
    return r->secret.size > 0 && sotto_buf_append(out, r->secret.data, r->secret.size) == SOTTO_OK;
}

static sotto_error reader_open(struct restoring *r)
{
    sotto_fault fault;
    if (lseek(r->fd, 0, SEEK_SET) != 0)
        return cannot_read(r);
    sotto_error error = backup_reader_new(r->core->env, r->fd, give_secret, r, &r->reader, &fault);
    return error == SOTTO_OK ? SOTTO_OK : refused(r, error, &fault);
}

/* The next record. NOT_FOUND: that was all. */
static sotto_error next(struct restoring *r, uint8_t *type, sotto_bytes *body)
{
    sotto_fault fault;
    if (r->core->stop)
        return stopped(r);
    sotto_error error = backup_read(r->reader, type, body, &fault);
    if (r->progress != NULL)
        r->progress(r->progress_ctx, r->done_before + backup_read_so_far(r->reader), 2 * r->size);
    return error == SOTTO_OK || error == SOTTO_NOT_FOUND ? error : refused(r, error, &fault);
}

/* The first two records are what says what the others are. */
static sotto_error head_read(struct restoring *r)
{
    uint8_t type = 0;
    sotto_bytes body = {NULL, 0};
    sotto_fault fault = {SOTTO_VALUE, "it does not begin as it should", 0};
    sotto_error error = next(r, &type, &body);
    if (error == SOTTO_OK && type == BACKUP_INFO)
        error = backup_info_read(body, &r->info, &fault);
    else if (error == SOTTO_OK || error == SOTTO_NOT_FOUND)
        return refused(r, SOTTO_VALUE, &fault);
    else
        return error;
    if (error != SOTTO_OK)
        return refused(r, error, &fault);
    error = next(r, &type, &body);
    if (error == SOTTO_NOT_FOUND || (error == SOTTO_OK && type != BACKUP_ACCOUNT)) {
        fault = (sotto_fault){SOTTO_VALUE, "it does not say whose it is", 0};
        return refused(r, SOTTO_VALUE, &fault);
    }
    TRY(error);
    sotto_buf_clear(&r->account_body);
    if (sotto_buf_append(&r->account_body, body.data, body.size) != SOTTO_OK)
        return problem_local(&r->core->problem, SOTTO_NO_MEMORY, "reading the backup");
    error = backup_account_read(sotto_buf_view(&r->account_body), &r->account, &fault);
    return error == SOTTO_OK ? SOTTO_OK : refused(r, error, &fault);
}

/* All of it is there, and the profile may have it. */
static sotto_error look(struct restoring *r)
{
    struct sotto *core = r->core;
    uint8_t type = 0;
    sotto_bytes body = {NULL, 0};
    TRY(reader_open(r));
    TRY(head_read(r));
    TRY(core_load_profile(core));
    r->merging = core->has_identity;
    if (core->has_identity && !account_id_equal(&core->identity.account, &r->account.account))
        return problem_set(&core->problem, SOTTO_EXISTS, SOTTO_CODE_ALREADY_REGISTERED,
                           "Restore it into a new one: --profile DIR",
                           "The backup is of another account than this profile's.");
    sotto_error error;
    while ((error = next(r, &type, &body)) == SOTTO_OK)
        continue;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Taking over ------------------------------------------------------------------------------
 */

static sotto_error setting_take(struct restoring *r, struct reader *reader)
{
    sotto_bytes name = reader_vector(reader, 64, "setting.name");
    uint64_t value = reader_u64(reader, "setting.value");
    TRY(reader->fault.error);
    for (size_t i = 0; own_settings[i] != NULL; i++)
        if (sotto_bytes_equal(name, sotto_bytes_str(own_settings[i])))
            return store_number_put(r->core->store, own_settings[i], value);
    r->skipped++;
    return SOTTO_OK;
}

/* What had not left is there as failed: whoever wrote it decides whether it is said once more. */
static sotto_error waiting_take(struct restoring *r, struct reader *reader, struct arena *arena)
{
    struct store_message message;
    struct store_room row;
    memset(&message, 0, sizeof message);
    reader_copy(reader, message.room.bytes, ROOM_ID_SIZE, "waiting.room");
    message.client_id = own_text(reader, arena, STORE_CLIENT_ID_MAX, "waiting.client_id");
    message.target = reader_vector(reader, CONTENT_ID_SIZE, "waiting.target");
    message.text = reader_vector(reader, CONTENT_TEXT_MAX, "waiting.text");
    message.markdown = reader_u8(reader, "waiting.markdown") != 0;
    message.timer_s = reader_u32(reader, "waiting.timer");
    message.time_s = reader_u64(reader, "waiting.time");
    TRY(reader->fault.error);
    message.kind = SOTTO_KIND_TEXT;
    message.state = STORE_MESSAGE_FAILED;
    message.own = true;
    message.sender = r->account.account;
    sotto_error error = store_room_get(r->core->store, &message.room, arena, &row);
    if (error == SOTTO_OK)
        error = store_message_add(r->core->store, &message, &(int64_t){0}, &(int64_t){0});
    return error == SOTTO_EXISTS || error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* Inside a transaction. A record that cannot be read, which nobody made who had the key but a
 * program that is newer or broken, is left out. */
static sotto_error record_take(struct restoring *r, uint8_t type, struct reader *reader,
                               struct arena *arena)
{
    sotto_error error = SOTTO_UNSUPPORTED;
    if (type == BACKUP_INFO || type == BACKUP_ACCOUNT ||
        (r->merging && (type == BACKUP_SETTING || type == BACKUP_PEOPLE)))
        return SOTTO_OK; /* read before; or the profile knows better */
    if (type == BACKUP_SETTING)
        error = setting_take(r, reader);
    else if (type == BACKUP_PEOPLE || type == BACKUP_PAST)
        error = backup_read_version(r->reader) == BACKUP_UNFRAMED
                    ? own_records_read_unframed(r->core, reader, arena)
                    : own_records_read(r->core, reader, arena);
    else if (type == BACKUP_WAITING)
        error = waiting_take(r, reader, arena);
    if (error == SOTTO_OK || error_is_local(error))
        return error;
    r->skipped++;
    return SOTTO_OK;
}

/* The same; a listener that was given all that is here is not given what is restored. */
static sotto_error record_take_unheard(struct restoring *r, uint8_t type, struct reader *reader,
                                       struct arena *arena)
{
    struct store *store = r->core->store;
    uint64_t listened = 0;
    int64_t before = 0, after = 0;
    TRY(store_number_get(store, "listened", &listened));
    TRY(store_messages_head(store, &before));
    TRY(record_take(r, type, reader, arena));
    TRY(store_messages_head(store, &after));
    return after > before && listened >= (uint64_t)before
               ? store_number_put(store, "listened", (uint64_t)after)
               : SOTTO_OK;
}

static sotto_error take_one(struct restoring *r, uint8_t type, sotto_bytes body)
{
    struct sotto *core = r->core;
    struct arena arena;
    struct reader reader;
    arena_init(&arena, core->env);
    reader_init(&reader, body);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = record_take_unheard(r, type, &reader, &arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        (void)core_store_problem(core, error, "restoring the backup");
    }
    arena_free(&arena);
    return error;
}

/* Into a profile that is new: what is received later comes behind what is restored, which no
 * listener is given. In one of the account each message finds a place among what is there. */
static sotto_error positions_put(struct restoring *r)
{
    struct store *store = r->core->store;
    int64_t head = 0;
    TRY(store_messages_head(store, &head));
    if (r->merging || (uint64_t)head > r->account.position)
        return SOTTO_OK; /* by an earlier run */
    uint64_t next = own_positions_next(r->account.position);
    TRY(store_messages_head_put(store, (int64_t)next));
    return store_number_put(store, "listened", next);
}

static sotto_error restored_put(struct restoring *r)
{
    return r->merging ? SOTTO_OK : store_number_put(r->core->store, CORE_RESTORED, 1);
}

static sotto_error in_transaction(struct restoring *r, sotto_error (*put)(struct restoring *r))
{
    struct sotto *core = r->core;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = put(r);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return SOTTO_OK;
    store_rollback(core->store);
    return core_store_problem(core, error, "restoring the backup");
}

static sotto_error take_over(struct restoring *r)
{
    uint8_t type = 0;
    sotto_bytes body = {NULL, 0};
    backup_reader_free(r->reader);
    r->reader = NULL;
    r->done_before = r->size;
    TRY(reader_open(r));
    TRY(in_transaction(r, positions_put));
    sotto_error error;
    while ((error = next(r, &type, &body)) == SOTTO_OK)
        TRY(take_one(r, type, body));
    return error == SOTTO_NOT_FOUND ? in_transaction(r, restored_put) : error;
}

static sotto_error file_open_at(struct restoring *r)
{
    struct stat found;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0 || fstat(r->fd, &found) != 0)
        return cannot_read(r);
    if (!S_ISREG(found.st_mode)) {
        errno = S_ISDIR(found.st_mode) ? EISDIR : ESPIPE;
        return cannot_read(r);
    }
    r->size = (uint64_t)found.st_size;
    return SOTTO_OK;
}

/* ---- The account ------------------------------------------------------------------------------
 */

static sotto_error account_take(struct restoring *r, const struct sotto_recovery *recovery)
{
    struct sotto *core = r->core;
    struct sotto_recovery with = *recovery;
    struct secret seed = {0};
    sotto_buf texts;
    size_t name = 0;
    sotto_buf_init(&texts, core->env);
    sotto_error error = sotto_buf_append(&texts, r->account.relay.data, r->account.relay.size);
    if (error == SOTTO_OK)
        error = sotto_buf_append(&texts, (const uint8_t *)"", 1);
    name = texts.size;
    if (error == SOTTO_OK)
        error = sotto_buf_append(&texts, r->account.name.data, r->account.name.size);
    if (error == SOTTO_OK)
        error = sotto_buf_append(&texts, (const uint8_t *)"", 1);
    if (error == SOTTO_OK)
        error = secret_set(&seed, r->account.account_private);
    if (error == SOTTO_OK) {
        if (with.with.relay == NULL)
            with.with.relay = (const char *)texts.data;
        if (with.with.name == NULL && texts.data[name] != '\0')
            with.with.name = (const char *)texts.data + name;
        error = account_recover_by_key(core, &with, &seed);
    } else
        (void)core_store_problem(core, error, "restoring the account");
    secret_wipe(&seed);
    sotto_buf_free(&texts);
    return error;
}

sotto_error sotto_restore(struct sotto *core, const char *path, sotto_bytes secret,
                          const struct sotto_recovery *recovery, struct sotto_restored *restored,
                          sotto_progress_fn *progress, void *ctx)
{
    struct restoring r = {.core = core,
                          .path = path,
                          .secret = secret,
                          .fd = -1,
                          .progress = progress,
                          .progress_ctx = ctx};
    problem_clear(&core->problem);
    sotto_buf_init(&r.account_body, core->env);
    sotto_error error = file_open_at(&r);
    if (error == SOTTO_OK)
        error = look(&r);
    if (error == SOTTO_OK)
        error = take_over(&r);
    if (error == SOTTO_OK) {
        memcpy(restored->account.bytes, r.account.account.bytes, ACCOUNT_ID_SIZE);
        restored->made_s = r.info.made_s;
        restored->account_key = r.account.account_private.size > 0;
        restored->messages = r.info.messages;
        restored->skipped = r.skipped;
        if (recovery != NULL && restored->account_key)
            error = account_take(&r, recovery);
    }
    backup_reader_free(r.reader);
    sotto_buf_free(&r.account_body);
    if (r.fd >= 0)
        (void)close(r.fd);
    return error;
}
