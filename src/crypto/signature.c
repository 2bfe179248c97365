/* Signatures of a suite. Sizes are checked here, once, before the provider's functions run. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/public_taint.h"

#define ED(id_, key_size, signature_size)                                   \
    {                                                                       \
        .id = (id_), .private_size = (key_size), .public_size = (key_size), \
        .signature_max = (signature_size)                                   \
    }
#define ECDSA(id_, scalar_size, signature_size, mask_)                                    \
    {                                                                                     \
        .id = (id_), .private_size = (scalar_size), .public_size = 2 * (scalar_size) + 1, \
        .signature_max = (signature_size), .mask = (mask_)                                \
    }

const struct signature_row signature_ed25519 = ED(SOTTO_MLS_ED25519, 32, 64);
const struct signature_row signature_ed448 = ED(SOTTO_MLS_ED448, 57, 114);
const struct signature_row signature_p256 = ECDSA(SOTTO_MLS_ECDSA_P256, 32, 72, 0xff);
const struct signature_row signature_p384 = ECDSA(SOTTO_MLS_ECDSA_P384, 48, 104, 0xff);
const struct signature_row signature_p521 = ECDSA(SOTTO_MLS_ECDSA_P521, 66, 139, 0x01);

static sotto_error derive_public(struct crypto *crypto, const struct signature_row *row,
                                 const uint8_t *private_key, uint8_t *public_key)
{
    return crypto->provider->signature_public(crypto->ctx, row->id, private_key, public_key);
}

/* Seeds are random bytes. Scalars are drawn until one is below the order: rejection keeps them
 * uniform. P-521's candidates fail half the time, the others hardly ever; a random source that
 * fails this often is broken. */
static sotto_error generate(struct crypto *crypto, const struct signature_row *row,
                            struct secret *private_key, uint8_t *public_key)
{
    for (int attempt = 0; attempt < 256; attempt++) {
        TRY(secret_random(private_key, row->private_size, crypto->env));
        if (row->mask != 0)
            private_key->data[0] &= row->mask;
        sotto_error error = derive_public(crypto, row, private_key->data, public_key);
        if (error != SOTTO_KEY)
            return error;
    }
    return SOTTO_NO_RANDOM;
}

sotto_error crypto_signature_generate(struct crypto *crypto, const struct suite *suite,
                                      struct secret *private_key, sotto_buf *public_key)
{
    const struct signature_row *row = suite->signature;
    uint8_t out[SIGNATURE_PUBLIC_MAX];
    sotto_error error = generate(crypto, row, private_key, out);
    if (error == SOTTO_OK)
        error = sotto_buf_append(public_key, out, row->public_size);
    if (error != SOTTO_OK)
        secret_wipe(private_key);
    return error;
}

sotto_error crypto_signature_public(struct crypto *crypto, const struct suite *suite,
                                    sotto_bytes private_key, sotto_buf *public_key)
{
    const struct signature_row *row = suite->signature;
    uint8_t out[SIGNATURE_PUBLIC_MAX];
    if (private_key.size != row->private_size)
        return SOTTO_KEY;
    TRY(derive_public(crypto, row, private_key.data, out));
    return sotto_buf_append(public_key, out, row->public_size);
}

/* Two EdDSA signatures of one message under one seed and two public keys give the private key away,
 * so the caller's public key is never trusted. Deriving it anew would double the cost of a
 * signature; a pair that was found consistent is remembered by its digest, which reveals neither
 * half. */
static sotto_error check_pair(struct crypto *crypto, const struct suite *suite,
                              sotto_bytes private_key, sotto_bytes public_key)
{
    uint8_t digest[HASH_MAX], derived[SIGNATURE_PUBLIC_MAX];
    sotto_bytes parts[] = {sotto_bytes_str("sotto signature pair"), private_key, public_key};
    TRY(hash_parts(crypto, suite->hash, parts, 3, digest));
    public_from_here(digest, sizeof digest); /* which of the known pairs it is shows in the time */
    for (size_t i = 0; i < PAIRS_KNOWN; i++) {
        if (memcmp(crypto->pairs[i], digest, PAIR_DIGEST) == 0)
            return SOTTO_OK;
    }
    TRY(derive_public(crypto, suite->signature, private_key.data, derived));
    public_from_here(derived, sizeof derived);
    if (memcmp(derived, public_key.data, public_key.size) != 0)
        return SOTTO_KEY;
    memcpy(crypto->pairs[crypto->pair_next], digest, PAIR_DIGEST);
    crypto->pair_next = (crypto->pair_next + 1) % PAIRS_KNOWN;
    return SOTTO_OK;
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
    if (row->mask == 0) /* an ECDSA signature does not depend on the public key */
        TRY(check_pair(crypto, suite, private_key, public_key));
    sotto_error error = sign_content(crypto, label, content);
    if (error == SOTTO_OK)
        error = crypto->provider->sign(crypto->ctx, row->id, private_key.data, public_key.data,
                                       sotto_buf_view(&crypto->scratch), out, &size);
    if (error == SOTTO_OK)
        error = sotto_buf_append(signature, out, size);
    scratch_done(crypto);
    return error;
}

/* RFC 9420, 5.1.2. */
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
        error = crypto->provider->verify(crypto->ctx, row->id, public_key.data,
                                         sotto_buf_view(&crypto->scratch), signature);
    scratch_done(crypto);
    return error;
}
