/* Conversations and groups (sotto/sotto.h). */
#ifndef SOTTO_CONVERSATION_H
#define SOTTO_CONVERSATION_H

#include "sotto/contact.h"
#include "sotto/group.h"
#include "sotto/message.h"

SOTTO_API_BEGIN

/* ---- Conversations -------------------------------------------------------------------------- */

enum sotto_room_state {
    SOTTO_ROOM_CREATING = 1, /* made here, not at the relay yet */
    SOTTO_ROOM_ACTIVE = 2,
    SOTTO_ROOM_REMOVED = 3, /* somebody removed this account */
    SOTTO_ROOM_LEFT = 4,
    SOTTO_ROOM_FORKED = 5,    /* the relay's log contradicts itself */
    SOTTO_ROOM_REJOINING = 7, /* the account is in it and this device is not: what it never saw has
                                 expired, a member put it out, or it is new, or was restored from a
                                 backup. It asks members to let it in, and what is written waits
                                 until then */
    SOTTO_ROOM_ASKED = 8,     /* nothing yet: one asked to join by a link */
};

/* What a state is called: "active". Static text. */
const char *sotto_room_state_name(enum sotto_room_state state);

/* What a person began to write. */
struct sotto_draft {
    sotto_bytes text; /* UTF-8, SOTTO_DRAFT_MAX bytes at most */
    bool markdown;
    int64_t reply_to; /* the message that it answers; 0: none, or it is gone */
    uint64_t time_s;  /* when it was written, on whichever device; 0: there is none */
};
#define SOTTO_DRAFT_MAX 65536u
#define SOTTO_LINE_MAX 200u

struct sotto_conversation {
    struct sotto_id id;
    bool group;
    enum sotto_room_state state;
    const char *title; /* the group's, or the other person's name */
    const char *relay;
    uint64_t epoch;
    uint64_t seq; /* of the last entry applied */
    uint32_t members;
    uint32_t waiting; /* in the outbox */
    uint32_t unread;
    uint32_t mentions;  /* of the unread ones those that mention oneself */
    bool marked_unread; /* by hand */
    bool pinned, archived;
    bool hidden; /* it was erased: in no list until its next message */
    bool muted;
    uint64_t muted_until_s; /* 0: for good */
    bool mentions_muted;    /* too */
    uint64_t active_s;      /* when something happened there last */
    struct sotto_draft draft;
    const struct sotto_message *last; /* that came or was written last, its text cut to
                                         SOTTO_LINE_MAX bytes; NULL: none */
    uint32_t timer_s;                 /* after which messages disappear; 0: never */
    struct sotto_settings settings;
    bool blocked;                 /* the other person is */
    enum sotto_verified verified; /* the other person's keys; of a group: unverified */
    const char *trouble;          /* empty, or why it is forked or waits, or that somebody who was
                                     added is not in yet (sotto_members) */
    char authenticator[65]; /* hex of the epoch authenticator's first 32 bytes; empty if not active
                             */
};

/* Which part of the list. */
struct sotto_list {
    bool archived;   /* what is archived is in a list of its own */
    uint64_t offset; /* how many are left out */
    uint64_t limit;  /* how many at most */
};

/* Local. Calls each with ctx for a page of the list: the pinned ones first, then by activity, the
 * newest first. total, if not NULL: how many there are in all. The cost is that of the page,
 * whatever else there is in the profile. */
sotto_error sotto_conversations(struct sotto *core, const struct sotto_list *list, uint64_t *total,
                                void (*each)(void *ctx, const struct sotto_conversation *one),
                                void *ctx);

/* Local. Calls each with ctx once, for the conversation of that id. NOT_FOUND. */
sotto_error sotto_conversation(struct sotto *core, const struct sotto_id *id,
                               void (*each)(void *ctx, const struct sotto_conversation *one),
                               void *ctx);

/* Local: queues. After how many seconds messages that are written here from now on disappear: at
 * who reads them counted from that, at their sender's from when they were sent; 0: never. It is the
 * room's, so all members' messages have it; in a room of an earlier version, one's own alone.
 * NOT_ALLOWED: see SOTTO_POLICY_CHANGE. They are erased by whatever runs on the profile then: on
 * time where sotto_serve or sotto_listen does, else when it is opened next. USAGE: above
 * SOTTO_TIMER_MAX. */
#define SOTTO_TIMER_MAX (365u * 86400)
sotto_error sotto_set_timer(struct sotto *core, const struct sotto_id *conversation,
                            uint32_t seconds);

/* ---- What a person sets, on all devices of the account ---- */

/* All of these are told to one's own other devices, and to those that are linked later; of two that
 * set the same thing at once the one counts that the room among them has last. NOT_FOUND. */

/* Local: queues. on: it stands before the others in the list. */
sotto_error sotto_pin(struct sotto *core, const struct sotto_id *conversation, bool on);

/* Muting is for whoever notifies the person. mentions: those of oneself are muted too, which they
 * are not otherwise. */
struct sotto_muting {
    bool on;
    uint64_t until_s; /* 0: for good */
    bool mentions;
};

/* Local: queues. In place of an earlier muting. */
sotto_error sotto_mute(struct sotto *core, const struct sotto_id *conversation,
                       const struct sotto_muting *muting);

/* Local: queues. on: into the archive, from where it comes back with a message of one's own, and
 * with one of others unless it is muted (and the message mentions nobody whose mentions are not).
 */
sotto_error sotto_archive(struct sotto *core, const struct sotto_id *conversation, bool on);

/* Local: queues. As unread, until something in it is read: sotto_mark_read, which also takes an id
 * of 0 or of a message that was read before. */
sotto_error sotto_mark_unread(struct sotto *core, const struct sotto_id *conversation);

/* Local: queues. In place of an earlier draft; neither text nor reply_to: none any more.
 * draft->time_s is ignored. BAD_TEXT: no UTF-8; TOO_LONG; NOT_FOUND: also what it answers. */
sotto_error sotto_set_draft(struct sotto *core, const struct sotto_id *conversation,
                            const struct sotto_draft *draft);

/* Local. on: the person types there; false: stopped. To be called as often as a key is pressed:
 * what is told is told once in four seconds at most. Kept in memory: it leaves with sotto_serve or
 * sotto_settle, and is forgotten where that takes longer than five seconds. Nobody is told in
 * groups of more than 32 devices, where one has blocked the other person, or where
 * sotto_allow_typing is off. */
sotto_error sotto_set_typing(struct sotto *core, const struct sotto_id *conversation, bool on);

/* Local: queues. Erases what was said in the conversation, what waits there and its draft, here and
 * on one's own other devices; others keep theirs, and one stays a member: it is in no list until
 * something new comes. A conversation that is over goes whole. What was on its way already may be
 * sent all the same. Returns when nothing is left; ended before, the next one who opens the profile
 * goes on. Takes a second for some ten thousand messages, in steps between which others may work.
 */
sotto_error sotto_erase(struct sotto *core, const struct sotto_id *conversation);

/* Local. conversation: the one that who names, which here is a title, a contact's name, or the
 * beginning of an id. NOT_FOUND; AMBIGUOUS, and the problem's next lists the choices. */
sotto_error sotto_find(struct sotto *core, const char *who, struct sotto_id *conversation);

struct sotto_member {
    struct sotto_id account;
    char device[33]; /* hex */
    const char *name;
    bool own;
    bool blocked;
    enum sotto_verified verified;
    /* Of whom this device added: */
    bool waits;          /* not in yet, since their relay has not taken what lets them in */
    const char *trouble; /* why, once it was refused, and what to do; else empty */
};

/* Local. Calls each with ctx for every device in the conversation, one's own too. */
sotto_error sotto_members(struct sotto *core, const struct sotto_id *conversation,
                          void (*each)(void *ctx, const struct sotto_member *member), void *ctx);

/* ---- Groups --------------------------------------------------------------------------------- */

/* members: count people, contacts or known from other groups, each named as who is everywhere
 * (NOT_FOUND, AMBIGUOUS). What these queue is made at the next settling; an error that ends it for
 * good (NO_KEY_PACKAGE, ALREADY_MEMBER, NOT_ALLOWED) is sotto_settle's to say. USAGE: it is no
 * group; NOT_MEMBER: one is not in it any more; FORKED: it was stopped. */

/* Local: queues. A group of that title, one line of 1 to 256 bytes (BAD_NAME), of oneself and
 * count members, who may be none. conversation: its id. */
sotto_error sotto_group_create(struct sotto *core, const char *title, const char *const *members,
                               size_t count, struct sotto_id *conversation);

/* Local: queues. Adds count members. NOT_ALLOWED: one's role does not allow it, or one of them is
 * banned; ALREADY_MEMBER: one of them is. */
sotto_error sotto_group_add(struct sotto *core, const struct sotto_id *conversation,
                            const char *const *members, size_t count);

/* Local: queues. Removes count members, with all their devices: they read nothing from then on.
 * NOT_ALLOWED; NOT_FOUND: also somebody who is not in the group. */
sotto_error sotto_group_remove(struct sotto *core, const struct sotto_id *conversation,
                               const char *const *members, size_t count);

/* Local: queues. Leaves, with all one's devices; of a conversation between two too. What was said
 * stays here. Where the last owner leaves, another member becomes one. */
sotto_error sotto_group_leave(struct sotto *core, const struct sotto_id *conversation);

/* Local: queues. Fresh keys for one's own leaf: what a thief of the old ones had is worthless
 * afterwards. */
sotto_error sotto_group_update(struct sotto *core, const struct sotto_id *conversation);

SOTTO_API_END

#endif
