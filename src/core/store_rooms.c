#include "core/store_query.h"

#define ROOM_COLUMNS                                                                            \
    "room, kind, state, title, relay, peer, read_token, next_seq, created_s, active_s, epoch, " \
    "members, authenticator, trouble, generation"

static void read_room(struct query *q, struct arena *arena, struct store_room *out)
{
    column_fixed(q, out->room.bytes, sizeof out->room.bytes);
    out->kind = column_between(q, STORE_ROOM_DIRECT, STORE_ROOM_OWN);
    out->state = column_between(q, STORE_ROOM_CREATING, STORE_ROOM_ASKED);
    out->title = column_text(q, arena);
    out->relay = column_text(q, arena);
    out->has_peer = column_fixed(q, out->peer.bytes, sizeof out->peer.bytes);
    column_fixed(q, out->read_token, sizeof out->read_token);
    out->next_seq = column_u64(q);
    out->created_s = column_u64(q);
    out->active_s = column_u64(q);
    out->epoch = column_u64(q);
    out->members = column_u32(q);
    column_fixed(q, out->authenticator, sizeof out->authenticator);
    out->trouble = column_text(q, arena);
    out->generation = column_u64(q);
}

sotto_error store_room_get(struct store *store, const struct room_id *room, struct arena *arena,
                           struct store_room *out)
{
    struct query q;
    query_read(&q, store, "SELECT " ROOM_COLUMNS " FROM room WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    struct store_room found = {0};
    if (query_next(&q))
        read_room(&q, arena, &found);
    sotto_error error = query_end_one(&q);
    if (error == SOTTO_OK)
        *out = found;
    wipe(&found, sizeof found); /* read_token */
    return error;
}

static void bind_peer(struct query *q, const struct store_room *room)
{
    if (room->has_peer)
        query_fixed(q, room->peer.bytes, sizeof room->peer.bytes);
    else
        query_null(q);
}

sotto_error store_room_add(struct store *store, const struct store_room *room)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO room (" ROOM_COLUMNS
                ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)");
    query_fixed(&q, room->room.bytes, sizeof room->room.bytes);
    query_u64(&q, room->kind);
    query_u64(&q, room->state);
    query_text(&q, room->title);
    query_text(&q, room->relay);
    bind_peer(&q, room);
    query_fixed(&q, room->read_token, sizeof room->read_token);
    query_u64(&q, room->next_seq);
    query_u64(&q, room->created_s);
    query_u64(&q, room->active_s);
    query_u64(&q, room->epoch);
    query_u64(&q, room->members);
    query_fixed(&q, room->authenticator, sizeof room->authenticator);
    query_text(&q, room->trouble);
    return query_run(&q);
}

sotto_error store_room_put(struct store *store, const struct store_room *room)
{
    struct query q;
    query_write(&q, store,
                "UPDATE room SET state = ?, title = ?, relay = ?, peer = ?, read_token = ?,"
                " next_seq = ?, active_s = ?, epoch = ?, members = ?, authenticator = ?,"
                " trouble = ? WHERE room = ?");
    query_u64(&q, room->state);
    query_text(&q, room->title);
    query_text(&q, room->relay);
    bind_peer(&q, room);
    query_fixed(&q, room->read_token, sizeof room->read_token);
    query_u64(&q, room->next_seq);
    query_u64(&q, room->active_s);
    query_u64(&q, room->epoch);
    query_u64(&q, room->members);
    query_fixed(&q, room->authenticator, sizeof room->authenticator);
    query_text(&q, room->trouble);
    query_fixed(&q, room->room.bytes, sizeof room->room.bytes);
    return query_run_one(&q);
}

static sotto_error next_seq_of(struct store *store, const struct room_id *room, uint64_t *seq)
{
    struct query q;
    query_read(&q, store, "SELECT next_seq FROM room WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end_one(&q));
    *seq = found;
    return SOTTO_OK;
}

sotto_error store_room_advance(struct store *store, const struct room_id *room, uint64_t seq,
                               uint64_t now_s)
{
    uint64_t expected;
    TRY(next_seq_of(store, room, &expected));
    if (seq < expected)
        return SOTTO_EXISTS;
    if (seq > expected)
        return store_fail(store, SOTTO_STATE, "Entry.seq: an entry is missing before it");
    struct query q;
    query_write(&q, store,
                "UPDATE room SET next_seq = ?1 + 1, active_s = max(active_s, ?2) WHERE room = ?3");
    query_u64(&q, seq);
    query_u64(&q, now_s);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return query_run_one(&q);
}

sotto_error store_rooms(struct store *store, struct arena *arena, struct store_room **rooms,
                        size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **rooms};
    /* Within one second what was made later comes first: who is met anew is meant there. */
    query_read(&q, store, "SELECT " ROOM_COLUMNS " FROM room ORDER BY active_s DESC, rowid DESC");
    while (query_next(&q)) {
        struct store_room *row = rows_add(&rows, &q);
        if (row != NULL)
            read_room(&q, arena, row);
    }
    TRY(query_end(&q));
    *rooms = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

sotto_error store_room_own(struct store *store, struct arena *arena, struct store_room *out)
{
    struct query q;
    query_read(&q, store,
               "SELECT " ROOM_COLUMNS " FROM room WHERE kind = 3" /* STORE_ROOM_OWN */
               " AND state IN (1, 2, 7) ORDER BY room LIMIT 1");  /* store_room_alive */
    struct store_room found = {0};
    if (query_next(&q))
        read_room(&q, arena, &found);
    sotto_error error = query_end_one(&q);
    if (error == SOTTO_OK)
        *out = found;
    wipe(&found, sizeof found); /* read_token */
    return error;
}

sotto_error store_room_erase(struct store *store, const struct room_id *room)
{
    struct query q;
    /* Takes may be there before their room, so no foreign key takes them along. */
    query_write(&q, store, "DELETE FROM take WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM room WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return query_run(&q);
}

/* ---- MLS records ---------------------------------------------------------------------------- */

sotto_error store_room_generation(struct store *store, const struct room_id *room,
                                  uint64_t *generation)
{
    struct query q;
    query_read(&q, store, "SELECT generation FROM room WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end_one(&q));
    *generation = found;
    return SOTTO_OK;
}

static sotto_error bump_generation(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "UPDATE room SET generation = generation + 1 WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return query_run_one(&q);
}

sotto_mls_store store_records_begin(struct store_records *records, struct store *store,
                                    const struct room_id *room)
{
    *records = (struct store_records){.store = store, .room = *room};
    return (sotto_mls_store){
        .ctx = records, .put = store_records_put, .erase = store_records_erase};
}

sotto_error store_records_put(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value)
{
    struct store_records *records = ctx;
    struct query q;
    query_write(&q, records->store, "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)");
    query_fixed(&q, records->room.bytes, sizeof records->room.bytes);
    query_u64(&q, kind);
    query_u64(&q, index);
    query_bytes(&q, value);
    records->changed = true;
    return query_run(&q);
}

sotto_error store_records_erase(void *ctx, uint32_t kind, uint32_t index)
{
    struct store_records *records = ctx;
    struct query q;
    query_write(&q, records->store, "DELETE FROM record WHERE room = ? AND kind = ? AND idx = ?");
    query_fixed(&q, records->room.bytes, sizeof records->room.bytes);
    query_u64(&q, kind);
    query_u64(&q, index);
    records->changed = true;
    return query_run(&q);
}

/* The statement outlives each call, so it is the records' own and not the cache's. */
static sotto_error start_reading(struct store_records *records)
{
    static const char sql[] =
        "SELECT kind, idx, value FROM record WHERE room = ? ORDER BY kind, idx";
    struct store *store = records->store;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &records->rows, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_bind_blob(records->rows, 1, records->room.bytes, ROOM_ID_SIZE, SQLITE_STATIC);
    return code == SQLITE_OK ? SOTTO_OK : store_fail_sqlite(store, code);
}

sotto_error store_records_next(void *ctx, uint32_t *kind, uint32_t *index, sotto_bytes *value)
{
    struct store_records *records = ctx;
    if (records->rows == NULL)
        TRY(start_reading(records));
    struct query q = {.store = records->store, .stmt = records->rows, .slot = -1};
    if (!query_next(&q))
        return q.error == SOTTO_OK ? SOTTO_NOT_FOUND : q.error;
    uint32_t found_kind = column_u32(&q), found_index = column_u32(&q);
    sotto_bytes found = column_borrow(&q);
    if (q.error != SOTTO_OK)
        return q.error;
    *kind = found_kind;
    *index = found_index;
    *value = found;
    return SOTTO_OK;
}

sotto_error store_records_end(struct store_records *records, uint64_t *generation)
{
    sqlite3_finalize(records->rows); /* NULL allowed; its error was returned by the step */
    records->rows = NULL;
    if (records->changed)
        TRY(bump_generation(records->store, &records->room));
    records->changed = false;
    return generation == NULL ? SOTTO_OK
                              : store_room_generation(records->store, &records->room, generation);
}

sotto_error store_records_clear(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "DELETE FROM record WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    TRY(query_run(&q));
    sotto_error error = bump_generation(store, room);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}
