#include "base/text.h"

size_t text_next(sotto_bytes text, uint32_t *scalar)
{
    if (text.size == 0)
        return 0;
    uint8_t lead = text.data[0];
    if (lead < 0x80) {
        *scalar = lead;
        return 1;
    }
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size < size)
        return 0;
    uint32_t value = lead & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (text.data[i] & 0x3Fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *scalar = value;
    return size;
}

bool text_is_utf8(sotto_bytes text)
{
    size_t size = 1;
    uint32_t scalar;
    for (size_t at = 0; at < text.size && size > 0; at += size)
        size = text_next(sotto_bytes_of(text.data + at, text.size - at), &scalar);
    return size > 0;
}

bool text_is_harmful(uint32_t scalar)
{
    return scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0) ||
           (scalar >= 0x202A && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069) ||
           scalar == 0x2028 || scalar == 0x2029 || scalar == 0x200E || scalar == 0x200F ||
           scalar == 0x061C || scalar == 0xFEFF;
}

bool text_is_line(sotto_bytes text)
{
    size_t size;
    uint32_t scalar;
    for (size_t at = 0; at < text.size; at += size) {
        size = text_next(sotto_bytes_of(text.data + at, text.size - at), &scalar);
        if (size == 0 || scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0) || scalar == 0x2028 ||
            scalar == 0x2029)
            return false;
    }
    return true;
}
