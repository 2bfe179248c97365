/* Other people (sotto/sotto.h). */
#ifndef SOTTO_CONTACT_H
#define SOTTO_CONTACT_H

#include "sotto/problem.h"

/* ---- Meeting -------------------------------------------------------------------------------- */

/* Network. A link for `uses` people, good for lifetime_s seconds; appended to link, with a NUL. */
sotto_error sotto_invite(struct sotto *core, uint32_t uses, uint64_t lifetime_s, sotto_buf *link);

struct sotto_request {
    int64_t id;
    struct sotto_id conversation;
    struct sotto_id sender;
    const char *sender_name; /* empty: not known */
    uint64_t time_s;
};

/* Local. People who are not contacts and want to write: their conversations wait. */
sotto_error sotto_requests(struct sotto *core,
                           void (*each)(void *ctx, const struct sotto_request *request), void *ctx);

/* Local: queues. what: an invitation link, or a request's number or id prefix. conversation: what
 * it leads to. Settle afterwards. Repeating it is harmless. */
sotto_error sotto_accept(struct sotto *core, const char *what, struct sotto_id *conversation);
sotto_error sotto_decline(struct sotto *core, const char *what);

struct sotto_contact {
    struct sotto_id account;
    const char *name; /* empty: not known yet */
    const char *relay;
    bool blocked;
};

/* Local. */
sotto_error sotto_contacts(struct sotto *core,
                           void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx);

/* Local. One of them. NOT_FOUND: not a contact (any more). */
sotto_error sotto_contact(struct sotto *core, const struct sotto_id *account,
                          void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx);

#endif
