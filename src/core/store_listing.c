#include "core/store_query.h"

/* ---- Rows ----------------------------------------------------------------------------------- */

sotto_error store_listing_get(struct store *store, const struct room_id *room, struct arena *arena,
                              struct store_listing *listing)
{
    struct query q;
    struct store_listing found = {.room = *room};
    query_read(&q, store,
               "SELECT unread, mentions, last, shelf, pinned, marked, muted_s, mentions_muted,"
               " draft, draft_markdown, draft_target, draft_s FROM listing WHERE room = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    if (query_next(&q)) {
        found.unread = column_u32(&q);
        found.mentions = column_u32(&q);
        found.last = column_i64(&q);
        found.shelf = column_between(&q, STORE_SHELF_LIST, STORE_SHELF_NOWHERE);
        found.pinned = column_bool(&q);
        found.marked = column_bool(&q);
        found.muted_s = column_u64(&q);
        found.mentions_muted = column_bool(&q);
        found.draft = column_bytes(&q, arena);
        found.draft_markdown = column_bool(&q);
        found.draft_target = column_bytes(&q, arena);
        found.draft_s = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *listing = found;
    return SOTTO_OK;
}

sotto_error store_listing_put(struct store *store, const struct store_listing *listing)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO listing (shelf, pinned, marked, muted_s, mentions_muted, draft,"
                " draft_markdown, draft_target, draft_s, room)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room) DO UPDATE SET"
                " shelf = excluded.shelf, pinned = excluded.pinned, marked = excluded.marked,"
                " muted_s = excluded.muted_s, mentions_muted = excluded.mentions_muted,"
                " draft = excluded.draft, draft_markdown = excluded.draft_markdown,"
                " draft_target = excluded.draft_target, draft_s = excluded.draft_s");
    query_u64(&q, listing->shelf);
    query_u64(&q, listing->pinned);
    query_u64(&q, listing->marked);
    query_u64(&q, listing->muted_s);
    query_u64(&q, listing->mentions_muted);
    query_utf8(&q, listing->draft);
    query_u64(&q, listing->draft_markdown);
    query_bytes(&q, listing->draft_target);
    query_u64(&q, listing->draft_s);
    query_fixed(&q, listing->room.bytes, sizeof listing->room.bytes);
    return query_run(&q);
}

/* ---- The list ------------------------------------------------------------------------------- */

sotto_error store_listing_rooms(struct store *store, enum store_shelf shelf, uint64_t offset,
                                uint64_t limit, struct arena *arena, struct room_id **rooms,
                                size_t *count)
{
    struct query q;
    query_read(&q, store,
               "SELECT room FROM listing WHERE shelf = ? AND here"
               " ORDER BY pinned DESC, active_s DESC, last DESC LIMIT ? OFFSET ?");
    query_u64(&q, shelf);
    query_u64(&q, limit);
    query_u64(&q, offset);
    return query_end_rooms(&q, arena, rooms, count);
}

sotto_error store_listing_count(struct store *store, enum store_shelf shelf, uint64_t *count)
{
    struct query q;
    query_read(&q, store, "SELECT count(*) FROM listing WHERE shelf = ? AND here");
    query_u64(&q, shelf);
    uint64_t found = query_next(&q) ? column_u64(&q) : 0;
    TRY(query_end(&q));
    *count = found;
    return SOTTO_OK;
}

sotto_error store_listing_came(struct store *store, const struct room_id *room, uint64_t seq,
                               bool muted, bool mentions_muted, bool *came)
{
    struct query q;
    query_read(&q, store,
               "SELECT EXISTS (SELECT 1 FROM message WHERE room = ? AND seq > ?"
               " AND part < 2147483648" /* STORE_PART_IMPORTED */
               " AND kind IN (1, 3, 9)" /* SOTTO_KIND_TEXT, SOTTO_KIND_NEWER, SOTTO_KIND_FILE */
               " AND (own OR NOT ? OR (mention AND NOT ?)))");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    query_u64(&q, muted);
    query_u64(&q, mentions_muted);
    bool found = query_next(&q) && column_bool(&q);
    TRY(query_end(&q));
    *came = found;
    return SOTTO_OK;
}

/* ---- Erasing -------------------------------------------------------------------------------- */

sotto_error store_erasing_put(struct store *store, const struct room_id *room, uint64_t seq)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO erasing (room, seq) VALUES (?, ?) ON CONFLICT (room)"
                " DO UPDATE SET seq = max(seq, excluded.seq)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    TRY(query_run(&q));
    return store_early_clear(store, room, seq);
}

sotto_error store_erasing_next(struct store *store, struct room_id *room, uint64_t *seq)
{
    struct query q;
    struct room_id found = {{0}};
    uint64_t up_to = 0;
    query_read(&q, store, "SELECT room, seq FROM erasing LIMIT 1");
    if (query_next(&q)) {
        column_fixed(&q, found.bytes, sizeof found.bytes);
        up_to = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *room = found;
    *seq = up_to;
    return SOTTO_OK;
}

sotto_error store_erasing_step(struct store *store, const struct room_id *room, uint64_t seq,
                               uint32_t limit, bool *done)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM message WHERE local IN (SELECT local FROM message WHERE room = ?"
                " AND position IS NOT NULL AND +seq <= ?" /* by position: no other index */
                " ORDER BY position DESC LIMIT ?)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    query_u64(&q, limit);
    TRY(query_run(&q));
    uint32_t erased = (uint32_t)sqlite3_changes(store->db);
    store->scrub = true;
    *done = erased < limit;
    if (!*done)
        return SOTTO_OK;
    query_write(&q, store, "DELETE FROM erasing WHERE room = ? AND seq <= ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, seq);
    return query_run(&q);
}

sotto_error store_waiting_erase(struct store *store, const struct room_id *room,
                                const char *client_id)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM message WHERE room = ? AND client_id = ? AND position IS NULL");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    store->scrub = true;
    return query_run_one(&q);
}

sotto_error store_failed_erase(struct store *store, const struct room_id *room)
{
    struct query q;
    query_write(&q, store, "DELETE FROM message WHERE room = ? AND position IS NULL AND state = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_u64(&q, STORE_MESSAGE_FAILED);
    store->scrub = true;
    return query_run(&q);
}
