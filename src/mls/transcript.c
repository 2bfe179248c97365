#include "mls/transcript.h"

#include <string.h>

#include "codec/writer.h"

sotto_error hash_set(struct hash *hash, const struct suite *suite, sotto_bytes value)
{
    if (value.size != suite->nh)
        return SOTTO_VALUE;
    *hash = (struct hash){.size = suite->nh};
    memcpy(hash->data, value.data, value.size);
    return SOTTO_OK;
}

static sotto_error hash_parts(struct crypto *crypto, const struct suite *suite,
                              const sotto_bytes *parts, size_t count, struct hash *out)
{
    struct hash result = {.size = suite->nh};
    TRY(crypto_hash_parts(crypto, suite, parts, count, result.data));
    *out = result;
    return SOTTO_OK;
}

sotto_error transcript_confirmed(struct crypto *crypto, const struct suite *suite,
                                 sotto_bytes interim, sotto_bytes framed, sotto_bytes signature,
                                 struct hash *out)
{
    sotto_buf signature_vector;
    sotto_buf_init(&signature_vector, crypto_env(crypto));
    struct writer w;
    writer_init(&w, &signature_vector);
    writer_vector(&w, signature);
    sotto_error error = writer_finish(&w);
    const sotto_bytes parts[] = {interim, framed, sotto_buf_view(&signature_vector)};
    if (error == SOTTO_OK)
        error = hash_parts(crypto, suite, parts, 3, out);
    sotto_buf_free(&signature_vector);
    return error;
}

sotto_error transcript_interim(struct crypto *crypto, const struct suite *suite,
                               sotto_bytes confirmed, sotto_bytes confirmation_tag,
                               struct hash *out)
{
    uint8_t length[2]; /* a MAC is at most 64 bytes long: its length takes one octet or two */
    BUG_UNLESS(confirmation_tag.size <= HASH_MAX);
    size_t length_size = 1;
    length[0] = (uint8_t)confirmation_tag.size;
    if (confirmation_tag.size >= 64) {
        length[0] = 0x40;
        length[1] = (uint8_t)confirmation_tag.size;
        length_size = 2;
    }
    const sotto_bytes parts[] = {confirmed, sotto_bytes_of(length, length_size), confirmation_tag};
    return hash_parts(crypto, suite, parts, 3, out);
}

sotto_error transcript_tag(struct crypto *crypto, const struct suite *suite,
                           sotto_bytes confirmation_key, sotto_bytes confirmed, struct hash *tag)
{
    struct hash result = {.size = suite->nh};
    TRY(crypto_mac(crypto, suite, confirmation_key, &confirmed, 1, result.data));
    *tag = result;
    return SOTTO_OK;
}
