/* What is fetched stays as the relay has it, sealed, under a random name in DIR/files: its key is
 * in the message alone. One at a time, one chunk under way, the newest first; a row of the store
 * says how far (store_downloads.h), so that nothing is lost by being killed. */
#include "core/downloads.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/new_file.h"

enum {
    LOOK_EVERY_MS = 1000,
    AGAIN_MS = 60000, /* after a failure that may pass, where the core serves */
    STALL_WAIT_MS = 45000,
};

#define DEFAULT_MOST (1024u * 1024u)
#define KEPT_MOST (UINT64_C(1) << 30) /* bytes of all that is kept */
#define SETTING "downloads"           /* 0: not set; else one more than the bytes */

struct downloading {
    struct conn *conn;
    char relay[WIRE_ADDRESS_MAX + 1];
    int64_t local;
    struct blob_id blob;
    uint8_t hash[HASH_SIZE];
    struct file_cipher cipher;
    crypto_hash_sha256_state state;
    int fd;
    bool asked;
    uint64_t next, asked_ms;
    uint8_t sealed[FILE_SEALED];
};

/* ---- The setting ----------------------------------------------------------------------------- */

sotto_error downloads_most(struct sotto *core, uint64_t *most)
{
    uint64_t stored = 0;
    TRY(store_number_get(core->store, SETTING, &stored));
    *most = stored == 0 ? DEFAULT_MOST : stored == INT64_MAX ? UINT64_MAX : stored - 1;
    return SOTTO_OK;
}

sotto_error sotto_set_downloads(struct sotto *core, uint64_t most)
{
    TRY(core_need_account(core));
    static const uint8_t nobody[32];
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_number_put(core->store, SETTING, most < INT64_MAX - 1 ? most + 1 : INT64_MAX);
    if (error == SOTTO_OK)
        error = store_event_add(core->store, SOTTO_EVENT_ACCOUNT, nobody);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return error;
    store_rollback(core->store);
    return core_store_problem(core, error, "saving the setting");
}

sotto_error downloads_came(struct sotto *core, int64_t local, const struct account_id *sender,
                           const struct content_file *file)
{
    char name[33];
    uint64_t most = 0;
    bool contact = false;
    TRY(downloads_most(core, &most));
    TRY(store_contact_accepted(core->store, sender, &contact));
    if (!contact || file->size > most || file->size > KEPT_MOST || most == 0)
        return SOTTO_OK;
    TRY(core_random_client_id(core, name));
    return store_download_add(core->store, local, name, file->size);
}

/* ---- The folder ------------------------------------------------------------------------------ */

/* -1: errno says why. */
static int folder_open(const struct sotto *core, bool make)
{
    int profile = open(store_folder(core->store), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (profile < 0)
        return -1;
    if (make)
        (void)mkdirat(profile, STORE_DOWNLOADS, 0700);
    int folder = openat(profile, STORE_DOWNLOADS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    (void)close(profile);
    return folder;
}

bool downloads_have(struct sotto *core, int64_t local)
{
    struct store_download row;
    return store_download_get(core->store, local, &row) == SOTTO_OK &&
           row.state == STORE_DOWNLOAD_HERE;
}

int downloads_open(struct sotto *core, int64_t local, uint64_t sealed)
{
    struct store_download row;
    struct stat found;
    if (store_download_get(core->store, local, &row) != SOTTO_OK ||
        row.state != STORE_DOWNLOAD_HERE)
        return -1;
    int folder = folder_open(core, false);
    int fd = folder < 0 ? -1 : openat(folder, row.name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (folder >= 0)
        (void)close(folder);
    if (fd >= 0 && (fstat(fd, &found) != 0 || (uint64_t)found.st_size != sealed)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

void downloads_sweep(struct sotto *core)
{
    char name[DOWNLOAD_NAME_SIZE + 1];
    while (store_download_left(core->store, name) == SOTTO_OK) {
        int folder = folder_open(core, false);
        bool gone = (folder < 0 || unlinkat(folder, name, 0) != 0) ? errno == ENOENT : true;
        if (folder >= 0)
            (void)close(folder);
        sotto_error error = gone ? store_begin(core->store) : SOTTO_IO;
        if (error != SOTTO_OK)
            return; /* the next time */
        error = store_download_gone(core->store, name);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            return;
        }
    }
}

/* ---- Beginning and ending -------------------------------------------------------------------- */

void downloads_free(struct sotto *core)
{
    struct downloading *d = core->downloads.now;
    if (d == NULL)
        return;
    core->downloads.now = NULL;
    /* An answer that is under way is one to nobody. */
    if (d->asked && d->conn->link != NULL) {
        link_free(d->conn->link);
        d->conn->link = NULL;
        d->conn->dead = d->conn->ready = false;
    }
    if (d->fd >= 0)
        (void)close(d->fd);
    mem_free(core->env, d, sizeof *d);
}

void downloads_end(struct sotto *core)
{
    downloads_free(core);
    core->downloads.wanted = false;
}

void downloads_reset(struct sotto *core)
{
    core->downloads.failed = false;
    core->downloads.look_ms = core->downloads.pause_ms = 0;
}

uint64_t downloads_mark(const struct sotto *core)
{
    const struct downloading *d = core->downloads.now;
    return d == NULL ? 0 : d->next * 2 + 1 + d->asked;
}

/* It could not be fetched now. */
static void later(struct sotto *core)
{
    downloads_free(core);
    core->downloads.failed = !core->patient;
    core->downloads.pause_ms = net_now_ms(core) + AGAIN_MS;
}

/* What became of it, for good. */
static void end(struct sotto *core, enum store_download_state state)
{
    const int64_t local = core->downloads.now->local;
    downloads_free(core);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK) {
        error = store_download_end(core->store, local, state);
        if (error == SOTTO_NOT_FOUND) /* the message went meanwhile */
            error = SOTTO_OK;
    }
    if (error == SOTTO_OK)
        error = store_download_trim(core->store, KEPT_MOST);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        later(core);
    }
}

static sotto_error take_message(struct sotto *core, struct downloading *d, struct arena *arena)
{
    struct store_message message;
    struct content_message content;
    struct store_room row;
    sotto_fault fault;
    TRY(store_message_local(core->store, d->local, arena, &message));
    TRY(content_read(message.content, &message.sender, &message.room, arena, &content, &fault));
    if (content.kind != CONTENT_FILE)
        return SOTTO_VALUE;
    TRY(store_room_get(core->store, &message.room, arena, &row));
    TRY(file_cipher_init(&d->cipher, content.file.key, content.file.size));
    memcpy(d->blob.bytes, content.file.blob.data, BLOB_ID_SIZE);
    memcpy(d->hash, content.file.hash.data, HASH_SIZE);
    (void)snprintf(d->relay, sizeof d->relay, "%s", row.relay);
    return SOTTO_OK;
}

/* What an earlier run fetched counts as far as it has whole chunks. */
static bool resume(struct downloading *d)
{
    struct stat found;
    if (fstat(d->fd, &found) != 0)
        return false;
    crypto_hash_sha256_init(&d->state);
    while (d->next < d->cipher.chunks) {
        const size_t size = file_chunk_sealed(&d->cipher, d->next);
        const off_t at = (off_t)(d->next * FILE_SEALED);
        if ((uint64_t)found.st_size < (uint64_t)at + size ||
            pread(d->fd, d->sealed, size, at) != (ssize_t)size)
            break;
        crypto_hash_sha256_update(&d->state, d->sealed, size);
        d->next++;
    }
    return ftruncate(d->fd, (off_t)(d->next * FILE_SEALED > d->cipher.sealed
                                        ? d->cipher.sealed
                                        : d->next * FILE_SEALED)) == 0;
}

static bool part_open(struct sotto *core, struct downloading *d, const char *name)
{
    struct store_download row;
    int folder = folder_open(core, true);
    d->fd = folder < 0 ? -1 : new_file_lock(folder, name, O_RDWR | O_CREAT, 0600);
    /* Its message may have gone in between, and with it the name. */
    bool wanted = d->fd >= 0 && store_download_get(core->store, d->local, &row) == SOTTO_OK;
    if (d->fd >= 0 && !wanted)
        (void)unlinkat(folder, name, 0);
    if (folder >= 0)
        (void)close(folder);
    return wanted && resume(d);
}

/* The next one that is wanted. False: none, or not now. */
static bool begin(struct sotto *core)
{
    struct store_download row;
    const uint64_t now = net_now_ms(core), changes = store_changes(core->store);
    if (core->downloads.failed || now < core->downloads.pause_ms ||
        (now < core->downloads.look_ms && changes == core->downloads.changes))
        return false;
    core->downloads.look_ms = now + LOOK_EVERY_MS;
    core->downloads.changes = changes;
    if (store_download_next(core->store, &row) != SOTTO_OK)
        return false;
    struct downloading *d = mem_alloc(core->env, sizeof *d);
    if (d == NULL)
        return false;
    struct arena arena;
    arena_init(&arena, core->env);
    d->fd = -1;
    d->local = row.local;
    core->downloads.now = d;
    sotto_error error = take_message(core, d, &arena);
    arena_free(&arena);
    if (error != SOTTO_OK && !error_is_local(error)) {
        end(core, STORE_DOWNLOAD_FAILED);
        return false;
    }
    if (error != SOTTO_OK || !part_open(core, d, row.name)) {
        later(core); /* the disk is full, or another process is at it */
        return false;
    }
    return true;
}

/* ---- Fetching -------------------------------------------------------------------------------- */

static bool keep(struct downloading *d, sotto_bytes bytes)
{
    for (size_t done = 0; done < bytes.size;) {
        ssize_t n = pwrite(d->fd, bytes.data + done, bytes.size - done,
                           (off_t)(d->next * FILE_SEALED + done));
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    crypto_hash_sha256_update(&d->state, bytes.data, bytes.size);
    d->next++;
    return true;
}

static void on_got(void *ctx, sotto_error error, const struct message *answer)
{
    struct sotto *core = ctx;
    struct downloading *d = core->downloads.now;
    const uint16_t code = error == SOTTO_REFUSED && answer != NULL ? answer->error.code : 0;
    if (d == NULL)
        return;
    d->asked = false;
    if (error != SOTTO_OK) {
        if (code == WIRE_CODE_NO_BLOB || code == WIRE_CODE_LIMIT)
            end(core, STORE_DOWNLOAD_FAILED);
        else
            later(core);
    } else if (answer->blob_bytes.size != file_chunk_sealed(&d->cipher, d->next)) {
        end(core, STORE_DOWNLOAD_FAILED);
    } else if (!keep(d, answer->blob_bytes))
        later(core);
}

static bool ask(struct sotto *core, struct downloading *d)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_GET;
    message.blob_get.blob = d->blob;
    message.blob_get.offset = d->next * FILE_SEALED;
    message.blob_get.length = (uint32_t)file_chunk_sealed(&d->cipher, d->next);
    d->asked = link_request(d->conn->link, &message, on_got, core, NULL) == SOTTO_OK;
    d->asked_ms = net_now_ms(core);
    return d->asked;
}

/* All of it is there: whether it is what the message says. */
static void finish(struct sotto *core, struct downloading *d)
{
    uint8_t hash[HASH_SIZE];
    crypto_hash_sha256_final(&d->state, hash);
    if (memcmp(hash, d->hash, sizeof hash) != 0)
        end(core, STORE_DOWNLOAD_FAILED);
    else if (fsync(d->fd) != 0)
        later(core);
    else
        end(core, STORE_DOWNLOAD_HERE);
}

bool downloads_step(struct sotto *core)
{
    if (!core->downloads.wanted || (core->downloads.now == NULL && !begin(core)))
        return false;
    struct downloading *d = core->downloads.now;
    if (d->asked && d->conn->link != NULL && net_now_ms(core) - d->asked_ms < STALL_WAIT_MS)
        return true;
    if (d->asked) { /* its connection ended */
        later(core);
        return false;
    }
    if (d->next == d->cipher.chunks) {
        finish(core, d);
        return core->downloads.now == NULL && !core->downloads.failed;
    }
    d->conn = net_blob_conn(core, d->relay);
    if (d->conn == NULL || conn_failed(d->conn)) {
        later(core);
        return false;
    }
    if (conn_up(d->conn) && !ask(core, d)) {
        later(core);
        return false;
    }
    return true;
}
