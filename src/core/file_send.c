/* Sending files, and sending those once more that failed: the message about a file is written whole
 * before anything is sent, so the file is encrypted once to know its hash. */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "core/file_copy.h"
#include "core/file_name.h"
#include "core/preview.h"
#include "core/room_settings.h"

/* All that is made for one file. */
struct sending {
    struct sotto *core;
    struct sotto_transfer how;
    struct transfer transfer;
    uint8_t blob[BLOB_ID_SIZE], key[FILE_KEY_SIZE], write_token[TOKEN_SIZE], hash[HASH_SIZE];
    char path[PATH_MAX];
    char name[FILE_NAME_MAX + 1];
    struct file_source source;
    struct file_cipher cipher;
    struct content_file shown; /* what the message says of it, but for key, hash and place */
    struct preview_voice voice;
    sotto_buf preview;
    uint8_t chunk[FILE_CHUNK], sealed[FILE_SEALED];
};

static sotto_error no_file(struct sotto *core, const char *path, const char *why)
{
    return problem_set(&core->problem, SOTTO_ARGUMENT, SOTTO_CODE_NO_FILE,
                       "Give the path of a file that you may read.",
                       "The file %.400s cannot be sent: %s.", path, why);
}

static sotto_error cancelled(struct sotto *core)
{
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_CANCELLED, "",
                       "Stopped while the file was read. Nothing is sent.");
}

/* ---- What it is shown as ---- */

static sotto_error bad_picture(struct sotto *core, const char *path, sotto_error error)
{
    const char *why = error == SOTTO_LIMIT ? "it is larger than 32 MiB" : "it is damaged";
    return problem_set(&core->problem, error, SOTTO_CODE_BAD_PICTURE,
                       "Send it as a file, with all that it tells: --as-file",
                       "What the picture %.400s tells beside cannot be taken out: %s.", path, why);
}

/* A picture, if it is one and is to be shown as one. */
static sotto_error look_picture(const char *path, struct sending *sending)
{
    struct file_source *source = &sending->source;
    struct content_file *shown = &sending->shown;
    sotto_error error = file_source_strip(source);
    if (error == SOTTO_UNSUPPORTED)
        return SOTTO_OK; /* any file */
    if (error == SOTTO_IO)
        return no_file(sending->core, path, "it cannot be read");
    if (error_is_local(error))
        return core_store_problem(sending->core, error, "reading the picture");
    if (error != SOTTO_OK)
        return bad_picture(sending->core, path, error);
    const bool turned = source->picture.orientation >= 5;
    shown->width = turned ? source->picture.height : source->picture.width;
    shown->height = turned ? source->picture.width : source->picture.height;
    shown->type = sotto_bytes_str(picture_media_type(source->picture.type));
    if (shown->width > CONTENT_SIDE_MAX || shown->height > CONTENT_SIDE_MAX)
        return SOTTO_OK; /* nobody shows that */
    shown->form = CONTENT_AS_PICTURE;
    /* Without one the picture is sent all the same. */
    if (preview_make(sotto_buf_view(&source->bytes), &sending->preview) == SOTTO_OK)
        shown->preview = sotto_buf_view(&sending->preview);
    return SOTTO_OK;
}

static const char *voice_type(const uint8_t start[static FILE_START])
{
    if (memcmp(start, "OggS", 4) == 0)
        return "audio/ogg";
    if (memcmp(start + 4, "ftyp", 4) == 0)
        return "audio/mp4";
    return start[0] == 0xFF && (start[1] & 0xF6) == 0xF0 ? "audio/aac" : NULL;
}

/* A recording: its length and loudness as they were given, or measured. */
static sotto_error look_voice(const char *path, const struct sotto_file *file,
                              struct sending *sending)
{
    struct content_file *shown = &sending->shown;
    uint8_t start[FILE_START];
    sotto_buf bytes;
    sotto_error error = file_source_start(&sending->source, start);
    const char *type = error == SOTTO_OK ? voice_type(start) : NULL;
    if (type == NULL)
        return no_file(sending->core, path, "it is no voice note (Ogg Opus, M4A or AAC)");
    sotto_buf_init(&bytes, sending->core->env);
    shown->form = CONTENT_AS_VOICE;
    shown->type = sotto_bytes_str(type);
    shown->duration_ms = file->duration_ms;
    shown->waveform = file->waveform;
    /* One that is too large to be measured is sent all the same. */
    if ((shown->duration_ms == 0 || shown->waveform.size == 0) && strcmp(type, "audio/ogg") == 0 &&
        file_source_read(&sending->source, &bytes) == SOTTO_OK &&
        preview_listen(sotto_buf_view(&bytes), sending->core->env, &sending->voice) == SOTTO_OK) {
        if (shown->duration_ms == 0)
            shown->duration_ms = sending->voice.duration_ms;
        if (shown->waveform.size == 0)
            shown->waveform = sotto_bytes_of(sending->voice.peaks, PREVIEW_PEAKS);
    }
    sotto_buf_free(&bytes);
    if (shown->duration_ms <= CONTENT_DURATION_MAX && shown->waveform.size <= CONTENT_PEAKS_MAX)
        return SOTTO_OK;
    return problem_set(
        &sending->core->problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG, "Send it as a file.",
        "A voice note has a day at most, and %d steps of its loudness.", CONTENT_PEAKS_MAX);
}

/* ---- Reading it whole ---- */

/* STATE: it was stopped. */
static sotto_error hash_blob(struct sending *sending)
{
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (uint64_t index = 0; index < sending->cipher.chunks; index++) {
        if (sending->core->stop != 0)
            return SOTTO_STATE;
        if (!file_source_chunk(&sending->source, &sending->cipher, index, sending->chunk))
            return SOTTO_IO;
        file_seal(&sending->cipher, index, sending->chunk, sending->sealed);
        crypto_hash_sha256_update(&state, sending->sealed,
                                  file_chunk_sealed(&sending->cipher, index));
        sending->how.done += file_chunk_data(&sending->cipher, index);
        transfer_tell(sending->core, &sending->transfer, &sending->how,
                      index + 1 == sending->cipher.chunks);
    }
    crypto_hash_sha256_final(&state, sending->hash);
    return SOTTO_OK;
}

static sotto_error read_file(const struct sotto_file *file, struct sending *sending)
{
    const char *path = file->path;
    struct sotto *core = sending->core;
    struct file_source *source = &sending->source;
    struct stat after;
    sotto_error error = file_source_open(source, core->env, sending->path);
    if (error != SOTTO_OK)
        return no_file(core, path, error == SOTTO_ARGUMENT ? "it is not a file" : strerror(errno));
    if (file->voice)
        TRY(look_voice(path, file, sending));
    else if (!file->as_file)
        TRY(look_picture(path, sending));
    error = file_cipher_init(&sending->cipher, sotto_bytes_of(sending->key, FILE_KEY_SIZE),
                             file_source_size(source));
    if (error == SOTTO_LIMIT)
        return problem_set(&core->problem, error, SOTTO_CODE_TOO_LONG, "Send it in parts.",
                           "A file has at most %llu GiB.",
                           (unsigned long long)(FILE_SIZE_MAX >> 30));
    sending->how.of = sending->cipher.size;
    if (error == SOTTO_OK)
        error = hash_blob(sending);
    if (error == SOTTO_STATE)
        return cancelled(core);
    if (error != SOTTO_OK || fstat(source->fd, &after) != 0 ||
        after.st_size != source->stat.st_size ||
        file_mtime_ns(&after) != file_mtime_ns(&source->stat))
        return no_file(core, path, "it changed while it was read, or could not be read to its end");
    return SOTTO_OK;
}

/* The path is kept for later runs, which may work elsewhere. */
static sotto_error prepare(const struct sotto_file *file, struct sending *sending)
{
    struct sotto *core = sending->core;
    const sotto_env *env = core->env;
    if (env->random(env->ctx, sending->blob, sizeof sending->blob) != SOTTO_OK ||
        env->random(env->ctx, sending->key, sizeof sending->key) != SOTTO_OK ||
        env->random(env->ctx, sending->write_token, sizeof sending->write_token) != SOTTO_OK)
        return core_store_problem(core, SOTTO_NO_RANDOM, "making a key");
    if (realpath(file->path, sending->path) == NULL)
        return no_file(core, file->path, strerror(errno));
    file_name_clean(sotto_bytes_str(sending->path), sending->name);
    return read_file(file, sending);
}

static struct sending *sending_new(struct sotto *core, const struct room_id *room,
                                   const char *client_id)
{
    struct sending *sending = mem_alloc(core->env, sizeof *sending);
    if (sending == NULL)
        return NULL;
    sending->core = core;
    sending->source.fd = -1;
    sotto_buf_init(&sending->preview, core->env);
    sending->how.kind = SOTTO_TRANSFER_READING;
    sending->how.client_id = client_id;
    memcpy(sending->how.conversation.bytes, room->bytes, ROOM_ID_SIZE);
    return sending;
}

static void sending_free(struct sending *sending)
{
    if (sending == NULL)
        return;
    file_source_close(&sending->source);
    sotto_buf_free(&sending->preview);
    mem_free(sending->core->env, sending, sizeof *sending);
}

/* Inside a transaction: the upload, and that the blob is ours. */
static sotto_error upload_store(const struct store_room *row, const struct sending *sending,
                                const char *client_id)
{
    struct store *store = sending->core->store;
    const sotto_bytes blob_id = sotto_bytes_of(sending->blob, sizeof sending->blob);
    const sotto_bytes write_token =
        sotto_bytes_of(sending->write_token, sizeof sending->write_token);
    uint8_t digest[HASH_SIZE];
    const bool stripped = sending->source.stripped;
    if (stripped)
        file_source_digest(&sending->source, digest);
    const struct store_upload upload = {
        .room = row->room,
        .client_id = client_id,
        .blob = blob_id,
        .key = sotto_bytes_of(sending->key, sizeof sending->key),
        .write_token = write_token,
        .path = sotto_bytes_str(sending->path),
        .size = (uint64_t)sending->source.stat.st_size,
        .mtime_ns = file_mtime_ns(&sending->source.stat),
        .inode = (uint64_t)sending->source.stat.st_ino,
        .form = stripped ? STORE_UPLOAD_PICTURE : STORE_UPLOAD_FILE,
        .sent = stripped ? sending->cipher.size : 0,
        .digest = sotto_bytes_of(digest, stripped ? sizeof digest : 0),
    };
    const struct store_blob blob = {blob_id, row->relay, write_token};
    TRY(store_upload_add(store, &upload));
    TRY(store_blob_add(store, &blob));
    return store_blob_refer(store, &row->room, client_id, blob_id);
}

static void fill_content(const struct sending *sending, sotto_bytes caption,
                         struct content_message *content)
{
    memset(content, 0, sizeof *content);
    content->kind = CONTENT_FILE;
    content->text = caption;
    content->file = sending->shown;
    content->file.blob = sotto_bytes_of(sending->blob, sizeof sending->blob);
    content->file.key = sotto_bytes_of(sending->key, sizeof sending->key);
    content->file.hash = sotto_bytes_of(sending->hash, sizeof sending->hash);
    content->file.size = sending->cipher.size;
    content->file.name = sotto_bytes_str(sending->name);
}

/* Inside a transaction. */
static sotto_error queue(const struct store_room *row, const struct sending *sending,
                         sotto_bytes caption, const char *client_id)
{
    struct sotto *core = sending->core;
    struct content_message content;
    fill_content(sending, caption, &content);
    TRY(store_room_timer(core->store, &row->room, &content.expires_s));
    TRY(file_message_queue(core, row, &content, client_id));
    return upload_store(row, sending, client_id);
}

sotto_error file_message_queue(struct sotto *core, const struct store_room *row,
                               struct content_message *content, const char *client_id)
{
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error =
        content_write(core->env, content, &core->identity.account, &row->room, &bytes);
    if (error == SOTTO_OK)
        error = room_show_waiting(core, &row->room, SOTTO_KIND_FILE, content,
                                  sotto_buf_view(&bytes), client_id);
    if (error == SOTTO_OK)
        error = room_queue_profile_if_owed(core, &row->room, row->epoch);
    if (error == SOTTO_OK)
        error = room_queue_content(core, &row->room, MESSAGE_INTENT_FILE,
                                   sotto_bytes_of(content->id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&bytes), client_id);
    sotto_buf_free(&bytes);
    return error;
}

/* The end of a transaction: commits, or rolls back with a problem. */
static sotto_error finish(struct sotto *core, sotto_error error)
{
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error == SOTTO_OK)
        return error;
    store_rollback(core->store);
    if (core->problem.code != SOTTO_CODE_OK)
        return error;
    if (error == SOTTO_VALUE)
        return problem_set(&core->problem, error, SOTTO_CODE_BAD_TEXT, "Write it in UTF-8.",
                           "What is said about the file is not valid UTF-8 text.");
    return core_store_problem(core, error, "saving the message");
}

/* One transaction: all that is owed because of this file, or nothing if that id was used before. */
static sotto_error store(const struct room_id *id, const struct sending *sending,
                         sotto_bytes caption, const char *client_id)
{
    struct sotto *core = sending->core;
    struct arena arena;
    struct store_room row;
    problem_clear(&core->problem);
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = core_client_id_used(core, id, client_id);
    if (error == SOTTO_NOT_FOUND) {
        error = core_room_open_to_write(core, id, &arena, &row);
        if (error == SOTTO_OK)
            error = queue(&row, sending, caption, client_id);
    }
    error = finish(core, error);
    arena_free(&arena);
    return error;
}

sotto_error sotto_send_file(struct sotto *core, const struct sotto_id *conversation,
                            const char *client_id, const struct sotto_file *file,
                            char *client_id_out)
{
    return file_send(core, conversation, client_id, file, NULL, client_id_out);
}

sotto_error file_send(struct sotto *core, const struct sotto_id *conversation,
                      const char *client_id, const struct sotto_file *file,
                      const struct content_album *album, char *client_id_out)
{
    char fresh[33];
    struct room_id id;
    sotto_error error = SOTTO_OK;
    TRY(core_need_account(core));
    if (file->caption.size > SOTTO_CAPTION_MAX)
        return problem_set(&core->problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG,
                           "Send it as a message of its own.",
                           "What is said about a file has at most %d bytes.", SOTTO_CAPTION_MAX);
    TRY(core_client_id_choose(core, &client_id, fresh));
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    /* A repetition of what was sent before does not read the file again, which may be gone. */
    if (core_client_id_used(core, &id, client_id) != SOTTO_OK) {
        struct sending *sending = sending_new(core, &id, client_id);
        if (sending == NULL)
            return core_store_problem(core, SOTTO_NO_MEMORY, "reading the file");
        error = prepare(file, sending);
        if (album != NULL)
            sending->shown.album = *album;
        if (error == SOTTO_OK)
            error = store(&id, sending, file->caption, client_id);
        sending_free(sending);
    }
    if (error == SOTTO_OK && client_id_out != NULL)
        (void)snprintf(client_id_out, SOTTO_CLIENT_ID_MAX + 1, "%s", client_id);
    return error;
}

/* ---- Once more --------------------------------------------------------------------------------
 */

/* Inside a transaction. sending NULL: the relay has the file, or it is a copy. */
static sotto_error again(struct sotto *core, const struct room_id *room, const char *client_id,
                         const struct sending *sending, const struct store_upload *copy,
                         struct arena *arena)
{
    struct store_message message;
    struct store_room row;
    struct content_message content;
    sotto_fault fault;
    TRY(store_message_by_client(core->store, room, client_id, arena, &message));
    if (message.state != STORE_MESSAGE_FAILED)
        return SOTTO_OK; /* another process was first */
    TRY(core_room_open_to_write(core, room, arena, &row));
    TRY(content_read(message.content, &message.sender, &message.room, arena, &content, &fault));
    if (sending != NULL) {
        const sotto_bytes caption = content.text;
        const struct content_album album = content.file.album;
        fill_content(sending, caption, &content);
        content.file.album = album;
        TRY(store_upload_erase(core->store, room, client_id));
        TRY(upload_store(&row, sending, client_id));
    } else if (copy != NULL) {
        struct store_upload anew;
        content.file.blob = copy->digest;
        TRY(file_copy_make(core, room, client_id, (const char *)copy->path.data, &content, arena,
                           &anew));
        TRY(store_upload_erase(core->store, room, client_id));
        TRY(file_copy_store(core, &row, &anew));
    }
    content.expires_s = message.timer_s;
    return message_again(core, &row, &message, &content);
}

/* Reads the file that failed again, to be sent as what it was. */
static sotto_error prepare_again(struct sending *sending, const struct store_upload *upload,
                                 struct arena *arena)
{
    struct sotto *core = sending->core;
    struct store_message message;
    struct content_message content;
    sotto_fault fault;
    TRY(store_message_by_client(core->store, &upload->room, upload->client_id, arena, &message));
    TRY(content_read(message.content, &message.sender, &message.room, arena, &content, &fault));
    const struct sotto_file file = {
        .path = (const char *)upload->path.data,
        .as_file = upload->form == STORE_UPLOAD_FILE,
        .voice = content.file.form == CONTENT_AS_VOICE,
        .duration_ms = content.file.duration_ms,
        .waveform = content.file.waveform,
    };
    return prepare(&file, sending);
}

sotto_error file_retry(struct sotto *core, const struct room_id *room, const char *client_id)
{
    struct arena arena;
    struct store_upload upload;
    struct sending *sending = NULL;
    arena_init(&arena, core->env);
    sotto_error error = store_upload_get(core->store, room, client_id, &arena, &upload);
    const struct store_upload *copy =
        error == SOTTO_OK && upload.form == STORE_UPLOAD_COPY ? &upload : NULL;
    if (error == SOTTO_OK && copy == NULL) {
        sending = sending_new(core, room, client_id);
        error = sending == NULL ? SOTTO_NO_MEMORY : prepare_again(sending, &upload, &arena);
    }
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND) {
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = again(core, room, client_id, sending, copy, &arena);
        error = finish(core, error);
    } else if (core->problem.code == SOTTO_CODE_OK)
        (void)core_store_problem(core, error, "reading the file");
    sending_free(sending);
    arena_free(&arena);
    return error;
}
