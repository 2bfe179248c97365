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

/* What a role is called: "admin". Static text. */
const char *sotto_role_name(enum sotto_role role);
/* *role: the one of that name. False: there is none. */
bool sotto_role_named(const char *name, enum sotto_role *role);

/* What the least role is set for. */
enum sotto_policy {
    SOTTO_POLICY_ADD = 0,    /* add people, and let in those who ask */
    SOTTO_POLICY_REMOVE = 1, /* remove and ban people of a lower role */
    SOTTO_POLICY_WRITE = 2,
    SOTTO_POLICY_CHANGE = 3, /* title, description, picture, timer */
    SOTTO_POLICY_COUNT = 4,
};

/* What a policy is called: "add". Static text. */
const char *sotto_policy_name(enum sotto_policy policy);
/* *policy: the one of that name. False: there is none. */
bool sotto_policy_named(const char *name, enum sotto_policy *policy);

/* What becomes of who asks by a link. */
enum sotto_join_rule {
    SOTTO_JOIN_CLOSED = 0, /* no link is good */
    SOTTO_JOIN_ASK = 1,    /* whoever made the link, or another device of theirs, is asked */
    SOTTO_JOIN_OPEN = 2,   /* let in by the device that made the link, when it is connected */
};

/* What a rule is called: "ask". Static text. */
const char *sotto_join_rule_name(enum sotto_join_rule rule);
/* *rule: the one of that name. False: there is none. */
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

/* Local. Calls each with ctx for everybody who has a role of their own or is banned. */
sotto_error sotto_group_standings(struct sotto *core, const struct sotto_id *conversation,
                                  void (*each)(void *ctx, const struct sotto_standing *standing),
                                  void *ctx);

/* These queue a change, which the group's log orders among those of others. NOT_ALLOWED: one's role
 * does not allow it. If it is taken away before the change is made, the change is dropped, and
 * sotto_settle says so. CANNOT_CHANGE: the last owner has to make another one first. USAGE: it is
 * no group; NOT_MEMBER, FORKED: one is not in it any more, or it was stopped. who may also be
 * oneself, by the first eight or more digits of one's account's id. */

/* Local: queues. title: one line of 1 to 256 bytes (BAD_NAME). */
sotto_error sotto_group_set_title(struct sotto *core, const struct sotto_id *conversation,
                                  const char *title);

/* Local: queues. description: lines, SOTTO_DESCRIPTION_MAX bytes at most (TOO_LONG); empty: none.
 */
sotto_error sotto_group_set_description(struct sotto *core, const struct sotto_id *conversation,
                                        const char *description);

/* Local: reads the file at path, and queues: a PNG, JPEG, WebP or GIF, of which what it tells
 * beside the picture is left out; path NULL: none. BAD_PICTURE: it is none, or what is left has
 * more than SOTTO_PICTURE_MAX bytes; NO_FILE. */
sotto_error sotto_group_set_picture(struct sotto *core, const struct sotto_id *conversation,
                                    const char *path);

/* Local: queues. who gets that role. Owners may. */
sotto_error sotto_group_set_role(struct sotto *core, const struct sotto_id *conversation,
                                 const char *who, enum sotto_role role);

/* Local: queues. policy: what is allowed from now on to whoever has the role `least` or a higher
 * one. Owners may. */
sotto_error sotto_group_set_policy(struct sotto *core, const struct sotto_id *conversation,
                                   enum sotto_policy policy, enum sotto_role least);

/* Local: queues. rule: what becomes of who asks by a link from now on. Owners may. */
sotto_error sotto_group_set_join(struct sotto *core, const struct sotto_id *conversation,
                                 enum sotto_join_rule rule);

/* Local: queues. Removes who, if in the group, and keeps them out: nobody can add them, and their
 * asking to join is refused. */
sotto_error sotto_group_ban(struct sotto *core, const struct sotto_id *conversation,
                            const char *who);
/* Local: queues. who may be added again. */
sotto_error sotto_group_unban(struct sotto *core, const struct sotto_id *conversation,
                              const char *who);

/* Local: queues. A group that was stopped (SOTTO_ROOM_FORKED) goes on in a new one with all who
 * were in it but whoever stopped it; their clients move there by themselves. An owner's Sotto does
 * that without being asked where it is known who did it. successor: the new one's id.
 * CANNOT_CHANGE: it was not stopped; EXISTS: it goes on already. */
sotto_error sotto_group_continue(struct sotto *core, const struct sotto_id *conversation,
                                 struct sotto_id *successor);

/* Network. A link with which people can ask to join: so many (uses), for lifetime_s
 * seconds, both within the limits of sotto_invite (USAGE). What becomes of it is the group's rule
 * (enum sotto_join_rule). Appended to link, with a NUL; whoever has it can ask. The requests come
 * to this device, which tells the account's others; any of them lists the link, revokes it, and
 * answers who asks. NOT_ALLOWED: one may not add people, or the rule is CLOSED. */
sotto_error sotto_group_link(struct sotto *core, const struct sotto_id *conversation, uint32_t uses,
                             uint64_t lifetime_s, sotto_buf *link);
struct sotto_join_link {
    int64_t number;
    struct sotto_id conversation;
    uint32_t uses, used;
    uint64_t expires_s;
};

/* Local. Calls each with ctx for every link that a device of the account made. Numbers are this
 * device's own. */
sotto_error sotto_group_links(struct sotto *core,
                              void (*each)(void *ctx, const struct sotto_join_link *link),
                              void *ctx);

/* Network. From now on the link of that number is good for nothing, here at once, whichever device
 * made it; the relay learns it with the next connection if it cannot be reached now, the account's
 * other devices at the next settling. So are links of a conversation that is erased. NOT_FOUND. */
sotto_error sotto_group_unlink(struct sotto *core, int64_t number);

/* Network. Asks with a link of sotto_group_link. conversation is in state SOTTO_ROOM_ASKED until
 * the answer comes, with which it goes and the group is there under an id of its own;
 * sotto_group_leave withdraws. BAD_LINK; OWN_LINK; INVITATION_USED, INVITATION_UNKNOWN,
 * INVITATION_EXPIRED: ask for another one.
 */
sotto_error sotto_group_ask(struct sotto *core, const char *link, struct sotto_id *conversation);

struct sotto_join_request {
    int64_t id;
    struct sotto_id conversation;
    const char *title;
    struct sotto_id account; /* who asks: the request is signed by a device of it */
    const char *name;        /* as one knows them, else as they call themself */
    uint64_t time_s;
};

/* Local. Calls each with ctx for every request that waits to be answered on this device. */
sotto_error sotto_join_requests(struct sotto *core,
                                void (*each)(void *ctx, const struct sotto_join_request *request),
                                void *ctx);

/* Local: queues the Add of who made the request of that id, into conversation. NOT_FOUND;
 * NOT_ALLOWED. */
sotto_error sotto_join_approve(struct sotto *core, int64_t id, struct sotto_id *conversation);

/* Local. Forgets the request of that id; who asked is not told. NOT_FOUND. */
sotto_error sotto_join_refuse(struct sotto *core, int64_t id);

/* Local. The picture's bytes, appended to picture. NOT_FOUND: there is none. */
sotto_error sotto_group_picture(struct sotto *core, const struct sotto_id *conversation,
                                sotto_buf *picture);

/* Local. The same into a new file at path, of mode 0600. EXISTS: there is one; NO_FILE: it cannot
 * be made. */
sotto_error sotto_group_save_picture(struct sotto *core, const struct sotto_id *conversation,
                                     const char *path);

SOTTO_API_END

#endif
