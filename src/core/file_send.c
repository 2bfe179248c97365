/* sotto_send_file: the message about a file is written whole before anything is sent, so the file
 * is encrypted once to know its hash. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file_name.h"
#include "core/people.h"

/* All that is made for one file. */
struct sending {
    uint8_t blob[BLOB_ID_SIZE], key[FILE_KEY_SIZE], write_token[TOKEN_SIZE], hash[HASH_SIZE];
    char path[PATH_MAX];
    char name[FILE_NAME_MAX + 1];
    struct stat file;
    struct file_cipher cipher;
    uint8_t chunk[FILE_CHUNK], sealed[FILE_SEALED];
};

static sotto_error no_file(struct sotto *core, const char *path, const char *why)
{
    return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_NO_FILE,
                       "Give the path of a file that you may read.",
                       "The file %.400s cannot be sent: %s.", path, why);
}

static sotto_error hash_blob(int fd, struct sending *sending)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (uint64_t index = 0; index < sending->cipher.chunks; index++) {
        if (!file_read_chunk(fd, &sending->cipher, index, sending->chunk))
            return SOTTO_IO;
        file_seal(&sending->cipher, index, sending->chunk, sending->sealed);
        crypto_hash_sha256_update(&state, sending->sealed,
                                  file_chunk_sealed(&sending->cipher, index));
    }
    crypto_hash_sha256_final(&state, sending->hash);
    return SOTTO_OK;
}

static sotto_error read_file(struct sotto *core, int fd, const char *path, struct sending *sending)
{
    struct stat after;
    if (fstat(fd, &sending->file) != 0)
        return no_file(core, path, strerror(errno));
    if (!S_ISREG(sending->file.st_mode))
        return no_file(core, path, "it is not a file");
    sotto_error error =
        file_cipher_init(&sending->cipher, sotto_bytes_of(sending->key, FILE_KEY_SIZE),
                         (uint64_t)sending->file.st_size);
    if (error == SOTTO_LIMIT)
        return problem_set(&core->problem, error, SOTTO_CODE_TOO_LONG, "Send it in parts.",
                           "A file has at most %llu GiB.",
                           (unsigned long long)(FILE_SIZE_MAX >> 30));
    if (error == SOTTO_OK)
        error = hash_blob(fd, sending);
    if (error != SOTTO_OK || fstat(fd, &after) != 0 || after.st_size != sending->file.st_size ||
        file_mtime_ns(&after) != file_mtime_ns(&sending->file))
        return no_file(core, path, "it changed while it was read, or could not be read to its end");
    return SOTTO_OK;
}

/* The path is kept for later runs, which may work elsewhere. */
static sotto_error prepare(struct sotto *core, const char *path, struct sending *sending)
{
    const sotto_env *env = core->env;
    if (env->random(env->ctx, sending->blob, sizeof sending->blob) != SOTTO_OK ||
        env->random(env->ctx, sending->key, sizeof sending->key) != SOTTO_OK ||
        env->random(env->ctx, sending->write_token, sizeof sending->write_token) != SOTTO_OK)
        return core_store_problem(core, SOTTO_NO_RANDOM, "making a key");
    if (realpath(path, sending->path) == NULL)
        return no_file(core, path, strerror(errno));
    file_name_clean(sotto_bytes_str(sending->path), sending->name);
    int fd = open(sending->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return no_file(core, path, strerror(errno));
    sotto_error error = read_file(core, fd, path, sending);
    (void)close(fd);
    return error;
}

static sotto_error upload_store(struct sotto *core, const struct room_id *room,
                                const struct sending *sending, const char *client_id)
{
    const struct store_upload upload = {
        .room = *room,
        .client_id = client_id,
        .blob = sotto_bytes_of(sending->blob, sizeof sending->blob),
        .key = sotto_bytes_of(sending->key, sizeof sending->key),
        .write_token = sotto_bytes_of(sending->write_token, sizeof sending->write_token),
        .path = sotto_bytes_str(sending->path),
        .size = sending->cipher.size,
        .mtime_ns = file_mtime_ns(&sending->file),
        .inode = (uint64_t)sending->file.st_ino,
    };
    return store_upload_add(core->store, &upload);
}

/* Inside a transaction. */
static sotto_error queue(struct sotto *core, const struct store_room *row,
                         const struct sending *sending, sotto_bytes caption, const char *client_id)
{
    struct content_message content;
    memset(&content, 0, sizeof content);
    content.kind = CONTENT_FILE;
    content.text = caption;
    content.file.blob = sotto_bytes_of(sending->blob, sizeof sending->blob);
    content.file.key = sotto_bytes_of(sending->key, sizeof sending->key);
    content.file.hash = sotto_bytes_of(sending->hash, sizeof sending->hash);
    content.file.size = sending->cipher.size;
    content.file.name = sotto_bytes_str(sending->name);
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error = store_room_timer(core->store, &row->room, &content.expires_s);
    if (error == SOTTO_OK)
        error = content_write(core->env, &content, &core->identity.account, &row->room, &bytes);
    if (error == SOTTO_OK)
        error = room_show_waiting(core, &row->room, SOTTO_KIND_FILE, &content,
                                  sotto_buf_view(&bytes), client_id);
    if (error == SOTTO_OK)
        error = upload_store(core, &row->room, sending, client_id);
    if (error == SOTTO_OK)
        error = room_queue_profile_if_owed(core, &row->room, row->epoch);
    if (error == SOTTO_OK)
        error = room_queue_content(core, &row->room, MESSAGE_INTENT_FILE,
                                   sotto_bytes_of(content.id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&bytes), client_id);
    sotto_buf_free(&bytes);
    return error;
}

/* One transaction: all that is owed because of this file, or nothing if that id was used before. */
static sotto_error store(struct sotto *core, const struct room_id *id,
                         const struct sending *sending, sotto_bytes caption, const char *client_id)
{
    struct arena arena;
    struct store_room row;
    bool told = false;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = core_client_id_used(core, id, client_id);
    if (error == SOTTO_NOT_FOUND) {
        error = people_room_open(core, id, &arena, &row);
        told = error != SOTTO_OK;
        if (error == SOTTO_OK)
            error = queue(core, &row, sending, caption, client_id);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (error == SOTTO_VALUE && !told)
            (void)problem_set(&core->problem, error, SOTTO_CODE_BAD_TEXT, "Write it in UTF-8.",
                              "What is said about the file is not valid UTF-8 text.");
        else if (!told)
            (void)core_store_problem(core, error, "saving the message");
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_send_file(struct sotto *core, const struct sotto_id *conversation,
                            const char *client_id, const char *path, sotto_bytes caption,
                            char *client_id_out)
{
    char fresh[33];
    struct room_id id;
    sotto_error error = SOTTO_OK;
    TRY(core_need_account(core));
    if (caption.size > SOTTO_CAPTION_MAX)
        return problem_set(&core->problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG,
                           "Send it as a message of its own.",
                           "What is said about a file has at most %d bytes.", SOTTO_CAPTION_MAX);
    TRY(core_client_id_choose(core, &client_id, fresh));
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    /* A repetition of what was sent before does not read the file again, which may be gone. */
    if (core_client_id_used(core, &id, client_id) != SOTTO_OK) {
        struct sending *sending = mem_alloc(core->env, sizeof *sending);
        if (sending == NULL)
            return core_store_problem(core, SOTTO_NO_MEMORY, "reading the file");
        error = prepare(core, path, sending);
        if (error == SOTTO_OK)
            error = store(core, &id, sending, caption, client_id);
        mem_free(core->env, sending, sizeof *sending);
    }
    if (error == SOTTO_OK && client_id_out != NULL)
        (void)snprintf(client_id_out, SOTTO_CLIENT_ID_MAX + 1, "%s", client_id);
    return error;
}
