/* People's pictures, one's own among them. See store.h. */
#ifndef CORE_STORE_PICTURES_H
#define CORE_STORE_PICTURES_H

#include "core/store.h"

/* NOT_FOUND. */
sotto_error store_picture_get(struct store *store, const struct account_id *account,
                              struct arena *arena, sotto_bytes *picture);
/* SHA-256 of it. NOT_FOUND. */
sotto_error store_picture_hash(struct store *store, const struct account_id *account,
                               uint8_t hash[static HASH_SIZE]);
/* [tx] In place of an earlier one; empty: none. changed: whether it is another one now. */
sotto_error store_picture_put(struct store *store, const struct account_id *account,
                              sotto_bytes picture, bool *changed);
/* Whose there are. */
sotto_error store_pictures(struct store *store, struct arena *arena, struct account_id **accounts,
                           size_t *count);

#endif
