#include "tlog/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "tlog/base64.h"

enum { HASH_TEXT = 44 };

/* The line that text begins with, without its newline, and text behind it. False: there is none. */
static bool take_line(sotto_bytes *text, sotto_bytes *line)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    if (end == NULL)
        return false;
    *line = sotto_bytes_of(text->data, (size_t)(end - text->data));
    *text = sotto_bytes_of(end + 1, text->size - line->size - 1);
    return line->size > 0;
}

static bool read_size(sotto_bytes line, uint64_t *size)
{
    uint64_t value = 0;
    if (line.size == 0 || line.size > 19 || (line.data[0] == '0' && line.size > 1))
        return false;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(line.data[i] - '0');
    }
    *size = value;
    return value <= TLOG_SIZE_MAX;
}

static bool read_hash(sotto_bytes line, struct tlog_hash *hash)
{
    size_t size = 0;
    return tlog_base64_read(line, hash->bytes, TLOG_HASH_SIZE, &size) && size == TLOG_HASH_SIZE;
}

sotto_error tlog_checkpoint_read(sotto_bytes text, struct tlog_checkpoint *checkpoint)
{
    struct tlog_checkpoint read;
    struct tlog_hash empty;
    sotto_bytes line;
    memset(&read, 0, sizeof read);
    if (!take_line(&text, &line) || line.size > TLOG_NAME_MAX)
        return SOTTO_VALUE;
    memcpy(read.origin, line.data, line.size);
    if (memchr(read.origin, '\0', line.size) != NULL)
        return SOTTO_VALUE;
    if (!take_line(&text, &line) || !read_size(line, &read.size))
        return SOTTO_VALUE;
    if (!take_line(&text, &line) || !read_hash(line, &read.root))
        return SOTTO_VALUE;
    while (text.size > 0)
        if (!take_line(&text, &line))
            return SOTTO_VALUE;
    tlog_hash_empty(&empty);
    if (read.size == 0 && !tlog_hash_equal(&read.root, &empty))
        return SOTTO_VALUE;
    *checkpoint = read;
    return SOTTO_OK;
}

sotto_error tlog_checkpoint_write(const struct tlog_checkpoint *checkpoint, sotto_buf *out)
{
    char root[HASH_TEXT + 1], text[TLOG_NAME_MAX + 20 + sizeof root + 4];
    sodium_bin2base64(root, sizeof root, checkpoint->root.bytes, TLOG_HASH_SIZE,
                      sodium_base64_VARIANT_ORIGINAL);
    int size = snprintf(text, sizeof text, "%s\n%" PRIu64 "\n%s\n", checkpoint->origin,
                        checkpoint->size, root);
    return sotto_buf_append(out, (const uint8_t *)text, (size_t)size);
}

sotto_error tlog_checkpoint_open(sotto_bytes note, const struct tlog_key *log,
                                 struct tlog_checkpoint *checkpoint, sotto_bytes *text,
                                 sotto_bytes *signatures)
{
    struct tlog_checkpoint read;
    sotto_bytes said, lines;
    TRY(tlog_note_split(note, &said, &lines));
    TRY(tlog_note_check(said, lines, log, NULL));
    TRY(tlog_checkpoint_read(said, &read));
    if (strcmp(read.origin, log->name) != 0)
        return SOTTO_VALUE;
    *checkpoint = read;
    if (text != NULL)
        *text = said;
    if (signatures != NULL)
        *signatures = lines;
    return SOTTO_OK;
}
