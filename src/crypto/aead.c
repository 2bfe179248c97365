/* AEADs. No key outlives its call.
 *
 * AES-GCM is OpenSSL's. nettle's costs less for a short message under a fresh key (222 ns against
 * 367 for 100 bytes), but its key schedule reads a table at indices that are key bytes, as tests/ct
 * shows, whatever instructions the processor has. ChaCha20-Poly1305 is libsodium's for short
 * messages, most of what MLS encrypts, and OpenSSL's for longer ones: 477 ns against 629 for 100
 * bytes, 42.7 us against 17.6 for 64 KiB, equal near 500 bytes. */
#include <string.h>

#include <sodium.h>

#include <openssl/err.h>

#include "crypto/internal.h"

#define SHORT 512         /* bytes of text and associated data together */
#define PIECE 0x40000000u /* OpenSSL counts in int */

/* ---- OpenSSL ---- */

/* out NULL: associated data. */
static bool evp_update(EVP_CIPHER_CTX *ctx, sotto_bytes in, uint8_t *out)
{
    for (size_t done = 0; done < in.size;) {
        int piece = in.size - done < PIECE ? (int)(in.size - done) : (int)PIECE, written;
        if (EVP_CipherUpdate(ctx, out == NULL ? NULL : out + done, &written, in.data + done,
                             piece) != 1)
            return false;
        done += (size_t)piece;
    }
    return true;
}

/* tag: read when opening, written when sealing. */
static sotto_error evp_crypt(struct crypto *crypto, const struct aead_row *row, bool seal,
                             const uint8_t *key, const uint8_t *nonce, sotto_bytes aad,
                             sotto_bytes in, uint8_t *out, uint8_t *tag)
{
    static const uint8_t zero[AEAD_KEY_MAX] = {0};
    EVP_CIPHER_CTX *ctx = crypto->ciphers[row->cipher];
    uint8_t rest[AEAD_TAG];
    int written;
    sotto_error error = SOTTO_INTERNAL;
    if (EVP_CipherInit_ex2(ctx, NULL, key, nonce, seal, NULL) == 1 && evp_update(ctx, aad, NULL) &&
        evp_update(ctx, in, out) &&
        (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) == 1)) {
        bool good = EVP_CipherFinal_ex(ctx, rest, &written) == 1;
        if (!seal)
            error = good ? SOTTO_OK : SOTTO_DECRYPT;
        else if (good && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tag) == 1)
            error = SOTTO_OK;
    }
    /* The context stays; the key in it is overwritten. */
    if (EVP_CipherInit_ex2(ctx, NULL, zero, NULL, 1, NULL) != 1)
        error = SOTTO_INTERNAL;
    ERR_clear_error();
    return error;
}

/* ---- short messages by libsodium, whose state lives on the stack ---- */

static void chacha_seal(const uint8_t *key, const uint8_t *nonce, sotto_bytes aad,
                        sotto_bytes plaintext, uint8_t *out)
{
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext.data, plaintext.size, aad.data,
                                              aad.size, NULL, nonce, key);
}

static bool chacha_open(const uint8_t *key, const uint8_t *nonce, sotto_bytes aad,
                        sotto_bytes ciphertext, const uint8_t *tag, uint8_t *out)
{
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(out, NULL, ciphertext.data,
                                                              ciphertext.size, tag, aad.data,
                                                              aad.size, nonce, key) == 0;
}

const struct aead_row aead_aes128gcm = {.cipher = CIPHER_AES128};
const struct aead_row aead_aes256gcm = {.cipher = CIPHER_AES256};
const struct aead_row aead_chacha20poly1305 = {CIPHER_CHACHA, chacha_seal, chacha_open};

sotto_error aead_fetch(struct crypto *crypto)
{
    static const char *const names[CIPHER_COUNT] = {"AES-128-GCM", "AES-256-GCM",
                                                    "ChaCha20-Poly1305"};
    for (int i = 0; i < CIPHER_COUNT; i++) {
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, names[i], NULL);
        crypto->ciphers[i] = EVP_CIPHER_CTX_new();
        bool good = cipher != NULL && crypto->ciphers[i] != NULL &&
                    EVP_CipherInit_ex2(crypto->ciphers[i], cipher, NULL, NULL, 1, NULL) == 1;
        EVP_CIPHER_free(cipher); /* the context holds a reference of its own */
        if (!good)
            return SOTTO_INTERNAL;
    }
    return SOTTO_OK;
}

static bool is_short(const struct aead_row *row, sotto_bytes aad, size_t size)
{
    return row->seal != NULL && aad.size <= SHORT && size <= SHORT - aad.size;
}

sotto_error crypto_seal(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                        sotto_bytes nonce, sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    BUG_UNLESS(key.size == suite->nk && nonce.size == suite->nn);
    if (is_short(suite->aead, aad, plaintext.size)) {
        suite->aead->seal(key.data, nonce.data, aad, plaintext, out);
        return SOTTO_OK;
    }
    sotto_error error = evp_crypt(crypto, suite->aead, true, key.data, nonce.data, aad, plaintext,
                                  out, out + plaintext.size);
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
    sotto_bytes text = sotto_bytes_of(ciphertext.data, ciphertext.size - AEAD_TAG);
    uint8_t tag[AEAD_TAG]; /* a copy: OpenSSL's parameter is not const */
    memcpy(tag, ciphertext.data + text.size, AEAD_TAG);
    sotto_error error;
    if (is_short(suite->aead, aad, text.size))
        error =
            suite->aead->open(key.data, nonce.data, aad, text, tag, out) ? SOTTO_OK : SOTTO_DECRYPT;
    else
        error = evp_crypt(crypto, suite->aead, false, key.data, nonce.data, aad, text, out, tag);
    if (error != SOTTO_OK)
        wipe(out, text.size);
    return error;
}
