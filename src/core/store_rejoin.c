#include "core/store_query.h"

static void bind_room(struct query *q, const struct room_id *room)
{
    query_fixed(q, room->bytes, sizeof room->bytes);
}

static void bind_account(struct query *q, const struct account_id *account)
{
    query_fixed(q, account->bytes, sizeof account->bytes);
}

static void bind_device(struct query *q, const struct device_id *device)
{
    query_fixed(q, device->bytes, sizeof device->bytes);
}

/* Ends a query whose one column is a number; no row is 0. */
static sotto_error end_number(struct query *q, uint64_t *number)
{
    uint64_t found = query_next(q) ? column_u64(q) : 0;
    TRY(query_end(q));
    *number = found;
    return SOTTO_OK;
}

/* ---- Asking --------------------------------------------------------------------------------- */

sotto_error store_rejoin_get(struct store *store, const struct room_id *room,
                             struct store_rejoin *rejoin)
{
    struct query q;
    query_read(&q, store,
               "SELECT since_s, asked_s, next_s, rounds, step FROM rejoin WHERE room = ?");
    bind_room(&q, room);
    struct store_rejoin found = {.room = *room};
    if (query_next(&q)) {
        found.since_s = column_u64(&q);
        found.asked_s = column_u64(&q);
        found.next_s = column_u64(&q);
        found.rounds = column_u32(&q);
        found.step = column_u32(&q);
    }
    TRY(query_end_one(&q));
    *rejoin = found;
    return SOTTO_OK;
}

sotto_error store_rejoin_put(struct store *store, const struct store_rejoin *rejoin)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO rejoin (room, since_s, asked_s, next_s, rounds, step)"
                " VALUES (?, ?, ?, ?, ?, ?)");
    bind_room(&q, &rejoin->room);
    query_u64(&q, rejoin->since_s);
    query_u64(&q, rejoin->asked_s);
    query_u64(&q, rejoin->next_s);
    query_u64(&q, rejoin->rounds);
    query_u64(&q, rejoin->step);
    return query_run(&q);
}

sotto_error store_rejoin_erase(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "DELETE FROM rejoin WHERE room = ?");
    bind_room(&q, room);
    return query_run(&q);
}

sotto_error store_rejoin_peers_clear(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "DELETE FROM rejoin_peer WHERE room = ?");
    bind_room(&q, room);
    return query_run(&q);
}

sotto_error store_rejoin_peer_add(struct store *store, const struct room_id *room,
                                  const struct account_id *account, const struct device_id *device)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR IGNORE INTO rejoin_peer (room, account, device, round)"
                " VALUES (?, ?, ?, 0)");
    bind_room(&q, room);
    bind_account(&q, account);
    bind_device(&q, device);
    return query_run(&q);
}

sotto_error store_rejoin_peers(struct store *store, const struct room_id *room, uint64_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT count(*) FROM rejoin_peer WHERE room = ?");
    bind_room(&q, room);
    return end_number(&q, count);
}

sotto_error store_rejoin_peers_list(struct store *store, const struct room_id *room, size_t max,
                                    struct arena *arena, struct store_rejoin_peer **peers,
                                    size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **peers};
    query_read(&q, store, "SELECT account, device FROM rejoin_peer WHERE room = ? LIMIT ?");
    bind_room(&q, room);
    query_u64(&q, max);
    while (query_next(&q)) {
        struct store_rejoin_peer *row = rows_add(&rows, &q);
        if (row == NULL)
            continue;
        column_fixed(&q, row->account.bytes, sizeof row->account.bytes);
        column_fixed(&q, row->device.bytes, sizeof row->device.bytes);
    }
    TRY(query_end(&q));
    *peers = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_rejoin_is_peer(struct store *store, const struct room_id *room,
                                 const struct account_id *account, bool *is)
{
    struct query q;
    uint64_t count = 0;
    query_read(&q, store, "SELECT count(*) FROM rejoin_peer WHERE room = ? AND account = ?");
    bind_room(&q, room);
    bind_account(&q, account);
    TRY(end_number(&q, &count));
    *is = count > 0;
    return SOTTO_OK;
}

sotto_error store_rejoin_peer_next(struct store *store, const struct room_id *room,
                                   const struct account_id *except, uint32_t round,
                                   struct account_id *account)
{
    struct query q;
    query_read(&q, store,
               "SELECT account FROM rejoin_peer WHERE room = ? AND account <> ? AND round < ?"
               " GROUP BY account ORDER BY min(round), random() LIMIT 1");
    bind_room(&q, room);
    bind_account(&q, except);
    query_u64(&q, round);
    struct account_id found = {{0}};
    if (query_next(&q))
        column_fixed(&q, found.bytes, sizeof found.bytes);
    TRY(query_end_one(&q));
    *account = found;
    return SOTTO_OK;
}

sotto_error store_rejoin_peer_asked(struct store *store, const struct room_id *room,
                                    const struct account_id *account, uint32_t round)
{
    struct query q;
    query_write(&q, store, "UPDATE rejoin_peer SET round = ? WHERE room = ? AND account = ?");
    query_u64(&q, round);
    bind_room(&q, room);
    bind_account(&q, account);
    return query_run(&q);
}

sotto_error store_rejoin_package_put(struct store *store, sotto_bytes ref,
                                     const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO rejoin_package (ref, room) VALUES (?, ?)");
    query_bytes(&q, ref);
    bind_room(&q, room);
    return query_run(&q);
}

sotto_error store_rejoin_package_is(struct store *store, sotto_bytes ref,
                                    const struct room_id *room, bool *is)
{
    struct query q;
    uint64_t count = 0;
    query_read(&q, store, "SELECT count(*) FROM rejoin_package WHERE ref = ? AND room = ?");
    query_bytes(&q, ref);
    bind_room(&q, room);
    TRY(end_number(&q, &count));
    *is = count > 0;
    return SOTTO_OK;
}

sotto_error store_rejoin_packages_erase(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM key_package WHERE ref IN (SELECT ref FROM rejoin_package WHERE room "
                "= ?)");
    bind_room(&q, room);
    return query_run(&q);
}

/* ---- Being asked ------------------------------------------------------------------------------
 */

sotto_error store_rejoin_seen(struct store *store, sotto_bytes ref, uint64_t now_s, uint64_t ends_s)
{
    struct query q;
    uint64_t count = 0;
    query_write(&q, store, "DELETE FROM rejoin_seen WHERE ends_s < ?");
    query_u64(&q, now_s);
    TRY(query_run(&q));
    query_read(&q, store, "SELECT count(*) FROM rejoin_seen");
    TRY(end_number(&q, &count));
    if (count >= STORE_REJOIN_SEEN_MAX)
        return SOTTO_LIMIT;
    query_write(&q, store, "INSERT OR IGNORE INTO rejoin_seen (ref, ends_s) VALUES (?, ?)");
    query_bytes(&q, ref);
    query_u64(&q, ends_s);
    sotto_error error = query_run_one(&q);
    return error == SOTTO_NOT_FOUND ? SOTTO_EXISTS : error;
}

sotto_error store_rejoin_came_get(struct store *store, const struct room_id *room,
                                  const struct account_id *account, const struct device_id *device,
                                  uint64_t *not_before_s)
{
    struct query q;
    query_read(&q, store,
               "SELECT not_before_s FROM rejoin_came"
               " WHERE room = ? AND account = ? AND device = ?");
    bind_room(&q, room);
    bind_account(&q, account);
    bind_device(&q, device);
    return end_number(&q, not_before_s);
}

sotto_error store_rejoin_came_put(struct store *store, const struct room_id *room,
                                  const struct account_id *account, const struct device_id *device,
                                  uint64_t not_before_s)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO rejoin_came (room, account, device, not_before_s)"
                " VALUES (?, ?, ?, ?)");
    bind_room(&q, room);
    bind_account(&q, account);
    bind_device(&q, device);
    query_u64(&q, not_before_s);
    return query_run(&q);
}
