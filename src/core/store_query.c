#include "core/store_query.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* ---- Errors --------------------------------------------------------------------------------- */

sotto_error store_fail(struct store *store, sotto_error error, const char *what)
{
    store->fault = (sotto_fault){.error = error, .what = what};
    snprintf(store->message, sizeof store->message, "%s: %s", what, sotto_error_text(error));
    return error;
}

static sotto_error error_of(struct store *store, int code)
{
    switch (code & 0xFF) {
    case SQLITE_FULL:
        return SOTTO_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SOTTO_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SOTTO_VALUE;
    case SQLITE_NOMEM:
        return SOTTO_NO_MEMORY;
    case SQLITE_IOERR: {
        if (code == SQLITE_IOERR_DATA) /* crypt_vfs.h */
            return SOTTO_VALUE;
        /* SQLite says FULL for ENOSPC alone; a quota and a file size limit are the same to people.
         */
        int system = store->db == NULL ? 0 : sqlite3_system_errno(store->db);
        return system == EDQUOT || system == EFBIG || system == ENOSPC ? SOTTO_FULL : SOTTO_IO;
    }
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return SOTTO_IO;
    case SQLITE_TOOBIG:
        return SOTTO_LIMIT;
    case SQLITE_CONSTRAINT:
        if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
            code == SQLITE_CONSTRAINT_ROWID)
            return SOTTO_EXISTS;
        return SOTTO_INTERNAL;
    default:
        return SOTTO_INTERNAL;
    }
}

static const char *what_of(sotto_error error)
{
    switch (error) {
    case SOTTO_VALUE:
        return "profile.db: the database is damaged";
    case SOTTO_BUSY:
        return "profile.db: another process holds the lock";
    case SOTTO_FULL:
        return "profile.db: no space left on the disk";
    case SOTTO_IO:
        return "profile.db: it cannot be read or written";
    default:
        return "profile.db";
    }
}

sotto_error store_fail_sqlite(struct store *store, int code)
{
    sotto_error error = error_of(store, code);
    store->fault = (sotto_fault){.error = error, .what = what_of(error)};
    snprintf(store->message, sizeof store->message, "%s (%s, %d)", store->fault.what,
             store->db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(store->db), code);
    return error;
}

sotto_error store_exec(struct store *store, const char *sql)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? SOTTO_OK : store_fail_sqlite(store, code);
}

static void query_fail(struct query *q, int code)
{
    if (q->error == SOTTO_OK)
        q->error = store_fail_sqlite(q->store, code);
}

/* ---- Statements ----------------------------------------------------------------------------- */

/* By the text's address, else the next that is free; -1: busy, or all are taken. */
static int cache_slot(struct store *store, const char *sql)
{
    uint32_t first = (uint32_t)((uintptr_t)sql / 8) * UINT32_C(0x9E3779B1) >> 23;
    for (uint32_t i = 0; i < STORE_CACHE; i++) {
        uint32_t at = (first + i) % STORE_CACHE;
        if (store->cache[at].sql == sql)
            return store->cache[at].busy ? -1 : (int)at;
        if (store->cache[at].sql == NULL)
            return (int)at;
    }
    return -1;
}
_Static_assert(STORE_CACHE == 1 << (32 - 23), "the upper bits say where it is");

void query_read(struct query *q, struct store *store, const char *sql)
{
    store_reads_begin(store);
    *q = (struct query){.store = store, .slot = cache_slot(store, sql)};
    if (q->slot >= 0 && store->cache[q->slot].stmt != NULL) {
        q->stmt = store->cache[q->slot].stmt;
        store->cache[q->slot].busy = true;
        return;
    }
    unsigned flags = q->slot >= 0 ? SQLITE_PREPARE_PERSISTENT : 0;
    int code = sqlite3_prepare_v3(store->db, sql, -1, flags, &q->stmt, NULL);
    if (code != SQLITE_OK) {
        q->slot = -1;
        query_fail(q, code);
        return;
    }
    if (q->slot >= 0) {
        store->cache[q->slot].sql = sql;
        store->cache[q->slot].stmt = q->stmt;
        store->cache[q->slot].busy = true;
    }
}

void query_write(struct query *q, struct store *store, const char *sql)
{
    BUG_UNLESS(store->in_transaction);
    if (sqlite3_get_autocommit(store->db)) {
        /* SQLite has rolled back after an earlier error: writing now would be outside. */
        *q = (struct query){.store = store, .slot = -1};
        q->error = store->fault.error != SOTTO_OK ? store->fault.error : SOTTO_STATE;
        return;
    }
    query_read(q, store, sql);
}

sotto_error query_end(struct query *q)
{
    if (q->slot >= 0) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
        q->store->cache[q->slot].busy = false;
    } else {
        sqlite3_finalize(q->stmt);
    }
    q->stmt = NULL;
    return q->error;
}

sotto_error query_end_one(struct query *q)
{
    size_t rows = q->rows;
    TRY(query_end(q));
    return rows == 0 ? SOTTO_NOT_FOUND : SOTTO_OK;
}

sotto_error query_run(struct query *q)
{
    while (query_next(q))
        continue;
    return query_end(q);
}

sotto_error query_run_one(struct query *q)
{
    sqlite3 *db = q->store->db;
    TRY(query_run(q));
    return sqlite3_changes(db) == 0 ? SOTTO_NOT_FOUND : SOTTO_OK;
}

/* ---- Parameters ----------------------------------------------------------------------------- */

/* The position of the next parameter; 0 after a failure. */
static int next_parameter(struct query *q)
{
    return q->error == SOTTO_OK ? ++q->bound : 0;
}

static void bound(struct query *q, int code)
{
    if (code != SQLITE_OK)
        query_fail(q, code);
}

void query_i64(struct query *q, int64_t value)
{
    int at = next_parameter(q);
    if (at > 0)
        bound(q, sqlite3_bind_int64(q->stmt, at, value));
}

void query_u64(struct query *q, uint64_t value)
{
    if (value > INT64_MAX && q->error == SOTTO_OK)
        q->error = store_fail(q->store, SOTTO_LIMIT, "a number is above 2^63 - 1");
    query_i64(q, (int64_t)value);
}

void query_bytes(struct query *q, sotto_bytes value)
{
    int at = next_parameter(q);
    const void *data =
        value.size == 0 ? "" : (const void *)value.data; /* NULL would be SQL's NULL */
    if (at > 0)
        bound(q, sqlite3_bind_blob64(q->stmt, at, data, value.size, SQLITE_STATIC));
}

void query_fixed(struct query *q, const uint8_t *data, size_t size)
{
    query_bytes(q, sotto_bytes_of(data, size));
}

void query_utf8(struct query *q, sotto_bytes value)
{
    int at = next_parameter(q);
    const char *data = value.size == 0 ? "" : (const char *)value.data;
    if (at > 0)
        bound(q, sqlite3_bind_text64(q->stmt, at, data, value.size, SQLITE_STATIC, SQLITE_UTF8));
}

void query_text(struct query *q, const char *value)
{
    query_utf8(q, value == NULL ? sotto_bytes_of(NULL, 0) : sotto_bytes_str(value));
}

void query_null(struct query *q)
{
    int at = next_parameter(q);
    if (at > 0)
        bound(q, sqlite3_bind_null(q->stmt, at));
}

/* ---- Results -------------------------------------------------------------------------------- */

bool query_next(struct query *q)
{
    if (q->error != SOTTO_OK)
        return false;
    int code = sqlite3_step(q->stmt);
    q->column = 0;
    if (code == SQLITE_ROW) {
        q->rows++;
        return true;
    }
    if (code != SQLITE_DONE)
        query_fail(q, code);
    return false;
}

static void damaged(struct query *q)
{
    if (q->error == SOTTO_OK)
        q->error = store_fail(q->store, SOTTO_VALUE,
                              "profile.db: a column holds what it cannot: the database is damaged");
}

int64_t column_i64(struct query *q)
{
    return q->error == SOTTO_OK ? sqlite3_column_int64(q->stmt, q->column++) : 0;
}

uint64_t column_u64(struct query *q)
{
    int64_t value = column_i64(q);
    if (value < 0) {
        damaged(q);
        return 0;
    }
    return (uint64_t)value;
}

uint32_t column_between(struct query *q, uint32_t least, uint32_t most)
{
    int64_t value = column_i64(q);
    if (q->error != SOTTO_OK)
        return 0;
    if (value < (int64_t)least || value > (int64_t)most) {
        damaged(q);
        return 0;
    }
    return (uint32_t)value;
}

uint32_t column_u32(struct query *q)
{
    return column_between(q, 0, UINT32_MAX);
}

bool column_bool(struct query *q)
{
    return column_between(q, 0, 1) == 1;
}

sotto_bytes column_borrow(struct query *q)
{
    if (q->error != SOTTO_OK)
        return sotto_bytes_of(NULL, 0);
    /* column_blob first: column_bytes then says the size of that form. */
    const uint8_t *data = sqlite3_column_blob(q->stmt, q->column);
    int size = sqlite3_column_bytes(q->stmt, q->column++);
    if (data == NULL && size > 0) {
        q->error = store_fail(q->store, SOTTO_NO_MEMORY, "profile.db");
        size = 0;
    }
    return sotto_bytes_of(data, (size_t)size);
}

bool column_fixed(struct query *q, uint8_t *out, size_t size)
{
    sotto_bytes value = column_borrow(q);
    memset(out, 0, size);
    if (value.data == NULL || value.size == 0)
        return false;
    if (value.size != size) {
        damaged(q);
        return false;
    }
    memcpy(out, value.data, size);
    return true;
}

static void column_no_memory(struct query *q)
{
    if (q->error == SOTTO_OK)
        q->error = store_fail(q->store, SOTTO_NO_MEMORY, "arena");
}

sotto_bytes column_bytes(struct query *q, struct arena *arena)
{
    sotto_bytes value = column_borrow(q), copy = {0};
    if (value.size > 0 && arena_copy(arena, value, &copy) != SOTTO_OK)
        column_no_memory(q);
    return copy;
}

const char *column_text(struct query *q, struct arena *arena)
{
    sotto_bytes value = column_borrow(q);
    if (value.data == NULL || value.size == 0)
        return "";
    char *text = arena_array(arena, value.size + 1, 1);
    if (text == NULL) {
        column_no_memory(q);
        return "";
    }
    memcpy(text, value.data, value.size);
    return text;
}

void *rows_add(struct rows *rows, struct query *q)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 8 : rows->capacity * 2;
        uint8_t *data = arena_array(rows->arena, capacity, rows->size);
        if (data == NULL) {
            column_no_memory(q);
            return NULL;
        }
        if (rows->count > 0)
            memcpy(data, rows->data, rows->count * rows->size);
        rows->data = data;
        rows->capacity = capacity;
    }
    return rows->data + rows->count++ * rows->size;
}

sotto_error query_end_rooms(struct query *q, struct arena *arena, struct room_id **rooms,
                            size_t *count)
{
    struct rows list = {.arena = arena, .size = sizeof **rooms};
    while (query_next(q)) {
        struct room_id *row = rows_add(&list, q);
        if (row != NULL)
            column_fixed(q, row->bytes, sizeof row->bytes);
    }
    TRY(query_end(q));
    *rooms = (void *)list.data;
    *count = list.count;
    return SOTTO_OK;
}
