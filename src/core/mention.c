/* Whom a Markdown text mentions: links to sotto:account/ID, as MIMI has it. */
#include <sodium.h>
#include <string.h>

#include "core/internal.h"

#define MARK "](sotto:account/"
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

enum { ID_LETTERS = 43 }; /* of 32 bytes in base64url */

bool mention_next(sotto_bytes text, size_t *at, struct account_id *account)
{
    const size_t mark = sizeof MARK - 1;
    while (*at < text.size) {
        const uint8_t *found = memmem(text.data + *at, text.size - *at, MARK, mark);
        if (found == NULL)
            break;
        size_t start = (size_t)(found - text.data) + mark, size = 0;
        *at = start;
        if (text.size - start > ID_LETTERS && text.data[start + ID_LETTERS] == ')' &&
            sodium_base642bin(account->bytes, ACCOUNT_ID_SIZE, (const char *)text.data + start,
                              ID_LETTERS, NULL, &size, NULL, BASE64_VARIANT) == 0 &&
            size == ACCOUNT_ID_SIZE)
            return true;
    }
    *at = text.size;
    return false;
}
