/* Following a log: whether what it signs now goes on from what it signed before. sotto-audit and
 * the clients ask the same functions. */
#ifndef TLOG_FOLLOW_H
#define TLOG_FOLLOW_H

#include "tlog/checkpoint.h"
#include "tlog/tile.h"

/* What becomes of a log that is followed. But for the first, it is convicted. */
enum tlog_verdict {
    TLOG_GOOD,
    TLOG_UNSIGNED,  /* what it gives out as its checkpoint is not signed by its key */
    TLOG_SHRUNK,    /* it has fewer entries than before */
    TLOG_FORKED,    /* it does not continue what it signed before */
    TLOG_WITHHELD,  /* it does not give out what its checkpoint promises, or not whole */
    TLOG_DIFFERENT, /* its entries or tiles do not lead to its checkpoint */
    TLOG_GONE,      /* there was one, and now there is none */
    TLOG_OTHER_KEY, /* it has another key than it had */
    TLOG_BAD_ENTRY, /* one of its entries is not one that a log may have */
    TLOG_VERDICTS
};

enum { TLOG_VERDICT_TEXT = 400 };

const char *tlog_verdict_name(enum tlog_verdict verdict); /* "forked" */
/* A sentence without its full stop. seen and newest: before and now; of no matter to all but SHRUNK
 * and FORKED. */
void tlog_verdict_say(enum tlog_verdict verdict, const struct tlog_checkpoint *seen,
                      const struct tlog_checkpoint *newest, char text[static TLOG_VERDICT_TEXT]);

/* Judges a log's newest checkpoint against the one seen before (size 0: none was). tiles: fetch and
 * ctx are set; fetch gives NOT_FOUND or LENGTH for what is not given out whole. text and signatures
 * may be NULL. Errors are fetch's others: nothing is known then. newest is set unless UNSIGNED. */
sotto_error tlog_follow(sotto_bytes note, const struct tlog_key *log,
                        const struct tlog_checkpoint *seen, struct tlog_tiles *tiles,
                        struct tlog_checkpoint *newest, sotto_bytes *text, sotto_bytes *signatures,
                        enum tlog_verdict *verdict);

/* Whether the tree of that size and root is the beginning of newest's, by a proof (RFC 6962, 2.1.2)
 * made from newest's tiles: GOOD, FORKED, WITHHELD. */
sotto_error tlog_follow_from(uint64_t size, const struct tlog_hash *root,
                             const struct tlog_checkpoint *newest, struct tlog_tiles *tiles,
                             enum tlog_verdict *verdict);

/* Whether that entry is the log's entry of that number, by a proof (RFC 6962, 2.1.1) made from the
 * tiles: GOOD, DIFFERENT, WITHHELD. */
sotto_error tlog_follow_entry(uint64_t index, sotto_bytes entry,
                              const struct tlog_checkpoint *newest, struct tlog_tiles *tiles,
                              enum tlog_verdict *verdict);

#endif
