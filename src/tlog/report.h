/* The yearly transparency report, from the log's entries alone, so that everybody who follows the
 * log can make it and compare (Regulation (EU) 2022/2065, Article 15(1)(a)). */
#ifndef TLOG_REPORT_H
#define TLOG_REPORT_H

#include "tlog/leaf.h"

enum { TLOG_REPORT_PLACES_MAX = 256 };

/* What was decided for one jurisdiction, or for all. */
struct tlog_report_row {
    char jurisdiction[TLOG_JURISDICTION_MAX + 1];
    uint64_t orders;
    uint64_t outcomes[TLOG_REFUSED + 1];                     /* by enum tlog_outcome */
    uint64_t authorities[TLOG_AUTHORITY_ADMINISTRATIVE + 1]; /* by enum tlog_authority */
    uint64_t phone_numbers, last_ips;                        /* how often each was given */
    uint64_t acknowledged_s, answered_s; /* medians; of an even number the lower one */
};

struct tlog_report {
    char origin[256];
    unsigned year;
    struct tlog_report_row all;
    struct tlog_report_row *rows; /* by jurisdiction, in alphabetical order */
    size_t count;
    uint64_t months[12]; /* orders by month of the decision */
    uint64_t withdrawals;
    const sotto_env *env;
};

/* Counts the entries that give that year as their date. entry(ctx, index): as tlog_entry_fn, of
 * size entries. Entries of newer kinds are passed over. LIMIT: more than TLOG_REPORT_PLACES_MAX
 * jurisdictions; else entry's errors. Free it with tlog_report_free. */
typedef sotto_error tlog_report_entry_fn(void *ctx, uint64_t index, sotto_bytes *entry);
sotto_error tlog_report_make(const char *origin, unsigned year, uint64_t size,
                             tlog_report_entry_fn *entry, void *ctx, const sotto_env *env,
                             struct tlog_report *report);
void tlog_report_free(struct tlog_report *report); /* zeroed: allowed */

/* Part 3 ("member states orders") of the template in Annex I of Implementing Regulation (EU)
 * 2024/2835, as CSV (RFC 4180): rows for each jurisdiction, and for all; medians in hours. No order
 * names a category of content, so that each has its number as total and as not specified.
 * Orders to act against illegal content are none: a relay cannot. */
sotto_error tlog_report_csv(const struct tlog_report *report, sotto_buf *out);

/* A page for people: one file without scripts or anything from elsewhere. */
sotto_error tlog_report_html(const struct tlog_report *report, sotto_buf *out);

#endif
