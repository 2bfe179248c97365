#include "core/store_query.h"

/* ---- Closing -------------------------------------------------------------------------------- */

void store_forget_statements(struct store *store)
{
    for (size_t i = 0; i < STORE_CACHE; i++) {
        sqlite3_finalize(store->cache[i].stmt);
        store->cache[i].stmt = NULL;
        store->cache[i].sql = NULL;
    }
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_rollback(store);
    if (store->gathering)
        (void)store_gather_end(store);
    store_reads_end(store);
    store_forget_statements(store);
    int code = sqlite3_close(store->db); /* NULL allowed */
    BUG_UNLESS(code == SQLITE_OK);       /* a query was not ended */
    crypt_vfs_free(store->vfs);
    vault_free(store->vault);
    mem_free(store->env, store->directory, store->directory_size);
    mem_free(store->env, store->path, store->path_size);
    mem_free(store->env, store, sizeof *store);
}

const sotto_fault *store_fault(const struct store *store)
{
    return &store->fault;
}

const char *store_message(const struct store *store)
{
    return store->message;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

const char *store_folder(const struct store *store)
{
    return store->directory;
}

sotto_error store_limit_pages(struct store *store, uint32_t pages)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %u", pages == 0 ? 0xFFFFFFFEu : pages);
    return store_exec(store, sql);
}

sotto_error store_check(struct store *store)
{
    struct query q;
    query_read(&q, store, "PRAGMA integrity_check(1)");
    bool fine = false;
    if (query_next(&q))
        fine = sotto_bytes_equal(column_borrow(&q), sotto_bytes_str("ok"));
    TRY(query_end(&q));
    return fine ? SOTTO_OK : store_fail(store, SOTTO_VALUE, "profile.db: the database is damaged");
}

/* ---- Transactions --------------------------------------------------------------------------- */

/* SQLite rolls back by itself after some errors. */
static sotto_error lost(const struct store *store)
{
    return store->fault.error != SOTTO_OK ? store->fault.error : SOTTO_STATE;
}

/* Prepared once: these run around every change. */
static sotto_error run(struct store *store, const char *sql)
{
    struct query q;
    query_read(&q, store, sql);
    return query_run(&q);
}

void store_reads_begin(struct store *store)
{
    if (!store->reads || store->reading || !sqlite3_get_autocommit(store->db))
        return;
    store->reading = true;
    (void)run(store, "BEGIN"); /* else each read is for itself */
    store->reading = !sqlite3_get_autocommit(store->db);
}

/* What is still being read ends with its last row. */
static void reads_close(struct store *store)
{
    if (store->reading)
        (void)run(store, "COMMIT"); /* nothing was changed */
    store->reading = false;
}

void store_reads(struct store *store)
{
    store->reads = true;
}

void store_reads_end(struct store *store)
{
    reads_close(store);
    store->reads = false;
}

static sotto_error begin(struct store *store)
{
    reads_close(store);
    store->reading = true; /* no other before it has begun */
    sotto_error error = run(store, "BEGIN IMMEDIATE");
    store->reading = false;
    return error;
}

static sotto_error commit(struct store *store)
{
    return run(store, "COMMIT");
}

/* The transaction is over, done or not. */
static void forget(struct store *store)
{
    store->unindexed = store->position_known = store->position_given = false;
}

/* No savepoint around a part: SQLite would copy each page that it touches. */
static sotto_error begin_part(struct store *store)
{
    if (store->spoiled || (store->gathered && sqlite3_get_autocommit(store->db)))
        return lost(store);
    if (!store->gathered)
        TRY(begin(store));
    store->gathered = true;
    store->part_changes = sqlite3_total_changes(store->db);
    return SOTTO_OK;
}

sotto_error store_begin(struct store *store)
{
    if (store->in_transaction)
        return store_fail(store, SOTTO_STATE, "a transaction is under way");
    /* IMMEDIATE: the write lock at once, so that nothing read inside is out of date at the commit.
     */
    TRY(store->gathering ? begin_part(store) : begin(store));
    store->in_transaction = true;
    return SOTTO_OK;
}

void store_gather(struct store *store)
{
    BUG_UNLESS(!store->in_transaction && !store->gathering);
    store->gathering = true;
    store->gathered = store->spoiled = false;
    store->fault = (sotto_fault){0}; /* what spoils it is said from here on */
}

sotto_error store_gather_end(struct store *store)
{
    BUG_UNLESS(!store->in_transaction && store->gathering);
    store->gathering = false;
    if (!store->gathered)
        return SOTTO_OK;
    bool whole = !store->spoiled && !sqlite3_get_autocommit(store->db);
    store->in_transaction = true;
    sotto_error error = whole ? store_messages_finish(store) : lost(store);
    store->in_transaction = false;
    if (error == SOTTO_OK)
        error = commit(store);
    if (error != SOTTO_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    forget(store);
    return error;
}

void store_scrub(struct store *store, bool always)
{
    BUG_UNLESS(!store->in_transaction);
    if ((!store->scrub && !always) || store->gathering)
        return;
    reads_close(store);
    sqlite3_busy_timeout(store->db, 0); /* nobody is waited for */
    if (sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
        SQLITE_OK)
        store->scrub = false;
    sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
}

sotto_error store_commit(struct store *store)
{
    BUG_UNLESS(store->in_transaction);
    sotto_error error = SOTTO_OK;
    if (sqlite3_get_autocommit(store->db))
        error = lost(store);
    else if (!store->gathering) {
        error = store_messages_finish(store);
        if (error == SOTTO_OK)
            error = commit(store);
    }
    if (error != SOTTO_OK)
        store_rollback(store);
    else if (!store->gathering)
        forget(store);
    store->in_transaction = false;
    return error;
}

void store_rollback(struct store *store)
{
    /* What failed before is what the caller wants to read afterwards: no new fault. */
    if (store->in_transaction && store->gathering)
        store->spoiled |= sqlite3_total_changes(store->db) != store->part_changes ||
                          sqlite3_get_autocommit(store->db);
    else if (store->in_transaction && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    if (store->in_transaction && !store->gathering)
        forget(store);
    store->in_transaction = false;
}

bool store_in_transaction(const struct store *store)
{
    return store->in_transaction;
}

sotto_error store_data_version(struct store *store, uint64_t *version)
{
    struct query q;
    query_read(&q, store, "PRAGMA data_version");
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *version = found;
    return SOTTO_OK;
}

uint64_t store_changes(const struct store *store)
{
    return (uint64_t)sqlite3_total_changes(store->db);
}

/* ---- Small things --------------------------------------------------------------------------- */

sotto_error store_value_get(struct store *store, const char *name, struct arena *arena,
                            sotto_bytes *value)
{
    struct query q;
    query_read(&q, store, "SELECT value FROM value WHERE name = ?");
    query_text(&q, name);
    sotto_bytes found = {0};
    if (query_next(&q))
        found = column_bytes(&q, arena);
    TRY(query_end_one(&q));
    *value = found;
    return SOTTO_OK;
}

sotto_error store_value_put(struct store *store, const char *name, sotto_bytes value)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO value VALUES (?, ?)");
    query_text(&q, name);
    query_bytes(&q, value);
    return query_run(&q);
}

sotto_error store_value_erase(struct store *store, const char *name)
{
    struct query q;
    query_write(&q, store, "DELETE FROM value WHERE name = ?");
    query_text(&q, name);
    return query_run(&q);
}

sotto_error store_number_get(struct store *store, const char *name, uint64_t *number)
{
    struct query q;
    query_read(&q, store, "SELECT value FROM number WHERE name = ?");
    query_text(&q, name);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *number = found;
    return SOTTO_OK;
}

sotto_error store_number_put(struct store *store, const char *name, uint64_t number)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO number VALUES (?, ?)");
    query_text(&q, name);
    query_u64(&q, number);
    return query_run(&q);
}

/* ---- Oneself -------------------------------------------------------------------------------- */

sotto_error store_profile_get(struct store *store, struct arena *arena,
                              struct store_profile *profile)
{
    struct query q;
    query_read(&q, store,
               "SELECT registration, relay, name, identity, manifest, inbox_seq FROM profile");
    struct store_profile found = {0};
    if (query_next(&q)) {
        found.registration = column_between(&q, STORE_UNREGISTERED, STORE_REGISTERED);
        found.relay = column_text(&q, arena);
        found.name = column_text(&q, arena);
        found.identity = column_bytes(&q, arena);
        found.manifest = column_bytes(&q, arena);
        found.inbox_seq = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *profile = found;
    return SOTTO_OK;
}

sotto_error store_profile_put(struct store *store, const struct store_profile *profile)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO profile VALUES (1, ?, ?, ?, ?, ?, ?)");
    query_u64(&q, profile->registration);
    query_text(&q, profile->relay);
    query_text(&q, profile->name);
    query_bytes(&q, profile->identity);
    query_bytes(&q, profile->manifest);
    query_u64(&q, profile->inbox_seq);
    return query_run(&q);
}

sotto_error store_inbox_advance(struct store *store, uint64_t seq)
{
    struct query q;
    query_write(&q, store, "UPDATE profile SET inbox_seq = ?1 WHERE inbox_seq < ?1");
    query_u64(&q, seq);
    sotto_error error = query_run_one(&q);
    return error == SOTTO_NOT_FOUND ? SOTTO_EXISTS : error;
}
