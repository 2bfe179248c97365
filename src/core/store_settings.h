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
    bool has_committer; /* whose commit led to the present epoch */
    struct account_id committer;
    uint64_t resume_s; /* when this device continues it, if nobody did before; 0: it does not */
};

/* NOT_FOUND: nothing was stored of that room. */
sotto_error store_settings_get(struct store *store, const struct room_id *room, struct arena *arena,
                               struct store_settings *settings);
/* [tx] Writes all of it. */
sotto_error store_settings_put(struct store *store, const struct room_id *room,
                               const struct store_settings *settings);

/* Whether it goes on in another room. */
sotto_error store_settings_moved(struct store *store, const struct room_id *room, bool *moved);

/* Rooms that were to be continued by now. */
sotto_error store_settings_resume(struct store *store, uint64_t now_s, struct arena *arena,
                                  struct room_id **rooms, size_t *count);

#endif
