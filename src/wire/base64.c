#include "wire/base64.h"

#include <sodium.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* libsodium 1.0.18 takes some bytes above 0x7f for letters, so the alphabet is checked here. */
static bool in_alphabet(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

sotto_error base64url_read(sotto_bytes text, uint8_t *out, size_t max, size_t *size)
{
    for (size_t i = 0; i < text.size; i++)
        if (!in_alphabet(text.data[i]))
            return SOTTO_VALUE;
    if (text.size / 4 * 3 + text.size % 4 * 3 / 4 > max)
        return SOTTO_LIMIT;
    if (sodium_base642bin(out, max, (const char *)text.data, text.size, NULL, size, NULL,
                          VARIANT) != 0)
        return SOTTO_VALUE;
    return SOTTO_OK;
}

size_t base64url_size(size_t size)
{
    return sodium_base64_encoded_len(size, VARIANT) - 1;
}

void base64url_write(sotto_bytes bytes, char *text)
{
    sodium_bin2base64(text, base64url_size(bytes.size) + 1, bytes.data, bytes.size, VARIANT);
}
