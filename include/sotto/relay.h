/* What one's relay says of lawful orders, and whether it stays with what it said (sotto/sotto.h;
 * docs/LAWFUL-ORDERS.md).
 *
 * With every connection to the account's relay the log of its decisions is looked at, beside
 * everything else: its newest checkpoint has to be signed by the key that it had first, and to go
 * on from the one that was seen before. Entries are read a part at a time, and counted. */
#ifndef SOTTO_RELAY_H
#define SOTTO_RELAY_H

#include "sotto/problem.h"

SOTTO_API_BEGIN

enum sotto_order_log_state {
    SOTTO_ORDER_LOG_UNKNOWN = 0,   /* it was not asked yet */
    SOTTO_ORDER_LOG_NONE = 1,      /* it keeps none */
    SOTTO_ORDER_LOG_FOLLOWED = 2,  /* and so far it stays with what it said */
    SOTTO_ORDER_LOG_CONVICTED = 3, /* it does not: trouble says in what */
};
/* What it is called: "followed". Static text; "" for a state that is none. */
const char *sotto_order_log_state_name(enum sotto_order_log_state state);

/* What the log's entries say, as far as they were read: the first `read` of them. Nothing that a
 * relay holds is content, and an entry cannot say that content was given. */
struct sotto_order_counts {
    uint64_t read;
    uint64_t answered; /* orders that got a phone number, an IP address, or both */
    uint64_t phone_numbers, last_ips;
    uint64_t not_held, unknown_recipient, refused;
    /* Announcements that it leaves a jurisdiction, and that it stays after all; jurisdictions left.
     */
    uint64_t withdrawals, stayings, left;
    uint64_t others; /* entries of kinds that this version does not know */
};

struct sotto_relay {
    const char *relay; /* the account's */
    enum sotto_order_log_state state;
    uint64_t looked_s; /* when it was asked last, to some hours; 0: never */
    /* Of a log that was seen: */
    const char *log;        /* its name */
    const char *key;        /* its verifier key (C2SP signed-note) */
    const char *checkpoint; /* the newest that was good, as the log signed it */
    uint64_t size;          /* how many entries that has */
    uint8_t root[32];
    uint64_t grew_s; /* when that came */
    /* Whose signatures stand beneath the checkpoint besides: names, separated by spaces. This
     * program has no keys of witnesses, and checks none of them: sotto-audit does. */
    const char *witnesses;
    struct sotto_order_counts counts;
    struct sotto_problem trouble; /* code ORDER_LOG if it is convicted, else OK */
    uint64_t convicted_s;         /* since when */
};

/* Local. Calls each with ctx once, for the relay of the account; its strings live for that call.
 * NOT_REGISTERED. */
sotto_error sotto_relay(struct sotto *core,
                        void (*each)(void *ctx, const struct sotto_relay *relay), void *ctx);

/* What a log was convicted by. Checkpoints are signed by the log: whoever has its key can check
 * that it said both. */
struct sotto_order_evidence {
    int64_t number;
    const char *relay;
    uint64_t time_s;
    const char *what;           /* of what: a word, such as "forked" */
    const char *key;            /* the log's */
    const char *other_key;      /* of the log in its place; empty: it has the same key */
    const char *before, *after; /* signed checkpoints as they came; may be empty */
};

/* Local. Calls each with ctx for all there is, the oldest first; strings live for the call. Kept
 * for good, 16 of each relay. */
sotto_error sotto_order_evidence(struct sotto *core,
                                 void (*each)(void *ctx,
                                              const struct sotto_order_evidence *evidence),
                                 void *ctx);

/* Local. Takes the relay's log for what it says next, as on the first day: for a person who knows
 * why it is another one. What it was convicted by is kept. NOT_REGISTERED. */
sotto_error sotto_order_log_anew(struct sotto *core);

/* ---- What the relay tells the account -------------------------------------------------------- */

enum sotto_notice_kind {
    SOTTO_NOTICE_ORDER = 1,      /* a lawful order about this account was answered */
    SOTTO_NOTICE_WITHDRAWAL = 2, /* the relay leaves the person's jurisdiction */
    SOTTO_NOTICE_STAYING = 3,    /* it does not, after all */
};
/* What it is called: "order". Static text; "" for a kind that is none. */
const char *sotto_notice_kind_name(enum sotto_notice_kind kind);

/* What the log's entry says to a notice. */
enum sotto_notice_entry {
    SOTTO_ENTRY_UNCHECKED = 0, /* not looked at yet */
    SOTTO_ENTRY_CONFIRMED = 1, /* it is in the log, and says the same */
    SOTTO_ENTRY_MISSING = 2,   /* the log has no such entry: to be looked at again */
    SOTTO_ENTRY_OTHER = 3,     /* it says something else */
};
/* What it is called: "confirmed". Static text; "" for an entry that is none. */
const char *sotto_notice_entry_name(enum sotto_notice_entry entry);

/* A notice that the relay's log signed for this account. Texts of the authority's or operator's may
 * have several lines. */
struct sotto_notice {
    int64_t number;     /* on this device */
    struct sotto_id id; /* on all devices */
    enum sotto_notice_kind kind;
    uint64_t received_s;
    bool read;
    const char *relay, *log;
    uint64_t log_entry; /* counted from 0 */
    enum sotto_notice_entry entry;
    const char *date; /* 2026-11-26: of the decision */
    const char *jurisdiction;
    /* ORDER */
    const char *authority; /* "court", "prosecutor", "police", "administrative" */
    const char *issuer, *reference;
    const char *asked;                    /* what was asked for: a line for each */
    bool gave_phone_number, gave_last_ip; /* both false: nothing that was asked for is held */
    const char *legal_basis, *reasons, *redress;
    bool reasons_withheld; /* reasons say why */
    /* WITHDRAWAL, STAYING */
    const char *on; /* the day */
    const char *reason;
    /* All of it in plain words, several lines, each ended. Lines of others' texts begin with "> ".
     */
    const char *text;
};
typedef void sotto_notice_fn(void *ctx, const struct sotto_notice *notice);

/* Local. Calls each with ctx for notices, the newest first: at most limit behind the first offset
 * of them; unread: of those that were not read. total: how many there are in all; may be NULL. */
sotto_error sotto_notices(struct sotto *core, uint64_t offset, uint64_t limit, bool unread,
                          uint64_t *total, sotto_notice_fn *each, void *ctx);
/* Local. Calls each with ctx once, for the notice of that id. NOT_FOUND. */
sotto_error sotto_notice(struct sotto *core, const struct sotto_id *id, sotto_notice_fn *each,
                         void *ctx);
/* Local: the other devices are told at the next settling. Marks the notice of that number as read;
 * 0: all. NOT_FOUND; NOT_REGISTERED. */
sotto_error sotto_notice_mark_read(struct sotto *core, int64_t number);

SOTTO_API_END

#endif
