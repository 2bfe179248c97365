/* Leaving a jurisdiction: who is affected, announcing, taking it back, and whether it is done. */
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "base/text.h"
#include "order/affected.h"
#include "order/commands.h"
#include "order/places.h"
#include "order/withdraw.h"

enum { SOON_DAYS = 30 };

/* ---- What is meant -------------------------------------------------------------------------- */

/* Calls take with each part of a text between commas. False: it said what is wrong. */
static bool each_part(struct withdrawal *withdrawal, const char *text, const char *option,
                      bool (*take)(struct withdrawal *withdrawal, const char *part))
{
    char part[64];
    for (const char *at = text;; at++) {
        const size_t size = strcspn(at, ",");
        if (size < sizeof part)
            memcpy(part, at, size);
        part[size < sizeof part ? size : 0] = '\0';
        if (!take(withdrawal, part)) {
            orders_fail("--%s takes no \"%.60s\"", option, part);
            return false;
        }
        at += size;
        if (*at == '\0')
            return true;
    }
}

static bool take_prefix(struct withdrawal *withdrawal, const char *part)
{
    for (size_t i = 0; i < withdrawal->range_count; i++)
        if (strcmp(withdrawal->ranges[i].low, part) == 0)
            return false; /* twice */
    return places_add_prefix(withdrawal, part) == SOTTO_OK;
}

static bool take_label(struct withdrawal *withdrawal, const char *part)
{
    if (withdrawal->label_count == WITHDRAWAL_LABELS_MAX ||
        !tlog_is_jurisdiction(sotto_bytes_str(part)))
        return false;
    for (size_t i = 0; i < withdrawal->label_count; i++)
        if (strcmp(withdrawal->labels[i], part) == 0)
            return false;
    memcpy(withdrawal->labels[withdrawal->label_count++], part, strlen(part) + 1);
    return true;
}

static bool read_day(struct withdrawal *withdrawal, const char *on, uint64_t now_s)
{
    if (on == NULL || !tlog_is_date(on)) {
        orders_fail("--on takes a day like 2027-03-01");
        return false;
    }
    memcpy(withdrawal->on, on, sizeof withdrawal->on);
    if (withdrawal_on_s(withdrawal) > now_s)
        return true;
    orders_fail("%s has come already: people need time to move", on);
    return false;
}

/* Whom it concerns, when, and why. False: it said what is wrong. */
static bool read_plan(const struct args *args, uint64_t now_s, struct withdrawal *withdrawal)
{
    const char *jurisdiction = args_value(args, "jurisdiction");
    const char *prefixes = args_value(args, "phone-prefix"), *labels = args_value(args, "label");
    memset(withdrawal, 0, sizeof *withdrawal);
    snprintf(withdrawal->jurisdiction, sizeof withdrawal->jurisdiction, "%s", jurisdiction);
    if (!read_day(withdrawal, args_value(args, "on"), now_s))
        return false;
    if (prefixes != NULL ? !each_part(withdrawal, prefixes, "phone-prefix", take_prefix)
                         : places_add(withdrawal, jurisdiction) == SOTTO_LIMIT)
        return false;
    return each_part(withdrawal, labels != NULL ? labels : jurisdiction, "label", take_label);
}

static const char *reason_of(const struct args *args)
{
    const char *reason = args_value(args, "reason");
    const sotto_bytes text = sotto_bytes_str(reason != NULL ? reason : "");
    if (text.size > 0 && text.size <= TLOG_LEAF_REASON_MAX && text_is_utf8(text) &&
        text_is_line(text))
        return reason;
    orders_fail("--reason takes a line of at most %d bytes, which everybody can read",
                TLOG_LEAF_REASON_MAX);
    return NULL;
}

/* ---- Who is affected ------------------------------------------------------------------------ */

static void print_account(void *ctx, const uint8_t account[static 32])
{
    char hex[65];
    (void)ctx;
    sodium_bin2hex(hex, sizeof hex, account, 32);
    printf("  %s\n", hex);
}

static void print_whom(const struct withdrawal *withdrawal, const struct args *args)
{
    const bool given = args_value(args, "phone-prefix") != NULL;
    if (given)
        printf("Numbers   that begin with %s\n", args_value(args, "phone-prefix"));
    else if (withdrawal->range_count > 0)
        printf("Numbers   of %s, by the country codes of ITU-T E.164\n", withdrawal->jurisdiction);
    else
        printf("Numbers   none: no country code is known for %s (--phone-prefix names some)\n",
               withdrawal->jurisdiction);
    printf("Labels    ");
    for (size_t i = 0; i < withdrawal->label_count; i++)
        printf("%s%s", i == 0 ? "" : ", ", withdrawal->labels[i]);
    printf("\n");
    if (!given)
        places_explain(withdrawal->jurisdiction, stdout);
}

static int count(struct command_line *line, const struct withdrawal *withdrawal,
                 struct affected *affected)
{
    struct affected_door door = {0};
    char problem[ORDER_PROBLEM_MAX];
    const bool all = args_has(line->args, "accounts");
    if (affected_open(line->office->database, AFFECTED_WHO, &door, problem) != SOTTO_OK)
        return orders_fail("%s", problem);
    const sotto_error error =
        affected_count(&door, withdrawal, all ? print_account : NULL, NULL, affected);
    affected_close(&door);
    return error == SOTTO_OK ? EXIT_GOOD
                             : orders_fail("the relay's database cannot be read: if it was made by "
                                           "an older sottod, start this one once");
}

static void print_affected(const struct withdrawal *withdrawal, const struct affected *affected,
                           uint64_t now_s)
{
    const uint64_t days = (withdrawal_on_s(withdrawal) - now_s) / 86400;
    printf("Accounts  %" PRIu64 " are affected: %" PRIu64 " by their phone number, %" PRIu64
           " by their label\n",
           affected->by_phone + affected->by_label, affected->by_phone, affected->by_label);
    printf("          %" PRIu64 " are not", affected->others);
    if (affected->nowhere > 0)
        printf("; %" PRIu64 " of these have neither a number nor a label, so nothing tells where "
               "they are",
               affected->nowhere);
    printf("\nDay       %s, 00:00 UTC, in %" PRIu64 " days\n", withdrawal->on, days);
    if (days < SOON_DAYS)
        printf("          People who look in once a month will not have heard of it.\n");
}

/* ---- Announcing ----------------------------------------------------------------------------- */

static int announce(struct office *office, struct withdrawal *withdrawal, const char *reason)
{
    struct withdrawal_record record;
    memset(&record, 0, sizeof record);
    sotto_buf_init(&record.file, office->env);
    const sotto_error error = withdraw_announce(office, withdrawal, reason, &record);
    int code = error == SOTTO_OK ? orders_publish(office) : orders_fail_office(office, error);
    if (code == EXIT_GOOD)
        printf("Announced: entry %" PRId64
               " of the log. The accounts are told by the relay, at once "
               "or when it runs, and so is\nwhoever comes until the day. On the day the relay ends "
               "registration and sign-in there and erases the accounts.\nUntil then: sottod "
               "withdraw --jurisdiction %s --cancel --reason TEXT\n",
               record.leaf, record.jurisdiction);
    sotto_buf_free(&record.file);
    return code;
}

static int cancel(struct command_line *line)
{
    struct office *office = line->office;
    struct withdrawal_record record;
    const char *jurisdiction = args_value(line->args, "jurisdiction");
    const char *reason = reason_of(line->args);
    if (reason == NULL)
        return EXIT_USAGE;
    memset(&record, 0, sizeof record);
    sotto_buf_init(&record.file, office->env);
    const sotto_error error = withdraw_return(office, jurisdiction, reason, &record);
    int code = error == SOTTO_STATE ? EXIT_REFUSED : EXIT_FAILED;
    if (error != SOTTO_OK)
        orders_fail_office(office, error);
    else
        code = orders_publish(office);
    if (code == EXIT_GOOD)
        printf("The relay stays: entry %" PRId64
               " of the log. Those who were told that it leaves are "
               "told that, too.\n",
               record.end_leaf);
    sotto_buf_free(&record.file);
    return code;
}

int command_withdraw(struct command_line *line)
{
    const struct args *args = line->args;
    const bool now = args_has(args, "announce"), dry = args_has(args, "dry-run");
    const char *jurisdiction = args_value(args, "jurisdiction"), *reason;
    const uint64_t now_s = line->office->env->now(line->office->env->ctx);
    struct affected affected = {0};
    if (args->count != 1 || jurisdiction == NULL || (now && dry) ||
        (args_has(args, "cancel") && (now || dry)))
        return EXIT_USAGE;
    if (!tlog_is_jurisdiction(sotto_bytes_str(jurisdiction)))
        return orders_fail("--jurisdiction takes a code like DE");
    if (args_has(args, "cancel"))
        return cancel(line);
    struct withdrawal *withdrawal = mem_alloc(line->office->env, sizeof *withdrawal);
    if (withdrawal == NULL)
        return orders_fail("out of memory");
    int code = EXIT_USAGE;
    if (read_plan(args, now_s, withdrawal) && (reason = reason_of(args)) != NULL) {
        print_whom(withdrawal, args);
        code = count(line, withdrawal, &affected);
        if (code == EXIT_GOOD)
            print_affected(withdrawal, &affected, now_s);
        if (code == EXIT_GOOD && now)
            code = announce(line->office, withdrawal, reason);
        else if (code == EXIT_GOOD)
            printf("Nothing is changed. To announce it: the same with --announce\n");
    }
    mem_free(line->office->env, withdrawal, sizeof *withdrawal);
    return code;
}

/* ---- Looking back --------------------------------------------------------------------------- */

/* Calls each with all records; EXIT_GOOD or the largest code that it returns. */
static int each_record(struct command_line *line,
                       int (*each)(struct command_line *line,
                                   const struct withdrawal_record *record))
{
    struct office *office = line->office;
    struct withdrawal_record record;
    int code = EXIT_GOOD;
    memset(&record, 0, sizeof record);
    sotto_buf_init(&record.file, office->env);
    sotto_error error = SOTTO_OK;
    for (size_t i = 0; error == SOTTO_OK; i++) {
        error = records_withdrawal_get(&office->records, i, &record);
        const int one = error == SOTTO_OK ? each(line, &record) : EXIT_GOOD;
        code = one > code ? one : code;
    }
    sotto_buf_free(&record.file);
    return error == SOTTO_NOT_FOUND ? code : orders_fail_office(office, error);
}

static void print_time(uint64_t time_s)
{
    char time[ORDER_TIME_TEXT];
    order_time_write(time_s, time);
    printf("%.10s", time);
}

static int print_record(struct command_line *line, const struct withdrawal_record *record)
{
    (void)line;
    printf("%s on %s: announced on ", record->jurisdiction, record->on);
    print_time(record->announced_s);
    printf(" (entry %" PRId64 "): ", record->leaf);
    orders_print(stdout, record->reason);
    putchar('\n');
    switch (record->stage) {
    case WITHDRAWAL_STAGE_ANNOUNCED:
        printf("  The relay does it on that day.\n");
        break;
    case WITHDRAWAL_STAGE_RETURNING:
        printf(
            "  It was taken back as the day came. Which of the two counts the relay says when it "
            "runs.\n");
        break;
    case WITHDRAWAL_STAGE_STAYING:
        printf("  Taken back on ");
        print_time(record->ended_s);
        printf(" (entry %" PRId64 "): ", record->end_leaf);
        orders_print(stdout, record->end_reason);
        putchar('\n');
        break;
    case WITHDRAWAL_STAGE_LEFT:
        printf("  Left; %" PRIu64 " accounts were erased on ", record->accounts);
        print_time(record->ended_s);
        printf(" (entry %" PRId64 ").\n", record->end_leaf);
        break;
    }
    return EXIT_GOOD;
}

int command_withdraw_list(struct command_line *line)
{
    return each_record(line, print_record);
}

static void print_rows(const struct affected_rows *rows)
{
    for (size_t i = 0; i < AFFECTED_TABLES; i++)
        if (rows->tables[i].rows > 0)
            printf("  %s: %" PRIu64 " rows\n", rows->tables[i].name, rows->tables[i].rows);
}

/* Whether the day has come, and if so what is left. */
static int check_record(struct command_line *line, const struct withdrawal_record *record)
{
    struct office *office = line->office;
    struct affected_door door = {0};
    struct affected_rows rows;
    char problem[ORDER_PROBLEM_MAX];
    if (record->stage == WITHDRAWAL_STAGE_STAYING)
        return EXIT_GOOD;
    struct withdrawal *withdrawal = mem_alloc(office->env, sizeof *withdrawal);
    int code = EXIT_GOOD;
    if (withdrawal == NULL ||
        withdrawal_read(sotto_buf_view(&record->file), withdrawal) != SOTTO_OK)
        code = orders_fail("the record of the withdrawal from %s cannot be read",
                           record->jurisdiction);
    else if (withdrawal_on_s(withdrawal) > office->env->now(office->env->ctx))
        printf("%s: the day is %s.\n", record->jurisdiction, record->on);
    else if (affected_open(office->database, AFFECTED_ROWS, &door, problem) != SOTTO_OK)
        code = orders_fail("%s", problem);
    else if (affected_rows(&door, withdrawal, &rows) != SOTTO_OK)
        code = orders_fail("the relay's database cannot be read");
    else if (rows.all == 0 && record->stage == WITHDRAWAL_STAGE_LEFT)
        printf("%s: no row is left of an account there, in %d tables.\n", record->jurisdiction,
               AFFECTED_TABLES);
    else {
        printf("%s: it is not done, %" PRIu64 " rows are left. The relay does it when it runs.\n",
               record->jurisdiction, rows.all);
        print_rows(&rows);
        code = EXIT_REFUSED;
    }
    affected_close(&door);
    mem_free(office->env, withdrawal, sizeof *withdrawal);
    return code;
}

int command_withdraw_check(struct command_line *line)
{
    return each_record(line, check_record);
}
