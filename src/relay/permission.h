/* What a request of the room connection pays with: nothing (so many an hour from one address), a
 * capability from an invitation, or an anonymous token.
 *
 * A request handler calls permission_admit, puts the result into its operation, and calls
 * permission_settle when the operation has completed. The store decides in the operation's own
 * transaction, with permission_allow and permission_spend (store_sql.h). */
#ifndef RELAY_PERMISSION_H
#define RELAY_PERMISSION_H

#include "relay/connection.h"

/* What the request wants, which says what pays for it. */
enum permit {
    PERMIT_LOOK,   /* read what somebody published: nothing, or a capability */
    PERMIT_INBOX,  /* reach one person: nothing unless tokens are demanded, a capability, a token */
    PERMIT_CREATE, /* have something stored: nothing unless tokens are demanded, or a token */
    PERMIT_EXTEND, /* have more stored: a token */
    PERMIT_FIND,   /* find somebody by a label: a token, or nothing where none are issued */
};

/* Checks what can be checked here. False: the request was refused. A token that is not good goes on
 * to the store all the same: the request may be a repeat of one that was done. */
bool permission_admit(struct connection *connection, uint32_t request,
                      const struct permission *permission, enum permit permit,
                      struct store_permission *out);

/* The same for something of that size, which several tokens may pay for: as many as it costs, each
 * once. permissions: count of them; out has room for as many. */
bool permission_admit_size(struct connection *connection, uint32_t request,
                           const struct permission *permissions, size_t count, uint64_t size,
                           struct store_permission *out);

/* Counts a permission that was refused like none at all, so that guessing has a limit. */
void permission_settle(const struct store_op *op);

#endif
