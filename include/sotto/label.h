/* Being found, and finding people, by a username or a number at the account's relay
 * (sotto/sotto.h). */
#ifndef SOTTO_LABEL_H
#define SOTTO_LABEL_H

#include "sotto/contact.h"

SOTTO_API_BEGIN

/* ---- One's own ------------------------------------------------------------------------------ */

/* A username: 3 to 32 of a to z, 0 to 9, "_", "." and "-"; a letter first, a letter or digit last,
 * no two of the three signs in a row. */
#define SOTTO_USERNAME_MAX 32

struct sotto_labels {
    char username[SOTTO_USERNAME_MAX + 1]; /* empty: none */
    char phone[17];                        /* the number that the relay has; empty: none */
    bool findable;                         /* by that number */
};

/* Network. *labels: what the relay has. */
sotto_error sotto_labels(struct sotto *core, struct sotto_labels *labels);

/* Network. Anybody who has an account at the relay may find one's account by that username from now
 * on, and the relay has it, for whoever may ask the relay; in place of an earlier one. Empty: by
 * none. BAD_NAME; USERNAME_TAKEN. */
sotto_error sotto_set_username(struct sotto *core, const char *username);

/* Network. findable: whether one may be found by the phone number that the relay has. PHONE_NEEDED:
 * it has none. */
sotto_error sotto_set_findable(struct sotto *core, bool findable);

/* ---- Others' -------------------------------------------------------------------------------- */

/* Who has a label, says the relay: it can name whom it likes, so nobody is verified by this, and
 * what it said first is remembered on all one's devices. */
struct sotto_found {
    struct sotto_id account;
    char label[SOTTO_USERNAME_MAX + 3]; /* "@anna", "+4930123456" */
    char name[260];                     /* as one knows them; empty: not at all */
    bool contact, blocked;
    enum sotto_verified verified;
    bool changed;           /* the label led to another account before: */
    struct sotto_id before; /* that one */
};

/* Network: the anonymous connection; costs a token. label: "@" and a username, or a number like
 * +4930123456, exactly. *found: who has it. NOT_FOUND: nobody, or nobody who wants to be found by
 * it; BAD_NAME: it is no label; BAD_IDENTITY: what the relay gave out is not valid. */
sotto_error sotto_find_person(struct sotto *core, const char *label, struct sotto_found *found);

/* Network, then queues: finds by label as sotto_find_person, makes a contact, and a conversation,
 * which is a request to the other person. greeting: its first text, which the request shows; NULL:
 * none. changed: take it although the label led to another account before; without that CHANGED.
 * Where there is a conversation with them already it is that one. Settle afterwards. BLOCKED: one
 * has blocked them; OWN_LINK: it is oneself. */
sotto_error sotto_add_person(struct sotto *core, const char *label, const char *greeting,
                             bool changed, struct sotto_id *conversation);

SOTTO_API_END

#endif
