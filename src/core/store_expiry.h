/* Messages that disappear. See store.h. */
#ifndef CORE_STORE_EXPIRY_H
#define CORE_STORE_EXPIRY_H

#include "core/store.h"

/* Whether there is a message whose time has come. */
sotto_error store_messages_due(struct store *store, uint64_t now_s, bool *due);
/* [tx] Erases those, and all that hangs on them; adds an event for each. */
sotto_error store_messages_expire(struct store *store, uint64_t now_s);

/* After how many seconds one's own messages of a room disappear; 0: never. */
sotto_error store_room_timer(struct store *store, const struct room_id *room, uint32_t *timer_s);
/* [tx] NOT_FOUND: the room. */
sotto_error store_room_timer_put(struct store *store, const struct room_id *room, uint32_t timer_s);

#endif
