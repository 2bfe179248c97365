/* This machine's clock against its relay's. Nothing is decided by it, for the relay may lie: a
 * person is told, whose timers and invitations end at other times than they think. */
#include "core/internal.h"

#define AHEAD "clock.ahead"
#define BEHIND "clock.behind"

static sotto_error clock_put(struct sotto *core, uint64_t ahead, uint64_t behind)
{
    TRY(store_begin(core->store));
    sotto_error error = store_number_put(core->store, AHEAD, ahead);
    if (error == SOTTO_OK)
        error = store_number_put(core->store, BEHIND, behind);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

void clock_told(struct sotto *core, uint64_t relay_s)
{
    uint64_t now = core_now_s(core);
    uint64_t ahead = now > relay_s + SOTTO_CLOCK_OFF ? now - relay_s : 0;
    uint64_t behind = relay_s > now + SOTTO_CLOCK_OFF ? relay_s - now : 0;
    int64_t before = 0;
    if (clock_off(core, &before) != SOTTO_OK || ahead > INT64_MAX || behind > INT64_MAX)
        return;
    int64_t off = ahead > 0 ? (int64_t)ahead : -(int64_t)behind;
    int64_t change = off > before ? off - before : before - off;
    if (change > 60) /* what runs is no news; a failure: the next connection tells again */
        (void)clock_put(core, ahead, behind);
}

sotto_error clock_off(struct sotto *core, int64_t *off_s)
{
    uint64_t ahead = 0, behind = 0;
    TRY(store_number_get(core->store, AHEAD, &ahead));
    TRY(store_number_get(core->store, BEHIND, &behind));
    *off_s = ahead > 0 ? (int64_t)ahead : -(int64_t)behind;
    return SOTTO_OK;
}
