/* The suite's AEAD, by the provider. No key outlives its call. */
#include "crypto/internal.h"

sotto_error crypto_seal(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                        sotto_bytes nonce, sotto_bytes aad, sotto_bytes plaintext, uint8_t *out)
{
    BUG_UNLESS(key.size == suite->nk && nonce.size == suite->nn);
    sotto_error error =
        crypto->provider->seal(crypto->ctx, suite->aead, key.data, nonce.data, aad, plaintext, out);
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
    sotto_error error = crypto->provider->open(crypto->ctx, suite->aead, key.data, nonce.data, aad,
                                               ciphertext, out);
    if (error != SOTTO_OK)
        wipe(out, ciphertext.size - AEAD_TAG);
    return error;
}
