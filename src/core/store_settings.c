#include "core/store_query.h"

#include "core/store_settings.h"

sotto_error store_settings_get(struct store *store, const struct room_id *room, struct arena *arena,
                               struct store_settings *settings)
{
    struct query q;
    struct store_settings found = {0};
    query_read(&q, store,
               "SELECT settings, role, offender, successor, committer, resume_s FROM room_settings"
               " WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    if (query_next(&q)) {
        found.settings = column_bytes(&q, arena);
        found.role = (uint8_t)column_between(&q, 0, 3);
        found.has_offender = column_fixed(&q, found.offender.bytes, ACCOUNT_ID_SIZE);
        found.has_successor = column_fixed(&q, found.successor.bytes, ROOM_ID_SIZE);
        found.has_committer = column_fixed(&q, found.committer.bytes, ACCOUNT_ID_SIZE);
        found.resume_s = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *settings = found;
    return SOTTO_OK;
}

static void bind_fixed(struct query *q, bool there, const uint8_t *bytes, size_t size)
{
    if (there)
        query_fixed(q, bytes, size);
    else
        query_null(q);
}

sotto_error store_settings_put(struct store *store, const struct room_id *room,
                               const struct store_settings *settings)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO room_settings (room, settings, role, offender, successor, committer,"
                " resume_s) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room) DO UPDATE SET"
                " settings = excluded.settings, role = excluded.role,"
                " offender = excluded.offender, successor = excluded.successor,"
                " committer = excluded.committer, resume_s = excluded.resume_s");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_bytes(&q, settings->settings);
    query_u64(&q, settings->role);
    bind_fixed(&q, settings->has_offender, settings->offender.bytes, ACCOUNT_ID_SIZE);
    bind_fixed(&q, settings->has_successor, settings->successor.bytes, ROOM_ID_SIZE);
    bind_fixed(&q, settings->has_committer, settings->committer.bytes, ACCOUNT_ID_SIZE);
    query_u64(&q, settings->resume_s);
    return query_run(&q);
}

sotto_error store_settings_moved(struct store *store, const struct room_id *room, bool *moved)
{
    struct query q;
    query_read(&q, store,
               "SELECT EXISTS (SELECT 1 FROM room_settings WHERE room = ?"
               " AND successor IS NOT NULL)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *moved = found;
    return SOTTO_OK;
}

sotto_error store_settings_resume(struct store *store, uint64_t now_s, struct arena *arena,
                                  struct room_id **rooms, size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT room FROM room_settings WHERE resume_s > 0 AND resume_s <= ?"
               " AND successor IS NULL");
    query_u64(&q, now_s);
    return query_end_rooms(&q, arena, rooms, count);
}
