#include "core/snippet.h"

#include <string.h>

enum {
    BEFORE = 40, /* bytes in front of the first hit */
    PIECES_MAX = 2 * SNIPPET_HITS_MAX + 3,
};

#define LEFT_OUT "\xE2\x80\xA6" /* … */

struct making {
    const uint8_t *line;
    struct sotto_piece *pieces;
    size_t count;
};

static bool inside_character(sotto_bytes text, size_t at)
{
    return at < text.size && (text.data[at] & 0xC0) == 0x80;
}

/* Where the line begins: at a character, of a word if there is one that begins soon. */
static size_t begin_of(sotto_bytes text, const struct store_hit *first)
{
    if (text.size <= SOTTO_SNIPPET_MAX || first->at <= BEFORE)
        return 0;
    size_t from = first->at - BEFORE;
    const uint8_t *blank = memchr(text.data + from, ' ', BEFORE);
    if (blank != NULL)
        return (size_t)(blank + 1 - text.data);
    while (inside_character(text, from))
        from++;
    return from;
}

static size_t end_of(sotto_bytes text, size_t from)
{
    size_t to = text.size - from > SOTTO_SNIPPET_MAX ? from + SOTTO_SNIPPET_MAX : text.size;
    while (to > from && inside_character(text, to))
        to--;
    return to;
}

static void piece(struct making *m, const uint8_t *data, size_t size, bool hit)
{
    if (size > 0 && m->count < PIECES_MAX)
        m->pieces[m->count++] = (struct sotto_piece){sotto_bytes_of(data, size), hit};
}

/* What stands between two places is one line. */
static uint8_t *line_copy(sotto_bytes text, size_t from, size_t to, struct arena *arena)
{
    uint8_t *line = arena_array(arena, to - from, 1);
    for (size_t i = from; line != NULL && i < to; i++) {
        bool control = text.data[i] < 0x20 || text.data[i] == 0x7F;
        line[i - from] = control ? ' ' : text.data[i];
    }
    return line;
}

sotto_error snippet_make(const struct store_hit *hits, size_t count, struct arena *arena,
                         struct sotto_message *message)
{
    const sotto_bytes text = message->text;
    if (count == 0)
        return SOTTO_OK;
    const size_t from = begin_of(text, &hits[0]), to = end_of(text, from);
    size_t at = from;
    struct making m = {.line = line_copy(text, from, to, arena),
                       .pieces = arena_array(arena, PIECES_MAX, sizeof *m.pieces)};
    if (m.line == NULL || m.pieces == NULL)
        return SOTTO_NO_MEMORY;
    if (from > 0)
        piece(&m, (const uint8_t *)LEFT_OUT, sizeof LEFT_OUT - 1, false);
    for (size_t i = 0; i < count && hits[i].at < to; i++) {
        const size_t end = hits[i].at + hits[i].size < to ? hits[i].at + hits[i].size : to;
        piece(&m, m.line + (at - from), hits[i].at - at, false);
        piece(&m, m.line + (hits[i].at - from), end - hits[i].at, true);
        at = end;
    }
    piece(&m, m.line + (at - from), to - at, false);
    if (to < text.size)
        piece(&m, (const uint8_t *)LEFT_OUT, sizeof LEFT_OUT - 1, false);
    message->snippet = m.pieces;
    message->snippet_count = m.count;
    return SOTTO_OK;
}
