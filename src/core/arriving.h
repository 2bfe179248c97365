/* What a person is told of somebody who was added and did not get in yet. */
#ifndef CORE_ARRIVING_H
#define CORE_ARRIVING_H

#include "core/internal.h"

/* *waits: this device added that one, and its relay has not taken the Welcome. *trouble: why, and
 * what to do, or empty; lives in arena. */
sotto_error arriving_member(struct sotto *core, const struct room_id *room,
                            const struct account_id *account, const struct device_id *device,
                            struct arena *arena, bool *waits, const char **trouble);
/* The same of a conversation; empty: nobody of it was refused. */
sotto_error arriving_trouble(struct sotto *core, const struct store_room *row, struct arena *arena,
                             const char **trouble);

#endif
