/* Messages and what happened in conversations. See store.h. */
#ifndef CORE_STORE_MESSAGES_H
#define CORE_STORE_MESSAGES_H

#include "core/store.h"

enum store_message_state {
    STORE_MESSAGE_RECEIVED = 1,
    STORE_MESSAGE_SENT = 2,
    STORE_MESSAGE_WAITING = 3, /* in the outbox */
    STORE_MESSAGE_FAILED = 4,  /* will not be sent */
};

#define STORE_CLIENT_ID_MAX 64

/* Set in the part of what an export said and nobody proved: it stands beside the place in the log
 * that it claims, and goes when what is really there comes. */
#define STORE_PART_IMPORTED 0x80000000u

struct store_message {
    /* Given by the store: grows with each message that takes its place in a log, in all rooms; the
     * order of a room's messages. 0 while waiting or failed. */
    int64_t position;
    int64_t local; /* given by the store: the row; the order in which messages wait */
    struct room_id room;
    uint64_t seq;  /* in the room's log; 0 while waiting */
    uint32_t part; /* 0, 1, ...: one commit may be told as several events */
    uint32_t kind; /* enum sotto_message_kind */
    enum store_message_state state;
    bool own, unread;
    struct account_id sender;
    bool has_subject;
    struct account_id subject; /* of an event: who was added, removed, left */
    uint64_t time_s;           /* when this device stored it */
    const char *client_id;     /* of own messages; empty: none */
    sotto_bytes content_id;    /* MIMI message id, 32 bytes, or empty */
    sotto_bytes target;        /* content id that it replies to, edits, ...; or empty */
    sotto_bytes content; /* as it was sent, so that a newer version can read it; may be empty */
    sotto_bytes text;    /* UTF-8 */
    uint64_t edited_s;   /* when the newest edit was stored; 0: never edited */
    bool markdown;       /* text is Markdown */
    bool owes;           /* store_message_add: a receipt is owed for it */
    bool mentions_self;
    uint32_t timer_s; /* how long after it was read, or sent, it is erased; 0: not */
    uint64_t erase_s; /* when it is erased; 0: nothing counts */
};

/* [tx] Inserts a message that has its place in the log (state RECEIVED or SENT), or waits (WAITING,
 * seq 0). EXISTS: that (room, seq, part) or that (room, client_id) is there already, so it was
 * stored before: exactly once; or the log had that content id before, which a sender who could not
 * know says again. position and local of `message` are ignored; what they became is said. */
sotto_error store_message_add(struct store *store, const struct store_message *message,
                              int64_t *position, int64_t *local);

/* The position of the line with which this account came into the room, or of the room's first
 * message where there is none; 0: nobody has written anything behind that. */
sotto_error store_messages_since_joining(struct store *store, const struct room_id *room,
                                         int64_t *position);

/* [tx] Inserts a message of the past with the position that another device of this account gave it.
 * Where that is taken, not between those of its neighbours in the log, or above what this device
 * gave so far, it gets another one: between them, else behind the one in front of it, else the next
 * that is given. One's own that waits here, or failed, under the same content id takes that place:
 * it was sent, which this device had not seen. EXISTS: it was stored before, or said there at
 * another place. */
sotto_error store_message_import(struct store *store, const struct store_message *message,
                                 int64_t *local);

/* [tx] Inserts one that an export has (part with STORE_PART_IMPORTED): between its neighbours in
 * the log, or, where no position is free there, behind all. EXISTS: it is here, proved or not, or
 * its content id is. Proved ones inserted later take its place. */
sotto_error store_message_take_in(struct store *store, const struct store_message *message);

/* [tx] A waiting own message took its place in the log: SENT, with seq, time and the content as
 * sent, and its clock starts. NOT_FOUND; EXISTS: placed before. */
sotto_error store_message_place(struct store *store, const struct room_id *room,
                                const char *client_id, uint64_t seq, uint64_t now_s,
                                sotto_bytes content, sotto_bytes content_id, int64_t *position);
/* [tx] It will not be sent: FAILED. NOT_FOUND. */
sotto_error store_message_fail(struct store *store, const struct room_id *room,
                               const char *client_id);

/* [tx] A failed one waits again, with another content id and, of a file, another content.
 * NOT_FOUND: it did not fail. */
sotto_error store_message_again(struct store *store, int64_t local, sotto_bytes content_id,
                                sotto_bytes content);
/* [tx] One that waits, or failed, was never written. NOT_FOUND: it is none of these. */
sotto_error store_message_withdraw(struct store *store, int64_t local);

/* NOT_FOUND. */
sotto_error store_message_by_client(struct store *store, const struct room_id *room,
                                    const char *client_id, struct arena *arena,
                                    struct store_message *message);
sotto_error store_message_by_content(struct store *store, const struct room_id *room,
                                     sotto_bytes content_id, struct arena *arena,
                                     struct store_message *message);

/* The row of what is in that place of a room's log. NOT_FOUND. */
sotto_error store_message_in_log(struct store *store, const struct room_id *room, uint64_t seq,
                                 uint32_t part, int64_t *local);

/* NOT_FOUND. */
sotto_error store_message_at(struct store *store, int64_t position, struct arena *arena,
                             struct store_message *message);

sotto_error store_message_local(struct store *store, int64_t local, struct arena *arena,
                                struct store_message *message);

/* The newest `limit` of a room with position below `before` (0: no bound), in order. Without those
 * that wait or failed. */
sotto_error store_messages(struct store *store, const struct room_id *room, int64_t before,
                           uint32_t limit, struct arena *arena, struct store_message **messages,
                           size_t *count);
/* The next `limit` of a room with position above `after`, in order. */
sotto_error store_messages_of(struct store *store, const struct room_id *room, int64_t after,
                              uint32_t limit, struct arena *arena, struct store_message **messages,
                              size_t *count);
/* Those of a room that wait or failed, in the order in which they were written. */
sotto_error store_messages_waiting(struct store *store, const struct room_id *room,
                                   struct arena *arena, struct store_message **messages,
                                   size_t *count);
/* Of all rooms, position above `after`, in order, at most limit: what a listener was not given yet.
 */
sotto_error store_messages_after(struct store *store, int64_t after, uint32_t limit,
                                 struct arena *arena, struct store_message **messages,
                                 size_t *count);
/* The rooms that have unread messages with positions above `after` and up to `last`, each with the
 * newest of them. */
struct store_unread {
    struct room_id room;
    int64_t position;
};
sotto_error store_messages_unread_between(struct store *store, int64_t after, int64_t last,
                                          struct arena *arena, struct store_unread **rooms,
                                          size_t *count);
/* Those of which a text fits an FTS5 query, the one that was stored last first: in one room (NULL:
 * in all), stored before the one of position `before` (0: no bound; then those that wait too). */
sotto_error store_messages_search(struct store *store, const char *query,
                                  const struct room_id *room, int64_t before, uint32_t limit,
                                  struct arena *arena, struct store_message **messages,
                                  size_t *count);
/* Words of texts that were deleted or changed stay in the index until it is merged anew: *state
 * tells. [tx] for the other two: the first begins the merging, the other does a piece of it, some
 * milliseconds long; *done: nothing is left of words that were there when it began. */
enum store_search_state {
    STORE_SEARCH_CLEAN = 0,
    STORE_SEARCH_STALE = 1,
    STORE_SEARCH_MERGING = 2
};
sotto_error store_search_state(struct store *store, enum store_search_state *state);
sotto_error store_search_merge(struct store *store);
sotto_error store_search_merge_step(struct store *store, bool *done);
/* The highest position given so far; [tx] those given from here on are above that one. */
sotto_error store_messages_head(struct store *store, int64_t *position);
sotto_error store_messages_head_put(struct store *store, int64_t position);

/* [tx] Everything of a room up to entry seq was read, on another device; clocks start here too. */
sotto_error store_messages_read_seq(struct store *store, const struct room_id *room, uint64_t seq,
                                    uint64_t now_s);
/* The highest seq of what is unread in a room up to that position; 0: nothing is. */
sotto_error store_messages_unread_seq(struct store *store, const struct room_id *room,
                                      int64_t position, uint64_t *seq);
/* How many of a room have a place in its log. */
sotto_error store_messages_count_of(struct store *store, const struct room_id *room,
                                    uint64_t *count);
/* How many have a place in a log. */
sotto_error store_messages_count(struct store *store, uint64_t *count);

/* [tx] Everything of a room up to position was read. Adds an event if that is news. receipts: that
 * is owed to those who wrote it. The clocks of those that disappear start at now_s. */
sotto_error store_messages_read(struct store *store, const struct room_id *room, int64_t position,
                                bool receipts, uint64_t now_s);
sotto_error store_messages_unread(struct store *store, const struct room_id *room, uint32_t *count);

#endif
