/* Where the words of a search stand in a text. See store.h. */
#ifndef CORE_STORE_HITS_H
#define CORE_STORE_HITS_H

#include "core/store.h"

struct store_hit {
    size_t at, size; /* bytes of the text */
};

/* The places, in order and apart, where one of the words stands in text, or the last one begins a
 * word of it: cut into words and compared as the search index does that. A "word" that the index
 * would cut stands for its parts one after another. At most `most`. NO_MEMORY; UNSUPPORTED: SQLite
 * has no full-text search. */
sotto_error store_search_hits(struct store *store, const sotto_bytes *words, size_t word_count,
                              sotto_bytes text, struct store_hit *hits, size_t most, size_t *count);

#endif
