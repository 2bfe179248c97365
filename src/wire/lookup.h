/* Name lookup without blocking: getaddrinfo in a thread of its own, announced on a descriptor. */
#ifndef WIRE_LOOKUP_H
#define WIRE_LOOKUP_H

#include <netdb.h>

#include "wire/address.h"

struct lookup;

/* Starts. Numeric addresses need no thread and are ready at once. IO, NO_MEMORY. */
sotto_error lookup_start(const struct address *address, struct lookup **lookup);

/* Readable when the lookup is ready; -1 when it is ready already. */
int lookup_fd(const struct lookup *lookup);

bool lookup_ready(const struct lookup *lookup);

/* The addresses found, owned by the lookup; NULL: none (or not ready). */
const struct addrinfo *lookup_result(const struct lookup *lookup);

/* Also while the thread still works: it then cleans up by itself. NULL allowed. */
void lookup_free(struct lookup *lookup);

#endif
