/* Making a backup: what one's devices tell a new one (own.c, own_history.c), and what only this one
 * knows, as records in a backup_file. */
#include "core/backup.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "codec/writer.h"
#include "core/new_file.h"
#include "core/own_blobs.h"
#include "core/own_settings.h"

enum { PAGE = 32 }; /* messages in memory at once: each may have a megabyte */

/* ---- Records -------------------------------------------------------------------------------- */

sotto_error backup_info_write(const struct backup_info *info, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u64(&writer, info->made_s);
    writer_u64(&writer, info->messages);
    writer_u32(&writer, info->conversations);
    return writer_finish(&writer);
}

sotto_error backup_info_read(sotto_bytes body, struct backup_info *info, sotto_fault *fault)
{
    struct reader reader;
    struct backup_info read;
    reader_init(&reader, body);
    read.made_s = reader_u64(&reader, "info.made");
    read.messages = reader_u64(&reader, "info.messages");
    read.conversations = reader_u32(&reader, "info.conversations");
    *fault = reader.fault;
    TRY(reader.fault.error);
    *info = read;
    return SOTTO_OK;
}

sotto_error backup_account_write(const struct backup_account *account, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_fixed(&writer, sotto_bytes_of(account->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(account->account_key, SIGN_KEY_SIZE));
    writer_vector(&writer, account->account_private);
    writer_vector(&writer, account->name);
    writer_vector(&writer, account->relay);
    writer_vector(&writer, account->manifest);
    writer_u64(&writer, account->position);
    return writer_finish(&writer);
}

sotto_error backup_account_read(sotto_bytes body, struct backup_account *account,
                                sotto_fault *fault)
{
    struct reader reader;
    struct backup_account read;
    struct account_id id;
    uint8_t key[SIGN_KEY_SIZE];
    reader_init(&reader, body);
    reader_copy(&reader, read.account.bytes, ACCOUNT_ID_SIZE, "account.id");
    reader_copy(&reader, read.account_key, SIGN_KEY_SIZE, "account.key");
    read.account_private = reader_vector(&reader, SIGN_SEED_SIZE, "account.private");
    read.name = reader_vector(&reader, WIRE_NAME_MAX, "account.name");
    read.relay = reader_vector(&reader, WIRE_ADDRESS_MAX, "account.relay");
    read.manifest = reader_vector(&reader, WIRE_MANIFEST_MAX, "account.manifest");
    read.position = reader_u64(&reader, "account.position");
    if (reader_ok(&reader)) {
        account_id_of(read.account_key, &id);
        if (!account_id_equal(&id, &read.account))
            reader_fail(&reader, SOTTO_CREDENTIAL, "account.key");
        if (read.position > INT64_MAX / 2)
            reader_fail(&reader, SOTTO_VALUE, "account.position");
    }
    if (reader_ok(&reader) && read.account_private.size > 0) {
        if (read.account_private.size == SIGN_SEED_SIZE)
            wire_sign_public(read.account_private.data, key);
        if (read.account_private.size != SIGN_SEED_SIZE ||
            memcmp(key, read.account_key, SIGN_KEY_SIZE) != 0)
            reader_fail(&reader, SOTTO_CREDENTIAL, "account.private");
    }
    *fault = reader.fault;
    TRY(reader.fault.error);
    *account = read;
    return SOTTO_OK;
}

/* ---- Writing -------------------------------------------------------------------------------- */

struct backing {
    struct sotto *core;
    struct new_file file;
    struct backup_writer *writer;
    sotto_buf body;
    struct own_sink sink;
    uint8_t sink_type;
    struct backup_info info;
    int64_t head; /* what is above was said while this runs */
    uint64_t done;
    sotto_progress_fn *progress;
    void *progress_ctx;
};

static sotto_error stopped(struct sotto *core)
{
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_STOPPED, "Run the command again.",
                       "Stopped before the backup was whole; nothing is left of it.");
}

/* A record of what is in body. */
static sotto_error put_body(struct backing *b, uint8_t type)
{
    sotto_error error = backup_write(b->writer, type, sotto_buf_view(&b->body));
    sotto_buf_clear(&b->body);
    return error;
}

static sotto_error put_own(void *ctx, sotto_bytes records)
{
    struct backing *b = ctx;
    return backup_write(b->writer, b->sink_type, records);
}

static sotto_error write_account(struct backing *b, bool account_key)
{
    struct sotto *core = b->core;
    struct arena arena;
    struct backup_account account;
    memset(&account, 0, sizeof account);
    account.account = core->identity.account;
    memcpy(account.account_key, core->identity.account_key, SIGN_KEY_SIZE);
    if (account_key)
        account.account_private = secret_view(&core->identity.account_private);
    account.name = sotto_bytes_str(core->profile.name);
    account.relay = sotto_bytes_str(core->profile.relay);
    account.position = (uint64_t)b->head;
    arena_init(&arena, core->env);
    sotto_error error = store_own_manifest_get(core->store, &arena, &account.manifest);
    if (error == SOTTO_OK)
        error = backup_account_write(&account, &b->body);
    arena_free(&arena);
    return error == SOTTO_OK ? put_body(b, BACKUP_ACCOUNT) : error;
}

static sotto_error write_settings(struct backing *b)
{
    for (size_t i = 0; own_settings[i] != NULL; i++) {
        struct writer writer;
        uint64_t value = 0;
        TRY(store_number_get(b->core->store, own_settings[i], &value));
        writer_init(&writer, &b->body);
        writer_vector(&writer, sotto_bytes_str(own_settings[i]));
        writer_u64(&writer, value);
        TRY(writer_finish(&writer));
        TRY(put_body(b, BACKUP_SETTING));
    }
    return SOTTO_OK;
}

static sotto_error write_head(struct backing *b, bool account_key, struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    TRY(store_rooms(b->core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++)
        b->info.conversations +=
            rooms[i].kind != STORE_ROOM_OWN && rooms[i].state != STORE_ROOM_REQUEST;
    TRY(store_messages_head(b->core->store, &b->head));
    TRY(store_messages_count(b->core->store, &b->info.messages));
    b->info.made_s = core_now_s(b->core);
    TRY(backup_info_write(&b->info, &b->body));
    TRY(put_body(b, BACKUP_INFO));
    TRY(write_account(b, account_key));
    TRY(write_settings(b));
    b->sink_type = BACKUP_PEOPLE;
    TRY(own_snapshot(b->core, arena, &b->sink));
    TRY(own_sink_flush(&b->sink, true));
    b->sink_type = BACKUP_PAST;
    TRY(own_rooms_write(b->core, arena, &b->sink));
    return own_members_write(b->core, arena, &b->sink);
}

/* The next messages. *last: where they end. NOT_FOUND: there are no more. */
static sotto_error write_page(struct backing *b, int64_t *last)
{
    struct arena arena;
    struct store_message *messages = NULL;
    size_t count = 0, within = 0;
    arena_init(&arena, b->core->env);
    sotto_error error =
        store_messages_after(b->core->store, *last, PAGE, &arena, &messages, &count);
    while (error == SOTTO_OK && within < count && messages[within].position <= b->head) {
        error = own_message_write(b->core, &messages[within], &arena, &b->sink.records);
        if (error == SOTTO_OK)
            error = own_sink_flush(&b->sink, false);
        within++;
    }
    if (error == SOTTO_OK)
        error = own_receipts_write(b->core, messages, within, &arena, &b->sink);
    if (error == SOTTO_OK)
        error = own_blobs_write(b->core, messages, within, &arena, &b->sink);
    if (within > 0)
        *last = messages[within - 1].position;
    b->done += within;
    arena_free(&arena);
    if (error == SOTTO_OK && within == 0)
        error = SOTTO_NOT_FOUND;
    return error;
}

static sotto_error write_messages(struct backing *b)
{
    int64_t last = 0;
    sotto_error error = SOTTO_OK;
    while (error == SOTTO_OK) {
        if (b->core->stop)
            return stopped(b->core);
        error = write_page(b, &last);
        if (b->progress != NULL && error == SOTTO_OK)
            b->progress(b->progress_ctx, b->done,
                        b->done > b->info.messages ? b->done : b->info.messages);
    }
    return error == SOTTO_NOT_FOUND ? own_sink_flush(&b->sink, true) : error;
}

static sotto_error write_waiting(struct backing *b, const struct store_message *message)
{
    struct writer writer;
    if (message->kind != SOTTO_KIND_TEXT)
        return SOTTO_OK; /* a file's place is this machine's */
    writer_init(&writer, &b->body);
    writer_fixed(&writer, sotto_bytes_of(message->room.bytes, ROOM_ID_SIZE));
    writer_vector(&writer, sotto_bytes_str(message->client_id));
    writer_vector(&writer, message->target);
    writer_vector(&writer, message->text);
    writer_u8(&writer, message->markdown);
    writer_u32(&writer, message->timer_s);
    writer_u64(&writer, message->time_s);
    TRY(writer_finish(&writer));
    return put_body(b, BACKUP_WAITING);
}

static sotto_error write_all_waiting(struct backing *b, struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    TRY(store_rooms(b->core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++) {
        struct arena of_room;
        struct store_message *messages = NULL;
        size_t waiting = 0;
        if (rooms[i].kind == STORE_ROOM_OWN || rooms[i].state == STORE_ROOM_REQUEST)
            continue;
        arena_init(&of_room, b->core->env);
        sotto_error error =
            store_messages_waiting(b->core->store, &rooms[i].room, &of_room, &messages, &waiting);
        for (size_t k = 0; k < waiting && error == SOTTO_OK; k++)
            error = write_waiting(b, &messages[k]);
        arena_free(&of_room);
        TRY(error);
    }
    return SOTTO_OK;
}

static sotto_error write_whole(struct backing *b, bool account_key)
{
    struct arena arena;
    arena_init(&arena, b->core->env);
    sotto_error error = write_head(b, account_key, &arena);
    if (error == SOTTO_OK)
        error = write_messages(b);
    if (error == SOTTO_OK)
        error = write_all_waiting(b, &arena);
    if (error == SOTTO_OK)
        error = backup_write_end(b->writer);
    arena_free(&arena);
    return error;
}

/* What the file, the store or the person's stop says of a failure. */
static sotto_error failed(struct backing *b, sotto_error error)
{
    if (b->core->problem.code == SOTTO_CODE_STOPPED)
        return error;
    if (error == SOTTO_IO || error == SOTTO_FULL) {
        if (store_fault(b->core->store)->error != error)
            return new_file_failed(&b->file, error);
    }
    return core_store_problem(b->core, error, "making the backup");
}

static sotto_error check(struct sotto *core, const struct sotto_backup *backup)
{
    TRY(core_need_account(core));
    if (backup->passphrase.size > BACKUP_SECRET_MAX)
        return problem_set(&core->problem, SOTTO_LENGTH, SOTTO_CODE_BAD_TEXT,
                           "Several words that nobody would put together are good.",
                           "A passphrase has 1 to %d bytes.", SOTTO_PASSPHRASE_MAX);
    if (backup->account_key && core->identity.account_private.size == 0)
        return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_LIMITED_DEVICE,
                           "Make the backup without it, or on the device that linked this one.",
                           "This device was linked without the account's key.");
    return SOTTO_OK;
}

_Static_assert(BACKUP_KEY_SIZE == SOTTO_BACKUP_KEY_SIZE &&
                   (int)BACKUP_SECRET_MAX == (int)SOTTO_PASSPHRASE_MAX,
               "one size");

static sotto_error stream_open(struct backing *b, sotto_bytes passphrase,
                               char key[static BACKUP_KEY_SIZE])
{
    const sotto_env *env = b->core->env;
    sotto_buf digits;
    if (passphrase.size > 0)
        return backup_writer_new(env, b->file.fd, BACKUP_PASSPHRASE, passphrase, NULL, &b->writer);
    sotto_buf_init(&digits, env);
    sotto_error error = backup_key_make(env, key);
    if (error == SOTTO_OK)
        error = backup_key_digits(sotto_bytes_str(key), &digits);
    if (error == SOTTO_OK)
        error = backup_writer_new(env, b->file.fd, BACKUP_KEY, sotto_buf_view(&digits), NULL,
                                  &b->writer);
    sotto_buf_free(&digits);
    return error;
}

sotto_error sotto_backup(struct sotto *core, const struct sotto_backup *backup,
                         struct sotto_backup_made *made, sotto_progress_fn *progress, void *ctx)
{
    memset(made, 0, sizeof *made);
    TRY(check(core, backup));
    struct backing *b = mem_alloc(core->env, sizeof *b);
    if (b == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "making the backup");
    problem_clear(&core->problem);
    b->core = core;
    b->progress = progress;
    b->progress_ctx = ctx;
    b->sink.put = put_own;
    b->sink.ctx = b;
    sotto_buf_init(&b->body, core->env);
    sotto_buf_init(&b->sink.records, core->env);
    sotto_error error = new_file_begin(&b->file, core, backup->path, backup->replace);
    if (error == SOTTO_OK) {
        error = stream_open(b, backup->passphrase, made->key);
        if (error == SOTTO_OK)
            error = write_whole(b, backup->account_key);
        if (error != SOTTO_OK)
            (void)failed(b, error);
    }
    error = new_file_end(&b->file, backup->replace, error);
    if (error == SOTTO_OK) {
        made->size = backup_written(b->writer);
        made->messages = b->done;
        made->conversations = b->info.conversations;
    } else
        wipe(made, sizeof *made);
    backup_writer_free(b->writer);
    sotto_buf_free(&b->sink.records);
    sotto_buf_free(&b->body);
    mem_free(core->env, b, sizeof *b);
    return error;
}
