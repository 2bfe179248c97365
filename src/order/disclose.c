#include "order/disclose.h"

#include <string.h>

#include <sodium.h>

#include "order/door.h"

/* What may be read; everything that is not named here is refused, functions and pragmas too. */
static const struct {
    const char *table, *column;
} readable[] = {
    {"accounts", "account_id"},   {"accounts", "phone"},    {"accounts", "last_ip"},
    {"accounts", "last_ip_time"}, {"accounts", "username"}, /* to find an account by, not to give
                                                               out */
};

static int authorize(void *ctx, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)ctx, (void)trigger;
    if (action == SQLITE_SELECT)
        return SQLITE_OK;
    if (action != SQLITE_READ || database == NULL || strcmp(database, "main") != 0)
        return SQLITE_DENY;
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        if (strcmp(first, readable[i].table) == 0 && strcmp(second, readable[i].column) == 0)
            return SQLITE_OK;
    return SQLITE_DENY;
}

sotto_error disclosure_open(const char *path, struct disclosure_door *door,
                            char problem[static ORDER_PROBLEM_MAX])
{
    *door = (struct disclosure_door){0};
    return door_open(path, authorize, NULL, &door->db, problem);
}

void disclosure_close(struct disclosure_door *door)
{
    sqlite3_close(door->db);
    door->db = NULL;
}

static bool copy_text(sqlite3_stmt *row, int column, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    const int length = sqlite3_column_bytes(row, column);
    out[0] = '\0';
    if (text == NULL)
        return true;
    if (length < 0 || (size_t)length >= size || strlen(text) != (size_t)length)
        return false;
    memcpy(out, text, (size_t)length + 1);
    return true;
}

sotto_error disclosure_find(struct disclosure_door *door, enum order_recipient kind,
                            const char *recipient, struct disclosure *disclosure)
{
#define SELECT "SELECT account_id, phone, last_ip, last_ip_time FROM accounts WHERE "
    static const char *const queries[] = {
        [ORDER_BY_PHONE] = SELECT "phone = ?1",
        [ORDER_BY_USERNAME] = SELECT "username = ?1",
        [ORDER_BY_ACCOUNT] = SELECT "account_id = ?1",
    };
#undef SELECT
    sqlite3_stmt *row = NULL;
    struct disclosure found;
    uint8_t account[32];
    size_t size = 0;
    memset(&found, 0, sizeof found);
    sotto_error error = SOTTO_IO;
    if (sqlite3_prepare_v2(door->db, queries[kind], -1, &row, NULL) != SQLITE_OK)
        return SOTTO_IO;
    if (kind != ORDER_BY_ACCOUNT) {
        sqlite3_bind_text(row, 1, recipient, -1, SQLITE_STATIC);
    } else {
        if (sodium_hex2bin(account, sizeof account, recipient, strlen(recipient), NULL, &size,
                           NULL) != 0 ||
            size != sizeof account) {
            sqlite3_finalize(row);
            return SOTTO_NOT_FOUND;
        }
        sqlite3_bind_blob(row, 1, account, sizeof account, SQLITE_STATIC);
    }
    const int code = sqlite3_step(row);
    if (code == SQLITE_DONE)
        error = SOTTO_NOT_FOUND;
    if (code == SQLITE_ROW && sqlite3_column_bytes(row, 0) == (int)sizeof found.account &&
        copy_text(row, 1, found.phone_number, sizeof found.phone_number) &&
        copy_text(row, 2, found.last_ip, sizeof found.last_ip)) {
        memcpy(found.account, sqlite3_column_blob(row, 0), sizeof found.account);
        const sqlite3_int64 time = sqlite3_column_int64(row, 3);
        found.last_ip_s = time < 0 ? 0 : (uint64_t)time;
        error = SOTTO_OK;
    }
    sqlite3_finalize(row);
    if (error == SOTTO_OK)
        *disclosure = found;
    wipe(&found, sizeof found);
    return error;
}
