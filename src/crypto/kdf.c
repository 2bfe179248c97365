/* Hash, MAC and key derivation of a suite, with RFC 9420's labels. */
#include <string.h>

#include "crypto/internal.h"

size_t vector_header(uint8_t out[VECTOR_HEADER_MAX], size_t length)
{
    BUG_UNLESS(length <= VECTOR_LENGTH_MAX);
    if (length < 0x40) {
        out[0] = (uint8_t)length;
        return 1;
    }
    if (length < 0x4000) {
        out[0] = (uint8_t)(0x40 | length >> 8);
        out[1] = (uint8_t)length;
        return 2;
    }
    out[0] = (uint8_t)(0x80 | length >> 24);
    out[1] = (uint8_t)(length >> 16);
    out[2] = (uint8_t)(length >> 8);
    out[3] = (uint8_t)length;
    return 4;
}

sotto_error labelled_init(struct labelled *labelled, const char *label, sotto_bytes content)
{
    const sotto_bytes prefix = sotto_bytes_str("MLS 1.0 ");
    sotto_bytes name = sotto_bytes_str(label);
    if (name.size > VECTOR_LENGTH_MAX - prefix.size || content.size > VECTOR_LENGTH_MAX)
        return SOTTO_LENGTH;
    size_t size = vector_header(labelled->headers[0], prefix.size + name.size);
    labelled->parts[0] = sotto_bytes_of(labelled->headers[0], size);
    labelled->parts[1] = prefix;
    labelled->parts[2] = name;
    size = vector_header(labelled->headers[1], content.size);
    labelled->parts[3] = sotto_bytes_of(labelled->headers[1], size);
    labelled->parts[4] = content;
    return SOTTO_OK;
}

sotto_error crypto_hash_parts(struct crypto *crypto, const struct suite *suite,
                              const sotto_bytes *parts, size_t count, uint8_t *out)
{
    return hash_parts(crypto, suite->hash, parts, count, out);
}

sotto_error crypto_mac(struct crypto *crypto, const struct suite *suite, sotto_bytes key,
                       const sotto_bytes *parts, size_t count, uint8_t *out)
{
    return hmac_parts(crypto, suite->hash, key, parts, count, out);
}

sotto_error crypto_extract(struct crypto *crypto, const struct suite *suite, sotto_bytes salt,
                           sotto_bytes ikm, struct secret *prk)
{
    uint8_t out[HASH_MAX];
    sotto_error error = hmac_parts(crypto, suite->hash, salt, &ikm, 1, out);
    if (error == SOTTO_OK)
        memcpy(secret_reset(prk, suite->nh), out, suite->nh);
    else
        secret_wipe(prk);
    wipe(out, sizeof out);
    return error;
}

/* Through a local copy, because out may be the struct that prk views. */
static sotto_error expand(struct crypto *crypto, const struct suite *suite, sotto_bytes prk,
                          const sotto_bytes *info, size_t count, size_t length, struct secret *out)
{
    uint8_t okm[SECRET_MAX];
    if (length > SECRET_MAX) {
        secret_wipe(out);
        return SOTTO_LIMIT;
    }
    sotto_error error = hkdf_expand_parts(crypto, suite->hash, prk, info, count, okm, length);
    if (error == SOTTO_OK)
        memcpy(secret_reset(out, length), okm, length);
    else
        secret_wipe(out);
    wipe(okm, sizeof okm);
    return error;
}

sotto_error crypto_expand(struct crypto *crypto, const struct suite *suite, sotto_bytes prk,
                          sotto_bytes info, size_t length, struct secret *out)
{
    return expand(crypto, suite, prk, &info, 1, length, out);
}

/* struct { uint16 length; opaque label<V>; opaque context<V>; } KDFLabel; */
sotto_error crypto_expand_with_label(struct crypto *crypto, const struct suite *suite,
                                     sotto_bytes secret, const char *label, sotto_bytes context,
                                     size_t length, struct secret *out)
{
    struct labelled labelled;
    sotto_error error = labelled_init(&labelled, label, context);
    if (error != SOTTO_OK) {
        secret_wipe(out);
        return error;
    }
    uint8_t encoded[2] = {(uint8_t)(length >> 8), (uint8_t)length};
    sotto_bytes info[1 + LABELLED_PARTS] = {sotto_bytes_of(encoded, sizeof encoded)};
    memcpy(info + 1, labelled.parts, sizeof labelled.parts);
    return expand(crypto, suite, secret, info, 1 + LABELLED_PARTS, length, out);
}

sotto_error crypto_derive_secret(struct crypto *crypto, const struct suite *suite,
                                 sotto_bytes secret, const char *label, struct secret *out)
{
    return crypto_expand_with_label(crypto, suite, secret, label, (sotto_bytes){0}, suite->nh, out);
}

sotto_error crypto_derive_tree_secret(struct crypto *crypto, const struct suite *suite,
                                      sotto_bytes secret, const char *label, uint32_t generation,
                                      size_t length, struct secret *out)
{
    uint8_t context[4] = {(uint8_t)(generation >> 24), (uint8_t)(generation >> 16),
                          (uint8_t)(generation >> 8), (uint8_t)generation};
    return crypto_expand_with_label(crypto, suite, secret, label,
                                    sotto_bytes_of(context, sizeof context), length, out);
}

/* struct { opaque label<V>; opaque value<V>; } RefHashInput; */
sotto_error crypto_ref_hash(struct crypto *crypto, const struct suite *suite, const char *label,
                            sotto_bytes value, uint8_t *out)
{
    sotto_bytes name = sotto_bytes_str(label);
    if (name.size > VECTOR_LENGTH_MAX || value.size > VECTOR_LENGTH_MAX) {
        wipe(out, suite->nh);
        return SOTTO_LENGTH;
    }
    uint8_t headers[2][VECTOR_HEADER_MAX];
    sotto_bytes parts[4] = {
        sotto_bytes_of(headers[0], vector_header(headers[0], name.size)),
        name,
        sotto_bytes_of(headers[1], vector_header(headers[1], value.size)),
        value,
    };
    return hash_parts(crypto, suite->hash, parts, 4, out);
}
