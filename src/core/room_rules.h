/* Who may do what in a room, judged by every member alike: from the state of the MLS group before a
 * commit and the commit, and from nothing else. So no member's clock, contacts or other knowledge
 * may ever decide here: the members would part. */
#ifndef CORE_ROOM_RULES_H
#define CORE_ROOM_RULES_H

#include "core/identity.h"
#include "core/settings.h"

/* The group's settings; legacy ones where it has none, and found is false then (NULL allowed).
 * VALUE and the like: they cannot be read, which no honest client let happen. */
sotto_error rules_settings(const sotto_mls_group *group, struct arena *arena,
                           struct settings *settings, bool *found);

/* What the account may, enum sotto_role. If no owner is in the group, the heir is one: the first
 * admin by leaf index, else the first member. The account is one of the group's. */
uint8_t rules_role(const sotto_mls_group *group, const struct settings *settings,
                   const struct account_id *account);

/* Whether an account of that role may do what the policy names. */
static inline bool rules_may(const struct settings *settings, uint8_t role,
                             enum sotto_policy policy)
{
    return role >= settings->policy[policy];
}

/* Whether actor may remove subject, who is in the group and did not ask for it. */
bool rules_may_remove(const sotto_mls_group *group, const struct settings *settings,
                      const struct account_id *actor, const struct account_id *subject);

/* Whether subject asked in this epoch to be removed (a Remove of its own leaf). */
bool rules_asked_to_leave(const sotto_mls_group *group, const struct account_id *subject);

/* Whether actor may lead from before to after. why: a static text for people, "only ..." */
bool rules_may_change(const sotto_mls_group *group, const struct settings *before,
                      const struct settings *after, const struct account_id *actor,
                      const char **why);

/* Whether the staged commit is one that its committer may make. False: why says what is not
 * allowed, and who did it (zeros: it cannot be known). Errors: NO_MEMORY. */
sotto_error rules_judge(sotto_mls_group *group, const sotto_mls_staged *staged,
                        const sotto_env *env, bool *allowed, const char **why,
                        struct account_id *committer);

#endif
