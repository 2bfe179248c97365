/* Delivery and read receipts: one message of a room says them of many messages at once. */
#include <string.h>

#include "core/own_settings.h"

enum {
    RECEIPT_INTERVAL_S = 10, /* of a room's receipts */
    RECEIPT_BATCH = 256,     /* in one message */
    /* Everybody's receipt goes to everybody: in larger groups they would be most of the log. */
    RECEIPT_DEVICES_MAX = 32,
    KEEP_S = 30 * 86400, /* how long one waits for its message, as a change does (change.c) */
};

/* ---- Whether ---- */

sotto_error receipts_on(struct sotto *core, bool *on)
{
    bool off = false;
    TRY(own_setting_get(core, SETTING_RECEIPTS_OFF, &off));
    *on = !off;
    return SOTTO_OK;
}

sotto_error sotto_set_receipts(struct sotto *core, bool on)
{
    return own_setting_set(core, SETTING_RECEIPTS_OFF, !on);
}

sotto_error receipt_owed(struct sotto *core, const struct store_room *room, bool *owed)
{
    TRY(receipts_on(core, owed));
    *owed = *owed && room->members <= RECEIPT_DEVICES_MAX;
    return SOTTO_OK;
}

/* ---- Sending ---- */

/* Seconds until the room may send some. A clock that was set back counts as time gone by. */
static sotto_error pause_left(struct sotto *core, const struct room_id *room, uint64_t *left_s)
{
    uint64_t last = 0, now = core_now_s(core);
    TRY(store_receipts_time(core->store, room, &last));
    *left_s =
        last <= now && now - last < RECEIPT_INTERVAL_S ? RECEIPT_INTERVAL_S - (now - last) : 0;
    return SOTTO_OK;
}

static sotto_error queue(struct sotto *core, const struct store_room *row,
                         const struct store_receipt_owed *owed, size_t count, struct arena *arena)
{
    struct content_status *statuses = arena_array(arena, count, sizeof *statuses);
    if (statuses == NULL)
        return SOTTO_NO_MEMORY;
    struct content_message message;
    memset(&message, 0, sizeof message);
    message.kind = CONTENT_STATUS;
    message.statuses = statuses;
    TRY(store_receipts_paid(core->store, &row->room, owed[count - 1].local));
    for (size_t i = 0; i < count; i++) {
        if (owed[i].content_id.size != CONTENT_ID_SIZE)
            continue;
        struct content_status *status = &statuses[message.status_count++];
        memcpy(status->id, owed[i].content_id.data, CONTENT_ID_SIZE);
        status->status = owed[i].state == STORE_READ ? CONTENT_READ : CONTENT_DELIVERED;
    }
    if (message.status_count == 0)
        return SOTTO_NOT_FOUND;
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    sotto_error error =
        content_write(core->env, &message, &core->identity.account, &row->room, &bytes);
    if (error == SOTTO_OK)
        error = room_queue_content(core, &row->room, MESSAGE_INTENT_RECEIPT,
                                   sotto_bytes_of(message.id, CONTENT_ID_SIZE),
                                   sotto_buf_view(&bytes), "");
    sotto_buf_free(&bytes);
    return error;
}

sotto_error receipts_queue(struct room *room, const struct store_room *row, struct arena *arena)
{
    struct sotto *core = room->core;
    struct store_receipt_owed *owed = NULL;
    size_t count = 0;
    uint64_t left_s = 0;
    TRY(store_receipts_owed(core->store, &row->room, RECEIPT_BATCH, arena, &owed, &count));
    if (count == 0)
        return SOTTO_NOT_FOUND;
    TRY(pause_left(core, &row->room, &left_s));
    if (left_s > 0) {
        if (core->patient && room->retry_ms == 0)
            room->retry_ms = net_now_ms(room->core) + left_s * 1000;
        return SOTTO_NOT_FOUND;
    }
    TRY(queue(core, row, owed, count, arena));
    return store_receipts_time_put(core->store, &row->room, core_now_s(core));
}

/* ---- Receiving ---- */

sotto_error receipts_apply(struct sotto *core, const struct room_id *room,
                           const struct account_id *sender, const struct content_message *content)
{
    const uint64_t now_s = core_now_s(core);
    bool on = false, kept = false;
    TRY(receipts_on(core, &on));
    if (!on || core_is_own(core, sender))
        return SOTTO_OK;
    for (size_t i = 0; i < content->status_count; i++) {
        const struct content_status *status = &content->statuses[i];
        int64_t local = 0;
        if (status->status != CONTENT_DELIVERED && status->status != CONTENT_READ)
            continue;
        sotto_error error = store_receipt_about(
            core->store, room, sotto_bytes_of(status->id, CONTENT_ID_SIZE), &local);
        const struct store_receipt receipt = {
            .account = *sender,
            .state = status->status == CONTENT_READ ? STORE_READ : STORE_DELIVERED,
            .time_s = now_s,
        };
        if (error == SOTTO_NOT_FOUND) {
            kept = true;
            TRY(store_receipt_keep(core->store, room, sotto_bytes_of(status->id, CONTENT_ID_SIZE),
                                   &receipt));
            continue;
        }
        TRY(error);
        TRY(store_receipt_put(core->store, local, &receipt));
    }
    return kept ? store_receipts_keep_limit(core->store, room, sender,
                                            now_s > KEEP_S ? now_s - KEEP_S : 0)
                : SOTTO_OK;
}

/* ---- Showing ---- */

enum sotto_message_status receipt_status(struct sotto *core, const struct store_message *message,
                                         const struct store_room *room)
{
    enum store_receipt_state state = STORE_NO_RECEIPT;
    if (message->own && message->state == STORE_MESSAGE_SENT && room->kind == STORE_ROOM_DIRECT)
        (void)store_receipts_best(core->store, message->local, &state);
    return state == STORE_READ        ? SOTTO_STATUS_READ
           : state == STORE_DELIVERED ? SOTTO_STATUS_DELIVERED
                                      : (enum sotto_message_status)message->state;
}

sotto_error sotto_receipts(struct sotto *core, int64_t id,
                           void (*each)(void *ctx, const struct sotto_receipt *receipt), void *ctx)
{
    struct arena arena;
    struct store_message message;
    struct store_receipt *rows = NULL;
    size_t count = 0;
    TRY(core_need_account(core));
    arena_init(&arena, core->env);
    sotto_error error = core_message_at(core, id, &arena, &message);
    if (error == SOTTO_OK) {
        error = store_receipts(core->store, message.local, &arena, &rows, &count);
        if (error != SOTTO_OK)
            (void)core_store_problem(core, error, "reading the receipts");
    }
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct sotto_receipt receipt = {
            .name = names_of(core, &rows[i].account, &arena),
            .status = rows[i].state == STORE_READ ? SOTTO_STATUS_READ : SOTTO_STATUS_DELIVERED,
            .time_s = rows[i].time_s,
        };
        memcpy(receipt.account.bytes, rows[i].account.bytes, ACCOUNT_ID_SIZE);
        each(ctx, &receipt);
    }
    arena_free(&arena);
    return error;
}
