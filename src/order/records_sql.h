/* The records' statements, for the files that divide them by concept. Internal to these. */
#ifndef ORDER_RECORDS_SQL_H
#define ORDER_RECORDS_SQL_H

#include "order/records.h"

/* Statements without parameters or rows. */
sotto_error records_run(struct records *records, const char *sql);
/* A statement with its parameters: t text, i integer, b bytes (data, size). NULL: failed. */
sqlite3_stmt *records_prepare(struct records *records, const char *sql, const char *kinds, ...);
/* Runs one that returns nothing; row NULL: it could not be prepared. changed may be NULL. */
sotto_error records_finish(struct records *records, sqlite3_stmt *row, int *changed);
/* The same, and something has to change; else NOT_FOUND. */
sotto_error records_finish_one(struct records *records, sqlite3_stmt *row);
/* The next row: OK, or NOT_FOUND at the end. */
sotto_error records_step(struct records *records, sqlite3_stmt *row);
void records_column_text(sqlite3_stmt *row, int column, char *out, size_t size);
sotto_bytes records_column_bytes(sqlite3_stmt *row, int column);
/* False: of another size. */
bool records_column_fixed(sqlite3_stmt *row, int column, uint8_t *out, size_t size);

/* The log's next entry and what belongs to it, in one transaction: write is given the entry's
 * number, makes it, and puts the rest. */
typedef sotto_error records_log_fn(void *ctx, uint64_t index, sotto_buf *entry);
sotto_error records_log(struct records *records, uint64_t now_s, records_log_fn *write, void *ctx);

#endif
