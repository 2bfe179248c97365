#include "sotto/sotto.h"
#include "core/store_query.h"

#define MESSAGE_COLUMNS                                                                     \
    "local, position, room, seq, part, kind, state, own, unread, sender, subject, time_s, " \
    "client_id, content_id, target, content, text, edited_s, markdown, "                    \
    "timer_s, erase_s"

#define POSITION "message.position" /* among the numbers: the last that was given */

static void read_message(struct query *q, struct arena *arena, struct store_message *out)
{
    out->local = column_i64(q);
    out->position = column_i64(q); /* NULL reads as 0 */
    column_fixed(q, out->room.bytes, sizeof out->room.bytes);
    out->seq = column_u64(q);
    out->part = column_u32(q);
    out->kind = column_u32(q);
    out->state = column_between(q, STORE_MESSAGE_RECEIVED, STORE_MESSAGE_FAILED);
    out->own = column_bool(q);
    out->unread = column_bool(q);
    column_fixed(q, out->sender.bytes, sizeof out->sender.bytes);
    out->has_subject = column_fixed(q, out->subject.bytes, sizeof out->subject.bytes);
    out->time_s = column_u64(q);
    out->client_id = column_text(q, arena);
    out->content_id = column_bytes(q, arena);
    out->target = column_bytes(q, arena);
    out->content = column_bytes(q, arena);
    out->text = column_bytes(q, arena);
    out->edited_s = column_u64(q);
    out->markdown = column_bool(q);
    out->timer_s = column_u32(q);
    out->erase_s = column_u64(q);
}

static sotto_error one_message(struct query *q, struct arena *arena, struct store_message *out)
{
    struct store_message found = {0};
    if (query_next(q))
        read_message(q, arena, &found);
    TRY(query_end_one(q));
    *out = found;
    return SOTTO_OK;
}

static sotto_error many_messages(struct query *q, struct arena *arena,
                                 struct store_message **messages, size_t *count)
{
    struct rows rows = {.arena = arena, .size = sizeof **messages};
    while (query_next(q)) {
        struct store_message *row = rows_add(&rows, q);
        if (row != NULL)
            read_message(q, arena, row);
    }
    TRY(query_end(q));
    *messages = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* The number is read once in a transaction, and written once, when it is committed. */
static sotto_error read_position(struct store *store)
{
    uint64_t number;
    if (store->position_known)
        return SOTTO_OK;
    TRY(store_number_get(store, POSITION, &number));
    store->position = (int64_t)number;
    store->position_known = store->in_transaction; /* outside, others give some */
    return SOTTO_OK;
}

/* The next position: never given twice, also when the message that had it is gone. */
static sotto_error take_position(struct store *store, int64_t *position)
{
    BUG_UNLESS(store->in_transaction);
    TRY(read_position(store));
    *position = ++store->position;
    store->position_given = true;
    return SOTTO_OK;
}

static void bind_seq_or_null(struct query *q, uint64_t value)
{
    if (value == 0)
        query_null(q);
    else
        query_u64(q, value);
}

static void bind_bytes_or_null(struct query *q, sotto_bytes value)
{
    if (value.size == 0)
        query_null(q);
    else
        query_bytes(q, value);
}

/* What of this content id, or imported of this place in the log, is here already. */
struct others {
    int64_t imported; /* the first such row; 0: none */
    bool said;        /* the log had that content id before */
};

static sotto_error look_for_others(struct store *store, const struct room_id *room, uint64_t seq,
                                   uint32_t part, sotto_bytes content_id, struct others *others)
{
    struct query q;
    query_read(&q, store,
               "SELECT local, 1 FROM message WHERE room = ?1 AND seq = ?2 AND part = ?3 UNION ALL"
               " SELECT local, part >= 2147483648" /* STORE_PART_IMPORTED */
               " FROM message WHERE room = ?1 AND content_id = ?4 AND seq IS NOT NULL");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    query_u64(&q, part | STORE_PART_IMPORTED);
    bind_bytes_or_null(&q, content_id);
    *others = (struct others){0};
    while (query_next(&q)) {
        int64_t local = column_i64(&q);
        if (!column_bool(&q))
            others->said = true;
        else if (others->imported == 0)
            others->imported = local;
    }
    return query_end(&q);
}

/* What was imported of this place in the log, or under this content id, gives way to what is proved
 * to be there. */
static sotto_error give_way(struct store *store, const struct room_id *room, uint64_t seq,
                            uint32_t part, sotto_bytes content_id, bool *said)
{
    struct query q;
    struct others others = {0};
    *said = false;
    if (seq == 0 || (part & STORE_PART_IMPORTED) != 0)
        return SOTTO_OK;
    for (;;) {
        TRY(look_for_others(store, room, seq, part, content_id, &others));
        *said = others.said;
        if (others.imported == 0)
            return SOTTO_OK;
        query_write(&q, store,
                    "INSERT INTO event (kind, about, position) SELECT ?, room, position"
                    " FROM message WHERE local = ?");
        query_u64(&q, SOTTO_EVENT_MESSAGE_ERASED);
        query_i64(&q, others.imported);
        TRY(query_run(&q));
        query_write(&q, store, "DELETE FROM message WHERE local = ?");
        query_i64(&q, others.imported);
        TRY(query_run(&q));
    }
}

/* position: 0 for none. */
static sotto_error insert_message(struct store *store, const struct store_message *m,
                                  int64_t position)
{
    struct query q;
    bool said = false;
    TRY(give_way(store, &m->room, m->seq, m->part, m->content_id, &said));
    if (said)
        return SOTTO_EXISTS;
    /* OR FAIL, where ABORT would have SQLite copy each page that the row, its indices and its
     * triggers touch, so as to put them back: what is not unique is found before anything is
     * changed. */
    query_write(
        &q, store,
        "INSERT OR FAIL INTO message (room, seq, part, kind, state, own, unread, sender, subject,"
        " time_s, client_id, content_id, target, content, text, edited_s, markdown, owed,"
        " timer_s, erase_s, mention, position)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    query_fixed(&q, m->room.bytes, sizeof m->room.bytes);
    bind_seq_or_null(&q, m->seq);
    query_u64(&q, m->part);
    query_u64(&q, m->kind);
    query_u64(&q, m->state);
    query_u64(&q, m->own);
    query_u64(&q, m->unread);
    query_fixed(&q, m->sender.bytes, sizeof m->sender.bytes);
    if (m->has_subject)
        query_fixed(&q, m->subject.bytes, sizeof m->subject.bytes);
    else
        query_null(&q);
    query_u64(&q, m->time_s);
    if (m->client_id == NULL || m->client_id[0] == '\0')
        query_null(&q);
    else
        query_text(&q, m->client_id);
    bind_bytes_or_null(&q, m->content_id);
    query_bytes(&q, m->target);
    query_bytes(&q, m->content);
    query_utf8(&q, m->text);
    query_u64(&q, m->edited_s);
    query_u64(&q, m->markdown);
    query_u64(&q, m->owes ? STORE_DELIVERED : STORE_NO_RECEIPT);
    query_u64(&q, m->timer_s);
    query_u64(&q, m->erase_s);
    query_u64(&q, m->mentions_self);
    if (position == 0)
        query_null(&q);
    else
        query_i64(&q, position);
    store->unindexed = true;
    return query_run(&q);
}

static sotto_error give_position(struct store *store, int64_t local, int64_t *position)
{
    int64_t given;
    TRY(take_position(store, &given));
    struct query q;
    query_write(&q, store, "UPDATE message SET position = ? WHERE local = ?");
    query_i64(&q, given);
    query_i64(&q, local);
    TRY(query_run_one(&q));
    *position = given;
    return SOTTO_OK;
}

sotto_error store_message_add(struct store *store, const struct store_message *message,
                              int64_t *position, int64_t *local)
{
    bool waits = message->state == STORE_MESSAGE_WAITING || message->state == STORE_MESSAGE_FAILED;
    BUG_UNLESS(waits == (message->seq == 0));
    int64_t next = 0;
    if (!waits) {
        TRY(read_position(store));
        next = store->position + 1;
    }
    TRY(insert_message(store, message, next));
    int64_t row = sqlite3_last_insert_rowid(store->db);
    if (!waits) /* only now is it known that it is new */
        TRY(take_position(store, &next));
    *position = next;
    *local = row;
    return SOTTO_OK;
}

/* What is around a message's place in its room's log: the positions before and behind it, 0 and
 * INT64_MAX where there is none; and whether another message has its own. */
struct around {
    int64_t before, behind;
    bool taken;
};

static sotto_error look_around(struct store *store, const struct store_message *message,
                               struct around *around)
{
    struct query q;
    query_read(&q, store,
               "SELECT coalesce((SELECT position FROM message WHERE room = ?1"
               " AND (seq, part) < (?2, ?3) ORDER BY seq DESC, part DESC LIMIT 1), 0),"
               " coalesce((SELECT position FROM message WHERE room = ?1"
               " AND (seq, part) > (?2, ?3) ORDER BY seq, part LIMIT 1), 9223372036854775807),"
               " EXISTS (SELECT 1 FROM message WHERE position = ?4)");
    query_fixed(&q, message->room.bytes, sizeof message->room.bytes);
    query_u64(&q, message->seq);
    query_u64(&q, message->part);
    query_i64(&q, message->position);
    if (query_next(&q)) {
        around->before = column_i64(&q);
        around->behind = column_i64(&q);
        around->taken = column_bool(&q);
    }
    return query_end_one(&q);
}

/* The first one between those two that nobody has; 0: there is none. */
static sotto_error free_position(struct store *store, int64_t above, int64_t below,
                                 int64_t *position)
{
    struct query q;
    query_read(&q, store,
               "SELECT ?1 + 1 WHERE NOT EXISTS (SELECT 1 FROM message WHERE position = ?1 + 1)"
               " UNION ALL SELECT position + 1 FROM message AS m WHERE position > ?1"
               " AND position < ?2 AND NOT EXISTS"
               " (SELECT 1 FROM message WHERE position = m.position + 1) LIMIT 1");
    query_i64(&q, above);
    query_i64(&q, below);
    int64_t found = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end(&q));
    *position = found < below ? found : 0;
    return SOTTO_OK;
}

/* Never above what this device gave so far: its next message would find its position taken. */
static sotto_error position_for(struct store *store, const struct store_message *message,
                                int64_t *position)
{
    struct around around = {0};
    int64_t wanted = message->position, end = 0, found = 0;
    TRY(look_around(store, message, &around));
    TRY(store_messages_head(store, &end));
    end++;
    int64_t behind = around.behind < end ? around.behind : end;
    bool between = wanted > around.before && wanted < behind;
    if (between && !around.taken)
        found = wanted;
    else if (between)
        TRY(free_position(store, wanted, behind, &found));
    if (found == 0)
        TRY(free_position(store, around.before, behind, &found));
    if (found == 0) /* not in front of what follows it, then */
        TRY(free_position(store, around.before, end, &found));
    if (found == 0)
        return take_position(store, position);
    *position = found;
    return SOTTO_OK;
}

/* Whether what an export said is here, proved or not. */
static sotto_error is_here(struct store *store, const struct store_message *message, bool *here)
{
    struct query q;
    query_read(&q, store,
               "SELECT EXISTS (SELECT 1 FROM message WHERE room = ?1 AND seq = ?2"
               " AND part IN (?3, ?4)) OR EXISTS (SELECT 1 FROM message WHERE room = ?1"
               " AND content_id = ?5)");
    query_fixed(&q, message->room.bytes, sizeof message->room.bytes);
    query_u64(&q, message->seq);
    query_u64(&q, message->part);
    query_u64(&q, message->part & ~STORE_PART_IMPORTED);
    bind_bytes_or_null(&q, message->content_id);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end_one(&q));
    *here = found;
    return SOTTO_OK;
}

/* One's own of that content id that waits here to be sent, or failed; 0: none. */
static sotto_error find_unplaced(struct store *store, const struct store_message *message,
                                 int64_t *local)
{
    struct query q;
    *local = 0;
    if (!message->own || message->content_id.size == 0)
        return SOTTO_OK;
    query_read(&q, store,
               "SELECT local FROM message WHERE room = ? AND content_id = ? AND own"
               " AND position IS NULL");
    query_fixed(&q, message->room.bytes, sizeof message->room.bytes);
    query_bytes(&q, message->content_id);
    int64_t found = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end(&q));
    *local = found;
    return SOTTO_OK;
}

/* It was sent, and this device had not seen that yet: the row takes its place, under its name. */
static sotto_error place_given(struct store *store, int64_t local, const struct store_message *m,
                               int64_t position)
{
    struct query q;
    query_write(&q, store,
                "UPDATE message SET seq = ?, part = ?, kind = ?, state = ?, time_s = ?,"
                " content = ?, text = ?, edited_s = ?, markdown = ?, timer_s = ?, erase_s = ?,"
                " position = ? WHERE local = ?");
    query_u64(&q, m->seq);
    query_u64(&q, m->part);
    query_u64(&q, m->kind);
    query_u64(&q, m->state);
    query_u64(&q, m->time_s);
    query_bytes(&q, m->content);
    query_utf8(&q, m->text);
    query_u64(&q, m->edited_s);
    query_u64(&q, m->markdown);
    query_u64(&q, m->timer_s);
    query_u64(&q, m->erase_s);
    query_i64(&q, position);
    query_i64(&q, local);
    store->unindexed = true;
    TRY(query_run_one(&q));
    /* Not the newest of its conversation, perhaps, as one that is placed otherwise is. */
    query_write(&q, store,
                "UPDATE listing SET last = (SELECT local FROM message WHERE room = ?1"
                " ORDER BY position DESC LIMIT 1) WHERE room = ?1");
    query_fixed(&q, m->room.bytes, sizeof m->room.bytes);
    return query_run(&q);
}

sotto_error store_message_import(struct store *store, const struct store_message *message,
                                 int64_t *local)
{
    int64_t position = 0, row = 0, unplaced = 0;
    bool here = false;
    BUG_UNLESS(message->seq != 0);
    if ((message->part & STORE_PART_IMPORTED) != 0)
        TRY(is_here(store, message, &here));
    else {
        sotto_error error =
            store_message_in_log(store, &message->room, message->seq, message->part, &row);
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
        here = error == SOTTO_OK;
    }
    if (here)
        return SOTTO_EXISTS;
    TRY(find_unplaced(store, message, &unplaced));
    TRY(position_for(store, message, &position));
    if (unplaced != 0)
        TRY(place_given(store, unplaced, message, position));
    else
        TRY(insert_message(store, message, position));
    *local = unplaced != 0 ? unplaced : sqlite3_last_insert_rowid(store->db);
    return SOTTO_OK;
}

sotto_error store_message_take_in(struct store *store, const struct store_message *message)
{
    enum { NEAR = 1000 }; /* the neighbour in front: who imports much does not look far */
    struct around around = {0};
    int64_t position = 0;
    bool here = false;
    BUG_UNLESS(message->seq != 0 && (message->part & STORE_PART_IMPORTED) != 0);
    TRY(is_here(store, message, &here));
    if (here)
        return SOTTO_EXISTS;
    TRY(look_around(store, message, &around));
    if (around.behind != INT64_MAX && around.before < around.behind)
        TRY(free_position(store, around.before,
                          around.behind - around.before > NEAR ? around.before + NEAR
                                                               : around.behind,
                          &position));
    if (position == 0)
        TRY(take_position(store, &position)); /* where nothing that is received will be */
    return insert_message(store, message, position);
}

/* The row and whether it waits. */
static sotto_error find_own(struct store *store, const struct room_id *room, const char *client_id,
                            int64_t *local, bool *placed)
{
    struct query q;
    query_read(&q, store,
               "SELECT local, position IS NOT NULL FROM message WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    int64_t row = 0;
    bool has_position = false;
    if (query_next(&q)) {
        row = column_i64(&q);
        has_position = column_bool(&q);
    }
    TRY(query_end_one(&q));
    *local = row;
    *placed = has_position;
    return SOTTO_OK;
}

sotto_error store_message_place(struct store *store, const struct room_id *room,
                                const char *client_id, uint64_t seq, uint64_t now_s,
                                sotto_bytes content, sotto_bytes content_id, int64_t *position)
{
    int64_t local, given;
    bool placed, said;
    TRY(find_own(store, room, client_id, &local, &placed));
    if (placed)
        return SOTTO_EXISTS;
    TRY(give_way(store, room, seq, 0, content_id, &said));
    struct query q;
    query_write(&q, store,
                "UPDATE message SET seq = ?, state = ?, time_s = ?, content = ?, content_id = ?,"
                " erase_s = iif(timer_s > 0, ? + timer_s, erase_s) WHERE local = ?");
    query_u64(&q, seq);
    query_u64(&q, STORE_MESSAGE_SENT);
    query_u64(&q, now_s);
    query_bytes(&q, content);
    bind_bytes_or_null(&q, content_id);
    query_u64(&q, now_s);
    query_i64(&q, local);
    TRY(query_run_one(&q));
    TRY(give_position(store, local, &given));
    *position = given;
    return SOTTO_OK;
}

sotto_error store_message_fail(struct store *store, const struct room_id *room,
                               const char *client_id)
{
    struct query q;
    query_write(&q, store,
                "UPDATE message SET state = ? WHERE room = ? AND client_id = ?"
                " AND position IS NULL");
    query_u64(&q, STORE_MESSAGE_FAILED);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return query_run_one(&q);
}

sotto_error store_message_again(struct store *store, int64_t local, sotto_bytes content_id,
                                sotto_bytes content)
{
    struct query q;
    query_write(&q, store,
                "UPDATE message SET state = ?, content_id = ?, content = ? WHERE local = ?"
                " AND state = ?");
    query_u64(&q, STORE_MESSAGE_WAITING);
    query_bytes(&q, content_id);
    query_bytes(&q, content);
    query_i64(&q, local);
    query_u64(&q, STORE_MESSAGE_FAILED);
    return query_run_one(&q);
}

sotto_error store_message_withdraw(struct store *store, int64_t local)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO event (kind, about, position) SELECT ?, room, NULL FROM message"
                " WHERE local = ? AND position IS NULL");
    query_u64(&q, SOTTO_EVENT_MESSAGE_ERASED);
    query_i64(&q, local);
    TRY(query_run(&q));
    query_write(&q, store, "DELETE FROM message WHERE local = ? AND position IS NULL");
    query_i64(&q, local);
    store->scrub = true;
    return query_run_one(&q);
}

sotto_error store_messages_read(struct store *store, const struct room_id *room, int64_t position,
                                bool receipts, uint64_t now_s)
{
    struct query q;
    query_write(
        &q, store,
        "UPDATE message SET unread = 0,"
        " owed = iif(? AND NOT own AND kind IN (1, 9)" /* SOTTO_KIND_TEXT, SOTTO_KIND_FILE */
        " AND sender NOT IN (SELECT account FROM contact WHERE blocked), 2, owed)"
        ", erase_s = iif(timer_s > 0, ? + timer_s, erase_s)"
        " WHERE room = ? AND unread = 1 AND position <= ?");
    query_u64(&q, receipts);
    query_u64(&q, now_s);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, position);
    sotto_error error = query_run_one(&q);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    TRY(error);
    return store_event_add(store, SOTTO_EVENT_CONVERSATION, room->bytes);
}

sotto_error store_messages_read_seq(struct store *store, const struct room_id *room, uint64_t seq,
                                    uint64_t now_s)
{
    struct query q;
    query_write(
        &q, store,
        "UPDATE message SET unread = 0, erase_s = iif(timer_s > 0, ? + timer_s, erase_s)"
        " WHERE room = ? AND unread = 1 AND +seq <= ?"); /* by what is unread: no other index */
    query_u64(&q, now_s);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    sotto_error error = query_run_one(&q);
    if (error == SOTTO_NOT_FOUND)
        return SOTTO_OK;
    TRY(error);
    return store_event_add(store, SOTTO_EVENT_CONVERSATION, room->bytes);
}

sotto_error store_messages_unread_seq(struct store *store, const struct room_id *room,
                                      int64_t position, uint64_t *seq)
{
    struct query q;
    query_read(&q, store,
               "SELECT coalesce(max(seq), 0) FROM message WHERE room = ? AND unread = 1"
               " AND position <= ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, position);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *seq = found;
    return SOTTO_OK;
}

sotto_error store_messages_since_joining(struct store *store, const struct room_id *room,
                                         int64_t *position)
{
    struct query q;
    query_read(&q, store,
               "SELECT began FROM (SELECT coalesce((SELECT position FROM message WHERE room = ?1"
               " AND position IS NOT NULL AND kind = ?2 ORDER BY position DESC LIMIT 1),"
               " (SELECT min(position) FROM message WHERE room = ?1)) AS began)"
               " WHERE EXISTS (SELECT 1 FROM message WHERE room = ?1 AND position >= began"
               " AND content_id IS NOT NULL)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, SOTTO_KIND_JOINED);
    int64_t found = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end(&q));
    *position = found;
    return SOTTO_OK;
}

sotto_error store_messages_count(struct store *store, uint64_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT count(*) FROM message WHERE position IS NOT NULL");
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

/* ---- Reading -------------------------------------------------------------------------------- */

sotto_error store_message_by_client(struct store *store, const struct room_id *room,
                                    const char *client_id, struct arena *arena,
                                    struct store_message *message)
{
    struct query q;
    query_read(&q, store,
               "SELECT " MESSAGE_COLUMNS " FROM message WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return one_message(&q, arena, message);
}

sotto_error store_message_by_content(struct store *store, const struct room_id *room,
                                     sotto_bytes content_id, struct arena *arena,
                                     struct store_message *message)
{
    struct query q;
    query_read(&q, store,
               "SELECT " MESSAGE_COLUMNS
               " FROM message WHERE room = ? AND content_id = ? ORDER BY local LIMIT 1");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_bytes(&q, content_id);
    return one_message(&q, arena, message);
}

sotto_error store_message_in_log(struct store *store, const struct room_id *room, uint64_t seq,
                                 uint32_t part, int64_t *local)
{
    struct query q;
    query_read(&q, store, "SELECT local FROM message WHERE room = ? AND seq = ? AND part = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    query_u64(&q, part);
    int64_t found = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end_one(&q));
    *local = found;
    return SOTTO_OK;
}

sotto_error store_message_at(struct store *store, int64_t position, struct arena *arena,
                             struct store_message *message)
{
    struct query q;
    query_read(&q, store, "SELECT " MESSAGE_COLUMNS " FROM message WHERE position = ?");
    query_i64(&q, position);
    return one_message(&q, arena, message);
}

sotto_error store_message_local(struct store *store, int64_t local, struct arena *arena,
                                struct store_message *message)
{
    struct query q;
    query_read(&q, store, "SELECT " MESSAGE_COLUMNS " FROM message WHERE local = ?");
    query_i64(&q, local);
    return one_message(&q, arena, message);
}

sotto_error store_messages(struct store *store, const struct room_id *room, int64_t before,
                           uint32_t limit, struct arena *arena, struct store_message **messages,
                           size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT * FROM (SELECT " MESSAGE_COLUMNS
               " FROM message WHERE room = ? AND position < ? ORDER BY position DESC LIMIT ?)"
               " ORDER BY position");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, before == 0 ? INT64_MAX : before);
    query_u64(&q, limit);
    return many_messages(&q, arena, messages, count);
}

sotto_error store_messages_waiting(struct store *store, const struct room_id *room,
                                   struct arena *arena, struct store_message **messages,
                                   size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT " MESSAGE_COLUMNS
               " FROM message WHERE room = ? AND position IS NULL ORDER BY local");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    return many_messages(&q, arena, messages, count);
}

sotto_error store_messages_after(struct store *store, int64_t after, uint32_t limit,
                                 struct arena *arena, struct store_message **messages,
                                 size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT " MESSAGE_COLUMNS
               " FROM message WHERE position > ? ORDER BY position LIMIT ?");
    query_i64(&q, after);
    query_u64(&q, limit);
    return many_messages(&q, arena, messages, count);
}

sotto_error store_messages_unread_between(struct store *store, int64_t after, int64_t last,
                                          struct arena *arena, struct store_unread **rooms,
                                          size_t *count)
{
    struct query q;
    struct rows found = {.arena = arena, .size = sizeof **rooms};
    query_read(&q, store,
               "SELECT room, max(position) FROM message"
               " WHERE position > ? AND position <= ? AND unread = 1 GROUP BY room");
    query_i64(&q, after);
    query_i64(&q, last);
    while (query_next(&q)) {
        struct store_unread *row = rows_add(&found, &q);
        if (row == NULL)
            continue;
        column_fixed(&q, row->room.bytes, sizeof row->room.bytes);
        row->position = column_i64(&q);
    }
    TRY(query_end(&q));
    *rooms = (void *)found.data;
    *count = found.count;
    return SOTTO_OK;
}

sotto_error store_messages_of(struct store *store, const struct room_id *room, int64_t after,
                              uint32_t limit, struct arena *arena, struct store_message **messages,
                              size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT " MESSAGE_COLUMNS
               " FROM message WHERE room = ? AND position > ? ORDER BY position LIMIT ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_i64(&q, after);
    query_u64(&q, limit);
    return many_messages(&q, arena, messages, count);
}

sotto_error store_messages_count_of(struct store *store, const struct room_id *room,
                                    uint64_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT count(*) FROM message WHERE room = ? AND position > 0");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

/* The row from which on a page of hits is not: that of the message of that position or, where it is
 * gone, what is behind the one in front of it. */
static sotto_error row_below(struct store *store, int64_t before, int64_t *below)
{
    struct query q;
    query_read(&q, store,
               "SELECT local + (position < ?1) FROM message WHERE position <= ?1"
               " ORDER BY position DESC LIMIT 1");
    query_i64(&q, before);
    int64_t found = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end(&q));
    *below = found;
    return SOTTO_OK;
}

/* Rows are numbered as they come, so that the index gives the newest first without sorting. Pages
 * go by rows, too: what a linked device was given of the past has lower positions and higher rows
 * than what it received meanwhile. */
sotto_error store_messages_search(struct store *store, const char *query,
                                  const struct room_id *room, int64_t before, uint32_t limit,
                                  struct arena *arena, struct store_message **messages,
                                  size_t *count)
{
    struct query q;
    int64_t below = INT64_MAX;
    if (before != 0)
        TRY(row_below(store, before, &below));
    query_read(&q, store,
               "SELECT " MESSAGE_COLUMNS
               " FROM (SELECT rowid AS hit FROM search WHERE search MATCH ?1 AND rowid < ?2)"
               " CROSS JOIN message ON local = hit WHERE (?3 IS NULL OR room = ?3)"
               " AND (?4 = 0 OR position IS NOT NULL) ORDER BY hit DESC LIMIT ?5");
    query_text(&q, query);
    query_i64(&q, below);
    if (room != NULL)
        query_fixed(&q, room->bytes, sizeof room->bytes);
    else
        query_null(&q);
    query_i64(&q, before);
    query_u64(&q, limit);
    return many_messages(&q, arena, messages, count);
}

static sotto_error index_texts(struct store *store)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO search (rowid, text) SELECT local, text FROM message WHERE local >"
                " (SELECT value FROM number WHERE name = 'search.indexed') AND text <> ''");
    TRY(query_run(&q));
    query_write(&q, store,
                "UPDATE number SET value = coalesce((SELECT seq FROM sqlite_sequence"
                " WHERE name = 'message'), 0) WHERE name = 'search.indexed'");
    return query_run(&q);
}

sotto_error store_messages_finish(struct store *store)
{
    if (store->unindexed)
        TRY(index_texts(store));
    if (store->position_given)
        TRY(store_number_put(store, POSITION, (uint64_t)store->position));
    return SOTTO_OK;
}

enum { MERGE_PAGES = 200 }; /* of the index, in one step */

sotto_error store_search_state(struct store *store, enum store_search_state *state)
{
    uint64_t number;
    TRY(store_number_get(store, "search.stale", &number));
    *state = number > STORE_SEARCH_MERGING ? STORE_SEARCH_STALE : (enum store_search_state)number;
    return SOTTO_OK;
}

static sotto_error merge(struct store *store, int64_t pages)
{
    struct query q;
    query_write(&q, store, "INSERT INTO search (search, rank) VALUES ('merge', ?)");
    query_i64(&q, pages);
    return query_run(&q);
}

/* A negative number of pages takes all segments there are into one merging, as 'optimize' does. */
sotto_error store_search_merge(struct store *store)
{
    TRY(merge(store, -MERGE_PAGES));
    return store_number_put(store, "search.stale", STORE_SEARCH_MERGING);
}

sotto_error store_search_merge_step(struct store *store, bool *done)
{
    /* FTS5 says that nothing was left to do by changing no more than the row of the command. */
    int before = sqlite3_total_changes(store->db);
    TRY(merge(store, MERGE_PAGES));
    *done = sqlite3_total_changes(store->db) - before < 2;
    return *done ? store_number_put(store, "search.stale", STORE_SEARCH_CLEAN) : SOTTO_OK;
}

sotto_error store_messages_head(struct store *store, int64_t *position)
{
    TRY(read_position(store));
    *position = store->position;
    return SOTTO_OK;
}

sotto_error store_messages_head_put(struct store *store, int64_t position)
{
    BUG_UNLESS(store->in_transaction);
    store->position = position;
    store->position_known = store->position_given = true;
    return SOTTO_OK;
}

sotto_error store_messages_unread(struct store *store, const struct room_id *room, uint32_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT unread FROM listing WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    uint32_t found = query_next(&q) ? column_u32(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}
