/* Edits, deletions and reactions that the log showed before what they are about was here: a device
 * that was linked is given the past while the log goes on. See store.h. */
#ifndef CORE_STORE_EARLY_H
#define CORE_STORE_EARLY_H

#include "core/store.h"

enum {
    /* What is kept at most; the oldest goes first. One sender cannot crowd out all others. */
    STORE_EARLY_SENDER_COUNT = 128,
    STORE_EARLY_SENDER_SIZE = 2 * 1024 * 1024, /* bytes of content: more than the largest one */
    STORE_EARLY_ROOM_COUNT = 1024,
    STORE_EARLY_ROOM_SIZE = 8 * 1024 * 1024,
};

struct store_early {
    uint64_t seq; /* its entry of the room's log */
    struct account_id sender;
    sotto_bytes target;  /* the content id that it names */
    sotto_bytes content; /* as it was sent */
    uint64_t time_s;     /* when this device, or who told it, saw it */
    uint64_t erase_s;    /* when it goes, if it was not applied by then */
};

/* [tx] Keeps it, and what of the room is kept within the limits. */
sotto_error store_early_put(struct store *store, const struct room_id *room,
                            const struct store_early *early);
/* The first in the log's order that is about the message, by its row: names it, an edit of it or a
 * reaction to it. NOT_FOUND. */
sotto_error store_early_next(struct store *store, const struct room_id *room, int64_t local,
                             struct arena *arena, struct store_early *early);
/* [tx] That entry's. */
sotto_error store_early_erase(struct store *store, const struct room_id *room, uint64_t seq);
/* [tx] All of the room up to that entry. */
sotto_error store_early_clear(struct store *store, const struct room_id *room, uint64_t seq);

/* Whether there is one whose time has come. */
sotto_error store_early_due(struct store *store, uint64_t now_s, bool *due);
/* [tx] Erases those. */
sotto_error store_early_expire(struct store *store, uint64_t now_s);

#endif
