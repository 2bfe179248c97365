/* The store on one SQLite file: one writer thread that commits everything that waits in one
 * transaction (WAL, synchronous=FULL), and reader threads beside it. */
#ifndef RELAY_STORE_SQLITE_H
#define RELAY_STORE_SQLITE_H

#include "relay/store.h"

struct store_sqlite_options {
    const char *path;
    unsigned readers; /* 1 to THREADS_MAX */
    const char *vfs;  /* NULL: the system's; others are for tests */

    /* Called by the writer thread when storing begins to fail (with the error) and when it works
     * again (SOTTO_OK). May be NULL. */
    void (*health)(void *ctx, sotto_error error);
    void *health_ctx;
};

/* Opens or makes the file (mode 0600) and starts the threads. BUSY: another program holds it;
 * VERSION: written by a newer relay; FULL, IO, NO_MEMORY, INTERNAL. *why receives SQLite's static
 * text. */
sotto_error store_sqlite_open(const sotto_env *env, const struct store_sqlite_options *options,
                              struct store **store, const char **why);

#endif
