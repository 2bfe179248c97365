/* The key file: what opens it, what it refuses, and that a change of the passphrase never leaves a
 * profile without one. */
#include "unit/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "core/disk.h"
#include "core/vault.h"
#include "unit/folder.h"
#include "unit/killed.h"

static char folder[64];
static const struct vault_cost cheap = {.passes = 1, .kib = VAULT_KIB_MIN};
static const sotto_env *env;

static int setup(void **state)
{
    (void)state;
    env = sotto_env_system();
    return folder_make(folder, "vault") ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static sotto_error open_with(const char *passphrase, uint8_t derived[static VAULT_KEY_SIZE])
{
    struct vault *vault = NULL;
    sotto_fault fault = {SOTTO_OK, "", 0};
    const sotto_bytes view = sotto_bytes_str(passphrase != NULL ? passphrase : "");
    sotto_error error = vault_open(env, folder, passphrase != NULL ? &view : NULL, &vault, &fault);
    if (error == SOTTO_OK)
        vault_derive(vault, 1, derived);
    else
        assert_int_equal(fault.error, error); /* and in words */
    vault_free(vault);
    return error;
}

static void seal_with(const char *passphrase, const char *fresh)
{
    struct vault *vault = NULL;
    const sotto_bytes old = sotto_bytes_str(passphrase != NULL ? passphrase : "");
    const sotto_bytes new = sotto_bytes_str(fresh != NULL ? fresh : "");
    assert_ok(vault_open(env, folder, passphrase != NULL ? &old : NULL, &vault, NULL));
    assert_ok(vault_seal(vault, folder, fresh != NULL ? &new : NULL, &cheap));
    vault_free(vault);
}

static void make(uint8_t derived[static VAULT_KEY_SIZE])
{
    struct vault *vault = NULL;
    assert_ok(vault_create(env, folder, &vault));
    vault_derive(vault, 1, derived);
    vault_free(vault);
}

static size_t file_load(uint8_t out[static VAULT_FILE_SIZE + 1])
{
    char path[128];
    snprintf(path, sizeof path, "%s/keys", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(out, 1, VAULT_FILE_SIZE + 1, file);
    fclose(file);
    return size;
}

static void file_store(const uint8_t *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/keys", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* ---- */

static void the_key_is_the_same_whatever_seals_it(void **state)
{
    (void)state;
    uint8_t made[VAULT_KEY_SIZE], found[VAULT_KEY_SIZE], file[VAULT_FILE_SIZE + 1];
    bool locked = true;
    struct stat status;
    char path[128];
    assert_error(open_with(NULL, found), NOT_FOUND);
    make(made);
    assert_ok(open_with(NULL, found));
    assert_memory_equal(found, made, sizeof made);
    snprintf(path, sizeof path, "%s/keys", folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_ok(vault_look(env, folder, &locked, NULL));
    assert_false(locked);

    seal_with(NULL, "correct horse");
    assert_ok(vault_look(env, folder, &locked, NULL));
    assert_true(locked);
    assert_error(open_with(NULL, found), STATE);
    assert_error(open_with("correct hors", found), KEY);
    assert_error(open_with("correct horse ", found), KEY);
    assert_error(open_with("", found), KEY);
    assert_ok(open_with("correct horse", found));
    assert_memory_equal(found, made, sizeof made);
    assert_int_equal(file_load(file), VAULT_FILE_SIZE);

    seal_with("correct horse", "battery staple");
    assert_error(open_with("correct horse", found), KEY);
    assert_ok(open_with("battery staple", found));
    assert_memory_equal(found, made, sizeof made);

    seal_with("battery staple", NULL);
    assert_ok(open_with(NULL, found));
    assert_memory_equal(found, made, sizeof made);
}

static void nothing_but_a_passphrase_of_a_fair_length_is_taken(void **state)
{
    (void)state;
    uint8_t derived[VAULT_KEY_SIZE];
    static const uint8_t longest[VAULT_PASSPHRASE_MAX + 1] = {'x'};
    const sotto_bytes none = {NULL, 0}, too_long = {longest, sizeof longest},
                      fair = {longest, sizeof longest - 1};
    struct vault *vault = NULL;
    make(derived);
    assert_ok(vault_open(env, folder, NULL, &vault, NULL));
    assert_error(vault_seal(vault, folder, &none, &cheap), LENGTH);
    assert_error(vault_seal(vault, folder, &too_long, &cheap), LENGTH);
    assert_ok(open_with(NULL, derived));
    assert_ok(vault_seal(vault, folder, &fair, &cheap));
    vault_free(vault);
    vault = NULL;
    assert_ok(vault_open(env, folder, &fair, &vault, NULL));
    vault_free(vault);
}

/* What is written down in vault.h, done by hand. */
static void the_file_is_as_it_is_documented(void **state)
{
    (void)state;
    uint8_t made[VAULT_KEY_SIZE], file[VAULT_FILE_SIZE + 1], wrap[32], key[32], derived[32],
        check[16];
    make(made);
    seal_with(NULL, "pass");
    assert_int_equal(file_load(file), VAULT_FILE_SIZE);
    assert_memory_equal(file, "sottokey\0\1\1\0\0\0\0\1\0\0\0\10", 20);
    assert_int_equal(
        crypto_pwhash(wrap, 32, "pass", 4, file + 20, 1, 8192, crypto_pwhash_ALG_ARGON2ID13), 0);
    assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(key, NULL, NULL, file + 60, 48,
                                                                file, 60, file + 36, wrap),
                     0);
    crypto_kdf_derive_from_key(derived, 32, 1, "sottodb1", key);
    assert_memory_equal(derived, made, 32);
    crypto_generichash(check, 16, file, 108, NULL, 0);
    assert_memory_equal(check, file + 108, 16);
}

static void a_damaged_file_is_no_wrong_passphrase(void **state)
{
    (void)state;
    uint8_t derived[VAULT_KEY_SIZE], file[VAULT_FILE_SIZE + 1], bad[VAULT_FILE_SIZE + 1];
    make(derived);
    for (int sealed = 0; sealed < 2; sealed++) {
        if (sealed)
            seal_with(NULL, "pass");
        size_t size = file_load(file);
        for (size_t i = 0; i < size; i++) {
            memcpy(bad, file, size);
            bad[i] ^= (uint8_t)(1u << i % 8);
            file_store(bad, size);
            sotto_error error = open_with("pass", derived);
            assert_string_equal(sotto_error_name(error), i == 8 || i == 9 ? "VERSION" : "VALUE");
        }
        for (size_t i = 0; i < size; i++) {
            file_store(file, i);
            assert_error(open_with("pass", derived), VALUE);
        }
        file[size] = 0;
        file_store(file, size + 1);
        assert_error(open_with("pass", derived), VALUE);
        file_store(file, size);
        assert_ok(open_with("pass", derived));
    }
}

/* With the right checksum, so that only the limits are in the way. */
static void a_forged_file_cannot_ask_for_more_than_the_limits(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
    } rows[] = {{12, 0},
                {12, VAULT_PASSES_MAX + 1},
                {16, VAULT_KIB_MIN - 1},
                {16, VAULT_KIB_MAX + 1},
                {16, UINT32_MAX},
                {12, UINT32_MAX},
                {10, 0x02000000},
                {10, 0x01010000}};
    uint8_t derived[VAULT_KEY_SIZE], file[VAULT_FILE_SIZE + 1], bad[VAULT_FILE_SIZE + 1];
    make(derived);
    seal_with(NULL, "pass");
    size_t size = file_load(file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(bad, file, size);
        for (size_t byte = 0; byte < (rows[i].at == 10 ? 2 : 4); byte++)
            bad[rows[i].at + byte] = (uint8_t)(rows[i].value >> (24 - 8 * byte));
        crypto_generichash(bad + 108, 16, bad, 108, NULL, 0);
        file_store(bad, size);
        assert_error(open_with("pass", derived), VALUE);
    }
    /* What is in it is bound: another cost, salt or nonce does not open it. */
    for (size_t at = 15; at < 108; at += at < 20 ? 4 : 16) {
        memcpy(bad, file, size);
        bad[at] ^= 2;
        crypto_generichash(bad + 108, 16, bad, 108, NULL, 0);
        file_store(bad, size);
        assert_error(open_with("pass", derived), KEY);
    }
}

static void a_link_is_not_followed(void **state)
{
    (void)state;
    uint8_t derived[VAULT_KEY_SIZE];
    char path[128], other[128];
    make(derived);
    snprintf(path, sizeof path, "%s/keys", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_error(open_with(NULL, derived), IO);
}

/* Whoever held the old file open sees what is left of it. */
static void the_old_file_is_overwritten_unless_it_has_another_name(void **state)
{
    (void)state;
    uint8_t derived[VAULT_KEY_SIZE], old[VAULT_FILE_SIZE], kept[VAULT_FILE_SIZE + 1];
    static const uint8_t zeros[VAULT_FILE_SIZE];
    char path[128], backup[128];
    snprintf(path, sizeof path, "%s/keys", folder);
    snprintf(backup, sizeof backup, "%s/backup", folder);
    make(derived);
    int fd = open(path, O_RDONLY);
    seal_with(NULL, "pass");
    assert_int_equal(pread(fd, old, sizeof old, 0), sizeof old);
    assert_memory_equal(old, zeros, sizeof old);
    close(fd);
    assert_int_equal(file_load(kept), VAULT_FILE_SIZE);
    assert_int_equal(link(path, backup), 0);
    seal_with("pass", "word");
    assert_int_equal(rename(backup, path), 0);
    assert_int_equal(file_load(kept), VAULT_FILE_SIZE);
    assert_ok(open_with("pass", derived));
}

/* ---- Killed ---- */

static void change_passphrase(void *ctx)
{
    (void)ctx;
    struct vault *vault = NULL;
    int lock = -1;
    const sotto_bytes old = sotto_bytes_str("old"), new = sotto_bytes_str("new");
    if (disk_lock(folder, 1000, &lock) == SOTTO_OK &&
        vault_open(env, folder, &old, &vault, NULL) == SOTTO_OK)
        (void)vault_seal(vault, folder, &new, &cheap);
    vault_free(vault);
}

static void old_or_new_opens_wherever_a_change_is_killed(void **state)
{
    (void)state;
    uint8_t made[VAULT_KEY_SIZE], found[VAULT_KEY_SIZE], other[VAULT_KEY_SIZE];
    unsigned n = 0, changed = 0;
    if (!killed_possible())
        skip();
    make(made);
    seal_with(NULL, "old");
    for (bool killed = true; killed; n++) {
        killed = killed_before(n, change_passphrase, NULL);
        sotto_error old = open_with("old", found);
        sotto_error new = old == SOTTO_OK ? open_with("new", other) : open_with("new", found);
        assert_true((old == SOTTO_OK) != (new == SOTTO_OK));
        assert_memory_equal(found, made, sizeof made);
        if (new == SOTTO_OK) { /* what was left over is no obstacle */
            changed++;
            seal_with("new", "old");
        }
    }
    assert_in_range(n, 8, 40);
    assert_in_range(changed, 2, n - 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_key_is_the_same_whatever_seals_it),
        TEST(nothing_but_a_passphrase_of_a_fair_length_is_taken),
        TEST(the_file_is_as_it_is_documented),
        TEST(a_damaged_file_is_no_wrong_passphrase),
        TEST(a_forged_file_cannot_ask_for_more_than_the_limits),
        TEST(a_link_is_not_followed),
        TEST(the_old_file_is_overwritten_unless_it_has_another_name),
        TEST(old_or_new_opens_wherever_a_change_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
