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

#include "crypto/default/internal.h"

#define SHORT 512 /* bytes of text and associated data together */
#define TAG 16
#define KEY_MAX 32
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
static sotto_error evp_crypt(struct fetched *fetched, sotto_mls_aead aead, bool seal,
                             const uint8_t *key, const uint8_t *nonce, sotto_bytes aad,
                             sotto_bytes in, uint8_t *out, uint8_t *tag)
{
    static const uint8_t zero[KEY_MAX] = {0};
    EVP_CIPHER_CTX *ctx = fetched->ciphers[aead];
    uint8_t rest[TAG];
    int written;
    sotto_error error = SOTTO_INTERNAL;
    if (EVP_CipherInit_ex2(ctx, NULL, key, nonce, seal, NULL) == 1 && evp_update(ctx, aad, NULL) &&
        evp_update(ctx, in, out) &&
        (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1)) {
        bool good = EVP_CipherFinal_ex(ctx, rest, &written) == 1;
        if (!seal)
            error = good ? SOTTO_OK : SOTTO_DECRYPT;
        else if (good && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1)
            error = SOTTO_OK;
    }
    /* The context stays; the key in it is overwritten. */
    if (EVP_CipherInit_ex2(ctx, NULL, zero, NULL, 1, NULL) != 1)
        error = SOTTO_INTERNAL;
    ERR_clear_error();
    return error;
}

sotto_error openssl_seal(struct fetched *fetched, sotto_mls_aead aead, const uint8_t *key,
                         const uint8_t *nonce, sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    return evp_crypt(fetched, aead, true, key, nonce, aad, plaintext, out, out + plaintext.size);
}

sotto_error openssl_open(struct fetched *fetched, sotto_mls_aead aead, const uint8_t *key,
                         const uint8_t *nonce, sotto_bytes aad, sotto_bytes ciphertext,
                         uint8_t *out)
{
    sotto_bytes text = sotto_bytes_of(ciphertext.data, ciphertext.size - TAG);
    uint8_t tag[TAG]; /* a copy: OpenSSL's parameter is not const */
    memcpy(tag, ciphertext.data + text.size, TAG);
    return evp_crypt(fetched, aead, false, key, nonce, aad, text, out, tag);
}

sotto_error aead_fetch(struct fetched *fetched)
{
    static const char *const names[CIPHER_COUNT] = {
        [SOTTO_MLS_AES128_GCM] = "AES-128-GCM",
        [SOTTO_MLS_AES256_GCM] = "AES-256-GCM",
        [SOTTO_MLS_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
    };
    for (int i = 0; i < CIPHER_COUNT; i++) {
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, names[i], NULL);
        fetched->ciphers[i] = EVP_CIPHER_CTX_new();
        bool good = cipher != NULL && fetched->ciphers[i] != NULL &&
                    EVP_CipherInit_ex2(fetched->ciphers[i], cipher, NULL, NULL, 1, NULL) == 1;
        EVP_CIPHER_free(cipher); /* the context holds a reference of its own */
        if (!good)
            return SOTTO_INTERNAL;
    }
    return SOTTO_OK;
}

/* ---- short messages by libsodium, whose state lives on the stack ---- */

static bool by_sodium(sotto_mls_aead aead, sotto_bytes aad, size_t size)
{
    return aead == SOTTO_MLS_CHACHA20_POLY1305 && aad.size <= SHORT && size <= SHORT - aad.size;
}

sotto_error default_seal(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                         sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    if (!by_sodium(aead, aad, plaintext.size))
        return openssl_seal(ctx, aead, key, nonce, aad, plaintext, out);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plaintext.data, plaintext.size, aad.data,
                                              aad.size, NULL, nonce, key);
    return SOTTO_OK;
}

sotto_error default_open(void *ctx, sotto_mls_aead aead, const uint8_t *key, const uint8_t *nonce,
                         sotto_bytes aad, sotto_bytes ciphertext, uint8_t *out)
{
    if (!by_sodium(aead, aad, ciphertext.size - TAG))
        return openssl_open(ctx, aead, key, nonce, aad, ciphertext, out);
    return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, ciphertext.data,
                                                     ciphertext.size, aad.data, aad.size, nonce,
                                                     key) == 0
               ? SOTTO_OK
               : SOTTO_DECRYPT;
}
