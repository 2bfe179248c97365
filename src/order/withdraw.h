/* Leaving a jurisdiction rather than weakening the product: announced, in the log and to the
 * accounts there; taken back before its day, or done on it by the relay (relay/withdrawals.h).
 *
 * Each step is durable before the next, and the next opening of the office goes on from there:
 *
 *     announced   record and entry, one transaction; then the file for the relay, which tells
 *                 people
 *     returning   the record; then the file, from which on the relay stays; then the entry
 *     left        the relay's word that all are erased; then record and entry, one transaction
 */
#ifndef ORDER_WITHDRAW_H
#define ORDER_WITHDRAW_H

#include "order/office.h"
#include "order/records_withdrawals.h"

/* Announces what withdrawal says (jurisdiction, on, ranges, labels; id and notice are made), for
 * that reason. record's file was initialised. EXISTS: it is announced already, or the relay has
 * left; LIMIT, VALUE: problem. */
sotto_error withdraw_announce(struct office *office, struct withdrawal *withdrawal,
                              const char *reason, struct withdrawal_record *record);

/* Takes the announced one of that jurisdiction back. NOT_FOUND: there is none; STATE: its day has
 * come, or the relay has to run before it is known whether it had: problem. */
sotto_error withdraw_return(struct office *office, const char *jurisdiction, const char *reason,
                            struct withdrawal_record *record);

/* Records what the relay did meanwhile, and ends what was cut short, before the log is published.
 */
sotto_error withdraw_settle(struct office *office);
/* Puts the files for the relay there that are missing; the log is published. */
sotto_error withdraw_hand_over(struct office *office);

#endif
