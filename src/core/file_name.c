#include "core/file_name.h"

#include <string.h>

#include "base/text.h"

/* Bytes of the UTF-8 character at the beginning of text; 0: it is none. */
static size_t character(sotto_bytes text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    if (size == 0 || size > text.size || !text_is_utf8(sotto_bytes_of(text.data, size)))
        return 0;
    return size;
}

/* Characters that change the direction or the look of others: U+061C, U+200B to U+200F, U+2028 to
 * U+202E, U+2060 to U+2069, U+FEFF. With them "gpj.exe" reads as "exe.jpg". */
static bool misleads(const uint8_t *text, size_t size)
{
    if (size == 2)
        return text[0] == 0xd8 && text[1] == 0x9c;
    if (size != 3)
        return false;
    unsigned scalar = (text[0] & 0xfu) << 12 | (text[1] & 0x3fu) << 6 | (text[2] & 0x3fu);
    return (scalar >= 0x200b && scalar <= 0x200f) || (scalar >= 0x2028 && scalar <= 0x202e) ||
           (scalar >= 0x2060 && scalar <= 0x2069) || scalar == 0xfeff;
}

static sotto_bytes last_part(sotto_bytes name)
{
    size_t begin = 0;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '/' || name.data[i] == '\\')
            begin = i + 1;
    return sotto_bytes_of(name.data + begin, name.size - begin);
}

/* Where the ending begins: a short one behind the last dot; else the end. */
static size_t ending_of(sotto_bytes name)
{
    for (size_t i = name.size; i > 0 && name.size - i < 16; i--)
        if (name.data[i - 1] == '.')
            return i - 1;
    return name.size;
}

/* Copies whole characters while they fit. What is not fit for a name becomes "_". */
static size_t copy(sotto_bytes from, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < from.size;) {
        size_t size = character(sotto_bytes_of(from.data + i, from.size - i));
        bool good = size > 0 && text_is_line(sotto_bytes_of(from.data + i, size)) &&
                    !misleads(from.data + i, size);
        size_t written = good ? size : 1;
        if (used + written > room)
            break;
        if (good)
            memcpy(out + used, from.data + i, size);
        else
            out[used] = '_';
        used += written;
        i += size > 0 ? size : 1;
    }
    return used;
}

void file_name_clean(sotto_bytes name, char out[static FILE_NAME_MAX + 1])
{
    sotto_bytes part = last_part(name);
    while (part.size > 0 && (part.data[0] == ' ' || part.data[0] == '.' || part.data[0] == '-'))
        part = sotto_bytes_of(part.data + 1, part.size - 1);
    while (part.size > 0 && part.data[part.size - 1] == ' ')
        part.size--; /* before the ending is looked for */
    size_t ending = ending_of(part);
    char tail[64];
    size_t tail_size =
        copy(sotto_bytes_of(part.data + ending, part.size - ending), tail, sizeof tail);
    size_t used = copy(sotto_bytes_of(part.data, ending), out, FILE_NAME_MAX - tail_size);
    memcpy(out + used, tail, tail_size);
    used += tail_size;
    while (used > 0 && out[used - 1] == ' ') /* where it was cut */
        used--;
    out[used] = '\0';
    if (used == 0)
        memcpy(out, "file", sizeof "file");
}
