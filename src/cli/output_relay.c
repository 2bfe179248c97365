/* The relay's log of orders and its notices, for people. */
#include <inttypes.h>
#include <string.h>

#include "cli/output_text.h"

static void line_print(const char *name, const char *text)
{
    fputs(name, stdout);
    clean_print_str(stdout, text);
    putchar('\n');
}

static void counts_print(const struct sotto_relay *relay)
{
    const struct sotto_order_counts *counts = &relay->counts;
    printf("This relay has answered %" PRIu64 " %s; it has never been able to answer with "
           "content.\n",
           counts->answered, counts->answered == 1 ? "order" : "orders");
    printf("  Phone numbers given: %" PRIu64 ". Last IP addresses given: %" PRIu64 ".\n",
           counts->phone_numbers, counts->last_ips);
    printf("  Not held: %" PRIu64 ". No such account: %" PRIu64 ". Refused: %" PRIu64 ".\n",
           counts->not_held, counts->unknown_recipient, counts->refused);
    if (counts->withdrawals + counts->stayings + counts->left > 0)
        printf("  Jurisdictions that it said it leaves: %" PRIu64 ", stays in after all: %" PRIu64
               ", has left: %" PRIu64 ".\n",
               counts->withdrawals, counts->stayings, counts->left);
    if (counts->others > 0)
        printf("  %" PRIu64 " entries are of kinds that this version does not know.\n",
               counts->others);
    if (counts->read < relay->size)
        printf("  So say the first %" PRIu64 " of its %" PRIu64 " entries; more are read with each "
               "sotto sync.\n",
               counts->read, relay->size);
}

void text_relay(struct cli *cli, const struct sotto_relay *relay)
{
    (void)cli;
    if (relay->state == SOTTO_ORDER_LOG_CONVICTED) {
        puts(relay->trouble.message);
        puts(relay->trouble.next);
        fputs("Since ", stdout);
        time_print(relay->convicted_s);
        puts(". What follows is what it said before.\n");
    }
    line_print("Relay      ", relay->relay);
    if (relay->key[0] == '\0') {
        puts(relay->state == SOTTO_ORDER_LOG_UNKNOWN
                 ? "It was not asked yet for its log of lawful orders: sotto sync"
                 : "It keeps no log of lawful orders, so nothing says how many it answered.");
        return;
    }
    line_print("Log        ", relay->log);
    line_print("Key        ", relay->key);
    printf("Checkpoint %" PRIu64 " %s, since ", relay->size,
           relay->size == 1 ? "entry" : "entries");
    time_print(relay->grew_s);
    fputs(", looked at ", stdout);
    time_print(relay->looked_s);
    putchar('\n');
    if (relay->witnesses[0] != '\0') {
        fputs("Witnesses  ", stdout);
        clean_print_str(stdout, relay->witnesses);
        puts(" (sotto-audit verifies their signatures)");
    }
    counts_print(relay);
}

void text_evidence(struct cli *cli, const struct sotto_order_evidence *evidence)
{
    (void)cli;
    printf("\n%" PRId64 "  %s, found ", evidence->number, evidence->what);
    time_print(evidence->time_s);
    fputs(", of ", stdout);
    clean_print_str(stdout, evidence->relay);
    line_print("\n   the log's key: ", evidence->key);
    if (evidence->other_key[0] != '\0')
        line_print("   in its place:  ", evidence->other_key);
    fputs("   seen before:\n   ", stdout);
    clean_print(stdout, sotto_bytes_str(evidence->before), 3);
    fputs("\n   then:\n   ", stdout);
    clean_print(stdout, sotto_bytes_str(evidence->after), 3);
    putchar('\n');
}

void text_told(struct cli *cli, const struct sotto_notice *notice)
{
    (void)cli;
    printf("%" PRId64 "  ", notice->number);
    time_print(notice->received_s);
    printf("  Your relay tells you%s:\n   ", notice->read ? "" : " (unread)");
    /* Without its last line break. */
    clean_print(stdout, sotto_bytes_of((const uint8_t *)notice->text, strlen(notice->text) - 1), 3);
    if (notice->read)
        puts("");
    else
        printf("\n   Read it? sotto notice read %" PRId64 "\n", notice->number);
}
