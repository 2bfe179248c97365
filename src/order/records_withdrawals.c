#include "order/records_withdrawals.h"

#include "order/records_sql.h"

sotto_error records_withdrawal_put(struct records *records, const struct withdrawal_record *w)
{
    return records_finish(
        records,
        records_prepare(records,
                        "INSERT OR REPLACE INTO withdrawals(id, jurisdiction, day, reason, state,"
                        " announced, leaf, ended, end_leaf, end_reason, accounts, file)"
                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                        "btttiiiiitib", (const void *)w->id, sizeof w->id, w->jurisdiction, w->on,
                        w->reason, (int64_t)w->stage, (int64_t)w->announced_s, w->leaf,
                        (int64_t)w->ended_s, w->end_leaf, w->end_reason, (int64_t)w->accounts,
                        (const void *)w->file.data, w->file.size),
        NULL);
}

struct logging {
    struct records *records;
    struct withdrawal_record *record;
    records_withdrawal_fn *make;
    void *ctx;
};

static sotto_error write_record(void *ctx, uint64_t index, sotto_buf *entry)
{
    const struct logging *logging = ctx;
    TRY(logging->make(logging->ctx, index, logging->record, entry));
    return records_withdrawal_put(logging->records, logging->record);
}

sotto_error records_withdrawal_log(struct records *records, struct withdrawal_record *record,
                                   uint64_t now_s, records_withdrawal_fn *make, void *ctx)
{
    struct logging logging = {records, record, make, ctx};
    return records_log(records, now_s, write_record, &logging);
}

sotto_error records_withdrawal_get(struct records *records, size_t place,
                                   struct withdrawal_record *w)
{
    sqlite3_stmt *row = records_prepare(
        records,
        "SELECT id, jurisdiction, day, reason, state, announced, leaf, ended, end_leaf, end_reason,"
        " accounts, file FROM withdrawals ORDER BY leaf LIMIT 1 OFFSET ?1",
        "i", (int64_t)place);
    sotto_error error = records_step(records, row);
    if (error == SOTTO_OK && !records_column_fixed(row, 0, w->id, sizeof w->id))
        error = SOTTO_IO;
    if (error == SOTTO_OK) {
        records_column_text(row, 1, w->jurisdiction, sizeof w->jurisdiction);
        records_column_text(row, 2, w->on, sizeof w->on);
        records_column_text(row, 3, w->reason, sizeof w->reason);
        w->stage = (enum withdrawal_stage)sqlite3_column_int(row, 4);
        w->announced_s = (uint64_t)sqlite3_column_int64(row, 5);
        w->leaf = sqlite3_column_int64(row, 6);
        w->ended_s = (uint64_t)sqlite3_column_int64(row, 7);
        w->end_leaf = sqlite3_column_int64(row, 8);
        records_column_text(row, 9, w->end_reason, sizeof w->end_reason);
        w->accounts = (uint64_t)sqlite3_column_int64(row, 10);
        const sotto_bytes file = records_column_bytes(row, 11);
        sotto_buf_clear(&w->file);
        error = sotto_buf_append(&w->file, file.data, file.size);
    }
    sqlite3_finalize(row);
    return error;
}
