#include "core/store_query.h"

#define OUT_COLUMNS                                                                           \
    "id, room, kind, state, client_id, intent, request, epoch, bytes, staged, welcome, "      \
    "write_gate, read_gate, relay, account, device, capability, tries, not_before_s, error, " \
    "created_s"

static void read_outgoing(struct query *q, struct arena *arena, struct store_outgoing *out)
{
    out->id = column_i64(q);
    column_fixed(q, out->room.bytes, sizeof out->room.bytes);
    out->kind = column_between(q, STORE_OUT_CREATE, STORE_OUT_ENVELOPE);
    out->state = column_between(q, STORE_OUT_WANTED, STORE_OUT_SAID);
    out->client_id = column_text(q, arena);
    out->intent = column_bytes(q, arena);
    column_fixed(q, out->request.bytes, sizeof out->request.bytes);
    out->epoch = column_u64(q);
    out->bytes = column_bytes(q, arena);
    out->staged = column_bytes(q, arena);
    out->welcome = column_bytes(q, arena);
    out->has_write_gate =
        column_fixed(q, out->next_write_gate.bytes, sizeof out->next_write_gate.bytes);
    out->has_read_gate =
        column_fixed(q, out->next_read_gate.bytes, sizeof out->next_read_gate.bytes);
    out->relay = column_text(q, arena);
    column_fixed(q, out->account.bytes, sizeof out->account.bytes);
    column_fixed(q, out->device.bytes, sizeof out->device.bytes);
    out->capability = column_bytes(q, arena);
    out->tries = column_u32(q);
    out->not_before_s = column_u64(q);
    out->error = column_text(q, arena);
    out->created_s = column_u64(q);
}

static sotto_error one_outgoing(struct query *q, struct arena *arena, struct store_outgoing *out)
{
    struct store_outgoing found = {0};
    if (query_next(q))
        read_outgoing(q, arena, &found);
    TRY(query_end_one(q));
    *out = found;
    return SOTTO_OK;
}

static void bind_gate(struct query *q, bool has, const struct gate *gate)
{
    if (has)
        query_fixed(q, gate->bytes, sizeof gate->bytes);
    else
        query_null(q);
}

/* The columns that both writing functions share, from state on without client_id. */
static void bind_changeable(struct query *q, const struct store_outgoing *out)
{
    query_u64(q, out->state);
    query_bytes(q, out->intent);
    query_fixed(q, out->request.bytes, sizeof out->request.bytes);
    query_u64(q, out->epoch);
    query_bytes(q, out->bytes);
    query_bytes(q, out->staged);
    query_bytes(q, out->welcome);
    bind_gate(q, out->has_write_gate, &out->next_write_gate);
    bind_gate(q, out->has_read_gate, &out->next_read_gate);
    query_text(q, out->relay);
    query_fixed(q, out->account.bytes, sizeof out->account.bytes);
    query_fixed(q, out->device.bytes, sizeof out->device.bytes);
    query_bytes(q, out->capability);
    query_u64(q, out->tries);
    query_u64(q, out->not_before_s);
    query_text(q, out->error);
}

sotto_error store_outgoing_add(struct store *store, const struct store_outgoing *outgoing,
                               int64_t *id)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO outgoing (state, intent, request, epoch, bytes, staged, welcome,"
                " write_gate, read_gate, relay, account, device, capability, tries, not_before_s,"
                " error, room, kind, client_id, created_s)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_changeable(&q, outgoing);
    query_fixed(&q, outgoing->room.bytes, sizeof outgoing->room.bytes);
    query_u64(&q, outgoing->kind);
    if (outgoing->client_id == NULL || outgoing->client_id[0] == '\0')
        query_null(&q);
    else
        query_text(&q, outgoing->client_id);
    query_u64(&q, outgoing->created_s);
    TRY(query_run(&q));
    *id = sqlite3_last_insert_rowid(store->db);
    return SOTTO_OK;
}

sotto_error store_outgoing_put(struct store *store, const struct store_outgoing *outgoing)
{
    struct query q;
    query_write(&q, store,
                "UPDATE outgoing SET state = ?, intent = ?, request = ?, epoch = ?, bytes = ?,"
                " staged = ?, welcome = ?, write_gate = ?, read_gate = ?, relay = ?, account = ?,"
                " device = ?, capability = ?, tries = ?, not_before_s = ?, error = ?"
                " WHERE id = ?");
    bind_changeable(&q, outgoing);
    query_i64(&q, outgoing->id);
    return query_run_one(&q);
}

sotto_error store_outgoing_erase(struct store *store, int64_t id)
{
    struct query q;
    query_write(&q, store, "DELETE FROM outgoing WHERE id = ?");
    query_i64(&q, id);
    return query_run_one(&q);
}

sotto_error store_outgoing_withdraw(struct store *store, const struct room_id *room,
                                    const char *prefix)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM outgoing WHERE room = ?1 AND client_id >= ?2"
                " AND client_id < ?2 || x'FF' AND state = ?3");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, prefix);
    query_u64(&q, STORE_OUT_WANTED);
    return query_run(&q);
}

sotto_error store_outgoing_get(struct store *store, int64_t id, struct arena *arena,
                               struct store_outgoing *outgoing)
{
    struct query q;
    query_read(&q, store, "SELECT " OUT_COLUMNS " FROM outgoing WHERE id = ?");
    query_i64(&q, id);
    return one_outgoing(&q, arena, outgoing);
}

sotto_error store_outgoing_by_request(struct store *store, const struct room_id *room,
                                      const struct request_id *request, struct arena *arena,
                                      struct store_outgoing *outgoing)
{
    struct query q;
    query_read(&q, store,
               "SELECT " OUT_COLUMNS
               " FROM outgoing WHERE room = ? AND request = ? ORDER BY id LIMIT 1");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_fixed(&q, request->bytes, sizeof request->bytes);
    return one_outgoing(&q, arena, outgoing);
}

sotto_error store_outgoing_any(struct store *store, const struct room_id *room, bool *any)
{
    struct query q;
    query_read(&q, store, "SELECT EXISTS (SELECT 1 FROM outgoing WHERE room = ?)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *any = found;
    return SOTTO_OK;
}

sotto_error store_outgoing_by_client(struct store *store, const struct room_id *room,
                                     const char *client_id, struct arena *arena,
                                     struct store_outgoing *outgoing)
{
    struct query q;
    query_read(&q, store, "SELECT " OUT_COLUMNS " FROM outgoing WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return one_outgoing(&q, arena, outgoing);
}

/* Kinds of a sort: least and most. STORE_OUT_ENVELOPE is the last kind. */
static void bind_sort(struct query *q, enum store_outgoing_sort sort)
{
    static const struct {
        enum store_outgoing_kind least, most;
    } kinds[] = {[STORE_OUT_ALL] = {STORE_OUT_CREATE, STORE_OUT_ENVELOPE},
                 [STORE_OUT_ENTRIES] = {STORE_OUT_CREATE, STORE_OUT_LEAVE},
                 [STORE_OUT_ENVELOPES] = {STORE_OUT_ENVELOPE, STORE_OUT_ENVELOPE},
                 [STORE_OUT_COMMITS] = {STORE_OUT_COMMIT, STORE_OUT_COMMIT}};
    query_u64(q, kinds[sort].least);
    query_u64(q, kinds[sort].most);
}

sotto_error store_outgoing_next(struct store *store, const struct room_id *room,
                                enum store_outgoing_sort sort, int64_t after, struct arena *arena,
                                struct store_outgoing *outgoing)
{
    struct query q;
    if (room != NULL && (sort == STORE_OUT_ENVELOPES || sort == STORE_OUT_COMMITS)) {
        /* Of one kind: however many messages wait. */
        query_read(&q, store,
                   "SELECT " OUT_COLUMNS " FROM outgoing WHERE room = ? AND kind = ?"
                   " AND id > ? ORDER BY id LIMIT 1");
        query_fixed(&q, room->bytes, sizeof room->bytes);
        query_u64(&q, sort == STORE_OUT_COMMITS ? STORE_OUT_COMMIT : STORE_OUT_ENVELOPE);
        query_i64(&q, after);
        return one_outgoing(&q, arena, outgoing);
    }
    if (room != NULL) {
        query_read(&q, store,
                   "SELECT " OUT_COLUMNS " FROM outgoing WHERE room = ? AND kind BETWEEN ? AND ?"
                   " AND id > ? ORDER BY id LIMIT 1");
        query_fixed(&q, room->bytes, sizeof room->bytes);
    } else {
        query_read(&q, store,
                   "SELECT " OUT_COLUMNS " FROM outgoing WHERE kind BETWEEN ? AND ?"
                   " AND id > ? ORDER BY id LIMIT 1");
    }
    bind_sort(&q, sort);
    query_i64(&q, after);
    return one_outgoing(&q, arena, outgoing);
}

sotto_error store_outgoing_named_next(struct store *store, const struct room_id *room,
                                      const char *prefix, int64_t after, struct arena *arena,
                                      struct store_outgoing *outgoing)
{
    struct query q;
    query_read(&q, store,
               "SELECT " OUT_COLUMNS " FROM outgoing WHERE room = ?1 AND client_id >= ?2"
               " AND client_id < ?2 || x'FF' AND +id > ?3 ORDER BY id LIMIT 1");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, prefix);
    query_i64(&q, after);
    return one_outgoing(&q, arena, outgoing);
}

sotto_error store_outgoing_count(struct store *store, const struct room_id *room,
                                 enum store_outgoing_sort sort, uint32_t *count)
{
    struct query q;
    if (room != NULL) {
        query_read(&q, store,
                   "SELECT count(*) FROM outgoing WHERE room = ? AND kind BETWEEN ? AND ?"
                   " AND state <> 3"); /* STORE_OUT_SAID */
        query_fixed(&q, room->bytes, sizeof room->bytes);
    } else {
        query_read(&q, store,
                   "SELECT count(*) FROM outgoing WHERE kind BETWEEN ? AND ? AND state <> 3");
    }
    bind_sort(&q, sort);
    uint32_t found = query_next(&q) ? column_u32(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

sotto_error store_outgoing_rooms(struct store *store, struct arena *arena, struct room_id **rooms,
                                 size_t *count)
{
    struct query q;
    /* From one room to the next, however much each has. */
    query_read(&q, store,
               "WITH RECURSIVE each (room) AS (SELECT min(room) FROM outgoing UNION ALL"
               " SELECT (SELECT min(room) FROM outgoing WHERE room > each.room) FROM each"
               " WHERE each.room IS NOT NULL) SELECT room FROM each WHERE room IS NOT NULL");
    return query_end_rooms(&q, arena, rooms, count);
}

sotto_error store_outgoing_moved(struct store *store, const struct account_id *account,
                                 const char *relay)
{
    struct query q;
    query_write(
        &q, store,
        "UPDATE outgoing SET relay = ?, not_before_s = 0 WHERE account = ? AND relay <> ''");
    query_text(&q, relay);
    query_fixed(&q, account->bytes, sizeof account->bytes);
    TRY(query_run(&q));
    query_write(&q, store, "UPDATE take SET relay = ? WHERE account = ?");
    query_text(&q, relay);
    query_fixed(&q, account->bytes, sizeof account->bytes);
    return query_run(&q);
}
