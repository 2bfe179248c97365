/* The yearly report, from the log's entries alone. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "order/commands.h"
#include "tlog/report.h"

static bool write_part(const char *folder, const char *name, sotto_bytes bytes)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path) {
        orders_fail("the folder's name is too long");
        return false;
    }
    return orders_write(path, bytes);
}

static int write_report(const struct tlog_report *report, const char *folder)
{
    char page[32];
    sotto_buf csv, html;
    sotto_buf_init(&csv, report->env);
    sotto_buf_init(&html, report->env);
    snprintf(page, sizeof page, "orders-%u.html", report->year);
    int code = EXIT_FAILED;
    if (tlog_report_csv(report, &csv) != SOTTO_OK || tlog_report_html(report, &html) != SOTTO_OK)
        orders_fail("out of memory");
    else if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        orders_fail("%.300s cannot be made: %s", folder, strerror(errno));
    else if (write_part(folder, "3_member_states_orders.csv", sotto_buf_view(&csv)) &&
             write_part(folder, page, sotto_buf_view(&html)))
        code = EXIT_GOOD;
    sotto_buf_free(&csv);
    sotto_buf_free(&html);
    return code;
}

int command_report(struct command_line *line)
{
    struct office *office = line->office;
    const char *year = args_value(line->args, "year"), *folder = args_value(line->args, "out");
    struct records_entries entries = {.records = &office->records};
    struct tlog_checkpoint checkpoint = {.size = 0};
    struct tlog_report report;
    if (year == NULL || strlen(year) != 4 || strspn(year, "0123456789") != 4 || folder == NULL)
        return EXIT_USAGE;
    sotto_buf_init(&entries.entry, office->env);
    sotto_error error = office_checkpoint(office, &checkpoint, NULL);
    if (error == SOTTO_OK)
        error = tlog_report_make(office->key.name, (unsigned)strtoul(year, NULL, 10),
                                 checkpoint.size, records_entry, &entries, office->env, &report);
    sotto_buf_free(&entries.entry);
    if (error != SOTTO_OK)
        return orders_fail_office(office, error);
    int code = write_report(&report, folder);
    tlog_report_free(&report);
    return code;
}
