/* The door of `sottod withdraw` to the relay's database: whom a withdrawal concerns, and whether
 * rows of them are left. It is none of those that answer orders (disclose.h). The file is opened to
 * read, and SQLite's authorizer refuses every column but those that a door of its kind is for,
 * every function and every other statement. */
#ifndef ORDER_AFFECTED_H
#define ORDER_AFFECTED_H

#include <sqlite3.h>

#include "order/document.h"
#include "relay/withdrawal.h"

enum affected_kind {
    AFFECTED_WHO,  /* ids of accounts, found by number and label */
    AFFECTED_ROWS, /* keys of rows, and how far the relay is */
};

struct affected_door {
    sqlite3 *db;
    enum affected_kind kind;
};

/* path: of relay.db. IO: problem. */
sotto_error affected_open(const char *path, enum affected_kind kind, struct affected_door *door,
                          char problem[static ORDER_PROBLEM_MAX]);
void affected_close(struct affected_door *door); /* zeroed: allowed */

struct affected {
    uint64_t by_phone, by_label; /* accounts, each counted once */
    uint64_t others;             /* accounts that are not affected; of them */
    uint64_t nowhere;            /* have neither a number nor a label */
};

/* Counts, and calls each (NULL: nobody) with the id of each account that is affected. WHO. IO. */
sotto_error affected_count(struct affected_door *door, const struct withdrawal *withdrawal,
                           void (*each)(void *ctx, const uint8_t account[static 32]), void *ctx,
                           struct affected *affected);

enum { AFFECTED_TABLES = 10 };

/* Rows that there are of those whom a withdrawal concerns: accounts and codes by number or label,
 * and in the tables that name an account or a device, rows whose account or device is gone. */
struct affected_rows {
    struct {
        const char *name;
        uint64_t rows;
    } tables[AFFECTED_TABLES];
    uint64_t all;
};

/* ROWS. IO. */
sotto_error affected_rows(struct affected_door *door, const struct withdrawal *withdrawal,
                          struct affected_rows *rows);

/* How far the relay is with it (enum withdrawal_state); 0: it has not heard of it.
 * ROWS. IO. */
sotto_error affected_state(struct affected_door *door, const uint8_t id[static WITHDRAWAL_ID_SIZE],
                           int *state);

#endif
