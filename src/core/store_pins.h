/* Which account a relay first named for a label. See store.h. */
#ifndef CORE_STORE_PINS_H
#define CORE_STORE_PINS_H

#include "core/store.h"

struct store_pin {
    const char *relay, *label;
    struct account_id account;
    uint64_t seen_s;
};

sotto_error store_pin_get(struct store *store, const char *relay, const char *label,
                          struct arena *arena, struct store_pin *pin); /* NOT_FOUND */
/* [tx] Inserts or replaces. */
sotto_error store_pin_put(struct store *store, const struct store_pin *pin);
/* All. */
sotto_error store_pins(struct store *store, struct arena *arena, struct store_pin **pins,
                       size_t *count);
/* A label under which that account was found; empty: none. Lives in arena. */
sotto_error store_pin_of(struct store *store, const struct account_id *account, struct arena *arena,
                         const char **label);

#endif
