/* What the relay tells the account: notes that its log of orders signed, which come through the
 * inbox unsealed (docs/LAWFUL-ORDERS.md, "The person is told").
 *
 *     came --log's key not known yet--> waiting --key learnt--> good, or erased
 *          --signed by the log, for this account--> good: shown, told to one's other devices
 *          --anything else--> nothing
 *
 * What is stored here is acknowledged to the relay, and nothing else. */
#ifndef CORE_NOTICES_H
#define CORE_NOTICES_H

#include "core/internal.h"
#include "core/store_notices.h"
#include "tlog/notice.h"

/* Inside a transaction: such a note came from the relay that one is signed in at. BUSY: too many
 * wait for the log's key; nothing more may be taken from the inbox until it is known. */
sotto_error notices_consider(struct sotto *core, sotto_bytes note, uint64_t now_s);

/* Inside a transaction: the log of that relay has that key. */
sotto_error notices_judge_waiting(struct sotto *core, const char *relay,
                                  const struct tlog_key *key);
/* Inside a transaction: it has no log, as of when the newest notice was the one of that number. */
sotto_error notices_drop_waiting(struct sotto *core, const char *relay, int64_t up_to);
/* What a stored note says. */
sotto_error notices_read(struct sotto *core, sotto_bytes note, struct tlog_notice *notice);

/* A stored notice as faces see it. */
sotto_error notices_show(struct sotto *core, const struct store_notice *stored,
                         sotto_notice_fn *each, void *ctx);
/* In plain words; appended, with a NUL. */
sotto_error notice_text(const struct sotto_notice *notice, sotto_buf *out);

/* ---- Records among one's own devices (own.c) ---- */

enum {
    OWN_NOTICE = 26,
    OWN_NOTICE_READ = 27,
};
sotto_error notices_write(struct sotto *core, struct arena *arena, struct own_sink *sink);
sotto_error notice_own_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error notice_seen_read(struct sotto *core, struct reader *reader);

#endif
