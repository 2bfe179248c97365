/* A line of a text around what was searched for. */
#ifndef CORE_SNIPPET_H
#define CORE_SNIPPET_H

#include "core/internal.h"
#include "core/store_hits.h"

enum { SNIPPET_HITS_MAX = 16 };

/* message->snippet: of its text, which has the hits (in order and apart), in the arena. Without
 * hits there is none. */
sotto_error snippet_make(const struct store_hit *hits, size_t count, struct arena *arena,
                         struct sotto_message *message);

#endif
