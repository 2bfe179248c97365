#include "tlog/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/print.h"

/* ---- Counting ------------------------------------------------------------------------------- */

/* What medians need of one order. */
struct timing {
    char jurisdiction[TLOG_JURISDICTION_MAX + 1];
    uint64_t acknowledged_s, answered_s;
};

struct timings {
    sotto_buf orders; /* of struct timing */
    size_t count;
};

static const struct timing *timing_at(const struct timings *timings, size_t at)
{
    return (const struct timing *)(const void *)timings->orders.data + at;
}

static sotto_error add_timing(struct timings *timings, const struct tlog_leaf *leaf)
{
    struct timing timing;
    memset(&timing, 0, sizeof timing);
    memcpy(timing.jurisdiction, leaf->jurisdiction, sizeof timing.jurisdiction);
    timing.acknowledged_s = leaf->acknowledged_s;
    timing.answered_s = leaf->answered_s;
    timings->count++;
    return sotto_buf_append(&timings->orders, (const uint8_t *)&timing, sizeof timing);
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The medians of one row; jurisdiction NULL: of all. sorted: room for a number an order. */
static void set_medians(const struct timings *timings, const char *jurisdiction, uint64_t *sorted,
                        struct tlog_report_row *row)
{
    for (size_t answered = 0; answered < 2; answered++) {
        size_t count = 0;
        for (size_t i = 0; i < timings->count; i++) {
            const struct timing *timing = timing_at(timings, i);
            if (jurisdiction == NULL || strcmp(timing->jurisdiction, jurisdiction) == 0)
                sorted[count++] = answered ? timing->answered_s : timing->acknowledged_s;
        }
        if (count == 0)
            return;
        qsort(sorted, count, sizeof *sorted, compare_numbers);
        *(answered ? &row->answered_s : &row->acknowledged_s) = sorted[(count - 1) / 2];
    }
}

static sotto_error make_medians(const struct timings *timings, struct tlog_report *report)
{
    if (timings->count == 0)
        return SOTTO_OK;
    uint64_t *sorted = mem_alloc(report->env, timings->count * sizeof *sorted);
    if (sorted == NULL)
        return SOTTO_NO_MEMORY;
    set_medians(timings, NULL, sorted, &report->all);
    for (size_t i = 0; i < report->count; i++)
        set_medians(timings, report->rows[i].jurisdiction, sorted, &report->rows[i]);
    mem_free(report->env, sorted, timings->count * sizeof *sorted);
    return SOTTO_OK;
}

static void count_leaf(struct tlog_report_row *row, const struct tlog_leaf *leaf)
{
    row->orders++;
    row->outcomes[leaf->outcome]++;
    row->authorities[leaf->authority]++;
    row->phone_numbers += leaf->phone_number;
    row->last_ips += leaf->last_ip;
}

/* The row of a jurisdiction, made where it belongs if it is not there. */
static struct tlog_report_row *row_of(struct tlog_report *report, const char *jurisdiction)
{
    size_t at = 0;
    while (at < report->count && strcmp(report->rows[at].jurisdiction, jurisdiction) < 0)
        at++;
    if (at < report->count && strcmp(report->rows[at].jurisdiction, jurisdiction) == 0)
        return &report->rows[at];
    if (report->count == TLOG_REPORT_PLACES_MAX)
        return NULL;
    memmove(&report->rows[at + 1], &report->rows[at], (report->count - at) * sizeof *report->rows);
    memset(&report->rows[at], 0, sizeof *report->rows);
    memcpy(report->rows[at].jurisdiction, jurisdiction, strlen(jurisdiction) + 1);
    report->count++;
    return &report->rows[at];
}

static sotto_error take_entry(struct tlog_report *report, sotto_bytes entry,
                              struct timings *timings)
{
    struct tlog_leaf leaf;
    if (tlog_leaf_read(entry, &leaf) != SOTTO_OK || strtoul(leaf.date, NULL, 10) != report->year)
        return SOTTO_OK;
    if (leaf.type != TLOG_LEAF_ORDER) {
        report->withdrawals += leaf.type == TLOG_LEAF_WITHDRAWAL;
        return SOTTO_OK;
    }
    struct tlog_report_row *row = row_of(report, leaf.jurisdiction);
    if (row == NULL)
        return SOTTO_LIMIT;
    count_leaf(row, &leaf);
    count_leaf(&report->all, &leaf);
    report->months[strtoul(leaf.date + 5, NULL, 10) - 1]++;
    return add_timing(timings, &leaf);
}

sotto_error tlog_report_make(const char *origin, unsigned year, uint64_t size,
                             tlog_report_entry_fn *entry, void *ctx, const sotto_env *env,
                             struct tlog_report *report)
{
    struct timings timings = {.count = 0};
    sotto_error error = SOTTO_OK;
    memset(report, 0, sizeof *report);
    report->env = env;
    report->year = year;
    snprintf(report->origin, sizeof report->origin, "%s", origin);
    report->rows = mem_alloc(env, TLOG_REPORT_PLACES_MAX * sizeof *report->rows);
    if (report->rows == NULL)
        return SOTTO_NO_MEMORY;
    sotto_buf_init(&timings.orders, env);
    for (uint64_t i = 0; error == SOTTO_OK && i < size; i++) {
        sotto_bytes bytes;
        error = entry(ctx, i, &bytes);
        if (error == SOTTO_OK)
            error = take_entry(report, bytes, &timings);
    }
    if (error == SOTTO_OK)
        error = make_medians(&timings, report);
    sotto_buf_free(&timings.orders);
    if (error != SOTTO_OK)
        tlog_report_free(report);
    return error;
}

void tlog_report_free(struct tlog_report *report)
{
    if (report->rows != NULL)
        mem_free(report->env, report->rows, TLOG_REPORT_PLACES_MAX * sizeof *report->rows);
    memset(report, 0, sizeof *report);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Hours with two digits, in whole numbers: the same on every machine. */
struct hours {
    char text[32];
};
static struct hours hours(uint64_t seconds)
{
    struct hours hours;
    const uint64_t hundredths = seconds / 36;
    snprintf(hours.text, sizeof hours.text, "%" PRIu64 ".%02u", hundredths / 100,
             (unsigned)(hundredths % 100));
    return hours;
}

static sotto_error put_csv_row(const struct tlog_report *report, const struct tlog_report_row *row,
                               const char *category, const char *scope, sotto_buf *out)
{
    return buf_print(out,
                     "All,%s,%u-01-01/%u-12-31,%s,,%s,0,0,,,%" PRIu64 ",%s,%s,,,,,"
                     "\"answered %" PRIu64 "; not held %" PRIu64 "; unknown recipient %" PRIu64
                     "; refused %" PRIu64 "; phone numbers given %" PRIu64
                     "; last IP addresses given %" PRIu64 "\",,\r\n",
                     report->origin, report->year, report->year, category, scope, row->orders,
                     row->orders > 0 ? hours(row->acknowledged_s).text : "",
                     row->orders > 0 ? hours(row->answered_s).text : "",
                     row->outcomes[TLOG_ANSWERED], row->outcomes[TLOG_NOT_HELD],
                     row->outcomes[TLOG_UNKNOWN_RECIPIENT], row->outcomes[TLOG_REFUSED],
                     row->phone_numbers, row->last_ips);
}

/* An order to provide information names no category of content. */
static sotto_error put_csv_rows(const struct tlog_report *report, const struct tlog_report_row *row,
                                const char *scope, sotto_buf *out)
{
    TRY(put_csv_row(report, row, "TOTAL", scope, out));
    return put_csv_row(report, row, "STATEMENT_CATEGORY_NOT_SPECIFIED_ORDER", scope, out);
}

sotto_error tlog_report_csv(const struct tlog_report *report, sotto_buf *out)
{
    TRY(buf_print(
        out, "Applicability,Service,Reporting period,Category of illegal content,"
             "\"Description of the sub-category \"\"Other\"\"\",Scope,"
             "Number of orders to act against illegal content received,"
             "Number of specific items of information included in the total number of orders to"
             " act against illegal content,"
             "Median time to inform the authority of the receipt of the order to act against"
             " illegal content,"
             "Median time to give effect to the order to act against illegal content,"
             "Number of orders to provide information,"
             "Median time to inform the authority of the receipt of the order to provide"
             " information,"
             "Median time to give effect to the order to provide information,"));
    TRY(buf_print(
        out,
        "Contextual information on number of orders to act against illegal content received,"
        "Contextual information on number of specific items of information included in the total"
        " number of orders to act against illegal content,"
        "Contextual information on Median time to inform the authority of the receipt of the"
        " order to act against illegal content,"
        "Contextual information on Median time to give effect to the order to act against illegal"
        " content,"
        "Contextual information on Number of orders to provide information,"
        "Contextual information on Median time to inform the authority of the receipt of the"
        " order to provide information,"
        "Contextual information on Median time to give effect to the order to provide"
        " information\r\n"));
    TRY(put_csv_rows(report, &report->all, "TOTAL", out));
    for (size_t i = 0; i < report->count; i++)
        TRY(put_csv_rows(report, &report->rows[i], report->rows[i].jurisdiction, out));
    return SOTTO_OK;
}

/* Bars of the months, drawn as SVG; the numbers are beside them for those who cannot see it. */
static sotto_error put_chart(const struct tlog_report *report, sotto_buf *out)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    uint64_t most = 1;
    for (size_t i = 0; i < 12; i++)
        most = report->months[i] > most ? report->months[i] : most;
    TRY(buf_print(out,
                  "<svg viewBox=\"0 0 600 180\" role=\"img\" aria-label=\"Orders by month\">\n"));
    for (unsigned i = 0; i < 12; i++) {
        const unsigned height = (unsigned)(report->months[i] * 130 / most);
        TRY(buf_print(out,
                      "<rect x=\"%u\" y=\"%u\" width=\"34\" height=\"%u\"/>"
                      "<text x=\"%u\" y=\"%u\">%" PRIu64
                      "</text><text x=\"%u\" y=\"172\">%s</text>\n",
                      8 + i * 50, 155 - height, height, 25 + i * 50, 149 - height,
                      report->months[i], 25 + i * 50, names[i]));
    }
    return buf_print(out, "</svg>\n");
}

static sotto_error put_html_row(const struct tlog_report_row *row, const char *name, sotto_buf *out)
{
    return buf_print(out,
                     "<tr><th scope=\"row\">%s</th><td>%" PRIu64 "</td><td>%" PRIu64
                     "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
                     "</td><td>%" PRIu64 "</td><td>%s</td><td>%s</td></tr>\n",
                     name, row->orders, row->outcomes[TLOG_ANSWERED], row->phone_numbers,
                     row->last_ips, row->outcomes[TLOG_NOT_HELD],
                     row->outcomes[TLOG_UNKNOWN_RECIPIENT], row->outcomes[TLOG_REFUSED],
                     row->orders > 0 ? hours(row->acknowledged_s).text : "",
                     row->orders > 0 ? hours(row->answered_s).text : "");
}

/* The origin is a name that an operator chose. */
static sotto_error put_escaped(const char *text, sotto_buf *out)
{
    for (; *text != '\0'; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        TRY(entity != NULL ? buf_print(out, "%s", entity)
                           : sotto_buf_append(out, (const uint8_t *)text, 1));
    }
    return SOTTO_OK;
}

sotto_error tlog_report_html(const struct tlog_report *report, sotto_buf *out)
{
    const struct tlog_report_row *all = &report->all;
    TRY(buf_print(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"
        " 'unsafe-inline'\">\n<title>Lawful orders in %u</title>\n<style>\n"
        "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;"
        "color:#1a1a1a;background:#fff}\n"
        "table{border-collapse:collapse;width:100%%}\n"
        "th,td{border-bottom:1px solid #ccc;padding:.3em .5em;text-align:right}\n"
        "th:first-child{text-align:left}\n"
        "svg{width:100%%;max-width:40em}rect{fill:#2b5f8a}text{font-size:12px;"
        "text-anchor:middle}\n</style>\n</head>\n<body>\n",
        report->year));
    TRY(buf_print(out, "<h1>Lawful orders in %u</h1>\n<p>Relay: ", report->year));
    TRY(put_escaped(report->origin, out));
    TRY(buf_print(
        out,
        "</p>\n<p>In this year the relay decided <strong>%" PRIu64
        "</strong> orders. It gave a phone number <strong>%" PRIu64
        "</strong> times and a last IP address <strong>%" PRIu64
        "</strong> times. It has never been able to give a message, a file, a contact or a"
        " group: it holds none that it can read.</p>\n<h2>Orders by month</h2>\n",
        all->orders, all->phone_numbers, all->last_ips));
    TRY(put_chart(report, out));
    TRY(buf_print(
        out, "<h2>By jurisdiction</h2>\n<table>\n<thead><tr><th scope=\"col\">Jurisdiction</th>"
             "<th scope=\"col\">Orders</th><th scope=\"col\">Answered</th>"
             "<th scope=\"col\">Phone numbers</th><th scope=\"col\">IP addresses</th>"
             "<th scope=\"col\">Not held</th><th scope=\"col\">No such account</th>"
             "<th scope=\"col\">Refused</th><th scope=\"col\">Hours to acknowledge</th>"
             "<th scope=\"col\">Hours to decide</th></tr></thead>\n<tbody>\n"));
    for (size_t i = 0; i < report->count; i++)
        TRY(put_html_row(&report->rows[i], report->rows[i].jurisdiction, out));
    TRY(put_html_row(all, "All", out));
    TRY(buf_print(out, "</tbody>\n</table>\n<h2>By kind of authority</h2>\n<ul>\n"));
    for (enum tlog_authority kind = TLOG_AUTHORITY_UNKNOWN; kind <= TLOG_AUTHORITY_ADMINISTRATIVE;
         kind++)
        TRY(buf_print(out, "<li>%s: %" PRIu64 "</li>\n",
                      kind == TLOG_AUTHORITY_UNKNOWN ? "not signed by an enrolled authority"
                                                     : tlog_authority_name(kind),
                      all->authorities[kind]));
    return buf_print(
        out,
        "</ul>\n<p>Hours are medians. Withdrawals from a jurisdiction that were announced: %" PRIu64
        ".</p>\n<p>This page follows from the relay's public log of orders alone:"
        " <code>sotto-audit</code> makes the same of it.</p>\n</body>\n</html>\n",
        report->withdrawals);
}
