#include "relay/log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 512 };

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {
#define NAME(name, text) text,
        LOG_LEVELS(NAME)
#undef NAME
    };
    return names[level];
}

/* systemd names the journal's socket, as standard error may lead elsewhere since. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char name[64];
    struct stat file;
    if (stream == NULL || fstat(fd, &file) != 0)
        return false;
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)file.st_dev, (uintmax_t)file.st_ino);
    return strcmp(stream, name) == 0;
}

struct log log_to(int fd, enum log_level level, enum log_format format)
{
    return (struct log){fd, level, format, is_journal(fd)};
}

struct line {
    char text[LINE];
    size_t size;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    int size = vsnprintf(line->text + line->size, LINE - line->size, format, arguments);
    __builtin_va_end(arguments);
    if (size > 0)
        line->size += (size_t)size;
    if (line->size > LINE - 1)
        line->size = LINE - 1;
}

/* Texts are the program's or the system's own, but may hold what JSON has to escape. */
static void add_quoted(struct line *line, const struct log *log, const char *text)
{
    add(line, "\"");
    for (; *text != '\0'; text++) {
        if (log->format == LOG_JSON && (*text == '"' || *text == '\\'))
            add(line, "\\%c", *text);
        else
            add(line, "%c", (unsigned char)*text < 0x20 ? ' ' : *text);
    }
    add(line, "\"");
}

static void begin(const struct log *log, struct line *line, enum log_level level, const char *event)
{
    char when[32];
    struct tm parts;
    time_t now = time(NULL);
    gmtime_r(&now, &parts);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    line->size = 0;
    if (log->for_journal) {
        static const int priorities[] = {
            [LOG_DEBUG] = 7, [LOG_INFO] = 6, [LOG_WARNING] = 4, [LOG_ERROR] = 3};
        add(line, "<%d>", priorities[level]);
    }
    if (log->format == LOG_JSON)
        add(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"", when, log_level_name(level),
            event);
    else
        add(line, "%s %s %s", when, log_level_name(level), event);
}

static void add_key(const struct log *log, struct line *line, const char *key)
{
    add(line, log->format == LOG_JSON ? ",\"%s\":" : " %s=", key);
}

/* One write a line, so that lines of several threads do not mix. A log that cannot be written is no
 * reason to stop. */
static void finish(const struct log *log, struct line *line)
{
    if (log->format == LOG_JSON)
        add(line, "}");
    if (line->size == LINE - 1)
        line->size--;
    line->text[line->size++] = '\n';
    ssize_t ignored = write(log->fd, line->text, line->size);
    (void)ignored;
}

void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields)
{
    struct line line;
    if (level < atomic_load(&log->level))
        return;
    begin(log, &line, level, event);
    for (; fields != NULL && fields->key != NULL; fields++) {
        add_key(log, &line, fields->key);
        if (fields->text != NULL)
            add_quoted(&line, log, fields->text);
        else
            add(&line, "%lld", (long long)fields->number);
    }
    finish(log, &line);
}

void log_code(const struct log *log, const char *code, const char *phone)
{
    struct line line;
    size_t size = strlen(phone);
    const char *quote = log->format == LOG_JSON ? "\"" : "";
    begin(log, &line, LOG_INFO, "verification_code");
    add_key(log, &line, "code");
    add(&line, "%s%s%s", quote, code, quote);
    add_key(log, &line, "phone_ends");
    add(&line, "%s%s%s", quote, size > 2 ? phone + size - 2 : "", quote);
    finish(log, &line);
}
