#include "tlog/notice.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "base/print.h"

static const char head[] = "sotto notice v1\n";

/* ---- Writing -------------------------------------------------------------------------------- */

static sotto_error put(const char *text, sotto_buf *out)
{
    return sotto_buf_append(out, (const uint8_t *)text, strlen(text));
}

static sotto_error put_line(const char *name, const char *value, sotto_buf *out)
{
    return buf_print(out, "%s %s\n", name, value);
}

/* A text of others' in lines of its own, each behind "> ": nothing in it looks like ours. */
static sotto_error put_quoted(const char *name, const char *text, sotto_buf *out)
{
    TRY(put(name, out));
    TRY(put("\n> ", out));
    for (const char *at = text; *at != '\0'; at++) {
        const uint8_t byte = (uint8_t)*at < 0x20 || *at == 0x7F ? ' ' : (uint8_t)*at;
        TRY(*at == '\n' ? put("\n> ", out) : sotto_buf_append(out, &byte, 1));
    }
    return put("\n", out);
}

static bool is_valid(const struct tlog_notice *notice)
{
    struct tlog_key key;
    static const uint8_t any[32];
    /* A log's name is what a key's may be. */
    if (tlog_key_make(notice->log, TLOG_KEY_LOG, any, &key) != SOTTO_OK ||
        notice->entry >= TLOG_SIZE_MAX || !tlog_is_date(notice->date) ||
        !tlog_is_jurisdiction(sotto_bytes_str(notice->jurisdiction)))
        return false;
    if (notice->type != TLOG_LEAF_ORDER)
        return (notice->type == TLOG_LEAF_WITHDRAWAL || notice->type == TLOG_LEAF_STAYING) &&
               tlog_is_date(notice->on);
    const bool given = notice->phone_number || notice->last_ip;
    return notice->authority > TLOG_AUTHORITY_UNKNOWN &&
           notice->authority <= TLOG_AUTHORITY_ADMINISTRATIVE &&
           notice->outcome == (given ? TLOG_ANSWERED : TLOG_NOT_HELD);
}

static sotto_error put_order(const struct tlog_notice *notice, sotto_buf *out)
{
    TRY(put_line("authority", tlog_authority_name(notice->authority), out));
    TRY(put_line("outcome", tlog_outcome_name(notice->outcome), out));
    TRY(put_line("given", tlog_given_name(notice->phone_number, notice->last_ip), out));
    TRY(put_quoted("asked", notice->asked, out));
    TRY(put_quoted("issuer", notice->issuer, out));
    TRY(put_quoted("reference", notice->reference, out));
    TRY(put_quoted("basis", notice->basis, out));
    TRY(put_quoted(notice->reasons_withheld ? "withheld" : "reasons", notice->reasons, out));
    return put_quoted("redress", notice->redress, out);
}

sotto_error tlog_notice_write(const struct tlog_notice *notice, sotto_buf *out)
{
    char account[2 * TLOG_ACCOUNT_SIZE + 1], entry[24];
    const size_t before = out->size;
    if (!is_valid(notice))
        return SOTTO_VALUE;
    sodium_bin2hex(account, sizeof account, notice->account, TLOG_ACCOUNT_SIZE);
    snprintf(entry, sizeof entry, "%" PRIu64, notice->entry);
    TRY(put(head, out));
    TRY(put_line("type", tlog_leaf_type_name(notice->type), out));
    if (notice->type == TLOG_LEAF_ORDER)
        TRY(put_line("account", account, out));
    TRY(put_line("log", notice->log, out));
    TRY(put_line("entry", entry, out));
    TRY(put_line("date", notice->date, out));
    TRY(put_line("jurisdiction", notice->jurisdiction, out));
    if (notice->type == TLOG_LEAF_ORDER) {
        TRY(put_order(notice, out));
    } else {
        TRY(put_line("on", notice->on, out));
        TRY(put_quoted("reason", notice->reason, out));
    }
    return out->size - before > TLOG_NOTICE_MAX ? SOTTO_VALUE : SOTTO_OK;
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* The line that text begins with, without its newline. */
static bool take(sotto_bytes *text, sotto_bytes *line)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    if (end == NULL)
        return false;
    *line = sotto_bytes_of(text->data, (size_t)(end - text->data));
    *text = sotto_bytes_of(end + 1, text->size - line->size - 1);
    return true;
}

/* The value of the line of that name, as a string. */
static bool take_value(sotto_bytes *text, const char *name, char *out, size_t size)
{
    sotto_bytes line;
    const size_t behind = strlen(name) + 1;
    if (!take(text, &line) || line.size < behind || memcmp(line.data, name, behind - 1) != 0 ||
        line.data[behind - 1] != ' ' || line.size - behind >= size)
        return false;
    memcpy(out, line.data + behind, line.size - behind);
    out[line.size - behind] = '\0';
    return strlen(out) == line.size - behind;
}

static bool take_number(sotto_bytes *text, const char *name, uint64_t *number)
{
    char value[20];
    if (!take_value(text, name, value, sizeof value) || value[0] == '\0' ||
        strspn(value, "0123456789") != strlen(value))
        return false;
    *number = strtoull(value, NULL, 10); /* 19 digits fit */
    return true;
}

static bool take_account(sotto_bytes *text, uint8_t account[static TLOG_ACCOUNT_SIZE])
{
    char value[2 * TLOG_ACCOUNT_SIZE + 1];
    size_t size = 0;
    return take_value(text, "account", value, sizeof value) &&
           sodium_hex2bin(account, TLOG_ACCOUNT_SIZE, value, strlen(value), NULL, &size, NULL) ==
               0 &&
           size == TLOG_ACCOUNT_SIZE;
}

/* texts has room for whatever text holds, so that what points into it stays. */
static bool take_quoted(sotto_bytes *text, const char *name, sotto_buf *texts, const char **out)
{
    static const uint8_t newline = '\n', end = 0;
    sotto_bytes line;
    if (!take(text, &line) || !sotto_bytes_equal(line, sotto_bytes_str(name)))
        return false;
    const size_t begin = texts->size;
    for (bool first = true; text->size >= 2 && memcmp(text->data, "> ", 2) == 0; first = false) {
        if (!take(text, &line) || memchr(line.data, '\0', line.size) != NULL ||
            (!first && sotto_buf_append(texts, &newline, 1) != SOTTO_OK) ||
            sotto_buf_append(texts, line.data + 2, line.size - 2) != SOTTO_OK)
            return false;
    }
    if (sotto_buf_append(texts, &end, 1) != SOTTO_OK)
        return false;
    *out = (const char *)texts->data + begin;
    return true;
}

static bool take_order(sotto_bytes *text, struct tlog_notice *notice)
{
    char authority[24], outcome[24], given[32];
    if (!take_value(text, "authority", authority, sizeof authority) ||
        !take_value(text, "outcome", outcome, sizeof outcome) ||
        !take_value(text, "given", given, sizeof given))
        return false;
    notice->authority = tlog_authority_named(sotto_bytes_str(authority));
    notice->phone_number = strstr(given, "phone_number") != NULL;
    notice->last_ip = strstr(given, "last_ip") != NULL;
    notice->outcome =
        strcmp(outcome, tlog_outcome_name(TLOG_ANSWERED)) == 0 ? TLOG_ANSWERED : TLOG_NOT_HELD;
    if (!take_quoted(text, "asked", &notice->texts, &notice->asked) ||
        !take_quoted(text, "issuer", &notice->texts, &notice->issuer) ||
        !take_quoted(text, "reference", &notice->texts, &notice->reference) ||
        !take_quoted(text, "basis", &notice->texts, &notice->basis))
        return false;
    notice->reasons_withheld = text->size > 0 && text->data[0] == 'w';
    return take_quoted(text, notice->reasons_withheld ? "withheld" : "reasons", &notice->texts,
                       &notice->reasons) &&
           take_quoted(text, "redress", &notice->texts, &notice->redress);
}

static sotto_error take_all(sotto_bytes text, struct tlog_notice *notice)
{
    char type[16];
    if (!tlog_notice_is(text))
        return SOTTO_VERSION;
    text = sotto_bytes_of(text.data + sizeof head - 1, text.size - sizeof head + 1);
    if (!take_value(&text, "type", type, sizeof type))
        return SOTTO_VALUE;
    notice->type = tlog_leaf_type_named(sotto_bytes_str(type));
    if (notice->type == 0)
        return SOTTO_VERSION;
    if ((notice->type == TLOG_LEAF_ORDER && !take_account(&text, notice->account)) ||
        !take_value(&text, "log", notice->log, sizeof notice->log) ||
        !take_number(&text, "entry", &notice->entry) ||
        !take_value(&text, "date", notice->date, sizeof notice->date) ||
        !take_value(&text, "jurisdiction", notice->jurisdiction, sizeof notice->jurisdiction))
        return SOTTO_VALUE;
    const bool good = notice->type == TLOG_LEAF_ORDER
                          ? take_order(&text, notice)
                          : take_value(&text, "on", notice->on, sizeof notice->on) &&
                                take_quoted(&text, "reason", &notice->texts, &notice->reason);
    return good && text.size == 0 ? SOTTO_OK : SOTTO_VALUE;
}

sotto_error tlog_notice_read(sotto_bytes text, const sotto_env *env, struct tlog_notice *notice)
{
    struct tlog_notice read;
    sotto_buf again;
    memset(&read, 0, sizeof read);
    if (text.size > TLOG_NOTICE_MAX)
        return SOTTO_VALUE;
    sotto_buf_init(&read.texts, env);
    sotto_buf_init(&again, env);
    sotto_error error = sotto_buf_reserve(&read.texts, text.size + 16);
    if (error == SOTTO_OK)
        error = take_all(text, &read);
    /* What is written again is the same, or it is not such a text. */
    if (error == SOTTO_OK)
        error = tlog_notice_write(&read, &again);
    if (error == SOTTO_OK && !sotto_bytes_equal(sotto_buf_view(&again), text))
        error = SOTTO_VALUE;
    sotto_buf_free(&again);
    if (error != SOTTO_OK)
        tlog_notice_free(&read);
    else
        *notice = read;
    return error;
}

void tlog_notice_free(struct tlog_notice *notice)
{
    if (notice->texts.env != NULL)
        sotto_buf_free(&notice->texts);
    memset(notice, 0, sizeof *notice);
}

bool tlog_notice_is(sotto_bytes note)
{
    return note.size >= sizeof head - 1 && memcmp(note.data, head, sizeof head - 1) == 0;
}

bool tlog_notice_matches(const struct tlog_notice *notice, const struct tlog_leaf *leaf)
{
    if (notice->type != leaf->type || strcmp(notice->date, leaf->date) != 0 ||
        strcmp(notice->jurisdiction, leaf->jurisdiction) != 0)
        return false;
    if (notice->type != TLOG_LEAF_ORDER)
        return strcmp(notice->on, leaf->on) == 0 && strcmp(notice->reason, leaf->reason) == 0;
    return notice->authority == leaf->authority && notice->outcome == leaf->outcome &&
           notice->phone_number == leaf->phone_number && notice->last_ip == leaf->last_ip;
}
