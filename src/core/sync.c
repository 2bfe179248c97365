/* Running: the loop that steps the account connection and the rooms until all is settled, or, for a
 * listener, until it is told to stop. */
#include <string.h>

#include "core/account.h"
#include "core/downloads.h"
#include "core/listing.h"
#include "core/notices.h"
#include "core/order_log.h"
#include "core/typing.h"
#include "core/successor.h"

enum {
    TICK_MS = 250,      /* how often a listener looks whether another process stored something */
    TIDY_MS = 60000,    /* how often a server looks whether there is something to tidy */
    ENDING_MS = 30000,  /* how often a server tries to end a deletion */
    REST_MS = 5000,     /* for so long it leaves one to whoever began it */
    LISTEN_BATCH = 100, /* messages given to a listener at once */
};

/* ---- What is in scope ---- */

static bool is_among(const struct room_id *rooms, size_t count, const struct room_id *room)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(rooms[i].bytes, room->bytes, ROOM_ID_SIZE) == 0)
            return true;
    return false;
}

static sotto_error scope_set(struct sotto *core, const struct sotto_id *only)
{
    struct arena arena;
    struct store_room *rooms = NULL;
    struct room_id *owing = NULL;
    size_t count = 0, owing_count = 0;
    for (struct room *room = core->rooms; room != NULL; room = room->next)
        room->in_scope = false;
    arena_init(&arena, core->env);
    sotto_error error = store_rooms(core->store, &arena, &rooms, &count);
    if (error == SOTTO_OK)
        error = store_outgoing_rooms(core->store, &arena, &owing, &owing_count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        if (only != NULL && memcmp(only->bytes, rooms[i].room.bytes, ROOM_ID_SIZE) != 0)
            continue;
        if (!store_room_alive(rooms[i].state) && !is_among(owing, owing_count, &rooms[i].room))
            continue;
        struct room *room = room_of(core, &rooms[i].room);
        if (room == NULL)
            error = SOTTO_NO_MEMORY;
        if (error != SOTTO_OK)
            break;
        room->in_scope = room->wake = true;
        room->progress = ROOM_BUSY;
        room->silences = 0;
        problem_clear(&room->problem);
    }
    arena_free(&arena);
    return error;
}

/* Rooms that were made, or came to life, whoever did that; nothing where none did. */
static void scope_rooms(struct sotto *core, struct arena *arena)
{
    struct store_room *rooms = NULL;
    size_t count = 0;
    uint64_t number = 0;
    if (store_number_get(core->store, "rooms", &number) != SOTTO_OK || number == core->scoped ||
        store_rooms(core->store, arena, &rooms, &count) != SOTTO_OK)
        return;
    core->scoped = number;
    for (size_t i = 0; i < count; i++) {
        if (!store_room_alive(rooms[i].state))
            continue;
        struct room *room = room_of(core, &rooms[i].room);
        if (room != NULL && !room->in_scope)
            room->in_scope = room->wake = true;
    }
}

/* After every change: a listener finds new rooms, and wakes those that owe something. */
static void scope_refresh(struct sotto *core)
{
    struct arena arena;
    struct room_id *owing = NULL;
    size_t owing_count = 0;
    arena_init(&arena, core->env);
    scope_rooms(core, &arena);
    if (store_outgoing_rooms(core->store, &arena, &owing, &owing_count) != SOTTO_OK)
        owing_count = 0;
    for (size_t i = 0; i < owing_count; i++) {
        struct room *room = room_of(core, &owing[i]);
        if (room != NULL)
            room->in_scope = room->wake = true;
    }
    if (store_receipts_rooms(core->store, &arena, &owing, &owing_count) != SOTTO_OK)
        owing_count = 0;
    for (size_t i = 0; i < owing_count; i++) {
        struct room *room = room_of(core, &owing[i]);
        if (room != NULL && room->in_scope)
            room->wake = true;
    }
    uint64_t newest = 0; /* of lists of devices: each room looks who is in it */
    if (store_manifest_changes(core->store, &newest) == SOTTO_OK && newest != core->lists_seen) {
        core->lists_seen = newest;
        for (struct room *room = core->rooms; room != NULL; room = room->next)
            room->wake = room->wake || room->in_scope;
    }
    arena_free(&arena);
}

/* ---- The loop ---- */

/* Steps everything once. True: something is still at work. */
static bool step_all(struct sotto *core, uint64_t *next_ms)
{
    bool working = inbox_step(core);
    working |= blobs_step(core);
    working |= downloads_step(core);
    *next_ms = UINT64_MAX;
    for (struct room *room = core->rooms; room != NULL; room = room->next) {
        if (!room->in_scope || room->gone)
            continue;
        room_step(room);
        if (room->progress == ROOM_BUSY || (room->wake && room->progress != ROOM_STUCK))
            working = true;
        if (room->busy)
            continue; /* whatever its pause: the answer comes first */
        if (room->wake && room->progress != ROOM_STUCK && room->retry_ms == 0)
            *next_ms = 0; /* it can go on at once */
        else if (room->retry_ms != 0 && room->retry_ms < *next_ms)
            *next_ms = room->retry_ms;
    }
    working |= order_log_step(core); /* last: what it asks for is asked behind everything else */
    return working;
}

static uint64_t until(const struct sotto *core, uint64_t when_ms, uint64_t most)
{
    uint64_t now = net_now_ms(core);
    if (when_ms <= now)
        return 0;
    return when_ms - now < most ? when_ms - now : most;
}

/* A measure that grows with every bit of progress: what was applied, sent, answered. */
static uint64_t progress_mark(struct sotto *core)
{
    uint64_t mark = core->inbox.phase + core->inbox.subscribed * 2u + core->inbox.quiet_ms +
                    downloads_mark(core) + order_log_mark(core);
    for (const struct room *room = core->rooms; room != NULL; room = room->next)
        mark = mark * 31 + room->generation + room->head + (uint64_t)room->doing_row +
               room->subscribed + room->busy + upload_mark(room);
    return mark;
}

static sotto_error outcome(struct sotto *core)
{
    if (core->inbox.failed) {
        core->problem = core->inbox.problem;
        return core->problem.error;
    }
    for (const struct room *room = core->rooms; room != NULL; room = room->next)
        if (room->in_scope && room->problem.code != SOTTO_CODE_OK) {
            core->problem = room->problem;
            return core->problem.error;
        }
    if (core->tokens.problem.code != SOTTO_CODE_OK) {
        core->problem = core->tokens.problem;
        return core->problem.error;
    }
    if (order_log_problem(core) != NULL && core->inbox.want_envelopes) {
        core->problem = *order_log_problem(core);
        return core->problem.error;
    }
    return SOTTO_OK;
}

sotto_error run_until_settled(struct sotto *core)
{
    net_fresh(core);
    blobs_reset(core);
    downloads_reset(core);
    problem_clear(&core->problem);
    uint64_t moved_ms = net_now_ms(core);
    uint64_t mark = progress_mark(core);
    for (;;) {
        uint64_t next_ms = 0;
        if (!step_all(core, &next_ms) || core->stop)
            break;
        net_step(core, until(core, next_ms, TICK_MS));
        uint64_t now_mark = progress_mark(core);
        if (now_mark != mark) {
            mark = now_mark;
            moved_ms = net_now_ms(core);
        } else if (net_now_ms(core) - moved_ms > STALL_MS)
            return problem_set(
                &core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                "What was to be sent waits in the outbox. Try again later: sotto sync",
                "The relay does not answer in time.");
    }
    downloads_sweep(core);
    TRY(account_end_check(core));
    TRY(account_relay_check_changes(core));
    return outcome(core);
}

/* A room that ended badly says so when it is asked to do something. */
static sotto_error ended_problem(struct sotto *core, const struct sotto_id *only)
{
    struct arena arena;
    struct store_room row;
    struct room_id id;
    if (only == NULL)
        return SOTTO_OK;
    memcpy(id.bytes, only->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = SOTTO_OK;
    if (store_room_get(core->store, &id, &arena, &row) == SOTTO_OK) {
        if (row.state == STORE_ROOM_FORKED || row.state == STORE_ROOM_REMOVED)
            error = core_room_open(core, &id, &arena, &row);
        else if (row.state == STORE_ROOM_REJOINING)
            error = problem_set(&core->problem, SOTTO_STATE, SOTTO_CODE_REJOINING,
                                "What was to be sent waits in the outbox: sotto sync", "%s",
                                row.trouble);
    }
    arena_free(&arena);
    return error;
}

sotto_error sotto_settle(struct sotto *core, const struct sotto_id *conversation)
{
    TRY(core_need_account(core));
    net_fresh(core);
    inbox_reset(core);
    sotto_error error = scope_set(core, conversation);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the conversations");
    TRY(run_until_settled(core));
    return ended_problem(core, conversation);
}

/* Welcomes that waited for an earlier membership to end; then whatever they brought. */
static sotto_error revisit(struct sotto *core)
{
    sotto_error error = join_revisit(core);
    if (error == SOTTO_OK)
        error = successor_sweep(core);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "joining conversations");
    return SOTTO_OK;
}

static bool any_awake(const struct sotto *core)
{
    for (const struct room *room = core->rooms; room != NULL; room = room->next)
        if (room->in_scope && room->wake && !room->gone && room->progress != ROOM_STUCK)
            return true;
    return false;
}

/* What the relay told while nobody was listening is asked of it, not waited for. */
static void rooms_ask_anew(struct sotto *core)
{
    for (struct room *room = core->rooms; room != NULL; room = room->next)
        if (room->in_scope && room->subscribed == ROOM_SUBSCRIBED)
            room_unsubscribe(room);
}

sotto_error sotto_sync(struct sotto *core)
{
    TRY(core_need_account(core));
    net_fresh(core);
    inbox_reset(core);
    core->inbox.wanted = core->inbox.want_envelopes = true;
    sotto_error error = scope_set(core, NULL);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading the conversations");
    core->downloads.wanted = true;
    rooms_ask_anew(core);
    error = run_until_settled(core);
    sotto_error revisited = revisit(core);
    if (revisited == SOTTO_OK && any_awake(core)) {
        sotto_error again = run_until_settled(core);
        error = error == SOTTO_OK ? again : error;
    }
    core->inbox.wanted = core->inbox.want_envelopes = false;
    downloads_end(core);
    /* One conversation whose relay is gone does not keep the account at two. */
    sotto_error moved = error_is_local(error) || core->wiped ? SOTTO_OK : account_move_go_on(core);
    error = error == SOTTO_OK ? moved : error;
    bool more = true;
    while (more && listing_erase_some(core, &more) == SOTTO_OK && !core->stop)
        continue;
    more = error == SOTTO_OK;
    while (more && search_tidy(core, &more) == SOTTO_OK && !core->stop)
        continue; /* else the next time */
    (void)successor_sweep(core);
    return error != SOTTO_OK ? error : revisited;
}

/* ---- Listening ---- */

struct listening {
    struct sotto *core;
    const struct sotto_listener *listener;
    uint64_t position; /* the last message that was given */
    int64_t request;   /* the last request that was given */
    int64_t notice;    /* the last notice that was given */
    bool owed;         /* none of which is in the store yet */
};

/* What was shown is read. */
static sotto_error note_read(struct listening *l)
{
    struct sotto *core = l->core;
    struct arena arena;
    struct store_unread *rooms = NULL;
    size_t count = 0;
    uint64_t before = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_number_get(core->store, "listened", &before);
    if (error == SOTTO_OK)
        error = store_messages_unread_between(core->store, (int64_t)before, (int64_t)l->position,
                                              &arena, &rooms, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct room *room = room_of(core, &rooms[i].room);
        error = own_read(core, &rooms[i].room, rooms[i].position);
        if (room != NULL)
            room->wake = true; /* a receipt may be owed */
    }
    if (error == SOTTO_OK && before < l->position)
        error = store_number_put(core->store, "listened", l->position);
    arena_free(&arena);
    return error;
}

/* Notes what was shown. What cannot be noted now is still owed: a later call notes all of it. */
static sotto_error note_shown(struct listening *l)
{
    struct store *store = l->core->store;
    if (!l->owed)
        return SOTTO_OK;
    TRY(store_begin(store));
    sotto_error error = note_read(l);
    if (error == SOTTO_OK)
        error = store_number_put(store, "listened-request", (uint64_t)l->request);
    if (error == SOTTO_OK)
        error = store_number_put(store, "listened-notice", (uint64_t)l->notice);
    if (error == SOTTO_OK)
        error = store_commit(store);
    if (error != SOTTO_OK)
        store_rollback(store);
    l->owed = error != SOTTO_OK;
    return error;
}

/* One batch. *more: there may be another. */
static sotto_error give_batch(struct listening *l, bool *more)
{
    struct sotto *core = l->core;
    struct arena arena;
    struct store_message *messages = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_messages_after(core->store, (int64_t)l->position, LISTEN_BATCH,
                                             &arena, &messages, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct sotto_message message;
        if ((messages[i].part & STORE_PART_IMPORTED) != 0)
            continue; /* nobody said it now */
        message_show(core, &messages[i], &arena, &message);
        l->listener->message(l->listener->ctx, &message);
    }
    *more = error == SOTTO_OK && count == LISTEN_BATCH;
    if (error == SOTTO_OK && count > 0) {
        if (!l->listener->flush(l->listener->ctx))
            error = SOTTO_IO;
        else {
            l->position = (uint64_t)messages[count - 1].position;
            l->owed = true;
            error = note_shown(l);
        }
    }
    arena_free(&arena);
    return error;
}

static void give_request(void *ctx, const struct sotto_request *request)
{
    struct listening *l = ctx;
    if (request->id <= l->request)
        return;
    l->listener->request(l->listener->ctx, request);
    l->request = request->id;
}

static sotto_error give_notices(struct listening *l)
{
    struct sotto *core = l->core;
    struct arena arena;
    struct store_notice *notices = NULL;
    size_t count = 0;
    arena_init(&arena, core->env);
    sotto_error error = store_notices_after(core->store, l->notice, &arena, &notices, &count);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        error = notices_show(core, &notices[i], l->listener->told, l->listener->ctx);
        l->notice = notices[i].number;
    }
    arena_free(&arena);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "reading the notices");
}

static sotto_error give(struct listening *l)
{
    int64_t request = l->request, notice = l->notice;
    bool more = true;
    while (more) {
        sotto_error error = give_batch(l, &more);
        if (error == SOTTO_IO)
            return problem_set(
                &l->core->problem, error, SOTTO_CODE_STORAGE,
                "Nothing is lost: the same messages come with the next sotto listen.",
                "The messages could not be written out.");
        if (error != SOTTO_OK)
            return core_store_problem(l->core, error, "reading new messages");
    }
    if (l->listener->request != NULL)
        TRY(sotto_requests(l->core, give_request, l));
    if (l->listener->told != NULL)
        TRY(give_notices(l));
    if ((l->request != request || l->notice != notice) && l->listener->flush(l->listener->ctx))
        l->owed = true;
    sotto_error error = note_shown(l);
    return error == SOTTO_OK ? error : core_store_problem(l->core, error, "noting what was shown");
}

/* The profile is held by another process, or its disk is full. Nothing was done and nothing is
 * lost, so whoever stays connected bears it and goes on. */
static bool passes(sotto_error error)
{
    return error == SOTTO_BUSY || error == SOTTO_FULL;
}

static sotto_error listen_turn(struct listening *l, uint64_t end_ms)
{
    struct sotto *core = l->core;
    uint64_t next_ms = 0, version = 0;
    (void)step_all(core, &next_ms);
    uint64_t most = until(core, end_ms, TICK_MS);
    net_step(core, until(core, next_ms, most));
    if (store_data_version(core->store, &version) == SOTTO_OK && version != core->data_version) {
        core->data_version = version;
        proxy_check(core);
        scope_refresh(core);
    }
    TRY(account_end_check(core));
    TRY(account_relay_check_changes(core));
    TRY(account_move_go_on(core));
    TRY(revisit(core));
    expire_sweep_now_and_then(core);
    return give(l);
}

static sotto_error listen_loop(struct listening *l, uint32_t seconds)
{
    struct sotto *core = l->core;
    uint64_t end_ms = seconds > 0 ? net_now_ms(core) + (uint64_t)seconds * 1000 : UINT64_MAX;
    sotto_error error = give(l);
    while ((error == SOTTO_OK || passes(error)) && !core->stop && net_now_ms(core) < end_ms)
        error = listen_turn(l, end_ms);
    return error;
}

/* ---- Serving ---- */

/* Begins to listen once there is an account, which another process, or another core of this one,
 * may have made. */
static bool serve_begin(struct sotto *core)
{
    struct sotto_problem before = core->problem;
    bool begun = core_need_account(core) == SOTTO_OK && scope_set(core, NULL) == SOTTO_OK;
    core->problem = before; /* that there is none yet is no failure */
    if (!begun)
        return false;
    inbox_reset(core);
    core->inbox.wanted = core->inbox.want_envelopes = true;
    return true;
}

/* A deletion that was begun and broken off goes on. */
static sotto_error end_go_on(struct sotto *core)
{
    struct sotto_problem before = core->problem;
    if (core->has_identity && account_ending(core) != SOTTO_OK &&
        (core->ended_ms == 0 || net_now_ms(core) - core->ended_ms >= ENDING_MS)) {
        core->ended_ms = net_now_ms(core);
        (void)sotto_account_delete(core, false); /* else the next time */
    }
    core->problem = before;
    return account_end_check(core);
}

/* Another core or process deletes the account: this one does nothing else with it from then on, and
 * goes on with that if it is broken off. */
static bool serve_rests(struct sotto *core)
{
    struct sotto_problem before = core->problem;
    bool ending = account_ending(core) != SOTTO_OK;
    core->problem = before;
    if (ending) {
        core->inbox.wanted = core->inbox.want_envelopes = false;
        core->ended_ms = net_now_ms(core) - (ENDING_MS - REST_MS);
    }
    return ending;
}

/* One turn. The host's step is in net_step. */
static sotto_error serve_turn(struct sotto *core)
{
    uint64_t next_ms = UINT64_MAX, version = 0, changes;
    store_reads(core->store); /* to the wait */
    bool on = core->inbox.wanted || serve_begin(core);
    if (on)
        (void)step_all(core, &next_ms);
    changes = store_changes(core->store);
    net_step(core, until(core, next_ms, TICK_MS));
    sotto_error error = store_data_version(core->store, &version);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "looking for changes");
    store_reads(core->store); /* from here on, as the version was */
    bool foreign = version != core->data_version;
    if (foreign)
        proxy_check(core);
    if (foreign || changes != store_changes(core->store)) {
        TRY(account_end_check(core));
        if (on && serve_rests(core))
            return SOTTO_OK;
        if (on)
            TRY(account_relay_check_changes(core));
    }
    if (on)
        TRY(account_move_go_on(core));
    if (!on)
        TRY(end_go_on(core));
    if (on && (foreign || changes != store_changes(core->store)))
        scope_refresh(core);
    core->data_version = version;
    expire_sweep_now_and_then(core);
    typing_expire(core);
    if (net_now_ms(core) - core->tidied_ms >= TIDY_MS) {
        bool more = false;
        if (search_tidy(core, &more) != SOTTO_OK || !more)
            core->tidied_ms = net_now_ms(core); /* else on with the next turn */
    }
    /* Requests can hold a mebibyte each, and whether one can be let in stands in the store. */
    if (!on || (!foreign && core->revisited == store_changes(core->store)))
        return SOTTO_OK;
    core->revisited = store_changes(core->store);
    error = revisit(core);
    if (error != SOTTO_OK)
        core->revisited = UINT64_MAX;
    return error;
}

sotto_error sotto_serve(struct sotto *core, const struct sotto_host *host)
{
    core->revisited = UINT64_MAX; /* not yet */
    sotto_error error = SOTTO_OK;
    core->patient = core->downloads.wanted = true;
    core->host = host;
    while (!core->stop && (error == SOTTO_OK || passes(error)))
        error = serve_turn(core);
    core->inbox.wanted = core->inbox.want_envelopes = false;
    downloads_end(core);
    core->host = NULL;
    core->patient = false;
    return error;
}

/* ---- sotto_listen ---- */

sotto_error sotto_listen(struct sotto *core, uint32_t seconds, bool once,
                         const struct sotto_listener *listener)
{
    struct listening l = {.core = core, .listener = listener};
    uint64_t request = 0, notice = 0;
    TRY(core_need_account(core));
    sotto_error error = store_number_get(core->store, "listened", &l.position);
    if (error == SOTTO_OK)
        error = store_number_get(core->store, "listened-request", &request);
    if (error == SOTTO_OK)
        error = store_number_get(core->store, "listened-notice", &notice);
    if (error != SOTTO_OK)
        return core_store_problem(core, error, "reading what was shown before");
    l.request = (int64_t)request;
    l.notice = (int64_t)notice;
    if (once) {
        error = sotto_sync(core);
        struct sotto_problem problem = core->problem;
        sotto_error given = give(&l);
        if (error != SOTTO_OK)
            core->problem = problem; /* what had come before is shown all the same */
        return error != SOTTO_OK ? error : given;
    }
    core->patient = core->downloads.wanted = true;
    core->listener = listener;
    inbox_reset(core);
    core->inbox.wanted = core->inbox.want_envelopes = true;
    error = scope_set(core, NULL);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the conversations");
    else
        error = listen_loop(&l, seconds);
    core->inbox.wanted = core->inbox.want_envelopes = false;
    downloads_end(core);
    core->listener = NULL;
    core->patient = false;
    return error;
}
