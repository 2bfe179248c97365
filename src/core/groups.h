/* What the files that change groups share. */
#ifndef CORE_GROUPS_H
#define CORE_GROUPS_H

#include "core/room_settings.h"

/* People by name or id prefix, in the arena; the problem says who is not known. */
sotto_error groups_find_people(struct sotto *core, const char *const *members, size_t count,
                               struct arena *arena, struct store_contact **found);
/* Opens a transaction on a conversation that is to be changed, with (*room)->group entered. On
 * failure the problem is set and no transaction is open. */
sotto_error groups_begin(struct sotto *core, const struct sotto_id *conversation,
                         struct arena *arena, struct room **room, struct store_room *row);
/* Ends it: commits, or takes all back and says why. */
sotto_error groups_finish(struct sotto *core, sotto_error error, const char *doing);
/* A problem unless it is fit for a title. */
sotto_error groups_title_check(struct sotto *core, const char *title);
/* A problem unless it is a group. */
sotto_error groups_only(struct sotto *core, const struct store_room *row);

#endif
