/* What encryption at rest costs: one JSON object a line, processor time, each beside the same in
 * plain SQLite in the same run, in turns. The folder is TMPDIR's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/store_query.h"

enum { ROUNDS = 9, MESSAGES = 20000, COMMITS = 200, PAGES = 2000 };

static char folder[512];

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_vault: %s\n", what);
    exit(1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, by_size);
    return samples[count / 2];
}

static void exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

/* ---- Pages ---- */

static void bench_pages(const struct vault *vault)
{
    static uint8_t page[PAGE_BYTES], sealed[PAGE_BYTES];
    double seal[ROUNDS], open[ROUNDS];
    struct page_cipher *cipher = NULL;
    if (page_cipher_new(sotto_env_system(), vault, &cipher) != SOTTO_OK)
        die("page_cipher_new");
    memset(page, 'x', PAGE_BYTES - PAGE_RESERVED);
    const struct page_place place = {.page = 2};
    for (size_t round = 0; round < ROUNDS; round++) {
        double begin = cpu_ns();
        for (int i = 0; i < PAGES; i++)
            if (page_seal(cipher, &place, page, sealed) != SOTTO_OK)
                die("page_seal");
        double between = cpu_ns();
        for (int i = 0; i < PAGES; i++)
            if (page_open(cipher, &place, sealed, page) != SOTTO_OK)
                die("page_open");
        seal[round] = (between - begin) / PAGES;
        open[round] = (cpu_ns() - between) / PAGES;
    }
    printf("{\"impl\":\"sotto\",\"op\":\"page_seal\",\"bytes\":%d,\"ns\":%.0f}\n", PAGE_BYTES,
           median(seal, ROUNDS));
    printf("{\"impl\":\"sotto\",\"op\":\"page_open\",\"bytes\":%d,\"ns\":%.0f}\n", PAGE_BYTES,
           median(open, ROUNDS));
    page_cipher_free(cipher);
}

/* ---- A database: the same SQL over both ---- */

static sqlite3 *database(const char *name, const char *vfs)
{
    char path[600];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        vfs) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    exec(db, "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON; PRAGMA journal_mode = OFF;"
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;");
    return db;
}

static void fill(sqlite3 *db)
{
    exec(db,
         "CREATE TABLE IF NOT EXISTS message (local INTEGER PRIMARY KEY, room BLOB, seq INTEGER,"
         " content BLOB, text TEXT, UNIQUE (room, seq))");
    char sql[400];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO message (room, seq, content, text)"
             " SELECT CAST(i %% 50 AS BLOB), i, zeroblob(300), 'message number ' || i FROM n",
             MESSAGES);
    exec(db, sql);
    exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* As a message that is sent: some rows in several tables, one commit that is synced. */
static double commits(sqlite3 *db)
{
    double begin = cpu_ns();
    for (int i = 0; i < COMMITS; i++)
        exec(db, "BEGIN IMMEDIATE;"
                 "INSERT INTO message (room, seq, content, text) SELECT x'00', max(local) + 1,"
                 " randomblob(400), 'hello' FROM message;"
                 "UPDATE message SET text = text || '.' WHERE local IN (17, 9000, 19000);"
                 "COMMIT");
    return (cpu_ns() - begin) / COMMITS;
}

/* All of it, with an empty cache. */
static double scan(sqlite3 *db)
{
    sqlite3_db_release_memory(db);
    double begin = cpu_ns();
    exec(db, "SELECT sum(length(content)) + sum(length(text)) FROM message");
    return cpu_ns() - begin;
}

static void report(const char *op, double *ours, double *plain)
{
    double ns = median(ours, ROUNDS), floor = median(plain, ROUNDS);
    printf("{\"impl\":\"sotto\",\"op\":\"%s\",\"ns\":%.0f,\"plain_ns\":%.0f,\"ratio\":%.2f}\n", op,
           ns, floor, ns / floor);
    fflush(stdout);
}

static void bench_database(const struct vault *vault)
{
    struct crypt_vfs *vfs = NULL;
    double ours[ROUNDS], plain[ROUNDS];
    if (crypt_vfs_new(sotto_env_system(), vault, NULL, &vfs) != SOTTO_OK)
        die("crypt_vfs_new");
    sqlite3 *dbs[2] = {database("crypt.db", crypt_vfs_name(vfs)), database("plain.db", NULL)};
    fill(dbs[0]);
    fill(dbs[1]);
    for (size_t round = 0; round < ROUNDS; round++) {
        ours[round] = commits(dbs[0]);
        plain[round] = commits(dbs[1]);
    }
    report("commit", ours, plain);
    for (size_t round = 0; round < ROUNDS; round++) {
        ours[round] = scan(dbs[0]);
        plain[round] = scan(dbs[1]);
    }
    report("scan", ours, plain);
    sqlite3_close(dbs[0]);
    sqlite3_close(dbs[1]);
    crypt_vfs_free(vfs);
}

/* ---- Opening a profile ---- */

static bool passphrase(void *ctx, unsigned tries, sotto_buf *out)
{
    (void)ctx;
    return tries == 0 && sotto_buf_append(out, (const uint8_t *)"sesame", 6) == SOTTO_OK;
}

static double open_once(void)
{
    const struct store_access access = {.passphrase = passphrase};
    struct store *store = NULL;
    sotto_fault fault = {SOTTO_OK, "", 0};
    double begin = cpu_ns();
    if (store_open(sotto_env_system(), folder, &access, &store, &fault) != SOTTO_OK)
        die(fault.what);
    double spent = cpu_ns() - begin;
    store_close(store);
    return spent;
}

static void bench_open(void)
{
    double samples[ROUNDS];
    struct store *store = NULL;
    const sotto_bytes word = sotto_bytes_str("sesame");
    open_once();
    for (int locked = 0; locked < 2; locked++) {
        for (size_t round = 0; round < ROUNDS; round++)
            samples[round] = open_once();
        printf("{\"impl\":\"sotto\",\"op\":\"%s\",\"ns\":%.0f}\n",
               locked ? "open_passphrase" : "open", median(samples, ROUNDS));
        if (store_open(sotto_env_system(), folder, NULL, &store, NULL) == SOTTO_OK) {
            if (store_passphrase_set(store, &word) != SOTTO_OK)
                die("store_passphrase_set");
            store_close(store);
        }
    }
}

int main(void)
{
    static const char *const names[] = {"keys", "profile.lock", "profile.db", "crypt.db",
                                        "plain.db"};
    const char *top = getenv("TMPDIR");
    struct vault *vault = NULL;
    char path[700];
    snprintf(folder, sizeof folder, "%s/sotto-bench-XXXXXX", top != NULL ? top : "/tmp");
    if (mkdtemp(folder) == NULL)
        die("no folder");
    bench_open();
    const sotto_bytes word = sotto_bytes_str("sesame");
    if (vault_open(sotto_env_system(), folder, &word, &vault, NULL) != SOTTO_OK)
        die("vault_open");
    bench_pages(vault);
    bench_database(vault);
    vault_free(vault);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}
