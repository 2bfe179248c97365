/* Conversations and groups (sotto/sotto.h). */
#ifndef SOTTO_CONVERSATION_H
#define SOTTO_CONVERSATION_H

#include "sotto/contact.h"

/* ---- Conversations -------------------------------------------------------------------------- */

enum sotto_room_state {
    SOTTO_ROOM_CREATING = 1, /* made here, not at the relay yet */
    SOTTO_ROOM_ACTIVE = 2,
    SOTTO_ROOM_REMOVED = 3, /* somebody removed this account */
    SOTTO_ROOM_LEFT = 4,
    SOTTO_ROOM_FORKED = 5, /* the relay's log contradicts itself */
};

const char *sotto_room_state_name(enum sotto_room_state state); /* "active" */

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
    uint32_t timer_s;             /* after which one's own messages disappear; 0: never */
    bool blocked;                 /* the other person is */
    enum sotto_verified verified; /* the other person's keys; of a group: unverified */
    const char *trouble;          /* empty, or why it is forked or waits */
    char authenticator[65]; /* hex of the epoch authenticator's first 32 bytes; empty if not active
                             */
};

/* Local. */
sotto_error sotto_conversations(struct sotto *core,
                                void (*each)(void *ctx, const struct sotto_conversation *one),
                                void *ctx);
sotto_error sotto_conversation(struct sotto *core, const struct sotto_id *id,
                               void (*each)(void *ctx, const struct sotto_conversation *one),
                               void *ctx);

/* Local. After how many seconds messages that are written here from now on disappear: at others'
 * since they read them, here since they were sent; 0: never. Each message carries its own time, so
 * others' messages have what they chose. They are erased by whatever runs on the profile then: on
 * time where sotto_serve or sotto_listen does, else when it is opened next. USAGE: above
 * SOTTO_TIMER_MAX. */
#define SOTTO_TIMER_MAX (365u * 86400)
sotto_error sotto_set_timer(struct sotto *core, const struct sotto_id *conversation,
                            uint32_t seconds);

/* Local. The conversation that who names: a title, a contact's name, an id's prefix. NOT_FOUND;
 * AMBIGUOUS, and the problem's next lists the choices. */
sotto_error sotto_find(struct sotto *core, const char *who, struct sotto_id *conversation);

struct sotto_member {
    struct sotto_id account;
    char device[33]; /* hex */
    const char *name;
    bool own;
    bool blocked;
    enum sotto_verified verified;
};

/* Local. */
sotto_error sotto_members(struct sotto *core, const struct sotto_id *conversation,
                          void (*each)(void *ctx, const struct sotto_member *member), void *ctx);

/* ---- Groups --------------------------------------------------------------------------------- */

/* Local: queue. Members are contacts or people known from other groups, by name or id prefix. */
sotto_error sotto_group_create(struct sotto *core, const char *title, const char *const *members,
                               size_t count, struct sotto_id *conversation);
sotto_error sotto_group_add(struct sotto *core, const struct sotto_id *conversation,
                            const char *const *members, size_t count);
sotto_error sotto_group_remove(struct sotto *core, const struct sotto_id *conversation,
                               const char *const *members, size_t count);
sotto_error sotto_group_leave(struct sotto *core, const struct sotto_id *conversation);
/* Fresh keys for one's own leaf: what a thief of the old ones had is worthless afterwards. */
sotto_error sotto_group_update(struct sotto *core, const struct sotto_id *conversation);

#endif
