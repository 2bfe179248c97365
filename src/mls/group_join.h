/* What joining by Welcome and joining by external commit have in common. */
#ifndef MLS_GROUP_JOIN_H
#define MLS_GROUP_JOIN_H

#include "mls/group.h"

/* Imports the ratchet tree, from the GroupInfo or from elsewhere; verifies its hash, and the
 * GroupInfo's signature by its signer's leaf. */
sotto_error join_take_tree(sotto_mls_group *group, const struct group_info *info, sotto_bytes tree);

/* Validates the whole tree (12.4.3.1). */
sotto_error join_check_tree(sotto_mls_group *group, const struct group_info *info);

/* Asks the application about every member but one's own leaf (UINT32_MAX: about all). */
sotto_error join_ask_members(sotto_mls_group *group, uint32_t own);

#endif
