/* The command line of sottod's office: words and options. */
#ifndef ORDER_ARGS_H
#define ORDER_ARGS_H

#include <stdbool.h>
#include <stddef.h>

enum { ARGS_WORDS = 8, ARGS_OPTIONS = 16 };

struct args {
    const char *words[ARGS_WORDS]; /* NULL behind the last */
    size_t count;
    struct {
        const char *name, *value; /* value NULL: of one that takes none */
    } options[ARGS_OPTIONS];
    size_t option_count;
    char problem[300];
};

/* Takes the command line apart. False: problem. */
bool args_read(struct args *args, int argc, char **argv);

/* NULL: not given. */
const char *args_value(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);

/* Whether every option that was given is among these, which are separated by spaces. False:
 * problem. */
bool args_only(struct args *args, const char *names);

#endif
