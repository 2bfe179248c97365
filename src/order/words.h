/* Lists of words in one text, separated by single spaces. */
#ifndef ORDER_WORDS_H
#define ORDER_WORDS_H

#include <stdbool.h>
#include <string.h>

/* Whether word is one of words. */
static inline bool words_have(const char *words, const char *word)
{
    const size_t size = strlen(word);
    for (const char *at = words; size > 0 && *at != '\0';) {
        const size_t length = strcspn(at, " ");
        if (length == size && memcmp(at, word, size) == 0)
            return true;
        at += length;
        at += strspn(at, " ");
    }
    return false;
}

#endif
