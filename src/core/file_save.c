/* sotto_save: a file from a relay, several chunks under way, into a part that is given its name
 * when all of it was verified. The part itself says how far it got: its chunks are encrypted again,
 * which gives the same bytes, so that the hash over the whole blob holds for what earlier calls
 * fetched. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "core/downloads.h"
#include "core/file_name.h"
#include "core/internal.h"
#include "core/new_file.h"

enum { WINDOW = 6, SAVE_STALL_MS = 45000, SAVE_TICK_MS = 1000 };

struct saving;

struct slot {
    struct saving *saving;
    uint64_t index;
    bool asked, filled;
    size_t size;
    uint8_t sealed[FILE_SEALED];
};

struct saving {
    struct sotto *core;
    struct conn *conn;
    char relay[WIRE_ADDRESS_MAX + 1];
    struct blob_id blob;
    uint8_t hash[HASH_SIZE];
    struct file_cipher cipher;
    char name[FILE_NAME_MAX + 1];
    char folder[PATH_MAX], target[PATH_MAX];
    char part[64]; /* in the folder */
    int folder_fd, part_fd;
    int kept_fd; /* the blob, where it was fetched already; -1: it was not */
    crypto_hash_sha256_state state;
    struct sotto_transfer how;
    struct transfer transfer;
    uint64_t next, asked; /* chunk to be written next; to be asked for next */
    unsigned in_flight;
    sotto_error error; /* what ended it; the problem is set */
    struct slot slots[WINDOW];
    uint8_t chunk[FILE_CHUNK];
};

/* ---- What is to be fetched ------------------------------------------------------------------ */

static sotto_error take_content(struct saving *saving, const struct store_message *message,
                                struct arena *arena)
{
    struct content_message content;
    struct store_room row;
    sotto_fault fault;
    struct sotto *core = saving->core;
    sotto_error error =
        content_read(message->content, &message->sender, &message->room, arena, &content, &fault);
    if (error == SOTTO_OK && content.kind != CONTENT_FILE)
        error = SOTTO_VALUE;
    if (error == SOTTO_OK)
        error = file_cipher_init(&saving->cipher, content.file.key, content.file.size);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &message->room, arena, &row);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the message");
    memcpy(saving->blob.bytes, content.file.blob.data, BLOB_ID_SIZE);
    memcpy(saving->hash, content.file.hash.data, HASH_SIZE);
    memcpy(saving->how.conversation.bytes, message->room.bytes, ROOM_ID_SIZE);
    file_name_clean(content.file.name, saving->name);
    (void)snprintf(saving->relay, sizeof saving->relay, "%s", row.relay);
    return SOTTO_OK;
}

static sotto_error find(struct saving *saving, int64_t id)
{
    struct sotto *core = saving->core;
    struct arena arena;
    struct store_message message;
    arena_init(&arena, core->env);
    sotto_error error = store_message_at(core->store, id, &arena, &message);
    if (error == SOTTO_NOT_FOUND || (error == SOTTO_OK && message.kind != SOTTO_KIND_FILE))
        error = problem_set(&core->problem, SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND,
                            "`sotto history` shows the number of each file.",
                            "There is no file with that number.");
    else if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the message");
    else
        error = take_content(saving, &message, &arena);
    if (error == SOTTO_OK)
        saving->kept_fd = downloads_open(core, message.local, saving->cipher.sealed);
    arena_free(&arena);
    return error;
}

/* ---- Where to ------------------------------------------------------------------------------- */

static sotto_error cannot_write(struct saving *saving, int number)
{
    if (number == ENOSPC || number == EDQUOT)
        return problem_set(&saving->core->problem, SOTTO_FULL, SOTTO_CODE_STORAGE_FULL,
                           "Make room on the disk and run the command again: it goes on where it "
                           "stopped.",
                           "The disk is full while saving the file.");
    return problem_set(&saving->core->problem, SOTTO_IO, SOTTO_CODE_STORAGE,
                       "Choose another place: --to PATH", "%.400s cannot be written: %s.",
                       saving->target, strerror(number));
}

static sotto_error target_exists(struct saving *saving)
{
    return problem_set(&saving->core->problem, SOTTO_EXISTS, SOTTO_CODE_EXISTS,
                       "Choose another name: --to PATH", "%.400s is there already.",
                       saving->target);
}

/* to: a directory, a file's name, or NULL. The name that came with the message is used in a
 * directory only, and has no directory in it. */
static bool choose_target(struct saving *saving, const char *to)
{
    struct stat found;
    int size;
    const char *base = to == NULL ? "." : to;
    if (to == NULL || (stat(to, &found) == 0 && S_ISDIR(found.st_mode))) {
        (void)snprintf(saving->folder, sizeof saving->folder, "%s", base);
        size = snprintf(saving->target, sizeof saving->target, "%s%s%s", to == NULL ? "" : base,
                        to == NULL || base[strlen(base) - 1] == '/' ? "" : "/", saving->name);
    } else {
        const char *slash = strrchr(to, '/');
        int before = slash == NULL ? 0 : slash == to ? 1 : (int)(slash - to);
        (void)snprintf(saving->folder, sizeof saving->folder, "%.*s", before == 0 ? 1 : before,
                       before == 0 ? "." : to);
        size = snprintf(saving->target, sizeof saving->target, "%s", to);
    }
    return size > 0 && (size_t)size < sizeof saving->target && strlen(base) < PATH_MAX;
}

/* The part is named after the blob: whoever fetches the same one goes on with it. */
static void name_part(struct saving *saving)
{
    uint8_t hash[HASH_SIZE];
    char hex[2 * 8 + 1];
    wire_hash(sotto_bytes_of(saving->blob.bytes, BLOB_ID_SIZE), hash);
    core_id_hex(hash, 8, hex);
    (void)snprintf(saving->part, sizeof saving->part, ".sotto-%s.part", hex);
}

static sotto_error open_part(struct saving *saving, const char *to)
{
    struct stat found;
    if (to != NULL && to[0] == '\0')
        to = NULL;
    if (!choose_target(saving, to))
        return cannot_write(saving, ENAMETOOLONG);
    if (lstat(saving->target, &found) == 0)
        return target_exists(saving);
    name_part(saving);
    saving->folder_fd = open(saving->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (saving->folder_fd < 0)
        return cannot_write(saving, errno);
    saving->part_fd = new_file_lock(saving->folder_fd, saving->part, O_RDWR | O_CREAT, 0600);
    if (saving->part_fd < 0 && errno == EWOULDBLOCK)
        return problem_set(&saving->core->problem, SOTTO_BUSY, SOTTO_CODE_STORAGE_BUSY,
                           "Wait until it is done.", "Another sotto command is saving this file.");
    return saving->part_fd >= 0 ? SOTTO_OK : cannot_write(saving, errno);
}

static void tell(struct saving *saving)
{
    uint64_t done = saving->next * FILE_CHUNK;
    saving->how.of = saving->cipher.size;
    saving->how.done = done < saving->how.of ? done : saving->how.of;
    transfer_tell(saving->core, &saving->transfer, &saving->how,
                  saving->next == saving->cipher.chunks);
}

/* Before all was there. */
static sotto_error stopped(struct saving *saving)
{
    struct sotto_problem *problem = &saving->core->problem;
    if (saving->core->stop != CORE_CANCEL)
        return problem_set(problem, SOTTO_STATE, SOTTO_CODE_TIMEOUT,
                           "Run the command again: it goes on where it stopped.",
                           "Stopped before all was there.");
    (void)unlinkat(saving->folder_fd, saving->part, 0);
    return problem_set(problem, SOTTO_STATE, SOTTO_CODE_CANCELLED, "",
                       "Cancelled before all was there. Nothing was saved.");
}

/* What an earlier call fetched counts as far as it has whole chunks. */
static sotto_error resume(struct saving *saving)
{
    struct stat found;
    const struct file_cipher *cipher = &saving->cipher;
    crypto_hash_sha256_init(&saving->state);
    if (fstat(saving->part_fd, &found) != 0)
        return cannot_write(saving, errno);
    uint64_t whole = (uint64_t)found.st_size / FILE_CHUNK;
    for (; saving->next < whole && file_chunk_data(cipher, saving->next) == FILE_CHUNK;
         saving->next++) {
        struct slot *slot = &saving->slots[0];
        if (saving->core->stop != 0)
            break;
        if (!file_read_chunk(saving->part_fd, cipher, saving->next, saving->chunk))
            break;
        file_seal(cipher, saving->next, saving->chunk, slot->sealed);
        crypto_hash_sha256_update(&saving->state, slot->sealed,
                                  file_chunk_sealed(cipher, saving->next));
        tell(saving);
    }
    if (saving->core->stop != 0) /* the part stays as it is */
        return saving->core->stop == CORE_CANCEL ? stopped(saving) : SOTTO_OK;
    saving->asked = saving->next;
    if (ftruncate(saving->part_fd, (off_t)(saving->next * FILE_CHUNK)) != 0)
        return cannot_write(saving, errno);
    return SOTTO_OK;
}

/* ---- Fetching ------------------------------------------------------------------------------- */

static void fail(struct saving *saving, sotto_error error)
{
    if (saving->error == SOTTO_OK)
        saving->error = error;
}

/* The relay, or whoever sent the message, gave something else. What was fetched is worth nothing.
 */
static sotto_error bad_file(struct saving *saving)
{
    (void)unlinkat(saving->folder_fd, saving->part, 0);
    return problem_set(&saving->core->problem, SOTTO_SIGNATURE, SOTTO_CODE_BAD_FILE,
                       "Ask for it to be sent once more; if it happens again, the relay changes "
                       "what it stores.",
                       "The relay gave a file that is not the one that was sent. Nothing was "
                       "saved.");
}

static sotto_error write_chunk(struct saving *saving, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(saving->part_fd, saving->chunk + done, size - done,
                           (off_t)(saving->next * FILE_CHUNK + done));
        if (n < 0 && errno != EINTR)
            return cannot_write(saving, errno);
        done += n > 0 ? (size_t)n : 0;
    }
    return SOTTO_OK;
}

/* Writes what is there of the next chunks, in order. */
static void take_filled(struct saving *saving)
{
    while (saving->error == SOTTO_OK && saving->next < saving->cipher.chunks) {
        struct slot *slot = &saving->slots[saving->next % WINDOW];
        if (!slot->filled || slot->index != saving->next)
            return;
        sotto_bytes sealed = sotto_bytes_of(slot->sealed, slot->size);
        if (file_open(&saving->cipher, saving->next, sealed, saving->chunk) != SOTTO_OK) {
            fail(saving, bad_file(saving));
            return;
        }
        crypto_hash_sha256_update(&saving->state, slot->sealed, slot->size);
        fail(saving, write_chunk(saving, file_chunk_data(&saving->cipher, saving->next)));
        slot->filled = slot->asked = false;
        saving->next++;
        tell(saving);
    }
}

static sotto_error refused(struct saving *saving, sotto_error error, const struct message *answer)
{
    struct sotto_problem *problem = &saving->core->problem;
    uint16_t code = error == SOTTO_REFUSED && answer != NULL ? answer->error.code : 0;
    if (code == WIRE_CODE_NO_BLOB)
        return problem_set(problem, SOTTO_REFUSED, SOTTO_CODE_FILE_GONE,
                           "Ask for it to be sent again.",
                           "The relay does not have this file any more: it keeps files for some "
                           "weeks only.");
    if (code == WIRE_CODE_LIMIT) /* it has another size than the message says */
        return bad_file(saving);
    net_problem(saving->conn, error, answer, problem);
    if (net_transient(error, answer))
        (void)snprintf(problem->next, sizeof problem->next, "%s",
                       "Run the command again: it goes on where it stopped.");
    return problem->error;
}

static void on_got(void *ctx, sotto_error error, const struct message *answer)
{
    struct slot *slot = ctx;
    struct saving *saving = slot->saving;
    saving->in_flight--;
    if (saving->error != SOTTO_OK)
        return;
    if (error != SOTTO_OK) {
        fail(saving, refused(saving, error, answer));
    } else if (answer->blob_bytes.size != file_chunk_sealed(&saving->cipher, slot->index)) {
        fail(saving, bad_file(saving));
    } else {
        slot->size = answer->blob_bytes.size;
        memcpy(slot->sealed, answer->blob_bytes.data, slot->size);
        slot->filled = true;
        take_filled(saving);
    }
}

static void ask(struct saving *saving)
{
    while (saving->error == SOTTO_OK && saving->asked < saving->cipher.chunks) {
        struct slot *slot = &saving->slots[saving->asked % WINDOW];
        if (slot->asked)
            return;
        struct message message;
        memset(&message, 0, sizeof message);
        message.type = MESSAGE_BLOB_GET;
        message.blob_get.blob = saving->blob;
        message.blob_get.offset = saving->asked * FILE_SEALED;
        message.blob_get.length = (uint32_t)file_chunk_sealed(&saving->cipher, saving->asked);
        slot->saving = saving;
        slot->index = saving->asked;
        sotto_error error = link_request(saving->conn->link, &message, on_got, slot, NULL);
        if (error == SOTTO_LIMIT && saving->in_flight > 0)
            return;
        if (error != SOTTO_OK) {
            fail(saving, refused(saving, error, NULL));
            return;
        }
        slot->asked = true;
        saving->in_flight++;
        saving->asked++;
    }
}

/* Takes what was fetched already, as far as it is good. */
static sotto_error take_kept(struct saving *saving)
{
    struct slot *slot = &saving->slots[0];
    while (saving->next < saving->cipher.chunks && saving->core->stop == 0) {
        const size_t size = file_chunk_sealed(&saving->cipher, saving->next);
        const off_t at = (off_t)(saving->next * FILE_SEALED);
        if (pread(saving->kept_fd, slot->sealed, size, at) != (ssize_t)size ||
            file_open(&saving->cipher, saving->next, sotto_bytes_of(slot->sealed, size),
                      saving->chunk) != SOTTO_OK)
            break;
        crypto_hash_sha256_update(&saving->state, slot->sealed, size);
        TRY(write_chunk(saving, file_chunk_data(&saving->cipher, saving->next)));
        saving->next++;
        tell(saving);
    }
    saving->asked = saving->next;
    return SOTTO_OK;
}

static sotto_error fetch(struct saving *saving)
{
    struct sotto *core = saving->core;
    uint64_t moved_ms = net_now_ms(core), mark = saving->next;
    net_fresh(core);
    tell(saving);
    if (saving->kept_fd >= 0)
        TRY(take_kept(saving));
    if (saving->next == saving->cipher.chunks)
        return SOTTO_OK;
    saving->conn = net_blob_conn(core, saving->relay);
    if (saving->conn == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "connecting");
    while (saving->error == SOTTO_OK && saving->next < saving->cipher.chunks && !core->stop) {
        if (conn_up(saving->conn))
            ask(saving);
        else if (conn_failed(saving->conn)) {
            core->problem = saving->conn->problem;
            return core->problem.error;
        }
        if (saving->error == SOTTO_OK)
            net_step(core, SAVE_TICK_MS);
        if (saving->next != mark) {
            mark = saving->next;
            moved_ms = net_now_ms(core);
        } else if (net_now_ms(core) - moved_ms > SAVE_STALL_MS)
            return problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                               "Run the command again: it goes on where it stopped.",
                               "The relay does not answer in time.");
    }
    return saving->error;
}

/* ---- The end -------------------------------------------------------------------------------- */

/* Takes the name only if nobody has it. */
static sotto_error give_name(struct saving *saving)
{
    if (renameat2(saving->folder_fd, saving->part, AT_FDCWD, saving->target, RENAME_NOREPLACE) == 0)
        return SOTTO_OK;
    if (errno == EEXIST)
        return target_exists(saving);
    if (errno != EINVAL && errno != ENOSYS)
        return cannot_write(saving, errno);
    /* A file system that cannot do that: a second name, then the first one goes. */
    if (linkat(saving->folder_fd, saving->part, AT_FDCWD, saving->target, 0) != 0)
        return errno == EEXIST ? target_exists(saving) : cannot_write(saving, errno);
    (void)unlinkat(saving->folder_fd, saving->part, 0);
    return SOTTO_OK;
}

static sotto_error verify(struct saving *saving)
{
    uint8_t hash[HASH_SIZE];
    crypto_hash_sha256_final(&saving->state, hash);
    if (memcmp(hash, saving->hash, sizeof hash) != 0)
        return bad_file(saving);
    if (fsync(saving->part_fd) != 0)
        return cannot_write(saving, errno);
    TRY(give_name(saving));
    (void)fsync(saving->folder_fd);
    return SOTTO_OK;
}

/* Answers that are still under way speak to memory that goes now. */
static void drop_connection(struct saving *saving)
{
    if (saving->in_flight > 0 && saving->conn->link != NULL) {
        link_free(saving->conn->link);
        saving->conn->link = NULL;
        saving->conn->dead = saving->conn->ready = false;
    }
}

sotto_error sotto_save(struct sotto *core, int64_t id, const char *to, char *saved, size_t size)
{
    TRY(core_need_account(core));
    struct saving *saving = mem_alloc(core->env, sizeof *saving);
    if (saving == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "fetching the file");
    saving->core = core;
    saving->folder_fd = saving->part_fd = saving->kept_fd = -1;
    saving->how.kind = SOTTO_TRANSFER_FETCHING;
    saving->how.client_id = "";
    saving->how.message = id;
    sotto_error error = find(saving, id);
    if (error == SOTTO_OK)
        error = open_part(saving, to);
    if (error == SOTTO_OK)
        error = resume(saving);
    if (error == SOTTO_OK)
        error = fetch(saving);
    if (error == SOTTO_OK && saving->next < saving->cipher.chunks)
        error = stopped(saving);
    if (error == SOTTO_OK)
        error = verify(saving);
    if (error == SOTTO_OK)
        (void)snprintf(saved, size, "%s", saving->target);
    fail(saving, error);
    drop_connection(saving);
    if (saving->part_fd >= 0)
        (void)close(saving->part_fd);
    if (saving->folder_fd >= 0)
        (void)close(saving->folder_fd);
    if (saving->kept_fd >= 0)
        (void)close(saving->kept_fd);
    mem_free(core->env, saving, sizeof *saving);
    return error;
}
