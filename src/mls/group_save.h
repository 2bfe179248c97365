/* Records of a group: what writing (group_save.c) and reading (group_load.c) share. */
#ifndef MLS_GROUP_SAVE_H
#define MLS_GROUP_SAVE_H

#include "mls/group.h"

#define GROUP_RECORD_VERSION 2

void ratchet_write(struct writer *writer, const struct suite *suite, const struct ratchet *ratchet);

/* What is in memory is what is stored. */
void group_mark_clean(sotto_mls_group *group);

/* Every record as a first save would write it, without marking anything: two dumps are equal
 * exactly if nothing in the group changed between them. For tests. */
sotto_error group_dump(sotto_mls_group *group, const sotto_mls_store *store);

#endif
