/* One connection to the SQLite file, with its prepared statements and a sticky failure: after the
 * first failure of SQLite every call does nothing, and whoever began the transaction rolls it
 * back. So the operations read and write without a check at each line. Internal to the engine. */
#ifndef RELAY_DB_H
#define RELAY_DB_H

#include <sqlite3.h>

#include "base/base.h"

enum { DB_STATEMENTS = 256 }; /* a power of two, at least twice as many as there are */

struct db {
    sqlite3 *handle;
    int failure; /* SQLITE_OK, or the extended code of the first failure */
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } cached[DB_STATEMENTS];
};

typedef sqlite3_stmt db_query;

/* vfs NULL: the system's. Fails with the extended result code of SQLite. */
int db_open(struct db *db, const char *path, int flags, const char *vfs);
void db_close(struct db *db);

/* Statements without parameters or rows. */
void db_exec(struct db *db, const char *sql);

/* A prepared statement, kept by the address of sql, which is a literal. NULL after a failure: all
 * functions below take that. */
db_query *db_prepare(struct db *db, const char *sql);

/* at: 1, 2, ... Bytes are borrowed until db_end. Values above 2^63 - 1 are cut to that. */
void db_bind_int(db_query *query, int at, int64_t value);
void db_bind_u64(db_query *query, int at, uint64_t value);
void db_bind_bytes(db_query *query, int at, sotto_bytes bytes);
void db_bind_text(db_query *query, int at, sotto_bytes text); /* empty: NULL */
void db_bind_null(db_query *query, int at);

/* The next row, or false: no more, or a failure. */
bool db_row(struct db *db, db_query *query);

int64_t db_int(db_query *query, int column);
uint64_t db_u64(db_query *query, int column);
/* Valid until the next db_row or db_end. */
sotto_bytes db_bytes(db_query *query, int column);
/* Copies exactly size bytes; marks the database as failed (corrupt) if the row has another size. */
void db_copy(struct db *db, db_query *query, int column, uint8_t *out, size_t size);
bool db_is_null(db_query *query, int column);

/* Ends the statement; it may be used again. */
void db_end(db_query *query);

/* Executes a statement that returns no rows, and ends it. Returns the number of rows changed. */
int64_t db_run(struct db *db, db_query *query);

/* Records a failure of our own making, such as memory. */
void db_fail(struct db *db, int code);

/* The failure's error: FULL, BUSY, NO_MEMORY, IO, INTERNAL. */
sotto_error db_error_of(int code);

#endif
