/* Other people (sotto/sotto.h). */
#ifndef SOTTO_CONTACT_H
#define SOTTO_CONTACT_H

#include "sotto/problem.h"

SOTTO_API_BEGIN

/* ---- Meeting -------------------------------------------------------------------------------- */

#define SOTTO_LINK_USES_MAX 1000
#define SOTTO_LINK_LIFETIME_MAX (3650 * UINT64_C(86400))

/* Network. A link for `uses` people (1 to SOTTO_LINK_USES_MAX), good for lifetime_s seconds (1 to
 * SOTTO_LINK_LIFETIME_MAX; the relay may shorten it); appended to link, with a NUL. Whoever has it
 * can begin a conversation with this account. USAGE: another number. TIMEOUT: the relay did not
 * confirm it: there is none, call again. */
sotto_error sotto_invite(struct sotto *core, uint32_t uses, uint64_t lifetime_s, sotto_buf *link);

struct sotto_request {
    int64_t id;
    struct sotto_id conversation;
    struct sotto_id sender;
    const char *sender_name; /* as one knows them, else as the request calls them; may be empty */
    const char *greeting;    /* the beginning of what they want to say: one line, may be empty */
    uint64_t time_s;
};

/* Local. Calls each with ctx for everybody who is no contact and wants to write: their
 * conversations wait. */
sotto_error sotto_requests(struct sotto *core,
                           void (*each)(void *ctx, const struct sotto_request *request), void *ctx);

/* Local: queues. what: an invitation link, or a request's number, or the first four or
 * more digits of the id of its sender or conversation. conversation: what it leads to. Settle
 * afterwards. Repeating it is harmless. BAD_LINK; OWN_LINK; INVITATION_EXPIRED: ask for another
 * one; BAD_IDENTITY: the link's keys are not its account's; NOT_FOUND, AMBIGUOUS: of a request. */
sotto_error sotto_accept(struct sotto *core, const char *what, struct sotto_id *conversation);

/* Local: queues. Refuses a request (what: as sotto_accept's) on all one's devices; the sender is
 * not told. */
sotto_error sotto_decline(struct sotto *core, const char *what);

/* Local: queues. Blocks the sender of a request (what: as sotto_accept's), all of whose requests
 * go. */
sotto_error sotto_block_request(struct sotto *core, const char *what);

/* By what the person knows that somebody's keys are theirs. */
enum sotto_verified {
    SOTTO_UNVERIFIED = 0,
    SOTTO_VERIFIED_COMPARED = 1, /* they compared numbers, or scanned a code */
    SOTTO_VERIFIED_LINK = 2, /* they took an invitation link, which names the key: as good as the
                              * way by which the link came */
};

/* What it is called: "compared"; "" for UNVERIFIED. Static text. verified: also a number that is
 * none. */
const char *sotto_verified_name(enum sotto_verified verified);

struct sotto_contact {
    struct sotto_id account;
    const char *name;         /* what one calls them, else as they call themselves; may be empty */
    const char *profile_name; /* as they call themselves; empty: not known yet */
    const char *relay;
    char picture[65];     /* SHA-256 of their picture, in hex; empty: none is known */
    const char *found_by; /* the username or number by which they were found; may be empty */
    bool contact;         /* false: somebody else who is blocked */
    bool blocked;
    enum sotto_verified verified;
    bool conflict; /* the account's key has signed lists of devices that contradict each other */
};

/* Local. Calls each with ctx for everybody whom one wants to know. */
sotto_error sotto_contacts(struct sotto *core,
                           void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx);

/* Local. Calls each with ctx for everybody whom one has blocked, contacts or not. */
sotto_error sotto_blocked(struct sotto *core,
                          void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx);

/* Local. Calls each with ctx once, for the contact, or whom one has blocked, of that account's id.
 * NOT_FOUND: they are neither (any more). */
sotto_error sotto_contact(struct sotto *core, const struct sotto_id *account,
                          void (*each)(void *ctx, const struct sotto_contact *contact), void *ctx);

/* What follows is about a contact or somebody known from a group or a request, and goes to one's
 * own other devices. */

/* Local: queues. name: what one calls them from now on, here and on one's other devices alone, one
 * line of at most 256 bytes (BAD_NAME); empty: as they call themselves. */
sotto_error sotto_contact_rename(struct sotto *core, const char *who, const char *name);

/* Local: queues. A contact no more: what they want to begin from now on is a request. Conversations
 * stay. NOT_FOUND: also somebody who is none. */
sotto_error sotto_contact_delete(struct sotto *core, const char *who);

/* Local: queues. blocked: nothing of theirs is let in: their requests and, between two, messages
 * are dropped and never shown, also after unblocking; they are told nothing, get no receipts, and
 * nothing can be sent to them (BLOCKED). In groups, what they write is kept, marked, and not
 * unread. */
sotto_error sotto_block(struct sotto *core, const char *who, bool blocked);

/* Local: queues. verified: the person has compared sotto_fingerprint's number with theirs; false:
 * takes that back. */
sotto_error sotto_set_verified(struct sotto *core, const char *who, bool verified);

/* Local. link: that of sotto_fingerprint as the other person's device shows it, scanned or pasted.
 * If it is that of somebody known, and of `who` (NULL: of whomever), and was made for oneself, they
 * count as verified. account: whose it is. BAD_IDENTITY: it is somebody else's, or for somebody
 * else; NOT_FOUND: nobody known has these keys; OWN_LINK; BAD_LINK. */
sotto_error sotto_verify_link(struct sotto *core, const char *link, const char *who,
                              struct sotto_id *account);

/* Local. Writes a contact's picture into a new file at path, of mode 0600; who NULL: one's own.
 * NOT_FOUND: there is none; EXISTS: there is such a file; NO_FILE: it cannot be made. */
sotto_error sotto_save_picture(struct sotto *core, const char *who, const char *path);

SOTTO_API_END

#endif
