#include "load_floor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sqlite3.h>

#include "load_client.h"
#include "load_process.h"

enum { BLOCK = 8192, ROOMS = 100 };

static double own_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void floor_fdatasync(double seconds)
{
    static const uint8_t block[BLOCK] = {1};
    struct process place = {0};
    char path[512];
    uint64_t count = 0, begin, end;
    process_folder(&place, "fdatasync");
    snprintf(path, sizeof path, "%s/file", place.folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    begin = load_now_ns();
    end = begin + (uint64_t)(seconds * 1e9);
    for (; load_now_ns() < end; count++)
        if (write(fd, block, BLOCK) != BLOCK || fdatasync(fd) != 0)
            load_die("fdatasync failed");
    result_print_line("fdatasync", "floor", "\"bytes\":%d,\"per_s\":%.0f", BLOCK,
                      (double)count * 1e9 / (double)(load_now_ns() - begin));
    close(fd);
    process_end(&place);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        load_die("sqlite: %s", sqlite3_errmsg(db));
}

static void insert(sqlite3 *db, sqlite3_stmt *stmt, uint64_t number)
{
    static uint8_t payload[LOAD_PAYLOAD];
    uint64_t id[2] = {number * 0x9E3779B97F4A7C15u, number * 0xBF58476D1CE4E5B9u};
    load_payload(payload, number);
    sqlite3_bind_int64(stmt, 1, (int64_t)(number % ROOMS));
    sqlite3_bind_int64(stmt, 2, (int64_t)(number / ROOMS));
    sqlite3_bind_blob(stmt, 3, id, sizeof id, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, payload, sizeof payload, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        load_die("sqlite: %s", sqlite3_errmsg(db));
    sqlite3_reset(stmt);
}

void floor_sqlite(unsigned rows, double seconds)
{
    struct process place = {0};
    char path[512];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    uint64_t count = 0;
    process_folder(&place, "sqlite");
    snprintf(path, sizeof path, "%s/rows.db", place.folder);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        load_die("sqlite: %s", sqlite3_errmsg(db));
    run(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=4096;"
            "CREATE TABLE entries(position INTEGER PRIMARY KEY, room INTEGER NOT NULL,"
            " seq INTEGER NOT NULL, append_id BLOB NOT NULL, bytes BLOB NOT NULL,"
            " UNIQUE(room, seq))");
    if (sqlite3_prepare_v3(db, "INSERT INTO entries(room, seq, append_id, bytes) VALUES(?,?,?,?)",
                           -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        load_die("sqlite: %s", sqlite3_errmsg(db));
    uint64_t begin = load_now_ns(), end = begin + (uint64_t)(seconds * 1e9);
    double cpu = own_cpu_us();
    while (load_now_ns() < end) {
        run(db, "BEGIN IMMEDIATE");
        for (unsigned i = 0; i < rows; i++)
            insert(db, stmt, count++);
        run(db, "COMMIT");
    }
    result_print_line("sqlite", "floor",
                      "\"rows_a_transaction\":%u,\"per_s\":%.0f,"
                      "\"cpu_us_per_row\":%.2f",
                      rows, (double)count * 1e9 / (double)(load_now_ns() - begin),
                      (own_cpu_us() - cpu) / (double)count);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    process_end(&place);
}
