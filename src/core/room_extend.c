/* A room that is full: a token is spent to make it larger (PROTOCOL.md, room_extend). */
#include <string.h>

#include "core/internal.h"

enum { OWNER_SIZE = ROOM_ID_SIZE + 8 };
#define STEP (UINT64_C(16) << 20) /* a relay whose step is another says so */

/* What the token pays for: this room at this size. */
static sotto_bytes owner_of(const struct room *room, uint8_t out[static OWNER_SIZE])
{
    memcpy(out, room->id.bytes, ROOM_ID_SIZE);
    for (size_t i = 0; i < 8; i++)
        out[ROOM_ID_SIZE + i] = (uint8_t)(room->wanted_size >> (56 - 8 * i));
    return sotto_bytes_of(out, OWNER_SIZE);
}

void room_full(struct room *room, uint64_t size)
{
    room->full_size = size;
    room->wanted_size = size + STEP;
}

static void cannot(struct room *room)
{
    struct sotto_problem problem;
    const struct wire_error refusal = {WIRE_CODE_ROOM_FULL, room->full_size, {0}};
    problem_clear(&problem);
    problem_refused(&problem, room->conn->relay, &refusal);
    room->full_size = 0; /* to be told anew by the next append */
    room_stuck(room, &problem);
}

static void on_extended(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    struct sotto *core = room->core;
    uint8_t bytes[OWNER_SIZE];
    sotto_bytes owner = owner_of(room, bytes);
    room->busy = false;
    room->wake = true;
    if (error == SOTTO_OK) {
        room->full_size = 0;
        error = store_begin(core->store);
        if (error == SOTTO_OK)
            error = store_token_erase(core->store, owner);
        if (error == SOTTO_OK)
            error = store_commit(core->store);
        if (error != SOTTO_OK) {
            store_rollback(core->store);
            room_local_failure(room, error, "noting that a token was spent");
        }
        return;
    }
    enum token_outcome outcome = token_refused(core, room->conn->relay, owner, error, answer);
    bool refused = error == SOTTO_REFUSED && answer != NULL;
    if (outcome == TOKEN_AGAIN)
        return;
    if (outcome == TOKEN_WAIT) {
        room_wait_token(room);
    } else if (refused && answer->error.code == WIRE_CODE_LIMIT &&
               answer->error.detail > room->full_size && answer->error.detail < room->wanted_size) {
        room->wanted_size = answer->error.detail;
    } else if (refused && !net_transient(error, answer)) {
        cannot(room);
    } else {
        struct sotto_problem problem;
        problem_clear(&problem);
        net_problem(room->doing_conn, error, answer, &problem);
        room_stuck(room, &problem);
    }
}

void room_extend_next(struct room *room)
{
    struct sotto *core = room->core;
    uint8_t bytes[OWNER_SIZE];
    struct token_payment payment;
    struct message message;
    if (strcmp(room->conn->relay, core->profile.relay) != 0) {
        cannot(room); /* tokens are of one's own relay */
        return;
    }
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_ROOM_EXTEND;
    sotto_error error = token_pay(core, room->conn->relay, owner_of(room, bytes), &payment);
    if (error == SOTTO_OK) {
        message.room_extend.permission = payment.permission;
        message.room_extend.room = room->id;
        message.room_extend.size = room->wanted_size;
        error = room_request(room, room->conn, &message, on_extended);
    }
    token_payment_wipe(&payment);
    if (error != SOTTO_OK)
        room_local_failure(room, error, "making room in the conversation");
}
