#include "core/leaving.h"

#include <string.h>

enum { LEAVING_S = 30 * 86400 }; /* then the relay has forgotten what it would be read from */

static sotto_error row_get(struct sotto *core, const struct room_id *room, struct arena *arena,
                           struct store_outgoing *out)
{
    return store_outgoing_by_client(core->store, room, OUT_LEAVE, arena, out);
}

sotto_error leaving_said(struct room *room, struct store_room *row, int64_t id, struct arena *arena)
{
    struct sotto *core = room->core;
    struct store_outgoing out;
    TRY(store_outgoing_get(core->store, id, arena, &out));
    out.state = STORE_OUT_SAID;
    if (row->state == STORE_ROOM_LEFT)
        return store_outgoing_put(core->store, &out);
    row->state = STORE_ROOM_LEFT;
    TRY(room_fail_outbox(core, &room->id));
    return store_outgoing_add(core->store, &out, &(int64_t){0});
}

sotto_error leaving_goes_on(struct sotto *core, const struct room_id *room, bool *goes_on)
{
    struct arena arena;
    struct store_outgoing out;
    arena_init(&arena, core->env);
    sotto_error error = row_get(core, room, &arena, &out);
    arena_free(&arena);
    *goes_on = error == SOTTO_OK;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error leaving_forget(struct sotto *core, const struct room_id *room)
{
    struct arena arena;
    struct store_outgoing out;
    arena_init(&arena, core->env);
    sotto_error error = row_get(core, room, &arena, &out);
    if (error == SOTTO_OK)
        error = store_outgoing_erase(core->store, out.id);
    if (error == SOTTO_OK || error == SOTTO_NOT_FOUND)
        error = store_records_clear(core->store, room);
    arena_free(&arena);
    return error;
}

sotto_error leaving_end(struct room *room)
{
    room_forget_group(room);
    return leaving_forget(room->core, &room->id);
}

/* Still in, in another epoch: what was asked is void. */
static sotto_error ask_again(struct room *room, struct arena *arena)
{
    struct store_outgoing out;
    sotto_error error = row_get(room->core, &room->id, arena, &out);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    out.state = STORE_OUT_WANTED;
    out.bytes = sotto_bytes_of(NULL, 0);
    return store_outgoing_put(room->core->store, &out);
}

static bool removes_anybody(const sotto_mls_staged *staged)
{
    size_t count = sotto_mls_staged_count(staged);
    for (size_t i = 0; i < count; i++) {
        sotto_mls_proposal proposal;
        uint32_t proposer;
        if (sotto_mls_staged_proposal(staged, i, &proposal, &proposer) == SOTTO_OK &&
            proposal.type == SOTTO_MLS_REMOVE)
            return true;
    }
    return false;
}

/* Whether a commit may be made is for those to judge who stay. */
static sotto_error commit_follow(struct room *room, struct store_room *row, struct arena *arena,
                                 const struct entry *entry)
{
    sotto_mls_received received;
    memset(&received, 0, sizeof received);
    sotto_error error = sotto_mls_process(room->group, entry->bytes, &received);
    bool local = error_is_local(error);
    bool in = error == SOTTO_OK && received.kind == SOTTO_MLS_RECEIVED_COMMIT &&
              !sotto_mls_staged_removes_self(received.staged);
    if (in) {
        bool removes = removes_anybody(received.staged);
        sotto_mls_staged_apply(room->group, received.staged);
        received.staged = NULL;
        error = removes ? room_read_token(room, row) : SOTTO_OK;
    }
    sotto_mls_received_clear(&received);
    if (in && error == SOTTO_OK)
        return ask_again(room, arena);
    return in || local ? error : leaving_end(room);
}

sotto_error leaving_entry(struct room *room, struct store_room *row, struct arena *arena,
                          const struct entry *entry)
{
    struct store_outgoing out;
    if (room->group == NULL || entry->seq < row->next_seq)
        return SOTTO_OK;
    if (entry->seq > row->next_seq || entry->epoch != sotto_mls_epoch(room->group))
        return leaving_end(room);
    row->next_seq = entry->seq + 1;
    if (entry->kind == ENTRY_COMMIT)
        return commit_follow(room, row, arena, entry);
    sotto_error error =
        store_outgoing_by_request(room->core->store, &room->id, &entry->append_id, arena, &out);
    if (error == SOTTO_OK && out.kind == STORE_OUT_LEAVE && out.state == STORE_OUT_READY)
        return leaving_said(room, row, out.id, arena); /* the answer was lost */
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

static sotto_error end_if_old(struct room *room, struct arena *arena, bool *over)
{
    struct sotto *core = room->core;
    struct store_outgoing out;
    struct store_room row;
    sotto_error error = row_get(core, &room->id, arena, &out);
    *over = error == SOTTO_NOT_FOUND;
    if (error != SOTTO_OK)
        return *over ? SOTTO_OK : error;
    *over = out.created_s + LEAVING_S < core_now_s(core);
    if (!*over)
        return SOTTO_OK;
    TRY(store_begin(core->store));
    error = leaving_end(room);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &room->id, arena, &row);
    if (error == SOTTO_OK)
        error = room_save(room, &row);
    if (error == SOTTO_OK)
        return store_commit(core->store);
    room_abort(room);
    return error;
}

bool leaving_look(struct room *room)
{
    struct arena arena;
    bool over = false;
    arena_init(&arena, room->core->env);
    sotto_error error = end_if_old(room, &arena, &over);
    arena_free(&arena);
    if (error != SOTTO_OK)
        room_local_failure(room, error, "leaving the conversation");
    return error == SOTTO_OK && !over;
}
