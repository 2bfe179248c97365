/* People: what one calls them, whom one has blocked, whose keys one has compared, and what changed
 * about them. */
#ifndef CORE_PEOPLE_H
#define CORE_PEOPLE_H

#include "core/internal.h"
#include "core/store_pins.h"

/* What the person calls them, else what they call themselves. */
const char *people_name(const struct store_contact *contact);

/* A living conversation with that person alone, rather one that this device is in: no second one is
 * begun. */
bool people_conversation(struct sotto *core, const struct account_id *account, struct arena *arena,
                         struct room_id *room);

/* Whether the other one of a conversation with one person is blocked. */
sotto_error people_peer_blocked(struct sotto *core, const struct store_room *room, bool *blocked);
/* As core_room_open, for what is going to be said: a problem too where the other one is blocked. */
sotto_error people_room_open(struct sotto *core, const struct room_id *id, struct arena *arena,
                             struct store_room *row);

/* Inside a transaction: what follows from an account's being blocked. */
sotto_error people_silence(struct sotto *core, const struct account_id *account);

/* Inside a transaction: the account's key has signed two lists of devices that contradict each
 * other. It is told in the conversation, and the keys count as compared no longer. */
sotto_error people_conflict(struct sotto *core, const struct account_id *account);
/* The same in a transaction of its own, if `offered` is such a list of that account's. */
void people_conflict_note(struct sotto *core, const struct account_id *account,
                          sotto_bytes offered);

/* Inside a transaction: the beginning of the first text that waits in a conversation with one
 * person, for the request that it is to them; empty: none. Lives in arena. */
sotto_error people_greeting(struct room *room, const struct store_room *row, struct arena *arena,
                            sotto_bytes *greeting);

/* What a link may be good for (sotto_invite). Sets the problem. */
sotto_error invite_terms(struct sotto *core, uint32_t uses, uint64_t lifetime_s);

/* What the other person scans; with: whom it is shown to, NULL for anybody. Sets the problem. */
sotto_error verify_link_show(struct sotto *core, const struct account_id *with, char *out,
                             size_t size);

/* ---- Records among one's own devices (own.c) ---- */

enum {
    OWN_LABEL = 32,    /* what a contact is called */
    OWN_DECLINED = 33, /* a request that is answered */
    OWN_PIN = 34,      /* which account a label leads to */
    OWN_COMPARED = 36, /* a contact's keys were compared after their lists contradicted */
};
sotto_error people_label_write(const struct account_id *account, const char *label, sotto_buf *out);
sotto_error people_label_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error people_declined_read(struct sotto *core, struct reader *reader);
sotto_error people_compared_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error people_pin_write(const struct store_pin *pin, sotto_buf *out);
sotto_error people_pin_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error people_pin_tell(struct sotto *core, const struct store_pin *pin);
/* Inside a transaction: the request is answered, here and on the other devices. */
sotto_error people_request_gone(struct sotto *core, const struct store_request *request);

#endif
