#include <string.h>

#include "cli/cli.h"
#include "base/text.h"

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
        size_t size = text_next(sotto_bytes_of(text.data + pos, text.size - pos), &scalar);
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
