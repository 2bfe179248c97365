/* How far files are, told to whoever wants to know (sotto/file.h). */
#ifndef CORE_TRANSFER_H
#define CORE_TRANSFER_H

#include "sotto/file.h"

/* Of one transfer: when it was told last. Zeroed at first. */
struct transfer {
    bool told;
    uint64_t told_ms;
};

/* Tells it if it is time. ended: all is done, also what is behind the file's own bytes; until then
 * done is told below of. */
void transfer_tell(struct sotto *core, struct transfer *transfer, const struct sotto_transfer *how,
                   bool ended);

#endif
