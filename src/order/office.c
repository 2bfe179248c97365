#include "order/office.h"

#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <sodium.h>

#include "order/withdraw.h"
#include "relay/files.h"
#include "tlog/folder.h"
#include "wire/tls.h"

enum { SEED_SIZE = crypto_sign_SEEDBYTES, KEY_FILE_MAX = 64 * 1024 };

sotto_error office_fail(struct office *office, sotto_error error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(office->problem, sizeof office->problem, format, args);
    va_end(args);
    return error;
}

sotto_error office_of_records(struct office *office, sotto_error error)
{
    return error == SOTTO_OK || error == SOTTO_NOT_FOUND
               ? error
               : office_fail(office, error, "%s", office->records.problem);
}

/* PATH_MAX leaves room for what is put behind the folder. */
static const char *path_of(const struct office *office, const char *name,
                           char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", office->folder, name);
    return path;
}

sotto_error office_read(struct office *office, const char *path, size_t max, sotto_buf *out)
{
    uint8_t chunk[4096];
    const size_t at = out->size;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return office_fail(office, SOTTO_IO, "%.400s cannot be read: %s", path, strerror(errno));
    sotto_error error = SOTTO_OK;
    for (size_t got; error == SOTTO_OK && (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        error = out->size - at + got > max
                    ? office_fail(office, SOTTO_LIMIT, "%.400s is larger than %zu bytes", path, max)
                    : sotto_buf_append(out, chunk, got);
    if (error == SOTTO_OK && ferror(file) != 0)
        error = office_fail(office, SOTTO_IO, "%.400s cannot be read: %s", path, strerror(errno));
    fclose(file);
    wipe(chunk, sizeof chunk);
    return error;
}

/* ---- Keys ----------------------------------------------------------------------------------- */

static sotto_error write_key(struct office *office, const char *path, const uint8_t *seed)
{
    char hex[2 * SEED_SIZE + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return office_fail(office, SOTTO_IO, "%.400s cannot be made: %s", path, strerror(errno));
    sodium_bin2hex(hex, sizeof hex, seed, SEED_SIZE);
    hex[2 * SEED_SIZE] = '\n';
    bool good = write(fd, hex, 2 * SEED_SIZE + 1) == 2 * SEED_SIZE + 1 && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    wipe(hex, sizeof hex);
    if (good)
        return SOTTO_OK;
    unlink(path);
    return office_fail(office, SOTTO_IO, "%.400s cannot be written: %s", path, strerror(errno));
}

static sotto_error log_seed(struct office *office, uint8_t seed[static SEED_SIZE])
{
    char path[PATH_MAX];
    size_t size = 0;
    sotto_buf text;
    path_of(office, "log.key", path);
    if (access(path, F_OK) != 0) {
        TRY(office->env->random(office->env->ctx, seed, SEED_SIZE));
        return write_key(office, path, seed);
    }
    sotto_buf_init(&text, office->env);
    sotto_error error = office_read(office, path, 2 * SEED_SIZE + 1, &text);
    if (error == SOTTO_OK && (text.size < 2 * SEED_SIZE ||
                              sodium_hex2bin(seed, SEED_SIZE, (const char *)text.data,
                                             2 * SEED_SIZE, NULL, &size, NULL) != 0 ||
                              size != SEED_SIZE))
        error =
            office_fail(office, SOTTO_KEY, "%.400s is damaged: bring it back from a backup", path);
    sotto_buf_free(&text);
    return error;
}

/* The log's name is fixed by its first use: another name would be another log. */
static sotto_error log_key(struct office *office, const char *origin)
{
    char name[TLOG_NAME_MAX + 1] = "", made_up[64], hex[2 * TLOG_HASH_SIZE + 1];
    uint8_t seed[SEED_SIZE], public_key[32];
    struct tlog_hash hash;
    sotto_error error = log_seed(office, seed);
    if (error == SOTTO_OK)
        crypto_sign_seed_keypair(public_key, office->secret, seed);
    wipe(seed, sizeof seed);
    if (error != SOTTO_OK)
        return error;
    error = records_setting(&office->records, "origin", name, sizeof name);
    if (error == SOTTO_NOT_FOUND) {
        crypto_hash_sha256(hash.bytes, public_key, sizeof public_key);
        sodium_bin2hex(hex, sizeof hex, hash.bytes, TLOG_HASH_SIZE);
        snprintf(made_up, sizeof made_up, "sotto.invalid/%.16s/orders", hex);
        if (origin == NULL || origin[0] == '\0')
            origin = made_up;
        if (tlog_key_make(origin, TLOG_KEY_LOG, public_key, &office->key) != SOTTO_OK)
            return office_fail(office, SOTTO_VALUE,
                               "a log cannot be named \"%.200s\": no spaces, no plus", origin);
        return office_of_records(office, records_set(&office->records, "origin", origin));
    }
    if (error != SOTTO_OK)
        return office_of_records(office, error);
    error = tlog_key_make(name, TLOG_KEY_LOG, public_key, &office->key);
    return error == SOTTO_OK
               ? error
               : office_fail(office, error, "the log's name in the records is damaged");
}

static sotto_error answer_key(struct office *office)
{
    char certificate[PATH_MAX], key[PATH_MAX];
    const char *why = "";
    path_of(office, "answer.pem", certificate);
    path_of(office, "answer.key", key);
    if (access(certificate, F_OK) != 0 || access(key, F_OK) != 0)
        if (tls_make_certificate(office->env, certificate, key, &why) != SOTTO_OK)
            return office_fail(office, SOTTO_IO, "the certificate for answers cannot be made: %s",
                               why);
    FILE *file = fopen(certificate, "re");
    office->certificate = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    if (file != NULL)
        fclose(file);
    file = fopen(key, "re");
    office->answer_key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    if (file != NULL)
        fclose(file);
    if (office->certificate == NULL || office->answer_key == NULL ||
        X509_check_private_key(office->certificate, office->answer_key) != 1)
        return office_fail(
            office, SOTTO_KEY,
            "answer.pem and answer.key in %.300s are no certificate and its key in PEM",
            office->folder);
    return SOTTO_OK;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static sotto_error make_folder(struct office *office, const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return SOTTO_OK;
    return office_fail(office, SOTTO_IO, "%.400s cannot be made: %s", path, strerror(errno));
}

/* One command at a time: of two that publish at once the slower one would put an older checkpoint
 * in the place of a newer one, which is what a rewritten log looks like. */
static sotto_error lock(struct office *office)
{
    char path[PATH_MAX];
    office->lock =
        open(path_of(office, "lock", path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (office->lock < 0)
        return office_fail(office, SOTTO_IO, "%.400s cannot be made: %s", path, strerror(errno));
    while (flock(office->lock, LOCK_EX) != 0)
        if (errno != EINTR)
            return office_fail(office, SOTTO_IO, "%.400s cannot be locked: %s", path,
                               strerror(errno));
    return SOTTO_OK;
}

/* Commands are often typed as root: what they make is the relay's, which serves and removes it. */
static void give_to_relay(const struct office *office)
{
    struct stat owner;
    if (geteuid() == 0 && stat(office->database, &owner) == 0)
        (void)files_give(office->folder, owner.st_uid, owner.st_gid);
}

sotto_error office_open(const char *data, const char *origin, const sotto_env *env,
                        struct office *office)
{
    char path[PATH_MAX];
    memset(office, 0, sizeof *office);
    office->lock = -1;
    office->env = env;
    if (strlen(data) + 32 >= sizeof office->folder)
        return office_fail(office, SOTTO_LIMIT, "the data directory's name is too long");
    snprintf(office->folder, sizeof office->folder, "%s/orders", data);
    snprintf(office->database, sizeof office->database, "%s/relay.db", data);
    if (access(office->database, F_OK) != 0)
        return office_fail(office, SOTTO_NOT_FOUND,
                           "there is no relay in %.400s: choose its data directory with --data",
                           data);
    sotto_error error = make_folder(office, office->folder);
    if (error == SOTTO_OK)
        error = lock(office);
    if (error == SOTTO_OK)
        error = make_folder(office, path_of(office, "outgoing", path));
    if (error == SOTTO_OK)
        error = office_of_records(
            office, records_open(path_of(office, "orders.db", path), env, &office->records));
    if (error == SOTTO_OK)
        error = log_key(office, origin);
    if (error == SOTTO_OK)
        error = answer_key(office);
    if (error == SOTTO_OK)
        error = withdraw_settle(office);
    if (error == SOTTO_OK)
        error = office_publish(office);
    if (error == SOTTO_OK)
        error = office_hand_over(office);
    if (error != SOTTO_OK) {
        char kept[ORDER_PROBLEM_MAX];
        memcpy(kept, office->problem, sizeof kept);
        office_close(office);
        memcpy(office->problem, kept, sizeof kept);
    }
    return error;
}

void office_close(struct office *office)
{
    records_close(&office->records);
    X509_free(office->certificate);
    EVP_PKEY_free(office->answer_key);
    if (office->folder[0] != '\0')
        give_to_relay(office);
    if (office->lock >= 0)
        close(office->lock);
    wipe(office, sizeof *office);
    office->lock = -1;
}

/* ---- Publishing ----------------------------------------------------------------------------- */

sotto_error office_checkpoint(struct office *office, struct tlog_checkpoint *checkpoint,
                              sotto_buf *note)
{
    char path[PATH_MAX];
    sotto_buf bytes;
    sotto_buf_init(&bytes, office->env);
    sotto_error error =
        tlog_folder_get(path_of(office, "log", path), "checkpoint", TLOG_NOTE_MAX, &bytes);
    if (error == SOTTO_OK)
        error = tlog_checkpoint_open(sotto_buf_view(&bytes), &office->key, checkpoint, NULL, NULL);
    if (error == SOTTO_OK && note != NULL)
        error = sotto_buf_append(note, bytes.data, bytes.size);
    sotto_buf_free(&bytes);
    if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
        office_fail(office, error, "the published checkpoint is not this log's: %s",
                    sotto_error_text(error));
    return error;
}

/* The records' log in one pass. What was published (NULL: nothing) has to be its beginning. */
static sotto_error walk_log(struct office *office, const struct tlog_checkpoint *published,
                            struct tlog_frontier *frontier)
{
    struct records_entries entries = {.records = &office->records};
    struct tlog_hash root, leaf;
    sotto_error error = SOTTO_OK;
    bool continues = published == NULL || published->size == 0;
    memset(frontier, 0, sizeof *frontier);
    sotto_buf_init(&entries.entry, office->env);
    while (error == SOTTO_OK) {
        sotto_bytes entry;
        error = records_entry(&entries, frontier->size, &entry);
        if (error != SOTTO_OK)
            break;
        tlog_hash_leaf(entry, &leaf);
        error = tlog_frontier_append(frontier, &leaf);
        if (published != NULL && frontier->size == published->size) {
            tlog_frontier_root(frontier, &root);
            continues = tlog_hash_equal(&root, &published->root);
        }
    }
    sotto_buf_free(&entries.entry);
    if (error != SOTTO_NOT_FOUND)
        return office_of_records(office, error);
    if (!continues)
        return office_fail(
            office, SOTTO_STATE,
            "the log that was published has entries which the records lack, or others: the "
            "records are older than the log. Bring back newer ones: a checkpoint over these "
            "would convict this relay of rewriting its log");
    return SOTTO_OK;
}

static sotto_error sign_checkpoint(struct office *office, const char *log,
                                   const struct tlog_checkpoint *checkpoint)
{
    sotto_buf note;
    sotto_buf_init(&note, office->env);
    sotto_error error = tlog_checkpoint_write(checkpoint, &note);
    const size_t size = note.size;
    if (error == SOTTO_OK)
        error = sotto_buf_append(&note, (const uint8_t *)"\n", 1);
    if (error == SOTTO_OK)
        error =
            sotto_buf_reserve(&note, 512); /* so that the text does not move while it is signed */
    if (error == SOTTO_OK)
        error =
            tlog_note_sign(sotto_bytes_of(note.data, size), &office->key, office->secret, &note);
    if (error == SOTTO_OK)
        error = tlog_folder_put(log, "checkpoint", sotto_buf_view(&note));
    sotto_buf_free(&note);
    return error == SOTTO_OK ? error
                             : office_fail(office, error, "the checkpoint cannot be written: %s",
                                           strerror(errno));
}

sotto_error office_publish(struct office *office)
{
    char log[PATH_MAX], key[TLOG_KEY_TEXT_MAX + 2];
    struct tlog_checkpoint checkpoint = {.size = 0};
    struct tlog_frontier frontier;
    struct tlog_hash root;
    path_of(office, "log", log);
    sotto_error error = office_checkpoint(office, &checkpoint, NULL);
    const bool first = error == SOTTO_NOT_FOUND;
    if (error != SOTTO_OK && !first)
        return error;
    TRY(walk_log(office, first ? NULL : &checkpoint, &frontier));
    if (!first && frontier.size == checkpoint.size)
        return SOTTO_OK;
    struct records_entries entries = {.records = &office->records};
    sotto_buf_init(&entries.entry, office->env);
    tlog_frontier_root(&frontier, &checkpoint.root);
    /* What is there already is kept if it is right, and else made anew. */
    for (uint64_t from = checkpoint.size;; from = 0) {
        error = tlog_folder_extend(log, from, frontier.size, records_entry, &entries, office->env);
        if (error != SOTTO_OK)
            break;
        error = tlog_folder_root(log, frontier.size, office->env, &root);
        if (error == SOTTO_OK && !tlog_hash_equal(&root, &checkpoint.root))
            error = SOTTO_INTERNAL;
        if (error == SOTTO_OK || from == 0)
            break;
    }
    sotto_buf_free(&entries.entry);
    if (error != SOTTO_OK)
        return office_fail(office, error, "the log in %.400s cannot be written: %s", log,
                           strerror(errno));
    memcpy(checkpoint.origin, office->key.name, sizeof checkpoint.origin);
    checkpoint.size = frontier.size;
    tlog_key_write(&office->key, key);
    const size_t length = strlen(key);
    key[length] = '\n';
    if (tlog_folder_put(log, "key", sotto_bytes_of((const uint8_t *)key, length + 1)) != SOTTO_OK)
        return office_fail(office, SOTTO_IO, "the log's key cannot be written: %s",
                           strerror(errno));
    return sign_checkpoint(office, log, &checkpoint);
}

/* ---- Telling people ------------------------------------------------------------------------- */

sotto_error office_sign(struct office *office, sotto_bytes text, sotto_buf *out)
{
    sotto_error error = sotto_buf_append(out, text.data, text.size);
    if (error == SOTTO_OK)
        error = sotto_buf_append(out, (const uint8_t *)"\n", 1);
    return error == SOTTO_OK ? tlog_note_sign(text, &office->key, office->secret, out) : error;
}

/* A file for the serving relay: when, whom, and a signed note. */
static bool hand_over(void *ctx, uint64_t number, sotto_bytes account, uint64_t due_s,
                      sotto_bytes text)
{
    struct office *office = ctx;
    char path[PATH_MAX], name[128], hex[65];
    sotto_buf note;
    if (account.size != 32)
        return false;
    sodium_bin2hex(hex, sizeof hex, account.data, account.size);
    snprintf(name, sizeof name, "%020" PRIu64 "-%s-%" PRIu64 ".note", due_s, hex, number);
    sotto_buf_init(&note, office->env);
    sotto_error error = office_sign(office, text, &note);
    if (error == SOTTO_OK)
        error = tlog_folder_put(path_of(office, "outgoing", path), name, sotto_buf_view(&note));
    sotto_buf_free(&note);
    if (error != SOTTO_OK)
        office_fail(office, error, "the notice cannot be written: %s", strerror(errno));
    return error == SOTTO_OK;
}

sotto_error office_hand_over(struct office *office)
{
    TRY(office_of_records(office, records_notices(&office->records, hand_over, office)));
    return withdraw_hand_over(office);
}
