/* The end of a profile: nothing is left in its tables, then its files go. See store.h. */
#ifndef CORE_STORE_WIPE_H
#define CORE_STORE_WIPE_H

#include "core/store.h"

/* [tx] Erases every row of every table, and says so: from then on store_is_wiped. Whoever
 * subscribed to events hears of the account. */
sotto_error store_wipe(struct store *store);
sotto_error store_is_wiped(struct store *store, bool *wiped);

/* Removes a profile's files: the key is overwritten, so that no ciphertext that the disk still
 * holds opens any more. Of what others put beside them nothing goes; the directory, if nothing is
 * left in it. Processes that have the profile open keep what they have, which was wiped before.
 * Killed, the next opening goes on with it. IO. */
sotto_error store_erase_files(const char *directory);
/* The same if it was begun; of opening. */
sotto_error store_erase_go_on(const char *directory);

#endif
