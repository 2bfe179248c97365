/* Small programs of Sotto's own that do what this process should not: decode (sotto-preview), load
 * what every command would pay for (sotto-keyring). */
#ifndef CORE_HELPER_H
#define CORE_HELPER_H

#include "base/base.h"

struct helper {
    const char *program; /* its file's name */
    const char *const
        *arguments; /* NULL ends them; may be NULL. Others can read them: no secrets */
    const char *const *environment; /* names of the variables that it gets, NULL ends them; may be
                                     * NULL: it gets none */
    unsigned wait_ms;               /* for its answer */
    size_t most;                    /* bytes that it may say; 0 is none */
};

/* Starts it, gives it in at its standard input, and appends what it says to out if it ended by
 * itself. code: its exit code. It gets no descriptor but the two, and no signal mask. NOT_FOUND: it
 * is neither beside the program that runs nor where it is installed; IO: it cannot be started;
 * REFUSED: it said too much, did not end in time, or was killed. */
sotto_error helper_run(const struct helper *helper, sotto_bytes in, sotto_buf *out, int *code);

#endif
