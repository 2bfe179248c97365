#include "core/text.h"

/* Reads one character at *at; false if it is not well formed (RFC 3629, section 4). */
static bool next_character(sotto_bytes text, size_t *at, uint32_t *character)
{
    const uint8_t *p = text.data + *at;
    size_t left = text.size - *at, more;
    uint32_t value, least;
    if (p[0] < 0x80) {
        value = p[0], more = 0, least = 0;
    } else if (p[0] >= 0xC2 && p[0] < 0xE0) {
        value = p[0] & 0x1Fu, more = 1, least = 0x80;
    } else if (p[0] >= 0xE0 && p[0] < 0xF0) {
        value = p[0] & 0x0Fu, more = 2, least = 0x800;
    } else if (p[0] >= 0xF0 && p[0] < 0xF5) {
        value = p[0] & 0x07u, more = 3, least = 0x10000;
    } else {
        return false;
    }
    if (left <= more)
        return false;
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return false;
        value = value << 6 | (p[i] & 0x3Fu);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return false;
    *at += more + 1;
    *character = value;
    return true;
}

bool text_is_utf8(sotto_bytes text)
{
    uint32_t character;
    for (size_t at = 0; at < text.size;)
        if (!next_character(text, &at, &character))
            return false;
    return true;
}

bool text_is_line(sotto_bytes text)
{
    uint32_t character;
    for (size_t at = 0; at < text.size;) {
        if (!next_character(text, &at, &character))
            return false;
        if (character < 0x20 || (character >= 0x7F && character < 0xA0) || character == 0x2028 ||
            character == 0x2029)
            return false;
    }
    return true;
}
