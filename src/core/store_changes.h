/* What people do to messages that are there: edits, deletions, reactions. See store.h. */
#ifndef CORE_STORE_CHANGES_H
#define CORE_STORE_CHANGES_H

#include "core/store.h"

/* The message that a content id means: its own, or that of an edit of it. NOT_FOUND. */
sotto_error store_message_meant(struct store *store, const struct room_id *room,
                                sotto_bytes content_id, struct arena *arena,
                                struct store_message *message);

/* [tx] The message says this now; what it said before is erased. content_id: the edit's, which
 * means the message from now on. NOT_FOUND. */
sotto_error store_message_edit(struct store *store, int64_t local, sotto_bytes text, bool markdown,
                               sotto_bytes content, sotto_bytes content_id, uint64_t now_s);
/* [tx] Whether its text mentions oneself now. */
sotto_error store_message_mention(struct store *store, int64_t local, bool mentions_self);
/* [tx] Nothing is left of it but who wrote it and when: its kind is SOTTO_KIND_DELETED, its text,
 * its content, what it answered, and its reactions are erased. It counts as read. NOT_FOUND. */
sotto_error store_message_erase(struct store *store, int64_t local);

/* One a sender and message. */
struct store_reaction {
    struct account_id sender;
    sotto_bytes content_id;
    sotto_bytes text; /* UTF-8 */
    uint64_t time_s;  /* when this device stored it */
};

/* [tx] In the place of an earlier one of that sender. */
sotto_error store_reaction_put(struct store *store, int64_t local,
                               const struct store_reaction *reaction);
/* [tx] Takes the sender's reaction of that content id back. NOT_FOUND. */
sotto_error store_reaction_erase(struct store *store, const struct room_id *room,
                                 const struct account_id *sender, sotto_bytes content_id);
/* Of a message, in the order in which they came. */
sotto_error store_reactions(struct store *store, int64_t local, struct arena *arena,
                            struct store_reaction **reactions, size_t *count);

/* [tx] A change of one's own, named by the client: WAITING. EXISTS. */
sotto_error store_change_add(struct store *store, const struct room_id *room,
                             const char *client_id);
/* [tx] SENT with its seq, or FAILED. NOT_FOUND. */
sotto_error store_change_end(struct store *store, const struct room_id *room, const char *client_id,
                             enum store_message_state state, uint64_t seq);
/* NOT_FOUND. */
sotto_error store_change_get(struct store *store, const struct room_id *room, const char *client_id,
                             enum store_message_state *state, uint64_t *seq);

#endif
