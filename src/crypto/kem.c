/* KEMs of a suite: sizes are checked here, once, before a row's functions run. */
#include <string.h>

#include "crypto/internal.h"

sotto_error crypto_kem_generate(struct crypto *crypto, const struct suite *suite,
                                struct secret *private_key, sotto_buf *public_key)
{
    uint8_t out[KEM_PUBLIC_MAX];
    const struct kem_row *row = suite->kem;
    sotto_error error = row->ops->generate(crypto, row, private_key, out);
    if (error == SOTTO_OK)
        error = sotto_buf_append(public_key, out, row->npk);
    if (error != SOTTO_OK)
        secret_wipe(private_key);
    return error;
}

sotto_error crypto_kem_derive(struct crypto *crypto, const struct suite *suite, sotto_bytes ikm,
                              struct secret *private_key, sotto_buf *public_key)
{
    uint8_t out[KEM_PUBLIC_MAX];
    struct secret derived = {0}; /* ikm may be a view of private_key */
    const struct kem_row *row = suite->kem;
    sotto_error error = row->ops->derive(crypto, row, ikm, &derived, out);
    if (error == SOTTO_OK)
        error = sotto_buf_append(public_key, out, row->npk);
    if (error == SOTTO_OK)
        *private_key = derived;
    else
        secret_wipe(private_key);
    secret_wipe(&derived);
    return error;
}

sotto_error crypto_kem_check(struct crypto *crypto, const struct suite *suite,
                             sotto_bytes public_key)
{
    const struct kem_row *row = suite->kem;
    if (public_key.size != row->npk)
        return SOTTO_KEY;
    return row->ops->check(crypto, row, public_key.data);
}

sotto_error crypto_kem_check_pair(struct crypto *crypto, const struct suite *suite,
                                  sotto_bytes private_key, sotto_bytes public_key)
{
    uint8_t own[KEM_PUBLIC_MAX];
    const struct kem_row *row = suite->kem;
    if (private_key.size != row->nsk || public_key.size != row->npk)
        return SOTTO_KEY;
    TRY(row->ops->public_key(crypto, row, private_key.data, own));
    return memcmp(own, public_key.data, row->npk) == 0 ? SOTTO_OK : SOTTO_KEY;
}

sotto_error kem_encap(struct crypto *crypto, const struct kem_row *row, sotto_bytes public_key,
                      sotto_buf *enc, struct secret *shared)
{
    uint8_t out[KEM_ENC_MAX];
    if (public_key.size != row->npk)
        return SOTTO_KEY;
    sotto_error error = row->ops->encap(crypto, row, public_key.data, out, shared);
    if (error == SOTTO_OK)
        error = sotto_buf_append(enc, out, row->nenc);
    if (error != SOTTO_OK)
        secret_wipe(shared);
    return error;
}

sotto_error kem_decap(struct crypto *crypto, const struct kem_row *row, sotto_bytes private_key,
                      sotto_bytes public_key, sotto_bytes enc, struct secret *shared)
{
    if (private_key.size != row->nsk || enc.size != row->nenc ||
        (public_key.size != 0 && public_key.size != row->npk))
        return SOTTO_KEY;
    sotto_error error =
        row->ops->decap(crypto, row, private_key.data,
                        public_key.size == 0 ? NULL : public_key.data, enc.data, shared);
    if (error != SOTTO_OK)
        secret_wipe(shared);
    return error;
}
