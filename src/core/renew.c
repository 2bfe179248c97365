#include "core/renew.h"

#include <string.h>

#define OUT_RENEW "renew"

static const uint64_t day_s = 86400;

sotto_error renew_done(struct sotto *core, const struct room_id *room, uint32_t members,
                       uint64_t seq)
{
    uint64_t entries = (uint64_t)RENEW_ENTRIES_A_DEVICE * members;
    if (entries < RENEW_ENTRIES)
        entries = RENEW_ENTRIES;
    struct store_renewal renewal = {
        .due_s = core_now_s(core) + (RENEW_DAYS - RENEW_SPREAD_DAYS) * day_s +
                 net_jitter(core, RENEW_SPREAD_DAYS * day_s),
        .due_seq = seq + entries - net_jitter(core, entries / 4),
    };
    return store_renewal_put(core->store, room, &renewal);
}

/* A clock that was wrong when the time was set does not put it off for long. */
static bool is_due(struct sotto *core, const struct store_renewal *renewal,
                   const struct store_room *row)
{
    uint64_t now = core_now_s(core);
    return row->next_seq > renewal->due_seq || now >= renewal->due_s ||
           renewal->due_s > now + (RENEW_DAYS + 2) * day_s;
}

/* In one transaction. */
static sotto_error renew(struct room *room, bool *queued)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room row;
    struct store_renewal renewal;
    struct commit_intent intent;
    arena_init(&arena, core->env);
    memset(&intent, 0, sizeof intent);
    intent.action = COMMIT_UPDATE;
    sotto_error error = room_enter(room, &arena, &row);
    if (error == SOTTO_OK && row.state == STORE_ROOM_ACTIVE) {
        uint32_t members = sotto_mls_member_count(room->group);
        error = store_renewal_get(core->store, &room->id, &renewal);
        if (error == SOTTO_NOT_FOUND) /* the room is new here */
            error = renew_done(core, &room->id, members, row.next_seq - 1);
        else if (error == SOTTO_OK && members > 1 && is_due(core, &renewal, &row)) {
            /* Those whose numbers came together do not jump together. */
            uint64_t pause = core->patient ? net_jitter(core, members < 300 ? members : 300) : 0;
            error = commit_queue(core, &room->id, &intent, OUT_RENEW,
                                 pause > 0 ? core_now_s(core) + pause : 0);
            *queued = error == SOTTO_OK;
            if (error == SOTTO_EXISTS)
                error = SOTTO_OK; /* it waits already */
        }
    }
    arena_free(&arena);
    return error;
}

bool renew_if_due(struct room *room, const struct store_room *row)
{
    struct sotto *core = room->core;
    struct store_renewal renewal;
    bool queued = false;
    sotto_error error = store_renewal_get(core->store, &room->id, &renewal);
    if (error == SOTTO_OK && !is_due(core, &renewal, row))
        return false;
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = renew(room, &queued);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "renewing keys");
    }
    return queued && error == SOTTO_OK;
}
