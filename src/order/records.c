#include "order/records_sql.h"

#include <string.h>

/* ---- SQLite --------------------------------------------------------------------------------- */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS authorities("
    " name TEXT PRIMARY KEY, kinds INTEGER NOT NULL, jurisdictions TEXT NOT NULL,"
    " certificates BLOB NOT NULL, lists BLOB NOT NULL, added INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS operators(name TEXT PRIMARY KEY, public_key BLOB NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS orders("
    " digest BLOB PRIMARY KEY, reference TEXT NOT NULL, authority TEXT NOT NULL,"
    " received INTEGER NOT NULL, acknowledged INTEGER NOT NULL DEFAULT 0,"
    " leaf INTEGER NOT NULL DEFAULT -1, decided INTEGER NOT NULL DEFAULT 0,"
    " outcome INTEGER NOT NULL DEFAULT 0, file BLOB, answer BLOB, order_salt BLOB,"
    " answer_salt BLOB);"
    "CREATE TABLE IF NOT EXISTS approvals("
    " digest BLOB NOT NULL, name TEXT NOT NULL, signature BLOB NOT NULL,"
    " PRIMARY KEY(digest, name));"
    "CREATE TABLE IF NOT EXISTS leaves("
    " position INTEGER PRIMARY KEY, entry BLOB NOT NULL, time INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS notices("
    " number INTEGER PRIMARY KEY, account BLOB NOT NULL, due INTEGER NOT NULL,"
    " text BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS withdrawals("
    " id BLOB PRIMARY KEY, jurisdiction TEXT NOT NULL, day TEXT NOT NULL, reason TEXT NOT NULL,"
    " state INTEGER NOT NULL, announced INTEGER NOT NULL, leaf INTEGER NOT NULL,"
    " ended INTEGER NOT NULL, end_leaf INTEGER NOT NULL, end_reason TEXT NOT NULL,"
    " accounts INTEGER NOT NULL, file BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS witnesses("
    " key TEXT PRIMARY KEY, url TEXT NOT NULL, size INTEGER NOT NULL DEFAULT 0);"
    /* The log only grows: a mistake here may not undo it. */
    "CREATE TRIGGER IF NOT EXISTS leaves_stay BEFORE DELETE ON leaves"
    " BEGIN SELECT RAISE(ABORT, 'entries of the log stay'); END;"
    "CREATE TRIGGER IF NOT EXISTS leaves_are BEFORE UPDATE ON leaves"
    " BEGIN SELECT RAISE(ABORT, 'entries of the log stay as they are'); END;";

static sotto_error failed(struct records *records)
{
    const int code = sqlite3_errcode(records->db);
    snprintf(records->problem, sizeof records->problem, "the records of orders: %s",
             sqlite3_errmsg(records->db));
    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return SOTTO_NO_MEMORY;
    case SQLITE_FULL:
        return SOTTO_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SOTTO_BUSY;
    case SQLITE_CONSTRAINT:
        return SOTTO_EXISTS;
    default:
        return SOTTO_IO;
    }
}

sotto_error records_run(struct records *records, const char *sql)
{
    return sqlite3_exec(records->db, sql, NULL, NULL, NULL) == SQLITE_OK ? SOTTO_OK
                                                                         : failed(records);
}

sotto_error records_open(const char *path, const sotto_env *env, struct records *records)
{
    *records = (struct records){.env = env};
    if (sqlite3_open_v2(path, &records->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK) {
        sotto_error error = failed(records);
        sqlite3_close(records->db);
        records->db = NULL;
        return error;
    }
    sqlite3_extended_result_codes(records->db, 1);
    sqlite3_busy_timeout(records->db, 10000);
    sqlite3_db_config(records->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sotto_error error = records_run(records, "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
                                             "PRAGMA trusted_schema = OFF;");
    if (error == SOTTO_OK)
        error = records_run(records, schema);
    if (error != SOTTO_OK) {
        sqlite3_close(records->db);
        records->db = NULL;
    }
    return error;
}

void records_close(struct records *records)
{
    sqlite3_close(records->db);
    records->db = NULL;
}

sqlite3_stmt *records_prepare(struct records *records, const char *sql, const char *kinds, ...)
{
    sqlite3_stmt *row = NULL;
    va_list args;
    if (sqlite3_prepare_v2(records->db, sql, -1, &row, NULL) != SQLITE_OK)
        return NULL;
    va_start(args, kinds);
    int code = SQLITE_OK;
    for (int i = 1; *kinds != '\0' && code == SQLITE_OK; kinds++, i++) {
        if (*kinds == 't') {
            code = sqlite3_bind_text(row, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        } else if (*kinds == 'i') {
            code = sqlite3_bind_int64(row, i, va_arg(args, int64_t));
        } else {
            const void *data = va_arg(args, const void *);
            const size_t size = va_arg(args, size_t);
            code = sqlite3_bind_blob64(row, i, size == 0 ? "" : data, size, SQLITE_TRANSIENT);
        }
    }
    va_end(args);
    if (code == SQLITE_OK)
        return row;
    sqlite3_finalize(row);
    return NULL;
}

sotto_error records_finish(struct records *records, sqlite3_stmt *row, int *changed)
{
    const int code = row == NULL ? SQLITE_ERROR : sqlite3_step(row);
    sotto_error error = code == SQLITE_DONE ? SOTTO_OK : failed(records);
    if (changed != NULL)
        *changed = sqlite3_changes(records->db);
    sqlite3_finalize(row);
    return error;
}

sotto_error records_finish_one(struct records *records, sqlite3_stmt *row)
{
    int changed = 0;
    TRY(records_finish(records, row, &changed));
    return changed == 0 ? SOTTO_NOT_FOUND : SOTTO_OK;
}

sotto_error records_step(struct records *records, sqlite3_stmt *row)
{
    const int code = row == NULL ? SQLITE_ERROR : sqlite3_step(row);
    return code == SQLITE_ROW ? SOTTO_OK : code == SQLITE_DONE ? SOTTO_NOT_FOUND : failed(records);
}

void records_column_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

sotto_bytes records_column_bytes(sqlite3_stmt *row, int column)
{
    const uint8_t *data = sqlite3_column_blob(row, column);
    const int size = sqlite3_column_bytes(row, column);
    return sotto_bytes_of(data, data == NULL ? 0 : (size_t)size);
}

bool records_column_fixed(sqlite3_stmt *row, int column, uint8_t *out, size_t size)
{
    const sotto_bytes bytes = records_column_bytes(row, column);
    if (bytes.size != size)
        return false;
    memcpy(out, bytes.data, size);
    return true;
}

/* ---- Who may ask ---------------------------------------------------------------------------- */

sotto_error records_authority_add(struct records *records, const struct authority *a)
{
    return records_finish(
        records,
        records_prepare(records, "INSERT INTO authorities VALUES(?1, ?2, ?3, ?4, ?5, ?6)", "titbbi",
                        a->name, (int64_t)a->kinds, a->jurisdictions, a->certificates.data,
                        a->certificates.size, a->lists.data, a->lists.size, (int64_t)a->added_s),
        NULL);
}

sotto_error records_authority_lists(struct records *records, const char *name, sotto_bytes lists)
{
    return records_finish_one(
        records, records_prepare(records, "UPDATE authorities SET lists = ?2 WHERE name = ?1", "tb",
                                 name, lists.data, lists.size));
}

sotto_error records_authority_remove(struct records *records, const char *name)
{
    return records_finish_one(
        records, records_prepare(records, "DELETE FROM authorities WHERE name = ?1", "t", name));
}

sotto_error records_authorities(struct records *records,
                                bool (*each)(void *ctx, const struct authority *authority),
                                void *ctx)
{
    sqlite3_stmt *row =
        records_prepare(records,
                        "SELECT name, kinds, jurisdictions, certificates, lists, added"
                        " FROM authorities ORDER BY name",
                        "");
    sotto_error error;
    bool more = true;
    while (more && (error = records_step(records, row)) == SOTTO_OK) {
        struct authority authority = {.kinds = (unsigned)sqlite3_column_int(row, 1),
                                      .certificates = records_column_bytes(row, 3),
                                      .lists = records_column_bytes(row, 4),
                                      .added_s = (uint64_t)sqlite3_column_int64(row, 5)};
        records_column_text(row, 0, authority.name, sizeof authority.name);
        records_column_text(row, 2, authority.jurisdictions, sizeof authority.jurisdictions);
        more = each(ctx, &authority);
    }
    sqlite3_finalize(row);
    return !more || error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Who decides ---------------------------------------------------------------------------- */

sotto_error records_operator_add(struct records *records, const struct operator_key *key)
{
    return records_finish(records,
                          records_prepare(records, "INSERT INTO operators VALUES(?1, ?2)", "tb",
                                          key->name, (const void *)key->public_key,
                                          sizeof key->public_key),
                          NULL);
}

sotto_error records_operator_remove(struct records *records, const char *name)
{
    return records_finish_one(
        records, records_prepare(records, "DELETE FROM operators WHERE name = ?1", "t", name));
}

sotto_error records_operators(struct records *records, struct operator_key *keys, size_t *count)
{
    sqlite3_stmt *row = records_prepare(
        records, "SELECT name, public_key FROM operators ORDER BY name LIMIT 64", "");
    sotto_error error;
    *count = 0;
    while ((error = records_step(records, row)) == SOTTO_OK) {
        struct operator_key *key = &keys[*count];
        records_column_text(row, 0, key->name, sizeof key->name);
        if (records_column_fixed(row, 1, key->public_key, sizeof key->public_key))
            ++*count;
    }
    sqlite3_finalize(row);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error records_approvals_needed(struct records *records, uint32_t *count)
{
    char value[16] = "0";
    sotto_error error = records_setting(records, "approvals", value, sizeof value);
    *count = (uint32_t)strtoul(value, NULL, 10);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error records_approvals_need(struct records *records, uint32_t count)
{
    char value[16];
    snprintf(value, sizeof value, "%u", (unsigned)count);
    return records_set(records, "approvals", value);
}

/* ---- Orders --------------------------------------------------------------------------------- */

#define ORDER_COLUMNS "digest, reference, authority, received, acknowledged, leaf, decided, outcome"

static bool order_of_row(sqlite3_stmt *row, struct order_row *order)
{
    records_column_text(row, 1, order->reference, sizeof order->reference);
    records_column_text(row, 2, order->authority, sizeof order->authority);
    order->received_s = (uint64_t)sqlite3_column_int64(row, 3);
    order->acknowledged_s = (uint64_t)sqlite3_column_int64(row, 4);
    order->leaf = sqlite3_column_int64(row, 5);
    order->decided_s = (uint64_t)sqlite3_column_int64(row, 6);
    order->outcome = (enum tlog_outcome)sqlite3_column_int(row, 7);
    return records_column_fixed(row, 0, order->digest.bytes, TLOG_HASH_SIZE);
}

static sotto_error one_order(struct records *records, sqlite3_stmt *row, struct order_row *order)
{
    sotto_error error = records_step(records, row);
    if (error == SOTTO_OK && !order_of_row(row, order))
        error = SOTTO_IO;
    sqlite3_finalize(row);
    return error;
}

sotto_error records_order_receive(struct records *records, const struct order_row *order,
                                  sotto_bytes file)
{
    return records_finish(
        records,
        records_prepare(records,
                        "INSERT INTO orders(digest, reference, authority, received, file)"
                        " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                        "bttib", (const void *)order->digest.bytes, (size_t)TLOG_HASH_SIZE,
                        order->reference, order->authority, (int64_t)order->received_s, file.data,
                        file.size),
        NULL);
}

sotto_error records_order_acknowledge(struct records *records, const struct tlog_hash *digest,
                                      uint64_t now_s)
{
    return records_finish_one(
        records,
        records_prepare(records,
                        "UPDATE orders SET acknowledged = CASE acknowledged"
                        " WHEN 0 THEN ?2 ELSE acknowledged END WHERE digest = ?1",
                        "bi", (const void *)digest->bytes, (size_t)TLOG_HASH_SIZE, (int64_t)now_s));
}

sotto_error records_order_get(struct records *records, const struct tlog_hash *digest,
                              struct order_row *order)
{
    return one_order(records,
                     records_prepare(records,
                                     "SELECT " ORDER_COLUMNS " FROM orders WHERE digest = ?1", "b",
                                     (const void *)digest->bytes, (size_t)TLOG_HASH_SIZE),
                     order);
}

sotto_error records_order_same(struct records *records, const char *authority,
                               const char *reference, const struct tlog_hash *but,
                               struct order_row *order)
{
    return one_order(records,
                     records_prepare(records,
                                     "SELECT " ORDER_COLUMNS " FROM orders WHERE authority = ?1 AND"
                                     " reference = ?2 AND leaf >= 0 AND digest <> ?3 LIMIT 1",
                                     "ttb", authority, reference, (const void *)but->bytes,
                                     (size_t)TLOG_HASH_SIZE),
                     order);
}

sotto_error records_orders(struct records *records,
                           bool (*each)(void *ctx, const struct order_row *order), void *ctx)
{
    sqlite3_stmt *row = records_prepare(
        records, "SELECT " ORDER_COLUMNS " FROM orders ORDER BY received, digest", "");
    sotto_error error;
    bool more = true;
    while (more && (error = records_step(records, row)) == SOTTO_OK) {
        struct order_row order;
        memset(&order, 0, sizeof order);
        if (order_of_row(row, &order))
            more = each(ctx, &order);
    }
    sqlite3_finalize(row);
    return !more || error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error records_approve(struct records *records, const struct tlog_hash *digest,
                            const char *name, const uint8_t signature[static 64])
{
    return records_finish(
        records,
        records_prepare(records, "INSERT OR REPLACE INTO approvals VALUES(?1, ?2, ?3)", "btb",
                        (const void *)digest->bytes, (size_t)TLOG_HASH_SIZE, name,
                        (const void *)signature, (size_t)64),
        NULL);
}

sotto_error records_approvals(struct records *records, const struct tlog_hash *digest,
                              struct approval *approvals, size_t *count)
{
    sqlite3_stmt *row = records_prepare(
        records, "SELECT name, signature FROM approvals WHERE digest = ?1 ORDER BY name LIMIT 64",
        "b", (const void *)digest->bytes, (size_t)TLOG_HASH_SIZE);
    sotto_error error;
    *count = 0;
    while ((error = records_step(records, row)) == SOTTO_OK) {
        records_column_text(row, 0, approvals[*count].name, sizeof approvals->name);
        if (records_column_fixed(row, 1, approvals[*count].signature, sizeof approvals->signature))
            ++*count;
    }
    sqlite3_finalize(row);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Decisions and the log ------------------------------------------------------------------ */

static sotto_error next_index(struct records *records, uint64_t *index)
{
    sqlite3_stmt *row = records_prepare(records, "SELECT count(*) FROM leaves", "");
    sotto_error error = records_step(records, row);
    if (error == SOTTO_OK)
        *index = (uint64_t)sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return error;
}

static sotto_error put_leaf(struct records *records, uint64_t index, sotto_bytes entry,
                            uint64_t now_s)
{
    return records_finish(records,
                          records_prepare(records, "INSERT INTO leaves VALUES(?1, ?2, ?3)", "ibi",
                                          (int64_t)index, entry.data, entry.size, (int64_t)now_s),
                          NULL);
}

sotto_error records_log(struct records *records, uint64_t now_s, records_log_fn *write, void *ctx)
{
    uint64_t index = 0;
    sotto_buf entry;
    TRY(records_run(records, "BEGIN IMMEDIATE"));
    sotto_buf_init(&entry, records->env);
    sotto_error error = next_index(records, &index);
    if (error == SOTTO_OK)
        error = write(ctx, index, &entry);
    if (error == SOTTO_OK)
        error = put_leaf(records, index, sotto_buf_view(&entry), now_s);
    if (error == SOTTO_OK)
        error = records_run(records, "COMMIT");
    if (error != SOTTO_OK)
        sqlite3_exec(records->db, "ROLLBACK", NULL, NULL, NULL);
    sotto_buf_free(&entry);
    return error;
}

static sotto_error put_decision(struct records *records, const struct decision *decision)
{
    const struct order_row *order = &decision->order;
    return records_finish_one(
        records, records_prepare(
                     records,
                     "UPDATE orders SET acknowledged = ?2, leaf = ?3, decided = ?4, outcome = ?5,"
                     " file = ?6, answer = ?7, order_salt = ?8, answer_salt = ?9"
                     " WHERE digest = ?1 AND leaf < 0",
                     "biiiibbbb", (const void *)order->digest.bytes, (size_t)TLOG_HASH_SIZE,
                     (int64_t)order->acknowledged_s, order->leaf, (int64_t)order->decided_s,
                     (int64_t)order->outcome, decision->file.data, decision->file.size,
                     decision->answer.data, decision->answer.size,
                     (const void *)decision->order_salt, sizeof decision->order_salt,
                     (const void *)decision->answer_salt, sizeof decision->answer_salt));
}

static sotto_error put_notice(struct records *records, const struct decision *decision)
{
    if (decision->notice.size == 0)
        return SOTTO_OK;
    return records_finish(records,
                          records_prepare(records, "INSERT INTO notices VALUES(?1, ?2, ?3, ?4)",
                                          "ibib", decision->order.leaf,
                                          (const void *)decision->account, sizeof decision->account,
                                          (int64_t)decision->notice_due_s, decision->notice.data,
                                          decision->notice.size),
                          NULL);
}

struct deciding {
    struct records *records;
    struct decision *decision;
    records_make_fn *make;
    void *ctx;
};

static sotto_error write_decision(void *ctx, uint64_t index, sotto_buf *entry)
{
    const struct deciding *deciding = ctx;
    struct records *records = deciding->records;
    struct decision *decision = deciding->decision;
    struct order_row known;
    sotto_error error = records_order_get(records, &decision->order.digest, &known);
    if (error == SOTTO_OK && known.leaf >= 0)
        return SOTTO_EXISTS;
    if (error == SOTTO_NOT_FOUND)
        error = records_order_receive(records, &decision->order, decision->file);
    if (error != SOTTO_OK)
        return error;
    decision->order.leaf = (int64_t)index;
    TRY(deciding->make(deciding->ctx, index, decision, entry));
    TRY(put_decision(records, decision));
    return put_notice(records, decision);
}

sotto_error records_decide(struct records *records, struct decision *decision,
                           records_make_fn *make, void *ctx)
{
    struct deciding deciding = {records, decision, make, ctx};
    return records_log(records, decision->order.decided_s, write_decision, &deciding);
}

sotto_error records_decision(struct records *records, const struct tlog_hash *digest,
                             struct decision *decision, sotto_buf *bytes)
{
    sqlite3_stmt *row =
        records_prepare(records,
                        "SELECT " ORDER_COLUMNS ", file, answer, order_salt, answer_salt"
                        " FROM orders WHERE digest = ?1 AND order_salt IS NOT NULL",
                        "b", (const void *)digest->bytes, (size_t)TLOG_HASH_SIZE);
    sotto_error error = records_step(records, row);
    if (error == SOTTO_OK && (!order_of_row(row, &decision->order) ||
                              !records_column_fixed(row, 10, decision->order_salt, 32) ||
                              !records_column_fixed(row, 11, decision->answer_salt, 32)))
        error = SOTTO_IO;
    if (error == SOTTO_OK) {
        const sotto_bytes file = records_column_bytes(row, 8),
                          answer = records_column_bytes(row, 9);
        const size_t at = bytes->size;
        error = sotto_buf_reserve(bytes, file.size + answer.size);
        if (error == SOTTO_OK)
            error = sotto_buf_append(bytes, file.data, file.size);
        if (error == SOTTO_OK)
            error = sotto_buf_append(bytes, answer.data, answer.size);
        decision->file = sotto_bytes_of(bytes->data + at, file.size);
        decision->answer = sotto_bytes_of(bytes->data + at + file.size, answer.size);
    }
    sqlite3_finalize(row);
    return error;
}

sotto_error records_notices(struct records *records,
                            bool (*each)(void *ctx, uint64_t number, sotto_bytes account,
                                         uint64_t due_s, sotto_bytes text),
                            void *ctx)
{
    for (int64_t after = -1;;) {
        sqlite3_stmt *row = records_prepare(records,
                                            "SELECT number, account, due, text FROM notices"
                                            " WHERE number > ?1 ORDER BY number LIMIT 1",
                                            "i", after);
        sotto_error error = records_step(records, row);
        bool handed = false;
        if (error == SOTTO_OK) {
            after = sqlite3_column_int64(row, 0);
            handed = each(ctx, (uint64_t)after, records_column_bytes(row, 1),
                          (uint64_t)sqlite3_column_int64(row, 2), records_column_bytes(row, 3));
        }
        sqlite3_finalize(row);
        if (error != SOTTO_OK)
            return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
        if (handed)
            TRY(records_finish(
                records,
                records_prepare(records, "DELETE FROM notices WHERE number = ?1", "i", after),
                NULL));
    }
}

sotto_error records_forget(struct records *records, const struct tlog_hash *digest)
{
    return records_finish_one(
        records, records_prepare(records,
                                 "UPDATE orders SET file = NULL, answer = NULL, order_salt = NULL,"
                                 " answer_salt = NULL WHERE digest = ?1 AND leaf >= 0"
                                 " AND order_salt IS NOT NULL",
                                 "b", (const void *)digest->bytes, (size_t)TLOG_HASH_SIZE));
}

sotto_error records_entry(void *ctx, uint64_t index, sotto_bytes *entry)
{
    struct records_entries *entries = ctx;
    sqlite3_stmt *row = records_prepare(
        entries->records, "SELECT entry FROM leaves WHERE position = ?1", "i", (int64_t)index);
    sotto_error error = records_step(entries->records, row);
    sotto_buf_clear(&entries->entry);
    if (error == SOTTO_OK) {
        const sotto_bytes bytes = records_column_bytes(row, 0);
        error = sotto_buf_append(&entries->entry, bytes.data, bytes.size);
        *entry = sotto_buf_view(&entries->entry);
    }
    sqlite3_finalize(row);
    return error;
}

/* ---- Settings and witnesses ----------------------------------------------------------------- */

sotto_error records_setting(struct records *records, const char *name, char *value, size_t size)
{
    sqlite3_stmt *row =
        records_prepare(records, "SELECT value FROM settings WHERE name = ?1", "t", name);
    sotto_error error = records_step(records, row);
    if (error == SOTTO_OK)
        records_column_text(row, 0, value, size);
    sqlite3_finalize(row);
    return error;
}

sotto_error records_set(struct records *records, const char *name, const char *value)
{
    return records_finish(records,
                          records_prepare(records, "INSERT OR REPLACE INTO settings VALUES(?1, ?2)",
                                          "tt", name, value),
                          NULL);
}

sotto_error records_witness_add(struct records *records, const char *key, const char *url)
{
    return records_finish(
        records,
        records_prepare(records, "INSERT INTO witnesses(key, url) VALUES(?1, ?2)", "tt", key, url),
        NULL);
}

sotto_error records_witness_remove(struct records *records, const char *key)
{
    return records_finish_one(
        records, records_prepare(records, "DELETE FROM witnesses WHERE key = ?1", "t", key));
}

sotto_error records_witness_saw(struct records *records, const char *key, uint64_t size)
{
    return records_finish_one(
        records, records_prepare(records, "UPDATE witnesses SET size = ?2 WHERE key = ?1", "ti",
                                 key, (int64_t)size));
}

sotto_error records_witnesses(struct records *records, struct witness_row *rows, size_t *count)
{
    sqlite3_stmt *row =
        records_prepare(records, "SELECT key, url, size FROM witnesses ORDER BY key LIMIT 16", "");
    sotto_error error;
    *count = 0;
    while ((error = records_step(records, row)) == SOTTO_OK) {
        records_column_text(row, 0, rows[*count].key, sizeof rows->key);
        records_column_text(row, 1, rows[*count].url, sizeof rows->url);
        rows[*count].size = (uint64_t)sqlite3_column_int64(row, 2);
        ++*count;
    }
    sqlite3_finalize(row);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}
