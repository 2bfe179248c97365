#include "crypto/internal.h"

/* Generates into private_key first; the public key is computed where the buffer grows. */
static sotto_error append_public(struct crypto *crypto, const struct signature_row *row,
                                 sotto_bytes private_key, sotto_buf *public_key)
{
    uint8_t out[SIGNATURE_PUBLIC_MAX];
    if (private_key.size != row->private_size)
        return SOTTO_KEY;
    TRY(row->public_key(crypto, row, private_key.data, out));
    return sotto_buf_append(public_key, out, row->public_size);
}

sotto_error crypto_signature_generate(struct crypto *crypto, const struct suite *suite,
                                      struct secret *private_key, sotto_buf *public_key)
{
    const struct signature_row *row = suite->signature;
    secret_wipe(private_key);
    sotto_error error = row->generate(crypto, row, private_key);
    if (error == SOTTO_OK)
        error = append_public(crypto, row, secret_view(private_key), public_key);
    if (error != SOTTO_OK)
        secret_wipe(private_key);
    return error;
}

sotto_error crypto_signature_public(struct crypto *crypto, const struct suite *suite,
                                    sotto_bytes private_key, sotto_buf *public_key)
{
    return append_public(crypto, suite->signature, private_key, public_key);
}

/* struct { opaque label<V>; opaque content<V>; } SignContent; into the scratch buffer */
static sotto_error sign_content(struct crypto *crypto, const char *label, sotto_bytes content)
{
    struct labelled labelled;
    TRY(labelled_init(&labelled, label, content));
    for (size_t i = 0; i < LABELLED_PARTS; i++)
        TRY(sotto_buf_append(&crypto->scratch, labelled.parts[i].data, labelled.parts[i].size));
    return SOTTO_OK;
}

sotto_error crypto_sign_with_label(struct crypto *crypto, const struct suite *suite,
                                   sotto_bytes private_key, sotto_bytes public_key,
                                   const char *label, sotto_bytes content, sotto_buf *signature)
{
    const struct signature_row *row = suite->signature;
    uint8_t out[SIGNATURE_MAX];
    size_t size = 0;
    if (private_key.size != row->private_size || public_key.size != row->public_size)
        return SOTTO_KEY;
    sotto_error error = sign_content(crypto, label, content);
    if (error == SOTTO_OK)
        error = row->sign(crypto, row, private_key.data, public_key.data,
                          sotto_buf_view(&crypto->scratch), out, &size);
    if (error == SOTTO_OK)
        error = sotto_buf_append(signature, out, size);
    scratch_done(crypto);
    return error;
}

sotto_error crypto_verify_with_label(struct crypto *crypto, const struct suite *suite,
                                     sotto_bytes public_key, const char *label, sotto_bytes content,
                                     sotto_bytes signature)
{
    const struct signature_row *row = suite->signature;
    if (public_key.size != row->public_size)
        return SOTTO_KEY;
    if (signature.size > row->signature_max)
        return SOTTO_SIGNATURE;
    sotto_error error = sign_content(crypto, label, content);
    if (error == SOTTO_OK)
        error =
            row->verify(crypto, row, public_key.data, sotto_buf_view(&crypto->scratch), signature);
    scratch_done(crypto);
    return error;
}
