/* Invitations made and accepted, and KeyPackages taken with them. */
#include "core/store_query.h"

/* A capability is looked up by its bytes; the index's timing is seen by nobody but this process. */

/* ---- Made ----------------------------------------------------------------------------------- */

#define INVITATION_COLUMNS "capability, uses, used, created_s, expires_s, granted"

static void read_invitation(struct query *q, struct store_invitation *out)
{
    column_fixed(q, out->capability, sizeof out->capability);
    out->uses = column_u32(q);
    out->used = column_u32(q);
    out->created_s = column_u64(q);
    out->expires_s = column_u64(q);
    out->granted = column_bool(q);
}

sotto_error store_invitation_get(struct store *store, sotto_bytes capability,
                                 struct store_invitation *invitation)
{
    struct query q;
    query_read(&q, store, "SELECT " INVITATION_COLUMNS " FROM invitation WHERE capability = ?");
    query_bytes(&q, capability);
    struct store_invitation found = {0};
    if (query_next(&q))
        read_invitation(&q, &found);
    sotto_error error = query_end_one(&q);
    if (error == SOTTO_OK)
        *invitation = found;
    wipe(&found, sizeof found);
    return error;
}

sotto_error store_invitation_put(struct store *store, const struct store_invitation *invitation)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO invitation (" INVITATION_COLUMNS
                ") VALUES (?, ?, ?, ?, ?, ?)");
    query_fixed(&q, invitation->capability, sizeof invitation->capability);
    query_u64(&q, invitation->uses);
    query_u64(&q, invitation->used);
    query_u64(&q, invitation->created_s);
    query_u64(&q, invitation->expires_s);
    query_u64(&q, invitation->granted);
    return query_run(&q);
}

sotto_error store_invitation_use(struct store *store, sotto_bytes capability, uint64_t now_s)
{
    struct query q;
    query_write(&q, store,
                "UPDATE invitation SET used = used + 1"
                " WHERE capability = ? AND used < uses AND expires_s > ?");
    query_bytes(&q, capability);
    query_u64(&q, now_s);
    return query_run_one(&q);
}

sotto_error store_invitations(struct store *store, struct arena *arena,
                              struct store_invitation **invitations, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **invitations};
    query_read(&q, store,
               "SELECT " INVITATION_COLUMNS " FROM invitation ORDER BY created_s, rowid");
    while (query_next(&q)) {
        struct store_invitation *row = rows_add(&rows, &q);
        if (row != NULL)
            read_invitation(&q, row);
    }
    TRY(query_end(&q));
    *invitations = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_invitations_expire(struct store *store, uint64_t before_s)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM join_link WHERE revoked = 0 AND capability IN"
                " (SELECT capability FROM invitation WHERE expires_s < ?)");
    query_u64(&q, before_s);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM invitation WHERE expires_s < ?");
    query_u64(&q, before_s);
    return query_run(&q);
}

/* ---- Accepted ------------------------------------------------------------------------------- */

sotto_error store_accepted_get(struct store *store, sotto_bytes capability,
                               struct store_accepted *accepted)
{
    struct query q;
    query_read(&q, store,
               "SELECT capability, account, device, room, accepted_s FROM accepted"
               " WHERE capability = ?");
    query_bytes(&q, capability);
    struct store_accepted found = {0};
    if (query_next(&q)) {
        column_fixed(&q, found.capability, sizeof found.capability);
        column_fixed(&q, found.account.bytes, sizeof found.account.bytes);
        column_fixed(&q, found.device.bytes, sizeof found.device.bytes);
        column_fixed(&q, found.room.bytes, sizeof found.room.bytes);
        found.accepted_s = column_u64(&q);
    }
    sotto_error error = query_end_one(&q);
    if (error == SOTTO_OK)
        *accepted = found;
    wipe(&found, sizeof found);
    return error;
}

sotto_error store_accepted_put(struct store *store, const struct store_accepted *accepted)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO accepted (capability, account, device, room, accepted_s)"
                " VALUES (?, ?, ?, ?, ?)");
    query_fixed(&q, accepted->capability, sizeof accepted->capability);
    query_fixed(&q, accepted->account.bytes, sizeof accepted->account.bytes);
    query_fixed(&q, accepted->device.bytes, sizeof accepted->device.bytes);
    query_fixed(&q, accepted->room.bytes, sizeof accepted->room.bytes);
    query_u64(&q, accepted->accepted_s);
    return query_run(&q);
}

sotto_error store_accepted_erase(struct store *store, sotto_bytes capability)
{
    struct query q;
    query_write(&q, store, "DELETE FROM accepted WHERE capability = ?");
    query_bytes(&q, capability);
    return query_run(&q);
}

/* ---- Taken ---------------------------------------------------------------------------------- */

#define TAKE_COLUMNS \
    "room, account, device, take_id, relay, capability, key_package, manifest, created_s"

static void read_take(struct query *q, struct arena *arena, struct store_take *out)
{
    column_fixed(q, out->room.bytes, sizeof out->room.bytes);
    column_fixed(q, out->account.bytes, sizeof out->account.bytes);
    column_fixed(q, out->device.bytes, sizeof out->device.bytes);
    column_fixed(q, out->take_id.bytes, sizeof out->take_id.bytes);
    out->relay = column_text(q, arena);
    out->capability = column_bytes(q, arena);
    out->key_package = column_bytes(q, arena);
    out->manifest = column_bytes(q, arena);
    out->created_s = column_u64(q);
}

sotto_error store_take_get(struct store *store, const struct room_id *room,
                           const struct account_id *account, const struct device_id *device,
                           struct arena *arena, struct store_take *take)
{
    struct query q;
    query_read(&q, store,
               "SELECT " TAKE_COLUMNS " FROM take WHERE room = ? AND account = ? AND device = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_fixed(&q, account->bytes, sizeof account->bytes);
    query_fixed(&q, device->bytes, sizeof device->bytes);
    struct store_take found = {0};
    if (query_next(&q))
        read_take(&q, arena, &found);
    TRY(query_end_one(&q));
    *take = found;
    return SOTTO_OK;
}

sotto_error store_takes_of(struct store *store, const struct room_id *room,
                           const struct account_id *account, struct arena *arena,
                           struct store_take **takes, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **takes};
    query_read(&q, store,
               "SELECT " TAKE_COLUMNS
               " FROM take WHERE room = ? AND account = ? ORDER BY created_s, rowid");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_fixed(&q, account->bytes, sizeof account->bytes);
    while (query_next(&q)) {
        struct store_take *row = rows_add(&rows, &q);
        if (row != NULL)
            read_take(&q, arena, row);
    }
    TRY(query_end(&q));
    *takes = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_take_put(struct store *store, const struct store_take *take)
{
    struct query q;
    query_write(&q, store,
                "INSERT OR REPLACE INTO take (" TAKE_COLUMNS
                ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_fixed(&q, take->room.bytes, sizeof take->room.bytes);
    query_fixed(&q, take->account.bytes, sizeof take->account.bytes);
    query_fixed(&q, take->device.bytes, sizeof take->device.bytes);
    query_fixed(&q, take->take_id.bytes, sizeof take->take_id.bytes);
    query_text(&q, take->relay);
    query_bytes(&q, take->capability);
    query_bytes(&q, take->key_package);
    query_bytes(&q, take->manifest);
    query_u64(&q, take->created_s);
    return query_run(&q);
}

sotto_error store_take_erase(struct store *store, const struct room_id *room,
                             const struct account_id *account, const struct device_id *device)
{
    struct query q;
    query_write(&q, store, "DELETE FROM take WHERE room = ? AND account = ? AND device = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_fixed(&q, account->bytes, sizeof account->bytes);
    query_fixed(&q, device->bytes, sizeof device->bytes);
    return query_run(&q);
}
