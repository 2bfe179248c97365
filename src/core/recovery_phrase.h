/* The account key in words: the 24 words of BIP-39 that say its 32 bytes and eight bits of their
 * SHA-256, in the standard's English list, which people and their paper know. Whoever has the words
 * has the account: they are written into memory that wipes itself, and shown nowhere unasked. */
#ifndef CORE_RECOVERY_PHRASE_H
#define CORE_RECOVERY_PHRASE_H

#include "base/base.h"
#include "wire/ids.h"

enum {
    RECOVERY_WORDS = 2048, /* in the list */
    RECOVERY_PHRASE_WORDS = 24,
    RECOVERY_PHRASE_MAX = 1024, /* bytes of a phrase that is read, blanks and all */
};

extern const char *const recovery_words[RECOVERY_WORDS];

/* Appends the words, with one space between them and no NUL. */
sotto_error recovery_phrase_write(const uint8_t seed[static SIGN_SEED_SIZE], sotto_buf *phrase);

/* Reads them: in any case, with any blanks between; of a word its first four letters are enough,
 * which tell it from all others. LENGTH: not 24 words, word is how many; VALUE: a word is not in
 * the list, word says which, from 1; TAG: the checksum is wrong: a word, or their order, is. On
 * failure seed is as it was. Not in constant time: a person types it, once. */
sotto_error recovery_phrase_read(sotto_bytes phrase, struct secret *seed, size_t *word);

#endif
