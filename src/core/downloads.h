/* Small files that are fetched when they come, for whoever saves them later, offline too. */
#ifndef CORE_DOWNLOADS_H
#define CORE_DOWNLOADS_H

#include "core/internal.h"
#include "core/store_downloads.h"

/* The bytes at most that a file may have; 0: none is fetched. */
sotto_error downloads_most(struct sotto *core, uint64_t *most);

/* Inside a transaction: a file came with that message; it is to be fetched if the person wants
 * that of its size and sender. */
sotto_error downloads_came(struct sotto *core, int64_t local, const struct account_id *sender,
                           const struct content_file *file);

/* One step; true: something is under way. Only while core->downloads.wanted. */
bool downloads_step(struct sotto *core);
/* Grows with what was fetched. */
uint64_t downloads_mark(const struct sotto *core);
/* What nobody may have any more goes from the disk, or the next time. */
void downloads_sweep(struct sotto *core);
/* A new run: what could not be fetched is tried again. */
void downloads_reset(struct sotto *core);
/* Ends what is under way; it is begun again later. The other one: and nothing is wanted now. */
void downloads_free(struct sotto *core);
void downloads_end(struct sotto *core);

/* Opens what was kept of the message's file, a whole blob of that size. -1: nothing. */
int downloads_open(struct sotto *core, int64_t local, uint64_t sealed);
bool downloads_have(struct sotto *core, int64_t local);

#endif
