/* Backups: as a file of any bytes; and, sealed under a key that is known, any plaintext: the
 * framing of its records, what they say, and the records of the past that a store takes over. */
#include "core/backup.h"

#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/vault.h"
#include "sotto/sotto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct vault_cost cheap = {.passes = 1, .kib = BACKUP_KIB_MIN};
static struct sotto *core;
static char directory[] = "/tmp/sotto-fuzz-backup-XXXXXX";

static void remove_profile(void)
{
    static const char *const names[] = {"keys",           "profile.db",   "profile.db-wal",
                                        "profile.db-shm", "profile.lock", ""};
    char path[sizeof directory + 32];
    sotto_close(core);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        (void)remove(path);
    }
}

static void open_profile(void)
{
    struct sotto_problem problem;
    BUG_UNLESS(mkdtemp(directory) != NULL);
    BUG_UNLESS(sotto_open(sotto_env_system(), directory, NULL, &core, &problem) == SOTTO_OK);
    BUG_UNLESS(atexit(remove_profile) == 0);
}

static bool secret_of(void *ctx, enum backup_secret kind, sotto_buf *out)
{
    (void)ctx;
    (void)kind;
    return sotto_buf_append(out, (const uint8_t *)"x", 1) == SOTTO_OK;
}

static void take(uint8_t version, uint8_t type, sotto_bytes body)
{
    struct backup_info info;
    struct backup_account account;
    struct arena arena;
    struct reader reader;
    sotto_fault fault;
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    if (type == BACKUP_INFO && backup_info_read(body, &info, &fault) == SOTTO_OK) {
        BUG_UNLESS(backup_info_write(&info, &again) == SOTTO_OK);
        BUG_UNLESS(again.size <= body.size && memcmp(again.data, body.data, again.size) == 0);
    } else if (type == BACKUP_ACCOUNT && backup_account_read(body, &account, &fault) == SOTTO_OK) {
        BUG_UNLESS(backup_account_write(&account, &again) == SOTTO_OK);
        BUG_UNLESS(again.size <= body.size && memcmp(again.data, body.data, again.size) == 0);
    } else if (type == BACKUP_PEOPLE || type == BACKUP_PAST) {
        arena_init(&arena, sotto_env_system());
        reader_init(&reader, body);
        BUG_UNLESS(store_begin(core->store) == SOTTO_OK);
        if (version == BACKUP_UNFRAMED)
            (void)own_records_read_unframed(core, &reader, &arena);
        else
            (void)own_records_read(core, &reader, &arena);
        store_rollback(core->store);
        arena_free(&arena);
    }
    sotto_buf_free(&again);
}

static void read_all(int fd)
{
    struct backup_reader *reader = NULL;
    sotto_fault fault;
    uint8_t type;
    sotto_bytes body;
    BUG_UNLESS(lseek(fd, 0, SEEK_SET) == 0);
    sotto_error error = backup_reader_new(sotto_env_system(), fd, secret_of, NULL, &reader, &fault);
    while (error == SOTTO_OK) {
        error = backup_read(reader, &type, &body, &fault);
        if (error == SOTTO_OK)
            take(backup_read_version(reader), type, body);
    }
    BUG_UNLESS(error == SOTTO_NOT_FOUND || fault.error == error);
    backup_reader_free(reader);
}

/* As backup_file.c seals it, but what stands in it. */
static void seal(int fd, uint8_t version, sotto_bytes plain)
{
    static uint8_t chunk[BACKUP_CHUNK], sealed[BACKUP_SEALED];
    struct backup_writer *writer = NULL;
    uint8_t header[BACKUP_HEADER_SIZE], master[32], key[32];
    crypto_secretstream_xchacha20poly1305_state stream;
    /* Its header, and then another stream in the place of its own. */
    BUG_UNLESS(backup_writer_new(sotto_env_system(), fd, BACKUP_KEY, sotto_bytes_str("x"), &cheap,
                                 &writer) == SOTTO_OK);
    backup_writer_free(writer);
    BUG_UNLESS(pread(fd, header, sizeof header, 0) == BACKUP_HEADER_SIZE);
    header[9] = version;
    BUG_UNLESS(crypto_pwhash(master, 32, "x", 1, header + 20, 1, (size_t)BACKUP_KIB_MIN * 1024,
                             crypto_pwhash_ALG_ARGON2ID13) == 0);
    crypto_kdf_derive_from_key(key, 32, 1, "sottobak", master);
    crypto_secretstream_xchacha20poly1305_init_push(&stream, header + 36, key);
    crypto_kdf_derive_from_key(key, 32, 2, "sottobak", master);
    crypto_generichash(header + 60, 16, header, 60, key, 32);
    crypto_generichash(header + 76, 16, header, 76, NULL, 0);
    BUG_UNLESS(pwrite(fd, header, sizeof header, 0) == BACKUP_HEADER_SIZE);
    memset(chunk, 0, sizeof chunk);
    memcpy(chunk, plain.data, plain.size);
    crypto_secretstream_xchacha20poly1305_push(&stream, sealed, NULL, chunk, BACKUP_CHUNK, header,
                                               BACKUP_HEADER_SIZE,
                                               crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    BUG_UNLESS(pwrite(fd, sealed, sizeof sealed, BACKUP_HEADER_SIZE) == BACKUP_SEALED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (core == NULL)
        open_profile();
    if (size == 0 || size > BACKUP_CHUNK)
        return 0;
    int fd = memfd_create("backup", MFD_CLOEXEC);
    BUG_UNLESS(fd >= 0);
    if (data[0] & 1)
        seal(fd, (data[0] & 2) != 0 ? BACKUP_UNFRAMED : BACKUP_VERSION,
             sotto_bytes_of(data + 1, size - 1));
    else /* a header that asks for much is right about once in 2^128 */
        BUG_UNLESS(write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    read_all(fd);
    (void)close(fd);
    return 0;
}
