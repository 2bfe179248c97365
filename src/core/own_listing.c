/* What one's own devices tell each other about the list of conversations: one record for each thing
 * that a person sets, so that two devices at once overwrite only the same one; the last in the log
 * counts on all of them. */
#include <string.h>

#include "codec/writer.h"
#include "core/listing.h"
#include "base/text.h"

enum {
    OWN_PINNED = 40,
    OWN_SHELF = 41,
    OWN_MUTED = 42,
    OWN_MARKED = 43,
    OWN_DRAFT = 44,
    OWN_ERASED = 45,
    DRAFT_PAUSE_S = 2, /* while it is written on */
};

bool own_listing_is(uint8_t record)
{
    return record >= OWN_PINNED && record <= OWN_ERASED;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static size_t begin(struct writer *writer, sotto_buf *out, uint8_t record,
                    const struct room_id *room)
{
    writer_init(writer, out);
    size_t opened = own_record(writer, record);
    writer_fixed(writer, sotto_bytes_of(room->bytes, ROOM_ID_SIZE));
    return opened;
}

static sotto_error end(struct writer *writer, size_t opened)
{
    writer_close(writer, opened);
    return writer_finish(writer);
}

static sotto_error write_flag(uint8_t record, const struct room_id *room, bool on, sotto_buf *out)
{
    struct writer writer;
    size_t opened = begin(&writer, out, record, room);
    writer_u8(&writer, on);
    return end(&writer, opened);
}

static sotto_error write_muted(const struct store_listing *listing, sotto_buf *out)
{
    struct writer writer;
    size_t opened = begin(&writer, out, OWN_MUTED, &listing->room);
    writer_u64(&writer, listing->muted_s);
    writer_u8(&writer, listing->mentions_muted);
    return end(&writer, opened);
}

static sotto_error write_shelf(const struct store_listing *listing, uint64_t seq, sotto_buf *out)
{
    struct writer writer;
    size_t opened = begin(&writer, out, OWN_SHELF, &listing->room);
    writer_u64(&writer, seq);
    writer_u8(&writer, (uint8_t)listing->shelf);
    return end(&writer, opened);
}

static sotto_error write_draft(const struct store_listing *listing, sotto_buf *out)
{
    struct writer writer;
    size_t opened = begin(&writer, out, OWN_DRAFT, &listing->room);
    writer_u64(&writer, listing->draft_s);
    writer_u8(&writer, listing->draft_markdown);
    writer_vector(&writer, listing->draft_target);
    writer_vector(&writer, listing->draft);
    return end(&writer, opened);
}

sotto_error own_listing_write(const struct store_listing *listing, uint64_t seq, sotto_buf *out)
{
    if (listing->pinned)
        TRY(write_flag(OWN_PINNED, &listing->room, true, out));
    if (listing->muted_s != 0)
        TRY(write_muted(listing, out));
    if (listing->marked)
        TRY(write_flag(OWN_MARKED, &listing->room, true, out));
    if (listing->draft_s != 0)
        TRY(write_draft(listing, out));
    return listing->shelf != STORE_SHELF_LIST ? write_shelf(listing, seq, out) : SOTTO_OK;
}

/* ---- Telling -------------------------------------------------------------------------------- */

/* Queues the record and frees it. */
static sotto_error tell(struct sotto *core, sotto_error error, sotto_buf *record)
{
    if (error == SOTTO_OK)
        error = own_queue(core, NULL, sotto_buf_view(record));
    sotto_buf_free(record);
    return error;
}

sotto_error own_tell_pinned(struct sotto *core, const struct store_listing *listing)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    return tell(core, write_flag(OWN_PINNED, &listing->room, listing->pinned, &record), &record);
}

sotto_error own_tell_muted(struct sotto *core, const struct store_listing *listing)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    return tell(core, write_muted(listing, &record), &record);
}

sotto_error own_tell_marked(struct sotto *core, const struct store_listing *listing)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    return tell(core, write_flag(OWN_MARKED, &listing->room, listing->marked, &record), &record);
}

sotto_error own_tell_shelf(struct sotto *core, const struct store_listing *listing, uint64_t seq)
{
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    return tell(core, write_shelf(listing, seq, &record), &record);
}

sotto_error own_tell_erased(struct sotto *core, const struct room_id *room, uint64_t seq)
{
    struct writer writer;
    sotto_buf record;
    sotto_buf_init(&record, core->env);
    size_t opened = begin(&writer, &record, OWN_ERASED, room);
    writer_u64(&writer, seq);
    return tell(core, end(&writer, opened), &record);
}

/* The outbox rows of a conversation's draft begin so. */
static void draft_name(const struct room_id *room, char out[static 48])
{
    char hex[65];
    core_id_hex(room->bytes, ROOM_ID_SIZE, hex);
    (void)snprintf(out, 48, "draft.%.32s.", hex);
}

sotto_error own_tell_draft(struct sotto *core, const struct store_listing *listing)
{
    char name[48], client_id[STORE_CLIENT_ID_MAX + 1];
    uint32_t unique = 0;
    sotto_buf record;
    draft_name(&listing->room, name);
    TRY(core->env->random(core->env->ctx, (uint8_t *)&unique, sizeof unique));
    (void)snprintf(client_id, sizeof client_id, "%s%08x", name, unique);
    sotto_buf_init(&record, core->env);
    sotto_error error = write_draft(listing, &record);
    if (error == SOTTO_OK)
        error = own_queue_instead(core, name, client_id,
                                  core->patient ? core_now_s(core) + DRAFT_PAUSE_S : 0,
                                  sotto_buf_view(&record));
    sotto_buf_free(&record);
    return error;
}

/* ---- Being told ----------------------------------------------------------------------------- */

/* The row, or a fresh one. */
static sotto_error listing_of(struct sotto *core, const struct room_id *room, struct arena *arena,
                              struct store_listing *listing)
{
    sotto_error error = store_listing_get(core->store, room, arena, listing);
    if (error == SOTTO_NOT_FOUND)
        *listing = (struct store_listing){.room = *room};
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

static void read_shelf(struct sotto *core, struct reader *reader, struct store_listing *listing)
{
    bool came = false;
    uint64_t seq = reader_u64(reader, "own.seq");
    uint8_t shelf = reader_u8(reader, "own.shelf");
    if (shelf > STORE_SHELF_NOWHERE)
        reader_fail(reader, SOTTO_VALUE, "own.shelf");
    bool muted = listing->muted_s > core_now_s(core);
    sotto_error error =
        store_listing_came(core->store, &listing->room, seq, muted, listing->mentions_muted, &came);
    if (error != SOTTO_OK)
        reader_fail(reader, error, "own.shelf");
    else if (!came || shelf == STORE_SHELF_LIST)
        listing->shelf = shelf;
}

static void read_draft(struct reader *reader, struct store_listing *listing)
{
    listing->draft_s = reader_u64(reader, "own.draft_s");
    listing->draft_markdown = reader_u8(reader, "own.draft_markdown") != 0;
    listing->draft_target = reader_vector(reader, CONTENT_ID_SIZE, "own.draft_target");
    listing->draft = reader_vector(reader, SOTTO_DRAFT_MAX, "own.draft");
    if (reader_ok(reader) && (listing->draft_s > INT64_MAX || !text_is_utf8(listing->draft)))
        reader_fail(reader, SOTTO_VALUE, "own.draft");
}

/* Whether a draft of this device's is on its way there: in the log it comes behind the one that is
 * read, and what a person writes just now is not taken back in between. */
static sotto_error draft_waits(struct sotto *core, const struct room_id *room, struct arena *arena,
                               bool *waits)
{
    struct store_room own;
    struct store_outgoing outgoing;
    char name[48];
    draft_name(room, name);
    sotto_error error = own_room(core, arena, &own);
    if (error == SOTTO_OK)
        error = store_outgoing_named_next(core->store, &own.room, name, 0, arena, &outgoing);
    *waits = error == SOTTO_OK;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error own_listing_read(struct sotto *core, uint8_t record, struct reader *reader,
                             struct arena *arena)
{
    struct room_id room;
    struct store_listing listing;
    bool waits = false;
    reader_copy(reader, room.bytes, ROOM_ID_SIZE, "own.room");
    TRY(reader->fault.error);
    TRY(listing_of(core, &room, arena, &listing));
    switch (record) {
    case OWN_PINNED:
        listing.pinned = reader_u8(reader, "own.pinned") != 0;
        break;
    case OWN_SHELF:
        read_shelf(core, reader, &listing);
        break;
    case OWN_MUTED:
        listing.muted_s = reader_u64(reader, "own.muted_s");
        listing.mentions_muted = reader_u8(reader, "own.mentions_muted") != 0;
        if (listing.muted_s > STORE_MUTED_FOR_GOOD)
            reader_fail(reader, SOTTO_VALUE, "own.muted_s");
        break;
    case OWN_MARKED:
        listing.marked = reader_u8(reader, "own.marked") != 0;
        break;
    case OWN_DRAFT:
        read_draft(reader, &listing);
        TRY(draft_waits(core, &room, arena, &waits));
        break;
    case OWN_ERASED: {
        uint64_t seq = reader_u64(reader, "own.seq");
        if (seq > INT64_MAX)
            reader_fail(reader, SOTTO_VALUE, "own.seq");
        TRY(reader->fault.error);
        return listing_erase(core, &room, seq);
    }
    default:
        reader_fail(reader, SOTTO_UNSUPPORTED, "own.record");
    }
    TRY(reader->fault.error);
    return waits ? SOTTO_OK : store_listing_put(core->store, &listing);
}
