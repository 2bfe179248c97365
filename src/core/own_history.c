/* The past for a device that was linked: the list of conversations, then all messages, piece by
 * piece through the room among one's own devices. A piece is made when the one before has left the
 * outbox, together with the note of how far it got: killed anywhere, it goes on there. What comes
 * twice, or was received as it happened, is known by its room, seq and part. */
#include <string.h>

#include "codec/writer.h"
#include "core/own_absent.h"
#include "core/own_blobs.h"
#include "core/listing.h"
#include "core/own_joiners.h"
#include "core/own_links.h"

enum {
    PIECE_COUNT = 200,
    REACTIONS_MAX = 100,
    REACTIONS_SIZE = 65536,
    RECEIPTS_MAX = 256,
    RECEIPT_SIZE = ACCOUNT_ID_SIZE + 1 + 8
};
/* What one record may be, beside that of the progress. */
#define PIECE_MAX (CONTENT_OWN_MAX - 64)
#define ROOM_WAITS \
    "This device is not in this conversation yet; another one of yours adds it when it is online."

/* ---- Giving --------------------------------------------------------------------------------- */

static sotto_error room_write(const struct store_room *row, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_ROOM);
    writer_fixed(&writer, sotto_bytes_of(row->room.bytes, ROOM_ID_SIZE));
    writer_u8(&writer, (uint8_t)row->kind);
    /* To the account it is a conversation like any other. */
    writer_u8(&writer,
              (uint8_t)(row->state == STORE_ROOM_REJOINING ? STORE_ROOM_ACTIVE : row->state));
    writer_vector(&writer, sotto_bytes_str(row->title));
    writer_vector(&writer, sotto_bytes_str(row->relay));
    writer_u8(&writer, row->has_peer);
    writer_fixed(&writer, sotto_bytes_of(row->peer.bytes, ACCOUNT_ID_SIZE));
    writer_u64(&writer, row->created_s);
    writer_u64(&writer, row->active_s);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

static void reactions_write(struct writer *writer, const struct store_reaction *reactions,
                            size_t count)
{
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < count; i++) {
        writer_fixed(writer, sotto_bytes_of(reactions[i].sender.bytes, ACCOUNT_ID_SIZE));
        writer_vector(writer, reactions[i].content_id);
        writer_vector(writer, reactions[i].text);
        writer_u64(writer, reactions[i].time_s);
    }
    writer_close(writer, opened);
}

/* The text is in the content where there is one. */
static sotto_error message_write_whole(struct sotto *core, const struct store_message *message,
                                       struct arena *arena, sotto_buf *out)
{
    struct writer writer;
    struct store_reaction *reactions = NULL;
    size_t count = 0;
    TRY(store_reactions(core->store, message->local, arena, &reactions, &count));
    if (count > REACTIONS_MAX)
        count = REACTIONS_MAX;
    bool contained = message->content.size > 0;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_MESSAGE);
    writer_u64(&writer, (uint64_t)message->position);
    writer_fixed(&writer, sotto_bytes_of(message->room.bytes, ROOM_ID_SIZE));
    writer_u64(&writer, message->seq);
    writer_u32(&writer, message->part);
    writer_u32(&writer, message->kind);
    writer_u8(&writer, (uint8_t)message->state);
    writer_u8(&writer, (uint8_t)(message->own | message->unread << 1 | message->has_subject << 2 |
                                 message->markdown << 3));
    writer_fixed(&writer, sotto_bytes_of(message->sender.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(&writer, sotto_bytes_of(message->subject.bytes, ACCOUNT_ID_SIZE));
    writer_u64(&writer, message->time_s);
    writer_u64(&writer, message->edited_s);
    writer_u32(&writer, message->timer_s);
    writer_u64(&writer, message->erase_s);
    writer_vector(&writer, sotto_bytes_str(message->client_id));
    writer_vector(&writer, message->content_id);
    writer_vector(&writer, message->target);
    writer_vector(&writer, message->content);
    writer_vector(&writer, contained ? sotto_bytes_of(NULL, 0) : message->text);
    reactions_write(&writer, reactions, count);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error own_message_write(struct sotto *core, const struct store_message *message,
                              struct arena *arena, sotto_buf *out)
{
    size_t before = out->size;
    TRY(message_write_whole(core, message, arena, out));
    if (out->size - before <= PIECE_MAX)
        return SOTTO_OK;
    /* What a stranger's program made as large as can be: what could be read of it goes. */
    struct store_message readable = *message;
    readable.content = sotto_bytes_of(NULL, 0);
    out->size = before;
    return message_write_whole(core, &readable, arena, out);
}

static sotto_error listings_write(struct sotto *core, const struct store_room *rooms, size_t count,
                                  struct arena *arena, struct own_sink *sink)
{
    struct store_listing listing;
    for (size_t i = 0; i < count; i++) {
        if (rooms[i].kind == STORE_ROOM_OWN ||
            store_listing_get(core->store, &rooms[i].room, arena, &listing) != SOTTO_OK)
            continue;
        TRY(own_listing_write(&listing, rooms[i].next_seq - 1, &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    return own_sink_flush(sink, true);
}

static sotto_error receipts_write(const struct store_message *message,
                                  const struct store_receipt *receipts, size_t count,
                                  sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t record = own_record(&writer, OWN_RECEIPTS);
    writer_fixed(&writer, sotto_bytes_of(message->room.bytes, ROOM_ID_SIZE));
    writer_u64(&writer, message->seq);
    writer_u32(&writer, message->part);
    size_t opened = writer_open(&writer);
    for (size_t i = 0; i < count; i++) {
        writer_fixed(&writer, sotto_bytes_of(receipts[i].account.bytes, ACCOUNT_ID_SIZE));
        writer_u8(&writer, (uint8_t)receipts[i].state);
        writer_u64(&writer, receipts[i].time_s);
    }
    writer_close(&writer, opened);
    writer_close(&writer, record);
    return writer_finish(&writer);
}

sotto_error own_receipts_write(struct sotto *core, const struct store_message *messages,
                               size_t count, struct arena *arena, struct own_sink *sink)
{
    for (size_t i = 0; i < count; i++) {
        struct store_receipt *receipts = NULL;
        size_t found = 0;
        if (!messages[i].own)
            continue;
        TRY(store_receipts(core->store, messages[i].local, arena, &receipts, &found));
        if (found == 0)
            continue;
        TRY(receipts_write(&messages[i], receipts, found < RECEIPTS_MAX ? found : RECEIPTS_MAX,
                           &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    return SOTTO_OK;
}

sotto_error own_rooms_write(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++) {
        if (rooms[i].kind == STORE_ROOM_OWN || rooms[i].state == STORE_ROOM_REQUEST ||
            rooms[i].state == STORE_ROOM_ASKED)
            continue;
        TRY(room_write(&rooms[i], &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    TRY(own_joiners_write(core, arena, sink));
    TRY(own_links_write(core, arena, sink));
    return listings_write(core, rooms, count, arena, sink);
}

struct given {
    struct sotto *core;
    const struct device_id *device;
};

static sotto_error give(void *ctx, sotto_bytes records)
{
    const struct given *given = ctx;
    return own_queue(given->core, given->device, records);
}

struct piece {
    struct store_message *messages;
    size_t count;
    bool all; /* there are no more */
};

static sotto_error messages_give(struct sotto *core, struct store_history *history,
                                 struct arena *arena, sotto_buf *records, struct piece *piece)
{
    size_t count = 0, i = 0;
    sotto_buf one;
    TRY(store_messages_after(core->store, history->position, PIECE_COUNT, arena, &piece->messages,
                             &count));
    const struct store_message *messages = piece->messages;
    sotto_buf_init(&one, core->env);
    sotto_error error = SOTTO_OK;
    for (; i < count && error == SOTTO_OK; i++) {
        sotto_buf_clear(&one);
        error = own_message_write(core, &messages[i], arena, &one);
        if (error != SOTTO_OK || (records->size > 0 && records->size + one.size > OWN_PIECE_SIZE))
            break;
        error = sotto_buf_append(records, one.data, one.size);
        history->position = messages[i].position;
        history->given++;
    }
    sotto_buf_free(&one);
    piece->count = i;
    piece->all = error == SOTTO_OK && i == count && count < PIECE_COUNT;
    return error;
}

static sotto_error progress_give(struct sotto *core, const struct store_history *history, bool all,
                                 sotto_buf *records)
{
    struct writer writer;
    uint64_t of = 0;
    TRY(store_messages_count(core->store, &of));
    writer_init(&writer, records);
    size_t opened = own_record(&writer, OWN_PROGRESS);
    writer_u64(&writer, history->given);
    writer_u64(&writer, of > history->given && !all ? of : history->given);
    writer_u8(&writer, all);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

/* Whether that device waits to be added to any room yet: what is said there until then is the past
 * too. */
static sotto_error is_waiting(struct sotto *core, const struct device_id *device, bool *waits)
{
    char hex[33], client_id[STORE_CLIENT_ID_MAX + 1];
    uint32_t count = 0;
    core_id_hex(device->bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(client_id, sizeof client_id, OUT_OWN "%s", hex);
    TRY(store_outgoing_named(core->store, client_id, &count));
    *waits = count > 0;
    return SOTTO_OK;
}

/* ---- Where it ended ---- */

/* A room that is not read to its end yet, or that this device is just out of, may have more of the
 * past when the other device comes in there: the past goes on then where it ended. */
#define HISTORY_ENDED "history.ended."
static void number_name(const char *prefix, const struct device_id *device, char out[static 64])
{
    char hex[33];
    core_id_hex(device->bytes, DEVICE_ID_SIZE, hex);
    (void)snprintf(out, 64, "%s%s", prefix, hex);
}

/* Whether there is such a room: one's own list of devices was not looked at there since it changed.
 */
static sotto_error is_behind(struct sotto *core, struct arena *arena, bool *behind)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    uint64_t changed = 0, judged = 0;
    *behind = false;
    TRY(store_manifest_change(core->store, &core->identity.account, &changed));
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count && !*behind; i++) {
        if (rooms[i].kind == STORE_ROOM_OWN ||
            (rooms[i].state != STORE_ROOM_ACTIVE && rooms[i].state != STORE_ROOM_REJOINING))
            continue;
        TRY(store_room_judged_get(core->store, &rooms[i].room, &judged));
        *behind = judged < changed;
    }
    return SOTTO_OK;
}

/* This device is being given the past itself, or does not know yet that it will be: what it gives
 * is given once more when it has all; once, so that two never give each other for ever. */
#define HISTORY_WHOLE "history.whole"
#define HISTORY_AGAIN "history.again."

static sotto_error history_end(struct sotto *core, const struct store_history *history,
                               struct arena *arena)
{
    char name[64];
    bool behind = false;
    uint64_t whole = 0;
    number_name(HISTORY_ENDED, &history->device, name);
    TRY(is_behind(core, arena, &behind));
    TRY(store_number_put(core->store, name, behind ? (uint64_t)history->position + 1 : 0));
    TRY(store_number_get(core->store, HISTORY_WHOLE, &whole));
    number_name(HISTORY_AGAIN, &history->device, name);
    TRY(store_number_put(core->store, name, whole == 0));
    return store_history_erase(core->store, &history->device);
}

/* All of the past has come here. */
static sotto_error give_again(struct sotto *core, struct arena *arena)
{
    struct manifest manifest;
    bool found = false;
    uint64_t before = 0;
    TRY(store_number_get(core->store, HISTORY_WHOLE, &before));
    if (before != 0)
        return SOTTO_OK;
    TRY(store_number_put(core->store, HISTORY_WHOLE, 1));
    TRY(manifest_newest(core, &core->identity.account, arena, &manifest, &found));
    for (size_t i = 0; found && i < manifest.device_count; i++) {
        const struct store_history whole = {.device = manifest.devices[i].id, .position = -1};
        char name[64];
        bool gives = false;
        uint64_t again = 0;
        number_name(HISTORY_AGAIN, &whole.device, name);
        TRY(store_number_get(core->store, name, &again));
        TRY(store_history_is(core->store, &whole.device, &gives));
        if (again == 0 && !gives)
            continue;
        TRY(store_number_put(core->store, name, 0));
        TRY(store_history_put(core->store, &whole));
    }
    return SOTTO_OK;
}

sotto_error own_history_go_on(struct sotto *core, const struct device_id *device)
{
    char name[64];
    uint64_t ended = 0;
    bool gives = false;
    number_name(HISTORY_ENDED, device, name);
    TRY(store_number_get(core->store, name, &ended));
    TRY(store_history_is(core->store, device, &gives));
    if (ended == 0 || gives)
        return SOTTO_OK;
    struct store_history history = {.device = *device, .position = (int64_t)ended - 1};
    TRY(store_messages_count(core->store, &history.given));
    TRY(store_number_put(core->store, name, 0));
    return store_history_put(core->store, &history);
}

/* Else it would have no such room where it reads this before its Welcome. */
static sotto_error room_give(struct sotto *core, const struct store_room *row,
                             const struct device_id *device)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = room_write(row, &record);
    if (error == SOTTO_OK)
        error = own_queue(core, device, sotto_buf_view(&record));
    sotto_buf_free(&record);
    return error;
}

sotto_error own_history_of_room(struct sotto *core, const struct store_room *row,
                                const struct device_id *device)
{
    struct store_history history = {.device = *device};
    bool gives = false;
    TRY(store_history_is(core->store, device, &gives));
    if (gives)
        return SOTTO_OK;
    TRY(store_messages_since_joining(core->store, &row->room, &history.position));
    if (history.position == 0)
        return SOTTO_OK;
    history.position--;
    TRY(store_messages_count(core->store, &history.given));
    TRY(room_give(core, row, device));
    return store_history_put(core->store, &history);
}

sotto_error own_history_gives(struct sotto *core, const struct device_id *device, bool *gives)
{
    char name[64];
    uint64_t ended = 0;
    number_name(HISTORY_ENDED, device, name);
    TRY(store_number_get(core->store, name, &ended));
    TRY(store_history_is(core->store, device, gives));
    *gives |= ended > 0;
    return SOTTO_OK;
}

/* ---- Pieces ---- */

static sotto_error piece_give(struct sotto *core, struct store_history *history,
                              struct arena *arena, struct own_sink *sink, bool *queued)
{
    struct piece piece = {0};
    bool waits = false;
    int64_t before = history->position;
    TRY(is_waiting(core, &history->device, &waits));
    if (history->position < 0) {
        TRY(own_rooms_write(core, arena, sink));
        history->position = 0;
    } else
        TRY(messages_give(core, history, arena, &sink->records, &piece));
    bool all = piece.all && !waits;
    if (history->position == before && !all)
        return SOTTO_OK; /* nothing new, and not at the end yet */
    TRY(progress_give(core, history, all, &sink->records));
    TRY(own_sink_flush(sink, true));
    /* Apart: a message can fill a piece. */
    TRY(own_receipts_write(core, piece.messages, piece.count, arena, sink));
    TRY(own_blobs_write(core, piece.messages, piece.count, arena, sink));
    TRY(own_sink_flush(sink, true));
    *queued = true;
    return all ? history_end(core, history, arena) : store_history_put(core->store, history);
}

static sotto_error step(struct room *room, struct arena *arena, struct own_sink *sink, bool *queued)
{
    struct sotto *core = room->core;
    struct store_history history;
    struct store_room row;
    uint32_t waiting = 0;
    TRY(room_enter(room, arena, &row));
    if (row.state != STORE_ROOM_ACTIVE)
        return SOTTO_OK;
    TRY(store_outgoing_count(core->store, &room->id, STORE_OUT_ENTRIES, &waiting));
    if (waiting > 0)
        return SOTTO_OK;
    sotto_error error = store_history_next(core->store, &history);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    if (!group_has(room->group, &core->identity.account, &history.device, NULL))
        return store_history_erase(core->store, &history.device); /* it was removed meanwhile */
    struct given given = {core, &history.device};
    sink->put = give;
    sink->ctx = &given;
    error = piece_give(core, &history, arena, sink, queued);
    sink->ctx = NULL;
    return error;
}

void own_history_step(struct room *room)
{
    struct sotto *core = room->core;
    struct store_history history;
    if (room->progress != ROOM_IDLE || store_history_next(core->store, &history) != SOTTO_OK)
        return;
    struct arena arena;
    struct own_sink sink = {0};
    bool queued = false;
    arena_init(&arena, core->env);
    sotto_buf_init(&sink.records, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = step(room, &arena, &sink, &queued);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "giving a device the history");
    } else if (queued)
        room->wake = true;
    sotto_buf_free(&sink.records);
    arena_free(&arena);
}

/* ---- Getting -------------------------------------------------------------------------------- */

sotto_error own_room_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_room row, known;
    memset(&row, 0, sizeof row);
    reader_copy(reader, row.room.bytes, ROOM_ID_SIZE, "own.room");
    uint8_t kind = reader_u8(reader, "own.kind"), state = reader_u8(reader, "own.state");
    row.title = own_text(reader, arena, WIRE_TITLE_MAX, "own.title");
    row.relay = own_text(reader, arena, WIRE_ADDRESS_MAX, "own.relay");
    row.has_peer = reader_u8(reader, "own.has_peer") != 0;
    reader_copy(reader, row.peer.bytes, ACCOUNT_ID_SIZE, "own.peer");
    row.created_s = reader_u64(reader, "own.created");
    row.active_s = reader_u64(reader, "own.active");
    if ((kind != STORE_ROOM_DIRECT && kind != STORE_ROOM_GROUP) || state < STORE_ROOM_CREATING ||
        state > STORE_ROOM_FORKED)
        reader_fail(reader, SOTTO_VALUE, "own.kind");
    TRY(reader->fault.error);
    sotto_error error = store_room_get(core->store, &row.room, arena, &known);
    if (error != SOTTO_NOT_FOUND)
        return error; /* this device is, or was, in it itself */
    bool alive = state == STORE_ROOM_CREATING || state == STORE_ROOM_ACTIVE;
    row.kind = kind;
    row.state = alive ? STORE_ROOM_REMOVED : (enum store_room_state)state;
    row.trouble = alive ? ROOM_WAITS : "";
    row.next_seq = 1;
    return store_room_add(core->store, &row);
}

/* An edited message is what its last edit says. */
static sotto_error message_import(struct sotto *core, struct store_message *message,
                                  struct arena *arena, int64_t *local)
{
    struct content_message content = {0};
    sotto_fault fault;
    bool read = message->content.size > 0 && message->kind != SOTTO_KIND_NEWER &&
                content_read(message->content, &message->sender, &message->room, arena, &content,
                             &fault) == SOTTO_OK;
    if (read)
        message->text = content.text;
    message->mentions_self =
        !message->own && listing_mentions(core, message->text, message->markdown);
    TRY(store_message_import(core->store, message, local));
    if (!read || content.kind != CONTENT_EDIT)
        return SOTTO_OK;
    return store_message_edit(core->store, *local, message->text, message->markdown,
                              message->content, sotto_bytes_of(content.id, CONTENT_ID_SIZE),
                              message->edited_s);
}

static sotto_error reactions_read(struct sotto *core, sotto_bytes bytes, int64_t local)
{
    struct reader reader;
    reader_init(&reader, bytes);
    while (reader_more(&reader)) {
        struct store_reaction reaction;
        memset(&reaction, 0, sizeof reaction);
        reader_copy(&reader, reaction.sender.bytes, ACCOUNT_ID_SIZE, "own.reaction");
        reaction.content_id = reader_vector(&reader, CONTENT_ID_SIZE, "own.reaction");
        reaction.text = reader_vector(&reader, CONTENT_REACTION_MAX, "own.reaction");
        reaction.time_s = reader_u64(&reader, "own.reaction");
        TRY(reader.fault.error);
        TRY(store_reaction_put(core->store, local, &reaction));
    }
    return SOTTO_OK;
}

sotto_error own_message_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_message message;
    struct store_room row;
    int64_t local = 0;
    memset(&message, 0, sizeof message);
    message.position = (int64_t)reader_u64(reader, "own.position");
    reader_copy(reader, message.room.bytes, ROOM_ID_SIZE, "own.room");
    message.seq = reader_u64(reader, "own.seq");
    message.part = reader_u32(reader, "own.part");
    message.kind = reader_u32(reader, "own.kind");
    uint8_t state = reader_u8(reader, "own.state"), flags = reader_u8(reader, "own.flags");
    reader_copy(reader, message.sender.bytes, ACCOUNT_ID_SIZE, "own.sender");
    reader_copy(reader, message.subject.bytes, ACCOUNT_ID_SIZE, "own.subject");
    message.time_s = reader_u64(reader, "own.time");
    message.edited_s = reader_u64(reader, "own.edited");
    message.timer_s = reader_u32(reader, "own.timer");
    message.erase_s = reader_u64(reader, "own.erase");
    message.client_id = own_text(reader, arena, STORE_CLIENT_ID_MAX, "own.client_id");
    message.content_id = reader_vector(reader, CONTENT_ID_SIZE, "own.content_id");
    message.target = reader_vector(reader, CONTENT_ID_SIZE, "own.target");
    message.content = reader_vector(reader, CONTENT_MAX, "own.content");
    message.text = reader_vector(reader, CONTENT_TEXT_MAX, "own.text");
    sotto_bytes reactions = reader_vector(reader, REACTIONS_SIZE, "own.reactions");
    if ((state != STORE_MESSAGE_RECEIVED && state != STORE_MESSAGE_SENT) || message.seq == 0 ||
        message.position <= 0)
        reader_fail(reader, SOTTO_VALUE, "own.state");
    TRY(reader->fault.error);
    message.state = state;
    message.own = flags & 1;
    message.unread = flags >> 1 & 1;
    message.has_subject = flags >> 2 & 1;
    message.markdown = flags >> 3 & 1;
    sotto_error error = store_room_get(core->store, &message.room, arena, &row);
    if (error == SOTTO_OK)
        error = message_import(core, &message, arena, &local);
    if (error == SOTTO_OK)
        error = reactions_read(core, reactions, local);
    if (error == SOTTO_OK)
        error = change_apply_kept(core, &message.room, local, arena);
    if (error == SOTTO_OK)
        error = store_receipts_kept(core->store, &message.room, local);
    /* Stored before; or of a conversation that was erased here. */
    return error == SOTTO_EXISTS || error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error own_receipts_read(struct sotto *core, struct reader *reader)
{
    struct room_id room;
    struct reader inner;
    int64_t local = 0;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    uint64_t seq = reader_u64(reader, "own.seq");
    uint32_t part = reader_u32(reader, "own.part");
    reader_enter(reader, &inner, (size_t)RECEIPTS_MAX * RECEIPT_SIZE, "own.receipts");
    sotto_error found = reader_ok(reader)
                            ? store_message_in_log(core->store, &room, seq, part, &local)
                            : reader->fault.error;
    if (found != SOTTO_OK && found != SOTTO_NOT_FOUND)
        return found;
    while (reader_more(&inner)) {
        struct store_receipt receipt;
        reader_copy(&inner, receipt.account.bytes, ACCOUNT_ID_SIZE, "own.receipt");
        uint8_t state = reader_u8(&inner, "own.receipt");
        receipt.time_s = reader_u64(&inner, "own.receipt");
        if (state != STORE_DELIVERED && state != STORE_READ)
            reader_fail(&inner, SOTTO_VALUE, "own.receipt");
        receipt.state = (enum store_receipt_state)state;
        if (reader_ok(&inner) && found == SOTTO_OK)
            TRY(store_receipt_put(core->store, local, &receipt));
    }
    reader_leave(reader, &inner, "own.receipts");
    return reader->fault.error;
}

sotto_error own_progress_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    uint64_t given = reader_u64(reader, "own.given"), of = reader_u64(reader, "own.of");
    uint8_t all = reader_u8(reader, "own.all");
    TRY(reader->fault.error);
    TRY(store_number_put(core->store, "history.given", given));
    TRY(store_number_put(core->store, "history.of", of));
    TRY(store_number_put(core->store, "history.all", all != 0));
    return all != 0 ? give_again(core, arena) : SOTTO_OK;
}

sotto_error own_history_status(struct sotto *core, uint64_t *given, uint64_t *of)
{
    TRY(store_number_get(core->store, "history.given", given));
    return store_number_get(core->store, "history.of", of);
}
