/* The room among the devices of one account: what they tell each other so that all know the same
 * (PROTOCOL.md, section 6, "Among one's own devices"). A room like any other to the relay; nobody's
 * conversation to people. */
#include <string.h>

#include "codec/writer.h"
#include "core/account.h"
#include "core/listing.h"
#include "core/notices.h"
#include "core/own_absent.h"
#include "core/own_blobs.h"
#include "core/own_joiners.h"
#include "core/own_links.h"
#include "core/own_settings.h"
#include "core/profile_picture.h"

/* Version 1 had records without a length: what was not known ended the reading. It is read still:
 * logs, outboxes and backups have it. */
enum { OWN_UNFRAMED = 1, OWN_VERSION = 2 };

sotto_error own_room(struct sotto *core, struct arena *arena, struct store_room *row)
{
    return store_room_own(core->store, arena, row);
}

/* ---- Telling -------------------------------------------------------------------------------- */

static sotto_error queue_in(struct sotto *core, const struct room_id *room,
                            const struct device_id *to, sotto_bytes records, const char *client_id,
                            uint64_t not_before_s)
{
    static const struct device_id all;
    struct content_message message;
    struct writer writer;
    sotto_buf body, content;
    memset(&message, 0, sizeof message);
    sotto_buf_init(&body, core->env);
    sotto_buf_init(&content, core->env);
    writer_init(&writer, &body);
    writer_u8(&writer, OWN_VERSION);
    writer_fixed(&writer, sotto_bytes_of((to != NULL ? to : &all)->bytes, DEVICE_ID_SIZE));
    writer_fixed(&writer, records);
    sotto_error error = writer_finish(&writer);
    message.kind = CONTENT_OWN;
    message.text = sotto_buf_view(&body);
    if (error == SOTTO_OK)
        error = content_write(core->env, &message, &core->identity.account, room, &content);
    if (error == SOTTO_OK)
        error = room_queue_content_later(core, room, MESSAGE_INTENT_OWN,
                                         sotto_bytes_of(message.id, CONTENT_ID_SIZE),
                                         sotto_buf_view(&content), client_id, not_before_s);
    sotto_buf_free(&body);
    sotto_buf_free(&content);
    return error;
}

sotto_error own_queue(struct sotto *core, const struct device_id *to, sotto_bytes records)
{
    struct arena arena;
    struct store_room row;
    arena_init(&arena, core->env);
    sotto_error error = own_room(core, &arena, &row);
    if (error == SOTTO_OK)
        error = queue_in(core, &row.room, to, records, "", 0);
    else if (error == SOTTO_NOT_FOUND)
        error = SOTTO_OK;
    arena_free(&arena);
    return error;
}

sotto_error own_tell(struct sotto *core, sotto_error made, sotto_buf *record)
{
    sotto_error error = made == SOTTO_OK ? own_queue(core, NULL, sotto_buf_view(record)) : made;
    sotto_buf_free(record);
    return error;
}

sotto_error own_queue_instead(struct sotto *core, const char *prefix, const char *client_id,
                              uint64_t not_before_s, sotto_bytes records)
{
    struct arena arena;
    struct store_room row;
    arena_init(&arena, core->env);
    sotto_error error = own_room(core, &arena, &row);
    if (error == SOTTO_OK)
        error = store_outgoing_withdraw(core->store, &row.room, prefix);
    if (error == SOTTO_OK)
        error = queue_in(core, &row.room, NULL, records, client_id, not_before_s);
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

size_t own_record(struct writer *writer, uint8_t record)
{
    writer_u8(writer, record);
    return writer_open(writer);
}

static sotto_error contact_write(const struct store_contact *contact, sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_CONTACT);
    writer_fixed(&writer, sotto_bytes_of(contact->account.bytes, ACCOUNT_ID_SIZE));
    writer_u8(&writer,
              (uint8_t)(contact->contact | (contact->verified != STORE_UNVERIFIED) << 1 |
                        contact->blocked << 2 | (contact->verified == STORE_VERIFIED_LINK) << 3));
    writer_vector(&writer, sotto_bytes_str(contact->name));
    writer_vector(&writer, sotto_bytes_str(contact->relay));
    writer_vector(&writer, contact->manifest);
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error own_tell_contact(struct sotto *core, const struct account_id *account)
{
    struct arena arena;
    struct store_contact contact;
    sotto_buf record;
    arena_init(&arena, core->env);
    sotto_buf_init(&record, core->env);
    sotto_error error = store_contact_get(core->store, account, &arena, &contact);
    if (error == SOTTO_OK)
        error = contact_write(&contact, &record);
    if (error == SOTTO_OK)
        error = own_queue(core, NULL, sotto_buf_view(&record));
    sotto_buf_free(&record);
    arena_free(&arena);
    return error;
}

static sotto_error device_name_write(const struct device_id *device, const char *name,
                                     sotto_buf *out)
{
    struct writer writer;
    writer_init(&writer, out);
    size_t opened = own_record(&writer, OWN_DEVICE_NAME);
    writer_fixed(&writer, sotto_bytes_of(device->bytes, DEVICE_ID_SIZE));
    writer_vector(&writer, sotto_bytes_str(name));
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error own_tell_device_name(struct sotto *core, const struct device_id *device,
                                 const char *name)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    sotto_error error = device_name_write(device, name, &record);
    return own_tell(core, error, &record);
}

sotto_error own_read(struct sotto *core, const struct room_id *room, int64_t position)
{
    uint64_t seq = 0;
    bool receipts = false;
    struct writer writer;
    TRY(store_messages_unread_seq(core->store, room, position, &seq));
    TRY(receipts_on(core, &receipts));
    TRY(store_messages_read(core->store, room, position, receipts, core_now_s(core)));
    TRY(listing_unmark(core, room));
    if (seq == 0)
        return SOTTO_OK;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    writer_init(&writer, &record);
    size_t opened = own_record(&writer, OWN_READ);
    writer_fixed(&writer, sotto_bytes_of(room->bytes, ROOM_ID_SIZE));
    writer_u64(&writer, seq);
    writer_close(&writer, opened);
    return own_tell(core, writer_finish(&writer), &record);
}

/* ---- All that is known: for a new device, and for a backup ------------------------------------
 */

sotto_error own_sink_flush(struct own_sink *sink, bool last)
{
    if (sink->records.size == 0 || (!last && sink->records.size < OWN_PIECE_SIZE))
        return SOTTO_OK;
    TRY(sink->put(sink->ctx, sotto_buf_view(&sink->records)));
    sotto_buf_clear(&sink->records);
    return SOTTO_OK;
}

sotto_error own_snapshot(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    struct store_contact *contacts = NULL;
    struct store_pin *pins = NULL;
    size_t count = 0;
    struct manifest manifest;
    bool found = false;
    TRY(store_contacts(core->store, arena, &contacts, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(contact_write(&contacts[i], &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    TRY(manifest_newest(core, &core->identity.account, arena, &manifest, &found));
    for (size_t i = 0; found && i < manifest.device_count; i++) {
        const char *name = "";
        TRY(store_device_name_get(core->store, &manifest.devices[i].id, arena, &name));
        if (name[0] != '\0')
            TRY(device_name_write(&manifest.devices[i].id, name, &sink->records));
    }
    for (size_t i = 0; i < count; i++) {
        if (contacts[i].label[0] != '\0')
            TRY(people_label_write(&contacts[i].account, contacts[i].label, &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    TRY(store_pins(core->store, arena, &pins, &count));
    for (size_t i = 0; i < count; i++) {
        TRY(people_pin_write(&pins[i], &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    TRY(profile_pictures_write(core, arena, sink));
    TRY(notices_write(core, arena, sink));
    return own_sink_flush(sink, true);
}

/* ---- A new device --------------------------------------------------------------------------- */

struct told {
    struct sotto *core;
    const struct room_id *room;
    const struct device_id *device;
};

static sotto_error tell_device(void *ctx, sotto_bytes records)
{
    const struct told *told = ctx;
    return queue_in(told->core, told->room, told->device, records, "", 0);
}

/* Whether the device was there before this one, which was recovered: then it has the past, and this
 * one has not. Newer ones stand behind older ones in a manifest. */
static sotto_error is_older(struct sotto *core, const struct device_id *device, struct arena *arena,
                            bool *older)
{
    struct manifest manifest;
    bool found = false;
    *older = false;
    TRY(manifest_newest(core, &core->identity.account, arena, &manifest, &found));
    const struct device *own = found ? manifest_device(&manifest, &core->identity.device) : NULL;
    const struct device *other = found ? manifest_device(&manifest, device) : NULL;
    *older = own != NULL && other != NULL && other < own;
    return SOTTO_OK;
}

/* The device gets what this one knows, unless it was there before. */
static sotto_error give_all(struct sotto *core, const struct store_room *row,
                            const struct device_id *device, struct arena *arena)
{
    struct told told = {core, &row->room, device};
    struct own_sink sink = {.put = tell_device, .ctx = &told};
    const struct store_history history = {.device = *device, .position = -1};
    bool older = false;
    sotto_buf_init(&sink.records, core->env);
    sotto_error error = is_older(core, device, arena, &older);
    if (error == SOTTO_OK)
        error = own_snapshot(core, arena, &sink);
    if (error == SOTTO_OK && !older)
        error = own_settings_write(core, &sink.records);
    if (error == SOTTO_OK)
        error = own_sink_flush(&sink, true);
    if (error == SOTTO_OK && !older)
        error = room_queue_profile(core, &row->room, row->epoch);
    if (error == SOTTO_OK && !older)
        error = store_history_put(core->store, &history);
    sotto_buf_free(&sink.records);
    return error;
}

sotto_error own_device_added(struct sotto *core, const struct store_room *row,
                             const struct device_id *device)
{
    struct arena arena;
    struct store_room own;
    arena_init(&arena, core->env);
    sotto_error error = SOTTO_OK;
    if (row->kind == STORE_ROOM_OWN) {
        error = give_all(core, row, device, &arena);
    } else if ((error = own_history_go_on(core, device)) == SOTTO_OK &&
               own_room(core, &arena, &own) == SOTTO_OK) {
        struct room *room = room_of(core, &own.room); /* its history may be complete now */
        if (room != NULL)
            room->wake = true;
    }
    arena_free(&arena);
    return error;
}

/* A recovered device makes a room with those that there are. Where they have one among themselves
 * they add it to that, which gives it the past; where they have none, there is only one of them. */
sotto_error own_joined(struct sotto *core, const struct store_room *row,
                       const struct device_id *device)
{
    struct arena arena;
    struct store_room *rooms = NULL;
    size_t count = 0, own = 0;
    bool older = false;
    if (row->kind != STORE_ROOM_OWN)
        return SOTTO_OK;
    arena_init(&arena, core->env);
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++)
        own += rooms[i].kind == STORE_ROOM_OWN && rooms[i].state == STORE_ROOM_ACTIVE;
    if (error == SOTTO_OK)
        error = is_older(core, device, &arena, &older);
    if (error == SOTTO_OK && own == 1 && !older)
        error = give_all(core, row, device, &arena);
    arena_free(&arena);
    return error;
}

/* ---- Being told ----------------------------------------------------------------------------- */

const char *own_text(struct reader *reader, struct arena *arena, size_t max, const char *what)
{
    sotto_bytes text = reader_vector(reader, max, what);
    char *copy = reader_ok(reader) ? arena_array(arena, text.size + 1, 1) : NULL;
    if (reader_ok(reader) && copy == NULL)
        reader_fail(reader, SOTTO_NO_MEMORY, what);
    if (copy == NULL)
        return "";
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

static sotto_error contact_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct store_contact contact, told;
    struct account_id of;
    memset(&told, 0, sizeof told);
    reader_copy(reader, told.account.bytes, ACCOUNT_ID_SIZE, "own.account");
    uint8_t flags = reader_u8(reader, "own.flags");
    told.name = own_text(reader, arena, WIRE_NAME_MAX, "own.name");
    told.relay = own_text(reader, arena, WIRE_ADDRESS_MAX, "own.relay");
    told.manifest = reader_vector(reader, WIRE_MANIFEST_MAX, "own.manifest");
    if (!reader_ok(reader) || core_is_own(core, &told.account))
        return reader->fault.error;
    sotto_error error = store_contact_get(core->store, &told.account, arena, &contact);
    if (error == SOTTO_NOT_FOUND) {
        contact = told;
        contact.label = "";
        contact.manifest = sotto_bytes_of(NULL, 0);
        contact.added_s = core_now_s(core);
    } else if (error != SOTTO_OK)
        return error;
    enum store_verified verified = (flags & 2) == 0   ? STORE_UNVERIFIED
                                   : (flags & 8) != 0 ? STORE_VERIFIED_LINK
                                                      : STORE_VERIFIED_COMPARED;
    bool same = error == SOTTO_OK && contact.contact == (flags & 1) &&
                contact.verified == verified && contact.blocked == (flags >> 2 & 1) &&
                contact.name[0] != '\0' && contact.relay[0] != '\0';
    if (contact.conflict) /* what a device tells that has not seen it yet does not end that */
        verified = STORE_UNVERIFIED;
    bool silenced = !contact.blocked && (flags >> 2 & 1) != 0;
    contact.contact = flags & 1;
    contact.verified = verified;
    contact.blocked = flags >> 2 & 1;
    if (contact.name[0] == '\0')
        contact.name = told.name;
    if (contact.relay[0] == '\0')
        contact.relay = told.relay;
    if (!same)
        TRY(store_contact_put(core->store, &contact));
    if (silenced)
        TRY(people_silence(core, &contact.account));
    if (told.manifest.size == 0)
        return SOTTO_OK;
    error = manifest_learn_any(core, told.manifest, arena, &of);
    return error_is_local(error) ? error : SOTTO_OK;
}

static sotto_error read_read(struct sotto *core, struct reader *reader)
{
    struct room_id room;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    uint64_t seq = reader_u64(reader, "own.seq");
    return reader_ok(reader) ? store_messages_read_seq(core->store, &room, seq, core_now_s(core))
                             : reader->fault.error;
}

static sotto_error device_name_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct device_id device;
    reader_copy(reader, device.bytes, DEVICE_ID_SIZE, "own.device");
    const char *name = own_text(reader, arena, WIRE_NAME_MAX, "own.name");
    return reader_ok(reader) ? store_device_name_put(core->store, &device, name)
                             : reader->fault.error;
}

static sotto_error record_read(struct sotto *core, uint8_t record, struct reader *reader,
                               struct arena *arena)
{
    if (own_listing_is(record))
        return own_listing_read(core, record, reader, arena);
    switch (record) {
    case OWN_CONTACT:
        return contact_read(core, reader, arena);
    case OWN_READ:
        return read_read(core, reader);
    case OWN_DEVICE_NAME:
        return device_name_read(core, reader, arena);
    case OWN_ROOM:
        return own_room_read(core, reader, arena);
    case OWN_MEMBERS:
        return own_members_read(core, reader, arena);
    case OWN_MESSAGE:
        return own_message_read(core, reader, arena);
    case OWN_RECEIPTS:
        return own_receipts_read(core, reader);
    case OWN_CHANGE:
        return own_change_read(core, reader, arena);
    case OWN_FOLLOWED:
        return account_followed_read(core, reader);
    case OWN_BLOB:
        return own_blob_read(core, reader, arena);
    case OWN_JOINER:
        return own_joiner_read(core, reader, arena);
    case OWN_JOINER_GONE:
        return own_joiner_gone_read(core, reader);
    case OWN_LINK:
        return own_link_read(core, reader);
    case OWN_LINK_USED:
        return own_link_used_read(core, reader);
    case OWN_LINK_REVOKED:
        return own_link_revoked_read(core, reader);
    case OWN_SETTING:
        return own_setting_read(core, reader);
    case OWN_PROGRESS:
        return own_progress_read(core, reader, arena);
    case OWN_LABEL:
        return people_label_read(core, reader, arena);
    case OWN_COMPARED:
        return people_compared_read(core, reader, arena);
    case OWN_PIN:
        return people_pin_read(core, reader, arena);
    case OWN_PICTURE:
        return profile_picture_read(core, reader);
    case OWN_DECLINED:
        return people_declined_read(core, reader);
    case OWN_NOTICE:
        return notice_own_read(core, reader, arena);
    case OWN_NOTICE_READ:
        return notice_seen_read(core, reader);
    default:
        return SOTTO_UNSUPPORTED; /* of a newer version */
    }
}

sotto_error own_records_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    sotto_error refused = SOTTO_OK;
    while (reader_more(reader)) {
        struct reader body;
        uint8_t record = reader_u8(reader, "own.record");
        reader_init(&body, reader_vector(reader, CONTENT_OWN_MAX, "own.body"));
        TRY(reader->fault.error);
        sotto_error error = record_read(core, record, &body, arena);
        if (error_is_local(error))
            return error;
        if (refused == SOTTO_OK)
            refused = error;
    }
    return refused;
}

sotto_error own_records_read_unframed(struct sotto *core, struct reader *reader,
                                      struct arena *arena)
{
    while (reader_more(reader))
        TRY(record_read(core, reader_u8(reader, "own.record"), reader, arena));
    return SOTTO_OK;
}

/* One's own name, changed on another device. */
static sotto_error name_read(struct sotto *core, sotto_bytes name, struct arena *arena)
{
    struct store_profile profile;
    char *text = arena_array(arena, name.size + 1, 1);
    if (text == NULL)
        return SOTTO_NO_MEMORY;
    memcpy(text, name.data, name.size);
    TRY(store_profile_get(core->store, arena, &profile));
    if (strcmp(profile.name, text) == 0)
        return SOTTO_OK;
    profile.name = text;
    TRY(store_profile_put(core->store, &profile));
    /* What is in memory is told to people who are met from now on. */
    char *kept = arena_array(&core->profile_arena, name.size + 1, 1);
    if (kept == NULL)
        return SOTTO_NO_MEMORY;
    memcpy(kept, text, name.size);
    core->profile.name = kept;
    return SOTTO_OK;
}

sotto_error own_receive(struct sotto *core, const struct content_message *content,
                        struct arena *arena)
{
    static const struct device_id all;
    struct device_id to;
    struct reader reader;
    if (content->kind == CONTENT_PROFILE && content->text.size > 0)
        return name_read(core, content->text, arena);
    if (content->kind != CONTENT_OWN)
        return SOTTO_OK;
    reader_init(&reader, content->text);
    uint8_t version = reader_u8(&reader, "own.version");
    if (version != OWN_VERSION && version != OWN_UNFRAMED)
        return SOTTO_OK;
    reader_copy(&reader, to.bytes, DEVICE_ID_SIZE, "own.to");
    if (!device_id_equal(&to, &all) && !device_id_equal(&to, &core->identity.device))
        return SOTTO_OK;
    sotto_error error = version == OWN_UNFRAMED ? own_records_read_unframed(core, &reader, arena)
                                                : own_records_read(core, &reader, arena);
    /* One's own other device is newer, or broken: the log goes on. */
    return error_is_local(error) ? error : SOTTO_OK;
}
