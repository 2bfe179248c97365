#include "sotto/sotto.h"
#include "core/store_query.h"

/* ---- Edits and deletions -------------------------------------------------------------------- */

sotto_error store_message_meant(struct store *store, const struct room_id *room,
                                sotto_bytes content_id, struct arena *arena,
                                struct store_message *message)
{
    sotto_error error = store_message_by_content(store, room, content_id, arena, message);
    if (error != SOTTO_NOT_FOUND)
        return error;
    struct query q;
    query_read(&q, store, "SELECT local FROM revision WHERE room = ? AND content_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_bytes(&q, content_id);
    int64_t local = query_next(&q) ? column_i64(&q) : 0;
    TRY(query_end_one(&q));
    return store_message_local(store, local, arena, message);
}

sotto_error store_message_edit(struct store *store, int64_t local, sotto_bytes text, bool markdown,
                               sotto_bytes content, sotto_bytes content_id, uint64_t now_s)
{
    struct query q;
    query_write(&q, store,
                "UPDATE message SET text = ?, markdown = ?, content = ?, edited_s = ?"
                " WHERE local = ?");
    query_utf8(&q, text);
    query_u64(&q, markdown);
    query_bytes(&q, content);
    query_u64(&q, now_s);
    query_i64(&q, local);
    TRY(query_run_one(&q));
    store->scrub = true;
    query_write(&q, store,
                "INSERT INTO revision (room, content_id, local)"
                " SELECT room, ?, local FROM message WHERE local = ? ON CONFLICT DO NOTHING");
    query_bytes(&q, content_id);
    query_i64(&q, local);
    return query_run(&q);
}

static sotto_error erase_reactions(struct store *store, int64_t local)
{
    struct query q;
    query_write(&q, store, "DELETE FROM reaction WHERE local = ?");
    query_i64(&q, local);
    return query_run(&q);
}

sotto_error store_message_erase(struct store *store, int64_t local)
{
    struct query q;
    struct room_id room = {0};
    bool unread = false;
    query_read(&q, store, "SELECT room, unread FROM message WHERE local = ?");
    query_i64(&q, local);
    if (query_next(&q)) {
        column_fixed(&q, room.bytes, sizeof room.bytes);
        unread = column_bool(&q);
    }
    TRY(query_end_one(&q));
    TRY(erase_reactions(store, local));
    query_write(&q, store,
                "UPDATE message SET kind = ?, text = '', content = x'', target = x'',"
                " edited_s = 0, markdown = 0, unread = 0, owed = 0 WHERE local = ?");
    query_u64(&q, SOTTO_KIND_DELETED);
    query_i64(&q, local);
    TRY(query_run(&q));
    store->scrub = true;
    return unread ? store_event_add(store, SOTTO_EVENT_CONVERSATION, room.bytes) : SOTTO_OK;
}

sotto_error store_message_mention(struct store *store, int64_t local, bool mentions_self)
{
    struct query q;
    query_write(&q, store, "UPDATE message SET mention = ?1 WHERE local = ?2 AND mention <> ?1");
    query_u64(&q, mentions_self);
    query_i64(&q, local);
    return query_run(&q);
}

/* ---- Reactions ------------------------------------------------------------------------------ */

sotto_error store_reaction_put(struct store *store, int64_t local,
                               const struct store_reaction *reaction)
{
    struct query q;
    query_write(&q, store,
                "INSERT INTO reaction (local, sender, content_id, text, time_s)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (local, sender) DO UPDATE"
                " SET content_id = excluded.content_id, text = excluded.text,"
                " time_s = excluded.time_s");
    query_i64(&q, local);
    query_fixed(&q, reaction->sender.bytes, sizeof reaction->sender.bytes);
    query_bytes(&q, reaction->content_id);
    query_utf8(&q, reaction->text);
    query_u64(&q, reaction->time_s);
    return query_run(&q);
}

sotto_error store_reaction_erase(struct store *store, const struct room_id *room,
                                 const struct account_id *sender, sotto_bytes content_id)
{
    struct query q;
    query_write(&q, store,
                "DELETE FROM reaction WHERE content_id = ? AND sender = ?"
                " AND (SELECT room FROM message WHERE message.local = reaction.local) = ?");
    query_bytes(&q, content_id);
    query_fixed(&q, sender->bytes, sizeof sender->bytes);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    TRY(query_run_one(&q));
    store->scrub = true;
    return SOTTO_OK;
}

sotto_error store_reactions(struct store *store, int64_t local, struct arena *arena,
                            struct store_reaction **reactions, size_t *count)
{
    struct query q;
    struct rows rows = {.arena = arena, .size = sizeof **reactions};
    query_read(&q, store,
               "SELECT sender, content_id, text, time_s FROM reaction WHERE local = ?"
               " ORDER BY time_s, sender");
    query_i64(&q, local);
    while (query_next(&q)) {
        struct store_reaction *row = rows_add(&rows, &q);
        if (row == NULL)
            continue;
        column_fixed(&q, row->sender.bytes, sizeof row->sender.bytes);
        row->content_id = column_bytes(&q, arena);
        row->text = column_bytes(&q, arena);
        row->time_s = column_u64(&q);
    }
    TRY(query_end(&q));
    *reactions = (void *)rows.data;
    *count = rows.count;
    return SOTTO_OK;
}

/* ---- One's own changes ---------------------------------------------------------------------- */

sotto_error store_change_add(struct store *store, const struct room_id *room, const char *client_id)
{
    struct query q;
    query_write(&q, store, "INSERT INTO change (room, client_id, state, seq) VALUES (?, ?, ?, 0)");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    query_u64(&q, STORE_MESSAGE_WAITING);
    return query_run(&q);
}

sotto_error store_change_end(struct store *store, const struct room_id *room, const char *client_id,
                             enum store_message_state state, uint64_t seq)
{
    struct query q;
    query_write(&q, store, "UPDATE change SET state = ?, seq = ? WHERE room = ? AND client_id = ?");
    query_u64(&q, state);
    query_u64(&q, seq);
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    return query_run_one(&q);
}

sotto_error store_change_get(struct store *store, const struct room_id *room, const char *client_id,
                             enum store_message_state *state, uint64_t *seq)
{
    struct query q;
    query_read(&q, store, "SELECT state, seq FROM change WHERE room = ? AND client_id = ?");
    query_fixed(&q, room->bytes, sizeof room->bytes);
    query_text(&q, client_id);
    uint32_t found = STORE_MESSAGE_WAITING;
    uint64_t at = 0;
    if (query_next(&q)) {
        found = column_between(&q, STORE_MESSAGE_SENT, STORE_MESSAGE_FAILED);
        at = column_u64(&q);
    }
    TRY(query_end_one(&q));
    *state = (enum store_message_state)found;
    *seq = at;
    return SOTTO_OK;
}
