#include "core/typing.h"

#include <string.h>

#include "core/own_settings.h"
#include "core/people.h"
#include "core/whisper.h"

enum {
    REPEAT_MS = 4000,        /* while somebody types on */
    FORGET_MS = 10000,       /* without a repetition */
    LATE_MS = 5000,          /* what could not be said by then is not said */
    TYPERS_MAX = 256,        /* remembered; the oldest goes */
    TYPING_DEVICES_MAX = 32, /* as with receipts: in larger groups nobody tells */
};

/* A device that was heard. */
struct typer {
    struct typer *next;
    struct room_id room;
    struct account_id account;
    uint32_t leaf;
    uint64_t epoch, count; /* of the newest: what is not above it is a repeat */
    bool on;
    uint64_t heard_ms;
};

struct typing {
    struct typer *typers; /* the last heard first */
    size_t count;
};

sotto_error typing_allowed(struct sotto *core, bool *allowed)
{
    bool off = false;
    TRY(own_setting_get(core, SETTING_TYPING_OFF, &off));
    *allowed = !off;
    return SOTTO_OK;
}

/* ---- Telling faces -------------------------------------------------------------------------- */

static bool account_types(const struct sotto *core, const struct room_id *room,
                          const struct account_id *account)
{
    const struct typer *one = core->typing != NULL ? core->typing->typers : NULL;
    for (; one != NULL; one = one->next)
        if (one->on && memcmp(one->room.bytes, room->bytes, ROOM_ID_SIZE) == 0 &&
            account_id_equal(&one->account, account))
            return true;
    return false;
}

static void tell(struct sotto *core, const struct room_id *room, const struct account_id *account,
                 bool on)
{
    struct arena arena;
    struct sotto_typing typing = {.on = on};
    if (core->host == NULL || core->host->typing == NULL)
        return;
    arena_init(&arena, core->env);
    memcpy(typing.conversation.bytes, room->bytes, ROOM_ID_SIZE);
    memcpy(typing.account.bytes, account->bytes, ACCOUNT_ID_SIZE);
    typing.name = names_of(core, account, &arena);
    core->host->typing(core->host->ctx, &typing);
    arena_free(&arena);
}

/* A person types on as many devices as they like: only the first and the last are told of. */
static void set(struct sotto *core, struct typer *typer, bool on)
{
    bool before = account_types(core, &typer->room, &typer->account);
    typer->on = on;
    if (account_types(core, &typer->room, &typer->account) != before)
        tell(core, &typer->room, &typer->account, on);
}

void typing_expire(struct sotto *core)
{
    struct typer *one = core->typing != NULL ? core->typing->typers : NULL;
    uint64_t now = one != NULL ? net_now_ms(core) : 0;
    for (; one != NULL; one = one->next)
        if (one->on && now - one->heard_ms >= FORGET_MS)
            set(core, one, false);
}

void typing_said(struct sotto *core, const struct room_id *room, const struct account_id *account)
{
    struct typer *one = core->typing != NULL ? core->typing->typers : NULL;
    for (; one != NULL; one = one->next)
        if (one->on && memcmp(one->room.bytes, room->bytes, ROOM_ID_SIZE) == 0 &&
            account_id_equal(&one->account, account))
            set(core, one, false);
}

void typing_free(struct sotto *core)
{
    struct typing *typing = core->typing;
    if (typing == NULL)
        return;
    for (struct typer *one = typing->typers, *next; one != NULL; one = next) {
        next = one->next;
        mem_free(core->env, one, sizeof *one);
    }
    mem_free(core->env, typing, sizeof *typing);
    core->typing = NULL;
}

/* ---- Hearing -------------------------------------------------------------------------------- */

/* The group as it is stored, and what whispers of its epoch are sealed with. NOT_FOUND: nobody
 * whispers there. */
static sotto_error place_of(struct room *room, struct arena *arena, struct store_room *row,
                            struct whisper_place *place)
{
    struct sotto *core = room->core;
    sotto_buf key;
    sotto_buf_init(&key, core->env);
    sotto_error error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = room_enter(room, arena, row);
    store_rollback(core->store); /* nothing was changed */
    if (error == SOTTO_OK && (row->state != STORE_ROOM_ACTIVE || room->group == NULL ||
                              row->kind == STORE_ROOM_OWN || row->members > TYPING_DEVICES_MAX))
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_OK)
        error = sotto_mls_export(room->group, WHISPER_LABEL, sotto_bytes_of(NULL, 0),
                                 WHISPER_KEY_SIZE, &key);
    if (error == SOTTO_OK) {
        place->room = room->id;
        place->epoch = sotto_mls_epoch(room->group);
        memcpy(place->key, key.data, WHISPER_KEY_SIZE);
    }
    sotto_buf_free(&key);
    return error;
}

/* The device's entry, moved to the front; made, if needed. NULL: no memory. */
static struct typer *typer_of(struct sotto *core, const struct room_id *room, uint32_t leaf,
                              const struct account_id *account)
{
    struct typing *typing = core->typing;
    if (typing == NULL)
        typing = core->typing = mem_alloc(core->env, sizeof *typing);
    if (typing == NULL)
        return NULL;
    struct typer **at = &typing->typers;
    while (*at != NULL && ((*at)->leaf != leaf || !account_id_equal(&(*at)->account, account) ||
                           memcmp((*at)->room.bytes, room->bytes, ROOM_ID_SIZE) != 0)) {
        if ((*at)->next == NULL && typing->count >= TYPERS_MAX)
            break; /* the oldest's place */
        at = &(*at)->next;
    }
    struct typer *one = *at;
    if (one == NULL) {
        one = mem_alloc(core->env, sizeof *one);
        if (one == NULL)
            return NULL;
        typing->count++;
    } else {
        bool other = one->leaf != leaf || !account_id_equal(&one->account, account) ||
                     memcmp(one->room.bytes, room->bytes, ROOM_ID_SIZE) != 0;
        if (other && one->on)
            set(core, one, false); /* while it is in the list: else it counts as told before */
        *at = one->next;
        if (other)
            memset(one, 0, sizeof *one);
    }
    one->room = *room;
    one->leaf = leaf;
    one->account = *account;
    one->next = typing->typers;
    typing->typers = one;
    return one;
}

static void take(struct room *room, const struct whisper_place *place,
                 const struct whisper *whisper)
{
    struct sotto *core = room->core;
    sotto_mls_leaf leaf;
    struct account_id account;
    struct device_id device;
    bool blocked = false;
    const struct suite *suite = suite_by_id(core->identity_mls.mls.suite);
    if (whisper->kind != WHISPER_TYPING || suite == NULL ||
        sotto_mls_member(room->group, whisper->leaf, &leaf) != SOTTO_OK ||
        identity_leaf_ids(&leaf, &account, &device) != SOTTO_OK || core_is_own(core, &account) ||
        whisper_verify(core->crypto, suite, place, whisper, leaf.signature_key) != SOTTO_OK ||
        store_contact_blocked(core->store, &account, &blocked) != SOTTO_OK || blocked)
        return;
    struct typer *one = typer_of(core, &room->id, whisper->leaf, &account);
    if (one == NULL || (one->epoch == place->epoch && whisper->count <= one->count))
        return;
    one->epoch = place->epoch;
    one->count = whisper->count;
    one->heard_ms = net_now_ms(core);
    set(core, one, whisper->value != 0);
}

void typing_heard(struct room *room, sotto_bytes sealed)
{
    struct arena arena;
    struct store_room row;
    struct whisper_place place;
    struct whisper whisper;
    bool allowed = false;
    if (room->core->host == NULL || room->core->host->typing == NULL ||
        typing_allowed(room->core, &allowed) != SOTTO_OK || !allowed)
        return;
    arena_init(&arena, room->core->env);
    if (place_of(room, &arena, &row, &place) == SOTTO_OK &&
        whisper_open(&place, sealed, &whisper) == SOTTO_OK)
        take(room, &place, &whisper);
    wipe(&place, sizeof place);
    arena_free(&arena);
}

/* ---- Telling others ------------------------------------------------------------------------- */

/* It may have been heard or not: the next one says it again. */
static void on_whispered(void *ctx, sotto_error error, const struct message *answer)
{
    struct room *room = ctx;
    (void)error;
    (void)answer;
    room->busy = false;
    room->wake = true;
}

static sotto_error say(struct room *room, const struct whisper_place *place)
{
    struct sotto *core = room->core;
    struct message message;
    uint8_t sealed[WHISPER_SIZE];
    sotto_buf token;
    const struct suite *suite = suite_by_id(core->identity_mls.mls.suite);
    uint64_t now = core_now_s(core) * 1000;
    core->whispered = now > core->whispered ? now : core->whispered + 1;
    const struct whisper whisper = {.kind = WHISPER_TYPING,
                                    .value = room->typing.on,
                                    .leaf = sotto_mls_own_index(room->group),
                                    .count = core->whispered};
    if (suite == NULL)
        return SOTTO_UNSUPPORTED;
    memset(&message, 0, sizeof message);
    sotto_buf_init(&token, core->env);
    sotto_error error =
        whisper_seal(core->env, core->crypto, suite, place, &whisper,
                     secret_view(&core->identity.signature_private),
                     sotto_bytes_of(core->identity.signature_key, SIGN_KEY_SIZE), sealed);
    if (error == SOTTO_OK)
        error = room_write_token(room, &token);
    if (error == SOTTO_OK) {
        message.type = MESSAGE_ROOM_WHISPER;
        message.whisper.room = room->id;
        message.whisper.epoch = place->epoch;
        message.whisper.write_token = sotto_buf_view(&token);
        message.whisper.bytes = sotto_bytes_of(sealed, sizeof sealed);
        error = room_request(room, room->conn, &message, on_whispered);
    }
    sotto_buf_free(&token);
    return error;
}

bool typing_send(struct room *room, const struct store_room *row)
{
    struct sotto *core = room->core;
    struct arena arena;
    struct store_room fresh;
    struct whisper_place place;
    bool allowed = false, blocked = false;
    if (!room->typing.wanted)
        return false;
    room->typing.wanted = false;
    uint64_t now = net_now_ms(core);
    if (now - room->typing.wanted_ms > LATE_MS || typing_allowed(core, &allowed) != SOTTO_OK ||
        !allowed || people_peer_blocked(core, row, &blocked) != SOTTO_OK || blocked)
        return false;
    arena_init(&arena, core->env);
    bool sent = place_of(room, &arena, &fresh, &place) == SOTTO_OK && say(room, &place) == SOTTO_OK;
    if (sent) {
        room->typing.told = room->typing.on;
        room->typing.told_ms = now;
    }
    wipe(&place, sizeof place);
    arena_free(&arena);
    return sent;
}

sotto_error sotto_set_typing(struct sotto *core, const struct sotto_id *conversation, bool on)
{
    struct arena arena;
    struct store_room row;
    struct room_id id;
    TRY(core_need_account(core));
    memcpy(id.bytes, conversation->bytes, ROOM_ID_SIZE);
    arena_init(&arena, core->env);
    sotto_error error = core_room_open(core, &id, &arena, &row);
    arena_free(&arena);
    TRY(error);
    struct room *room = room_of(core, &id);
    if (room == NULL)
        return core_store_problem(core, SOTTO_NO_MEMORY, "telling that you type");
    uint64_t now = net_now_ms(core);
    bool known = room->typing.told == on && (!on || now - room->typing.told_ms < REPEAT_MS);
    room->typing.on = on;
    room->typing.wanted = !known;
    room->typing.wanted_ms = now;
    room->wake = room->wake || !known;
    return SOTTO_OK;
}

sotto_error sotto_allow_typing(struct sotto *core, bool on)
{
    return own_setting_set(core, SETTING_TYPING_OFF, !on);
}
