/* The encryption of the profile's database, one page at a time. crypt_vfs.h puts it between SQLite
 * and the disk.
 *
 * A page has 4096 bytes, of which SQLite uses the first 4048; it leaves the rest alone (its
 * "reserved bytes"), and there stands what the encryption needs:
 *
 *     on the disk:  4056 bytes of ciphertext · nonce (24) · tag (16)
 *     for SQLite:   4048 bytes of its own · mask (8) · 40 zero bytes
 *
 * XChaCha20-Poly1305, with a fresh random nonce for each writing, which 24 bytes allow as often as
 * one likes. Associated data is the place: so a page is good only where it was written, in the
 * database at its page number, in the log at its offset and behind its header too. An older version
 * of a page in its old place is good as well. The key is of this database alone (vault.h).
 *
 * Headers of frames in the log hold a running checksum of the pages as SQLite sees them, from which
 * one could check a guess of what is in them. It is encrypted too: with the salts beside it one
 * block of AES-256. The same checksum, a weak sum, lies in the -shm file, where SQLite writes it
 * by itself; the mask is why nobody learns from it: 8 random bytes, renewed whenever a page goes
 * into the database and encrypted with it, which the sum runs over. */
#ifndef CORE_PAGE_CIPHER_H
#define CORE_PAGE_CIPHER_H

#include "core/vault.h"

#define PAGE_BYTES 4096
#define PAGE_RESERVED 48
#define FRAME_HEADER 24 /* of a frame in the write-ahead log */

/* Serves one thread at a time. */
struct page_cipher;

sotto_error page_cipher_new(const sotto_env *env, const struct vault *vault,
                            struct page_cipher **cipher);
void page_cipher_free(struct page_cipher *cipher); /* wipes; NULL allowed */

/* Where a page lies. Numbers are SQLite's, from 1. */
struct page_place {
    uint32_t page;
    uint32_t size;   /* in the log, of a transaction's last page: pages of the database; else 0 */
    uint64_t offset; /* of the frame in the log; in the database 0 */
};

/* VALUE: the page uses its reserved bytes: it is not of a database of ours. */
sotto_error page_seal(struct page_cipher *cipher, const struct page_place *place,
                      const uint8_t page[static PAGE_BYTES], uint8_t sealed[static PAGE_BYTES]);

/* TAG: damaged, or of another place or key. page may be sealed; on failure it is zeroed. */
sotto_error page_open(struct page_cipher *cipher, const struct page_place *place,
                      const uint8_t sealed[static PAGE_BYTES], uint8_t page[static PAGE_BYTES]);

/* A frame's header; out may be in. */
sotto_error frame_header_seal(struct page_cipher *cipher, const uint8_t in[static FRAME_HEADER],
                              uint8_t out[static FRAME_HEADER]);
sotto_error frame_header_open(struct page_cipher *cipher, const uint8_t in[static FRAME_HEADER],
                              uint8_t out[static FRAME_HEADER]);

#endif
