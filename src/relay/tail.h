/* The tail of the log: entries that are durable in the table of entries, in order of arrival, but
 * not yet in its two indexes, by (room, seq) and by (room, append_id). Each entry that goes into an
 * index alone rewrites a page for itself, which costs five times what the entry does; so they wait
 * here, and go by the room, many at a time. After a start the tail is read from the table.
 *
 * Also the rows of the rooms that these entries belong to, so that an append reads none, and writes
 * each room once a transaction.
 *
 * The writer's thread alone changes it. Readers ask tail_find, in any thread, before their first
 * statement: what it does not know is then in the indexes of the snapshot that they read. */
#ifndef RELAY_TAIL_H
#define RELAY_TAIL_H

#include <pthread.h>

#include "relay/append_filter.h"
#include "relay/db.h"
#include "relay/limits.h"
#include "relay/table.h"
#include "wire/ids.h"

struct room_row {
    struct room_id id;
    int64_t key;
    uint64_t epoch, next_seq, first_seq, bytes, day, size;
    struct gate write_gate;
};

struct tail_entry;

/* A room with entries in the tail. */
struct tail_room {
    struct table_node by_id, by_key;
    struct room_row row; /* as the transaction under way has it */
    struct tail_entry **entries;
    size_t count, capacity;
    size_t indexed;                  /* of them, by the transaction under way */
    struct tail_room *next, **prior; /* in order of their first entries' positions */
    struct tail_room *next_changed;
    bool changed;
};

struct tail {
    const sotto_env *env;
    pthread_mutex_t lock; /* of all that readers see */
    bool valid;
    struct table by_id, by_key, appends;
    struct tail_room *first, **last, *changed;
    size_t count; /* entries that are in no index */
    int64_t next_position;
    bool indexed_some; /* by the transaction under way */
    struct append_filter filter;
};

void tail_init(struct tail *tail, const sotto_env *env);
void tail_free(struct tail *tail);

/* Reads it anew, unless it is valid. Failures are in db->failure; nothing may then be appended. */
void tail_load(struct tail *tail, struct db *db);
/* The transaction was rolled back: it has to be loaded again. */
void tail_forget(struct tail *tail);

/* ---- In a transaction of the writer --------------------------------------------------------- */

/* NULL: none of its entries is here. */
struct tail_room *tail_room(const struct tail *tail, const struct room_id *id);
/* Whether the room has had that append, here or in the index. */
bool tail_find_append(struct tail *tail, struct db *db, const struct room_row *room,
                      const struct request_id *id, uint64_t *seq);
/* The next entry of a room was inserted, at tail->next_position; row: the room behind it. room:
 * what tail_room said. NO_MEMORY. */
sotto_error tail_add(struct tail *tail, struct tail_room *room, const struct room_row *row,
                     const struct request_id *append_id);
/* Puts at least so many entries into the indexes, or all. */
void tail_index(struct tail *tail, struct db *db, size_t count);
/* Before the commit: writes the rows of rooms that changed. */
void tail_write(struct tail *tail, struct db *db);
/* Behind it: gives back what is indexed. */
void tail_committed(struct tail *tail);

/* ---- Any thread ----------------------------------------------------------------------------- */

enum { TAIL_ENTRIES = 65536 }; /* beyond so many, each transaction indexes twice what it adds */

/* The positions of a room's entries from `from` to `until`, as far as they are here and fit: the
 * first found has number *first. False: not known now, try again. */
bool tail_find(struct tail *tail, int64_t room, uint64_t from, uint64_t until, int64_t *positions,
               size_t max, size_t *count, uint64_t *first);

#endif
