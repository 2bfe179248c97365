#include "relay/db.h"

#include <limits.h>
#include <string.h>

int db_open(struct db *db, const char *path, int flags, const char *vfs)
{
    *db = (struct db){0};
    int code = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
    if (db->handle != NULL) {
        sqlite3_extended_result_codes(db->handle, 1);
        if (code != SQLITE_OK)
            code = sqlite3_extended_errcode(db->handle);
    }
    if (code != SQLITE_OK)
        db_close(db);
    return code;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < DB_STATEMENTS; i++)
        sqlite3_finalize(db->cached[i].stmt);
    sqlite3_close(db->handle);
    *db = (struct db){0};
}

void db_fail(struct db *db, int code)
{
    if (db->failure == SQLITE_OK)
        db->failure = code;
}

void db_exec(struct db *db, const char *sql)
{
    if (db->failure != SQLITE_OK)
        return;
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        db_fail(db, sqlite3_extended_errcode(db->handle));
}

db_query *db_prepare(struct db *db, const char *sql)
{
    if (db->failure != SQLITE_OK)
        return NULL;
    size_t slot = ((uintptr_t)sql * 0x9E3779B97F4A7C15u >> 32) % DB_STATEMENTS;
    while (db->cached[slot].sql != NULL && db->cached[slot].sql != sql)
        slot = (slot + 1) % DB_STATEMENTS;
    if (db->cached[slot].sql == NULL) {
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                               &db->cached[slot].stmt, NULL) != SQLITE_OK) {
            db_fail(db, sqlite3_extended_errcode(db->handle));
            return NULL;
        }
        db->cached[slot].sql = sql;
    }
    return db->cached[slot].stmt;
}

void db_bind_int(db_query *query, int at, int64_t value)
{
    if (query != NULL)
        sqlite3_bind_int64(query, at, value);
}

void db_bind_u64(db_query *query, int at, uint64_t value)
{
    db_bind_int(query, at, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void db_bind_bytes(db_query *query, int at, sotto_bytes bytes)
{
    if (query != NULL) /* an empty blob, not NULL, for an empty view */
        sqlite3_bind_blob64(query, at, bytes.size == 0 ? (const void *)"" : bytes.data, bytes.size,
                            SQLITE_STATIC);
}

void db_bind_text(db_query *query, int at, sotto_bytes text)
{
    if (text.size == 0)
        db_bind_null(query, at);
    else if (query != NULL)
        sqlite3_bind_text64(query, at, (const char *)text.data, text.size, SQLITE_STATIC,
                            SQLITE_UTF8);
}

void db_bind_null(db_query *query, int at)
{
    if (query != NULL)
        sqlite3_bind_null(query, at);
}

bool db_row(struct db *db, db_query *query)
{
    if (query == NULL || db->failure != SQLITE_OK)
        return false;
    int code = sqlite3_step(query);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        db_fail(db, sqlite3_extended_errcode(db->handle));
    return false;
}

int64_t db_int(db_query *query, int column)
{
    return sqlite3_column_int64(query, column);
}

uint64_t db_u64(db_query *query, int column)
{
    return (uint64_t)sqlite3_column_int64(query, column);
}

sotto_bytes db_bytes(db_query *query, int column)
{
    const uint8_t *data = sqlite3_column_blob(query, column);
    return sotto_bytes_of(data, (size_t)sqlite3_column_bytes(query, column));
}

void db_copy(struct db *db, db_query *query, int column, uint8_t *out, size_t size)
{
    sotto_bytes bytes = db_bytes(query, column);
    if (bytes.size != size || bytes.data == NULL) {
        memset(out, 0, size);
        db_fail(db, SQLITE_CORRUPT);
        return;
    }
    memcpy(out, bytes.data, size);
}

bool db_is_null(db_query *query, int column)
{
    return sqlite3_column_type(query, column) == SQLITE_NULL;
}

void db_end(db_query *query)
{
    if (query == NULL)
        return;
    sqlite3_reset(query);
    sqlite3_clear_bindings(query);
}

int64_t db_run(struct db *db, db_query *query)
{
    if (query == NULL)
        return 0;
    while (db_row(db, query)) {
    }
    db_end(query);
    return db->failure == SQLITE_OK ? sqlite3_changes64(db->handle) : 0;
}

sotto_error db_error_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
        return SOTTO_OK;
    case SQLITE_FULL:
        return SOTTO_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SOTTO_BUSY;
    case SQLITE_NOMEM:
        return SOTTO_NO_MEMORY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SOTTO_IO;
    default:
        return SOTTO_INTERNAL;
    }
}
