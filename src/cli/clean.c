#include <string.h>

#include "cli/cli.h"

size_t utf8_next(sotto_bytes text, uint32_t *scalar)
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

/* Characters that move the cursor, change the terminal, or turn the order of what follows. */
static bool harmful(uint32_t scalar)
{
    return scalar < 0x20 || (scalar >= 0x7F && scalar < 0xA0) ||
           (scalar >= 0x202A && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069) ||
           scalar == 0x2028 || scalar == 0x2029 || scalar == 0x200E || scalar == 0x200F ||
           scalar == 0x061C || scalar == 0xFEFF;
}

void clean_print(FILE *out, sotto_bytes text, int indent)
{
    size_t pos = 0;
    while (pos < text.size) {
        uint32_t scalar = 0;
        size_t size = utf8_next(sotto_bytes_of(text.data + pos, text.size - pos), &scalar);
        if (size == 1 && scalar == '\n') {
            if (indent >= 0)
                fprintf(out, "\n%*s", indent, "");
            else
                fputc(' ', out);
        } else if (size == 1 && scalar == '\t')
            fputc(indent >= 0 ? '\t' : ' ', out);
        else if (size == 0 || harmful(scalar))
            fputs("\xEF\xBF\xBD", out);
        else
            fwrite(text.data + pos, 1, size, out);
        pos += size == 0 ? 1 : size;
    }
}

void clean_print_str(FILE *out, const char *text)
{
    clean_print(out, sotto_bytes_str(text), -1);
}

void hex_print(char *out, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}
