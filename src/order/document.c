#include "order/document.h"

#include <stdarg.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "order/words.h"
#include "wire/label.h"

/* ---- Times ---------------------------------------------------------------------------------- */

bool order_time_read(const char *text, uint64_t *time_s)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    char date[11];
    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    memcpy(date, text, 10);
    date[10] = '\0';
    struct tm tm = {.tm_year = (int)strtol(text, NULL, 10) - 1900,
                    .tm_mon = (int)strtol(text + 5, NULL, 10) - 1,
                    .tm_mday = (int)strtol(text + 8, NULL, 10),
                    .tm_hour = (int)strtol(text + 11, NULL, 10),
                    .tm_min = (int)strtol(text + 14, NULL, 10),
                    .tm_sec = (int)strtol(text + 17, NULL, 10)};
    if (!tlog_is_date(date) || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
        return false;
    *time_s = (uint64_t)timegm(&tm);
    return true;
}

void order_time_write(uint64_t time_s, char text[static ORDER_TIME_TEXT])
{
    const time_t time = (time_t)time_s;
    struct tm tm;
    if (time_s > INT32_MAX * UINT64_C(100) || gmtime_r(&time, &tm) == NULL ||
        strftime(text, ORDER_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) != ORDER_TIME_TEXT - 1)
        memcpy(text, "9999-12-31T23:59:59Z", ORDER_TIME_TEXT);
}

/* ---- Reading, with the first failure kept --------------------------------------------------- */

struct reading {
    char *problem; /* empty: good so far */
};

__attribute__((format(printf, 2, 3))) static void fail(struct reading *reading, const char *format,
                                                       ...)
{
    va_list args;
    if (reading->problem[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(reading->problem, ORDER_PROBLEM_MAX, format, args);
    va_end(args);
}

/* Whether an object has no member but these, whose names are separated by spaces. */
static void only(struct reading *reading, const json_t *object, const char *where,
                 const char *names)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!words_have(names, key))
            fail(reading, "%s has a member \"%.60s\", which this relay does not understand", where,
                 key);
    }
}

/* A string of 1 to most bytes without control characters but newline; "" after a failure. */
static const char *text(struct reading *reading, const json_t *object, const char *where,
                        const char *name, size_t most)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL) {
        fail(reading, "%s lacks \"%s\"", where, name);
        return "";
    }
    const char *string = json_string_value(value);
    const size_t size = json_string_length(value);
    if (string == NULL || size == 0 || size > most || strlen(string) != size) {
        fail(reading, "%s.%s is not a text of 1 to %zu bytes", where, name, most);
        return "";
    }
    for (size_t i = 0; i < size; i++)
        if (((uint8_t)string[i] < 0x20 && string[i] != '\n') || string[i] == 0x7F) {
            fail(reading, "%s.%s has a control character", where, name);
            return "";
        }
    return string;
}

static const json_t *object_in(struct reading *reading, const json_t *object, const char *where,
                               const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_object(value)) {
        fail(reading, "%s.%s is not there, or no object", where, name);
        return NULL;
    }
    return value;
}

static uint64_t time_in(struct reading *reading, const json_t *object, const char *where,
                        const char *name)
{
    uint64_t time_s = 0;
    const char *string = text(reading, object, where, name, ORDER_TIME_TEXT);
    if (reading->problem[0] == '\0' && !order_time_read(string, &time_s))
        fail(reading, "%s.%s is not a time like 2026-11-26T10:00:00Z", where, name);
    return time_s;
}

static enum tlog_authority kind_in(struct reading *reading, const json_t *object, const char *where)
{
    const char *name = text(reading, object, where, "kind", 32);
    const enum tlog_authority kind = tlog_authority_named(sotto_bytes_str(name));
    if (kind < TLOG_AUTHORITY_COURT)
        fail(reading, "%s.kind is none of court, prosecutor, police, administrative", where);
    return kind;
}

/* ---- The parts ------------------------------------------------------------------------------ */

static void read_issuer(struct reading *reading, struct order_document *document)
{
    const json_t *issuer = object_in(reading, document->root, "the order", "issuer");
    if (issuer == NULL)
        return;
    only(reading, issuer, "issuer", "name kind jurisdiction");
    document->issuer = text(reading, issuer, "issuer", "name", 256);
    document->issuer_kind = kind_in(reading, issuer, "issuer");
    document->jurisdiction = text(reading, issuer, "issuer", "jurisdiction", TLOG_JURISDICTION_MAX);
    if (!tlog_is_jurisdiction(sotto_bytes_str(document->jurisdiction)))
        fail(reading, "issuer.jurisdiction is no code like DE or EU");
    const json_t *validator = json_object_get(document->root, "validatedBy");
    if (validator == NULL)
        return;
    if (!json_is_object(validator)) {
        fail(reading, "validatedBy is no object");
        return;
    }
    only(reading, validator, "validatedBy", "name kind");
    document->validator = text(reading, validator, "validatedBy", "name", 256);
    document->validator_kind = kind_in(reading, validator, "validatedBy");
}

static void read_recipient(struct reading *reading, struct order_document *document)
{
    static const char *const names[] = {"phone", "username", "account"};
    const json_t *recipient = object_in(reading, document->root, "the order", "recipient");
    if (recipient == NULL)
        return;
    only(reading, recipient, "recipient", "phone username account");
    if (json_object_size(recipient) != 1) {
        fail(reading, "recipient names not exactly one person, by phone, username or account");
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(recipient, names[i]) != NULL) {
            document->recipient_kind = (enum order_recipient)(i + 1);
            document->recipient = text(reading, recipient, "recipient", names[i], 64);
        }
    if (document->recipient == NULL)
        return;
    const sotto_bytes name = sotto_bytes_str(document->recipient);
    if (document->recipient_kind == ORDER_BY_PHONE && !phone_is_valid(name))
        fail(reading, "recipient.phone is no number like +4930123456");
    /* "unknown recipient" would mislead: nobody can have that name. */
    if (document->recipient_kind == ORDER_BY_USERNAME && !username_is_valid(name))
        fail(reading,
             "recipient.username is none that there can be: %d to %d of a-z, 0-9 and single"
             " _ . - between them, beginning with a letter",
             USERNAME_MIN, USERNAME_MAX);
    if (document->recipient_kind == ORDER_BY_ACCOUNT &&
        (strlen(document->recipient) != 64 ||
         strspn(document->recipient, "0123456789abcdef") != 64))
        fail(reading, "recipient.account is not 64 hexadecimal digits");
}

static void read_asked(struct reading *reading, struct order_document *document)
{
    const json_t *data = json_object_get(document->root, "data");
    const size_t count = json_array_size(data);
    if (!json_is_array(data) || count == 0 || count > ORDER_ASKED_MAX) {
        fail(reading, "data is no list of 1 to %d things that are asked for", ORDER_ASKED_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(data, i);
        const char *string = json_string_value(value);
        const size_t size = json_string_length(value);
        if (string == NULL || size == 0 || size > 64 || strlen(string) != size ||
            strpbrk(string, "\n\r\t\x7f\x1b") != NULL) {
            fail(reading, "data[%zu] is not a text of 1 to 64 bytes", i);
            return;
        }
        if (order_asks_for(document, string)) {
            fail(reading, "data names \"%s\" twice", string);
            return;
        }
        document->asked[document->asked_count++] = string;
    }
}

static void read_reasons(struct reading *reading, struct order_document *document)
{
    const json_t *reasons = json_object_get(document->root, "reasons");
    if (json_is_object(reasons)) {
        only(reading, reasons, "reasons", "withheld");
        document->reasons = text(reading, reasons, "reasons", "withheld", 4000);
        document->reasons_withheld = true;
    } else {
        document->reasons = text(reading, document->root, "the order", "reasons", 16000);
    }
}

static void read_times(struct reading *reading, struct order_document *document)
{
    const json_t *period = json_object_get(document->root, "period");
    document->issued_s = time_in(reading, document->root, "the order", "issued");
    if (json_object_get(document->root, "confidentialUntil") != NULL)
        document->confidential_until_s =
            time_in(reading, document->root, "the order", "confidentialUntil");
    if (period == NULL)
        return;
    if (!json_is_object(period)) {
        fail(reading, "period is no object");
        return;
    }
    only(reading, period, "period", "from to");
    document->has_period = true;
    document->period_from_s = time_in(reading, period, "period", "from");
    document->period_to_s = time_in(reading, period, "period", "to");
    if (document->period_from_s > document->period_to_s)
        fail(reading, "period ends before it begins");
}

static void read_framework(struct reading *reading, struct order_document *document)
{
    static const char *const names[] = {"dsa", "e-evidence", "national"};
    const char *name = text(reading, document->root, "the order", "framework", 32);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            document->framework = (enum order_framework)(i + 1);
    if (document->framework == 0)
        fail(reading, "framework is none of dsa, e-evidence, national");
}

sotto_error order_document_read(sotto_bytes json, struct order_document *document,
                                char problem[static ORDER_PROBLEM_MAX])
{
    struct reading reading = {problem};
    struct order_document read = {0};
    json_error_t error;
    problem[0] = '\0';
    if (json.size > ORDER_DOCUMENT_MAX) {
        fail(&reading, "the order is larger than %d bytes", ORDER_DOCUMENT_MAX);
        return SOTTO_VALUE;
    }
    read.root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(read.root)) {
        if (read.root == NULL)
            fail(&reading, "the order is not JSON: line %d: %s", error.line, error.text);
        else
            fail(&reading, "the order is no JSON object");
        json_decref(read.root);
        return SOTTO_VALUE;
    }
    only(&reading, read.root, "the order",
         "sotto version reference framework legalBasis issuer validatedBy recipient reasons redress"
         " answerTo data period language issued confidentialUntil");
    if (strcmp(text(&reading, read.root, "the order", "sotto", 16), "order") != 0)
        fail(&reading, "the order's member \"sotto\" is not \"order\"");
    const json_t *version = json_object_get(read.root, "version");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        fail(&reading, "the order's version is not 1");
    read.reference = text(&reading, read.root, "the order", "reference", 128);
    if (strchr(read.reference, '\n') != NULL)
        fail(&reading, "the order's reference is more than one line");
    read_framework(&reading, &read);
    read.legal_basis = text(&reading, read.root, "the order", "legalBasis", 4000);
    read_issuer(&reading, &read);
    read_recipient(&reading, &read);
    read_reasons(&reading, &read);
    read.redress = text(&reading, read.root, "the order", "redress", 4000);
    const json_t *answer_to = object_in(&reading, read.root, "the order", "answerTo");
    if (answer_to != NULL) {
        only(&reading, answer_to, "answerTo", "name address");
        read.answer_to = text(&reading, answer_to, "answerTo", "name", 256);
        read.answer_address = text(&reading, answer_to, "answerTo", "address", 1000);
    }
    read_asked(&reading, &read);
    read.language = text(&reading, read.root, "the order", "language", 35);
    read_times(&reading, &read);
    if (problem[0] != '\0') {
        order_document_free(&read);
        return SOTTO_VALUE;
    }
    *document = read;
    return SOTTO_OK;
}

void order_document_free(struct order_document *document)
{
    json_decref(document->root);
    memset(document, 0, sizeof *document);
}

bool order_asks_for(const struct order_document *document, const char *field)
{
    for (size_t i = 0; i < document->asked_count; i++)
        if (strcmp(document->asked[i], field) == 0)
            return true;
    return false;
}
