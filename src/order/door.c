#include "order/door.h"

sotto_error door_open(const char *path, door_authorize_fn *authorize, void *ctx, sqlite3 **db,
                      char problem[static ORDER_PROBLEM_MAX])
{
    int code = sqlite3_open_v2(
        path, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(*db, 10000);
    /* Before the first statement: the schema may not be able to reach anything either. */
    if (code == SQLITE_OK)
        code = sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_set_authorizer(*db, authorize, ctx);
    if (code == SQLITE_OK)
        return SOTTO_OK;
    snprintf(problem, ORDER_PROBLEM_MAX, "the relay's database cannot be read: %s",
             sqlite3_errstr(code));
    sqlite3_close(*db);
    *db = NULL;
    return SOTTO_IO;
}
