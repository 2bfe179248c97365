#include "core/store_query.h"

#include "core/store_joining.h"

/* ---- Links ----------------------------------------------------------------------------------- */

#define LINK_COLUMNS "number, capability, room, revoked"

static void read_link(struct query *q, struct store_join_link *out)
{
    out->number = column_i64(q);
    column_fixed(q, out->capability, sizeof out->capability);
    column_fixed(q, out->room.bytes, ROOM_ID_SIZE);
    out->revoked = column_bool(q);
}

static sotto_error one_link(struct query *q, struct store_join_link *link)
{
    struct store_join_link found = {0};
    if (query_next(q))
        read_link(q, &found);
    sotto_error error = query_end_one(q);
    if (error == SOTTO_OK)
        *link = found;
    wipe(&found, sizeof found);
    return error;
}

sotto_error store_join_link_get(struct store *store, sotto_bytes capability,
                                struct store_join_link *link)
{
    struct query q;
    query_read(&q, store, "SELECT " LINK_COLUMNS " FROM join_link WHERE capability = ?");
    query_bytes(&q, capability);
    return one_link(&q, link);
}

sotto_error store_join_link_at(struct store *store, int64_t number, struct store_join_link *link)
{
    struct query q;
    query_read(&q, store, "SELECT " LINK_COLUMNS " FROM join_link WHERE number = ?");
    query_i64(&q, number);
    return one_link(&q, link);
}

sotto_error store_join_links(struct store *store, struct arena *arena,
                             struct store_join_link **links, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **links};
    query_read(&q, store, "SELECT " LINK_COLUMNS " FROM join_link ORDER BY number");
    while (query_next(&q)) {
        struct store_join_link *row = rows_add(&rows, &q);
        if (row != NULL)
            read_link(&q, row);
    }
    TRY(query_end(&q));
    *links = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_join_link_add(struct store *store, const struct store_join_link *link)
{
    struct query q;
    query_write(&q, store, "INSERT INTO join_link (capability, room, revoked) VALUES (?, ?, 0)");
    query_fixed(&q, link->capability, sizeof link->capability);
    query_fixed(&q, link->room.bytes, ROOM_ID_SIZE);
    return query_run(&q);
}

sotto_error store_join_link_revoke(struct store *store, int64_t number)
{
    struct query q;
    query_write(&q, store, "UPDATE join_link SET revoked = 1 WHERE number = ?");
    query_i64(&q, number);
    return query_run_one(&q);
}

sotto_error store_join_link_used(struct store *store, sotto_bytes capability, uint32_t used)
{
    struct query q;
    query_write(&q, store,
                "UPDATE invitation SET used = min(uses, ?) WHERE capability = ? AND used < ?"
                " AND capability IN (SELECT capability FROM join_link)");
    query_u64(&q, used);
    query_bytes(&q, capability);
    query_u64(&q, used);
    return query_run(&q);
}

sotto_error store_join_link_erase(struct store *store, sotto_bytes capability)
{
    struct query q;
    query_write(&q, store, "DELETE FROM invitation WHERE capability = ?");
    query_bytes(&q, capability);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM join_link WHERE capability = ?");
    query_bytes(&q, capability);
    return query_run(&q);
}

/* ---- Who asks -------------------------------------------------------------------------------- */

#define JOINER_COLUMNS "id, room, account, device, relay, capability, name, time_s"

static void read_joiner(struct query *q, struct arena *arena, struct store_joiner *out)
{
    out->id = column_i64(q);
    column_fixed(q, out->room.bytes, ROOM_ID_SIZE);
    column_fixed(q, out->account.bytes, ACCOUNT_ID_SIZE);
    column_fixed(q, out->device.bytes, DEVICE_ID_SIZE);
    out->relay = column_text(q, arena);
    out->capability = column_bytes(q, arena);
    out->name = column_text(q, arena);
    out->time_s = column_u64(q);
}

sotto_error store_joiner_get(struct store *store, int64_t id, struct arena *arena,
                             struct store_joiner *joiner)
{
    struct query q;
    struct store_joiner found = {0};
    query_read(&q, store, "SELECT " JOINER_COLUMNS " FROM joiner WHERE id = ?");
    query_i64(&q, id);
    if (query_next(&q))
        read_joiner(&q, arena, &found);
    TRY(query_end_one(&q));
    *joiner = found;
    return SOTTO_OK;
}

sotto_error store_joiner_of(struct store *store, const struct room_id *room,
                            const struct account_id *account, struct arena *arena,
                            struct store_joiner *joiner)
{
    struct query q;
    struct store_joiner found = {0};
    query_read(&q, store, "SELECT " JOINER_COLUMNS " FROM joiner WHERE room = ? AND account = ?");
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    query_fixed(&q, account->bytes, ACCOUNT_ID_SIZE);
    if (query_next(&q))
        read_joiner(&q, arena, &found);
    TRY(query_end_one(&q));
    *joiner = found;
    return SOTTO_OK;
}

sotto_error store_joiner_answered(struct store *store, const struct room_id *room,
                                  const struct account_id *account, uint64_t time_s)
{
    struct query q;
    query_write(&q, store, "DELETE FROM joiner WHERE room = ? AND account = ? AND time_s <= ?");
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    query_fixed(&q, account->bytes, ACCOUNT_ID_SIZE);
    query_u64(&q, time_s);
    return query_run(&q);
}

sotto_error store_joiners(struct store *store, struct arena *arena, struct store_joiner **joiners,
                          size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **joiners};
    query_read(&q, store, "SELECT " JOINER_COLUMNS " FROM joiner ORDER BY id");
    while (query_next(&q)) {
        struct store_joiner *row = rows_add(&rows, &q);
        if (row != NULL)
            read_joiner(&q, arena, row);
    }
    TRY(query_end(&q));
    *joiners = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_joiner_put(struct store *store, const struct store_joiner *joiner)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO joiner (room, account, device, relay, capability, name,"
                " time_s) VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_fixed(&q, joiner->room.bytes, ROOM_ID_SIZE);
    query_fixed(&q, joiner->account.bytes, ACCOUNT_ID_SIZE);
    query_fixed(&q, joiner->device.bytes, DEVICE_ID_SIZE);
    query_text(&q, joiner->relay);
    query_bytes(&q, joiner->capability);
    query_text(&q, joiner->name);
    query_u64(&q, joiner->time_s);
    return query_run(&q);
}

sotto_error store_joiner_erase(struct store *store, int64_t id)
{
    struct query q;
    query_write(&q, store, "DELETE FROM joiner WHERE id = ?");
    query_i64(&q, id);
    return query_run(&q);
}

/* ---- What was asked -------------------------------------------------------------------------- */

sotto_error store_asked_get(struct store *store, const struct room_id *room, struct arena *arena,
                            struct store_asked *asked)
{
    struct query q;
    struct store_asked found = {.room = *room};
    query_read(&q, store,
               "SELECT link, account, device, capability FROM asked_to_join WHERE room = ?");
    query_fixed(&q, room->bytes, ROOM_ID_SIZE);
    if (query_next(&q)) {
        found.link = column_bytes(&q, arena);
        column_fixed(&q, found.account.bytes, ACCOUNT_ID_SIZE);
        column_fixed(&q, found.device.bytes, DEVICE_ID_SIZE);
        found.capability = column_bytes(&q, arena);
    }
    TRY(query_end_one(&q));
    *asked = found;
    return SOTTO_OK;
}

sotto_error store_asked_room(struct store *store, sotto_bytes capability, struct room_id *room)
{
    struct query q;
    struct room_id found = {{0}};
    query_read(&q, store, "SELECT room FROM asked_to_join WHERE capability = ?");
    query_bytes(&q, capability);
    if (query_next(&q))
        column_fixed(&q, found.bytes, ROOM_ID_SIZE);
    TRY(query_end_one(&q));
    *room = found;
    return SOTTO_OK;
}

sotto_error store_asked_put(struct store *store, const struct store_asked *asked)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO asked_to_join (room, link, account, device, capability)"
                " VALUES (?, ?, ?, ?, ?)");
    query_fixed(&q, asked->room.bytes, ROOM_ID_SIZE);
    query_bytes(&q, asked->link);
    query_fixed(&q, asked->account.bytes, ACCOUNT_ID_SIZE);
    query_fixed(&q, asked->device.bytes, DEVICE_ID_SIZE);
    query_bytes(&q, asked->capability);
    return query_run(&q);
}
