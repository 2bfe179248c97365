/* Memory that is wiped when it is given back, as mem_free does, in the libraries that see what the
 * relay sees. What one request left behind would otherwise stand beside what the next one brings:
 * an account beside a room, for whoever seizes the machine's memory (docs/THREATS.md). */
#ifndef RELAY_MEMORY_H
#define RELAY_MEMORY_H

/* Before anything else is asked of SQLite and OpenSSL. */
void memory_of_libraries(void);

#endif
