#include "tlog/base64.h"

#include <string.h>

#include <sodium.h>

bool tlog_base64_read(sotto_bytes text, uint8_t *out, size_t max, size_t *size)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    const char *end = NULL, *chars = (const char *)text.data;
    /* libsodium takes some bytes above 0x7F for digits. */
    for (size_t i = 0; i < text.size; i++)
        if (memchr(alphabet, text.data[i], sizeof alphabet - 1) == NULL)
            return false;
    return text.size > 0 &&
           sodium_base642bin(out, max, chars, text.size, NULL, size, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           end == chars + text.size;
}
