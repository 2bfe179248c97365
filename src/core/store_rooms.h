/* Rooms in the store, and the MLS records of their groups. See store.h. */
#ifndef CORE_STORE_ROOMS_H
#define CORE_STORE_ROOMS_H

#include "core/store.h"
#include "sotto/mls.h"

enum store_room_kind {
    STORE_ROOM_DIRECT = 1, /* numbers as in extension 0xF502 */
    STORE_ROOM_GROUP = 2,
    STORE_ROOM_OWN = 3, /* among the devices of one's own account; nobody's conversation */
};

enum store_room_state {
    STORE_ROOM_CREATING = 1, /* not at the relay yet */
    STORE_ROOM_ACTIVE = 2,
    STORE_ROOM_REMOVED = 3,
    STORE_ROOM_LEFT = 4,
    STORE_ROOM_FORKED = 5,
    STORE_ROOM_REQUEST = 6,   /* joined, but the person was not asked yet */
    STORE_ROOM_REJOINING = 7, /* the log went on without this device: it asks to be let in again */
    STORE_ROOM_ASKED = 8,     /* no room: that one asked to join a group by a link (joining.h) */
};

/* Whether one may write there: now, or once it is made, or once this device is back. */
static inline bool store_room_alive(enum store_room_state state)
{
    return state == STORE_ROOM_CREATING || state == STORE_ROOM_ACTIVE ||
           state == STORE_ROOM_REJOINING;
}

struct store_room {
    struct room_id room; /* the key */
    enum store_room_kind kind;
    enum store_room_state state;
    const char *title;
    const char *relay; /* address of the relay that holds the room */
    bool has_peer;
    struct account_id peer; /* DIRECT: the other account */
    uint8_t read_token[TOKEN_SIZE];
    uint64_t next_seq;            /* the first entry that was not applied yet */
    uint64_t created_s, active_s; /* active: the last entry or message */
    /* What lists show without loading the group. */
    uint64_t epoch;
    uint32_t members;
    uint8_t authenticator[32]; /* first bytes of the epoch authenticator; zeros: none */
    const char *trouble;       /* empty, or why it is forked or waits */
    uint64_t generation;       /* read only: see store_room_generation */
};

sotto_error store_room_get(struct store *store, const struct room_id *room, struct arena *arena,
                           struct store_room *out); /* NOT_FOUND */
/* [tx] Inserts; EXISTS. */
sotto_error store_room_add(struct store *store, const struct store_room *room);
/* [tx] Writes all fields but kind, created_s and generation. NOT_FOUND. */
sotto_error store_room_put(struct store *store, const struct store_room *room);
/* [tx] Entry seq was applied: the cursor moves from seq to seq + 1. EXISTS: it was applied before
 * (by another process); STATE: an entry is missing in between. In both cases nothing was changed.
 */
sotto_error store_room_advance(struct store *store, const struct room_id *room, uint64_t seq,
                               uint64_t now_s);
/* All, the most recently active first. */
sotto_error store_rooms(struct store *store, struct arena *arena, struct store_room **rooms,
                        size_t *count);
/* The living one among one's own devices; of several that of the lowest id. NOT_FOUND. */
sotto_error store_room_own(struct store *store, struct arena *arena, struct store_room *out);
/* [tx] The room, its MLS records, messages, outbox and takes. NOT_FOUND is no error. */
sotto_error store_room_erase(struct store *store, const struct room_id *room);

/* ---- MLS records ----------------------------------------------------------------------------- */

/* Grows with every change of a room's MLS records: a group in memory whose generation is another
 * one is stale, load it anew. Read it in the transaction that uses the group. 0: no records yet. */
sotto_error store_room_generation(struct store *store, const struct room_id *room,
                                  uint64_t *generation); /* NOT_FOUND */

/* Connects sotto_mls_group_save and _load to a room's records:
 *
 *     struct store_records records;                    inside a transaction
 *     sotto_mls_store out = store_records_begin(&records, store, &room);
 *     sotto_mls_group_save(group, &out);               puts and erases
 *     store_records_end(&records, &generation);        bumps the generation if anything changed
 *
 *     store_records_begin(&records, store, &room);
 *     sotto_mls_group_load(mls, identity, store_records_next, &records, &group);
 *     store_records_end(&records, &generation);        always, also after a failure
 *
 * Several groups of one room (an own staged one beside) are not kept: one room, one group. */
struct store_records {
    struct store *store;
    struct room_id room;
    bool changed;
    struct sqlite3_stmt *rows; /* while reading */
};

sotto_mls_store store_records_begin(struct store_records *records, struct store *store,
                                    const struct room_id *room);
sotto_error store_records_put(void *records, uint32_t kind, uint32_t index, sotto_bytes value);
sotto_error store_records_erase(void *records, uint32_t kind, uint32_t index);
sotto_error store_records_next(void *records, uint32_t *kind, uint32_t *index, sotto_bytes *value);
/* generation: the room's, as it is now; may be NULL. */
sotto_error store_records_end(struct store_records *records, uint64_t *generation);
/* [tx] Erases all records of a room (left, removed) and bumps the generation. */
sotto_error store_records_clear(struct store *store, const struct room_id *room);

#endif
