/* Oneself: making, keeping, and what MLS and the relay are told. */
#include "core/identity.h"

#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"
#include "core/settings.h"
#include "wire/envelope.h"
#include "wire/manifest.h"

enum { SAVED_FIRST = 1, SAVED_VERSION = 2 }; /* 1: always with the account key */

static const struct suite *suite_of_sotto(const struct crypto *crypto)
{
    const struct suite *suite = suite_by_id(SOTTO_MLS_DEFAULT_SUITE);
    return suite != NULL && crypto_has(crypto, suite) ? suite : NULL;
}

static void complete_ids(struct identity *identity)
{
    account_id_of(identity->account_key, &identity->account);
    memcpy(identity->credential, identity->account.bytes, ACCOUNT_ID_SIZE);
    memcpy(identity->credential + ACCOUNT_ID_SIZE, identity->device.bytes, DEVICE_ID_SIZE);
}

/* What follows from the keys, the account's own among them. */
static sotto_error complete(struct identity *identity)
{
    complete_ids(identity);
    return certificate_make(&identity->account_private, identity->account_key, &identity->device,
                            sotto_bytes_of(identity->signature_key, SIGN_KEY_SIZE),
                            identity->certificate);
}

/* The same where the certificate is there: it must be good. */
static sotto_error complete_certified(struct identity *identity, sotto_fault *fault)
{
    uint8_t account_key[SIGN_KEY_SIZE];
    complete_ids(identity);
    TRY(certificate_verify(sotto_bytes_of(identity->certificate, CERTIFICATE_SIZE),
                           sotto_bytes_of(identity->credential, CREDENTIAL_SIZE),
                           sotto_bytes_of(identity->signature_key, SIGN_KEY_SIZE), account_key,
                           fault));
    if (memcmp(account_key, identity->account_key, SIGN_KEY_SIZE) == 0)
        return SOTTO_OK;
    *fault = (sotto_fault){.error = SOTTO_CREDENTIAL, .what = "Certificate.account_key"};
    return SOTTO_CREDENTIAL;
}

static sotto_error make_sign_key(const sotto_env *env, struct secret *seed,
                                 uint8_t public_key[static SIGN_KEY_SIZE])
{
    TRY(secret_random(seed, SIGN_SEED_SIZE, env));
    wire_sign_public(seed->data, public_key);
    return SOTTO_OK;
}

/* MLS's own key: made by the suite, as sotto_mls_signature_key makes it. */
static sotto_error make_signature_key(struct crypto *crypto, const struct suite *suite,
                                      struct identity *identity)
{
    sotto_buf key;
    sotto_buf_init(&key, crypto_env(crypto));
    sotto_error error =
        crypto_signature_generate(crypto, suite, &identity->signature_private, &key);
    if (error == SOTTO_OK) {
        BUG_UNLESS(key.size == SIGN_KEY_SIZE); /* the suite signs with Ed25519 */
        memcpy(identity->signature_key, key.data, SIGN_KEY_SIZE);
    }
    sotto_buf_free(&key);
    return error;
}

sotto_error identity_create(struct crypto *crypto, struct identity *out)
{
    const sotto_env *env = crypto_env(crypto);
    const struct suite *suite = suite_of_sotto(crypto);
    if (suite == NULL)
        return SOTTO_UNSUPPORTED;
    struct identity made = {.created = env->now(env->ctx)};
    sotto_buf_init(&made.inbox_key, env);
    sotto_error error = env->random(env->ctx, made.device.bytes, DEVICE_ID_SIZE);
    if (error == SOTTO_OK)
        error = make_sign_key(env, &made.account_private, made.account_key);
    if (error == SOTTO_OK)
        error = make_sign_key(env, &made.sign_in_private, made.sign_in_key);
    if (error == SOTTO_OK)
        error = make_signature_key(crypto, suite, &made);
    if (error == SOTTO_OK)
        error = crypto_kem_generate(crypto, suite, &made.inbox_private, &made.inbox_key);
    if (error == SOTTO_OK)
        error = complete(&made);
    if (error == SOTTO_OK)
        *out = made; /* moved: out owns the buffer and the secrets */
    else
        identity_wipe(&made);
    wipe(&made, sizeof made);
    return error;
}

sotto_error identity_recover(struct crypto *crypto, const struct secret *account_private,
                             struct identity *out)
{
    struct identity made = {0};
    TRY(identity_create(crypto, &made));
    sotto_error error = secret_set(&made.account_private, secret_view(account_private));
    if (error == SOTTO_OK) {
        wire_sign_public(made.account_private.data, made.account_key);
        error = complete(&made);
    }
    if (error == SOTTO_OK)
        *out = made; /* moved */
    else
        identity_wipe(&made);
    wipe(&made, sizeof made);
    return error;
}

void identity_wipe(struct identity *identity)
{
    if (identity == NULL)
        return;
    sotto_buf_free(&identity->inbox_key);
    wipe(identity, sizeof *identity);
}

void identity_sign_in_set(struct identity *identity, sotto_bytes seed)
{
    BUG_UNLESS(seed.size == SIGN_SEED_SIZE);
    (void)secret_set(&identity->sign_in_private, seed);
    wire_sign_public(seed.data, identity->sign_in_key);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

/* struct {
 *     uint16 version = 2;
 *     DeviceId device;
 *     uint8 limited;                           1: without account_private
 *     opaque account_private[limited ? 0 : 32];   opaque account_key[32];
 *     opaque certificate[96];
 *     opaque sign_in_private[32];   opaque sign_in_key[32];
 *     opaque signature_private<V>;  opaque signature_key[32];
 *     opaque inbox_private<V>;      opaque inbox_key<V>;
 *     uint64 created;
 * } SavedIdentity; */

sotto_error identity_save(const struct identity *identity, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    writer_u16(&writer, SAVED_VERSION);
    writer_fixed(&writer, sotto_bytes_of(identity->device.bytes, DEVICE_ID_SIZE));
    writer_u8(&writer, identity->account_private.size == 0);
    writer_fixed(&writer, secret_view(&identity->account_private));
    writer_fixed(&writer, sotto_bytes_of(identity->account_key, SIGN_KEY_SIZE));
    writer_fixed(&writer, sotto_bytes_of(identity->certificate, CERTIFICATE_SIZE));
    writer_fixed(&writer, secret_view(&identity->sign_in_private));
    writer_fixed(&writer, sotto_bytes_of(identity->sign_in_key, SIGN_KEY_SIZE));
    writer_vector(&writer, secret_view(&identity->signature_private));
    writer_fixed(&writer, sotto_bytes_of(identity->signature_key, SIGN_KEY_SIZE));
    writer_vector(&writer, secret_view(&identity->inbox_private));
    writer_vector(&writer, sotto_buf_view(&identity->inbox_key));
    writer_u64(&writer, identity->created);
    return writer_finish(&writer);
}

static void read_secret(struct reader *reader, struct secret *secret, sotto_bytes value,
                        const char *what)
{
    if (reader_ok(reader) && secret_set(secret, value) != SOTTO_OK)
        reader_fail(reader, SOTTO_LENGTH, what);
}

/* An Ed25519 pair, which must be one. */
static void read_sign_pair(struct reader *reader, struct secret *seed,
                           uint8_t public_key[static SIGN_KEY_SIZE], const char *what)
{
    uint8_t expected[SIGN_KEY_SIZE];
    read_secret(reader, seed, reader_fixed(reader, SIGN_SEED_SIZE, what), what);
    reader_copy(reader, public_key, SIGN_KEY_SIZE, what);
    if (!reader_ok(reader))
        return;
    wire_sign_public(seed->data, expected);
    if (memcmp(expected, public_key, SIGN_KEY_SIZE) != 0)
        reader_fail(reader, SOTTO_KEY, what);
}

static sotto_error read_saved(struct crypto *crypto, const struct suite *suite,
                              struct reader *reader, struct identity *out)
{
    const char *signature = "SavedIdentity.signature_private",
               *inbox = "SavedIdentity.inbox_private";
    sotto_buf key;
    sotto_buf_init(&key, crypto_env(crypto));
    uint16_t version = reader_u16(reader, "SavedIdentity.version");
    if (version != SAVED_FIRST && version != SAVED_VERSION)
        reader_fail(reader, SOTTO_VERSION, "SavedIdentity.version");
    reader_copy(reader, out->device.bytes, DEVICE_ID_SIZE, "SavedIdentity.device");
    uint8_t limited = version == SAVED_VERSION ? reader_u8(reader, "SavedIdentity.limited") : 0;
    if (limited > 1)
        reader_fail(reader, SOTTO_VALUE, "SavedIdentity.limited");
    if (limited == 1)
        reader_copy(reader, out->account_key, SIGN_KEY_SIZE, "SavedIdentity.account_key");
    else
        read_sign_pair(reader, &out->account_private, out->account_key,
                       "SavedIdentity.account_key");
    if (version != SAVED_FIRST)
        reader_copy(reader, out->certificate, CERTIFICATE_SIZE, "SavedIdentity.certificate");
    read_sign_pair(reader, &out->sign_in_private, out->sign_in_key, "SavedIdentity.sign_in_key");
    read_secret(reader, &out->signature_private, reader_vector(reader, SECRET_MAX, signature),
                signature);
    reader_copy(reader, out->signature_key, SIGN_KEY_SIZE, "SavedIdentity.signature_key");
    read_secret(reader, &out->inbox_private, reader_vector(reader, SECRET_MAX, inbox), inbox);
    sotto_bytes inbox_key = reader_vector(reader, INBOX_KEY_SIZE, "SavedIdentity.inbox_key");
    out->created = reader_u64(reader, "SavedIdentity.created");
    sotto_error error = reader_finish(reader, "SavedIdentity");
    if (error == SOTTO_OK)
        error = crypto_signature_public(crypto, suite, secret_view(&out->signature_private), &key);
    if (error == SOTTO_OK &&
        !sotto_bytes_equal(sotto_buf_view(&key), sotto_bytes_of(out->signature_key, SIGN_KEY_SIZE)))
        error = SOTTO_KEY;
    if (error == SOTTO_OK)
        error = crypto_kem_check_pair(crypto, suite, secret_view(&out->inbox_private), inbox_key);
    if (error == SOTTO_OK)
        error = sotto_buf_append(&out->inbox_key, inbox_key.data, inbox_key.size);
    if (error == SOTTO_OK && version == SAVED_FIRST)
        error = complete(out);
    if (error != SOTTO_OK && reader_ok(reader))
        reader_fail(reader, error, "SavedIdentity: the keys do not belong together");
    sotto_buf_free(&key);
    return error;
}

sotto_error identity_load(struct crypto *crypto, sotto_bytes saved, struct identity *out,
                          sotto_fault *fault)
{
    const struct suite *suite = suite_of_sotto(crypto);
    if (suite == NULL) {
        *fault = (sotto_fault){.error = SOTTO_UNSUPPORTED, .what = "suite 0x004D"};
        return SOTTO_UNSUPPORTED;
    }
    struct reader reader;
    struct identity read = {0};
    reader_init(&reader, saved);
    sotto_buf_init(&read.inbox_key, crypto_env(crypto));
    sotto_error error = read_saved(crypto, suite, &reader, &read);
    if (error == SOTTO_OK)
        error = complete_certified(&read, &reader.fault);
    if (error == SOTTO_OK) {
        *out = read;
    } else {
        *fault = reader.fault;
        fault->error = error;
        identity_wipe(&read);
    }
    wipe(&read, sizeof read);
    return error;
}

/* ---- Saying who one is ------------------------------------------------------------------------
 */

void identity_device(const struct identity *identity, struct device *device)
{
    *device = (struct device){
        .id = identity->device,
        .signature_key = sotto_bytes_of(identity->signature_key, SIGN_KEY_SIZE),
        .inbox_key = sotto_buf_view(&identity->inbox_key),
        .added = identity->created,
    };
    wire_hash(sotto_bytes_of(identity->sign_in_key, SIGN_KEY_SIZE), device->sign_in_hash);
}

sotto_error identity_first_manifest(const struct identity *identity, sotto_buf *out)
{
    struct device device;
    identity_device(identity, &device);
    struct manifest manifest = {
        .number = 1, .issued = identity->created, .devices = &device, .device_count = 1};
    memcpy(manifest.account_key, identity->account_key, SIGN_KEY_SIZE);
    return manifest_write(&manifest, identity->account_private.data, out);
}

/* all: every device of before is removed. */
static sotto_error next_manifest(const struct identity *identity, struct arena *arena,
                                 sotto_bytes known, uint64_t now_s, const struct device *add,
                                 const struct device_id *remove, bool all, sotto_buf *out,
                                 sotto_fault *fault)
{
    struct manifest before, next;
    TRY(manifest_read(known, arena, &before, fault));
    struct device *devices = arena_array(arena, WIRE_DEVICES_MAX + 1, sizeof *devices);
    if (devices == NULL)
        return SOTTO_NO_MEMORY;
    size_t count = 0;
    bool added = add == NULL;
    for (size_t i = 0; i < before.device_count && !all; i++) {
        const struct device *device = &before.devices[i];
        if (add != NULL && device_id_equal(&device->id, &add->id)) {
            devices[count++] = *add; /* with other keys, in its place */
            added = true;
        } else if (remove == NULL || !device_id_equal(&device->id, remove))
            devices[count++] = *device;
    }
    if (!added)
        devices[count++] = *add;
    next = before;
    next.number = before.number + 1;
    next.issued = now_s;
    next.devices = devices;
    next.device_count = count;
    wire_hash(known, next.previous);
    return manifest_write(&next, identity->account_private.data, out);
}

sotto_error identity_next_manifest(const struct identity *identity, const sotto_env *env,
                                   sotto_bytes known, const struct device *add,
                                   const struct device_id *remove, sotto_buf *out,
                                   sotto_fault *fault)
{
    struct arena arena;
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    if (identity->account_private.size == 0)
        return SOTTO_STATE;
    arena_init(&arena, env);
    sotto_error error =
        next_manifest(identity, &arena, known, env->now(env->ctx), add, remove, false, out, fault);
    arena_free(&arena);
    return error;
}

/* Nobody knows any more what went before: the number is above all that were counted up from 1, and
 * the hash is that of nothing. */
static sotto_error anew_manifest(const struct identity *identity, const struct device *device,
                                 uint64_t now_s, sotto_buf *out)
{
    struct manifest manifest = {
        .number = now_s > 2 ? now_s : 2, .issued = now_s, .devices = device, .device_count = 1};
    memcpy(manifest.account_key, identity->account_key, SIGN_KEY_SIZE);
    wire_hash(sotto_bytes_of(NULL, 0), manifest.previous);
    return manifest_write(&manifest, identity->account_private.data, out);
}

sotto_error identity_recovery_manifest(const struct identity *identity, const sotto_env *env,
                                       sotto_bytes known, bool alone, sotto_buf *out,
                                       sotto_fault *fault)
{
    struct arena arena;
    struct device device;
    uint64_t now_s = env->now(env->ctx);
    *fault = (sotto_fault){SOTTO_OK, "", 0};
    identity_device(identity, &device);
    if (known.size == 0)
        return anew_manifest(identity, &device, now_s, out);
    arena_init(&arena, env);
    sotto_error error =
        next_manifest(identity, &arena, known, now_s, &device, &device.id, alone, out, fault);
    arena_free(&arena);
    return error;
}

sotto_error identity_adopt(struct identity *identity, const uint8_t account_key[SIGN_KEY_SIZE],
                           sotto_bytes account_private, const uint8_t certificate[CERTIFICATE_SIZE],
                           sotto_fault *fault)
{
    uint8_t expected[SIGN_KEY_SIZE];
    struct identity adopted = *identity; /* shares what it does not change */
    memset(&adopted.account_private, 0, sizeof adopted.account_private);
    memcpy(adopted.account_key, account_key, SIGN_KEY_SIZE);
    memcpy(adopted.certificate, certificate, CERTIFICATE_SIZE);
    sotto_error error = complete_certified(&adopted, fault);
    if (error == SOTTO_OK && account_private.size > 0) {
        error = account_private.size == SIGN_SEED_SIZE
                    ? secret_set(&adopted.account_private, account_private)
                    : SOTTO_LENGTH;
        if (error == SOTTO_OK) {
            wire_sign_public(account_private.data, expected);
            error = memcmp(expected, account_key, SIGN_KEY_SIZE) == 0 ? SOTTO_OK : SOTTO_KEY;
        }
        if (error != SOTTO_OK)
            *fault = (sotto_fault){.error = error, .what = "account_private"};
    }
    if (error == SOTTO_OK) {
        secret_wipe(&identity->account_private);
        *identity = adopted;
    } else
        secret_wipe(&adopted.account_private);
    wipe(&adopted, sizeof adopted);
    return error;
}

void identity_for_mls(const struct identity *identity, struct identity_mls *out)
{
    *out = (struct identity_mls){
        .suites = {SOTTO_MLS_DEFAULT_SUITE},
        .extension_types = {IDENTITY_EXTENSION_CERTIFICATE, IDENTITY_EXTENSION_ROOM,
                            SETTINGS_EXTENSION},
        .extensions = {{.type = IDENTITY_EXTENSION_CERTIFICATE,
                        .data = sotto_bytes_of(identity->certificate, CERTIFICATE_SIZE)}},
    };
    out->mls = (sotto_mls_identity){
        .suite = SOTTO_MLS_DEFAULT_SUITE,
        .credential = {.type = SOTTO_MLS_BASIC,
                       .identity = sotto_bytes_of(identity->credential, CREDENTIAL_SIZE)},
        .signature_private = secret_view(&identity->signature_private),
        .signature_public = sotto_bytes_of(identity->signature_key, SIGN_KEY_SIZE),
        .capabilities = {.suites = out->suites,
                         .suite_count = 1,
                         .extensions = out->extension_types,
                         .extension_count = 3},
        .leaf_extensions = out->extensions,
        .leaf_extension_count = 1,
    };
}

/* ---- Sealing ----------------------------------------------------------------------------------
 */

sotto_error identity_seal(struct crypto *crypto, const struct account_id *account,
                          const struct device_id *device, sotto_bytes inbox_key,
                          sotto_bytes envelope, sotto_buf *sealed)
{
    const struct suite *suite = suite_of_sotto(crypto);
    if (suite == NULL)
        return SOTTO_UNSUPPORTED;
    uint8_t aad[ENVELOPE_AAD_SIZE];
    envelope_aad(account, device, aad);
    sotto_buf enc, ciphertext;
    sotto_buf_init(&enc, crypto_env(crypto));
    sotto_buf_init(&ciphertext, crypto_env(crypto));
    sotto_error error =
        crypto_hpke_seal(crypto, suite, inbox_key, sotto_bytes_str(ENVELOPE_HPKE_INFO),
                         sotto_bytes_of(aad, sizeof aad), envelope, &enc, &ciphertext);
    if (error == SOTTO_OK) {
        struct sealed_envelope parts = {.enc = sotto_buf_view(&enc),
                                        .ciphertext = sotto_buf_view(&ciphertext)};
        error = sealed_envelope_write(&parts, sealed);
    }
    sotto_buf_free(&ciphertext);
    sotto_buf_free(&enc);
    return error;
}

sotto_error identity_open(struct crypto *crypto, const struct identity *identity,
                          sotto_bytes sealed, sotto_buf *envelope, sotto_fault *fault)
{
    const struct suite *suite = suite_of_sotto(crypto);
    struct sealed_envelope parts;
    TRY(sealed_envelope_read(sealed, &parts, fault));
    uint8_t aad[ENVELOPE_AAD_SIZE];
    envelope_aad(&identity->account, &identity->device, aad);
    sotto_error error =
        suite == NULL
            ? SOTTO_UNSUPPORTED
            : crypto_hpke_open(crypto, suite, secret_view(&identity->inbox_private),
                               sotto_buf_view(&identity->inbox_key), parts.enc,
                               sotto_bytes_str(ENVELOPE_HPKE_INFO), sotto_bytes_of(aad, sizeof aad),
                               parts.ciphertext, envelope);
    if (error != SOTTO_OK)
        *fault = (sotto_fault){.error = error, .what = "SealedEnvelope.ciphertext"};
    return error;
}
