/* Following a relay's log from outside: what was seen is kept, and what comes has to continue it.
 */
#ifndef AUDIT_FOLLOW_H
#define AUDIT_FOLLOW_H

#include "tlog/checkpoint.h"
#include "tlog/tile.h"

enum { AUDIT_PROBLEM_MAX = 600, AUDIT_WITNESSES_MAX = 16 };

/* What an audit comes to. */
enum audit_verdict {
    AUDIT_GOOD,
    AUDIT_FAILED,    /* of this machine, or the log could not be reached: says nothing of the log */
    AUDIT_CONVICTED, /* the log contradicts what it signed before, or itself */
};

/* Where the log comes from: a part by its path, appended. NOT_FOUND; else problem says what failed.
 */
typedef sotto_error audit_get_fn(void *ctx, const char *path, size_t max, sotto_buf *out,
                                 char problem[static AUDIT_PROBLEM_MAX]);

struct audit {
    const sotto_env *env;
    const char *state; /* the folder where what was seen is kept: key, checkpoint, entries */
    audit_get_fn *get;
    void *ctx;
    struct tlog_key key;
    struct tlog_key witnesses[AUDIT_WITNESSES_MAX];
    size_t witness_count, quorum; /* how many of them have to have cosigned */
    uint64_t quorum_age_s;        /* and how long ago at most */
    sotto_buf entries;            /* all that were seen: a bundle (tlog/tile.h) */
    struct tlog_frontier frontier;
    struct tlog_checkpoint seen;
    char problem[AUDIT_PROBLEM_MAX];
};

/* Reads what was kept; the folder is made. key: the log's verifier key, or NULL: the one that was
 * kept, or, if there is none yet, the one that the log says, once. */
enum audit_verdict audit_open(struct audit *audit, const char *key);
void audit_close(struct audit *audit);

/* Fetches the newest checkpoint and what it adds; checks that it continues what was seen, entry by
 * entry, and keeps it. When the log is convicted, what proves it is kept beside, as
 * evidence-N.old and evidence-N.new: two checkpoints, each signed by the log. */
enum audit_verdict audit_follow(struct audit *audit);

/* A tlog_report_entry_fn over what was seen; ctx is a struct audit_cursor, zeroed but for audit. */
struct audit_cursor {
    const struct audit *audit;
    uint64_t index;
    sotto_bytes rest;
    bool begun;
};
sotto_error audit_entry(void *ctx, uint64_t index, sotto_bytes *entry);

#endif
