/* The relay that the account was at before another device of it moved it. Whoever has not heard of
 * the move posts to this device's inbox there, until the device that moves deletes the account. */
#include <string.h>

#include "codec/writer.h"
#include "core/account.h"

#define LEFT "account.left"
enum { PAUSE_S = 60, TRIES_MAX = 10 };

struct left {
    struct arena arena;
    const char *relay;
    uint64_t number; /* of the manifest that the account moved with */
    uint64_t until_s, not_before_s;
    uint32_t tries; /* in vain, one after the other */
};

/* Inside a transaction. */
static sotto_error left_put(struct sotto *core, const struct left *left)
{
    struct writer writer;
    sotto_buf bytes;
    sotto_buf_init(&bytes, core->env);
    writer_init(&writer, &bytes);
    writer_u8(&writer, 1);
    writer_vector(&writer, sotto_bytes_str(left->relay));
    writer_u64(&writer, left->number);
    writer_u64(&writer, left->until_s);
    writer_u64(&writer, left->not_before_s);
    writer_u32(&writer, left->tries);
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = store_value_put(core->store, LEFT, sotto_buf_view(&bytes));
    sotto_buf_free(&bytes);
    return error;
}

/* NOT_FOUND: there is none. The caller frees the arena. */
static sotto_error left_get(struct sotto *core, struct left *left)
{
    sotto_bytes bytes;
    struct reader reader;
    TRY(store_value_get(core->store, LEFT, &left->arena, &bytes));
    reader_init(&reader, bytes);
    (void)reader_u8(&reader, "left.version");
    left->relay = own_text(&reader, &left->arena, WIRE_ADDRESS_MAX, "left.relay");
    left->number = reader_u64(&reader, "left.number");
    left->until_s = reader_u64(&reader, "left.until");
    left->not_before_s = reader_u64(&reader, "left.not_before");
    left->tries = reader_u32(&reader, "left.tries");
    return reader_finish(&reader, "left");
}

sotto_error account_left_put(struct sotto *core, const char *from, const char *to, uint64_t number)
{
    const struct left left = {
        .relay = from, .number = number, .until_s = core_now_s(core) + ACCOUNT_MOVE_S};
    return account_same_relay(from, sotto_bytes_str(to)) ? SOTTO_OK : left_put(core, &left);
}

static sotto_error left_visit(struct sotto *core, struct left *left)
{
    bool gone = false;
    const struct inbox_place place = {.relay = left->relay,
                                      .sign_in = secret_view(&core->identity.sign_in_private),
                                      .only_fetch = true};
    sotto_error error = account_look_at(core, &place, left->number, &gone);
    if (error_is_local(error))
        return error;
    left->tries = error == SOTTO_OK ? 0 : left->tries < TRIES_MAX ? left->tries + 1 : TRIES_MAX;
    left->not_before_s =
        left->tries > 0 ? core_now_s(core) + ((uint64_t)PAUSE_S << left->tries) : 0;
    error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = gone || core_now_s(core) > left->until_s ? store_value_erase(core->store, LEFT)
                                                         : left_put(core, left);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    return error;
}

sotto_error account_left_look(struct sotto *core)
{
    struct left left;
    memset(&left, 0, sizeof left);
    arena_init(&left.arena, core->env);
    sotto_error error = left_get(core, &left);
    if (error == SOTTO_OK && left.not_before_s <= core_now_s(core)) {
        core->leave_ms = net_now_ms(core) + (uint64_t)PAUSE_S * 1000; /* a listener, again */
        error = left_visit(core, &left);
    }
    arena_free(&left.arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error account_left_abandon(struct sotto *core, bool force)
{
    struct left left;
    memset(&left, 0, sizeof left);
    arena_init(&left.arena, core->env);
    sotto_error error = left_get(core, &left);
    if (error == SOTTO_OK) {
        const struct inbox_place place = {.relay = left.relay,
                                          .sign_in = secret_view(&core->identity.sign_in_private)};
        error = account_end_at(core, &place, left.number, false);
        if (!error_is_local(error) && force)
            error = SOTTO_OK;
    } else if (error == SOTTO_NOT_FOUND)
        error = SOTTO_OK;
    else
        (void)core_store_problem(core, error, "reading where the account was");
    arena_free(&left.arena);
    return error;
}
