/* The one door to the relay's database for a lawful order: two columns, of one account. Whatever
 * else is asked of this connection, SQLite refuses (a read-only file, and an authorizer that knows
 * five columns, one of which is only to find an account by). Besides it only affected.h, for
 * withdrawals, opens relay.db under src/order. */
#ifndef ORDER_DISCLOSE_H
#define ORDER_DISCLOSE_H

#include <sqlite3.h>

#include "order/document.h"

enum { DISCLOSURE_PHONE_MAX = 32, DISCLOSURE_ADDRESS_MAX = 46 };

struct disclosure {
    char phone_number[DISCLOSURE_PHONE_MAX + 1]; /* empty: not held */
    char last_ip[DISCLOSURE_ADDRESS_MAX + 1];    /* empty: not held */
    uint64_t last_ip_s;
    uint8_t account[32];
};

struct disclosure_door {
    sqlite3 *db;
};

/* path: of relay.db. IO: problem. */
sotto_error disclosure_open(const char *path, struct disclosure_door *door,
                            char problem[static ORDER_PROBLEM_MAX]);
void disclosure_close(struct disclosure_door *door); /* zeroed: allowed */

/* NOT_FOUND: there is no such account; IO. */
sotto_error disclosure_find(struct disclosure_door *door, enum order_recipient kind,
                            const char *recipient, struct disclosure *disclosure);

#endif
