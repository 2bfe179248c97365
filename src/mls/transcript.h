/* The transcript hashes (RFC 9420, section 8.2):
 *
 *   confirmed_[n] = Hash(interim_[n-1] || ConfirmedTranscriptHashInput_[n])
 *   interim_[n]   = Hash(confirmed_[n] || InterimTranscriptHashInput_[n])
 *
 * and the confirmation tag (6.1) = MAC(confirmation_key, confirmed_[n]). */
#ifndef MLS_TRANSCRIPT_H
#define MLS_TRANSCRIPT_H

#include "crypto/crypto.h"

/* A hash value in place; public. */
struct hash {
    uint8_t size;
    uint8_t data[HASH_MAX];
};

static inline sotto_bytes hash_view(const struct hash *hash)
{
    return sotto_bytes_of(hash->data, hash->size);
}

/* VALUE unless value has exactly the size of the suite's hash. */
sotto_error hash_set(struct hash *hash, const struct suite *suite, sotto_bytes value);

/* interim: empty at epoch 0. framed: wire_format || FramedContent of the commit. out may be the
 * struct that interim views. */
sotto_error transcript_confirmed(struct crypto *crypto, const struct suite *suite,
                                 sotto_bytes interim, sotto_bytes framed, sotto_bytes signature,
                                 struct hash *out);

sotto_error transcript_interim(struct crypto *crypto, const struct suite *suite,
                               sotto_bytes confirmed, sotto_bytes confirmation_tag,
                               struct hash *out);

sotto_error transcript_tag(struct crypto *crypto, const struct suite *suite,
                           sotto_bytes confirmation_key, sotto_bytes confirmed, struct hash *tag);

#endif
