/* Who asks to join a group, in step over one's own devices: the request came to the one whose link
 * it was made with, and any of them may answer it. */
#ifndef CORE_OWN_JOINERS_H
#define CORE_OWN_JOINERS_H

#include "core/internal.h"
#include "core/store_joining.h"

enum {
    OWN_JOINER = 16,      /* somebody asks */
    OWN_JOINER_GONE = 17, /* and was answered */
};

/* Inside a transaction: tells the other devices. */
sotto_error own_joiner_tell(struct sotto *core, const struct store_joiner *joiner);
sotto_error own_joiner_gone_tell(struct sotto *core, const struct store_joiner *joiner);
/* All who ask, for a new device or a backup. */
sotto_error own_joiners_write(struct sotto *core, struct arena *arena, struct own_sink *sink);

/* Inside a transaction: records taken over. */
sotto_error own_joiner_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error own_joiner_gone_read(struct sotto *core, struct reader *reader);

#endif
