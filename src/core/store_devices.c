#include "core/store_query.h"

/* ---- Manifests ------------------------------------------------------------------------------ */

sotto_error store_own_manifest_get(struct store *store, struct arena *arena, sotto_bytes *manifest)
{
    struct query q;
    query_read(&q, store, "SELECT manifest FROM profile");
    sotto_bytes found = {0};
    if (query_next(&q))
        found = column_bytes(&q, arena);
    TRY(query_end_one(&q));
    *manifest = found;
    return SOTTO_OK;
}

sotto_error store_own_manifest_put(struct store *store, sotto_bytes manifest)
{
    struct query q;
    query_write(&q, store, "UPDATE profile SET manifest = ?");
    query_bytes(&q, manifest);
    return query_run_one(&q);
}

sotto_error store_manifest_changed(struct store *store, const struct account_id *account)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO manifest_change (account) VALUES (?)");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    return query_run(&q);
}

static sotto_error read_number(struct query *q, uint64_t *number)
{
    uint64_t found = query_next(q) ? column_u64(q) : 0;
    TRY(query_end(q));
    *number = found;
    return SOTTO_OK;
}

sotto_error store_manifest_changes(struct store *store, uint64_t *newest)
{
    struct query q;
    query_read(&q, store, "SELECT coalesce(max(number), 0) FROM manifest_change");
    return read_number(&q, newest);
}

sotto_error store_manifest_change(struct store *store, const struct account_id *account,
                                  uint64_t *number)
{
    struct query q;
    query_read(&q, store, "SELECT number FROM manifest_change WHERE account = ?");
    query_fixed(&q, account->bytes, sizeof account->bytes);
    return read_number(&q, number);
}

sotto_error store_room_judged_get(struct store *store, const struct room_id *room, uint64_t *number)
{
    struct query q;
    query_read(&q, store, "SELECT number FROM room_judged WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return read_number(&q, number);
}

sotto_error store_room_judged_put(struct store *store, const struct room_id *room, uint64_t number)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO room_judged (room, number) VALUES (?, ?)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, number);
    return query_run(&q);
}

sotto_error store_outgoing_named(struct store *store, const char *client_id, uint32_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT count(*) FROM outgoing WHERE client_id = ?");
    query_text(&q, client_id);
    uint64_t found = 0;
    TRY(read_number(&q, &found));
    *count = (uint32_t)found;
    return SOTTO_OK;
}

/* ---- Names ---------------------------------------------------------------------------------- */

sotto_error store_device_name_get(struct store *store, const struct device_id *device,
                                  struct arena *arena, const char **name)
{
    struct query q;
    query_read(&q, store, "SELECT name FROM device_name WHERE device = ?");
    query_fixed(&q, device->bytes, sizeof device->bytes);
    const char *found = "";
    if (query_next(&q))
        found = column_text(&q, arena);
    TRY(query_end(&q));
    *name = found;
    return SOTTO_OK;
}

sotto_error store_device_name_put(struct store *store, const struct device_id *device,
                                  const char *name)
{
    struct query q;
    query_write(&q, store, "INSERT OR REPLACE INTO device_name (device, name) VALUES (?, ?)");
    query_fixed(&q, device->bytes, sizeof device->bytes);
    query_text(&q, name);
    return query_run(&q);
}

/* ---- Histories ------------------------------------------------------------------------------ */

sotto_error store_history_next(struct store *store, struct store_history *history)
{
    struct query q;
    query_read(&q, store, "SELECT device, position, given FROM history ORDER BY rowid LIMIT 1");
    struct store_history found = {0};
    if (query_next(&q)) {
        column_fixed(&q, found.device.bytes, sizeof found.device.bytes);
        found.position = column_i64(&q);
        found.given = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *history = found;
    return SOTTO_OK;
}

sotto_error store_history_is(struct store *store, const struct device_id *device, bool *is)
{
    struct query q;
    query_read(&q, store, "SELECT EXISTS (SELECT 1 FROM history WHERE device = ?)");
    query_fixed(&q, device->bytes, sizeof device->bytes);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *is = found;
    return SOTTO_OK;
}

sotto_error store_history_put(struct store *store, const struct store_history *history)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO history (device, position, given) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (device) DO UPDATE SET position = ?2, given = ?3");
    query_fixed(&q, history->device.bytes, sizeof history->device.bytes);
    query_i64(&q, history->position);
    query_u64(&q, history->given);
    return query_run(&q);
}

sotto_error store_history_begin(struct store *store, const struct device_id *device)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR IGNORE INTO history (device, position, given) VALUES (?, -1, 0)");
    query_fixed(&q, device->bytes, sizeof device->bytes);
    return query_run(&q);
}

sotto_error store_history_erase(struct store *store, const struct device_id *device)
{
    struct query q;
    query_write(&q, store, "DELETE FROM history WHERE device = ?");
    query_fixed(&q, device->bytes, sizeof device->bytes);
    return query_run(&q);
}
