/* Memory that is wiped when it is given back, in the relay and in the libraries that see what it
 * sees. What one request left behind would otherwise stand beside what the next one brings: an
 * account beside a room, for whoever seizes the machine's memory (docs/THREATS.md). */
#ifndef RELAY_MEMORY_H
#define RELAY_MEMORY_H

#include "sotto/env.h"

/* Before anything else is asked of SQLite and OpenSSL. */
void memory_of_libraries(void);

/* sotto_env_system(), but for its memory. */
const sotto_env *memory_env(void);

#endif
