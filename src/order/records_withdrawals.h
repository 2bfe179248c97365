/* The records of withdrawals from jurisdictions. */
#ifndef ORDER_RECORDS_WITHDRAWALS_H
#define ORDER_RECORDS_WITHDRAWALS_H

#include "order/records.h"
#include "relay/withdrawal.h"

enum withdrawal_stage {
    WITHDRAWAL_STAGE_ANNOUNCED = 1,
    WITHDRAWAL_STAGE_RETURNING = 2, /* being taken back; whether in time the relay says */
    WITHDRAWAL_STAGE_STAYING = 3,
    WITHDRAWAL_STAGE_LEFT = 4, /* the accounts were erased */
};

struct withdrawal_record {
    uint8_t id[WITHDRAWAL_ID_SIZE];
    char jurisdiction[TLOG_JURISDICTION_MAX + 1], on[11];
    char reason[TLOG_LEAF_REASON_MAX + 1];
    enum withdrawal_stage stage;
    uint64_t announced_s;
    int64_t leaf; /* of the announcement */
    uint64_t ended_s;
    int64_t end_leaf;                          /* that it stays, or has left; negative: not yet */
    char end_reason[TLOG_LEAF_REASON_MAX + 1]; /* why it stays */
    uint64_t accounts;                         /* that were erased */
    sotto_buf file;                            /* as it was handed over (relay/withdrawal.h) */
};

/* Writes the record, a new one or in place of the one with its id, together with an entry of the
 * log, in one transaction. make is given the entry's number; it makes the entry and completes the
 * record. */
typedef sotto_error records_withdrawal_fn(void *ctx, uint64_t index,
                                          struct withdrawal_record *record, sotto_buf *entry);
sotto_error records_withdrawal_log(struct records *records, struct withdrawal_record *record,
                                   uint64_t now_s, records_withdrawal_fn *make, void *ctx);
/* The same without an entry. */
sotto_error records_withdrawal_put(struct records *records, const struct withdrawal_record *record);

/* The place'th, in the order in which they were announced, into a record whose file was
 * initialised. NOT_FOUND: there are no more. */
sotto_error records_withdrawal_get(struct records *records, size_t place,
                                   struct withdrawal_record *record);

#endif
