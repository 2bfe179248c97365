/* Messages that disappear: erased when their time has come, also by whoever opens the profile next.
 */
#include <string.h>

#include "core/downloads.h"
#include "core/groups.h"
#include "core/listing.h"

enum {
    SWEEP_EVERY_MS = 500,
    ERASE_MS = 50,
    BLOB_GRACE_S = 7 * 86400, /* for those who read later, and whose clock starts then */
};

sotto_error expire_sweep(struct sotto *core)
{
    bool due = false;
    uint64_t now = core_now_s(core);
    downloads_sweep(core); /* of what went before */
    TRY(store_messages_due(core->store, now, &due));
    if (!due)
        TRY(store_early_due(core->store, now, &due));
    if (!due)
        return SOTTO_OK;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_blobs_expire(core->store, now, BLOB_GRACE_S);
    if (error == SOTTO_OK)
        error = store_messages_expire(core->store, now);
    if (error == SOTTO_OK)
        error = store_early_expire(core->store, now);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    else {
        store_scrub(core->store, false);
        downloads_sweep(core);
    }
    return error;
}

void expire_sweep_now_and_then(struct sotto *core)
{
    if (net_now_ms(core) - core->swept_ms < SWEEP_EVERY_MS)
        return;
    core->swept_ms = net_now_ms(core);
    (void)expire_sweep(core); /* else the next time */
    bool more = true;
    while (more && net_now_ms(core) - core->swept_ms < ERASE_MS)
        if (listing_erase_some(core, &more) != SOTTO_OK)
            return;
    if (more)
        core->swept_ms = 0; /* go on at the next turn */
}

sotto_error sotto_set_timer(struct sotto *core, const struct sotto_id *conversation,
                            uint32_t seconds)
{
    struct arena arena;
    struct store_room row;
    TRY(core_need_account(core));
    if (seconds > SOTTO_TIMER_MAX)
        return problem_set(&core->problem, SOTTO_LIMIT, SOTTO_CODE_USAGE, "Choose a shorter time.",
                           "Messages disappear after %u days at most.", SOTTO_TIMER_MAX / 86400);
    struct room *room = NULL;
    sotto_bytes settings;
    arena_init(&arena, core->env);
    sotto_error error = groups_begin(core, conversation, &arena, &room, &row);
    if (error != SOTTO_OK)
        goto out;
    if (sotto_mls_context_extension(room->group, SETTINGS_EXTENSION, &settings) == SOTTO_OK) {
        struct settings_change change = {.what = SETTINGS_TIMER, .value = seconds};
        error = room_settings_queue(room, &change);
        if (error == SOTTO_OK) /* what one writes meanwhile has it already */
            error = store_room_timer_put(core->store, &row.room, seconds);
        if (error != SOTTO_OK)
            store_rollback(core->store);
        else
            error = groups_finish(core, error, "saving the setting");
    } else /* of an earlier version: one's own alone */
        error = groups_finish(core, store_room_timer_put(core->store, &row.room, seconds),
                              "saving the setting");
out:
    arena_free(&arena);
    return error;
}
