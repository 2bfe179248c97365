/* From a signed file to a decision: what an order has to be to be answered, and what the answer is.
 *
 *   order_examine  reads no account: signature, authority, jurisdiction, dates, repetition
 *   order_decide   needs the approvals that are demanded; then opens the door (disclose.h), and
 *                  makes the answer, the log's entry and the notice to the person (Regulation
 *                  (EU) 2022/2065, Article 10(5)), in one transaction
 */
#ifndef ORDER_DECIDE_H
#define ORDER_DECIDE_H

#include "order/cms.h"
#include "order/disclose.h"
#include "order/records.h"

/* Why an order is refused; stable names, which answers carry. */
enum order_refusal {
    ORDER_GOOD,
    ORDER_UNSIGNED,           /* not signed at all, or not readable */
    ORDER_UNKNOWN_AUTHORITY,  /* not signed by an enrolled one, or not well */
    ORDER_BAD_DOCUMENT,       /* an element is missing or not understood */
    ORDER_WRONG_JURISDICTION, /* the authority is not enrolled for that */
    ORDER_WRONG_KIND,         /* the authority is not of the kind that the order says */
    ORDER_NOT_VALIDATED,      /* e-Evidence: a judge or prosecutor has to */
    ORDER_WRONG_DATE,         /* too old, or of the future */
    ORDER_REPEATED,           /* decided before, or another of the same reference was */
};

const char *order_refusal_name(enum order_refusal refusal); /* "unknown_authority" */

struct order_case {
    enum order_refusal refusal;
    char problem[ORDER_PROBLEM_MAX]; /* of a refusal: a sentence without its full stop */
    struct tlog_hash digest;         /* of the document; if there is none, of the file */
    bool has_document;
    struct order_document document;
    char authority[RECORDS_NAME_MAX + 1]; /* empty: none */
    struct order_signer signer;
    sotto_buf content;
    int64_t earlier; /* REPEATED: the log's entry of the earlier decision */
};

enum {
    ORDER_AGE_MAX_S = 180 * 86400,              /* between signature and decision */
    ORDER_CONFIDENTIAL_MAX_S = 5 * 365 * 86400, /* after the order was issued */
};

/* Examines a file. content NULL: what was signed is in the file. Errors are this machine's;
 * whatever the file is, is a refusal. To be freed with order_case_free in any case. */
sotto_error order_examine(struct records *records, sotto_bytes file, const sotto_bytes *content,
                          uint64_t now_s, struct order_case *order);
void order_case_free(struct order_case *order);

/* The relay as it answers. */
struct order_office {
    const char *origin;   /* of the log */
    const char *database; /* relay.db */
    X509 *certificate;    /* signs answers */
    EVP_PKEY *key;
    uint64_t now_s;
};

/* What an operator's approval signs: Ed25519 over this text. */
enum { ORDER_APPROVAL_TEXT = 256 };
void order_approval_text(const struct tlog_hash *digest, char text[static ORDER_APPROVAL_TEXT]);

/* Whether enough operators approved: their signatures are checked here. STATE: problem. */
sotto_error order_approved(struct records *records, const struct tlog_hash *digest,
                           char problem[static ORDER_PROBLEM_MAX]);

/* Decides: answers a GOOD case, refuses another. reason: of an operator's own refusal of a good
 * one, NULL: none. file: as it came. decision's answer is appended to answer (DER). STATE:
 * approvals are missing; EXISTS: it is decided; else this machine's; problem of the case says
 * which. */
sotto_error order_decide(struct records *records, const struct order_office *office,
                         struct order_case *order, sotto_bytes file, const char *reason,
                         struct decision *decision, sotto_buf *answer);

#endif
