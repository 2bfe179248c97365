/* The relay's log: one line an event, `time level event key=value ...`, or the same as a JSON
 * object, on standard error.
 *
 * A value is a number or a text of the program itself. There is no way to write bytes that came
 * from a client: so the log never holds an identifier. */
#ifndef RELAY_LOG_H
#define RELAY_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_LEVELS(X)     \
    X(DEBUG, "debug")     \
    X(INFO, "info")       \
    X(WARNING, "warning") \
    X(ERROR, "error")

enum log_level {
#define LOG_LEVEL_ENUM(name, text) LOG_##name,
    LOG_LEVELS(LOG_LEVEL_ENUM)
#undef LOG_LEVEL_ENUM
        LOG_LEVEL_COUNT
};

enum log_format { LOG_TEXT, LOG_JSON };

struct log {
    int fd;
    atomic_uint level; /* what is below is left out; may change at any time */
    enum log_format format;
    bool for_journal;
};

/* A log on fd. Where that is systemd's journal, each line begins with its level as the journal
 * reads it (sd-daemon(3)), so that `journalctl -p warning` finds it; the journal takes it off. */
struct log log_to(int fd, enum log_level level, enum log_format format);

struct log_field {
    const char *key;  /* NULL: the end of the list */
    const char *text; /* static; NULL: the number counts */
    int64_t number;
};

#define LOG_END \
    {           \
        0       \
    }

static inline struct log_field log_number(const char *key, int64_t number)
{
    return (struct log_field){key, 0, number};
}

static inline struct log_field log_text(const char *key, const char *static_text)
{
    return (struct log_field){key, static_text, 0};
}

/* fields: an array ended by LOG_END; NULL: none. Any thread. */
void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields);

/* The development default of handing a code over: the code, and no more of the phone number than
 * its last two digits. */
void log_code(const struct log *log, const char *code, const char *phone);

const char *log_level_name(enum log_level level);

#endif
