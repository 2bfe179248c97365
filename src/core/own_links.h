/* Links to join groups, in step over one's own devices: any of them lists and revokes them. Who
 * asks with one still writes to the device that made it. */
#ifndef CORE_OWN_LINKS_H
#define CORE_OWN_LINKS_H

#include "core/internal.h"
#include "core/store_joining.h"

enum {
    OWN_LINK = 18,         /* one was made */
    OWN_LINK_USED = 19,    /* somebody asked with it */
    OWN_LINK_REVOKED = 20, /* it is good for nothing any more */
};

/* Inside a transaction: tells the other devices. */
sotto_error own_link_tell(struct sotto *core, const struct store_join_link *link,
                          const struct store_invitation *invitation);
sotto_error own_link_used_tell(struct sotto *core, const struct store_invitation *invitation);
sotto_error own_link_revoked_tell(struct sotto *core, const struct store_join_link *link);
/* All that are good yet, for a new device or a backup. */
sotto_error own_links_write(struct sotto *core, struct arena *arena, struct own_sink *sink);

/* Inside a transaction: records taken over. */
sotto_error own_link_read(struct sotto *core, struct reader *reader);
sotto_error own_link_used_read(struct sotto *core, struct reader *reader);
sotto_error own_link_revoked_read(struct sotto *core, struct reader *reader);

#endif
