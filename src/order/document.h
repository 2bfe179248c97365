/* A lawful order as a document: JSON with the elements of Article 10(2) of Regulation (EU)
 * 2022/2065 (docs/LAWFUL-ORDERS.md; packaging/order.schema.json says the same for machines). Read
 * strictly: what is missing, too much or not understood refuses the whole. */
#ifndef ORDER_DOCUMENT_H
#define ORDER_DOCUMENT_H

#include <jansson.h>

#include "tlog/leaf.h"

enum {
    ORDER_DOCUMENT_MAX = 256 * 1024, /* bytes */
    ORDER_ASKED_MAX = 32,
    ORDER_PROBLEM_MAX = 600,
};

/* The legal ground it says it stands on. */
enum order_framework {
    ORDER_DSA = 1,        /* Regulation (EU) 2022/2065, Article 10 */
    ORDER_E_EVIDENCE = 2, /* Regulation (EU) 2023/1543: a European Production Order */
    ORDER_NATIONAL = 3,
};

enum order_recipient {
    ORDER_BY_PHONE = 1, /* E.164 */
    ORDER_BY_USERNAME = 2,
    ORDER_BY_ACCOUNT = 3, /* 64 hex digits */
};

/* Strings belong to the document. */
struct order_document {
    json_t *root;
    const char *reference; /* the authority's own */
    enum order_framework framework;
    const char *legal_basis;
    const char *issuer, *jurisdiction;
    enum tlog_authority issuer_kind;
    const char *validator; /* e-Evidence: who validated it; NULL: nobody */
    enum tlog_authority validator_kind;
    enum order_recipient recipient_kind;
    const char *recipient;
    const char *reasons; /* or why they are withheld */
    bool reasons_withheld;
    const char *redress;
    const char *answer_to, *answer_address;
    const char *asked[ORDER_ASKED_MAX]; /* as the order names them */
    size_t asked_count;
    bool has_period;
    uint64_t period_from_s, period_to_s;
    const char *language;
    uint64_t issued_s;
    uint64_t confidential_until_s; /* 0: it is not */
};

/* VALUE: problem says what is wrong, in a sentence without its full stop. */
sotto_error order_document_read(sotto_bytes json, struct order_document *document,
                                char problem[static ORDER_PROBLEM_MAX]);
void order_document_free(struct order_document *document); /* zeroed: allowed */

/* The two things that a relay holds. */
#define ORDER_PHONE_NUMBER "phone_number"
#define ORDER_LAST_IP "last_ip"
bool order_asks_for(const struct order_document *document, const char *field);

/* Times as orders and answers write them: 2026-11-26T10:00:00Z. */
bool order_time_read(const char *text, uint64_t *time_s);
enum { ORDER_TIME_TEXT = 21 };
void order_time_write(uint64_t time_s, char text[static ORDER_TIME_TEXT]);

#endif
