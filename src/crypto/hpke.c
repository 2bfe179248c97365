/* HPKE in base mode (RFC 9180), single shot, and RFC 9420's EncryptWithLabel over it. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/keccak.h"

static void put_u16(uint8_t *out, size_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

struct hpke_label hpke_label_kem(uint16_t kem_id)
{
    struct hpke_label label = {.suite = "KEM", .suite_size = 5};
    put_u16(label.suite + 3, kem_id);
    return label;
}

struct hpke_label hpke_label_suite(const struct suite *suite)
{
    struct hpke_label label = {.suite = "HPKE", .suite_size = 10};
    put_u16(label.suite + 4, suite->kem_id);
    put_u16(label.suite + 6, suite->kdf_id);
    put_u16(label.suite + 8, suite->aead_id);
    return label;
}

/* labeled_ikm = "HPKE-v1" || suite_id || label || ikm */
sotto_error hpke_extract(struct crypto *crypto, const struct hash_row *row,
                         const struct hpke_label *label, sotto_bytes salt, const char *name,
                         const sotto_bytes *ikm, size_t count, uint8_t *out)
{
    sotto_bytes parts[3 + HPKE_IKM_PARTS] = {
        sotto_bytes_str("HPKE-v1"),
        sotto_bytes_of(label->suite, label->suite_size),
        sotto_bytes_str(name),
    };
    BUG_UNLESS(count <= HPKE_IKM_PARTS);
    for (size_t i = 0; i < count; i++)
        parts[3 + i] = ikm[i];
    return hmac_parts(crypto, row, salt, parts, 3 + count, out);
}

/* labeled_info = I2OSP(L, 2) || "HPKE-v1" || suite_id || label || info */
sotto_error hpke_expand(struct crypto *crypto, const struct hash_row *row,
                        const struct hpke_label *label, sotto_bytes prk, const char *name,
                        const sotto_bytes *info, size_t count, uint8_t *out, size_t length)
{
    uint8_t encoded[2];
    sotto_bytes parts[4 + HPKE_INFO_PARTS];
    BUG_UNLESS(count <= HPKE_INFO_PARTS);
    put_u16(encoded, length);
    parts[0] = sotto_bytes_of(encoded, sizeof encoded);
    parts[1] = sotto_bytes_str("HPKE-v1");
    parts[2] = sotto_bytes_of(label->suite, label->suite_size);
    parts[3] = sotto_bytes_str(name);
    for (size_t i = 0; i < count; i++)
        parts[4 + i] = info[i];
    return hkdf_expand_parts(crypto, row, prk, parts, 4 + count, out, length);
}

static void absorb_u16(struct keccak *keccak, size_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    keccak_absorb(keccak, bytes, sizeof bytes);
}

void hpke_pq_derive(uint16_t kem_id, sotto_bytes ikm, uint8_t *out, size_t size)
{
    const sotto_bytes name = sotto_bytes_str("DeriveKeyPair");
    struct hpke_label label = hpke_label_kem(kem_id);
    struct keccak keccak;
    keccak_init(&keccak, SHAKE256_RATE);
    keccak_absorb(&keccak, ikm.data, ikm.size);
    keccak_absorb(&keccak, (const uint8_t *)"HPKE-v1", 7);
    keccak_absorb(&keccak, label.suite, label.suite_size);
    absorb_u16(&keccak, name.size);
    keccak_absorb(&keccak, name.data, name.size);
    absorb_u16(&keccak, size);
    keccak_finish(&keccak, SHAKE_SUFFIX);
    keccak_squeeze(&keccak, out, size);
    wipe(&keccak, sizeof keccak);
}

/* What the key schedule yields; only what the caller asks for is expanded. */
struct schedule {
    const struct suite *suite;
    struct hpke_label label;
    uint8_t context[1 + 2 * HASH_MAX];
    uint8_t secret[HASH_MAX];
};

sotto_error hpke_info_hash(struct crypto *crypto, const struct suite *suite,
                           const sotto_bytes *info, size_t count, uint8_t *out)
{
    struct hpke_label label = hpke_label_suite(suite);
    return hpke_extract(crypto, suite->hash, &label, (sotto_bytes){0}, "info_hash", info, count,
                        out);
}

/* KeySchedule<base> of section 5.1: mode 0, psk and psk_id empty. */
static sotto_error schedule_init(struct schedule *schedule, struct crypto *crypto,
                                 const struct suite *suite, const struct secret *shared,
                                 const uint8_t *info_hash)
{
    const struct hash_row *row = suite->hash;
    const sotto_bytes none = {0};
    schedule->suite = suite;
    schedule->label = hpke_label_suite(suite);
    schedule->context[0] = 0x00; /* mode_base */
    memcpy(schedule->context + 1 + row->nh, info_hash, row->nh);
    TRY(hpke_extract(crypto, row, &schedule->label, none, "psk_id_hash", NULL, 0,
                     schedule->context + 1));
    return hpke_extract(crypto, row, &schedule->label, secret_view(shared), "secret", NULL, 0,
                        schedule->secret);
}

static sotto_error schedule_expand(const struct schedule *schedule, struct crypto *crypto,
                                   const char *name, uint8_t *out, size_t length)
{
    const struct hash_row *row = schedule->suite->hash;
    sotto_bytes context = sotto_bytes_of(schedule->context, 1 + (size_t)2 * row->nh);
    return hpke_expand(crypto, row, &schedule->label, sotto_bytes_of(schedule->secret, row->nh),
                       name, &context, 1, out, length);
}

/* The first message's nonce is base_nonce XOR 0. */
sotto_error hpke_keys(struct hpke_keys *keys, struct crypto *crypto, const struct suite *suite,
                      const struct secret *shared, const uint8_t *info_hash)
{
    struct schedule schedule;
    sotto_error error = schedule_init(&schedule, crypto, suite, shared, info_hash);
    if (error == SOTTO_OK)
        error = schedule_expand(&schedule, crypto, "key", keys->key, suite->nk);
    if (error == SOTTO_OK)
        error = schedule_expand(&schedule, crypto, "base_nonce", keys->nonce, suite->nn);
    wipe(&schedule, sizeof schedule);
    return error;
}

static sotto_error hpke_seal(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes public_key, const uint8_t *info_hash, sotto_bytes aad,
                             sotto_bytes plaintext, sotto_buf *enc, sotto_buf *ciphertext)
{
    struct secret shared = {0};
    struct hpke_keys keys;
    size_t enc_start = enc->size;
    uint8_t *out;
    if (plaintext.size > SIZE_MAX / 4)
        return SOTTO_LIMIT;
    sotto_error error = kem_encap(crypto, suite->kem, public_key, enc, &shared);
    if (error != SOTTO_OK)
        return error;
    error = hpke_keys(&keys, crypto, suite, &shared, info_hash);
    if (error == SOTTO_OK)
        error = sotto_buf_extend(ciphertext, plaintext.size + AEAD_TAG, &out);
    if (error == SOTTO_OK) {
        error = crypto_seal(crypto, suite, sotto_bytes_of(keys.key, suite->nk),
                            sotto_bytes_of(keys.nonce, suite->nn), aad, plaintext, out);
        if (error != SOTTO_OK)
            ciphertext->size -= plaintext.size + AEAD_TAG;
    }
    if (error != SOTTO_OK)
        enc->size = enc_start;
    secret_wipe(&shared);
    wipe(&keys, sizeof keys);
    return error;
}

static sotto_error hpke_open(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes private_key, sotto_bytes public_key, sotto_bytes enc,
                             const uint8_t *info_hash, sotto_bytes aad, sotto_bytes ciphertext,
                             sotto_buf *plaintext)
{
    struct secret shared = {0};
    struct hpke_keys keys;
    uint8_t *out;
    if (ciphertext.size < AEAD_TAG)
        return SOTTO_DECRYPT;
    sotto_error error = kem_decap(crypto, suite->kem, private_key, public_key, enc, &shared);
    if (error != SOTTO_OK)
        return error;
    error = hpke_keys(&keys, crypto, suite, &shared, info_hash);
    if (error == SOTTO_OK)
        error = sotto_buf_extend(plaintext, ciphertext.size - AEAD_TAG, &out);
    if (error == SOTTO_OK) {
        error = crypto_open(crypto, suite, sotto_bytes_of(keys.key, suite->nk),
                            sotto_bytes_of(keys.nonce, suite->nn), aad, ciphertext, out);
        if (error != SOTTO_OK)
            plaintext->size -= ciphertext.size - AEAD_TAG;
    }
    secret_wipe(&shared);
    wipe(&keys, sizeof keys);
    return error;
}

sotto_error crypto_hpke_seal(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes public_key, sotto_bytes info, sotto_bytes aad,
                             sotto_bytes plaintext, sotto_buf *enc, sotto_buf *ciphertext)
{
    uint8_t info_hash[HASH_MAX];
    TRY(hpke_info_hash(crypto, suite, &info, 1, info_hash));
    return hpke_seal(crypto, suite, public_key, info_hash, aad, plaintext, enc, ciphertext);
}

sotto_error crypto_hpke_open(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes private_key, sotto_bytes public_key, sotto_bytes enc,
                             sotto_bytes info, sotto_bytes aad, sotto_bytes ciphertext,
                             sotto_buf *plaintext)
{
    uint8_t info_hash[HASH_MAX];
    TRY(hpke_info_hash(crypto, suite, &info, 1, info_hash));
    return hpke_open(crypto, suite, private_key, public_key, enc, info_hash, aad, ciphertext,
                     plaintext);
}

/* struct { opaque label<V>; opaque context<V>; } EncryptContext; is HPKE's info, aad is empty. */
sotto_error crypto_encrypt_context(struct crypto *crypto, const struct suite *suite,
                                   const char *label, sotto_bytes context,
                                   struct encrypt_context *out)
{
    struct labelled labelled;
    TRY(labelled_init(&labelled, label, context));
    return hpke_info_hash(crypto, suite, labelled.parts, LABELLED_PARTS, out->info_hash);
}

sotto_error crypto_encrypt_in_context(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes public_key, const struct encrypt_context *context,
                                      sotto_bytes plaintext, sotto_buf *enc, sotto_buf *ciphertext)
{
    return hpke_seal(crypto, suite, public_key, context->info_hash, (sotto_bytes){0}, plaintext,
                     enc, ciphertext);
}

sotto_error crypto_encrypt_with_label(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes public_key, const char *label,
                                      sotto_bytes context, sotto_bytes plaintext, sotto_buf *enc,
                                      sotto_buf *ciphertext)
{
    struct encrypt_context made;
    TRY(crypto_encrypt_context(crypto, suite, label, context, &made));
    return crypto_encrypt_in_context(crypto, suite, public_key, &made, plaintext, enc, ciphertext);
}

sotto_error crypto_decrypt_with_label(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes private_key, sotto_bytes public_key,
                                      const char *label, sotto_bytes context, sotto_bytes enc,
                                      sotto_bytes ciphertext, sotto_buf *plaintext)
{
    struct encrypt_context made;
    TRY(crypto_encrypt_context(crypto, suite, label, context, &made));
    return hpke_open(crypto, suite, private_key, public_key, enc, made.info_hash, (sotto_bytes){0},
                     ciphertext, plaintext);
}

/* Context.Export (section 5.3). */
sotto_error hpke_export(struct crypto *crypto, const struct suite *suite,
                        const struct secret *shared, const uint8_t *info_hash,
                        sotto_bytes exporter_context, size_t length, struct secret *out)
{
    struct schedule schedule;
    uint8_t exporter[HASH_MAX];
    sotto_error error = schedule_init(&schedule, crypto, suite, shared, info_hash);
    if (error == SOTTO_OK)
        error = schedule_expand(&schedule, crypto, "exp", exporter, suite->nh);
    if (error == SOTTO_OK)
        error =
            hpke_expand(crypto, suite->hash, &schedule.label, sotto_bytes_of(exporter, suite->nh),
                        "sec", &exporter_context, 1, secret_reset(out, length), length);
    if (error != SOTTO_OK)
        secret_wipe(out);
    wipe(&schedule, sizeof schedule);
    wipe(exporter, sizeof exporter);
    return error;
}

static sotto_error export_without_info(struct crypto *crypto, const struct suite *suite,
                                       const struct secret *shared, sotto_bytes exporter_context,
                                       size_t length, struct secret *out)
{
    uint8_t info_hash[HASH_MAX];
    TRY(hpke_info_hash(crypto, suite, NULL, 0, info_hash));
    return hpke_export(crypto, suite, shared, info_hash, exporter_context, length, out);
}

sotto_error crypto_hpke_export_send(struct crypto *crypto, const struct suite *suite,
                                    sotto_bytes public_key, sotto_bytes exporter_context,
                                    size_t length, sotto_buf *enc, struct secret *out)
{
    struct secret shared = {0};
    size_t before = enc->size;
    secret_wipe(out);
    if (length > SECRET_MAX)
        return SOTTO_LIMIT;
    sotto_error error = kem_encap(crypto, suite->kem, public_key, enc, &shared);
    if (error == SOTTO_OK)
        error = export_without_info(crypto, suite, &shared, exporter_context, length, out);
    if (error != SOTTO_OK)
        enc->size = before;
    secret_wipe(&shared);
    return error;
}

sotto_error crypto_hpke_export_receive(struct crypto *crypto, const struct suite *suite,
                                       sotto_bytes private_key, sotto_bytes public_key,
                                       sotto_bytes enc, sotto_bytes exporter_context, size_t length,
                                       struct secret *out)
{
    struct secret shared = {0};
    if (length > SECRET_MAX) {
        secret_wipe(out);
        return SOTTO_LIMIT;
    }
    sotto_error error = kem_decap(crypto, suite->kem, private_key, public_key, enc, &shared);
    secret_wipe(out);
    if (error == SOTTO_OK)
        error = export_without_info(crypto, suite, &shared, exporter_context, length, out);
    secret_wipe(&shared);
    return error;
}
