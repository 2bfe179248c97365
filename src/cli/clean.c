#include <string.h>

#include "cli/cli.h"
#include "base/text.h"

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
        else if (size == 0 || text_is_harmful(scalar))
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
