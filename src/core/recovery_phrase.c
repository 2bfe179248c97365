#include "core/recovery_phrase.h"

#include <string.h>

#include "wire/proof.h"

enum { WORD_BITS = 11, WORD_MAX = 8, WORD_ENOUGH = 4, WHOLE = SIGN_SEED_SIZE + 1 };

_Static_assert(RECOVERY_PHRASE_WORDS *WORD_BITS == WHOLE * 8, "the words say seed and checksum");

/* Seed and checksum (BIP-39, "Generating the mnemonic"). */
static void whole_of(const uint8_t seed[static SIGN_SEED_SIZE], uint8_t whole[static WHOLE])
{
    uint8_t hash[HASH_SIZE];
    wire_hash(sotto_bytes_of(seed, SIGN_SEED_SIZE), hash);
    memcpy(whole, seed, SIGN_SEED_SIZE);
    whole[SIGN_SEED_SIZE] = hash[0];
    wipe(hash, sizeof hash);
}

sotto_error recovery_phrase_write(const uint8_t seed[static SIGN_SEED_SIZE], sotto_buf *phrase)
{
    uint8_t whole[WHOLE];
    size_t before = phrase->size;
    whole_of(seed, whole);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; i < RECOVERY_PHRASE_WORDS && error == SOTTO_OK; i++) {
        unsigned index = 0;
        for (size_t bit = i * WORD_BITS; bit < (i + 1) * WORD_BITS; bit++)
            index = index << 1 | (whole[bit / 8] >> (7 - bit % 8) & 1);
        if (phrase->size > before)
            error = sotto_buf_append(phrase, (const uint8_t *)" ", 1);
        const char *word = recovery_words[index];
        if (error == SOTTO_OK)
            error = sotto_buf_append(phrase, (const uint8_t *)word, strlen(word));
    }
    wipe(whole, sizeof whole);
    return error;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* The place of the word that this is, or begins. RECOVERY_WORDS: it is none. */
static unsigned place_of(const char *word, size_t size)
{
    for (unsigned i = 0; i < RECOVERY_WORDS; i++)
        if (strncmp(recovery_words[i], word, size) == 0 &&
            (size >= WORD_ENOUGH || recovery_words[i][size] == '\0'))
            return i;
    return RECOVERY_WORDS;
}

/* The next word, in lower case, behind *at. Its size; 0: none; above WORD_MAX: it is no word. */
static size_t next_word(sotto_bytes phrase, size_t *at, char word[static WORD_MAX + 1])
{
    size_t size = 0;
    while (*at < phrase.size && is_blank(phrase.data[*at]))
        (*at)++;
    for (; *at < phrase.size && !is_blank(phrase.data[*at]); (*at)++, size++)
        if (size < WORD_MAX) {
            uint8_t byte = phrase.data[*at];
            word[size] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
        }
    word[size < WORD_MAX ? size : WORD_MAX] = '\0';
    return size;
}

static sotto_error read_words(sotto_bytes phrase, uint8_t whole[static WHOLE], size_t *word_number)
{
    char word[WORD_MAX + 1];
    size_t at = 0, count = 0, size, wrong = 0;
    while ((size = next_word(phrase, &at, word)) > 0) {
        unsigned index = size <= WORD_MAX ? place_of(word, size) : RECOVERY_WORDS;
        count++;
        if (index == RECOVERY_WORDS && wrong == 0)
            wrong = count;
        for (unsigned bit = 0; bit < WORD_BITS && count <= RECOVERY_PHRASE_WORDS; bit++) {
            size_t to = (count - 1) * WORD_BITS + bit;
            whole[to / 8] |= (uint8_t)((index >> (WORD_BITS - 1 - bit) & 1) << (7 - to % 8));
        }
    }
    wipe(word, sizeof word);
    *word_number = wrong > 0 ? wrong : count;
    if (wrong > 0)
        return SOTTO_VALUE;
    return count == RECOVERY_PHRASE_WORDS ? SOTTO_OK : SOTTO_LENGTH;
}

sotto_error recovery_phrase_read(sotto_bytes phrase, struct secret *seed, size_t *word)
{
    uint8_t whole[WHOLE] = {0}, expected[WHOLE];
    *word = 0;
    sotto_error error =
        phrase.size <= RECOVERY_PHRASE_MAX ? read_words(phrase, whole, word) : SOTTO_LENGTH;
    if (error == SOTTO_OK) {
        whole_of(whole, expected);
        error = expected[WHOLE - 1] == whole[WHOLE - 1] ? SOTTO_OK : SOTTO_TAG;
        wipe(expected, sizeof expected);
    }
    if (error == SOTTO_OK)
        error = secret_set(seed, sotto_bytes_of(whole, SIGN_SEED_SIZE));
    wipe(whole, sizeof whole);
    return error;
}
