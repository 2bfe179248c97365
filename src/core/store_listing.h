/* The list of conversations: what stands in it, in what order, and what a person set for each. See
 * store.h.
 *
 * A row a conversation. unread, mentions and last are counted by triggers in the transaction that
 * changes a message, so that nobody ever counts messages; the order is an index. A row may be there
 * before its room: what another device of one's own said of one that this device is not in yet. */
#ifndef CORE_STORE_LISTING_H
#define CORE_STORE_LISTING_H

#include "core/store.h"

enum store_shelf {
    STORE_SHELF_LIST = 0,
    STORE_SHELF_ARCHIVE = 1,
    STORE_SHELF_NOWHERE = 2, /* erased; back with its next message */
};

#define STORE_MUTED_FOR_GOOD INT64_MAX

struct store_listing {
    struct room_id room;
    /* What counts by itself; store_listing_put leaves it alone. */
    uint32_t unread, mentions; /* of the unread ones those that mention oneself */
    int64_t last;              /* row of the message that came or was written last; 0: none */
    /* What a person set. */
    enum store_shelf shelf;
    bool pinned;
    bool marked;         /* as unread */
    uint64_t muted_s;    /* until then; 0: not */
    bool mentions_muted; /* too */
    sotto_bytes draft;   /* UTF-8 */
    bool draft_markdown;
    sotto_bytes draft_target; /* content id that it answers; or empty */
    uint64_t draft_s;         /* when it was written; 0: there is none */
};

/* NOT_FOUND. */
sotto_error store_listing_get(struct store *store, const struct room_id *room, struct arena *arena,
                              struct store_listing *listing);
/* [tx] Writes what a person set, for a room that is there or not yet. Adds an event if that is
 * news. */
sotto_error store_listing_put(struct store *store, const struct store_listing *listing);

/* Rooms on a shelf, the pinned ones first, then by activity. */
sotto_error store_listing_rooms(struct store *store, enum store_shelf shelf, uint64_t offset,
                                uint64_t limit, struct arena *arena, struct room_id **rooms,
                                size_t *count);
sotto_error store_listing_count(struct store *store, enum store_shelf shelf, uint64_t *count);

/* Whether the room has something of people (text, file, or newer) above entry seq: of anybody, or,
 * if muted, of oneself, or, if mentions are not muted, that mentions oneself. */
sotto_error store_listing_came(struct store *store, const struct room_id *room, uint64_t seq,
                               bool muted, bool mentions_muted, bool *came);

/* ---- Erasing a conversation's messages, some at a time ---- */

/* [tx] From now on store_erasing_step erases what the room has up to entry seq. */
sotto_error store_erasing_put(struct store *store, const struct room_id *room, uint64_t seq);
/* NOT_FOUND: nothing is to be erased. */
sotto_error store_erasing_next(struct store *store, struct room_id *room, uint64_t *seq);
/* [tx] Erases limit messages at most, the newest first. *done: none is left, and nothing is to be
 * erased there any more. */
sotto_error store_erasing_step(struct store *store, const struct room_id *room, uint64_t seq,
                               uint32_t limit, bool *done);
/* [tx] Messages that wait or failed, with that client id. NOT_FOUND. */
sotto_error store_waiting_erase(struct store *store, const struct room_id *room,
                                const char *client_id);
/* [tx] Those that failed. */
sotto_error store_failed_erase(struct store *store, const struct room_id *room);

#endif
