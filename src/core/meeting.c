#include "core/meeting.h"

#include <string.h>

enum { ASK_STALL_MS = 45000, TICK_MS = 250, PAUSE_MS = 400, PAUSE_MOST_MS = 3000, TOKEN_TRIES = 3 };

/* ---- Asking --------------------------------------------------------------------------------- */

struct asking {
    struct meeting_answer *answer;
    struct sotto_problem *problem;
    struct conn *conn;
    bool done;
    sotto_error error;
};

static void labels_keep(const struct labels *from, struct sotto_labels *out)
{
    (void)snprintf(out->username, sizeof out->username, "%.*s", (int)from->username.size,
                   from->username.size > 0 ? (const char *)from->username.data : "");
    (void)snprintf(out->phone, sizeof out->phone, "%.*s", (int)from->phone.size,
                   from->phone.size > 0 ? (const char *)from->phone.data : "");
    out->findable = from->findable;
}

static void on_answer(void *ctx, sotto_error error, const struct message *answer)
{
    struct asking *asking = ctx;
    asking->done = true;
    asking->error = error;
    if (error == SOTTO_REFUSED && answer != NULL) {
        asking->answer->code = answer->error.code;
        asking->answer->detail = answer->error.detail;
    }
    if (error != SOTTO_OK) {
        net_problem(asking->conn, error, answer, asking->problem);
        return;
    }
    if (answer->type == MESSAGE_BLOB_STATUS_OK)
        asking->answer->state = answer->blob_state;
    if (answer->type == MESSAGE_GET_LABELS_OK)
        labels_keep(&answer->labels, &asking->answer->labels);
    sotto_bytes bytes = answer->type == MESSAGE_BLOB_GET_OK ? answer->blob_bytes
                        : answer->type == MESSAGE_GET_MANIFEST_OK || answer->type == MESSAGE_FIND_OK
                            ? answer->manifest
                            : sotto_bytes_of(NULL, 0);
    if (bytes.size > 0)
        asking->error = sotto_buf_append(&asking->answer->bytes, bytes.data, bytes.size);
}

sotto_error meeting_ask(struct sotto *core, struct conn *conn, const struct message *message,
                        struct meeting_answer *answer)
{
    struct asking asking = {.answer = answer, .problem = &core->problem, .conn = conn};
    uint64_t begun_ms = net_now_ms(core);
    bool asked = false;
    answer->code = 0;
    if (conn == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "connecting");
    net_fresh(core);
    while (!asking.done) {
        if (!asked && conn_up(conn)) {
            sotto_error error = link_request(conn->link, message, on_answer, &asking, NULL);
            if (error != SOTTO_OK)
                return core_store_problem(core, error, "asking the relay");
            asked = true;
        } else if (!asked && conn_failed(conn)) {
            core->problem = conn->problem;
            return core->problem.error;
        }
        if (!asking.done)
            net_step(core, TICK_MS);
        if (!asking.done && (core->stop || net_now_ms(core) - begun_ms > ASK_STALL_MS))
            break;
    }
    if (asking.done)
        return asking.error;
    if (asked && conn->link != NULL) { /* the answer would speak to memory that goes now */
        link_free(conn->link);
        conn->link = NULL;
        conn->dead = conn->ready = false;
    }
    return problem_set(&core->problem, SOTTO_TIMEOUT, SOTTO_CODE_TIMEOUT,
                       "Run the command again: it goes on where it stopped.",
                       "The relay does not answer in time.");
}

uint32_t meeting_pause(struct meeting_pace *pace)
{
    uint32_t next = pace->pause_ms == 0 ? PAUSE_MS : pace->pause_ms + pace->pause_ms / 5;
    pace->pause_ms = next < PAUSE_MOST_MS ? next : PAUSE_MOST_MS;
    return pace->pause_ms;
}

bool meeting_wait(struct sotto *core, struct meeting_pace *pace, uint64_t until_s)
{
    uint64_t end_ms = net_now_ms(core) + meeting_pause(pace);
    while (!core->stop && net_now_ms(core) < end_ms)
        net_step(core, end_ms - net_now_ms(core) < PAUSE_MS ? end_ms - net_now_ms(core) : PAUSE_MS);
    return !core->stop && core_now_s(core) < until_s;
}

/* ---- Blobs ---------------------------------------------------------------------------------- */

static sotto_error blob_ask(struct sotto *core, const char *relay, const struct message *message,
                            struct meeting_answer *answer)
{
    return meeting_ask(core, net_blob_conn(core, relay), message, answer);
}

static sotto_error owner_ask(struct sotto *core, const char *relay, enum message_type type,
                             const struct link_place *place, struct meeting_answer *answer)
{
    struct message message;
    memset(&message, 0, sizeof message);
    message.type = (uint16_t)type;
    message.blob_owner.blob = place->blob;
    message.blob_owner.write_token = sotto_bytes_of(place->write_token, TOKEN_SIZE);
    return blob_ask(core, relay, &message, answer);
}

static sotto_error create_once(struct sotto *core, const char *relay,
                               const struct link_place *place, uint64_t size,
                               struct meeting_answer *answer)
{
    struct token_payments payments;
    struct message message;
    struct arena arena;
    sotto_bytes owner = sotto_bytes_of(place->blob.bytes, BLOB_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = token_pay_many(core, relay, owner, 1, &arena, &payments);
    if (error != SOTTO_OK) {
        arena_free(&arena);
        return core_store_problem(core, error, "taking a token");
    }
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_CREATE;
    message.blob_create.permissions = payments.permissions;
    message.blob_create.permission_count = payments.count;
    message.blob_create.blob = place->blob;
    message.blob_create.size = size;
    gate_of(sotto_bytes_of(place->write_token, TOKEN_SIZE), &message.blob_create.write_gate);
    error = blob_ask(core, relay, &message, answer);
    arena_free(&arena);
    if (error == SOTTO_OK)
        (void)token_paid_many(core, owner, 1);
    return error;
}

sotto_error meeting_create(struct sotto *core, const char *relay, const struct link_place *place,
                           uint64_t size)
{
    struct meeting_answer answer = {0};
    sotto_bytes owner = sotto_bytes_of(place->blob.bytes, BLOB_ID_SIZE);
    sotto_error error = SOTTO_INTERNAL;
    sotto_buf_init(&answer.bytes, core->env);
    for (unsigned i = 0; i < TOKEN_TRIES; i++) {
        error = create_once(core, relay, place, size, &answer);
        if (error != SOTTO_REFUSED)
            break;
        if (answer.code == WIRE_CODE_BLOB_EXISTS) {
            error = SOTTO_EXISTS;
            break;
        }
        struct message refusal;
        memset(&refusal, 0, sizeof refusal);
        refusal.type = MESSAGE_ERROR;
        refusal.error.code = answer.code;
        refusal.error.detail = answer.detail;
        struct sotto_problem problem = core->problem;
        if (token_refused_many(core, relay, owner, 1, SOTTO_REFUSED, &refusal) == TOKEN_NOT_IT)
            break;
        inbox_reset(core); /* tokens are fetched over the other connection */
        core->inbox.wanted = true;
        core->tokens.urgent = true;
        (void)run_until_settled(core);
        core->inbox.wanted = false;
        core->problem = problem;
    }
    sotto_buf_free(&answer.bytes);
    return error;
}

sotto_error meeting_is_whole(struct sotto *core, const char *relay, const struct link_place *place,
                             bool *whole)
{
    struct meeting_answer answer = {0};
    sotto_buf_init(&answer.bytes, core->env);
    sotto_error error = owner_ask(core, relay, MESSAGE_BLOB_STATUS, place, &answer);
    sotto_buf_free(&answer.bytes);
    *whole = error == SOTTO_OK && answer.state.finished;
    return error == SOTTO_REFUSED && answer.code == WIRE_CODE_NO_BLOB ? SOTTO_NOT_FOUND : error;
}

sotto_error meeting_put(struct sotto *core, const char *relay, const struct link_place *place,
                        sotto_bytes box)
{
    struct meeting_answer answer = {0};
    struct message message;
    bool whole = false;
    TRY(meeting_is_whole(core, relay, place, &whole));
    if (whole)
        return SOTTO_EXISTS;
    sotto_buf_init(&answer.bytes, core->env);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_PUT;
    message.blob_put.blob = place->blob;
    message.blob_put.write_token = sotto_bytes_of(place->write_token, TOKEN_SIZE);
    message.blob_put.bytes = box; /* in one piece: it is there whole, or not at all */
    sotto_error error = blob_ask(core, relay, &message, &answer);
    if (error == SOTTO_OK)
        error = owner_ask(core, relay, MESSAGE_BLOB_FINISH, place, &answer);
    sotto_buf_free(&answer.bytes);
    return error;
}

sotto_error meeting_get(struct sotto *core, const char *relay, const struct link_place *place,
                        size_t size, sotto_buf *box)
{
    struct meeting_answer answer = {0};
    struct message message;
    sotto_buf_init(&answer.bytes, core->env);
    memset(&message, 0, sizeof message);
    message.type = MESSAGE_BLOB_GET;
    message.blob_get.blob = place->blob;
    message.blob_get.length = (uint32_t)size;
    sotto_error error = blob_ask(core, relay, &message, &answer);
    if (error == SOTTO_OK)
        error = sotto_buf_append(box, answer.bytes.data, answer.bytes.size);
    sotto_buf_free(&answer.bytes);
    return error == SOTTO_REFUSED && answer.code == WIRE_CODE_NO_BLOB ? SOTTO_NOT_FOUND : error;
}

void meeting_forget(struct sotto *core, const char *relay, const struct link_place *place)
{
    struct meeting_answer answer = {0};
    struct sotto_problem problem = core->problem;
    sotto_buf_init(&answer.bytes, core->env);
    (void)owner_ask(core, relay, MESSAGE_BLOB_DELETE, place, &answer);
    sotto_buf_free(&answer.bytes);
    core->problem = problem;
}
