/* Following the log of lawful orders of the account's relay (sotto/relay.h), beside everything
 * else:
 *
 *     room connection (nobody in particular)         account connection
 *     key, once            the relay tells nobody    a notice came: what does the log say to it?
 *     checkpoint           by it who asks            checkpoint, if the entry is newer than what
 * was seen tiles for a proof that it goes on              the whole bundle that has the entry,
 * tiles bundles of entries, so many a connection
 *
 * A run does one thing after the other from what has come so far; what is missing is asked for, one
 * part at a time, and the step is done again when it is there. Nothing waits for it but sotto_sync.
 */
#ifndef CORE_ORDER_LOG_H
#define CORE_ORDER_LOG_H

#include "core/internal.h"
#include "core/store_order_log.h"
#include "tlog/follow.h"

/* What its entries say, as far as they were read: stored as store_order_log.counted. */
struct order_counting {
    struct tlog_frontier frontier; /* of those that were read */
    struct sotto_order_counts counts;
};
/* One entry more. VALUE: a log may have none such. */
sotto_error order_counting_add(struct order_counting *counting, sotto_bytes entry);
sotto_error order_counting_write(const struct order_counting *counting, sotto_buf *out);
/* Zeroed where bytes are empty, or not its own. */
void order_counting_read(sotto_bytes bytes, struct order_counting *counting);

/* One step. True: a run is under way that sotto_sync waits for. */
bool order_log_step(struct sotto *core);
/* Grows with its progress. */
uint64_t order_log_mark(const struct sotto *core);
/* A notice came: its entry is looked for; wait: it waits for the log's key, so the next run is now.
 */
void order_log_notice(struct sotto *core, bool waits);
/* What the log was convicted of in this run; NULL: nothing. */
const struct sotto_problem *order_log_problem(const struct sotto *core);
/* Whether that of the account's relay is, by whatever run. */
sotto_error order_log_is_convicted(struct sotto *core, struct arena *arena, bool *convicted);
void order_log_free(struct sotto *core);

/* What is told of a log that is convicted. */
void order_log_trouble(const char *relay, enum tlog_verdict verdict, const char *said,
                       struct sotto_problem *problem);

#endif
