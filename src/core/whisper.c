#include "core/whisper.h"

#include <sodium.h>
#include <string.h>

#include "codec/reader.h"
#include "codec/writer.h"

enum {
    WHISPER_VERSION = 1,
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    FIELDS = 1 + 1 + 1 + 4 + 8, /* version, kind, value, leaf, count */
    PLACE = ROOM_ID_SIZE + 8,
};
_Static_assert(WHISPER_SIZE == NONCE + WHISPER_PLAIN + TAG, "size");
_Static_assert(FIELDS + WHISPER_SIGNATURE_SIZE <= WHISPER_PLAIN, "it fits");
_Static_assert(WHISPER_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

static void put_number(uint8_t *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

/* Additional data of the AEAD, and the beginning of what is signed. */
static void put_place(const struct whisper_place *place, uint8_t out[static PLACE])
{
    memcpy(out, place->room.bytes, ROOM_ID_SIZE);
    put_number(out + ROOM_ID_SIZE, place->epoch, 8);
}

static void put_fields(const struct whisper *whisper, uint8_t out[static FIELDS])
{
    out[0] = WHISPER_VERSION;
    out[1] = whisper->kind;
    out[2] = whisper->value;
    put_number(out + 3, whisper->leaf, 4);
    put_number(out + 7, whisper->count, 8);
}

sotto_error whisper_seal(const sotto_env *env, struct crypto *crypto, const struct suite *suite,
                         const struct whisper_place *place, const struct whisper *whisper,
                         sotto_bytes private_key, sotto_bytes public_key,
                         uint8_t out[static WHISPER_SIZE])
{
    uint8_t plain[WHISPER_PLAIN] = {0}, content[PLACE + FIELDS], nonce[NONCE];
    sotto_buf signature;
    put_place(place, content);
    put_fields(whisper, content + PLACE);
    sotto_buf_init(&signature, env);
    sotto_error error =
        crypto_sign_with_label(crypto, suite, private_key, public_key, WHISPER_LABEL,
                               sotto_bytes_of(content, sizeof content), &signature);
    if (error == SOTTO_OK && signature.size != WHISPER_SIGNATURE_SIZE)
        error = SOTTO_UNSUPPORTED;
    if (error == SOTTO_OK)
        error = env->random(env->ctx, nonce, sizeof nonce);
    if (error == SOTTO_OK) {
        memcpy(plain, content + PLACE, FIELDS);
        memcpy(plain + FIELDS, signature.data, WHISPER_SIGNATURE_SIZE);
        memcpy(out, nonce, sizeof nonce);
        crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE, NULL, plain, sizeof plain, content,
                                                   PLACE, NULL, nonce, place->key);
    }
    sotto_buf_free(&signature);
    return error;
}

sotto_error whisper_open(const struct whisper_place *place, sotto_bytes sealed,
                         struct whisper *whisper)
{
    uint8_t plain[WHISPER_PLAIN], where[PLACE];
    struct reader reader;
    struct whisper found;
    if (sealed.size != WHISPER_SIZE)
        return SOTTO_LENGTH;
    put_place(place, where);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed.data + NONCE,
                                                   sealed.size - NONCE, where, sizeof where,
                                                   sealed.data, place->key) != 0)
        return SOTTO_SIGNATURE;
    reader_init(&reader, sotto_bytes_of(plain, sizeof plain));
    uint8_t version = reader_u8(&reader, "whisper.version");
    found.kind = reader_u8(&reader, "whisper.kind");
    found.value = reader_u8(&reader, "whisper.value");
    found.leaf = reader_u32(&reader, "whisper.leaf");
    found.count = reader_u64(&reader, "whisper.count");
    reader_copy(&reader, found.signature, sizeof found.signature, "whisper.signature");
    if (version != WHISPER_VERSION)
        return SOTTO_VERSION;
    const size_t used = FIELDS + WHISPER_SIGNATURE_SIZE;
    if (!sodium_is_zero(plain + used, sizeof plain - used))
        return SOTTO_VALUE;
    *whisper = found;
    return SOTTO_OK;
}

sotto_error whisper_verify(struct crypto *crypto, const struct suite *suite,
                           const struct whisper_place *place, const struct whisper *whisper,
                           sotto_bytes public_key)
{
    uint8_t content[PLACE + FIELDS];
    put_place(place, content);
    put_fields(whisper, content + PLACE);
    return crypto_verify_with_label(crypto, suite, public_key, WHISPER_LABEL,
                                    sotto_bytes_of(content, sizeof content),
                                    sotto_bytes_of(whisper->signature, WHISPER_SIGNATURE_SIZE));
}
