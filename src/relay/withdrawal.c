#include "relay/withdrawal.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "tlog/leaf.h"

static const char head[] = "sotto withdrawal v1\n";
static const char ending[] = ".withdrawal", left_ending[] = ".left";

uint64_t withdrawal_on_s(const struct withdrawal *withdrawal)
{
    /* Days from civil, of a year that begins in March. */
    const uint64_t year = strtoull(withdrawal->on, NULL, 10);
    const uint64_t month = strtoull(withdrawal->on + 5, NULL, 10);
    const uint64_t day = strtoull(withdrawal->on + 8, NULL, 10);
    const uint64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    const uint64_t days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    return (days - 719468) * 86400;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* A bound: a number's beginning, the last byte of which may be one behind 9. */
static bool is_bound(const char *text)
{
    const size_t size = strlen(text), digits = size > 0 ? strspn(text + 1, "0123456789") : 0;
    return size >= 2 && size <= WITHDRAWAL_NUMBER_MAX && text[0] == '+' &&
           (digits == size - 1 || (digits == size - 2 && text[size - 1] == ':'));
}

static bool is_valid(const struct withdrawal *w)
{
    if (!tlog_is_jurisdiction(sotto_bytes_str(w->jurisdiction)) || !tlog_is_date(w->on) ||
        w->range_count + w->label_count == 0 || w->notice.size == 0 ||
        w->notice.size > WITHDRAWAL_NOTICE_MAX)
        return false;
    for (size_t i = 0; i < w->range_count; i++)
        if (!is_bound(w->ranges[i].low) || !is_bound(w->ranges[i].high) ||
            strcmp(w->ranges[i].low, w->ranges[i].high) >= 0)
            return false;
    for (size_t i = 0; i < w->label_count; i++)
        if (!tlog_is_jurisdiction(sotto_bytes_str(w->labels[i])))
            return false;
    return true;
}

static sotto_error put(sotto_buf *out, const char *text)
{
    return sotto_buf_append(out, (const uint8_t *)text, strlen(text));
}

sotto_error withdrawal_write(const struct withdrawal *w, sotto_buf *out)
{
    char line[3 * WITHDRAWAL_LABEL_MAX + 64];
    if (!is_valid(w))
        return SOTTO_VALUE;
    TRY(put(out, head));
    snprintf(line, sizeof line, "state %s\njurisdiction %s\non %s\n",
             w->staying ? "staying" : "announced", w->jurisdiction, w->on);
    TRY(put(out, line));
    for (size_t i = 0; i < w->range_count; i++) {
        snprintf(line, sizeof line, "phone %s %s\n", w->ranges[i].low, w->ranges[i].high);
        TRY(put(out, line));
    }
    for (size_t i = 0; i < w->label_count; i++) {
        snprintf(line, sizeof line, "label %s\n", w->labels[i]);
        TRY(put(out, line));
    }
    TRY(put(out, "notice\n"));
    return sotto_buf_append(out, w->notice.data, w->notice.size);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The line that text begins with, as a string. */
static bool take_line(sotto_bytes *text, char *out, size_t size)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    const size_t length = end == NULL ? size : (size_t)(end - text->data);
    if (length >= size || memchr(text->data, '\0', length) != NULL)
        return false;
    memcpy(out, text->data, length);
    out[length] = '\0';
    *text = sotto_bytes_of(end + 1, text->size - length - 1);
    return true;
}

static bool copy(const char *from, char *to, size_t size)
{
    const size_t length = strlen(from);
    if (length >= size)
        return false;
    memcpy(to, from, length + 1);
    return true;
}

static bool take_value(sotto_bytes *text, const char *name, char *out, size_t size)
{
    char line[3 * WITHDRAWAL_LABEL_MAX];
    const size_t length = strlen(name);
    return take_line(text, line, sizeof line) && strncmp(line, name, length) == 0 &&
           line[length] == ' ' && copy(line + length + 1, out, size);
}

/* A line `phone` or `label`. */
static bool take_place(struct withdrawal *w, char *line)
{
    if (strncmp(line, "label ", 6) == 0)
        return w->label_count < WITHDRAWAL_LABELS_MAX &&
               copy(line + 6, w->labels[w->label_count++], sizeof *w->labels);
    char *space = strncmp(line, "phone ", 6) == 0 ? strchr(line + 6, ' ') : NULL;
    if (space == NULL || w->range_count == WITHDRAWAL_RANGES_MAX)
        return false;
    *space = '\0';
    struct withdrawal_range *range = &w->ranges[w->range_count++];
    return copy(line + 6, range->low, sizeof range->low) &&
           copy(space + 1, range->high, sizeof range->high);
}

static bool take_all(sotto_bytes text, struct withdrawal *w)
{
    char line[3 * WITHDRAWAL_LABEL_MAX], state[16];
    if (text.size < sizeof head - 1 || memcmp(text.data, head, sizeof head - 1) != 0)
        return false;
    text = sotto_bytes_of(text.data + sizeof head - 1, text.size - sizeof head + 1);
    if (!take_value(&text, "state", state, sizeof state) ||
        !take_value(&text, "jurisdiction", w->jurisdiction, sizeof w->jurisdiction) ||
        !take_value(&text, "on", w->on, sizeof w->on))
        return false;
    w->staying = strcmp(state, "staying") == 0;
    for (;;) {
        if (!take_line(&text, line, sizeof line))
            return false;
        if (strcmp(line, "notice") == 0)
            break;
        if (!take_place(w, line))
            return false;
    }
    w->notice = text;
    return true;
}

sotto_error withdrawal_read(sotto_bytes file, struct withdrawal *withdrawal)
{
    uint8_t id[WITHDRAWAL_ID_SIZE];
    sotto_buf again;
    memcpy(id, withdrawal->id, sizeof id);
    memset(withdrawal, 0, sizeof *withdrawal);
    memcpy(withdrawal->id, id, sizeof id);
    if (file.size > WITHDRAWAL_FILE_MAX || !take_all(file, withdrawal))
        return SOTTO_VALUE;
    /* What is written again is the same, or it is not such a file. */
    sotto_buf_init(&again, sotto_env_system());
    sotto_error error = withdrawal_write(withdrawal, &again);
    if (error == SOTTO_OK && !sotto_bytes_equal(sotto_buf_view(&again), file))
        error = SOTTO_VALUE;
    sotto_buf_free(&again);
    return error;
}

/* ---- Names ---------------------------------------------------------------------------------- */

void withdrawal_name(const uint8_t id[static WITHDRAWAL_ID_SIZE], bool left,
                     char name[static WITHDRAWAL_NAME])
{
    sodium_bin2hex(name, 2 * WITHDRAWAL_ID_SIZE + 1, id, WITHDRAWAL_ID_SIZE);
    memcpy(name + 2 * WITHDRAWAL_ID_SIZE, left ? left_ending : ending,
           left ? sizeof left_ending : sizeof ending);
}

bool withdrawal_named(const char *name, uint8_t id[static WITHDRAWAL_ID_SIZE])
{
    char again[WITHDRAWAL_NAME];
    size_t size = 0;
    if (strlen(name) != WITHDRAWAL_NAME - 1 ||
        sodium_hex2bin(id, WITHDRAWAL_ID_SIZE, name, 2 * WITHDRAWAL_ID_SIZE, NULL, &size, NULL) !=
            0 ||
        size != WITHDRAWAL_ID_SIZE)
        return false;
    withdrawal_name(id, false, again);
    return strcmp(again, name) == 0;
}

sotto_error withdrawal_left_write(uint64_t accounts, uint64_t time_s, sotto_buf *out)
{
    char text[80];
    snprintf(text, sizeof text, "sotto left v1\naccounts %" PRIu64 "\ntime %" PRIu64 "\n", accounts,
             time_s);
    return put(out, text);
}

sotto_error withdrawal_left_read(sotto_bytes file, uint64_t *accounts, uint64_t *time_s)
{
    char number[24], time[24];
    sotto_buf again;
    if (file.size < 14 || memcmp(file.data, "sotto left v1\n", 14) != 0)
        return SOTTO_VALUE;
    sotto_bytes text = sotto_bytes_of(file.data + 14, file.size - 14);
    if (!take_value(&text, "accounts", number, sizeof number) ||
        !take_value(&text, "time", time, sizeof time))
        return SOTTO_VALUE;
    *accounts = strtoull(number, NULL, 10);
    *time_s = strtoull(time, NULL, 10);
    sotto_buf_init(&again, sotto_env_system());
    sotto_error error = withdrawal_left_write(*accounts, *time_s, &again);
    if (error == SOTTO_OK && !sotto_bytes_equal(sotto_buf_view(&again), file))
        error = SOTTO_VALUE;
    sotto_buf_free(&again);
    return error;
}
