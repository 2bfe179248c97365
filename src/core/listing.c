/* The list of conversations: its order, what a person sets for each, and erasing what was said. */
#include <string.h>

#include "core/downloads.h"
#include "core/listing.h"
#include "base/text.h"

enum { ERASE_STEP = 500 }; /* messages, in one transaction: others wait for it */

static struct room_id id_in(const struct sotto_id *id)
{
    struct room_id out;
    memcpy(out.bytes, id->bytes, ROOM_ID_SIZE);
    return out;
}

/* ---- What comes ----------------------------------------------------------------------------- */

bool listing_mentions(const struct sotto *core, sotto_bytes text, bool markdown)
{
    struct account_id account;
    size_t at = 0;
    while (markdown && mention_next(text, &at, &account))
        if (core_is_own(core, &account))
            return true;
    return false;
}

static bool is_muted(struct sotto *core, const struct store_listing *listing)
{
    return listing->muted_s > core_now_s(core);
}

sotto_error listing_came(struct sotto *core, const struct room_id *room, bool own, bool mention,
                         bool *listed)
{
    struct arena arena;
    struct store_listing listing = {0};
    arena_init(&arena, core->env);
    sotto_error error = store_listing_get(core->store, room, &arena, &listing);
    bool counts = own || !is_muted(core, &listing) || (mention && !listing.mentions_muted);
    if (error == SOTTO_OK && listing.shelf == STORE_SHELF_ARCHIVE && counts) {
        listing.shelf = STORE_SHELF_LIST;
        error = store_listing_put(core->store, &listing);
    }
    *listed = error == SOTTO_OK && listing.shelf == STORE_SHELF_LIST;
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Showing -------------------------------------------------------------------------------- */

static sotto_error draft_show(struct sotto *core, const struct store_listing *listing,
                              struct arena *arena, struct sotto_draft *out)
{
    struct store_message target;
    *out = (struct sotto_draft){listing->draft, listing->draft_markdown, 0, listing->draft_s};
    if (listing->draft_target.size == 0)
        return SOTTO_OK;
    sotto_error error =
        store_message_meant(core->store, &listing->room, listing->draft_target, arena, &target);
    if (error == SOTTO_OK)
        out->reply_to = target.position;
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* As much of a text as fits, without half a character. */
static sotto_bytes text_begin(sotto_bytes text, size_t most)
{
    size_t size = text.size < most ? text.size : most;
    while (size > 0 && size < text.size && (text.data[size] & 0xC0) == 0x80)
        size--;
    return sotto_bytes_of(text.data, size);
}

static sotto_error last_show(struct sotto *core, int64_t local, struct arena *arena,
                             struct sotto_conversation *out)
{
    struct store_message message;
    struct sotto_message *shown = arena_array(arena, 1, sizeof *shown);
    if (shown == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = store_message_local(core->store, local, arena, &message);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    message_show(core, &message, arena, shown);
    shown->text = text_begin(shown->text, SOTTO_LINE_MAX);
    out->last = shown;
    return SOTTO_OK;
}

sotto_error listing_show(struct sotto *core, const struct store_room *row, struct arena *arena,
                         struct sotto_conversation *out)
{
    struct store_listing listing;
    TRY(store_listing_get(core->store, &row->room, arena, &listing));
    out->active_s = row->active_s;
    out->unread = listing.unread;
    out->mentions = listing.mentions;
    out->marked_unread = listing.marked;
    out->pinned = listing.pinned;
    out->archived = listing.shelf == STORE_SHELF_ARCHIVE;
    out->hidden = listing.shelf == STORE_SHELF_NOWHERE;
    out->muted = is_muted(core, &listing);
    if (out->muted) {
        out->muted_until_s = listing.muted_s < STORE_MUTED_FOR_GOOD ? listing.muted_s : 0;
        out->mentions_muted = listing.mentions_muted;
    }
    if (listing.draft_s != 0)
        TRY(draft_show(core, &listing, arena, &out->draft));
    return listing.last != 0 ? last_show(core, listing.last, arena, out) : SOTTO_OK;
}

sotto_error sotto_conversations(struct sotto *core, const struct sotto_list *list, uint64_t *total,
                                void (*each)(void *ctx, const struct sotto_conversation *one),
                                void *ctx)
{
    TRY(core_need_past(core));
    struct arena arena;
    struct room_id *rooms = NULL;
    size_t count = 0;
    uint64_t all = 0;
    const enum store_shelf shelf = list->archived ? STORE_SHELF_ARCHIVE : STORE_SHELF_LIST;
    arena_init(&arena, core->env);
    sotto_error error =
        store_listing_rooms(core->store, shelf, list->offset, list->limit, &arena, &rooms, &count);
    if (error == SOTTO_OK)
        error = store_listing_count(core->store, shelf, &all);
    for (size_t i = 0; i < count && error == SOTTO_OK; i++) {
        struct arena one;
        struct store_room row;
        arena_init(&one, core->env);
        error = store_room_get(core->store, &rooms[i], &one, &row);
        if (error == SOTTO_OK)
            error = conversation_show(core, &row, &one, each, ctx);
        arena_free(&one);
        if (error == SOTTO_NOT_FOUND)
            error = SOTTO_OK; /* it went meanwhile */
    }
    if (error != SOTTO_OK)
        (void)core_store_problem(core, error, "reading the conversations");
    else if (total != NULL)
        *total = all;
    arena_free(&arena);
    return error;
}

/* ---- Setting -------------------------------------------------------------------------------- */

struct setting {
    struct sotto *core;
    struct arena arena;
    struct store_room row;
    struct store_listing listing;
    bool told; /* the problem is set */
};

/* Begins a transaction, with the conversation's rows. */
static sotto_error begin(struct setting *s, struct sotto *core, const struct sotto_id *conversation)
{
    const struct room_id id = id_in(conversation);
    memset(s, 0, sizeof *s);
    s->core = core;
    arena_init(&s->arena, core->env);
    sotto_error error = core_need_account(core);
    s->told = error != SOTTO_OK;
    if (error == SOTTO_OK)
        error = store_begin(core->store);
    if (error == SOTTO_OK)
        error = store_room_get(core->store, &id, &s->arena, &s->row);
    if (error == SOTTO_OK && s->row.kind == STORE_ROOM_OWN)
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_OK)
        error = store_listing_get(core->store, &id, &s->arena, &s->listing);
    if (error == SOTTO_NOT_FOUND) {
        s->told = true;
        (void)problem_set(&core->problem, error, SOTTO_CODE_NOT_FOUND, "See `sotto conversations`.",
                          "There is no such conversation.");
    }
    return error;
}

static sotto_error end(struct setting *s, sotto_error error)
{
    struct sotto *core = s->core;
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        if (!s->told)
            (void)core_store_problem(core, error, "saving the setting");
    }
    arena_free(&s->arena);
    return error;
}

static sotto_error put(struct setting *s,
                       sotto_error (*tell)(struct sotto *core, const struct store_listing *listing))
{
    TRY(store_listing_put(s->core->store, &s->listing));
    return tell(s->core, &s->listing);
}

sotto_error sotto_pin(struct sotto *core, const struct sotto_id *conversation, bool on)
{
    struct setting s;
    sotto_error error = begin(&s, core, conversation);
    if (error == SOTTO_OK && s.listing.pinned != on) {
        s.listing.pinned = on;
        error = put(&s, own_tell_pinned);
    }
    return end(&s, error);
}

sotto_error sotto_mute(struct sotto *core, const struct sotto_id *conversation,
                       const struct sotto_muting *muting)
{
    struct setting s;
    sotto_error error = begin(&s, core, conversation);
    if (error == SOTTO_OK) {
        s.listing.muted_s = !muting->on            ? 0
                            : muting->until_s == 0 ? STORE_MUTED_FOR_GOOD
                                                   : muting->until_s;
        s.listing.mentions_muted = muting->on && muting->mentions;
        error = put(&s, own_tell_muted);
    }
    return end(&s, error);
}

sotto_error sotto_archive(struct sotto *core, const struct sotto_id *conversation, bool on)
{
    struct setting s;
    sotto_error error = begin(&s, core, conversation);
    const enum store_shelf shelf = on ? STORE_SHELF_ARCHIVE : STORE_SHELF_LIST;
    if (error == SOTTO_OK && s.listing.shelf != shelf) {
        s.listing.shelf = shelf;
        error = store_listing_put(core->store, &s.listing);
        if (error == SOTTO_OK)
            error = own_tell_shelf(core, &s.listing, s.row.next_seq - 1);
    }
    return end(&s, error);
}

sotto_error sotto_mark_unread(struct sotto *core, const struct sotto_id *conversation)
{
    struct setting s;
    sotto_error error = begin(&s, core, conversation);
    if (error == SOTTO_OK && !s.listing.marked) {
        s.listing.marked = true;
        error = put(&s, own_tell_marked);
    }
    return end(&s, error);
}

sotto_error listing_unmark(struct sotto *core, const struct room_id *room)
{
    struct arena arena;
    struct store_listing listing;
    arena_init(&arena, core->env);
    sotto_error error = store_listing_get(core->store, room, &arena, &listing);
    if (error == SOTTO_OK && listing.marked) {
        listing.marked = false;
        error = store_listing_put(core->store, &listing);
        if (error == SOTTO_OK)
            error = own_tell_marked(core, &listing);
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* ---- Drafts --------------------------------------------------------------------------------- */

static sotto_error draft_check(struct setting *s, const struct sotto_draft *draft)
{
    struct sotto *core = s->core;
    s->told = true;
    if (draft->text.size > SOTTO_DRAFT_MAX)
        return problem_set(&core->problem, SOTTO_LIMIT, SOTTO_CODE_TOO_LONG,
                           "Keep so long a text in a file.", "A draft has at most %u bytes.",
                           SOTTO_DRAFT_MAX);
    if (!text_is_utf8(draft->text))
        return problem_set(&core->problem, SOTTO_VALUE, SOTTO_CODE_BAD_TEXT, "Send text in UTF-8.",
                           "The draft is not valid UTF-8 text.");
    s->told = false;
    return SOTTO_OK;
}

static sotto_error draft_target(struct setting *s, int64_t id)
{
    struct store_message target;
    s->listing.draft_target = sotto_bytes_of(NULL, 0);
    if (id == 0)
        return SOTTO_OK;
    sotto_error error = store_message_at(s->core->store, id, &s->arena, &target);
    if (error == SOTTO_OK && (memcmp(target.room.bytes, s->row.room.bytes, ROOM_ID_SIZE) != 0 ||
                              target.content_id.size != CONTENT_ID_SIZE))
        error = SOTTO_NOT_FOUND;
    if (error == SOTTO_NOT_FOUND) {
        s->told = true;
        return problem_set(&s->core->problem, error, SOTTO_CODE_NOT_FOUND,
                           "`sotto history` shows the number of each message.",
                           "There is no message %lld to answer in this conversation.",
                           (long long)id);
    }
    TRY(error);
    s->listing.draft_target = target.content_id;
    return SOTTO_OK;
}

sotto_error sotto_set_draft(struct sotto *core, const struct sotto_id *conversation,
                            const struct sotto_draft *draft)
{
    struct setting s;
    sotto_error error = begin(&s, core, conversation);
    if (error == SOTTO_OK)
        error = draft_check(&s, draft);
    if (error == SOTTO_OK)
        error = draft_target(&s, draft->reply_to);
    if (error == SOTTO_OK) {
        const sotto_bytes before = s.listing.draft;
        bool none = draft->text.size == 0 && draft->reply_to == 0;
        bool same = none && before.size == 0 && s.listing.draft_s == 0;
        s.listing.draft = draft->text;
        s.listing.draft_markdown = draft->markdown && !none;
        s.listing.draft_s = none ? 0 : core_now_s(core);
        if (!same)
            error = put(&s, own_tell_draft);
    }
    return end(&s, error);
}

/* ---- Erasing -------------------------------------------------------------------------------- */

/* Inside a transaction: what waits and was not encrypted yet will not be sent; what was may be at
 * the relay already, and then has its place without being shown. */
static sotto_error waiting_drop(struct sotto *core, const struct room_id *room, struct arena *arena)
{
    struct store_outgoing outgoing;
    int64_t after = 0;
    sotto_error error;
    while ((error = store_outgoing_next(core->store, room, STORE_OUT_ENTRIES, after, arena,
                                        &outgoing)) == SOTTO_OK) {
        struct queued_message queued;
        after = outgoing.id;
        if (outgoing.kind != STORE_OUT_MESSAGE ||
            queued_message_read(outgoing.intent, &queued) != SOTTO_OK ||
            !message_intent_shown(queued.intent))
            continue;
        error = store_waiting_erase(core->store, room, outgoing.client_id);
        if (error == SOTTO_OK && outgoing.state == STORE_OUT_WANTED) {
            error = store_upload_erase(core->store, room, outgoing.client_id);
            if (error == SOTTO_OK || error == SOTTO_NOT_FOUND)
                error = store_outgoing_erase(core->store, outgoing.id);
        }
        if (error != SOTTO_OK && error != SOTTO_NOT_FOUND)
            return error;
    }
    return error == SOTTO_NOT_FOUND ? store_failed_erase(core->store, room) : error;
}

sotto_error listing_erase(struct sotto *core, const struct room_id *room, uint64_t seq)
{
    struct arena arena;
    struct store_listing listing;
    bool came = false;
    arena_init(&arena, core->env);
    sotto_error error = store_listing_get(core->store, room, &arena, &listing);
    if (error == SOTTO_OK)
        error = store_listing_came(core->store, room, seq, false, false, &came);
    if (error == SOTTO_OK) {
        listing.draft = listing.draft_target = sotto_bytes_of(NULL, 0);
        listing.draft_s = 0;
        listing.draft_markdown = listing.marked = listing.pinned = false;
        if (!came)
            listing.shelf = STORE_SHELF_NOWHERE;
        error = store_listing_put(core->store, &listing);
    }
    if (error == SOTTO_OK)
        error = store_erasing_put(core->store, room, seq);
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

/* Inside a transaction. A conversation that is over goes whole. */
static sotto_error erased(struct sotto *core, const struct room_id *room)
{
    struct arena arena;
    struct store_room row;
    struct store_listing listing;
    arena_init(&arena, core->env);
    sotto_error error = store_room_get(core->store, room, &arena, &row);
    if (error == SOTTO_OK)
        error = store_listing_get(core->store, room, &arena, &listing);
    if (error == SOTTO_OK) {
        error = store_event_add(core->store, SOTTO_EVENT_CONVERSATION_ERASED, room->bytes);
        if (error == SOTTO_OK && !store_room_alive(row.state) &&
            listing.shelf == STORE_SHELF_NOWHERE)
            error = store_room_erase(core->store, room);
    }
    arena_free(&arena);
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
}

sotto_error listing_erase_some(struct sotto *core, bool *more)
{
    struct room_id room;
    uint64_t seq = 0;
    bool done = false;
    *more = false;
    sotto_error error = store_erasing_next(core->store, &room, &seq);
    if (error != SOTTO_OK)
        return error == SOTTO_NOT_FOUND ? SOTTO_OK : error;
    TRY(store_begin(core->store));
    error = store_erasing_step(core->store, &room, seq, ERASE_STEP, &done);
    if (error == SOTTO_OK && done)
        error = erased(core, &room);
    if (error == SOTTO_OK)
        error = store_commit(core->store);
    if (error != SOTTO_OK) {
        store_rollback(core->store);
        return error;
    }
    *more = true;
    if (done)
        store_scrub(core->store, false);
    return SOTTO_OK;
}

sotto_error sotto_erase(struct sotto *core, const struct sotto_id *conversation)
{
    struct setting s;
    bool more = true;
    sotto_error error = begin(&s, core, conversation);
    const uint64_t seq = error == SOTTO_OK ? s.row.next_seq - 1 : 0;
    if (error == SOTTO_OK)
        error = waiting_drop(core, &s.row.room, &s.arena);
    if (error == SOTTO_OK)
        error = listing_erase(core, &s.row.room, seq);
    if (error == SOTTO_OK)
        error = own_tell_erased(core, &s.row.room, seq);
    TRY(end(&s, error));
    while (more && error == SOTTO_OK && !core->stop)
        error = listing_erase_some(core, &more);
    downloads_sweep(core);
    return error == SOTTO_OK ? error : core_store_problem(core, error, "erasing the messages");
}
