/* Whom a restored device can ask to be let in again: a backup names the members of each
 * conversation that its device was in, and nothing of their keys. What is known of where they are
 * is in the records of people. */
#include <string.h>

#include "codec/writer.h"
#include "core/rejoin.h"

enum { MEMBERS_MAX = 2048, MEMBER_SIZE = ACCOUNT_ID_SIZE + DEVICE_ID_SIZE };

/* ---- Giving --------------------------------------------------------------------------------- */

static void member_write(struct writer *writer, const struct account_id *account,
                         const struct device_id *device)
{
    writer_fixed(writer, sotto_bytes_of(account->bytes, ACCOUNT_ID_SIZE));
    writer_fixed(writer, sotto_bytes_of(device->bytes, DEVICE_ID_SIZE));
}

static void of_group(struct room *room, struct writer *writer)
{
    uint32_t at = 0;
    size_t count = 0;
    sotto_mls_leaf leaf;
    while (count < MEMBERS_MAX && sotto_mls_next_member(room->group, &at, &leaf)) {
        struct account_id account;
        struct device_id device;
        if (identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK ||
            core_is_own(room->core, &account))
            continue;
        member_write(writer, &account, &device);
        count++;
    }
}

static sotto_error of_store(struct room *room, struct arena *arena, struct writer *writer)
{
    struct store_rejoin_peer *peers = NULL;
    size_t count = 0;
    TRY(store_rejoin_peers_list(room->core->store, &room->id, MEMBERS_MAX, arena, &peers, &count));
    for (size_t i = 0; i < count; i++)
        if (!core_is_own(room->core, &peers[i].account))
            member_write(writer, &peers[i].account, &peers[i].device);
    return SOTTO_OK;
}

/* Inside a transaction. Of a room that this device is not in, and does not ask for: nothing. */
static sotto_error one_write(struct room *room, struct arena *arena, sotto_buf *out)
{
    struct store_room row;
    struct writer writer;
    sotto_error error = room_enter(room, arena, &row);
    if (error != SOTTO_OK) /* a group that cannot be read leaves the rest of the backup good */
        return error_is_local(error) ? error : SOTTO_OK;
    if (row.state != STORE_ROOM_ACTIVE && row.state != STORE_ROOM_REJOINING)
        return SOTTO_OK;
    writer_init(&writer, out);
    size_t record = own_record(&writer, OWN_MEMBERS);
    writer_fixed(&writer, sotto_bytes_of(row.room.bytes, ROOM_ID_SIZE));
    size_t opened = writer_open(&writer);
    if (room->group != NULL)
        of_group(room, &writer);
    else
        TRY(of_store(room, arena, &writer));
    writer_close(&writer, opened);
    writer_close(&writer, record);
    return writer_finish(&writer);
}

static sotto_error room_members_write(struct sotto *core, const struct room_id *id, sotto_buf *out)
{
    struct arena arena;
    struct room *room = room_of(core, id);
    if (room == NULL)
        return SOTTO_NO_MEMORY;
    bool loaded = room->group != NULL;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK) {
        error = one_write(room, &arena, out);
        store_rollback(core->store); /* nothing was written: it was for one view of both */
    }
    if (!loaded)
        room_forget_group(room);
    arena_free(&arena);
    return error;
}

sotto_error own_members_write(struct sotto *core, struct arena *arena, struct own_sink *sink)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    TRY(store_rooms(core->store, arena, &rooms, &count));
    for (size_t i = 0; i < count; i++) {
        if (rooms[i].kind == STORE_ROOM_OWN)
            continue;
        TRY(room_members_write(core, &rooms[i].room, &sink->records));
        TRY(own_sink_flush(sink, false));
    }
    return own_sink_flush(sink, true);
}

/* ---- Getting -------------------------------------------------------------------------------- */

sotto_error own_members_read(struct sotto *core, struct reader *reader, struct arena *arena)
{
    struct room_id room;
    struct store_room row;
    struct reader inner;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    reader_enter(reader, &inner, (size_t)MEMBERS_MAX * MEMBER_SIZE, "own.members");
    sotto_error found =
        reader_ok(reader) ? store_room_get(core->store, &room, arena, &row) : reader->fault.error;
    if (found != SOTTO_OK && found != SOTTO_NOT_FOUND)
        return found;
    bool waits = found == SOTTO_OK && rejoin_waits(&row);
    while (reader_more(&inner)) {
        struct account_id account;
        struct device_id device;
        reader_copy(&inner, account.bytes, ACCOUNT_ID_SIZE, "own.member");
        reader_copy(&inner, device.bytes, DEVICE_ID_SIZE, "own.member");
        if (reader_ok(&inner) && waits)
            TRY(store_rejoin_peer_add(core->store, &room, &account, &device));
    }
    reader_leave(reader, &inner, "own.members");
    return reader->fault.error;
}
