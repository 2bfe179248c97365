/* Deleting the account, so that nothing is left of it but what others were told.
 *
 *     BEGUN   every room has in its outbox: the statement that the account is no more, then leaving
 *             the outboxes are sent; files at relays go likewise; the account at its relay goes
 *     GONE    nothing is left anywhere else: the profile is wiped (store_wipe.h)
 *
 * One's own other devices hear the statement and are GONE at once. A stage is never taken back, and
 * each step may be done twice, so that the same call goes on after a kill. */
#include <string.h>

#include "core/account.h"
#include "core/meeting.h"
#include "core/statement.h"
#include "core/store_wipe.h"

#define STAGE "account.ending"
enum stage { STAGE_NONE, STAGE_BEGUN, STAGE_GONE };

/* ---- Where it stands ------------------------------------------------------------------------- */

static sotto_error stage_get(struct sotto *core, uint64_t *stage)
{
    return store_number_get(core->store, STAGE, stage);
}

static sotto_error stage_put(struct sotto *core, enum stage stage)
{
    TRY(store_begin(core->store));
    sotto_error error = store_number_put(core->store, STAGE, stage);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

sotto_error account_ending(struct sotto *core)
{
    uint64_t stage = 0;
    sotto_error error = stage_get(core, &stage);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the profile");
    if (stage == STAGE_NONE)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_ACCOUNT_DELETED,
                       "To go on with it: sotto account delete --yes",
                       "This account is being deleted.");
}

sotto_error account_told_end(struct sotto *core)
{
    return store_number_put(core->store, STAGE, STAGE_GONE);
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Nothing of it stays in memory, and nothing goes on. */
static void forget(struct sotto *core)
{
    core->wiped = true;
    core->inbox.wanted = core->inbox.want_envelopes = false;
    net_close(core);
    room_free_all(core);
    (void)core_load_profile(core);
}

static sotto_error wipe_profile(struct sotto *core)
{
    bool wiped = false;
    TRY(store_begin(core->store));
    sotto_error error = store_is_wiped(core->store, &wiped);
    if (error == SOTTO_OK && !wiped)
        error = store_wipe(core->store);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return error;
    }
    store_scrub(core->store, true);
    forget(core);
    return SOTTO_OK;
}

sotto_error account_end_check(struct sotto *core)
{
    uint64_t stage = 0;
    bool wiped = false;
    sotto_error error = store_is_wiped(core->store, &wiped);
    if (error == SOTTO_OK && !wiped)
        error = stage_get(core, &stage);
    if (error == SOTTO_OK && stage == STAGE_GONE)
        error = wipe_profile(core);
    else if (error == SOTTO_OK && wiped && !core->wiped)
        forget(core);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "erasing the profile");
    if (!wiped && stage != STAGE_GONE)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_REMOVED, SOTTO_CODE_ACCOUNT_DELETED,
                       "Nothing of it is left here. To begin anew: sotto register",
                       "This account was deleted, on this device or on another one of yours.");
}

/* ---- Rooms ----------------------------------------------------------------------------------- */

/* Inside a transaction. The number is behind every manifest's, and every move's. */
static sotto_error begin_in(struct sotto *core, struct arena *arena)
{
    struct manifest manifest;
    bool found = false;
    sotto_buf statement;
    TRY(manifest_newest(core, &core->identity.account, arena, &manifest, &found));
    uint64_t number = (found ? manifest.number : 0) + 1;
    sotto_buf_init(&statement, core->env);
    sotto_error error = statement_make(core, STATEMENT_DELETED, number, "", &statement);
    if (error == SOTTO_OK)
        error = statement_heard(core, &core->identity.account, number);
    if (error == SOTTO_OK)
        error = statement_tell_all(core, sotto_buf_view(&statement), number);
    if (error == SOTTO_OK)
        error = store_blobs_end(core->store, core_now_s(core)); /* files that lie at relays */
    if (error == SOTTO_OK)
        error = store_number_put(core->store, STAGE, STAGE_BEGUN);
    sotto_buf_free(&statement);
    return error;
}

static sotto_error begin(struct sotto *core)
{
    struct arena arena;
    uint64_t stage = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = stage_get(core, &stage);
    if (error == SOTTO_OK && stage == STAGE_NONE)
        error = begin_in(core, &arena);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    arena_free(&arena);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "saying farewell");
}

/* Leaves all but the room of one's own devices, where the statement is what they have to read.
 * *left: how many are not left yet, or have not told. */
static sotto_error rooms_leave(struct sotto *core, bool ask, uint32_t *left)
{
    struct arena arena;
    struct store_room *rooms = NULL;
    size_t count = 0;
    *left = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the conversations");
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct sotto_id id;
        uint32_t owed = 0;
        if (rooms[i].state != STORE_ROOM_ACTIVE && rooms[i].state != STORE_ROOM_CREATING)
            continue;
        memcpy(id.bytes, rooms[i].room.bytes, ROOM_ID_SIZE);
        if (rooms[i].kind == STORE_ROOM_OWN) {
            (void)store_outgoing_count(core->store, &rooms[i].room, STORE_OUT_ENTRIES, &owed);
            *left += owed > 0;
            continue;
        }
        ++*left;
        if (ask)
            error = sotto_group_leave(core, &id);
    }
    arena_free(&arena);
    return error;
}

static sotto_error leave_all(struct sotto *core, bool force)
{
    uint32_t left = 0;
    TRY(rooms_leave(core, true, &left));
    sotto_error error = left > 0 ? sotto_settle(core, NULL) : SOTTO_OK;
    if (error != SOTTO_OK && (error_is_local(error) || !force))
        return error;
    TRY(rooms_leave(core, false, &left));
    if (left == 0 || force)
        return SOTTO_OK;
    return problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                       "Run the command again. With --force those are left as they are: their "
                       "members will go on seeing you in them.",
                       "%u conversations could not be left yet.", left);
}

/* ---- The relay ------------------------------------------------------------------------------- */

/* Whether the relay says that it has no such account. Or it has a newer manifest of it than those
 * that it was given: it is the relay where the account is now, by another address. */
static bool is_gone(struct sotto *core, const char *relay, uint64_t number)
{
    struct meeting_answer answer = {0};
    struct message message;
    struct manifest manifest;
    struct arena arena;
    struct sotto_problem problem = core->problem;
    sotto_fault fault;
    arena_init(&arena, core->env);
    sotto_buf_init(&answer.bytes, core->env);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_GET_MANIFEST;
    message.get_manifest.account = core->identity.account;
    sotto_error error =
        meeting_ask(core, net_conn(core, relay, CONNECTION_ROOM), &message, &answer);
    bool gone = error == SOTTO_REFUSED && answer.code == WIRE_CODE_NO_ACCOUNT;
    if (error == SOTTO_OK)
        gone =
            manifest_read(sotto_buf_view(&answer.bytes), &arena, &manifest, &fault) == SOTTO_OK &&
            memcmp(manifest.account_key, core->identity.account_key, SIGN_KEY_SIZE) == 0 &&
            manifest.number >= number;
    sotto_buf_free(&answer.bytes);
    arena_free(&arena);
    core->problem = problem;
    return gone;
}

/* One run of the account connection for that alone. *gone: the account is not there now. */
static sotto_error run_at(struct sotto *core, const struct inbox_place *place, uint64_t number,
                          bool fetch, bool *gone)
{
    struct inbox *inbox = &core->inbox;
    bool patient = core->patient;
    core->patient = false;
    inbox_reset(core);
    if (place != NULL)
        inbox_sign_in_anew(core);
    inbox->place = place;
    inbox->deleted = inbox->visited = false;
    inbox->wanted = true;
    inbox->visiting = fetch;
    inbox->deleting = !fetch;
    sotto_error error = run_until_settled(core);
    bool done = inbox->deleted || inbox->visited;
    *gone = inbox->deleted;
    inbox->visited = false;
    inbox->wanted = inbox->visiting = inbox->deleting = inbox->deleted = false;
    inbox->place = NULL;
    if (place != NULL) {
        inbox_reset(core);
        inbox_sign_in_anew(core);
    }
    core->patient = patient;
    /* An earlier run did it, and was killed before it could note that; or was only this device
     * removed? */
    if (!done && error != SOTTO_OK &&
        (core->problem.code == SOTTO_CODE_SIGN_IN_FAILED ||
         core->problem.code == SOTTO_CODE_WITHDRAWN))
        *gone = is_gone(core, place != NULL ? place->relay : core->profile.relay, number);
    if (done || *gone)
        return SOTTO_OK;
    return error != SOTTO_OK ? error
                             : problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                                           "Run the command again: it goes on where it stopped.",
                                           "The relay did not answer in time.");
}

sotto_error account_end_at(struct sotto *core, const struct inbox_place *place, uint64_t number,
                           bool fetch)
{
    bool gone = false;
    return run_at(core, place, number, fetch, &gone);
}

sotto_error account_look_at(struct sotto *core, const struct inbox_place *place, uint64_t number,
                            bool *gone)
{
    BUG_UNLESS(place->only_fetch);
    return run_at(core, place, number, true, gone);
}

/* ---- */

static sotto_error delete_all(struct sotto *core, bool force)
{
    TRY(account_need_key(core));
    TRY(begin(core));
    TRY(leave_all(core, force));
    TRY(account_move_abandon(core, force));
    TRY(account_end_at(core, NULL, UINT64_MAX, false));
    sotto_error error = stage_put(core, STAGE_GONE);
    if (error == SOTTO_OK)
        error = wipe_profile(core);
    return error == SOTTO_OK ? SOTTO_OK : core_store_problem(core, error, "erasing the profile");
}

sotto_error sotto_account_delete(struct sotto *core, bool force)
{
    core->ending = true; /* what it takes is not refused */
    sotto_error error = delete_all(core, force);
    core->ending = false;
    return core->wiped ? SOTTO_OK : error; /* also: another process, or an earlier run, did it */
}
