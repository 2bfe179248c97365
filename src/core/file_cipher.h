/* A file as a blob: encrypted in chunks of fixed size under a key of its own, so that any part can
 * be sent, fetched and checked alone, in any order, with flat memory (PROTOCOL.md section 6,
 * "Files").
 *
 * Deterministic: the same file under the same key has the same bytes, so an upload or a download
 * that was broken off goes on where it stopped. And a chunk that changed in between has another
 * nonce, so nothing is ever encrypted twice under one. No I/O, no global state. */
#ifndef CORE_FILE_CIPHER_H
#define CORE_FILE_CIPHER_H

#include "base/base.h"

enum {
    FILE_KEY_SIZE = 32,
    FILE_NONCE_SIZE = 24, /* before each chunk's ciphertext */
    FILE_TAG_SIZE = 16,   /* behind it */
    FILE_SEALED = 128 * 1024,
    FILE_CHUNK =
        FILE_SEALED - FILE_NONCE_SIZE - FILE_TAG_SIZE, /* of plaintext; the last has less */
};

#define FILE_SIZE_MAX (UINT64_C(900) << 30) /* so that every blob fits WIRE_BLOB_MAX */

struct file_cipher {
    uint8_t seal_key[32], nonce_key[32];
    uint64_t size;   /* of the file */
    uint64_t padded; /* Padmé size of it */
    uint64_t chunks; /* at least 1 */
    uint64_t sealed; /* bytes of the whole blob */
};

/* LENGTH: key has another size than FILE_KEY_SIZE; LIMIT: size is above FILE_SIZE_MAX. The owner
 * wipes it. */
sotto_error file_cipher_init(struct file_cipher *cipher, sotto_bytes key, uint64_t size);

/* Of a chunk: bytes of the file in it (0 where all is padding), of plaintext, of ciphertext. */
size_t file_chunk_data(const struct file_cipher *cipher, uint64_t index);
size_t file_chunk_plain(const struct file_cipher *cipher, uint64_t index);
size_t file_chunk_sealed(const struct file_cipher *cipher, uint64_t index);

/* chunk holds file_chunk_data bytes of the file and has room for FILE_CHUNK: the padding is put
 * behind. out has room for FILE_SEALED. */
void file_seal(const struct file_cipher *cipher, uint64_t index, uint8_t chunk[static FILE_CHUNK],
               uint8_t out[static FILE_SEALED]);

/* The other way. chunk has room for FILE_CHUNK. LENGTH: sealed is not file_chunk_sealed bytes;
 * SIGNATURE: it is not that chunk of that file; VALUE: the padding is not zeros. */
sotto_error file_open(const struct file_cipher *cipher, uint64_t index, sotto_bytes sealed,
                      uint8_t chunk[static FILE_CHUNK]);

#endif
