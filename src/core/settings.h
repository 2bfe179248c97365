/* What the members of a room agreed on: GroupContext extension 0xF504, `sotto_settings`
 * (PROTOCOL.md, section 6). Functions are pure; who may change what is room_rules.h's to say.
 *
 * A room without the extension is of a version of Sotto that had no roles: everybody in it is an
 * owner, and stays so until somebody who is there changes that. */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

#include "base/base.h"
#include "sotto/group.h"
#include "wire/ids.h"
#include "wire/limits.h"

enum {
    SETTINGS_EXTENSION = 0xF504,
    SETTINGS_VERSION = 1,
    SETTINGS_ROLES_MAX = 256,
    SETTINGS_BANNED_MAX = 1024,
    SETTINGS_UNKNOWN_MAX = 4096,
    SETTINGS_MAX = 64 * 1024, /* encoded; the engine takes no larger extension */
};

struct settings_role {
    struct account_id account;
    uint8_t role; /* enum sotto_role */
};

/* Views borrow from what was read, lists live in the arena. Zeroed and given to settings_init it
 * is what an empty extension says. */
struct settings {
    sotto_bytes title, description, picture;
    struct settings_role *roles; /* of those that are not as `others`, by account */
    size_t role_count;
    uint8_t others;                     /* the role of all others */
    uint8_t policy[SOTTO_POLICY_COUNT]; /* the least role that may: enum sotto_policy */
    uint32_t timer_s;
    uint8_t join;              /* enum sotto_join_rule */
    struct account_id *banned; /* by account */
    size_t banned_count;
    bool continues; /* it goes on where another room was stopped: */
    struct room_id before;
    sotto_bytes unknown; /* fields of newer versions, as they came */
};

void settings_init(struct settings *settings);
/* What a room without the extension counts as. */
void settings_legacy(struct settings *settings);

sotto_error settings_write(const struct settings *settings, sotto_buf *out);
sotto_error settings_read(sotto_bytes input, struct arena *arena, struct settings *settings,
                          sotto_fault *fault);

/* What the list says, whoever is in the room. */
uint8_t settings_role(const struct settings *settings, const struct account_id *account);
bool settings_banned(const struct settings *settings, const struct account_id *account);

/* Whether it is a picture that faces can show: PNG, JPEG, WebP or GIF by its first bytes, at most
 * SOTTO_PICTURE_MAX of them; or none. */
bool settings_picture_fits(sotto_bytes picture);

/* ---- Changes -------------------------------------------------------------------------------- */

enum settings_what {
    SETTINGS_TITLE = 1,       /* text */
    SETTINGS_DESCRIPTION = 2, /* text */
    SETTINGS_PICTURE = 3,     /* text: its bytes */
    SETTINGS_ROLE = 4,        /* account, value: its role */
    SETTINGS_POLICY = 5,      /* which, value: role */
    SETTINGS_TIMER = 6,       /* value: seconds */
    SETTINGS_JOIN = 7,        /* value: rule */
    SETTINGS_BAN = 8,         /* account, value: 1 banned, 0 not */
};

enum { SETTINGS_CHANGE_MAX = SOTTO_PICTURE_MAX + 64 }; /* encoded */

struct settings_change {
    uint8_t what, which;
    uint32_t value;
    struct account_id account;
    sotto_bytes text;
};

sotto_error settings_change_write(const struct settings_change *change, sotto_buf *out);
sotto_error settings_change_read(sotto_bytes input, struct settings_change *change);

/* Makes the change; what it lengthens is a new list in the arena. changed: whether it made a
 * difference. LIMIT: a list is full; VALUE: not a value of that setting. Then all is as before. */
sotto_error settings_apply(struct settings *settings, const struct settings_change *change,
                           struct arena *arena, bool *changed);

#endif
