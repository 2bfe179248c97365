/* The outbox: what is owed to relays, in order. See store.h.
 *
 * A row is written when a person wants something, and erased in the transaction that knows that it
 * is done. In between it becomes ready: its ciphertext is made, together with the ratchet's
 * advance, in one transaction, before anything is sent. A crash at any moment leaves either the
 * intent or the bytes, and append_id makes sending the bytes again harmless. */
#ifndef CORE_STORE_OUTBOX_H
#define CORE_STORE_OUTBOX_H

#include "core/store.h"

enum store_outgoing_kind {
    STORE_OUT_CREATE = 1,   /* room_create */
    STORE_OUT_MESSAGE = 2,  /* application message */
    STORE_OUT_COMMIT = 3,   /* adds, removes, an update: intent says what */
    STORE_OUT_LEAVE = 4,    /* proposal to remove oneself */
    STORE_OUT_ENVELOPE = 5, /* a Welcome, sealed or to be sealed, to one device's inbox */
};

enum store_outgoing_state {
    STORE_OUT_WANTED = 1, /* intent alone */
    STORE_OUT_READY = 2,  /* bytes are made, perhaps sent, not known to be accepted */
    STORE_OUT_SAID = 3,   /* a leave that was accepted, until a commit shows what became of it */
};

struct store_outgoing {
    int64_t id; /* given by the store; the order */
    struct room_id room;
    enum store_outgoing_kind kind;
    enum store_outgoing_state state;
    const char *client_id;     /* of messages: unique in the room; empty: none */
    sotto_bytes intent;        /* the core's own encoding of what is wanted */
    struct request_id request; /* append_id or post_id: the same in every retry */
    /* READY: */
    uint64_t epoch;      /* for which bytes were made */
    sotto_bytes bytes;   /* ciphertext, commit, sealed envelope */
    sotto_bytes staged;  /* sotto_mls_staged_save's; a secret */
    sotto_bytes welcome; /* owed when the commit was accepted */
    bool has_write_gate, has_read_gate;
    struct gate next_write_gate, next_read_gate;
    /* An envelope's receiver: */
    const char *relay; /* empty for entries: the room's */
    struct account_id account;
    struct device_id device;
    sotto_bytes capability; /* empty: none; a secret */
    /* Retries: */
    uint32_t tries;
    uint64_t not_before_s; /* do not try earlier */
    const char *error;     /* of the last try; empty: none */
    uint64_t created_s;
};

/* [tx] Appends and says the id. EXISTS: (room, client_id) is there already. */
sotto_error store_outgoing_add(struct store *store, const struct store_outgoing *outgoing,
                               int64_t *id);
/* [tx] Writes all fields but id, room, kind, client_id, created_s. NOT_FOUND: done by another
 * process. */
sotto_error store_outgoing_put(struct store *store, const struct store_outgoing *outgoing);
/* [tx] Done. NOT_FOUND: done by another process before. */
sotto_error store_outgoing_erase(struct store *store, int64_t id);
/* [tx] Those of a room whose client id begins so and that were not made ready yet. */
sotto_error store_outgoing_withdraw(struct store *store, const struct room_id *room,
                                    const char *prefix);

sotto_error store_outgoing_get(struct store *store, int64_t id, struct arena *arena,
                               struct store_outgoing *outgoing); /* NOT_FOUND */
/* The entry that an answer or a push belongs to. NOT_FOUND: not ours. */
sotto_error store_outgoing_by_request(struct store *store, const struct room_id *room,
                                      const struct request_id *request, struct arena *arena,
                                      struct store_outgoing *outgoing);
/* Whether the room's outbox has anything. */
sotto_error store_outgoing_any(struct store *store, const struct room_id *room, bool *any);

/* NOT_FOUND. */
sotto_error store_outgoing_by_client(struct store *store, const struct room_id *room,
                                     const char *client_id, struct arena *arena,
                                     struct store_outgoing *outgoing);

/* The next after id `after` (0: the first), of a room (NULL: of all), entries or envelopes alone,
 * or both. NOT_FOUND at the end. One after the other, because their bytes may be large. */
enum store_outgoing_sort {
    STORE_OUT_ALL = 0,
    STORE_OUT_ENTRIES = 1, /* everything that goes through a room: all kinds but ENVELOPE */
    STORE_OUT_ENVELOPES = 2,
    STORE_OUT_COMMITS = 3,
};
sotto_error store_outgoing_next(struct store *store, const struct room_id *room,
                                enum store_outgoing_sort sort, int64_t after, struct arena *arena,
                                struct store_outgoing *outgoing);
/* The same of those whose client id begins so. */
sotto_error store_outgoing_named_next(struct store *store, const struct room_id *room,
                                      const char *prefix, int64_t after, struct arena *arena,
                                      struct store_outgoing *outgoing);

/* How many wait to be sent; room NULL: in all. */
sotto_error store_outgoing_count(struct store *store, const struct room_id *room,
                                 enum store_outgoing_sort sort, uint32_t *count);
/* The rooms that owe anything. */
sotto_error store_outgoing_rooms(struct store *store, struct arena *arena, struct room_id **rooms,
                                 size_t *count);

/* [tx] What is to be posted to an account, now or when a commit has won, goes to that relay from
 * now on. */
sotto_error store_outgoing_moved(struct store *store, const struct account_id *account,
                                 const char *relay);

#endif
