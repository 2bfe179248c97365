/* Posting the Welcomes that won commits owe (PROTOCOL.md, post_envelope). */
#include <string.h>

#include "core/joining.h"
#include "core/store_arriving.h"

/* What a refusal means for the row. */
enum outcome {
    OUTCOME_LATER, /* try again */
    OUTCOME_PLAIN, /* the invitation is used up: try again without it */
    OUTCOME_AWAY,  /* nobody is there now */
    OUTCOME_NEVER, /* it will not be taken */
};

enum {
    AWAY_S = 30 * 86400, /* as long as an inbox keeps what nobody fetches */
    AWAY_PAUSE_S = 60,   /* at first; then ever longer */
    DAY_S = 86400,
    LOOK_MS = 60000, /* how often a clock that may be set is looked at */
};

/* Whether the device left its account, as far as is known. */
static bool is_revoked(struct sotto *core, const struct store_outgoing *outgoing,
                       struct arena *arena)
{
    struct manifest manifest;
    bool found = false;
    return manifest_newest(core, &outgoing->account, arena, &manifest, &found) == SOTTO_OK &&
           found && manifest_device(&manifest, &outgoing->device) == NULL;
}

/* Whose account is not there may have moved, and say so in a room that was not read yet: then the
 * Welcome, without which they are in a group that they know nothing of, follows them
 * (statement.c). */
static bool may_have_moved(struct sotto *core, const struct message *answer,
                           const struct store_outgoing *outgoing, struct arena *arena)
{
    return answer->error.code == WIRE_CODE_NO_ACCOUNT && outgoing->client_id[0] == '\0' &&
           core_now_s(core) < outgoing->created_s + AWAY_S && !is_revoked(core, outgoing, arena);
}

/* Whether it is a Welcome, and somebody waits for it who is in the group's list. */
static bool is_missed(struct sotto *core, const struct store_outgoing *outgoing,
                      struct arena *arena)
{
    struct store_room row;
    return outgoing->client_id[0] == '\0' && !is_revoked(core, outgoing, arena) &&
           store_room_get(core->store, &outgoing->room, arena, &row) == SOTTO_OK &&
           row.state == STORE_ROOM_ACTIVE;
}

static uint64_t away_pause_s(uint32_t tries)
{
    return tries < 10 ? (uint64_t)AWAY_PAUSE_S << tries : DAY_S;
}

static enum outcome outcome_of(struct sotto *core, sotto_error error, const struct message *answer,
                               const struct store_outgoing *outgoing, struct arena *arena)
{
    if (net_transient(error, answer))
        return OUTCOME_LATER;
    if (outgoing->capability.size > 0 && (answer->error.code == WIRE_CODE_CAPABILITY_USED ||
                                          answer->error.code == WIRE_CODE_CAPABILITY_UNKNOWN))
        return OUTCOME_PLAIN;
    return may_have_moved(core, answer, outgoing, arena) ? OUTCOME_AWAY : OUTCOME_NEVER;
}

/* *tell: the person has not heard of that refusal yet. */
static sotto_error posted_store(struct room *room, sotto_error error, const struct message *answer,
                                struct arena *arena, bool *tell)
{
    struct sotto *core = room->core;
    struct store_outgoing outgoing;
    TRY(store_begin(core->store));
    sotto_error found = store_outgoing_get(core->store, room->doing_row, arena, &outgoing);
    if (found == SOTTO_NOT_FOUND)
        return store_commit(core->store); /* done by another process */
    TRY(found);
    enum outcome outcome =
        error == SOTTO_OK ? OUTCOME_NEVER : outcome_of(core, error, answer, &outgoing, arena);
    if (error == SOTTO_OK)
        TRY(store_token_erase(core->store,
                              sotto_bytes_of(outgoing.request.bytes, REQUEST_ID_SIZE)));
    struct store_room row;
    if (outcome != OUTCOME_LATER && error != SOTTO_OK &&
        store_room_get(core->store, &room->id, arena, &row) == SOTTO_OK &&
        row.state == STORE_ROOM_ASKED) {
        TRY(joining_refused(room, &row));
        outcome = OUTCOME_NEVER; /* the link was all that it had */
    }
    const char *said = error == SOTTO_REFUSED && answer != NULL ? wire_code_name(answer->error.code)
                                                                : sotto_error_name(error);
    if (outcome == OUTCOME_NEVER) {
        TRY(store_outgoing_erase(core->store, outgoing.id));
        if (error != SOTTO_OK && is_missed(core, &outgoing, arena))
            TRY(store_arriving_give_up(core->store, &room->id, &outgoing.account, &outgoing.device,
                                       said));
    } else {
        outgoing.tries++;
        if (outcome == OUTCOME_PLAIN)
            outgoing.capability = sotto_bytes_of(NULL, 0);
        else
            outgoing.not_before_s =
                core_now_s(core) +
                (outcome == OUTCOME_AWAY ? away_pause_s(outgoing.tries - 1) : TRANSIENT_PAUSE_S);
        *tell = outcome == OUTCOME_LATER ||
                (outcome == OUTCOME_AWAY && strcmp(outgoing.error, said) != 0);
        outgoing.error = said;
        TRY(store_outgoing_put(core->store, &outgoing));
    }
    return store_commit(core->store);
}

static void on_posted(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    room->busy = false;
    room->wake = true;
    enum token_outcome outcome =
        token_refused(room->core, room->doing_conn->relay,
                      sotto_bytes_of(room->doing_id.bytes, REQUEST_ID_SIZE), error, answer);
    if (outcome == TOKEN_WAIT)
        room_wait_token(room);
    if (outcome != TOKEN_NOT_IT)
        return;
    struct arena arena;
    bool tell = true;
    arena_init(&arena, room->core->env);
    sotto_error stored = posted_store(room, error, answer, &arena, &tell);
    if (stored != SOTTO_OK) {
        store_rollback(room->core->store);
        room_local_failure(room, stored, "noting that an invitation was delivered");
    } else if (error != SOTTO_OK && tell) {
        struct sotto_problem problem;
        problem_clear(&problem);
        net_problem(room->doing_conn, error, answer, &problem);
        bool used = answer != NULL && error == SOTTO_REFUSED &&
                    (answer->error.code == WIRE_CODE_CAPABILITY_USED ||
                     answer->error.code == WIRE_CODE_CAPABILITY_UNKNOWN);
        if (!used)
            room_note(room, &problem);
    }
    arena_free(&arena);
}

static sotto_error post_request(struct room *room, struct conn *conn,
                                const struct store_outgoing *outgoing)
{
    struct token_payment payment = {0};
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_POST_ENVELOPE;
    struct post_envelope *post = &message.post_envelope;
    if (outgoing->capability.size == 0)
        TRY(token_pay(room->core, conn->relay,
                      sotto_bytes_of(outgoing->request.bytes, REQUEST_ID_SIZE), &payment));
    post->permission = outgoing->capability.size > 0
                           ? (struct permission){PERMISSION_CAPABILITY, outgoing->capability}
                           : payment.permission;
    post->post_id = outgoing->request;
    post->account = outgoing->account;
    post->device = outgoing->device;
    post->sealed = outgoing->bytes;
    room->doing_row = outgoing->id;
    room->doing_id = outgoing->request;
    sotto_error error = room_request(room, conn, &message, on_posted);
    token_payment_wipe(&payment);
    return error;
}

/* False: this row cannot be posted now. */
static bool post_try(struct room *room, const struct store_outgoing *outgoing)
{
    uint64_t now_s = core_now_s(room->core);
    if (outgoing->not_before_s > now_s) {
        uint64_t wait_ms = (outgoing->not_before_s - now_s) * 1000;
        if (room->retry_ms == 0)
            room->retry_ms = net_now_ms(room->core) + (wait_ms < LOOK_MS ? wait_ms : LOOK_MS);
        return false;
    }
    struct conn *conn = net_conn(room->core, outgoing->relay, CONNECTION_ROOM);
    if (conn == NULL)
        return false;
    if (!conn_up(conn)) {
        if (conn_failed(conn))
            room_note(room, &conn->problem);
        else if (room->retry_ms == 0)
            room->retry_ms = conn->retry_ms;
        return false;
    }
    return post_request(room, conn, outgoing) == SOTTO_OK;
}

bool room_post_next(struct room *room)
{
    struct arena arena;
    struct store_outgoing outgoing;
    int64_t after = 0;
    bool posting = false;
    arena_init(&arena, room->core->env);
    while (!posting && store_outgoing_next(room->core->store, &room->id, STORE_OUT_ENVELOPES, after,
                                           &arena, &outgoing) == SOTTO_OK) {
        after = outgoing.id;
        posting = post_try(room, &outgoing);
    }
    arena_free(&arena);
    return posting;
}
