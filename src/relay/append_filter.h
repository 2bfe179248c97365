/* Which append ids a room has not had. Without it each append looks for its id in the index of all
 * that ever came: mostly in vain, and at a page of its own, from the disk where there are many.
 *
 * Of a room it has the hashes of all ids that are in the index, or none. What it lacks is new; what
 * it has the index decides, since hashes may be equal, and ids that left the index stay here. The
 * rooms that were asked for longest ago leave when there are too many. One thread. */
#ifndef RELAY_APPEND_FILTER_H
#define RELAY_APPEND_FILTER_H

#include "relay/table.h"

enum {
    FILTER_BYTES = 32 * 1024 * 1024, /* of all rooms: some five million ids */
    FILTER_FILL_MAX = 16384,         /* ids read at a time, so that nobody waits for it */
};

struct room_filter;

struct append_filter {
    const sotto_env *env;
    struct table rooms;
    struct room_filter *newest, *oldest; /* by when they were asked for */
    size_t bytes, max_bytes;
};

enum filter_answer {
    FILTER_NEW,  /* the index has no such id */
    FILTER_LOOK, /* only the index knows */
    FILTER_FILL, /* likewise, and it is time to put the room's ids here: put, then filled */
};

void append_filter_init(struct append_filter *filter, const sotto_env *env, size_t max_bytes);
void append_filter_free(struct append_filter *filter);

/* hash: keyed, of room and id. ids: how many the index may have of the room. */
enum filter_answer append_filter_ask(struct append_filter *filter, int64_t room, uint64_t hash,
                                     uint64_t ids);

/* The id is in the index, or goes into it now. To be told of each, of any room. */
void append_filter_put(struct append_filter *filter, int64_t room, uint64_t hash);

/* After FILTER_FILL: all are put; or, if not all could be read, none counts. */
void append_filter_filled(struct append_filter *filter, int64_t room, bool all);

#endif
