/* The key of a profile: 32 random bytes, made with the profile and never changed, from which the
 * keys of the database's encryption are derived (page_cipher.h). It lies in `profile/keys`, of mode
 * 0600, as it is or sealed under a passphrase:
 *
 *     at   size
 *      0      8   "sottokey"
 *      8      2   version, 1 (numbers are big-endian)
 *     10      1   0: the key as it is, 1: sealed under a passphrase
 *     11      1   0
 *     12      4   Argon2id: passes          (all zero from here to 60 without a passphrase)
 *     16      4   Argon2id: memory in KiB
 *     20     16   Argon2id: salt
 *     36     24   nonce
 *     60     48   the key and a tag: XChaCha20-Poly1305 under Argon2id(passphrase), over bytes 0 to
 * 59 too. Without a passphrase: the key and 16 zero bytes. 108     16   BLAKE2b of bytes 0 to 107:
 * a damaged file is no wrong passphrase
 *
 * Changing the passphrase writes this file and nothing else; so a copy of an older one still opens
 * the database with the passphrase it was made for. */
#ifndef CORE_VAULT_H
#define CORE_VAULT_H

#include "base/base.h"

#define VAULT_FILE "keys"
/* Beside it, where the passphrase is in the system's keyring: its name there. */
#define VAULT_KEYRING_FILE "keyring"
#define VAULT_FILE_SIZE 124
#define VAULT_KEY_SIZE 32
#define VAULT_PASSPHRASE_MAX 1024

/* What guessing a passphrase costs. RFC 9106's second recommendation (section 4) but for its four
 * lanes, of which libsodium has one: 64 MiB, three passes, a tenth of a second. */
struct vault_cost {
    uint32_t passes, kib;
};
extern const struct vault_cost vault_cost_default;

/* What a key file may ask for: else a forged one could hold the machine up. */
#define VAULT_PASSES_MAX 64
#define VAULT_KIB_MIN 8
#define VAULT_KIB_MAX (1024 * 1024)

/* The key, opened. Its memory is locked, fenced and not in core dumps (sodium_malloc). */
struct vault;

/* Whether there is a key file, and whether it wants a passphrase. NOT_FOUND: there is none; VALUE:
 * damaged; VERSION: of a newer Sotto. fault, which may be NULL, says why. */
sotto_error vault_look(const sotto_env *env, const char *directory, bool *locked,
                       sotto_fault *fault);

/* Makes the key and its file, without a passphrase. The caller holds the directory's lock and has
 * seen that there is none. */
sotto_error vault_create(const sotto_env *env, const char *directory, struct vault **vault);

/* Reads and opens it. passphrase NULL: none is known. Errors of vault_look, and STATE: a passphrase
 * is needed; KEY: it is not this one, which takes as long to say as that it is. */
sotto_error vault_open(const sotto_env *env, const char *directory, const sotto_bytes *passphrase,
                       struct vault **vault, sotto_fault *fault);

/* The same key once more. NULL: no memory. */
struct vault *vault_copy(const struct vault *vault);

/* Writes the key file anew: sealed under a passphrase of 1 to VAULT_PASSPHRASE_MAX bytes (LENGTH),
 * or as it is (NULL). Old or new is good whenever it is interrupted, never neither. The caller
 * holds the directory's lock. */
sotto_error vault_seal(const struct vault *vault, const char *directory,
                       const sotto_bytes *passphrase, const struct vault_cost *cost);

/* A key derived from it: the same for the same purpose, 32 bytes. */
void vault_derive(const struct vault *vault, uint64_t purpose, uint8_t key[static VAULT_KEY_SIZE]);

void vault_free(struct vault *vault); /* wipes; NULL allowed */

#endif
