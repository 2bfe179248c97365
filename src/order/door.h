/* How a door to the relay's database is made: the file is opened to read, and what an authorizer
 * does not allow SQLite refuses. What may be read is for each door to say (disclose.h,
 * affected.h). */
#ifndef ORDER_DOOR_H
#define ORDER_DOOR_H

#include <sqlite3.h>

#include "order/document.h"

/* As sqlite3_set_authorizer takes it. */
typedef int door_authorize_fn(void *ctx, int action, const char *first, const char *second,
                              const char *database, const char *trigger);

/* path: of relay.db. db: the caller's to close; NULL after an error. IO: problem. */
sotto_error door_open(const char *path, door_authorize_fn *authorize, void *ctx, sqlite3 **db,
                      char problem[static ORDER_PROBLEM_MAX]);

#endif
