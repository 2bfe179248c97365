#include "order/args.h"

#include <stdio.h>
#include <string.h>

#include "order/words.h"

/* Options that take no value. */
static const char flags[] = "no-crl encrypt announce cancel dry-run accounts";

bool args_read(struct args *args, int argc, char **argv)
{
    memset(args, 0, sizeof *args);
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        if (strncmp(word, "--", 2) != 0 || word[2] == '\0') {
            if (args->count + 1 >= ARGS_WORDS) {
                snprintf(args->problem, sizeof args->problem, "`%.100s` is one word too many",
                         word);
                return false;
            }
            args->words[args->count++] = word;
            continue;
        }
        if (args->option_count == ARGS_OPTIONS) {
            snprintf(args->problem, sizeof args->problem, "too many options");
            return false;
        }
        char *equals = strchr(word, '=');
        const char *name = word + 2, *value = NULL;
        if (equals != NULL) {
            *equals = '\0';
            value = equals + 1;
        } else if (!words_have(flags, name) && i + 1 < argc) {
            value = argv[++i];
        }
        if ((value == NULL) != words_have(flags, name)) {
            snprintf(args->problem, sizeof args->problem, "--%.100s takes %s value", name,
                     value == NULL ? "a" : "no");
            return false;
        }
        args->options[args->option_count].name = name;
        args->options[args->option_count++].value = value;
    }
    return true;
}

const char *args_value(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->option_count; i++)
        if (strcmp(args->options[i].name, name) == 0)
            return args->options[i].value;
    return NULL;
}

bool args_has(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->option_count; i++)
        if (strcmp(args->options[i].name, name) == 0)
            return true;
    return false;
}

bool args_only(struct args *args, const char *names)
{
    for (size_t i = 0; i < args->option_count; i++) {
        const char *name = args->options[i].name;
        if (!words_have(names, name)) {
            snprintf(args->problem, sizeof args->problem, "there is no option --%.100s here", name);
            return false;
        }
    }
    return true;
}
