/* The relays that the account was at before other devices of it moved it. Whoever has not heard of
 * a move posts to this device's inbox there, until the device that moved deletes the account. */
#include <string.h>

#include "codec/writer.h"
#include "core/account.h"

#define LEFT "account.left"
enum {
    LEFT_ONE = 1,  /* version: of a single relay; read still */
    LEFT_LIST = 2, /* the oldest first, to the end */
    LEFT_MAX = 4,
    PAUSE_S = 60,
    TRIES_MAX = 10
};

struct left {
    const char *relay;
    uint64_t number; /* of the manifest that the account moved with */
    uint64_t until_s, not_before_s;
    uint32_t tries;      /* in vain, one after the other */
    sotto_bytes sign_in; /* the key's seed there: this device has another where it moved on itself.
                            Empty: the one that it has */
};

struct left_list {
    struct arena arena;
    struct left items[LEFT_MAX];
    size_t count;
};

/* Inside a transaction. */
static sotto_error list_put(struct sotto *core, const struct left_list *list)
{
    struct writer writer;
    sotto_buf bytes;
    if (list->count == 0)
        return store_value_erase(core->store, LEFT);
    sotto_buf_init(&bytes, core->env);
    writer_init(&writer, &bytes);
    writer_u8(&writer, LEFT_LIST);
    for (size_t i = 0; i < list->count; i++) {
        const struct left *left = &list->items[i];
        writer_vector(&writer, sotto_bytes_str(left->relay));
        writer_u64(&writer, left->number);
        writer_u64(&writer, left->until_s);
        writer_u64(&writer, left->not_before_s);
        writer_u32(&writer, left->tries);
        writer_vector(&writer, left->sign_in);
    }
    sotto_error error = writer_finish(&writer);
    if (error == SOTTO_OK)
        error = store_value_put(core->store, LEFT, sotto_buf_view(&bytes));
    sotto_buf_free(&bytes);
    return error;
}

/* Empty where there is none. The caller initialises the arena and frees it. */
static sotto_error list_get(struct sotto *core, struct left_list *list)
{
    sotto_bytes bytes;
    struct reader reader;
    list->count = 0;
    sotto_error error = store_value_get(core->store, LEFT, &list->arena, &bytes);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    reader_init(&reader, bytes);
    uint8_t version = reader_u8(&reader, "left.version");
    while (reader_more(&reader) && list->count < (version == LEFT_ONE ? 1 : LEFT_MAX)) {
        struct left *left = &list->items[list->count++];
        left->relay = own_text(&reader, &list->arena, WIRE_ADDRESS_MAX, "left.relay");
        left->number = reader_u64(&reader, "left.number");
        left->until_s = reader_u64(&reader, "left.until");
        left->not_before_s = reader_u64(&reader, "left.not_before");
        left->tries = reader_u32(&reader, "left.tries");
        left->sign_in = version == LEFT_ONE
                            ? sotto_bytes_of(NULL, 0)
                            : reader_vector(&reader, SIGN_SEED_SIZE, "left.sign_in");
    }
    return reader_finish(&reader, "left");
}

static void list_drop(struct left_list *list, size_t at)
{
    memmove(&list->items[at], &list->items[at + 1], (--list->count - at) * sizeof *list->items);
}

sotto_error account_left_put(struct sotto *core, const char *from, const char *to, uint64_t number)
{
    struct left_list list;
    arena_init(&list.arena, core->env);
    sotto_error error = list_get(core, &list);
    if (error == SOTTO_OK) {
        for (size_t i = list.count; i-- > 0;) /* where it is again, it is not looked at as left */
            if (account_same_relay(list.items[i].relay, sotto_bytes_str(from)) ||
                account_same_relay(list.items[i].relay, sotto_bytes_str(to)))
                list_drop(&list, i);
        if (!account_same_relay(from, sotto_bytes_str(to))) {
            if (list.count == LEFT_MAX)
                list_drop(&list, 0);
            list.items[list.count++] =
                (struct left){.relay = from,
                              .number = number,
                              .until_s = core_now_s(core) + ACCOUNT_MOVE_S,
                              .sign_in = secret_view(&core->identity.sign_in_private)};
        }
        error = list_put(core, &list);
    }
    arena_free(&list.arena);
    return error;
}

/* In a transaction of its own: how it went. The list may have changed meanwhile. */
static sotto_error visited(struct sotto *core, const struct left *left, bool gone)
{
    struct left_list list;
    arena_init(&list.arena, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = list_get(core, &list);
    for (size_t i = 0; error == SOTTO_OK && i < list.count; i++) {
        if (list.items[i].number != left->number || strcmp(list.items[i].relay, left->relay) != 0)
            continue;
        list.items[i] = *left;
        if (gone || core_now_s(core) > left->until_s)
            list_drop(&list, i);
        error = list_put(core, &list);
        break;
    }
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK)
        store_rollback(core->store);
    arena_free(&list.arena);
    return error;
}

static sotto_bytes seed_of(const struct sotto *core, const struct left *left)
{
    return left->sign_in.size == SIGN_SEED_SIZE ? left->sign_in
                                                : secret_view(&core->identity.sign_in_private);
}

static sotto_error left_visit(struct sotto *core, struct left *left)
{
    bool gone = false;
    const struct inbox_place place = {
        .relay = left->relay, .sign_in = seed_of(core, left), .only_fetch = true};
    sotto_error error = account_look_at(core, &place, left->number, &gone);
    if (error_is_local(error))
        return error;
    left->tries = error == SOTTO_OK ? 0 : left->tries < TRIES_MAX ? left->tries + 1 : TRIES_MAX;
    left->not_before_s =
        left->tries > 0 ? core_now_s(core) + ((uint64_t)PAUSE_S << left->tries) : 0;
    return visited(core, left, gone);
}

sotto_error account_left_look(struct sotto *core)
{
    struct left_list list;
    arena_init(&list.arena, core->env);
    sotto_error error = list_get(core, &list);
    for (size_t i = 0; error == SOTTO_OK && i < list.count; i++) {
        if (list.items[i].not_before_s > core_now_s(core))
            continue;
        core->leave_ms = net_now_ms(core) + (uint64_t)PAUSE_S * 1000; /* a listener, again */
        error = left_visit(core, &list.items[i]);
    }
    arena_free(&list.arena);
    return error;
}

sotto_error account_left_abandon(struct sotto *core, bool force)
{
    struct left_list list;
    arena_init(&list.arena, core->env);
    sotto_error error = list_get(core, &list);
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading where the account was");
    for (size_t i = 0; error == SOTTO_OK && i < list.count; i++) {
        const struct inbox_place place = {.relay = list.items[i].relay,
                                          .sign_in = seed_of(core, &list.items[i])};
        error = account_end_at(core, &place, list.items[i].number, false);
        if (!error_is_local(error) && force)
            error = SOTTO_OK;
    }
    arena_free(&list.arena);
    return error;
}
