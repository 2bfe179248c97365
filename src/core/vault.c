#include "core/vault.h"

#include <sodium.h>
#include <string.h>

#include "core/disk.h"

const struct vault_cost vault_cost_default = {.passes = 3, .kib = 64 * 1024};

struct vault {
    const sotto_env *env;
    uint8_t key[VAULT_KEY_SIZE];
};

enum {
    KIND_OPEN = 0,
    KIND_PASSPHRASE = 1,
    SALT = crypto_pwhash_SALTBYTES,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    SEALED = VAULT_KEY_SIZE + TAG,
    CHECK = 16,
    /* Places in the file. */
    AT_VERSION = 8,
    AT_KIND = 10,
    AT_PASSES = 12,
    AT_KIB = 16,
    AT_SALT = 20,
    AT_NONCE = AT_SALT + SALT,
    AT_SEALED = AT_NONCE + NONCE,
    AT_CHECK = AT_SEALED + SEALED,
};
_Static_assert(AT_CHECK + CHECK == VAULT_FILE_SIZE, "the layout in vault.h");

static const uint8_t magic[8] = {'s', 'o', 't', 't', 'o', 'k', 'e', 'y'};

static void put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static void check_of(const uint8_t file[static VAULT_FILE_SIZE], uint8_t check[static CHECK])
{
    crypto_generichash(check, CHECK, file, AT_CHECK, NULL, 0);
}

static sotto_error fail(sotto_fault *fault, sotto_error error, const char *what)
{
    if (fault != NULL)
        *fault = (sotto_fault){.error = error, .what = what};
    return error;
}

/* Everything about the file that needs no passphrase. */
static sotto_error check_file(sotto_bytes bytes, sotto_fault *fault)
{
    uint8_t check[CHECK];
    const uint8_t *file = bytes.data;
    if (bytes.size < AT_KIND || memcmp(file, magic, sizeof magic) != 0)
        return fail(fault, SOTTO_VALUE, VAULT_FILE ": this is not a key file");
    if (file[AT_VERSION] != 0 || file[AT_VERSION + 1] != 1)
        return fail(fault, SOTTO_VERSION, VAULT_FILE ": made by a newer version of Sotto");
    if (bytes.size != VAULT_FILE_SIZE)
        return fail(fault, SOTTO_VALUE, VAULT_FILE ": the key file is damaged");
    check_of(file, check);
    if (memcmp(check, file + AT_CHECK, CHECK) != 0)
        return fail(fault, SOTTO_VALUE, VAULT_FILE ": the key file is damaged");
    uint32_t passes = get_u32(file + AT_PASSES), kib = get_u32(file + AT_KIB);
    bool fine = file[AT_KIND + 1] == 0;
    if (file[AT_KIND] == KIND_OPEN)
        fine = fine && sodium_is_zero(file + AT_PASSES, AT_SEALED - AT_PASSES) == 1 &&
               sodium_is_zero(file + AT_SEALED + VAULT_KEY_SIZE, TAG) == 1;
    else
        fine = fine && file[AT_KIND] == KIND_PASSPHRASE && passes >= 1 &&
               passes <= VAULT_PASSES_MAX && kib >= VAULT_KIB_MIN && kib <= VAULT_KIB_MAX;
    return fine
               ? SOTTO_OK
               : fail(fault, SOTTO_VALUE, VAULT_FILE ": the key file asks for what is not allowed");
}

static sotto_error read_file(const char *directory, sotto_buf *file, sotto_fault *fault)
{
    sotto_error error = disk_read(directory, VAULT_FILE, 4096, file);
    if (error == SOTTO_LIMIT)
        return fail(fault, SOTTO_VALUE, VAULT_FILE ": this is not a key file");
    if (error != SOTTO_OK)
        return fail(fault, error, VAULT_FILE ": the key file cannot be read");
    return check_file(sotto_buf_view(file), fault);
}

sotto_error vault_look(const sotto_env *env, const char *directory, bool *locked,
                       sotto_fault *fault)
{
    sotto_buf file;
    sotto_buf_init(&file, env);
    sotto_error error = read_file(directory, &file, fault);
    if (error == SOTTO_OK)
        *locked = file.data[AT_KIND] == KIND_PASSPHRASE;
    sotto_buf_free(&file);
    return error;
}

/* ---- The key -------------------------------------------------------------------------------- */

static struct vault *vault_new(const sotto_env *env)
{
    if (sodium_init() < 0)
        return NULL;
    struct vault *vault = sodium_malloc(sizeof *vault);
    if (vault != NULL)
        vault->env = env;
    return vault;
}

struct vault *vault_copy(const struct vault *vault)
{
    struct vault *copy = vault_new(vault->env);
    if (copy != NULL)
        *copy = *vault;
    return copy;
}

void vault_free(struct vault *vault)
{
    sodium_free(vault); /* which wipes */
}

sotto_error vault_create(const sotto_env *env, const char *directory, struct vault **out)
{
    struct vault *vault = vault_new(env);
    if (vault == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = env->random(env->ctx, vault->key, sizeof vault->key);
    if (error == SOTTO_OK)
        error = vault_seal(vault, directory, NULL, NULL);
    if (error == SOTTO_OK)
        *out = vault;
    else
        vault_free(vault);
    return error;
}

void vault_derive(const struct vault *vault, uint64_t purpose, uint8_t key[static VAULT_KEY_SIZE])
{
    crypto_kdf_derive_from_key(key, VAULT_KEY_SIZE, purpose, "sottodb1", vault->key);
}
_Static_assert(VAULT_KEY_SIZE == crypto_kdf_KEYBYTES, "a key to derive from");

/* Argon2id by what the file says. wrap: VAULT_KEY_SIZE bytes of locked memory. */
static sotto_error stretch(const uint8_t file[static VAULT_FILE_SIZE], sotto_bytes passphrase,
                           uint8_t *wrap)
{
    if (crypto_pwhash(wrap, VAULT_KEY_SIZE, (const char *)passphrase.data, passphrase.size,
                      file + AT_SALT, get_u32(file + AT_PASSES),
                      (size_t)get_u32(file + AT_KIB) * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return SOTTO_NO_MEMORY; /* its one reason: the limits were checked */
    return SOTTO_OK;
}

static sotto_error unseal(const uint8_t file[static VAULT_FILE_SIZE], sotto_bytes passphrase,
                          struct vault *vault)
{
    uint8_t *wrap = sodium_malloc(VAULT_KEY_SIZE);
    if (wrap == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = stretch(file, passphrase, wrap);
    if (error == SOTTO_OK &&
        crypto_aead_xchacha20poly1305_ietf_decrypt(vault->key, NULL, NULL, file + AT_SEALED, SEALED,
                                                   file, AT_SEALED, file + AT_NONCE, wrap) != 0)
        error = SOTTO_KEY;
    sodium_free(wrap);
    return error;
}

sotto_error vault_open(const sotto_env *env, const char *directory, const sotto_bytes *passphrase,
                       struct vault **out, sotto_fault *fault)
{
    sotto_buf file;
    struct vault *vault = vault_new(env);
    if (vault == NULL)
        return fail(fault, SOTTO_NO_MEMORY, VAULT_FILE);
    sotto_buf_init(&file, env);
    sotto_error error = read_file(directory, &file, fault);
    if (error == SOTTO_OK && file.data[AT_KIND] == KIND_OPEN)
        memcpy(vault->key, file.data + AT_SEALED, VAULT_KEY_SIZE);
    else if (error == SOTTO_OK && passphrase == NULL)
        error = fail(fault, SOTTO_STATE, VAULT_FILE ": a passphrase is needed");
    else if (error == SOTTO_OK) {
        error = unseal(file.data, *passphrase, vault);
        if (error != SOTTO_OK)
            (void)fail(fault, error, VAULT_FILE ": not the passphrase");
    }
    sotto_buf_free(&file);
    if (error == SOTTO_OK)
        *out = vault;
    else
        vault_free(vault);
    return error;
}

/* file: zeroed but for magic and version. */
static sotto_error seal(const struct vault *vault, sotto_bytes passphrase,
                        const struct vault_cost *cost, uint8_t file[static VAULT_FILE_SIZE])
{
    BUG_UNLESS(cost->passes >= 1 && cost->passes <= VAULT_PASSES_MAX &&
               cost->kib >= VAULT_KIB_MIN && cost->kib <= VAULT_KIB_MAX);
    uint8_t *wrap = sodium_malloc(VAULT_KEY_SIZE);
    if (wrap == NULL)
        return SOTTO_NO_MEMORY;
    file[AT_KIND] = KIND_PASSPHRASE;
    put_u32(file + AT_PASSES, cost->passes);
    put_u32(file + AT_KIB, cost->kib);
    sotto_error error = vault->env->random(vault->env->ctx, file + AT_SALT, SALT + NONCE);
    if (error == SOTTO_OK)
        error = stretch(file, passphrase, wrap);
    if (error == SOTTO_OK)
        crypto_aead_xchacha20poly1305_ietf_encrypt(file + AT_SEALED, NULL, vault->key,
                                                   VAULT_KEY_SIZE, file, AT_SEALED, NULL,
                                                   file + AT_NONCE, wrap);
    sodium_free(wrap);
    return error;
}

sotto_error vault_seal(const struct vault *vault, const char *directory,
                       const sotto_bytes *passphrase, const struct vault_cost *cost)
{
    uint8_t file[VAULT_FILE_SIZE] = {0};
    if (passphrase != NULL && (passphrase->size == 0 || passphrase->size > VAULT_PASSPHRASE_MAX))
        return SOTTO_LENGTH;
    memcpy(file, magic, sizeof magic);
    file[AT_VERSION + 1] = 1;
    sotto_error error = SOTTO_OK;
    if (passphrase != NULL)
        error = seal(vault, *passphrase, cost, file);
    else
        memcpy(file + AT_SEALED, vault->key, VAULT_KEY_SIZE);
    check_of(file, file + AT_CHECK);
    if (error == SOTTO_OK)
        error = disk_replace(directory, VAULT_FILE, sotto_bytes_of(file, sizeof file));
    wipe(file, sizeof file);
    return error;
}
