#include "relay/tail.h"

#include <string.h>

struct tail_entry {
    struct table_node node; /* in appends */
    int64_t room, position;
    uint64_t seq;
    struct request_id append_id;
};

void tail_init(struct tail *tail, const sotto_env *env)
{
    *tail = (struct tail){.env = env};
    pthread_mutex_init(&tail->lock, NULL);
    table_init(&tail->by_id, env);
    table_init(&tail->by_key, env);
    table_init(&tail->appends, env);
    tail->last = &tail->first;
    append_filter_init(&tail->filter, env, FILTER_BYTES);
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

static uint64_t hash_key(const struct tail *tail, int64_t key)
{
    return table_hash(&tail->by_key, sotto_bytes_of((const uint8_t *)&key, sizeof key));
}

static uint64_t hash_id(const struct tail *tail, const struct room_id *id)
{
    return table_hash(&tail->by_id, sotto_bytes_of(id->bytes, ROOM_ID_SIZE));
}

struct tail_room *tail_room(const struct tail *tail, const struct room_id *id)
{
    struct table_node *node = table_first(&tail->by_id, hash_id(tail, id));
    for (; node != NULL; node = table_next(node)) {
        struct tail_room *room = TABLE_ENTRY(node, struct tail_room, by_id);
        if (memcmp(room->row.id.bytes, id->bytes, ROOM_ID_SIZE) == 0)
            return room;
    }
    return NULL;
}

static struct tail_room *room_of_key(const struct tail *tail, int64_t key)
{
    struct table_node *node = table_first(&tail->by_key, hash_key(tail, key));
    for (; node != NULL; node = table_next(node)) {
        struct tail_room *room = TABLE_ENTRY(node, struct tail_room, by_key);
        if (room->row.key == key)
            return room;
    }
    return NULL;
}

static void link_last(struct tail *tail, struct tail_room *room)
{
    room->next = NULL;
    room->prior = tail->last;
    *tail->last = room;
    tail->last = &room->next;
}

static void unlink_room(struct tail *tail, struct tail_room *room)
{
    *room->prior = room->next;
    if (room->next != NULL)
        room->next->prior = room->prior;
    else
        tail->last = room->prior;
}

static struct tail_room *new_room(struct tail *tail, const struct room_row *row)
{
    struct tail_room *room = mem_alloc(tail->env, sizeof *room);
    if (room == NULL)
        return NULL;
    if (table_add(&tail->by_id, &room->by_id, hash_id(tail, &row->id)) != SOTTO_OK) {
        mem_free(tail->env, room, sizeof *room);
        return NULL;
    }
    if (table_add(&tail->by_key, &room->by_key, hash_key(tail, row->key)) != SOTTO_OK) {
        table_remove(&tail->by_id, &room->by_id);
        mem_free(tail->env, room, sizeof *room);
        return NULL;
    }
    room->row = *row;
    link_last(tail, room);
    return room;
}

/* The first so many entries of a room leave. */
static void drop_entries(struct tail *tail, struct tail_room *room, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        table_remove(&tail->appends, &room->entries[i]->node);
        mem_free(tail->env, room->entries[i], sizeof **room->entries);
    }
    room->count -= count;
    memmove(room->entries, room->entries + count, room->count * sizeof(struct tail_entry *));
}

static void free_room(struct tail *tail, struct tail_room *room)
{
    drop_entries(tail, room, room->count);
    table_remove(&tail->by_id, &room->by_id);
    table_remove(&tail->by_key, &room->by_key);
    unlink_room(tail, room);
    mem_free(tail->env, room->entries, room->capacity * sizeof(struct tail_entry *));
    mem_free(tail->env, room, sizeof *room);
}

static void clear(struct tail *tail)
{
    while (tail->first != NULL)
        free_room(tail, tail->first);
    tail->changed = NULL;
    tail->count = 0;
    tail->indexed_some = false;
}

void tail_free(struct tail *tail)
{
    clear(tail);
    table_free(&tail->by_id);
    table_free(&tail->by_key);
    table_free(&tail->appends);
    append_filter_free(&tail->filter);
    pthread_mutex_destroy(&tail->lock);
}

/* ---- Entries -------------------------------------------------------------------------------- */

static uint64_t hash_append(const struct tail *tail, int64_t room, const struct request_id *id)
{
    uint8_t key[sizeof room + REQUEST_ID_SIZE];
    memcpy(key, &room, sizeof room);
    memcpy(key + sizeof room, id->bytes, REQUEST_ID_SIZE);
    return table_hash(&tail->appends, sotto_bytes_of(key, sizeof key));
}

static bool find_here(const struct tail *tail, int64_t room, const struct request_id *id,
                      uint64_t hash, uint64_t *seq)
{
    struct table_node *node = table_first(&tail->appends, hash);
    for (; node != NULL; node = table_next(node)) {
        const struct tail_entry *entry = TABLE_ENTRY(node, struct tail_entry, node);
        if (entry->room == room &&
            memcmp(entry->append_id.bytes, id->bytes, REQUEST_ID_SIZE) == 0) {
            *seq = entry->seq;
            return true;
        }
    }
    return false;
}

static bool find_indexed(struct db *db, int64_t room, const struct request_id *id, uint64_t *seq)
{
    db_query *query = db_prepare(db, "SELECT seq FROM append_ids WHERE room=? AND append_id=?");
    db_bind_int(query, 1, room);
    db_bind_bytes(query, 2, sotto_bytes_of(id->bytes, REQUEST_ID_SIZE));
    bool found = db_row(db, query);
    if (found)
        *seq = db_u64(query, 0);
    db_end(query);
    return found;
}

static void fill_filter(struct tail *tail, struct db *db, int64_t room)
{
    db_query *query = db_prepare(db, "SELECT append_id FROM append_ids WHERE room=?");
    db_bind_int(query, 1, room);
    while (db_row(db, query)) {
        struct request_id id;
        db_copy(db, query, 0, id.bytes, REQUEST_ID_SIZE);
        append_filter_put(&tail->filter, room, hash_append(tail, room, &id));
    }
    db_end(query);
    append_filter_filled(&tail->filter, room, db->failure == SQLITE_OK);
}

bool tail_find_append(struct tail *tail, struct db *db, const struct room_row *room,
                      const struct request_id *id, uint64_t *seq)
{
    uint64_t hash = hash_append(tail, room->key, id);
    if (find_here(tail, room->key, id, hash, seq))
        return true;
    uint64_t ids = room->next_seq - room->first_seq;
    enum filter_answer answer = append_filter_ask(&tail->filter, room->key, hash, ids);
    if (answer == FILTER_FILL)
        fill_filter(tail, db, room->key);
    return answer != FILTER_NEW && find_indexed(db, room->key, id, seq);
}

static sotto_error grow(struct tail *tail, struct tail_room *room)
{
    size_t capacity = room->capacity == 0 ? 8 : 2 * room->capacity;
    struct tail_entry **entries = mem_alloc(tail->env, capacity * sizeof(struct tail_entry *));
    if (entries == NULL)
        return SOTTO_NO_MEMORY;
    if (room->count > 0)
        memcpy(entries, room->entries, room->count * sizeof(struct tail_entry *));
    mem_free(tail->env, room->entries, room->capacity * sizeof(struct tail_entry *));
    room->entries = entries;
    room->capacity = capacity;
    return SOTTO_OK;
}

static sotto_error put_entry(struct tail *tail, struct tail_room *room, uint64_t seq,
                             int64_t position, const struct request_id *append_id)
{
    if (room->count == room->capacity)
        TRY(grow(tail, room));
    struct tail_entry *entry = mem_alloc(tail->env, sizeof *entry);
    if (entry == NULL)
        return SOTTO_NO_MEMORY;
    *entry = (struct tail_entry){
        .room = room->row.key, .position = position, .seq = seq, .append_id = *append_id};
    sotto_error error =
        table_add(&tail->appends, &entry->node, hash_append(tail, entry->room, append_id));
    if (error != SOTTO_OK) {
        mem_free(tail->env, entry, sizeof *entry);
        return error;
    }
    room->entries[room->count++] = entry;
    tail->count++;
    return SOTTO_OK;
}

static void mark_changed(struct tail *tail, struct tail_room *room)
{
    if (room->changed)
        return;
    room->changed = true;
    room->next_changed = tail->changed;
    tail->changed = room;
}

sotto_error tail_add(struct tail *tail, struct tail_room *room, const struct room_row *row,
                     const struct request_id *append_id)
{
    pthread_mutex_lock(&tail->lock);
    if (room == NULL)
        room = new_room(tail, row);
    sotto_error error =
        room == NULL ? SOTTO_NO_MEMORY
                     : put_entry(tail, room, row->next_seq - 1, tail->next_position, append_id);
    if (error == SOTTO_OK) {
        room->row = *row;
        mark_changed(tail, room);
        tail->next_position++;
    }
    pthread_mutex_unlock(&tail->lock);
    return error; /* else the transaction is rolled back, and the tail forgotten */
}

/* ---- Indexing ------------------------------------------------------------------------------- */

static void index_entry(struct db *db, const struct tail_entry *entry)
{
    db_query *query = db_prepare(db, "INSERT INTO entry_index(room, seq, position) VALUES(?,?,?)");
    db_bind_int(query, 1, entry->room);
    db_bind_u64(query, 2, entry->seq);
    db_bind_int(query, 3, entry->position);
    db_run(db, query);
}

static void index_append(struct tail *tail, struct db *db, const struct tail_entry *entry)
{
    append_filter_put(&tail->filter, entry->room, entry->node.hash);
    db_query *query = db_prepare(db, "INSERT INTO append_ids(room, append_id, seq) VALUES(?,?,?)");
    db_bind_int(query, 1, entry->room);
    db_bind_bytes(query, 2, sotto_bytes_of(entry->append_id.bytes, REQUEST_ID_SIZE));
    db_bind_u64(query, 3, entry->seq);
    db_run(db, query);
}

/* Where the first entry stands that is in no index: there begins what a start has to read. Only the
 * first room may be indexed in part, and then the one behind it may have waited longer. */
static int64_t first_position(const struct tail *tail)
{
    int64_t lowest = tail->next_position;
    unsigned seen = 0;
    for (const struct tail_room *room = tail->first; room != NULL && seen < 2; room = room->next) {
        if (room->indexed == room->count)
            continue;
        if (room->entries[room->indexed]->position < lowest)
            lowest = room->entries[room->indexed]->position;
        seen++;
    }
    return lowest;
}

void tail_index(struct tail *tail, struct db *db, size_t count)
{
    size_t done = 0;
    for (struct tail_room *room = tail->first; room != NULL && done < count; room = room->next) {
        size_t from = room->indexed;
        /* An index at a time: each stays on its own pages. */
        for (; room->indexed < room->count && done < count; room->indexed++, done++)
            index_entry(db, room->entries[room->indexed]);
        for (size_t i = from; i < room->indexed; i++)
            index_append(tail, db, room->entries[i]);
    }
    tail->count -= done;
    tail->indexed_some = tail->indexed_some || done > 0;
}

static void write_room(struct db *db, const struct room_row *row)
{
    db_query *query = db_prepare(db, "UPDATE rooms SET epoch=?, write_gate=?, next_seq=?, bytes=?,"
                                     " day=? WHERE key=?");
    db_bind_u64(query, 1, row->epoch);
    db_bind_bytes(query, 2, sotto_bytes_of(row->write_gate.bytes, GATE_SIZE));
    db_bind_u64(query, 3, row->next_seq);
    db_bind_u64(query, 4, row->bytes);
    db_bind_u64(query, 5, row->day);
    db_bind_int(query, 6, row->key);
    db_run(db, query);
}

void tail_write(struct tail *tail, struct db *db)
{
    for (struct tail_room *room = tail->changed, *next; room != NULL; room = next) {
        next = room->next_changed;
        room->changed = false;
        write_room(db, &room->row);
    }
    tail->changed = NULL;
    if (!tail->indexed_some)
        return;
    db_query *query = db_prepare(db, "UPDATE tail SET position=?");
    db_bind_int(query, 1, first_position(tail));
    db_run(db, query);
}

void tail_committed(struct tail *tail)
{
    if (!tail->indexed_some)
        return;
    pthread_mutex_lock(&tail->lock);
    for (struct tail_room *room = tail->first, *next; room != NULL && room->indexed > 0;
         room = next) {
        next = room->next;
        drop_entries(tail, room, room->indexed);
        room->indexed = 0;
        if (room->count == 0)
            free_room(tail, room);
    }
    tail->indexed_some = false;
    pthread_mutex_unlock(&tail->lock);
}

/* ---- Loading -------------------------------------------------------------------------------- */

static void read_row(struct db *db, db_query *query, struct room_row *row)
{
    row->key = db_int(query, 3);
    db_copy(db, query, 4, row->id.bytes, ROOM_ID_SIZE);
    row->epoch = db_u64(query, 5);
    db_copy(db, query, 6, row->write_gate.bytes, GATE_SIZE);
    row->next_seq = db_u64(query, 7);
    row->first_seq = db_u64(query, 8);
    row->bytes = db_u64(query, 9);
    row->day = db_u64(query, 10);
    row->size = db_u64(query, 11);
}

static sotto_error load_entry(struct tail *tail, struct db *db, db_query *query)
{
    struct room_row row;
    struct request_id append_id;
    read_row(db, query, &row);
    db_copy(db, query, 2, append_id.bytes, REQUEST_ID_SIZE);
    struct tail_room *room = room_of_key(tail, row.key);
    if (room == NULL)
        room = new_room(tail, &row);
    if (room == NULL)
        return SOTTO_NO_MEMORY;
    return put_entry(tail, room, db_u64(query, 1), db_int(query, 0), &append_id);
}

static void load_entries(struct tail *tail, struct db *db)
{
    db_query *query =
        db_prepare(db, "SELECT e.position, e.seq, e.append_id, r.key, r.room_id, r.epoch,"
                       " r.write_gate, r.next_seq, r.first_seq, r.bytes, r.day, r.size"
                       " FROM entries e JOIN rooms r ON r.key=e.room"
                       " LEFT JOIN entry_index i ON i.room=e.room AND i.seq=e.seq"
                       " WHERE e.position>=(SELECT position FROM tail) AND i.seq IS NULL"
                       " ORDER BY e.position");
    while (db_row(db, query))
        if (load_entry(tail, db, query) != SOTTO_OK)
            db_fail(db, SQLITE_NOMEM);
    db_end(query);
}

/* Positions are given out once: one below where the tail begins would be taken for indexed. */
static void load_position(struct tail *tail, struct db *db)
{
    db_query *query = db_prepare(db, "SELECT max((SELECT position FROM tail),"
                                     " coalesce((SELECT max(position)+1 FROM entries),1))");
    if (db_row(db, query))
        tail->next_position = db_int(query, 0);
    db_end(query);
}

void tail_load(struct tail *tail, struct db *db)
{
    if (tail->valid)
        return;
    pthread_mutex_lock(&tail->lock);
    clear(tail);
    load_position(tail, db);
    load_entries(tail, db);
    tail->valid = db->failure == SQLITE_OK;
    pthread_mutex_unlock(&tail->lock);
}

void tail_forget(struct tail *tail)
{
    pthread_mutex_lock(&tail->lock);
    tail->valid = false;
    pthread_mutex_unlock(&tail->lock);
}

/* ---- Readers -------------------------------------------------------------------------------- */

bool tail_find(struct tail *tail, int64_t key, uint64_t from, uint64_t until, int64_t *positions,
               size_t max, size_t *count, uint64_t *first)
{
    *count = 0;
    pthread_mutex_lock(&tail->lock);
    bool valid = tail->valid;
    const struct tail_room *room = valid ? room_of_key(tail, key) : NULL;
    if (room != NULL && room->count > 0) {
        uint64_t begin = room->entries[0]->seq;
        *first = from > begin ? from : begin;
        for (uint64_t seq = *first; seq <= until && seq - begin < room->count && *count < max;
             seq++)
            positions[(*count)++] = room->entries[seq - begin]->position;
    }
    pthread_mutex_unlock(&tail->lock);
    return valid;
}
