/* What an entry of a relay's log says (docs/LAWFUL-ORDERS.md): text, a line for each fact, in a
 * fixed order, so that people and programs read the same and there is one text for one meaning. */
#ifndef TLOG_LEAF_H
#define TLOG_LEAF_H

#include "tlog/merkle.h"

enum {
    TLOG_LEAF_MAX = 1536,       /* bytes of an entry; 256 fit into one answer (WIRE_LOG_FILE_MAX) */
    TLOG_JURISDICTION_MAX = 32, /* DE, EU, or a label of the operator's: letters, digits, - */
    TLOG_LEAF_REASON_MAX = 1000, /* bytes of UTF-8, one line */
};

enum tlog_leaf_type {
    TLOG_LEAF_ORDER = 1,      /* an order was decided */
    TLOG_LEAF_WITHDRAWAL = 2, /* the relay leaves a jurisdiction */
    TLOG_LEAF_STAYING = 3,    /* it does not, after all */
    TLOG_LEAF_LEFT = 4,       /* it has, and erased what it held of the accounts there */
};

enum tlog_authority {
    TLOG_AUTHORITY_UNKNOWN = 1, /* the order was not signed by an enrolled one */
    TLOG_AUTHORITY_COURT = 2,
    TLOG_AUTHORITY_PROSECUTOR = 3,
    TLOG_AUTHORITY_POLICE = 4,
    TLOG_AUTHORITY_ADMINISTRATIVE = 5,
};

enum tlog_outcome {
    TLOG_ANSWERED = 1,          /* with what is held of what was asked for */
    TLOG_NOT_HELD = 2,          /* nothing that was asked for is held */
    TLOG_UNKNOWN_RECIPIENT = 3, /* there is no such account */
    TLOG_REFUSED = 4,
};

struct tlog_leaf {
    enum tlog_leaf_type type;
    char date[11];                                /* 2026-11-26, in UTC: of the decision */
    char jurisdiction[TLOG_JURISDICTION_MAX + 1]; /* "unknown" with TLOG_AUTHORITY_UNKNOWN */
    /* ORDER */
    enum tlog_authority authority;
    enum tlog_outcome outcome;
    bool phone_number, last_ip;          /* which of the two fields were given */
    uint64_t acknowledged_s, answered_s; /* seconds after the order came */
    struct tlog_hash order, answer;      /* SHA-256 of salt and bytes; see tlog_commit */
    /* WITHDRAWAL, STAYING, LEFT */
    char on[11]; /* the day on which it leaves */
    char reason[TLOG_LEAF_REASON_MAX + 1];
};

/* Appends the text. VALUE: a field cannot be written. */
sotto_error tlog_leaf_write(const struct tlog_leaf *leaf, sotto_buf *out);

/* VALUE: not such a text, to the byte. A newer kind of entry is VERSION: it counts as a leaf and
 * says nothing to this program. */
sotto_error tlog_leaf_read(sotto_bytes entry, struct tlog_leaf *leaf);

/* A commitment: SHA-256 of 32 random bytes of salt and what is committed to. Whoever is shown both
 * can check it; nobody can guess. */
void tlog_commit(const uint8_t salt[static 32], sotto_bytes bytes, struct tlog_hash *out);

/* "order", "court", "answered", "phone_number last_ip". */
const char *tlog_leaf_type_name(enum tlog_leaf_type type);
const char *tlog_given_name(bool phone_number, bool last_ip);
const char *tlog_authority_name(enum tlog_authority authority);
const char *tlog_outcome_name(enum tlog_outcome outcome);
/* 0: none of that name. */
enum tlog_leaf_type tlog_leaf_type_named(sotto_bytes name);
enum tlog_authority tlog_authority_named(sotto_bytes name);

/* Whether text is a day that there is: 2026-11-26. */
bool tlog_is_date(const char *text);
/* Whether text may stand for a jurisdiction: letters, digits and -, at least two. */
bool tlog_is_jurisdiction(sotto_bytes text);

#endif
