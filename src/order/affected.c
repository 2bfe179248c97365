#include "order/affected.h"

#include <string.h>

#include "order/door.h"
#include "order/places.h"

struct column {
    const char *table, *column;
};

static const struct column who[] = {
    {"accounts", "account_id"}, {"accounts", "phone"}, {"accounts", "label"}, {NULL, NULL}};

static const struct column rows[] = {{"accounts", "key"},         {"accounts", "phone"},
                                     {"accounts", "label"},       {"codes", "phone"},
                                     {"devices", "key"},          {"devices", "account"},
                                     {"key_packages", "device"},  {"taken", "device"},
                                     {"envelopes", "device"},     {"posts", "device"},
                                     {"told", "device"},          {"grants", "account"},
                                     {"token_issues", "account"}, {"withdrawals", "id"},
                                     {"withdrawals", "state"},    {NULL, NULL}};

static const struct column *const readable[] = {[AFFECTED_WHO] = who, [AFFECTED_ROWS] = rows};

static int authorize(void *ctx, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)trigger;
    if (action == SQLITE_SELECT)
        return SQLITE_OK;
    if (action != SQLITE_READ)
        return SQLITE_DENY;
    /* Of no column and no database: a table that is looked through, and nothing read of it. */
    const bool nothing = second[0] == '\0' && database == NULL;
    if (!nothing && (database == NULL || strcmp(database, "main") != 0))
        return SQLITE_DENY;
    for (const struct column *column = ctx; column->table != NULL; column++)
        if (strcmp(first, column->table) == 0 && (nothing || strcmp(second, column->column) == 0))
            return SQLITE_OK;
    return SQLITE_DENY;
}

sotto_error affected_open(const char *path, enum affected_kind kind, struct affected_door *door,
                          char problem[static ORDER_PROBLEM_MAX])
{
    *door = (struct affected_door){.kind = kind};
    return door_open(path, authorize, (void *)readable[kind], &door->db, problem);
}

void affected_close(struct affected_door *door)
{
    sqlite3_close(door->db);
    door->db = NULL;
}

/* ---- Queries -------------------------------------------------------------------------------- */

/* Calls each with every row of a query with up to two texts. */
static sotto_error query(struct affected_door *door, const char *sql, const char *first,
                         const char *second, void (*each)(void *ctx, sqlite3_stmt *row), void *ctx)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(door->db, sql, -1, &row, NULL) != SQLITE_OK)
        return SOTTO_IO;
    if (first != NULL)
        sqlite3_bind_text(row, 1, first, -1, SQLITE_STATIC);
    if (second != NULL)
        sqlite3_bind_text(row, 2, second, -1, SQLITE_STATIC);
    int code;
    while ((code = sqlite3_step(row)) == SQLITE_ROW)
        each(ctx, row);
    sqlite3_finalize(row);
    return code == SQLITE_DONE ? SOTTO_OK : SOTTO_IO;
}

/* ---- Who ------------------------------------------------------------------------------------ */

struct counting {
    const struct withdrawal *withdrawal;
    void (*each)(void *ctx, const uint8_t account[static 32]);
    void *ctx;
    uint64_t *count;
    bool by_label;
};

static void count_account(void *ctx, sqlite3_stmt *row)
{
    struct counting *counting = ctx;
    const char *phone = (const char *)sqlite3_column_text(row, 1);
    if (counting->by_label && phone != NULL && places_have(counting->withdrawal, phone))
        return; /* counted by its number */
    ++*counting->count;
    if (counting->each != NULL && sqlite3_column_bytes(row, 0) == 32)
        counting->each(counting->ctx, sqlite3_column_blob(row, 0));
}

static void count_all(void *ctx, sqlite3_stmt *row)
{
    struct affected *affected = ctx;
    affected->others++;
    affected->nowhere += sqlite3_column_int(row, 0) != 0;
}

sotto_error affected_count(struct affected_door *door, const struct withdrawal *withdrawal,
                           void (*each)(void *ctx, const uint8_t account[static 32]), void *ctx,
                           struct affected *affected)
{
    struct counting counting = {withdrawal, each, ctx, &affected->by_phone, false};
    memset(affected, 0, sizeof *affected);
    for (size_t i = 0; i < withdrawal->range_count; i++)
        TRY(query(door, "SELECT account_id, phone FROM accounts WHERE phone >= ?1 AND phone < ?2",
                  withdrawal->ranges[i].low, withdrawal->ranges[i].high, count_account, &counting));
    counting.count = &affected->by_label;
    counting.by_label = true;
    for (size_t i = 0; i < withdrawal->label_count; i++)
        TRY(query(door, "SELECT account_id, phone FROM accounts WHERE label = ?1",
                  withdrawal->labels[i], NULL, count_account, &counting));
    TRY(query(door, "SELECT phone IS NULL AND label IS NULL FROM accounts", NULL, NULL, count_all,
              affected));
    affected->others -= affected->by_phone + affected->by_label;
    return SOTTO_OK;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static void count_row(void *ctx, sqlite3_stmt *row)
{
    (void)row;
    ++*(uint64_t *)ctx;
}

/* Of the two tables that numbers and labels are in. */
static sotto_error count_places(struct affected_door *door, const struct withdrawal *withdrawal,
                                uint64_t *accounts, uint64_t *codes)
{
    for (size_t i = 0; i < withdrawal->range_count; i++) {
        const struct withdrawal_range *range = &withdrawal->ranges[i];
        TRY(query(door, "SELECT key FROM accounts WHERE phone >= ?1 AND phone < ?2", range->low,
                  range->high, count_row, accounts));
        TRY(query(door, "SELECT phone FROM codes WHERE phone >= ?1 AND phone < ?2", range->low,
                  range->high, count_row, codes));
    }
    for (size_t i = 0; i < withdrawal->label_count; i++)
        TRY(query(door, "SELECT key FROM accounts WHERE label = ?1", withdrawal->labels[i], NULL,
                  count_row, accounts));
    return SOTTO_OK;
}

sotto_error affected_rows(struct affected_door *door, const struct withdrawal *withdrawal,
                          struct affected_rows *found)
{
#define OF_ACCOUNT(table)                                                                      \
    {                                                                                          \
        table, "SELECT account FROM " table " WHERE account NOT IN (SELECT key FROM accounts)" \
    }
#define OF_DEVICE(table)                                                                    \
    {                                                                                       \
        table, "SELECT device FROM " table " WHERE device NOT IN (SELECT key FROM devices)" \
    }
    static const struct {
        const char *name, *sql;
    } tables[AFFECTED_TABLES] = {
        {"accounts", NULL},         {"codes", NULL},
        OF_ACCOUNT("devices"),      OF_ACCOUNT("grants"),
        OF_ACCOUNT("token_issues"), OF_DEVICE("key_packages"),
        OF_DEVICE("taken"),         OF_DEVICE("envelopes"),
        OF_DEVICE("posts"),         OF_DEVICE("told"),
    };
#undef OF_ACCOUNT
#undef OF_DEVICE
    memset(found, 0, sizeof *found);
    for (size_t i = 0; i < AFFECTED_TABLES; i++) {
        found->tables[i].name = tables[i].name;
        if (tables[i].sql != NULL)
            TRY(query(door, tables[i].sql, NULL, NULL, count_row, &found->tables[i].rows));
    }
    TRY(count_places(door, withdrawal, &found->tables[0].rows, &found->tables[1].rows));
    for (size_t i = 0; i < AFFECTED_TABLES; i++)
        found->all += found->tables[i].rows;
    return SOTTO_OK;
}

sotto_error affected_state(struct affected_door *door, const uint8_t id[static WITHDRAWAL_ID_SIZE],
                           int *state)
{
    sqlite3_stmt *row = NULL;
    *state = 0;
    if (sqlite3_prepare_v2(door->db, "SELECT state FROM withdrawals WHERE id = ?1", -1, &row,
                           NULL) != SQLITE_OK)
        return SOTTO_IO;
    sqlite3_bind_blob(row, 1, id, WITHDRAWAL_ID_SIZE, SQLITE_STATIC);
    const int code = sqlite3_step(row);
    if (code == SQLITE_ROW)
        *state = sqlite3_column_int(row, 0);
    sqlite3_finalize(row);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SOTTO_OK : SOTTO_IO;
}
