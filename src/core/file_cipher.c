#include "core/file_cipher.h"

#include <sodium.h>
#include <string.h>

#include "wire/padme.h"

_Static_assert(FILE_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(FILE_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "padme_size counts files");

#define LABEL "sotto.v1 file"
enum { LABEL_SIZE = sizeof LABEL - 1, PLACE_SIZE = LABEL_SIZE + 16 };

sotto_error file_cipher_init(struct file_cipher *cipher, sotto_bytes key, uint64_t size)
{
    uint8_t keys[64];
    if (key.size != FILE_KEY_SIZE)
        return SOTTO_LENGTH;
    if (size > FILE_SIZE_MAX)
        return SOTTO_LIMIT;
    crypto_generichash(keys, sizeof keys, (const uint8_t *)LABEL, LABEL_SIZE, key.data, key.size);
    memcpy(cipher->seal_key, keys, 32);
    memcpy(cipher->nonce_key, keys + 32, 32);
    wipe(keys, sizeof keys);
    cipher->size = size;
    cipher->padded = padme_size(size);
    cipher->chunks = (cipher->padded + FILE_CHUNK - 1) / FILE_CHUNK;
    cipher->sealed = cipher->padded + cipher->chunks * (FILE_NONCE_SIZE + FILE_TAG_SIZE);
    return SOTTO_OK;
}

/* How many of `size` bytes stand in that chunk. */
static size_t part_of(uint64_t size, uint64_t index)
{
    uint64_t begin = index * FILE_CHUNK;
    if (begin >= size)
        return 0;
    return size - begin < FILE_CHUNK ? (size_t)(size - begin) : FILE_CHUNK;
}

size_t file_chunk_data(const struct file_cipher *cipher, uint64_t index)
{
    return part_of(cipher->size, index);
}

size_t file_chunk_plain(const struct file_cipher *cipher, uint64_t index)
{
    return part_of(cipher->padded, index);
}

size_t file_chunk_sealed(const struct file_cipher *cipher, uint64_t index)
{
    return file_chunk_plain(cipher, index) + FILE_NONCE_SIZE + FILE_TAG_SIZE;
}

/* Which chunk of how large a file: bound to every chunk, so that none can stand elsewhere and none
 * be left out. */
static void place_of(const struct file_cipher *cipher, uint64_t index,
                     uint8_t place[static PLACE_SIZE])
{
    memcpy(place, LABEL, LABEL_SIZE);
    for (unsigned i = 0; i < 8; i++) {
        place[LABEL_SIZE + i] = (uint8_t)(cipher->padded >> (56 - 8 * i));
        place[LABEL_SIZE + 8 + i] = (uint8_t)(index >> (56 - 8 * i));
    }
}

void file_seal(const struct file_cipher *cipher, uint64_t index, uint8_t chunk[static FILE_CHUNK],
               uint8_t out[static FILE_SEALED])
{
    uint8_t place[PLACE_SIZE];
    crypto_generichash_state state;
    size_t data = file_chunk_data(cipher, index), plain = file_chunk_plain(cipher, index);
    memset(chunk + data, 0, plain - data);
    place_of(cipher, index, place);
    crypto_generichash_init(&state, cipher->nonce_key, sizeof cipher->nonce_key, FILE_NONCE_SIZE);
    crypto_generichash_update(&state, place, sizeof place);
    crypto_generichash_update(&state, chunk, plain);
    crypto_generichash_final(&state, out, FILE_NONCE_SIZE);
    wipe(&state, sizeof state);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + FILE_NONCE_SIZE, NULL, chunk, plain, place,
                                               sizeof place, NULL, out, cipher->seal_key);
}

sotto_error file_open(const struct file_cipher *cipher, uint64_t index, sotto_bytes sealed,
                      uint8_t chunk[static FILE_CHUNK])
{
    uint8_t place[PLACE_SIZE];
    if (index >= cipher->chunks || sealed.size != file_chunk_sealed(cipher, index))
        return SOTTO_LENGTH;
    place_of(cipher, index, place);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            chunk, NULL, NULL, sealed.data + FILE_NONCE_SIZE, sealed.size - FILE_NONCE_SIZE, place,
            sizeof place, sealed.data, cipher->seal_key) != 0)
        return SOTTO_SIGNATURE;
    size_t data = file_chunk_data(cipher, index), plain = file_chunk_plain(cipher, index);
    return sodium_is_zero(chunk + data, plain - data) ? SOTTO_OK : SOTTO_VALUE;
}
