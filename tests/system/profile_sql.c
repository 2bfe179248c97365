/* profile_sql DIRECTORY SQL: runs one statement on a profile without a passphrase and prints its
 * rows, a JSON array a line; blobs are {"blob": hex}. For tests, which want to see and to change
 * what a profile holds.
 * profile_sql --schema VERSION: prints the SQL that makes the tables of that version. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/store_query.h"

static json_t *blob(const uint8_t *data, size_t size)
{
    char *hex = calloc(2 * size + 1, 1);
    for (size_t i = 0; hex != NULL && i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", data[i]);
    json_t *value = json_pack("{s:s}", "blob", hex);
    free(hex);
    return value;
}

static json_t *column(sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(stmt, i));
    case SQLITE_TEXT:
        return json_string((const char *)sqlite3_column_text(stmt, i));
    case SQLITE_NULL:
        return json_null();
    default:
        return blob(sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
    }
}

static int run(struct store *store, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        json_t *row = json_array();
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            json_array_append_new(row, column(stmt, i));
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(row);
        code = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return code;
}

int main(int argc, char **argv)
{
    struct store *store = NULL;
    sotto_fault fault = {SOTTO_OK, "", 0};
    if (argc == 3 && strcmp(argv[1], "--schema") == 0) {
        for (uint64_t version = 0; version < strtoul(argv[2], NULL, 10); version++)
            puts(store_schema_step(version));
        return 0;
    }
    if (argc != 3 || store_open(sotto_env_system(), argv[1], NULL, &store, &fault) != SOTTO_OK) {
        fprintf(stderr, "profile_sql: %s\n", argc == 3 ? fault.what : "DIRECTORY SQL");
        return 1;
    }
    int code = run(store, argv[2]);
    if (code != SQLITE_DONE)
        fprintf(stderr, "profile_sql: %s\n", sqlite3_errmsg(store->db));
    store_close(store);
    return code == SQLITE_DONE ? 0 : 1;
}
