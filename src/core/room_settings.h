/* A room's settings on this device: kept in the store as commits leave them, told of by lines,
 * shown, and changed by what people ask for. Who may is room_rules.h's to say. */
#ifndef CORE_ROOM_SETTINGS_H
#define CORE_ROOM_SETTINGS_H

#include "core/internal.h"
#include "core/room_rules.h"
#include "core/store_settings.h"

/* Inside a transaction, with room->group entered: its settings into the store and into row, whose
 * title then lives in the arena. */
sotto_error room_settings_keep(struct room *room, struct store_room *row, struct arena *arena);
/* The same after a commit of actor's, with lines about what it changed; part: of the next line. */
sotto_error room_settings_entered(struct room *room, struct store_room *row, struct arena *arena,
                                  uint64_t seq, uint32_t *part, const struct account_id *actor);

/* As the store has them; one's own role in *role. Legacy ones, and found false, where the room has
 * none. */
sotto_error room_settings_known(struct sotto *core, const struct room_id *room, struct arena *arena,
                                struct settings *settings, uint8_t *role, bool *found);

/* The same for faces. */
sotto_error room_settings_show(struct sotto *core, const struct room_id *room, struct arena *arena,
                               struct sotto_settings *shown);

/* Whether one may write there, else a problem. */
sotto_error room_write_check(struct sotto *core, const struct store_room *row);
/* people_room_open, and that. */
sotto_error core_room_open_to_write(struct sotto *core, const struct room_id *id,
                                    struct arena *arena, struct store_room *row);

/* Inside a transaction: the change as an intent, if one may make it now, else the problem and
 * STATE. */
sotto_error room_settings_queue(struct room *room, const struct settings_change *change);

/* Inside a transaction: that member's commit stopped the room. */
sotto_error room_stopped_by(struct room *room, struct arena *arena,
                            const struct account_id *offender);

/* The problem: somebody's role does not allow it. */
sotto_error room_not_allowed(struct sotto *core, const char *why);

#endif
