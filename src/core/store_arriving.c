#include "core/store_arriving.h"

#include "core/store_query.h"

/* Of STORE_OUT_ENVELOPE those that are no request of one's own. The index is named, as SQLite would
 * take that of client_id for better. */
#define OWED_TO "outgoing INDEXED BY outgoing_whom WHERE kind = 5 AND client_id IS NULL"
#define OWED_IN_VAIN                                                            \
    "outgoing INDEXED BY outgoing_refused WHERE kind = 5 AND client_id IS NULL" \
    " AND error <> ''"

static sotto_error one(struct query *q, struct arena *arena, struct store_arriving *arriving)
{
    struct store_arriving found = {0};
    if (query_next(q)) {
        found.given_up = column_bool(q);
        found.error = column_text(q, arena);
    }
    TRY(query_end_one(q));
    *arriving = found;
    return SOTTO_OK;
}

sotto_error store_arriving_get(struct store *store, const struct room_id *room,
                               const struct account_id *account, const struct device_id *device,
                               struct arena *arena, struct store_arriving *arriving)
{
    struct query q;
    query_read(&q, store,
               "SELECT 0, error FROM " OWED_TO " AND room = ?1 AND account = ?2 AND device = ?3"
               " UNION ALL SELECT 1, error FROM unwelcomed"
               " WHERE room = ?1 AND account = ?2 AND device = ?3 LIMIT 1");
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    query_fixed(&q, account->bytes, ACCOUNT_ID_SIZE);
    query_fixed(&q, device->bytes, DEVICE_ID_SIZE);
    return one(&q, arena, arriving);
}

sotto_error store_arriving_refused(struct store *store, const struct room_id *room,
                                   struct arena *arena, struct store_arriving *arriving)
{
    struct query q;
    query_read(&q, store,
               "SELECT 1, error FROM unwelcomed WHERE room = ?1"
               " UNION ALL SELECT 0, error FROM " OWED_IN_VAIN " AND room = ?1 LIMIT 1");
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    return one(&q, arena, arriving);
}

sotto_error store_arriving_give_up(struct store *store, const struct room_id *room,
                                   const struct account_id *account, const struct device_id *device,
                                   const char *error)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO unwelcomed (room, account, device, error)"
                " VALUES (?, ?, ?, ?)");
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    query_fixed(&q, account->bytes, ACCOUNT_ID_SIZE);
    query_fixed(&q, device->bytes, DEVICE_ID_SIZE);
    query_text(&q, error);
    return query_run(&q);
}

static sotto_error erase(struct store *store, const char *sql, const struct room_id *room,
                         const struct account_id *account, const struct device_id *device)
{
    struct query q;
    query_write(&q, store, sql);
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    query_fixed(&q, account->bytes, ACCOUNT_ID_SIZE);
    query_fixed(&q, device->bytes, DEVICE_ID_SIZE);
    return query_run(&q);
}

sotto_error store_arriving_gone(struct store *store, const struct room_id *room,
                                const struct account_id *account, const struct device_id *device)
{
    TRY(erase(store, "DELETE FROM unwelcomed WHERE room = ? AND account = ? AND device = ?", room,
              account, device));
    /* One that is owed since the same commit, which adds the device anew, was not tried yet. */
    return erase(store,
                 "DELETE FROM " OWED_TO
                 " AND room = ? AND account = ? AND device = ? AND error <> ''",
                 room, account, device);
}
