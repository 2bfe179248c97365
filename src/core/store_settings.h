/* What the members of each room agreed on, as the newest commit left it: a copy of what stands in
 * the MLS group, so that reading needs no group. See store.h. */
#ifndef CORE_STORE_SETTINGS_H
#define CORE_STORE_SETTINGS_H

#include "core/store.h"

struct store_settings {
    sotto_bytes settings; /* the extension's bytes; empty: the room has none */
    uint8_t role;         /* one's own, enum sotto_role */
    bool has_offender;    /* whose commit stopped the room */
    struct account_id offender;
    bool has_successor; /* where it goes on */
    struct room_id successor;
};

/* NOT_FOUND: nothing was stored of that room. */
sotto_error store_settings_get(struct store *store, const struct room_id *room, struct arena *arena,
                               struct store_settings *settings);
/* [tx] Writes all of it. */
sotto_error store_settings_put(struct store *store, const struct room_id *room,
                               const struct store_settings *settings);

#endif
