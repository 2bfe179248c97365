/* Rooms: a log each, its epoch, and its gates (PROTOCOL.md section 5). */
#include "relay/store_sql.h"

#include <string.h>

#include <sodium.h>

/* As the table has it: what the writer's transaction has changed is in the tail until its end. */
static bool read_room(struct exec *exec, const struct room_id *id, struct room_row *row)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT key, epoch, write_gate, next_seq, first_seq, bytes,"
                                     " day, size FROM rooms WHERE room_id=?");
    db_bind_bytes(query, 1, VIEW(*id));
    bool found = db_row(db, query);
    if (found) {
        row->key = db_int(query, 0);
        row->epoch = db_u64(query, 1);
        db_copy(db, query, 2, row->write_gate.bytes, GATE_SIZE);
        row->next_seq = db_u64(query, 3);
        row->first_seq = db_u64(query, 4);
        row->bytes = db_u64(query, 5);
        row->day = db_u64(query, 6);
        row->size = db_u64(query, 7);
        row->id = *id;
    }
    db_end(query);
    return found;
}

/* For the writer. */
static bool find_room(struct exec *exec, const struct room_id *id, struct room_row *row)
{
    const struct tail_room *room = tail_room(exec->tail, id);
    if (room != NULL)
        *row = room->row;
    return room != NULL || read_room(exec, id, row);
}

/* A read gate: until is UINT64_MAX while it is open. */
static bool find_gate(struct exec *exec, int64_t room, const struct gate *gate, uint64_t *until,
                      uint64_t *until_epoch)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT until_seq, until_epoch FROM read_gates"
                                     " WHERE room=? AND gate=?");
    db_bind_int(query, 1, room);
    db_bind_bytes(query, 2, VIEW(*gate));
    bool found = db_row(db, query);
    if (found) {
        *until = db_is_null(query, 0) ? UINT64_MAX : db_u64(query, 0);
        *until_epoch = db_u64(query, 1);
    }
    db_end(query);
    return found;
}

static void put_gate(struct exec *exec, int64_t room, const struct gate *gate)
{
    db_query *query = db_prepare(exec->db, "INSERT OR REPLACE INTO read_gates(room, gate)"
                                           " VALUES(?,?)");
    db_bind_int(query, 1, room);
    db_bind_bytes(query, 2, VIEW(*gate));
    db_run(exec->db, query);
}

/* ---- Create --------------------------------------------------------------------------------- */

void rooms_create(struct exec *exec, struct store_op *op)
{
    const struct store_room_create *create = &op->room_create;
    struct room_row row;
    if (find_room(exec, &create->room, &row)) {
        uint64_t until, until_epoch;
        bool same = row.next_seq == 1 &&
                    memcmp(row.write_gate.bytes, create->write_gate.bytes, GATE_SIZE) == 0 &&
                    find_gate(exec, row.key, &create->read_gate, &until, &until_epoch);
        if (!same)
            refuse(op, WIRE_CODE_ROOM_EXISTS, 0);
        return;
    }
    uint16_t code = permission_allow(exec, 0, &create->permission, GRANT_LOOK);
    if (code != 0) {
        refuse(op, code, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "INSERT INTO rooms(room_id, epoch, write_gate, next_seq,"
                                           " first_seq, bytes, day, size)"
                                           " VALUES(?,0,?,1,1,0,?,?)");
    db_bind_bytes(query, 1, VIEW(create->room));
    db_bind_bytes(query, 2, VIEW(create->write_gate));
    db_bind_u64(query, 3, exec->day);
    db_bind_u64(query, 4, create->size);
    db_run(exec->db, query);
    put_gate(exec, sqlite3_last_insert_rowid(exec->db->handle), &create->read_gate);
    permission_spend(exec, 0, &create->permission, GRANT_LOOK);
}

/* ---- Extend --------------------------------------------------------------------------------- */

/* The client names the size that it wants, so that a retry, or another member with the same wish,
 * finds it done and pays nothing. */
void rooms_extend(struct exec *exec, struct store_op *op)
{
    struct store_room_extend *extend = &op->room_extend;
    struct room_row row;
    if (!find_room(exec, &extend->room, &row)) {
        refuse(op, WIRE_CODE_NO_ROOM, 0);
        return;
    }
    if (row.size >= extend->size) {
        extend->size = row.size;
        return;
    }
    if (extend->size > ROOM_BYTES_MAX || extend->size - row.size > extend->step) {
        refuse(op, WIRE_CODE_LIMIT,
               extend->size > ROOM_BYTES_MAX ? ROOM_BYTES_MAX : row.size + extend->step);
        return;
    }
    uint16_t code = permission_allow(exec, 0, &extend->permission, GRANT_LOOK);
    if (code != 0) {
        refuse(op, code, 0);
        return;
    }
    db_query *query = db_prepare(exec->db, "UPDATE rooms SET size=? WHERE key=?");
    db_bind_u64(query, 1, extend->size);
    db_bind_int(query, 2, row.key);
    db_run(exec->db, query);
    struct tail_room *room = tail_room(exec->tail, &extend->room);
    if (room != NULL)
        room->row.size = extend->size;
    permission_spend(exec, 0, &extend->permission, GRANT_LOOK);
}

/* ---- Append --------------------------------------------------------------------------------- */

static void insert_entry(struct exec *exec, const struct room_row *room,
                         const struct store_append *append)
{
    db_query *query =
        db_prepare(exec->db, "INSERT INTO entries(position, room, seq, epoch, kind, append_id,"
                             " bytes, day) VALUES(?,?,?,?,?,?,?,?)");
    db_bind_int(query, 1, exec->tail->next_position);
    db_bind_int(query, 2, room->key);
    db_bind_u64(query, 3, append->seq);
    db_bind_u64(query, 4, append->epoch);
    db_bind_int(query, 5, append->kind);
    db_bind_bytes(query, 6, VIEW(append->append_id));
    db_bind_bytes(query, 7, append->blob->payload);
    db_bind_u64(query, 8, exec->day);
    db_run(exec->db, query);
}

static void advance_room(struct exec *exec, struct room_row *room,
                         const struct store_append *append)
{
    if (append->kind == ENTRY_COMMIT) {
        room->epoch++;
        room->write_gate = append->next_write_gate;
    }
    room->next_seq = append->seq + 1;
    room->bytes += append->blob->payload.size;
    room->day = exec->day;
    if (exec->db->failure == SQLITE_OK && tail_add(exec->tail, tail_room(exec->tail, &room->id),
                                                   room, &append->append_id) != SOTTO_OK)
        db_fail(exec->db, SQLITE_NOMEM);
}

/* Closes the open read gate behind the commit and opens the next. False if it is the same one. */
static bool rotate_read_gate(struct exec *exec, const struct room_row *room,
                             const struct store_append *append, struct gate *closed)
{
    struct db *db = exec->db;
    db_query *query = db_prepare(db, "SELECT gate FROM read_gates"
                                     " WHERE room=? AND until_seq IS NULL");
    db_bind_int(query, 1, room->key);
    if (db_row(db, query))
        db_copy(db, query, 0, closed->bytes, GATE_SIZE);
    db_end(query);
    if (memcmp(closed->bytes, append->next_read_gate.bytes, GATE_SIZE) == 0)
        return false;
    query = db_prepare(db, "UPDATE read_gates SET until_seq=?, until_epoch=?"
                           " WHERE room=? AND until_seq IS NULL");
    db_bind_u64(query, 1, append->seq);
    db_bind_u64(query, 2, append->epoch + 1);
    db_bind_int(query, 3, room->key);
    db_run(db, query);
    put_gate(exec, room->key, &append->next_read_gate);
    return true;
}

/* What the room takes on the disk with one more entry of so many bytes. */
static uint64_t size_with(const struct room_row *room, uint64_t bytes)
{
    return room->bytes + bytes + (room->next_seq - room->first_seq + 1) * ROOM_ENTRY_COST;
}

/* Why the append is not possible, if it is not. An unknown room and a wrong token look alike. A
 * token of another epoch cannot be checked (its gate is gone): the room's id, 256 random bits
 * that members know, is what it takes to be told the epoch. */
static bool may_append(const struct room_row *room, struct store_op *op)
{
    const struct store_append *append = &op->append;
    if (append->epoch != room->epoch)
        refuse(op, WIRE_CODE_STALE_EPOCH, room->epoch);
    else if (sodium_memcmp(append->gate.bytes, room->write_gate.bytes, GATE_SIZE) != 0)
        refuse(op, WIRE_CODE_NO_ROOM, 0);
    else if (room->next_seq - room->first_seq >= ROOM_ENTRIES_MAX)
        refuse(op, WIRE_CODE_LIMIT, ROOM_ENTRIES_MAX);
    else if (room->bytes + append->blob->payload.size > ROOM_BYTES_MAX)
        refuse(op, WIRE_CODE_LIMIT, ROOM_BYTES_MAX);
    else if (size_with(room, append->blob->payload.size) > room->size)
        refuse(op, WIRE_CODE_ROOM_FULL, room->size);
    return op->code == 0;
}

void rooms_append(struct exec *exec, struct store_op *op)
{
    struct store_append *append = &op->append;
    struct room_row room;
    if (!find_room(exec, &append->room, &room)) {
        refuse(op, WIRE_CODE_NO_ROOM, 0);
        return;
    }
    /* Before everything else: a retry is answered alike, also when the epoch has moved on since. */
    if (tail_find_append(exec->tail, exec->db, &room, &append->append_id, &append->seq) ||
        !may_append(&room, op))
        return;
    append->seq = room.next_seq;
    insert_entry(exec, &room, append);
    advance_room(exec, &room, append);
    struct notice *notice = exec_notice(exec);
    if (notice == NULL)
        return;
    notice->kind = NOTICE_ENTRY;
    notice->room = append->room;
    notice->seq = append->seq;
    if (append->kind == ENTRY_COMMIT && append->has_next_read_gate)
        notice->closes_gate = rotate_read_gate(exec, &room, append, &notice->closed_gate);
    blob_set_seq(append->blob, append->seq);
    notice->blob = blob_hold(append->blob);
}

/* ---- Read ----------------------------------------------------------------------------------- */

void rooms_open(struct exec *exec, struct store_op *op)
{
    struct store_room_open *open = &op->room_open;
    struct room_row room;
    uint64_t until_epoch = 0;
    if (!read_room(exec, &open->room, &room) ||
        !find_gate(exec, room.key, &open->gate, &open->until, &until_epoch)) {
        refuse(op, WIRE_CODE_NO_ROOM, 0);
        return;
    }
    open->key = room.key;
    open->head = room.next_seq - 1;
    open->first = room.first_seq;
    open->epoch = room.epoch;
    if (open->until != UINT64_MAX) { /* who is out learns nothing of what came after */
        open->head = open->until;
        open->epoch = until_epoch;
    }
}

/* As of an append, whose order of checks this keeps. */
void rooms_may_write(struct exec *exec, struct store_op *op)
{
    const struct store_may_write *may = &op->may_write;
    struct room_row room;
    if (!read_room(exec, &may->room, &room))
        refuse(op, WIRE_CODE_NO_ROOM, 0);
    else if (may->epoch != room.epoch)
        refuse(op, WIRE_CODE_STALE_EPOCH, room.epoch);
    else if (sodium_memcmp(may->gate.bytes, room.write_gate.bytes, GATE_SIZE) != 0)
        refuse(op, WIRE_CODE_NO_ROOM, 0);
}

/* What a fetch has gathered: of each entry the size of its bytes, which stand in one row. */
struct gathered {
    struct entry entries[FETCH_COUNT];
    size_t count;
    sotto_buf bytes;
    bool full;
};

/* One row into the list, with a copy of its bytes: the row dies with the next step. */
static void take_entry(struct exec *exec, db_query *query, struct gathered *gathered)
{
    struct entry *entry = &gathered->entries[gathered->count];
    sotto_bytes bytes = db_bytes(query, 4);
    gathered->full = gathered->count == FETCH_COUNT ||
                     (gathered->count > 0 && gathered->bytes.size + bytes.size > FETCH_BYTES);
    if (gathered->full)
        return;
    entry->seq = db_u64(query, 0);
    entry->epoch = db_u64(query, 1);
    entry->kind = (uint8_t)db_int(query, 2);
    db_copy(exec->db, query, 3, entry->append_id.bytes, REQUEST_ID_SIZE);
    entry->bytes.size = bytes.size;
    if ((gathered->count == 0 &&
         sotto_buf_reserve(&gathered->bytes, bytes.size > FETCH_BYTES ? bytes.size : FETCH_BYTES) !=
             SOTTO_OK) ||
        sotto_buf_append(&gathered->bytes, bytes.data, bytes.size) != SOTTO_OK)
        db_fail(exec->db, SQLITE_NOMEM);
    gathered->count++;
}

static void fetch_indexed(struct exec *exec, const struct store_room_fetch *fetch,
                          struct gathered *gathered)
{
    db_query *query =
        db_prepare(exec->db, "SELECT e.seq, e.epoch, e.kind, e.append_id, e.bytes"
                             " FROM entry_index i JOIN entries e ON e.position=i.position"
                             " WHERE i.room=? AND i.seq BETWEEN ? AND ? ORDER BY i.seq");
    db_bind_int(query, 1, fetch->key);
    db_bind_u64(query, 2, fetch->from);
    db_bind_u64(query, 3, fetch->until);
    while (!gathered->full && db_row(exec->db, query))
        take_entry(exec, query, gathered);
    db_end(query);
}

/* Of the room's entries at these positions, those behind what is there. */
static void fetch_positions(struct exec *exec, int64_t room, int64_t first, int64_t last,
                            struct gathered *gathered)
{
    db_query *query = db_prepare(exec->db, "SELECT seq, epoch, kind, append_id, bytes FROM entries"
                                           " WHERE position BETWEEN ? AND ? AND room=?"
                                           " ORDER BY position");
    db_bind_int(query, 1, first);
    db_bind_int(query, 2, last);
    db_bind_int(query, 3, room);
    while (!gathered->full && db_row(exec->db, query))
        if (gathered->count == 0 || db_u64(query, 0) > gathered->entries[gathered->count - 1].seq)
            take_entry(exec, query, gathered);
    db_end(query);
}

static void fetch_tail(struct exec *exec, int64_t room, const int64_t *positions, size_t count,
                       struct gathered *gathered)
{
    for (size_t i = 0, end; i < count && !gathered->full && exec->db->failure == SQLITE_OK;
         i = end) {
        /* What stands side by side is read with one query. */
        for (end = i + 1; end < count && positions[end] == positions[end - 1] + 1; end++) {
        }
        fetch_positions(exec, room, positions[i], positions[end - 1], gathered);
    }
}

static void answer_fetch(struct exec *exec, struct store_room_fetch *fetch,
                         struct gathered *gathered)
{
    const uint8_t *at = gathered->bytes.data;
    for (size_t i = 0; i < gathered->count; i++) {
        gathered->entries[i].bytes.data = at;
        at += gathered->entries[i].bytes.size;
    }
    sotto_error error =
        blob_of_entries(exec->env, gathered->entries, gathered->count, &fetch->blob);
    if (error != SOTTO_OK)
        db_fail(exec->db, error == SOTTO_NO_MEMORY ? SQLITE_NOMEM : SQLITE_CORRUPT);
    else
        fetch->last = gathered->entries[gathered->count - 1].seq;
}

/* What the tail knew goes behind what the indexes have by now: some of it may be in them already.
 */
void rooms_fetch(struct exec *exec, struct store_op *op)
{
    struct store_room_fetch *fetch = &op->room_fetch;
    struct gathered gathered;
    int64_t positions[FETCH_COUNT];
    uint64_t first = 0;
    size_t count;
    gathered.count = 0;
    gathered.full = false;
    if (!tail_find(exec->tail, fetch->key, fetch->from, fetch->until, positions, FETCH_COUNT,
                   &count, &first)) {
        refuse(op, WIRE_CODE_UNAVAILABLE, 1);
        return;
    }
    sotto_buf_init(&gathered.bytes, exec->env);
    if (count == 0 || first > fetch->from)
        fetch_indexed(exec, fetch, &gathered);
    fetch_tail(exec, fetch->key, positions, count, &gathered);
    if (gathered.count > 0 && exec->db->failure == SQLITE_OK)
        answer_fetch(exec, fetch, &gathered);
    sotto_buf_free(&gathered.bytes);
}
