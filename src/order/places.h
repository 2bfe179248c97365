/* Which phone numbers belong to a jurisdiction: by the country codes of ITU-T E.164. A number tells
 * where it was given out, not where its holder lives or whose law counts for them. */
#ifndef ORDER_PLACES_H
#define ORDER_PLACES_H

#include <stdio.h>

#include "relay/withdrawal.h"

/* The numbers of a jurisdiction, by the longest beginning that is known: those of others within a
 * code that they share are left out. Appended to the withdrawal's. NOT_FOUND: no code is known for
 * it; LIMIT. */
sotto_error places_add(struct withdrawal *withdrawal, const char *jurisdiction);

/* The numbers that begin like that (+49), appended likewise. VALUE: not the beginning of a number.
 */
sotto_error places_add_prefix(struct withdrawal *withdrawal, const char *prefix);

/* Says, a line for each, what of the jurisdiction's codes is shared with others. */
void places_explain(const char *jurisdiction, FILE *file);

/* Whether the number lies in one of the withdrawal's ranges. */
bool places_have(const struct withdrawal *withdrawal, const char *number);

/* All jurisdictions that there are codes for, by their place; NULL behind the last. */
const char *places_name(size_t place);

#endif
