#include "core/page_cipher.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BODY = PAGE_BYTES - NONCE - TAG,      /* what is encrypted */
    MASK_AT = PAGE_BYTES - PAGE_RESERVED, /* to BODY */
    MASK = BODY - MASK_AT,
    PLACE = 16,
    AT_RESERVED = 20, /* in SQLite's header on page 1: how many bytes are reserved */
    BLOCK = 16,       /* salts and checksum of a frame's header */
};
_Static_assert(MASK == 8, "the layout in page_cipher.h");

/* What the keys are derived for (vault_derive). */
enum { PURPOSE_PAGES = 1, PURPOSE_HEADERS = 2 };

struct page_cipher {
    const sotto_env *env;
    EVP_CIPHER_CTX *seal, *open; /* of headers */
    uint8_t key[VAULT_KEY_SIZE]; /* of pages */
};

static EVP_CIPHER_CTX *block_cipher(const EVP_CIPHER *aes, const uint8_t *key, int seals)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && (EVP_CipherInit_ex(ctx, aes, NULL, key, NULL, seals) != 1 ||
                        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

sotto_error page_cipher_new(const sotto_env *env, const struct vault *vault,
                            struct page_cipher **out)
{
    struct page_cipher *cipher = sodium_malloc(sizeof *cipher);
    if (cipher == NULL)
        return SOTTO_NO_MEMORY;
    *cipher = (struct page_cipher){.env = env};
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    vault_derive(vault, PURPOSE_HEADERS, cipher->key);
    if (aes != NULL) {
        cipher->seal = block_cipher(aes, cipher->key, 1);
        cipher->open = block_cipher(aes, cipher->key, 0);
    }
    EVP_CIPHER_free(aes);
    vault_derive(vault, PURPOSE_PAGES, cipher->key);
    if (cipher->seal == NULL || cipher->open == NULL) {
        page_cipher_free(cipher);
        return SOTTO_INTERNAL;
    }
    *out = cipher;
    return SOTTO_OK;
}

void page_cipher_free(struct page_cipher *cipher)
{
    if (cipher == NULL)
        return;
    EVP_CIPHER_CTX_free(cipher->seal); /* which wipes its key */
    EVP_CIPHER_CTX_free(cipher->open);
    sodium_free(cipher);
}

static void place_write(const struct page_place *place, uint8_t out[static PLACE])
{
    for (unsigned i = 0; i < 4; i++) {
        out[i] = (uint8_t)(place->page >> (24 - 8 * i));
        out[4 + i] = (uint8_t)(place->size >> (24 - 8 * i));
    }
    for (unsigned i = 0; i < 8; i++)
        out[8 + i] = (uint8_t)(place->offset >> (56 - 8 * i));
}

sotto_error page_seal(struct page_cipher *cipher, const struct page_place *place,
                      const uint8_t page[static PAGE_BYTES], uint8_t sealed[static PAGE_BYTES])
{
    uint8_t ad[PLACE], random[NONCE + MASK], body[BODY];
    /* The zeros are not kept: what stands there would be lost, or the log's checksums wrong. */
    if (sodium_is_zero(page + BODY, PAGE_BYTES - BODY) != 1 ||
        (place->page == 1 && page[AT_RESERVED] != PAGE_RESERVED))
        return SOTTO_VALUE;
    TRY(cipher->env->random(cipher->env->ctx, random, sizeof random));
    place_write(place, ad);
    memcpy(body, page, BODY);
    /* The log's checksums run over the mask: there it stays what it was. */
    if (place->offset == 0)
        memcpy(body + MASK_AT, random + NONCE, MASK);
    memcpy(sealed + BODY, random, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(sealed, sealed + BODY + NONCE, NULL, body,
                                                        BODY, ad, PLACE, NULL, random, cipher->key);
    wipe(body, sizeof body);
    return SOTTO_OK;
}

sotto_error page_open(struct page_cipher *cipher, const struct page_place *place,
                      const uint8_t sealed[static PAGE_BYTES], uint8_t page[static PAGE_BYTES])
{
    uint8_t ad[PLACE];
    place_write(place, ad);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(page, NULL, sealed, BODY,
                                                            sealed + BODY + NONCE, ad, PLACE,
                                                            sealed + BODY, cipher->key) != 0) {
        memset(page, 0, PAGE_BYTES);
        return SOTTO_TAG;
    }
    memset(page + BODY, 0, PAGE_BYTES - BODY);
    return SOTTO_OK;
}

/* The page number and the size of the database before the block stay as they are. */
static sotto_error header_cipher(EVP_CIPHER_CTX *ctx, const uint8_t *in, uint8_t *out)
{
    int n = 0;
    uint8_t block[BLOCK];
    if (EVP_CipherUpdate(ctx, block, &n, in + FRAME_HEADER - BLOCK, BLOCK) != 1 || n != BLOCK)
        return SOTTO_INTERNAL;
    memmove(out, in, FRAME_HEADER - BLOCK);
    memcpy(out + FRAME_HEADER - BLOCK, block, BLOCK);
    return SOTTO_OK;
}

sotto_error frame_header_seal(struct page_cipher *cipher, const uint8_t in[static FRAME_HEADER],
                              uint8_t out[static FRAME_HEADER])
{
    return header_cipher(cipher->seal, in, out);
}

sotto_error frame_header_open(struct page_cipher *cipher, const uint8_t in[static FRAME_HEADER],
                              uint8_t out[static FRAME_HEADER])
{
    return header_cipher(cipher->open, in, out);
}
