/* PROTOCOL.md section 5: the messages of the room connection. */
#include "wire/codec_rows.h"

#include <string.h>

static sotto_bytes bytes_of_room(const struct room_id *room)
{
    return sotto_bytes_of(room->bytes, ROOM_ID_SIZE);
}

static sotto_bytes bytes_of_gate(const struct gate *gate)
{
    return sotto_bytes_of(gate->bytes, GATE_SIZE);
}

static sotto_bytes bytes_of_request(const struct request_id *id)
{
    return sotto_bytes_of(id->bytes, REQUEST_ID_SIZE);
}

static void read_get_manifest(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct get_manifest *body = &message->get_manifest;
    read_permission(reader, &body->permission);
    reader_copy(reader, body->account.bytes, ACCOUNT_ID_SIZE, "get_manifest.account_id");
}

static void write_get_manifest(struct writer *writer, const struct message *message)
{
    const struct get_manifest *body = &message->get_manifest;
    write_permission(writer, &body->permission);
    writer_fixed(writer, sotto_bytes_of(body->account.bytes, ACCOUNT_ID_SIZE));
}

static void read_manifest_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->manifest = reader_limited(reader, 1, WIRE_MANIFEST_MAX, "get_manifest_ok.manifest");
}

static void write_manifest_ok(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->manifest, 1, WIRE_MANIFEST_MAX);
}

static void read_take(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct take_key_package *body = &message->take_key_package;
    read_permission(reader, &body->permission);
    reader_copy(reader, body->take_id.bytes, REQUEST_ID_SIZE, "take_key_package.take_id");
    reader_copy(reader, body->account.bytes, ACCOUNT_ID_SIZE, "take_key_package.account_id");
    reader_copy(reader, body->device.bytes, DEVICE_ID_SIZE, "take_key_package.device_id");
}

static void write_take(struct writer *writer, const struct message *message)
{
    const struct take_key_package *body = &message->take_key_package;
    write_permission(writer, &body->permission);
    writer_fixed(writer, bytes_of_request(&body->take_id));
    writer_fixed(writer, sotto_bytes_of(body->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(writer, sotto_bytes_of(body->device.bytes, DEVICE_ID_SIZE));
}

static void read_take_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->key_package =
        reader_limited(reader, 1, WIRE_KEY_PACKAGE_MAX, "take_key_package_ok.key_package");
}

static void write_take_ok(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->key_package, 1, WIRE_KEY_PACKAGE_MAX);
}

static void read_post(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct post_envelope *body = &message->post_envelope;
    read_permission(reader, &body->permission);
    reader_copy(reader, body->post_id.bytes, REQUEST_ID_SIZE, "post_envelope.post_id");
    reader_copy(reader, body->account.bytes, ACCOUNT_ID_SIZE, "post_envelope.account_id");
    reader_copy(reader, body->device.bytes, DEVICE_ID_SIZE, "post_envelope.device_id");
    body->sealed = reader_limited(reader, 1, WIRE_ENVELOPE_MAX, "post_envelope.sealed");
}

static void write_post(struct writer *writer, const struct message *message)
{
    const struct post_envelope *body = &message->post_envelope;
    write_permission(writer, &body->permission);
    writer_fixed(writer, bytes_of_request(&body->post_id));
    writer_fixed(writer, sotto_bytes_of(body->account.bytes, ACCOUNT_ID_SIZE));
    writer_fixed(writer, sotto_bytes_of(body->device.bytes, DEVICE_ID_SIZE));
    writer_limited(writer, body->sealed, 1, WIRE_ENVELOPE_MAX);
}

static void read_create(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct room_create *body = &message->room_create;
    read_permission(reader, &body->permission);
    reader_copy(reader, body->room.bytes, ROOM_ID_SIZE, "room_create.room_id");
    reader_copy(reader, body->write_gate.bytes, GATE_SIZE, "room_create.write_gate");
    reader_copy(reader, body->read_gate.bytes, GATE_SIZE, "room_create.read_gate");
}

static void write_create(struct writer *writer, const struct message *message)
{
    const struct room_create *body = &message->room_create;
    write_permission(writer, &body->permission);
    writer_fixed(writer, bytes_of_room(&body->room));
    writer_fixed(writer, bytes_of_gate(&body->write_gate));
    writer_fixed(writer, bytes_of_gate(&body->read_gate));
}

static void read_append(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct append *body = &message->append;
    reader_copy(reader, body->room.bytes, ROOM_ID_SIZE, "Append.room");
    reader_copy(reader, body->append_id.bytes, REQUEST_ID_SIZE, "Append.append_id");
    body->epoch = reader_u64(reader, "Append.epoch");
    body->write_token = reader_fixed(reader, TOKEN_SIZE, "Append.write_token");
    body->kind = reader_choice(reader, ENTRY_MESSAGE, ENTRY_COMMIT, "Append.kind");
    if (body->kind == ENTRY_COMMIT) {
        reader_copy(reader, body->next_write_gate.bytes, GATE_SIZE, "Append.next_write_gate");
        body->has_next_read_gate = reader_present(reader, "Append.next_read_gate");
        if (body->has_next_read_gate)
            reader_copy(reader, body->next_read_gate.bytes, GATE_SIZE, "Append.next_read_gate");
    }
    body->bytes = reader_limited(reader, 1, WIRE_ENTRY_MAX, "Append.bytes");
}

static void write_append(struct writer *writer, const struct message *message)
{
    const struct append *body = &message->append;
    writer_fixed(writer, bytes_of_room(&body->room));
    writer_fixed(writer, bytes_of_request(&body->append_id));
    writer_u64(writer, body->epoch);
    writer_exact(writer, body->write_token, TOKEN_SIZE);
    writer_check(writer, body->kind == ENTRY_MESSAGE || body->kind == ENTRY_COMMIT);
    writer_u8(writer, body->kind);
    if (body->kind == ENTRY_COMMIT) {
        writer_fixed(writer, bytes_of_gate(&body->next_write_gate));
        writer_present(writer, body->has_next_read_gate);
        if (body->has_next_read_gate)
            writer_fixed(writer, bytes_of_gate(&body->next_read_gate));
    }
    writer_limited(writer, body->bytes, 1, WIRE_ENTRY_MAX);
}

static void read_append_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->seq = reader_u64(reader, "room_append_ok.seq");
}

static void write_append_ok(struct writer *writer, const struct message *message)
{
    writer_u64(writer, message->seq);
}

static void read_subscribe(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct room_subscribe *body = &message->room_subscribe;
    reader_copy(reader, body->room.bytes, ROOM_ID_SIZE, "room_subscribe.room_id");
    body->read_token = reader_fixed(reader, TOKEN_SIZE, "room_subscribe.read_token");
    size_t at = reader->pos;
    body->from_seq = reader_u64(reader, "room_subscribe.from_seq");
    if (body->from_seq == 0) /* the first seq of a room is 1 */
        reader_fail_at(reader, at, SOTTO_VALUE, "room_subscribe.from_seq");
}

static void write_subscribe(struct writer *writer, const struct message *message)
{
    const struct room_subscribe *body = &message->room_subscribe;
    writer_check(writer, body->from_seq > 0);
    writer_fixed(writer, bytes_of_room(&body->room));
    writer_exact(writer, body->read_token, TOKEN_SIZE);
    writer_u64(writer, body->from_seq);
}

static void read_subscribe_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct room_subscribe_ok *body = &message->room_subscribe_ok;
    body->head = reader_u64(reader, "room_subscribe_ok.head");
    body->first = reader_u64(reader, "room_subscribe_ok.first");
    body->epoch = reader_u64(reader, "room_subscribe_ok.epoch");
}

static void write_subscribe_ok(struct writer *writer, const struct message *message)
{
    const struct room_subscribe_ok *body = &message->room_subscribe_ok;
    writer_u64(writer, body->head);
    writer_u64(writer, body->first);
    writer_u64(writer, body->epoch);
}

static void read_unsubscribe(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->subscription = reader_u32(reader, "room_unsubscribe.subscription");
}

static void write_unsubscribe(struct writer *writer, const struct message *message)
{
    writer_u32(writer, message->subscription);
}

static void read_entry(struct reader *reader, struct entry *entry)
{
    entry->seq = reader_u64(reader, "Entry.seq");
    entry->epoch = reader_u64(reader, "Entry.epoch");
    entry->kind = reader_choice(reader, ENTRY_MESSAGE, ENTRY_COMMIT, "Entry.kind");
    reader_copy(reader, entry->append_id.bytes, REQUEST_ID_SIZE, "Entry.append_id");
    entry->bytes = reader_limited(reader, 1, WIRE_ENTRY_MAX, "Entry.bytes");
}

/* Ascending without a gap: a relay that leaves one out is found here, not deep in the core. */
static bool follows(const struct entry *before, const struct entry *entry)
{
    return before->seq != UINT64_MAX && entry->seq == before->seq + 1;
}

static size_t count_entries(struct reader *inner)
{
    struct entry entry, before = {0};
    size_t count = 0;
    while (reader_more(inner)) {
        size_t at = inner->pos;
        if (count == WIRE_ENTRIES_MAX)
            reader_fail(inner, SOTTO_LIMIT, "entries.entries");
        read_entry(inner, &entry);
        if (count > 0 && !follows(&before, &entry))
            reader_fail_at(inner, at, SOTTO_VALUE, "Entry.seq");
        before = entry;
        count++;
    }
    if (count == 0)
        reader_fail(inner, SOTTO_LENGTH, "entries.entries");
    return count;
}

static void read_entries(struct reader *reader, struct arena *arena, struct message *message)
{
    struct reader inner, counted;
    reader_enter(reader, &inner, WIRE_MESSAGE_MAX, "entries.entries");
    counted = inner;
    size_t count = count_entries(&counted);
    reader_leave(reader, &counted, "entries.entries");
    if (!reader_ok(reader))
        return;
    struct entry *entries = arena_array(arena, count, sizeof *entries);
    if (entries == NULL) {
        reader_fail(reader, SOTTO_NO_MEMORY, "entries.entries");
        return;
    }
    for (size_t i = 0; i < count; i++)
        read_entry(&inner, &entries[i]);
    message->room_entries = (struct room_entries){entries, count};
}

static void write_entry(struct writer *writer, const struct entry *entry)
{
    writer_check(writer, entry->kind == ENTRY_MESSAGE || entry->kind == ENTRY_COMMIT);
    writer_u64(writer, entry->seq);
    writer_u64(writer, entry->epoch);
    writer_u8(writer, entry->kind);
    writer_fixed(writer, bytes_of_request(&entry->append_id));
    writer_limited(writer, entry->bytes, 1, WIRE_ENTRY_MAX);
}

static void write_entries(struct writer *writer, const struct message *message)
{
    const struct room_entries *body = &message->room_entries;
    writer_check(writer, body->count > 0);
    if (body->count > WIRE_ENTRIES_MAX)
        writer_fail(writer, SOTTO_LIMIT);
    size_t opened = writer_open(writer);
    for (size_t i = 0; i < body->count && writer->error == SOTTO_OK; i++) {
        writer_check(writer, i == 0 || follows(&body->entries[i - 1], &body->entries[i]));
        write_entry(writer, &body->entries[i]);
    }
    writer_close(writer, opened);
}

static void read_end(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->end_code = reader_u16(reader, "room_end.code");
}

static void write_end(struct writer *writer, const struct message *message)
{
    writer_u16(writer, message->end_code);
}

static void read_whisper(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct room_whisper *body = &message->whisper;
    reader_copy(reader, body->room.bytes, ROOM_ID_SIZE, "room_whisper.room");
    body->epoch = reader_u64(reader, "room_whisper.epoch");
    body->write_token = reader_fixed(reader, TOKEN_SIZE, "room_whisper.write_token");
    body->bytes = reader_limited(reader, 1, WIRE_WHISPER_MAX, "room_whisper.bytes");
}

static void write_whisper(struct writer *writer, const struct message *message)
{
    const struct room_whisper *body = &message->whisper;
    writer_fixed(writer, bytes_of_room(&body->room));
    writer_u64(writer, body->epoch);
    writer_exact(writer, body->write_token, TOKEN_SIZE);
    writer_limited(writer, body->bytes, 1, WIRE_WHISPER_MAX);
}

static void read_whispered(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->whispered = reader_limited(reader, 1, WIRE_WHISPER_MAX, "room_whispered.bytes");
}

static void write_whispered(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->whispered, 1, WIRE_WHISPER_MAX);
}

static void read_extend(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct room_extend *body = &message->room_extend;
    read_permission(reader, &body->permission);
    reader_copy(reader, body->room.bytes, ROOM_ID_SIZE, "room_extend.room");
    body->size = reader_u64(reader, "room_extend.size");
}

static void write_extend(struct writer *writer, const struct message *message)
{
    const struct room_extend *body = &message->room_extend;
    write_permission(writer, &body->permission);
    writer_fixed(writer, sotto_bytes_of(body->room.bytes, ROOM_ID_SIZE));
    writer_u64(writer, body->size);
}

static void read_extend_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->size = reader_u64(reader, "room_extend_ok.size");
}

static void write_extend_ok(struct writer *writer, const struct message *message)
{
    writer_u64(writer, message->size);
}

static void read_find(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    struct find *body = &message->find;
    read_permission(reader, &body->permission);
    body->kind = reader_choice(reader, LABEL_USERNAME, LABEL_PHONE, "find.kind");
    size_t at = reader->pos;
    body->label = reader_vector(reader, USERNAME_MAX, "find.label");
    if (reader_ok(reader) && !label_is_valid((enum label_kind)body->kind, body->label))
        reader_fail_at(reader, at, SOTTO_VALUE, "find.label");
}

static void write_find(struct writer *writer, const struct message *message)
{
    const struct find *body = &message->find;
    write_permission(writer, &body->permission);
    writer_check(writer, body->kind == LABEL_USERNAME || body->kind == LABEL_PHONE);
    writer_check(writer, label_is_valid((enum label_kind)body->kind, body->label));
    writer_u8(writer, body->kind);
    writer_vector(writer, body->label);
}

static void read_find_ok(struct reader *reader, struct arena *arena, struct message *message)
{
    (void)arena;
    message->manifest = reader_vector(reader, WIRE_MANIFEST_MAX, "find_ok.manifest");
}

static void write_find_ok(struct writer *writer, const struct message *message)
{
    writer_limited(writer, message->manifest, 0, WIRE_MANIFEST_MAX);
}

const struct message_row message_rows_room[] = {
    ROW_REQUEST(MESSAGE_GET_MANIFEST, "get_manifest", CONNECTION_ROOM, read_get_manifest,
                write_get_manifest),
    ROW_REQUEST(MESSAGE_TAKE_KEY_PACKAGE, "take_key_package", CONNECTION_ROOM, read_take,
                write_take),
    ROW_REQUEST(MESSAGE_POST_ENVELOPE, "post_envelope", CONNECTION_ROOM, read_post, write_post),
    ROW_REQUEST(MESSAGE_ROOM_CREATE, "room_create", CONNECTION_ROOM, read_create, write_create),
    ROW_REQUEST(MESSAGE_ROOM_APPEND, "room_append", CONNECTION_ROOM, read_append, write_append),
    ROW_REQUEST(MESSAGE_ROOM_SUBSCRIBE, "room_subscribe", CONNECTION_ROOM, read_subscribe,
                write_subscribe),
    ROW_REQUEST(MESSAGE_ROOM_UNSUBSCRIBE, "room_unsubscribe", CONNECTION_ROOM, read_unsubscribe,
                write_unsubscribe),
    ROW_REQUEST(MESSAGE_ROOM_WHISPER, "room_whisper", CONNECTION_ROOM, read_whisper, write_whisper),
    ROW_REQUEST(MESSAGE_ROOM_EXTEND, "room_extend", CONNECTION_ROOM, read_extend, write_extend),
    ROW_REQUEST(MESSAGE_FIND, "find", CONNECTION_ROOM, read_find, write_find),
    ROW_ANSWER(MESSAGE_FIND_OK, "find_ok", read_find_ok, write_find_ok),
    ROW_ANSWER(MESSAGE_GET_MANIFEST_OK, "get_manifest_ok", read_manifest_ok, write_manifest_ok),
    ROW_ANSWER(MESSAGE_TAKE_KEY_PACKAGE_OK, "take_key_package_ok", read_take_ok, write_take_ok),
    ROW_ANSWER(MESSAGE_POST_ENVELOPE_OK, "post_envelope_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_ROOM_CREATE_OK, "room_create_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_ROOM_APPEND_OK, "room_append_ok", read_append_ok, write_append_ok),
    ROW_ANSWER(MESSAGE_ROOM_SUBSCRIBE_OK, "room_subscribe_ok", read_subscribe_ok,
               write_subscribe_ok),
    ROW_ANSWER(MESSAGE_ROOM_UNSUBSCRIBE_OK, "room_unsubscribe_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_ROOM_WHISPER_OK, "room_whisper_ok", NULL, NULL),
    ROW_ANSWER(MESSAGE_ROOM_EXTEND_OK, "room_extend_ok", read_extend_ok, write_extend_ok),
    ROW_ANSWER(MESSAGE_ROOM_ENTRIES, "room_entries", read_entries, write_entries),
    ROW_ANSWER(MESSAGE_ROOM_END, "room_end", read_end, write_end),
    ROW_ANSWER(MESSAGE_ROOM_WHISPERED, "room_whispered", read_whispered, write_whispered),
    {0},
};
