/* What a relay tells an account about its log (docs/LAWFUL-ORDERS.md, "The person is told"): the
 * text of a signed note, a line for each fact and quoted lines for each text of others, in a fixed
 * order, so that there is one text for one meaning. Clients say it in words of their own. */
#ifndef TLOG_NOTICE_H
#define TLOG_NOTICE_H

#include "tlog/leaf.h"
#include "tlog/note.h"

enum {
    TLOG_NOTICE_MAX = 100 * 1024, /* bytes: with its signature it fits into a note */
    TLOG_ACCOUNT_SIZE = 32,
};

/* The facts are those of the entry of the log that it is about. Texts are UTF-8 and may have
 * several lines; those that are read belong to the notice. */
struct tlog_notice {
    enum tlog_leaf_type type;    /* ORDER, WITHDRAWAL or STAYING */
    char log[TLOG_NAME_MAX + 1]; /* the log's name: that of the key which signs it */
    uint64_t entry;              /* counted from 0 */
    char date[11];               /* of the decision */
    char jurisdiction[TLOG_JURISDICTION_MAX + 1];
    /* ORDER */
    uint8_t account[TLOG_ACCOUNT_SIZE]; /* whom it is to: nobody else's client believes it */
    enum tlog_authority authority;
    enum tlog_outcome outcome;  /* ANSWERED or NOT_HELD: of others nobody is told */
    bool phone_number, last_ip; /* what was given */
    const char *asked;          /* what was asked for: a line for each, as the order names it */
    const char *issuer;         /* who ordered it */
    const char *reference, *basis;
    const char *reasons, *redress;
    bool reasons_withheld; /* reasons say why */
    /* WITHDRAWAL, STAYING: the same for all accounts there */
    char on[11];
    const char *reason; /* may be empty */
    sotto_buf texts;    /* of one that was read: what the texts above point into */
};

/* Appends the text. Control characters in texts become spaces. VALUE: a field cannot be written. */
sotto_error tlog_notice_write(const struct tlog_notice *notice, sotto_buf *out);

/* VALUE: not such a text, to the byte; VERSION: of a newer version or type. Free it with
 * tlog_notice_free if it was read. */
sotto_error tlog_notice_read(sotto_bytes text, const sotto_env *env, struct tlog_notice *notice);
void tlog_notice_free(struct tlog_notice *notice); /* zeroed: allowed */

/* Whether bytes begin as a notice's note does: for telling it from what else may come. */
bool tlog_notice_is(sotto_bytes note);

/* Whether an entry of the log says what the notice says that it says. */
bool tlog_notice_matches(const struct tlog_notice *notice, const struct tlog_leaf *leaf);

#endif
