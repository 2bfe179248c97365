/* AEADs. The state lives on the stack and is wiped: a message key survives nowhere. */
#include <sodium.h>

#include <nettle/gcm.h>

#include "crypto/internal.h"

/* Both sizes of AES-GCM alike; nettle gives each its own types. */
#define AES_GCM(bits)                                                                            \
    static sotto_error aes##bits##_seal(struct crypto *crypto, sotto_bytes key,                  \
                                        const uint8_t *nonce, sotto_bytes aad,                   \
                                        sotto_bytes plaintext, uint8_t *out)                     \
    {                                                                                            \
        (void)crypto;                                                                            \
        struct gcm_aes##bits##_ctx gcm;                                                          \
        gcm_aes##bits##_set_key(&gcm, key.data);                                                 \
        gcm_aes##bits##_set_iv(&gcm, GCM_IV_SIZE, nonce);                                        \
        gcm_aes##bits##_update(&gcm, aad.size, aad.data);                                        \
        gcm_aes##bits##_encrypt(&gcm, plaintext.size, out, plaintext.data);                      \
        gcm_aes##bits##_digest(&gcm, AEAD_TAG, out + plaintext.size);                            \
        wipe(&gcm, sizeof gcm);                                                                  \
        return SOTTO_OK;                                                                         \
    }                                                                                            \
    static sotto_error aes##bits##_open(struct crypto *crypto, sotto_bytes key,                  \
                                        const uint8_t *nonce, sotto_bytes aad,                   \
                                        sotto_bytes ciphertext, uint8_t *out)                    \
    {                                                                                            \
        (void)crypto;                                                                            \
        struct gcm_aes##bits##_ctx gcm;                                                          \
        uint8_t tag[AEAD_TAG];                                                                   \
        size_t size = ciphertext.size - AEAD_TAG;                                                \
        gcm_aes##bits##_set_key(&gcm, key.data);                                                 \
        gcm_aes##bits##_set_iv(&gcm, GCM_IV_SIZE, nonce);                                        \
        gcm_aes##bits##_update(&gcm, aad.size, aad.data);                                        \
        gcm_aes##bits##_decrypt(&gcm, size, out, ciphertext.data);                               \
        gcm_aes##bits##_digest(&gcm, AEAD_TAG, tag);                                             \
        wipe(&gcm, sizeof gcm);                                                                  \
        return sodium_memcmp(tag, ciphertext.data + size, AEAD_TAG) == 0 ? SOTTO_OK              \
                                                                         : SOTTO_DECRYPT;        \
    }                                                                                            \
    const struct aead_row aead_aes##bits##gcm = {(bits) == 128 ? 1 : 2, (bits) / 8,              \
                                                 aes##bits##_seal, aes##bits##_open};

AES_GCM(128)
AES_GCM(256)

static sotto_error chacha_seal(struct crypto *crypto, sotto_bytes key, const uint8_t *nonce,
                               sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    (void)crypto;
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext.data, plaintext.size, aad.data,
                                              aad.size, NULL, nonce, key.data);
    return SOTTO_OK;
}

static sotto_error chacha_open(struct crypto *crypto, sotto_bytes key, const uint8_t *nonce,
                               sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out)
{
    (void)crypto;
    return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, ciphertext.data,
                                                     ciphertext.size, aad.data, aad.size, nonce,
                                                     key.data) == 0
               ? SOTTO_OK
               : SOTTO_DECRYPT;
}

const struct aead_row aead_chacha20poly1305 = {3, 32, chacha_seal, chacha_open};

sotto_error crypto_seal(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                        sotto_bytes nonce, sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    BUG_UNLESS(key.size == suite->nk && nonce.size == suite->nn);
    sotto_error error = suite->aead->seal(crypto, key, nonce.data, aad, plaintext, out);
    if (error != SOTTO_OK)
        wipe(out, plaintext.size + AEAD_TAG);
    return error;
}

sotto_error crypto_open(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                        sotto_bytes nonce, sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out)
{
    BUG_UNLESS(key.size == suite->nk && nonce.size == suite->nn);
    if (ciphertext.size < AEAD_TAG)
        return SOTTO_DECRYPT;
    sotto_error error = suite->aead->open(crypto, key, nonce.data, aad, ciphertext, out);
    if (error != SOTTO_OK)
        wipe(out, ciphertext.size - AEAD_TAG);
    return error;
}
