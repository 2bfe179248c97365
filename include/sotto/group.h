/* What the members of a group agreed on, and who may do what (sotto/sotto.h). */
#ifndef SOTTO_GROUP_H
#define SOTTO_GROUP_H

#include "sotto/problem.h"

SOTTO_API_BEGIN

/* Who may do more may also do less. */
enum sotto_role {
    SOTTO_ROLE_MEMBER = 1,
    SOTTO_ROLE_ADMIN = 2,
    SOTTO_ROLE_OWNER = 3, /* also says who has which role, and who may do what */
};
const char *sotto_role_name(enum sotto_role role);              /* "admin" */
bool sotto_role_named(const char *name, enum sotto_role *role); /* false: there is none */

/* What the least role is set for. */
enum sotto_policy {
    SOTTO_POLICY_ADD = 0,    /* add people, and let in those who ask */
    SOTTO_POLICY_REMOVE = 1, /* remove and ban people of a lower role */
    SOTTO_POLICY_WRITE = 2,
    SOTTO_POLICY_CHANGE = 3, /* title, description, picture, timer */
    SOTTO_POLICY_COUNT = 4,
};
const char *sotto_policy_name(enum sotto_policy policy); /* "add" */
bool sotto_policy_named(const char *name, enum sotto_policy *policy);

/* What becomes of who asks by a link. */
enum sotto_join_rule {
    SOTTO_JOIN_CLOSED = 0, /* no link is good */
    SOTTO_JOIN_ASK = 1,    /* whoever made the link, or another device of theirs, is asked */
    SOTTO_JOIN_OPEN = 2,   /* let in by the device that made the link, when it is connected */
};
const char *sotto_join_rule_name(enum sotto_join_rule rule); /* "ask" */
bool sotto_join_rule_named(const char *name, enum sotto_join_rule *rule);

#define SOTTO_DESCRIPTION_MAX 1024 /* bytes */
#define SOTTO_PICTURE_MAX 8192     /* bytes of a room's picture */

/* What a group's members agreed on; of a conversation between two, a timer alone. */
struct sotto_settings {
    bool agreed; /* false: the group is of an earlier version; all in it are owners */
    const char *description;
    size_t picture;         /* bytes of it; 0: none. See sotto_group_picture */
    enum sotto_role role;   /* one's own */
    enum sotto_role others; /* of whoever has no other */
    enum sotto_role policy[SOTTO_POLICY_COUNT];
    bool may[SOTTO_POLICY_COUNT]; /* oneself */
    bool may_govern;              /* give roles, and say who may do what */
    enum sotto_join_rule join;
    struct sotto_id successor; /* where it goes on, if it was stopped and does; else zeros */
};

/* Somebody with a role of their own (banned: nothing else is said), in order of account. */
struct sotto_standing {
    struct sotto_id account;
    const char *name;
    enum sotto_role role;
    bool banned, own;
};
/* Local. */
sotto_error sotto_group_standings(struct sotto *core, const struct sotto_id *conversation,
                                  void (*each)(void *ctx, const struct sotto_standing *standing),
                                  void *ctx);

/* Local: these queue a change, which the group's log orders among those of others. NOT_ALLOWED:
 * one's role does not allow it. If it is taken away before the change is made, the change is
 * dropped, and sotto_settle says so. CANNOT_CHANGE: the last owner has to make another one first.
 * who: as sotto_group_add's members. */
sotto_error sotto_group_set_title(struct sotto *core, const struct sotto_id *conversation,
                                  const char *title);
/* UTF-8, lines; empty: none. */
sotto_error sotto_group_set_description(struct sotto *core, const struct sotto_id *conversation,
                                        const char *description);
/* Reads the file: a PNG, JPEG, WebP or GIF, of which what it tells beside the picture is left out;
 * path NULL: none. BAD_PICTURE: it is none, or what is left has more than SOTTO_PICTURE_MAX bytes;
 * NO_FILE. */
sotto_error sotto_group_set_picture(struct sotto *core, const struct sotto_id *conversation,
                                    const char *path);
sotto_error sotto_group_set_role(struct sotto *core, const struct sotto_id *conversation,
                                 const char *who, enum sotto_role role);
sotto_error sotto_group_set_policy(struct sotto *core, const struct sotto_id *conversation,
                                   enum sotto_policy policy, enum sotto_role least);
sotto_error sotto_group_set_join(struct sotto *core, const struct sotto_id *conversation,
                                 enum sotto_join_rule rule);
/* Removes the person, if in the group, and keeps them out: nobody can add them, and their asking
 * to join is refused. */
sotto_error sotto_group_ban(struct sotto *core, const struct sotto_id *conversation,
                            const char *who);
sotto_error sotto_group_unban(struct sotto *core, const struct sotto_id *conversation,
                              const char *who);

/* Local: queues. A group that was stopped (SOTTO_ROOM_FORKED) goes on in a new one with all who
 * were in it but whoever stopped it; their clients move there by themselves. An owner's Sotto does
 * that without being asked where it is known who did it. CANNOT_CHANGE: it was not stopped; EXISTS:
 * it goes on already. */
sotto_error sotto_group_continue(struct sotto *core, const struct sotto_id *conversation,
                                 struct sotto_id *successor);

/* Network. A link with which people can ask to join: so many, for so many seconds. What becomes of
 * it is the group's rule (enum sotto_join_rule). The link ends with NUL; whoever has it can ask.
 * The requests come to this device alone. NOT_ALLOWED: one may not add people, or the rule is
 * CLOSED. */
sotto_error sotto_group_link(struct sotto *core, const struct sotto_id *conversation, uint32_t uses,
                             uint64_t lifetime_s, sotto_buf *link);
struct sotto_join_link {
    int64_t number;
    struct sotto_id conversation;
    uint32_t uses, used;
    uint64_t expires_s;
};
/* Local. Those that this device made. */
sotto_error sotto_group_links(struct sotto *core,
                              void (*each)(void *ctx, const struct sotto_join_link *link),
                              void *ctx);
/* Network. From now on the link is good for nothing, here at once; the relay learns it with the
 * next connection if it cannot be reached now. NOT_FOUND. */
sotto_error sotto_group_unlink(struct sotto *core, int64_t number);

/* Network. Asks with a link. conversation is in state SOTTO_ROOM_ASKED until the answer comes, with
 * which it goes and the group is there under an id of its own; sotto_group_leave withdraws. */
sotto_error sotto_group_ask(struct sotto *core, const char *link, struct sotto_id *conversation);

struct sotto_join_request {
    int64_t id;
    struct sotto_id conversation;
    const char *title;
    struct sotto_id account; /* who asks: the request is signed by a device of it */
    const char *name;        /* as one knows them, else as they call themself */
    uint64_t time_s;
};
/* Local. Those that wait to be answered on this device. */
sotto_error sotto_join_requests(struct sotto *core,
                                void (*each)(void *ctx, const struct sotto_join_request *request),
                                void *ctx);
/* Local: queues the Add. NOT_FOUND, NOT_ALLOWED. */
sotto_error sotto_join_approve(struct sotto *core, int64_t id, struct sotto_id *conversation);
/* Local. Who asked is not told. NOT_FOUND. */
sotto_error sotto_join_refuse(struct sotto *core, int64_t id);

/* Local. The picture's bytes, appended. NOT_FOUND: there is none. */
sotto_error sotto_group_picture(struct sotto *core, const struct sotto_id *conversation,
                                sotto_buf *picture);
/* Local. The same into a new file of mode 0600. EXISTS: there is one; NO_FILE: it cannot be made.
 */
sotto_error sotto_group_save_picture(struct sotto *core, const struct sotto_id *conversation,
                                     const char *path);

SOTTO_API_END

#endif
