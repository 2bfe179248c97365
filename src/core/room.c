/* A room in memory: its cached group, and one step of its state machine (core/internal.h). */
#include <string.h>

#include "core/joining.h"
#include "core/leaving.h"
#include "core/successor.h"
#include "core/rejoin.h"
#include "core/renew.h"
#include "core/typing.h"

/* ---- Rooms in memory ------------------------------------------------------------------------- */

struct room *room_of(struct sotto *core, const struct room_id *id)
{
    for (struct room *room = core->rooms; room != NULL; room = room->next)
        if (memcmp(room->id.bytes, id->bytes, ROOM_ID_SIZE) == 0)
            return room;
    struct room *room = mem_alloc(core->env, sizeof *room);
    if (room == NULL)
        return NULL;
    room->core = core;
    room->id = *id;
    room->next = core->rooms;
    core->rooms = room;
    return room;
}

void room_forget_group(struct room *room)
{
    sotto_mls_group_free(room->group);
    room->group = NULL;
    room->generation = 0;
}

void room_free_all(struct sotto *core)
{
    struct room *room = core->rooms;
    core->rooms = NULL;
    while (room != NULL) {
        struct room *next = room->next;
        room_forget_group(room);
        upload_free(room);
        mem_free(core->env, room, sizeof *room);
        room = next;
    }
}

sotto_error room_load_group(struct room *room)
{
    struct sotto *core = room->core;
    room_forget_group(room);
    struct store_records records;
    (void)store_records_begin(&records, core->store, &room->id);
    sotto_error error = sotto_mls_group_load(core->mls, &core->identity_mls.mls, store_records_next,
                                             &records, &room->group);
    sotto_error ended = store_records_end(&records, &room->generation);
    if (error == SOTTO_OK && ended != SOTTO_OK) {
        room_forget_group(room);
        error = ended;
    }
    return error;
}

sotto_error room_enter(struct room *room, struct arena *arena, struct store_room *row)
{
    struct sotto *core = room->core;
    TRY(store_room_get(core->store, &room->id, arena, row));
    bool grouped = row->state == STORE_ROOM_ACTIVE || row->state == STORE_ROOM_CREATING;
    if (row->state == STORE_ROOM_LEFT)
        TRY(leaving_goes_on(core, &room->id, &grouped));
    if (!grouped) {
        room_forget_group(room);
        return SOTTO_OK;
    }
    if (room->group != NULL && room->generation == row->generation)
        return SOTTO_OK;
    room_forget_group(room);
    return room_load_group(room);
}

sotto_error room_save(struct room *room, struct store_room *row)
{
    struct sotto *core = room->core;
    if (room->group != NULL) {
        struct store_records records;
        sotto_mls_store out = store_records_begin(&records, core->store, &room->id);
        sotto_error error = sotto_mls_group_save(room->group, &out);
        sotto_error ended = store_records_end(&records, &room->generation);
        TRY(error);
        TRY(ended);
        row->epoch = sotto_mls_epoch(room->group);
        row->members = sotto_mls_member_count(room->group);
        memset(row->authenticator, 0, sizeof row->authenticator);
        sotto_bytes authenticator = sotto_mls_epoch_authenticator(room->group);
        size_t size = authenticator.size < sizeof row->authenticator ? authenticator.size
                                                                     : sizeof row->authenticator;
        memcpy(row->authenticator, authenticator.data, size);
    } else
        memset(row->authenticator, 0, sizeof row->authenticator);
    return store_room_put(core->store, row);
}

void room_abort(struct room *room)
{
    store_rollback(room->core->store);
    room_forget_group(room);
}

void room_abort_all(struct sotto *core)
{
    store_rollback(core->store);
    for (struct room *room = core->rooms; room != NULL; room = room->next)
        room_forget_group(room);
}

sotto_error room_write_token(struct room *room, sotto_buf *token)
{
    return sotto_mls_export(room->group, "sotto.v1 write", sotto_bytes_of(NULL, 0), TOKEN_SIZE,
                            token);
}

sotto_error room_read_token(struct room *room, struct store_room *row)
{
    sotto_buf token;
    sotto_buf_init(&token, room->core->env);
    sotto_error error =
        sotto_mls_export(room->group, "sotto.v1 read", sotto_bytes_of(NULL, 0), TOKEN_SIZE, &token);
    if (error == SOTTO_OK)
        memcpy(row->read_token, token.data, TOKEN_SIZE);
    sotto_buf_free(&token);
    return error;
}

bool group_has(const sotto_mls_group *group, const struct account_id *account,
               const struct device_id *device, uint32_t *index)
{
    uint32_t at = 0;
    sotto_mls_leaf leaf;
    while (sotto_mls_next_member(group, &at, &leaf)) {
        struct account_id its_account;
        struct device_id its_device;
        if (identity_leaf_ids(&leaf, &its_account, &its_device) != SOTTO_OK ||
            !account_id_equal(&its_account, account) ||
            (device != NULL && !device_id_equal(&its_device, device)))
            continue;
        if (index != NULL)
            *index = leaf.index;
        return true;
    }
    return false;
}

/* ---- Being stuck ------------------------------------------------------------------------------
 */

void room_note(struct room *room, const struct sotto_problem *problem)
{
    if (problem->code != SOTTO_CODE_OK && room->problem.code == SOTTO_CODE_OK && !room->left)
        room->problem = *problem;
}

void room_stuck(struct room *room, const struct sotto_problem *problem)
{
    room_note(room, problem);
    room->progress = ROOM_STUCK;
    if (room->core->patient)
        room->retry_ms =
            net_now_ms(room->core) + TRANSIENT_PAUSE_S * 1000 + net_jitter(room->core, 3000);
}

void room_local_failure(struct room *room, sotto_error error, const char *doing)
{
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_local(&problem, error, doing);
    room_stuck(room, &problem);
}

/* ---- Requests -----------------------------------------------------------------------------------
 */

void room_wait_token(struct room *room)
{
    room->wake = false;
    room->retry_ms = net_now_ms(room->core) + TOKEN_PAUSE_MS;
    room->progress = ROOM_BUSY;
}

sotto_error room_request(struct room *room, struct conn *conn, const struct message *message,
                         link_answer_fn *done)
{
    TRY(link_request(conn->link, message, done, room, NULL));
    room->busy = true;
    room->progress = ROOM_BUSY;
    room->doing_conn = conn;
    return SOTTO_OK;
}

/* ---- Subscribing --------------------------------------------------------------------------------
 */

/* The relay says something that the log it showed before rules out. */
static void room_contradiction(struct room *room, const char *trouble)
{
    struct sotto *core = room->core;
    struct arena arena;
    arena_init(&arena, core->env);
    struct store_room row;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &row);
    if (error == SOTTO_OK && row.state == STORE_ROOM_ACTIVE) {
        error = room_stop(room, &row, row.next_seq, trouble);
        if (error == SOTTO_OK)
            error = store_room_put(core->store, &row);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "noting what the relay did");
    }
    room->wake = true;
    arena_free(&arena);
}

/* Entries that this device never saw have expired: it cannot follow the epochs any more. */
static void room_expired(struct room *room)
{
    struct sotto *core = room->core;
    struct arena arena;
    arena_init(&arena, core->env);
    struct store_room row;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &row);
    if (error == SOTTO_OK && row.state == STORE_ROOM_ACTIVE)
        error = rejoin_begin(room, &row, 0);
    else if (error == SOTTO_OK && row.state == STORE_ROOM_LEFT)
        error = leaving_end(room);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "noting that the conversation expired");
    }
    room->wake = true;
    arena_free(&arena);
}

/* No such room, or its read gate was closed so long ago that the commit behind it has expired: what
 * closed it may not have been about this device. */
static void room_unknown(struct room *room)
{
    struct sotto *core = room->core;
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = rejoin_suspect(room);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "noting that the relay does not know the conversation");
    }
    room->unknown = true;
}

/* *anew: the token that was asked with is not the room's any more: a Welcome, or another process,
 * brought a new one while the answer was under way. */
static sotto_error cursor_read(struct room *room, uint64_t *next_seq, uint64_t *epoch, bool *anew)
{
    struct arena arena;
    arena_init(&arena, room->core->env);
    struct store_room row;
    sotto_error error = store_room_get(room->core->store, &room->id, &arena, &row);
    if (error == SOTTO_OK) {
        *next_seq = row.next_seq;
        *epoch = row.epoch;
        *anew = memcmp(row.read_token, room->subscribed_token, TOKEN_SIZE) != 0;
    }
    arena_free(&arena);
    return error;
}

/* On another link its number may be another room's. */
void room_unsubscribe(struct room *room)
{
    if (room->subscribed != ROOM_UNSUBSCRIBED && room->conn != NULL && room->conn->link != NULL &&
        room->conn->generation == room->conn_generation)
        link_unsubscribe(room->conn->link, room->subscription);
    room->subscribed = ROOM_UNSUBSCRIBED;
}

static void on_subscribed(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    room->wake = true;
    if (room->subscribed != ROOM_SUBSCRIBING)
        return; /* it was taken back meanwhile */
    uint64_t next_seq = 0, epoch = 0;
    bool anew = false;
    sotto_error read = cursor_read(room, &next_seq, &epoch, &anew);
    if (error != SOTTO_OK) {
        room->subscribed = ROOM_UNSUBSCRIBED;
        if (anew && error == SOTTO_REFUSED)
            return; /* it is asked with the new one */
        struct sotto_problem problem;
        problem_clear(&problem);
        net_problem(room->conn, error, answer, &problem);
        if (error == SOTTO_REFUSED && answer != NULL && answer->error.code == WIRE_CODE_NO_ROOM) {
            room_note(room, &problem);
            if (room->left)
                room_expired(room);
            else
                room_unknown(room);
        } else
            room_stuck(room, &problem);
        return;
    }
    const struct room_subscribe_ok *ok = &answer->room_subscribe_ok;
    room->subscribed = ROOM_SUBSCRIBED;
    room->unknown = false;
    room->head = ok->head;
    room->await_epoch = ok->epoch;
    room->await_ms = net_now_ms(room->core);
    error = read;
    if (error != SOTTO_OK)
        room_local_failure(room, error, "reading the conversation");
    else if (ok->head + 1 < room->subscribed_from) /* not next_seq: others of this profile go on */
        room_contradiction(room, "The relay has lost or hidden entries that it gave out before. "
                                 "This conversation was stopped; begin a new one.");
    else if (ok->head + 1 == next_seq && ok->epoch != epoch && !room->left)
        room_contradiction(room, "The relay's record of this conversation has led to another place "
                                 "than it showed before. This conversation was stopped; begin a "
                                 "new one.");
    else if (ok->first > next_seq)
        room_expired(room);
}

static void on_push(void *ctx, const struct message *push)
{
    struct room *room = ctx;
    if (push->type == MESSAGE_ROOM_WHISPERED) {
        if (!room->left)
            typing_heard(room, push->whispered);
        return;
    }
    room->wake = true;
    if (push->type == MESSAGE_ROOM_ENTRIES) {
        const struct room_entries *entries = &push->room_entries;
        uint64_t last = entries->entries[entries->count - 1].seq;
        room_receive(room, entries->entries, entries->count);
        if (last > room->head)
            room->head = last;
        room->await_ms = net_now_ms(room->core);
        return;
    }
    room->subscribed = ROOM_UNSUBSCRIBED;
    if (push->type == MESSAGE_ROOM_END && push->end_code == WIRE_CODE_GATE_CLOSED) {
        struct arena arena;
        struct store_room row;
        arena_init(&arena, room->core->env);
        /* The commit that closed the gate came before: either it removed this device, or it gave
         * the new token. Neither: the relay shuts out somebody whom no member removed. */
        bool shut_out = store_room_get(room->core->store, &room->id, &arena, &row) == SOTTO_OK &&
                        row.next_seq > room->head &&
                        memcmp(row.read_token, room->subscribed_token, TOKEN_SIZE) == 0;
        if (shut_out && row.state == STORE_ROOM_ACTIVE)
            room_contradiction(room, "The relay shut this device out although no member removed "
                                     "it. This conversation was stopped; begin a new one.");
        else if (shut_out && row.state == STORE_ROOM_LEFT)
            room_expired(room);
        arena_free(&arena);
        return;
    }
    room->retry_ms = net_now_ms(room->core) + 1000 + net_jitter(room->core, 1000);
}

static void room_subscribe(struct room *room, const struct store_room *row)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_ROOM_SUBSCRIBE;
    room->subscribed_from = row->next_seq;
    message.room_subscribe.room = room->id;
    message.room_subscribe.read_token = sotto_bytes_of(row->read_token, TOKEN_SIZE);
    message.room_subscribe.from_seq = row->next_seq;
    memcpy(room->subscribed_token, row->read_token, TOKEN_SIZE);
    room->head = 0;
    room->subscribed = ROOM_SUBSCRIBING;
    room->progress = ROOM_BUSY;
    sotto_error error = link_subscribe(room->conn->link, &message, on_subscribed, on_push, room,
                                       &room->subscription);
    if (error != SOTTO_OK) {
        room->subscribed = ROOM_UNSUBSCRIBED;
        room_local_failure(room, error, "asking the relay for the conversation");
    }
}

/* ---- One step
 * ------------------------------------------------------------------------------------- */

bool room_connect(struct room *room, const struct store_room *row)
{
    struct conn *conn = net_conn(room->core, row->relay, CONNECTION_ROOM);
    if (conn == NULL) {
        room_local_failure(room, SOTTO_NO_MEMORY, "connecting");
        return false;
    }
    room->conn = conn;
    bool up = conn_up(conn);
    if (conn->generation != room->conn_generation || !up)
        room->subscribed = ROOM_UNSUBSCRIBED;
    room->conn_generation = conn->generation;
    if (up)
        return true;
    if (conn_failed(conn))
        room_stuck(room, &conn->problem);
    else {
        room->progress = ROOM_BUSY;
        room->retry_ms = conn->retry_ms;
    }
    return false;
}

/* Told of and not pushed. It is asked for anew, where the core is patient over another connection
 * too; then the run goes on without this room, and says so. */
static void room_withheld(struct room *room)
{
    struct sotto *core = room->core;
    room_unsubscribe(room);
    room->wake = true;
    if (++room->silences == 1)
        return;
    if (room->silences == 2)
        net_doubt(room->conn);
    struct sotto_problem problem;
    problem_clear(&problem);
    (void)problem_set(&problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                      "Try again later: sotto sync. If it stays so, ask whoever runs the relay.",
                      "The relay says that there is more in a conversation, and does not send it.");
    room_stuck(room, &problem);
    uint64_t pause_ms = (uint64_t)RESUBSCRIBE_MS << (room->silences < 8 ? room->silences - 2 : 6);
    if (core->patient && room->silences > 2)
        room->retry_ms = net_now_ms(core) + pause_ms + net_jitter(core, pause_ms);
}

/* Whether all that the relay told of was applied. */
static bool room_caught_up(struct room *room, const struct store_room *row)
{
    if (row->next_seq > room->head && row->epoch >= room->await_epoch) {
        room->silences = 0;
        return true;
    }
    room->progress = ROOM_BUSY;
    uint64_t now = net_now_ms(room->core);
    if (now - room->await_ms < RESUBSCRIBE_MS)
        room->retry_ms = room->await_ms + RESUBSCRIBE_MS;
    else
        room_withheld(room);
    return false;
}

/* Asks members to be let in again. What was asked goes out at once. */
static void step_rejoining(struct room *room, const struct store_room *row)
{
    if (room_post_next(room) || rejoin_next(room, row) || !room->unknown)
        return;
    /* Perhaps the relay finds it again. */
    room->unknown = false;
    struct sotto_problem problem = room->problem;
    room_stuck(room, &problem);
}

/* Whether all that the relay has is applied; else that is under way, or progress says why not. */
static bool room_follow(struct room *room, const struct store_room *row)
{
    if (!room_connect(room, row))
        return false;
    if (room->subscribed == ROOM_SUBSCRIBED &&
        memcmp(row->read_token, room->subscribed_token, TOKEN_SIZE) != 0) {
        /* Rotated, perhaps by another process: the old token opens nothing that comes. */
        room_unsubscribe(room);
    }
    if (room->subscribed == ROOM_UNSUBSCRIBED) {
        room_subscribe(room, row);
        return false;
    }
    if (room->subscribed == ROOM_SUBSCRIBING) {
        room->progress = ROOM_BUSY;
        return false;
    }
    return room_caught_up(room, row);
}

/* Out already to its person, and perhaps not yet to the others. */
static void step_left(struct room *room, const struct store_room *row)
{
    if (room_post_next(room)) /* Welcomes are owed even if one left since */
        return;
    if (room_follow(room, row))
        (void)room_send_next(room);
}

static void step_active(struct room *room, const struct store_room *row)
{
    if (room->unknown) {
        step_rejoining(room, row);
        return;
    }
    if (!room_follow(room, row))
        return;
    if (row->kind == STORE_ROOM_GROUP && successor_close(room))
        return;
    room_judge(room);
    if (room->progress == ROOM_STUCK)
        return;
    upload_go_on(room, row);
    if (room->progress == ROOM_STUCK)
        return;
    bool owes = true, receipts = true; /* mostly it owes nothing, which is seen at once */
    (void)store_outgoing_any(room->core->store, &room->id, &owes);
    (void)store_receipts_any(room->core->store, &room->id, &receipts);
    if ((owes && (room_post_next(room) || take_next(room))) || typing_send(room, row))
        return;
    if (room->full_size != 0) {
        room_extend_next(room);
        return;
    }
    if ((owes || receipts) && room_send_next(room))
        return;
    if (room->progress == ROOM_STUCK)
        return;
    if (row->kind == STORE_ROOM_OWN)
        own_history_step(room);
    if (room->progress == ROOM_IDLE && renew_if_due(room, row))
        room->wake = true;
}

static void on_created(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    struct sotto *core = room->core;
    sotto_bytes owner = sotto_bytes_of(room->id.bytes, ROOM_ID_SIZE);
    room->busy = false;
    room->wake = true;
    if (error != SOTTO_OK) {
        enum token_outcome outcome =
            token_refused(core, room->doing_conn->relay, owner, error, answer);
        struct sotto_problem problem;
        problem_clear(&problem);
        net_problem(room->doing_conn, error, answer, &problem);
        if (outcome == TOKEN_WAIT)
            room_wait_token(room);
        else if (outcome != TOKEN_AGAIN)
            room_stuck(room, &problem);
        return;
    }
    struct arena arena;
    struct store_room row;
    arena_init(&arena, core->env);
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &row);
    if (error == SOTTO_OK)
        error = store_token_erase(core->store, owner);
    if (error == SOTTO_OK && row.state == STORE_ROOM_CREATING) {
        row.state = STORE_ROOM_ACTIVE;
        row.next_seq = 1;
        error = store_room_put(core->store, &row);
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        room_abort(room);
        room_local_failure(room, error, "saving the new conversation");
    }
    arena_free(&arena);
}

static sotto_error room_create_request(struct room *room, const struct store_room *row)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room fresh;
    struct token_payment payment = {0};
    sotto_buf write_token;
    arena_init(&arena, core->env);
    sotto_buf_init(&write_token, core->env);
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_ROOM_CREATE;
    message.room_create.room = room->id;
    gate_of(sotto_bytes_of(row->read_token, TOKEN_SIZE), &message.room_create.read_gate);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, &arena, &fresh);
    if (error == SOTTO_OK && room->group == NULL)
        error = SOTTO_STATE;
    if (error == SOTTO_OK)
        error = room_write_token(room, &write_token);
    store_rollback(core->store);
    if (error == SOTTO_OK)
        error = token_pay(core, row->relay, sotto_bytes_of(room->id.bytes, ROOM_ID_SIZE), &payment);
    if (error == SOTTO_OK) {
        message.room_create.permission = payment.permission;
        gate_of(sotto_buf_view(&write_token), &message.room_create.write_gate);
        error = room_request(room, room->conn, &message, on_created);
    }
    token_payment_wipe(&payment);
    sotto_buf_free(&write_token);
    arena_free(&arena);
    return error;
}

/* A conversation with one person is made at the relay only when that person's keys were got: an
 * invitation that was used already leaves nothing behind but what was written meanwhile. */
static void step_creating(struct room *room, const struct store_room *row)
{
    if (row->kind == STORE_ROOM_DIRECT && take_next(room))
        return;
    if (room->gone || room->progress == ROOM_STUCK)
        return;
    if (row->kind == STORE_ROOM_DIRECT && !take_all_ready(room))
        return;
    if (!room_connect(room, row))
        return;
    sotto_error error = room_create_request(room, row);
    if (error != SOTTO_OK)
        room_local_failure(room, error, "making the conversation at the relay");
}

void room_step(struct room *room)
{
    uint64_t now = net_now_ms(room->core);
    if (room->busy) {
        room->progress = ROOM_BUSY;
        return;
    }
    if (room->retry_ms > now) {
        if (room->wake && room->progress != ROOM_STUCK)
            room->retry_ms = 0;
        else
            return;
    } else if (room->retry_ms != 0) {
        room->retry_ms = 0;
        room->wake = true;
    }
    if (!room->wake || (room->progress == ROOM_STUCK && !room->core->patient))
        return;
    room->wake = false;
    room->progress = ROOM_IDLE;
    if (room->core->patient)
        problem_clear(&room->problem);
    struct arena arena;
    struct store_room row;
    arena_init(&arena, room->core->env);
    sotto_error error = store_room_get(room->core->store, &room->id, &arena, &row);
    room->left = error == SOTTO_OK && row.state == STORE_ROOM_LEFT;
    if (error == SOTTO_NOT_FOUND)
        room->gone = true;
    else if (error != SOTTO_OK)
        room_local_failure(room, error, "reading the conversation");
    else if (row.state == STORE_ROOM_ACTIVE)
        step_active(room, &row);
    else if (room->left && leaving_look(room))
        step_left(room, &row);
    else if (row.state == STORE_ROOM_CREATING)
        step_creating(room, &row);
    else if (row.state == STORE_ROOM_REJOINING)
        step_rejoining(room, &row);
    else if (row.state == STORE_ROOM_ASKED)
        joining_step(room, &row);
    else {
        room_unsubscribe(room);
        (void)room_post_next(room); /* Welcomes are owed even if one was removed since */
    }
    arena_free(&arena);
}
