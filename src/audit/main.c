/* sotto-audit: follows a relay's log of lawful orders from outside, and shouts when it contradicts
 * itself or what its operator published (docs/LAWFUL-ORDERS.md). */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <sodium.h>

#include "audit/follow.h"
#include "tlog/folder.h"
#include "tlog/leaf.h"
#include "tlog/report.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONVICTED = 4, TIMEOUT_S = 60 };

/* ---- Fetching ------------------------------------------------------------------------------- */

struct site {
    const char *url, *pin, *ca;
};

struct taking {
    sotto_buf *out;
    size_t at, max;
};

static size_t take_bytes(char *data, size_t one, size_t count, void *ctx)
{
    struct taking *taking = ctx;
    const size_t size = one * count;
    if (taking->out->size - taking->at + size > taking->max ||
        sotto_buf_append(taking->out, (uint8_t *)data, size) != SOTTO_OK)
        return 0;
    return size;
}

/* A pinned key is what a relay's address has behind #, in the form that libcurl takes. */
static bool set_trust(CURL *curl, const struct site *site)
{
    char pin[80] = "sha256//";
    if (site->ca != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, site->ca);
    if (site->pin == NULL)
        return true;
    if (strlen(site->pin) != 43)
        return false;
    for (size_t i = 0; i < 43; i++)
        pin[8 + i] = site->pin[i] == '-' ? '+' : site->pin[i] == '_' ? '/' : site->pin[i];
    memcpy(pin + 8 + 43, "=", 2);
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, pin);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L); /* the pin decides */
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    return true;
}

static sotto_error get(void *ctx, const char *path, size_t max, sotto_buf *out,
                       char problem[static AUDIT_PROBLEM_MAX])
{
    const struct site *site = ctx;
    char url[1024], why[CURL_ERROR_SIZE] = "";
    struct taking taking = {out, out->size, max};
    long status = 0;
    const size_t length = strlen(site->url);
    snprintf(url, sizeof url, "%s%s%s", site->url,
             length > 0 && site->url[length - 1] == '/' ? "" : "/", path);
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return SOTTO_NO_MEMORY;
    if (!set_trust(curl, site)) {
        curl_easy_cleanup(curl);
        snprintf(problem, AUDIT_PROBLEM_MAX,
                 "the pin is not the 43 characters behind # in an address");
        return SOTTO_ARGUMENT;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &taking);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK && status == 200)
        return SOTTO_OK;
    out->size = taking.at;
    if (code == CURLE_OK)
        snprintf(problem, AUDIT_PROBLEM_MAX, "%.300s answers with status %ld", url, status);
    else
        snprintf(problem, AUDIT_PROBLEM_MAX, "%.300s cannot be fetched: %.200s", url,
                 why[0] != '\0' ? why : curl_easy_strerror(code));
    return code == CURLE_OK && status == 404 ? SOTTO_NOT_FOUND : SOTTO_NETWORK;
}

static sotto_error get_nothing(void *ctx, const char *path, size_t max, sotto_buf *out,
                               char problem[static AUDIT_PROBLEM_MAX])
{
    (void)ctx, (void)path, (void)max, (void)out;
    snprintf(problem, AUDIT_PROBLEM_MAX, "nothing was kept there: `sotto-audit follow` first");
    return SOTTO_NETWORK;
}

/* ---- Commands ------------------------------------------------------------------------------- */

static int usage_to(FILE *out)
{
    fputs(
        "usage:\n"
        "  sotto-audit follow URL --state DIR [--key KEY] [--pin PIN | --ca FILE]\n"
        "                     [--witness KEY]... [--quorum N] [--days N]\n"
        "      fetches what is new of a log (https://HOST:PORT/orders), checks that it continues\n"
        "      what was seen, and keeps it in DIR. PIN: what the relay's address has behind #.\n"
        "      KEY: the log's verifier key; left out: the one that was kept, or the first seen.\n"
        "      With witnesses, N of them (all) have to have cosigned, in the last N days (7).\n"
        "  sotto-audit report --state DIR --year YEAR [--against FILE]\n"
        "      the yearly report as it follows from what was seen, in CSV on standard output;\n"
        "      --against: says whether what the operator published is that (the table, or the\n"
        "      page if the file's name ends in .html).\n"
        "Exit codes: 0 good, 1 failed, which says nothing of the log, 2 usage,\n"
        "4 the log or the report is not what it has to be.\n",
        out);
    return EXIT_USAGE;
}

static int usage(void)
{
    return usage_to(stderr);
}

static int tell(const struct audit *audit, enum audit_verdict verdict)
{
    if (verdict == AUDIT_FAILED)
        fprintf(stderr, "sotto-audit: %s.\n", audit->problem);
    if (verdict == AUDIT_CONVICTED)
        fprintf(stderr,
                "sotto-audit: THE LOG IS NOT HONEST: %s. What it signed is kept in %s as "
                "evidence-*; publish it.\n",
                audit->problem, audit->state);
    return verdict == AUDIT_GOOD     ? EXIT_GOOD
           : verdict == AUDIT_FAILED ? EXIT_FAILED
                                     : EXIT_CONVICTED;
}

static void print_counts(const struct audit *audit)
{
    uint64_t answered = 0, refused = 0;
    struct audit_cursor cursor = {.audit = audit};
    for (uint64_t i = 0; i < audit->seen.size; i++) {
        struct tlog_leaf leaf;
        sotto_bytes entry;
        if (audit_entry(&cursor, i, &entry) != SOTTO_OK ||
            tlog_leaf_read(entry, &leaf) != SOTTO_OK || leaf.type != TLOG_LEAF_ORDER)
            continue;
        answered += leaf.outcome == TLOG_ANSWERED;
        refused += leaf.outcome == TLOG_REFUSED;
    }
    printf("%s: %" PRIu64 " entries; %" PRIu64 " orders answered with a phone number or an IP "
           "address, %" PRIu64 " refused\n",
           audit->key.name, audit->seen.size, answered, refused);
}

struct options {
    const char *state, *key, *year, *against;
    struct site site;
};

static int follow(struct audit *audit, const struct options *options)
{
    enum audit_verdict verdict = audit_open(audit, options->key);
    if (verdict == AUDIT_GOOD)
        verdict = audit_follow(audit);
    if (verdict == AUDIT_GOOD)
        print_counts(audit);
    return tell(audit, verdict);
}

static sotto_error read_file(const char *path, sotto_buf *out)
{
    uint8_t chunk[4096];
    sotto_error error = SOTTO_OK;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return SOTTO_NOT_FOUND;
    for (size_t got; error == SOTTO_OK && (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        error = sotto_buf_append(out, chunk, got);
    if (ferror(file) != 0)
        error = SOTTO_IO;
    fclose(file);
    return error;
}

static bool is_page(const char *path)
{
    const size_t size = strlen(path);
    return size > 5 && strcmp(path + size - 5, ".html") == 0;
}

static int put_report(struct audit *audit, const struct options *options, unsigned year)
{
    const char *path = options->against;
    struct audit_cursor cursor = {.audit = audit};
    struct tlog_report report;
    sotto_buf made, given;
    int code = EXIT_GOOD;
    sotto_buf_init(&made, audit->env);
    sotto_buf_init(&given, audit->env);
    sotto_error error = tlog_report_make(audit->key.name, year, audit->seen.size, audit_entry,
                                         &cursor, audit->env, &report);
    if (error == SOTTO_OK)
        error = path != NULL && is_page(path) ? tlog_report_html(&report, &made)
                                              : tlog_report_csv(&report, &made);
    if (error == SOTTO_OK && path != NULL)
        error = read_file(path, &given);
    if (error != SOTTO_OK) {
        fprintf(stderr, "sotto-audit: the report cannot be compared: %s.\n",
                sotto_error_text(error));
        code = EXIT_FAILED;
    } else if (path == NULL) {
        fwrite(made.data, 1, made.size, stdout);
    } else if (!sotto_bytes_equal(sotto_buf_view(&made), sotto_buf_view(&given))) {
        fprintf(stderr,
                "sotto-audit: THE REPORT IS NOT WHAT THE LOG SAYS: %s differs from what "
                "follows from the %" PRIu64 " entries of the log.\n",
                path, audit->seen.size);
        code = EXIT_CONVICTED;
    } else {
        printf("%s is what the log's %" PRIu64 " entries say\n", path, audit->seen.size);
    }
    tlog_report_free(&report);
    sotto_buf_free(&made);
    sotto_buf_free(&given);
    return code;
}

static int report(struct audit *audit, const struct options *options)
{
    if (options->year == NULL || strlen(options->year) != 4 ||
        strspn(options->year, "0123456789") != 4)
        return usage();
    audit->get = get_nothing;
    const enum audit_verdict verdict = audit_open(audit, options->key);
    return verdict != AUDIT_GOOD
               ? tell(audit, verdict)
               : put_report(audit, options, (unsigned)strtoul(options->year, NULL, 10));
}

static bool add_witness(struct audit *audit, const char *text)
{
    return audit->witness_count < AUDIT_WITNESSES_MAX &&
           tlog_key_read(sotto_bytes_str(text), &audit->witnesses[audit->witness_count]) ==
               SOTTO_OK &&
           audit->witnesses[audit->witness_count++].type == TLOG_KEY_WITNESS;
}

/* A number from 1 on: what cannot be read must not mean that less is asked for. */
static bool read_number(const char *text, uint64_t most, uint64_t *number)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number > 0 && *number <= most;
}

static bool read_options(int argc, char **argv, struct audit *audit, struct options *options)
{
    static const struct option names[] = {
        {"state", required_argument, NULL, 's'},   {"key", required_argument, NULL, 'k'},
        {"pin", required_argument, NULL, 'p'},     {"ca", required_argument, NULL, 'c'},
        {"witness", required_argument, NULL, 'w'}, {"quorum", required_argument, NULL, 'q'},
        {"days", required_argument, NULL, 'd'},    {"year", required_argument, NULL, 'y'},
        {"against", required_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
    uint64_t number = 0;
    bool quorum = false;
    audit->quorum_age_s = 7 * UINT64_C(86400);
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 's':
            options->state = optarg;
            break;
        case 'k':
            options->key = optarg;
            break;
        case 'p':
            options->site.pin = optarg;
            break;
        case 'c':
            options->site.ca = optarg;
            break;
        case 'y':
            options->year = optarg;
            break;
        case 'a':
            options->against = optarg;
            break;
        case 'q':
            if (!read_number(optarg, AUDIT_WITNESSES_MAX, &number))
                return false;
            audit->quorum = (size_t)number;
            quorum = true;
            break;
        case 'd':
            if (!read_number(optarg, 36500, &number))
                return false;
            audit->quorum_age_s = number * UINT64_C(86400);
            break;
        case 'w':
            if (!add_witness(audit, optarg))
                return false;
            break;
        default:
            return false;
        }
    }
    if (!quorum)
        audit->quorum = audit->witness_count;
    audit->state = options->state;
    return options->state != NULL && audit->quorum <= audit->witness_count;
}

int main(int argc, char **argv)
{
    static struct audit audit;
    static struct options options;
    audit.env = sotto_env_system();
    audit.get = get;
    audit.ctx = &options.site;
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return EXIT_FAILED;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        (void)usage_to(stdout);
        return EXIT_GOOD;
    }
    if (!read_options(argc, argv, &audit, &options) || optind >= argc)
        return usage();
    int code = EXIT_USAGE;
    if (strcmp(argv[optind], "follow") == 0 && optind + 2 == argc) {
        options.site.url = argv[optind + 1];
        code = follow(&audit, &options);
    } else if (strcmp(argv[optind], "report") == 0 && optind + 1 == argc) {
        code = report(&audit, &options);
    } else {
        code = usage();
    }
    audit_close(&audit);
    curl_global_cleanup();
    return code;
}
