#include "core/backup_file.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "core/vault.h"

/* A backup lies where others may come by it, for years: more than the profile costs. */
const struct vault_cost backup_cost_passphrase = {.passes = 3, .kib = 256 * 1024};
const struct vault_cost backup_cost_key = {.passes = 1, .kib = 1024};

enum {
    SALT = crypto_pwhash_SALTBYTES,
    STREAM = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    CHECK = 16,
    KEY = 32,
    AT_VERSION = 8,
    AT_KIND = 10,
    AT_PASSES = 12,
    AT_KIB = 16,
    AT_SALT = 20,
    AT_STREAM = AT_SALT + SALT,
    AT_KEYED = AT_STREAM + STREAM,
    AT_CHECK = AT_KEYED + CHECK,
    RECORD_HEAD = 5,
    RECORD_END = 0,
    PURPOSE_STREAM = 1,
    PURPOSE_CHECK = 2,
};
_Static_assert(AT_CHECK + CHECK == BACKUP_HEADER_SIZE, "the layout in backup_file.h");
_Static_assert(BACKUP_SEALED - BACKUP_CHUNK == crypto_secretstream_xchacha20poly1305_ABYTES,
               "the layout in backup_file.h");
_Static_assert(KEY == crypto_secretstream_xchacha20poly1305_KEYBYTES && KEY == crypto_kdf_KEYBYTES,
               "keys of one size");

static const uint8_t magic[8] = {'s', 'o', 't', 't', 'o', 'b', 'a', 'k'};

static void put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* ---- Keys ----------------------------------------------------------------------------------- */

struct keys {
    uint8_t stream[KEY], check[KEY];
};

static void keys_free(struct keys *keys)
{
    sodium_free(keys); /* which wipes */
}

/* Argon2id as the header says, and the two keys behind it, in memory that is locked. */
static sotto_error keys_make(const uint8_t header[static BACKUP_HEADER_SIZE], sotto_bytes secret,
                             struct keys **out)
{
    if (sodium_init() < 0)
        return SOTTO_INTERNAL;
    uint8_t *master = sodium_malloc(KEY);
    struct keys *keys = sodium_malloc(sizeof *keys);
    sotto_error error = master != NULL && keys != NULL ? SOTTO_OK : SOTTO_NO_MEMORY;
    if (error == SOTTO_OK &&
        crypto_pwhash(master, KEY, (const char *)secret.data, secret.size, header + AT_SALT,
                      get_u32(header + AT_PASSES), (size_t)get_u32(header + AT_KIB) * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        error = SOTTO_NO_MEMORY; /* its one reason: the limits were checked */
    if (error == SOTTO_OK) {
        crypto_kdf_derive_from_key(keys->stream, KEY, PURPOSE_STREAM, "sottobak", master);
        crypto_kdf_derive_from_key(keys->check, KEY, PURPOSE_CHECK, "sottobak", master);
        *out = keys;
    } else
        sodium_free(keys);
    sodium_free(master);
    return error;
}

static void keyed_check(const struct keys *keys, const uint8_t header[static BACKUP_HEADER_SIZE],
                        uint8_t check[static CHECK])
{
    crypto_generichash(check, CHECK, header, AT_KEYED, keys->check, KEY);
}

static void plain_check(const uint8_t header[static BACKUP_HEADER_SIZE],
                        uint8_t check[static CHECK])
{
    crypto_generichash(check, CHECK, header, AT_CHECK, NULL, 0);
}

/* ---- Writing -------------------------------------------------------------------------------- */

struct backup_writer {
    const sotto_env *env;
    int fd;
    sotto_error error; /* sticky */
    uint64_t written;
    bool begun; /* the first chunk is out */
    size_t size;
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t header[BACKUP_HEADER_SIZE];
    uint8_t plain[BACKUP_CHUNK], sealed[BACKUP_SEALED];
};

static sotto_error write_all(struct backup_writer *writer, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(writer->fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SOTTO_FULL : SOTTO_IO;
        data += n;
        size -= (size_t)n;
        writer->written += (uint64_t)n;
    }
    return SOTTO_OK;
}

static sotto_error header_make(struct backup_writer *writer, enum backup_secret kind,
                               const struct vault_cost *cost, sotto_bytes secret)
{
    uint8_t *header = writer->header;
    struct keys *keys = NULL;
    BUG_UNLESS(cost->passes >= 1 && cost->kib >= BACKUP_KIB_MIN && cost->kib <= BACKUP_KIB_MAX &&
               (uint64_t)cost->passes * cost->kib <= BACKUP_WORK_MAX);
    memcpy(header, magic, sizeof magic);
    header[AT_VERSION + 1] = BACKUP_VERSION;
    header[AT_KIND] = (uint8_t)kind;
    put_u32(header + AT_PASSES, cost->passes);
    put_u32(header + AT_KIB, cost->kib);
    TRY(writer->env->random(writer->env->ctx, header + AT_SALT, SALT));
    TRY(keys_make(header, secret, &keys));
    crypto_secretstream_xchacha20poly1305_init_push(&writer->stream, header + AT_STREAM,
                                                    keys->stream);
    keyed_check(keys, header, header + AT_KEYED);
    plain_check(header, header + AT_CHECK);
    keys_free(keys);
    return SOTTO_OK;
}

sotto_error backup_writer_new(const sotto_env *env, int fd, enum backup_secret kind,
                              sotto_bytes secret, const struct vault_cost *cost,
                              struct backup_writer **out)
{
    if (secret.size == 0 || secret.size > BACKUP_SECRET_MAX)
        return SOTTO_LENGTH;
    if (cost == NULL)
        cost = kind == BACKUP_KEY ? &backup_cost_key : &backup_cost_passphrase;
    struct backup_writer *writer = mem_alloc(env, sizeof *writer);
    if (writer == NULL)
        return SOTTO_NO_MEMORY;
    writer->env = env;
    writer->fd = fd;
    sotto_error error = header_make(writer, kind, cost, secret);
    if (error == SOTTO_OK)
        error = write_all(writer, writer->header, BACKUP_HEADER_SIZE);
    if (error == SOTTO_OK)
        *out = writer;
    else
        backup_writer_free(writer);
    return error;
}

static sotto_error chunk_out(struct backup_writer *writer, bool last)
{
    const uint8_t tag = last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                             : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
    crypto_secretstream_xchacha20poly1305_push(&writer->stream, writer->sealed, NULL, writer->plain,
                                               BACKUP_CHUNK, writer->begun ? NULL : writer->header,
                                               writer->begun ? 0 : BACKUP_HEADER_SIZE, tag);
    writer->begun = true;
    writer->size = 0;
    return write_all(writer, writer->sealed, BACKUP_SEALED);
}

/* A chunk goes out once it is known that another one follows. */
static sotto_error put(struct backup_writer *writer, const uint8_t *data, size_t size)
{
    while (size > 0) {
        if (writer->size == BACKUP_CHUNK)
            TRY(chunk_out(writer, false));
        size_t n = BACKUP_CHUNK - writer->size;
        if (n > size)
            n = size;
        memcpy(writer->plain + writer->size, data, n);
        writer->size += n;
        data += n;
        size -= n;
    }
    return SOTTO_OK;
}

sotto_error backup_write(struct backup_writer *writer, uint8_t type, sotto_bytes body)
{
    uint8_t head[RECORD_HEAD] = {type};
    BUG_UNLESS(type != RECORD_END);
    if (writer->error == SOTTO_OK && body.size > BACKUP_RECORD_MAX)
        return SOTTO_LIMIT;
    put_u32(head + 1, (uint32_t)body.size);
    if (writer->error == SOTTO_OK)
        writer->error = put(writer, head, sizeof head);
    if (writer->error == SOTTO_OK)
        writer->error = put(writer, body.data, body.size);
    return writer->error;
}

sotto_error backup_write_end(struct backup_writer *writer)
{
    const uint8_t end = RECORD_END;
    if (writer->error == SOTTO_OK)
        writer->error = put(writer, &end, 1);
    if (writer->error == SOTTO_OK) {
        memset(writer->plain + writer->size, 0, BACKUP_CHUNK - writer->size);
        writer->error = chunk_out(writer, true);
    }
    return writer->error;
}

uint64_t backup_written(const struct backup_writer *writer)
{
    return writer->written;
}

void backup_writer_free(struct backup_writer *writer)
{
    if (writer != NULL)
        mem_free(writer->env, writer, sizeof *writer);
}

/* ---- Reading -------------------------------------------------------------------------------- */

struct backup_reader {
    const sotto_env *env;
    int fd;
    sotto_fault fault; /* sticky */
    uint64_t read;
    bool begun, final, ended;
    size_t at, size; /* of the chunk in plain */
    sotto_buf record;
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t header[BACKUP_HEADER_SIZE];
    uint8_t plain[BACKUP_CHUNK], sealed[BACKUP_SEALED];
};

static sotto_error fail(struct backup_reader *reader, sotto_error error, const char *what)
{
    reader->fault = (sotto_fault){.error = error, .what = what, .offset = (size_t)reader->read};
    return error;
}

/* As much as there is, up to size. */
static sotto_error read_some(struct backup_reader *reader, uint8_t *to, size_t size, size_t *done)
{
    *done = 0;
    while (*done < size) {
        ssize_t n = read(reader->fd, to + *done, size - *done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(reader, SOTTO_IO, "the file cannot be read");
        if (n == 0)
            break;
        *done += (size_t)n;
    }
    return SOTTO_OK;
}

/* Everything about the header that needs no passphrase. */
static sotto_error header_check(struct backup_reader *reader)
{
    const uint8_t *header = reader->header;
    uint8_t check[CHECK];
    size_t size = 0;
    TRY(read_some(reader, reader->header, BACKUP_HEADER_SIZE, &size));
    if (size < AT_KIND || memcmp(header, magic, sizeof magic) != 0)
        return fail(reader, SOTTO_VALUE, "this is not a backup of Sotto's");
    if (header[AT_VERSION] != 0 || header[AT_VERSION + 1] == 0 ||
        header[AT_VERSION + 1] > BACKUP_VERSION)
        return fail(reader, SOTTO_VERSION, "the backup was made by a newer version of Sotto");
    if (size < BACKUP_HEADER_SIZE)
        return fail(reader, SOTTO_TRUNCATED, "the backup is cut off in its header");
    plain_check(header, check);
    if (memcmp(check, header + AT_CHECK, CHECK) != 0)
        return fail(reader, SOTTO_VALUE, "the backup's header is damaged");
    uint32_t passes = get_u32(header + AT_PASSES), kib = get_u32(header + AT_KIB);
    if ((header[AT_KIND] != BACKUP_PASSPHRASE && header[AT_KIND] != BACKUP_KEY) ||
        header[AT_KIND + 1] != 0)
        return fail(reader, SOTTO_VALUE, "the backup's header holds what is not allowed");
    if (passes < 1 || passes > BACKUP_PASSES_MAX || kib < BACKUP_KIB_MIN || kib > BACKUP_KIB_MAX ||
        (uint64_t)passes * kib > BACKUP_WORK_MAX)
        return fail(reader, SOTTO_LIMIT, "the backup asks for more work than is allowed");
    reader->read = BACKUP_HEADER_SIZE;
    return SOTTO_OK;
}

static sotto_error stream_open(struct backup_reader *reader, sotto_bytes secret)
{
    struct keys *keys = NULL;
    uint8_t check[CHECK];
    if (secret.size == 0 || secret.size > BACKUP_SECRET_MAX)
        return fail(reader, SOTTO_KEY, "not the passphrase");
    sotto_error error = keys_make(reader->header, secret, &keys);
    if (error != SOTTO_OK)
        return fail(reader, error, "the key cannot be derived");
    keyed_check(keys, reader->header, check);
    if (sodium_memcmp(check, reader->header + AT_KEYED, CHECK) != 0)
        error = fail(reader, SOTTO_KEY, "not the passphrase");
    else if (crypto_secretstream_xchacha20poly1305_init_pull(
                 &reader->stream, reader->header + AT_STREAM, keys->stream) != 0)
        error = fail(reader, SOTTO_VALUE, "the backup's header holds what is not allowed");
    keys_free(keys);
    return error;
}

sotto_error backup_reader_new(const sotto_env *env, int fd,
                              bool (*secret_of)(void *ctx, enum backup_secret kind, sotto_buf *out),
                              void *ctx, struct backup_reader **out, sotto_fault *fault)
{
    sotto_buf secret;
    *fault = (sotto_fault){.error = SOTTO_NO_MEMORY, .what = "out of memory"};
    struct backup_reader *reader = mem_alloc(env, sizeof *reader);
    if (reader == NULL)
        return SOTTO_NO_MEMORY;
    reader->env = env;
    reader->fd = fd;
    reader->fault.what = "";
    sotto_buf_init(&reader->record, env);
    sotto_buf_init(&secret, env);
    sotto_error error = header_check(reader);
    if (error == SOTTO_OK && !secret_of(ctx, (enum backup_secret)reader->header[AT_KIND], &secret))
        error = fail(reader, SOTTO_STATE, "no passphrase was given");
    if (error == SOTTO_OK)
        error = stream_open(reader, sotto_buf_view(&secret));
    sotto_buf_free(&secret);
    *fault = reader->fault;
    if (error == SOTTO_OK)
        *out = reader;
    else
        backup_reader_free(reader);
    return error;
}

static sotto_error chunk_in(struct backup_reader *reader)
{
    size_t size = 0;
    uint8_t tag = 0;
    if (reader->final)
        return fail(reader, SOTTO_VALUE, "a record of the backup is cut off");
    TRY(read_some(reader, reader->sealed, BACKUP_SEALED, &size));
    if (size < BACKUP_SEALED)
        return fail(reader, SOTTO_TRUNCATED, "the backup is cut off");
    if (crypto_secretstream_xchacha20poly1305_pull(
            &reader->stream, reader->plain, NULL, &tag, reader->sealed, BACKUP_SEALED,
            reader->begun ? NULL : reader->header, reader->begun ? 0 : BACKUP_HEADER_SIZE) != 0)
        return fail(reader, SOTTO_DECRYPT, "the backup is damaged");
    reader->begun = true;
    reader->read += BACKUP_SEALED;
    reader->final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    reader->at = 0;
    reader->size = BACKUP_CHUNK;
    return SOTTO_OK;
}

static sotto_error take(struct backup_reader *reader, uint8_t *to, size_t size)
{
    while (size > 0) {
        if (reader->at == reader->size)
            TRY(chunk_in(reader));
        size_t n = reader->size - reader->at;
        if (n > size)
            n = size;
        memcpy(to, reader->plain + reader->at, n);
        reader->at += n;
        to += n;
        size -= n;
    }
    return SOTTO_OK;
}

/* Behind the record that ends them. */
static sotto_error end_check(struct backup_reader *reader)
{
    uint8_t more;
    size_t size = 0;
    if (!reader->final)
        return fail(reader, SOTTO_VALUE, "the backup's records end before its stream");
    if (sodium_is_zero(reader->plain + reader->at, reader->size - reader->at) != 1)
        return fail(reader, SOTTO_VALUE, "the backup's padding is not zeros");
    TRY(read_some(reader, &more, 1, &size));
    if (size > 0)
        return fail(reader, SOTTO_TRAILING, "something follows the backup's end");
    reader->ended = true;
    return SOTTO_NOT_FOUND;
}

static sotto_error read_record(struct backup_reader *reader, uint8_t *type, sotto_bytes *body)
{
    uint8_t head[RECORD_HEAD];
    uint8_t *to = NULL;
    TRY(take(reader, head, 1));
    if (head[0] == RECORD_END)
        return end_check(reader);
    TRY(take(reader, head + 1, RECORD_HEAD - 1));
    uint32_t size = get_u32(head + 1);
    if (size > BACKUP_RECORD_MAX)
        return fail(reader, SOTTO_LIMIT, "a record of the backup is too large");
    sotto_buf_clear(&reader->record);
    if (size > 0 && sotto_buf_extend(&reader->record, size, &to) != SOTTO_OK)
        return fail(reader, SOTTO_NO_MEMORY, "out of memory");
    TRY(take(reader, to, size));
    *type = head[0];
    *body = sotto_buf_view(&reader->record);
    return SOTTO_OK;
}

sotto_error backup_read(struct backup_reader *reader, uint8_t *type, sotto_bytes *body,
                        sotto_fault *fault)
{
    sotto_error error = reader->fault.error;
    if (error == SOTTO_OK)
        error = reader->ended ? SOTTO_NOT_FOUND : read_record(reader, type, body);
    *fault = reader->fault;
    return error;
}

uint8_t backup_read_version(const struct backup_reader *reader)
{
    return reader->header[AT_VERSION + 1];
}

uint64_t backup_read_so_far(const struct backup_reader *reader)
{
    return reader->read;
}

void backup_reader_free(struct backup_reader *reader)
{
    if (reader == NULL)
        return;
    sotto_buf_free(&reader->record);
    mem_free(reader->env, reader, sizeof *reader);
}

/* ---- Keys of digits ---------------------------------------------------------------------------
 */

sotto_error backup_key_make(const sotto_env *env, char key[static BACKUP_KEY_SIZE])
{
    size_t at = 0;
    for (unsigned digits = 0; digits < BACKUP_KEY_DIGITS;) {
        uint8_t random[64];
        TRY(env->random(env->ctx, random, sizeof random));
        for (size_t i = 0; i < sizeof random && digits < BACKUP_KEY_DIGITS; i++) {
            if (random[i] >= 250)
                continue; /* so that every digit is as likely */
            if (digits > 0 && digits % 6 == 0)
                key[at++] = '-';
            key[at++] = (char)('0' + random[i] % 10);
            digits++;
        }
        wipe(random, sizeof random);
    }
    key[at] = '\0';
    return SOTTO_OK;
}

sotto_error backup_key_digits(sotto_bytes text, sotto_buf *out)
{
    size_t before = out->size, digits = 0;
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < text.size && error == SOTTO_OK; i++) {
        uint8_t c = text.data[i];
        if (c == ' ' || c == '-' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c < '0' || c > '9' || ++digits > BACKUP_KEY_DIGITS)
            error = SOTTO_VALUE;
        else
            error = sotto_buf_append(out, &c, 1);
    }
    if (error == SOTTO_OK && digits != BACKUP_KEY_DIGITS)
        error = SOTTO_VALUE;
    if (error != SOTTO_OK)
        out->size = before;
    return error;
}
