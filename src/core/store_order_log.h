/* The logs of lawful orders of the relays where the account is or was, as this device saw them
 * (order_log.h). See store.h. */
#ifndef CORE_STORE_ORDER_LOG_H
#define CORE_STORE_ORDER_LOG_H

#include "core/store.h"

struct store_order_log {
    const char *relay;
    const char *key;      /* the log's verifier key, which is held to; empty: none yet */
    sotto_bytes note;     /* the newest signed checkpoint that was good; empty: none yet */
    sotto_bytes counted;  /* how far its entries were read, and what they say; empty: not at all */
    uint64_t looked_s;    /* when the relay was asked last */
    uint64_t grew_s;      /* when the note came */
    uint32_t verdict;     /* enum tlog_verdict: what it is convicted of, 0: nothing */
    uint64_t convicted_s; /* when that was seen first */
};

/* NOT_FOUND: that relay was never asked. */
sotto_error store_order_log_get(struct store *store, const char *relay, struct arena *arena,
                                struct store_order_log *log);
/* [tx] Inserts or replaces. */
sotto_error store_order_log_put(struct store *store, const struct store_order_log *log);

/* What a log was convicted by: kept whatever becomes of it. */
struct store_order_evidence {
    int64_t number;
    const char *relay;
    uint32_t verdict;
    uint64_t time_s;
    const char *key, *other_key; /* other_key: of another log in its place; may be empty */
    sotto_bytes before, after;   /* signed checkpoints, as they came; may be empty */
};

enum { STORE_ORDER_EVIDENCE_MAX = 16 }; /* of one relay: the first ones are kept */

/* [tx] Nothing if the same is there, or as much as is kept. */
sotto_error store_order_evidence_add(struct store *store,
                                     const struct store_order_evidence *evidence);
/* All, the oldest first. */
sotto_error store_order_evidence(struct store *store, struct arena *arena,
                                 struct store_order_evidence **list, size_t *count);

#endif
