/* What accounts say of themselves, signed by their keys (wire/statement.h): made, told in every
 * room, and taken from whoever brings it. */
#ifndef CORE_STATEMENT_H
#define CORE_STATEMENT_H

#include "core/internal.h"
#include "wire/statement.h"

/* Makes one of one's own account; appended. Needs the account key. */
sotto_error statement_make(struct sotto *core, enum statement_kind kind, uint64_t number,
                           const char *relay, sotto_buf *out);

/* Inside a transaction: tells every living room, one's own devices' too, once. */
sotto_error statement_tell_all(struct sotto *core, sotto_bytes statement, uint64_t number);

/* Inside a transaction: the log of a room has this. entry's seq and row: for the line that tells of
 * an end. What is not signed, or not newer than what was heard, is passed over. */
sotto_error statement_take(struct sotto *core, const struct store_room *row, uint64_t seq,
                           sotto_bytes statement, struct arena *arena);

/* Inside a transaction: whatever was said up to that number is known. */
sotto_error statement_heard(struct sotto *core, const struct account_id *account, uint64_t number);

#endif
