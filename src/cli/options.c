#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

void problem_usage(struct sotto_problem *problem, const char *next, const char *format, ...)
{
    va_list list;
    problem->error = SOTTO_ARGUMENT;
    problem->code = SOTTO_CODE_USAGE;
    va_start(list, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, list);
    va_end(list);
    (void)snprintf(problem->next, sizeof problem->next, "%s", next);
}

/* The command whose first word or two words these are; *used: how many. */
static const struct command *command_find(const char *const *words, size_t count, size_t *used)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        const char *space = strchr(command->name, ' ');
        if (space == NULL) {
            if (strcmp(command->name, words[0]) == 0) {
                *used = 1;
                return command;
            }
            continue;
        }
        size_t first = (size_t)(space - command->name);
        if (count >= 2 && strlen(words[0]) == first &&
            strncmp(command->name, words[0], first) == 0 && strcmp(space + 1, words[1]) == 0) {
            *used = 2;
            return command;
        }
    }
    return NULL;
}

/* One argument that starts with dashes, kept until the command is known. */
struct given {
    const char *name; /* without dashes */
    size_t name_size;
    const char *value; /* behind '=', or NULL */
    int place;         /* in argv */
};

static struct given given_parse(const char *argument, int place)
{
    struct given given = {argument + 2, strlen(argument + 2), NULL, place};
    const char *equals = strchr(given.name, '=');
    if (equals != NULL) {
        given.name_size = (size_t)(equals - given.name);
        given.value = equals + 1;
    }
    return given;
}

static bool given_is(const struct given *given, const char *name)
{
    return strlen(name) == given->name_size && strncmp(name, given->name, given->name_size) == 0;
}

static bool option_takes_argument(const struct command *command, const struct given *given,
                                  size_t *index, bool *takes)
{
    if (command == NULL || command->options == NULL)
        return false;
    for (size_t i = 0; command->options[i].name != NULL; i++)
        if (given_is(given, command->options[i].name)) {
            *index = i;
            *takes = command->options[i].argument != NULL;
            return true;
        }
    return false;
}

/* The command is named by the first words that are neither options nor the argument of --profile:
 * so `sotto --profile DIR send` and `sotto send --profile DIR` are the same. */
static const struct command *command_scan(int argc, char **argv, int *first, int *last)
{
    const char *words[2] = {NULL, NULL};
    int places[2] = {0, 0};
    size_t count = 0;
    for (int i = 1; i < argc && count < 2; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if (strcmp(argv[i], "--profile") == 0) {
            i++;
            continue;
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            if (count == 1)
                break;
            continue;
        }
        places[count] = i;
        words[count++] = argv[i];
    }
    *first = *last = 0;
    if (count == 0)
        return NULL;
    size_t used = 1;
    const struct command *command = command_find(words, count, &used);
    *first = places[0];
    *last = places[used - 1];
    return command;
}

static bool global_option(const struct given *given, struct globals *globals, int argc, char **argv,
                          int *place, struct sotto_problem *problem, bool *ok)
{
    *ok = true;
    if (given_is(given, "json"))
        globals->json = true;
    else if (given_is(given, "help"))
        globals->help = true;
    else if (given_is(given, "version"))
        globals->version = true;
    else if (given_is(given, "profile")) {
        globals->profile = given->value != NULL ? given->value
                           : *place + 1 < argc  ? argv[++*place]
                                                : NULL;
        if (globals->profile == NULL || globals->profile[0] == '\0') {
            problem_usage(problem, "Write it as --profile DIR.", "--profile needs a directory.");
            *ok = false;
        }
    } else
        return false;
    return true;
}

static bool command_option(const struct command *command, const struct given *given, int argc,
                           char **argv, int *place, struct args *args,
                           struct sotto_problem *problem)
{
    size_t index = 0;
    bool takes = false;
    if (!option_takes_argument(command, given, &index, &takes)) {
        problem_usage(problem, "See `sotto --help`, or `sotto COMMAND --help`.",
                      "There is no option --%.*s here.", (int)given->name_size, given->name);
        return false;
    }
    if (!takes) {
        if (given->value != NULL) {
            problem_usage(problem, "Leave the value out.", "--%s takes no value.",
                          command->options[index].name);
            return false;
        }
        args->options[index] = "";
        return true;
    }
    const char *value = given->value;
    if (value == NULL && *place + 1 < argc)
        value = argv[++*place];
    if (value == NULL) {
        problem_usage(problem, "Give it one.", "--%s needs a value: %s.",
                      command->options[index].name, command->options[index].argument);
        return false;
    }
    args->options[index] = value;
    return true;
}

static bool count_check(const struct command *command, const struct args *args,
                        struct sotto_problem *problem)
{
    char next[200];
    (void)snprintf(next, sizeof next, "Use: sotto %s %s", command->name, command->arguments);
    if (args->count < command->least) {
        problem_usage(problem, next, "Something is missing behind `sotto %s`.", command->name);
        return false;
    }
    if (args->count > command->most) {
        problem_usage(problem, next, "There is too much behind `sotto %s`.", command->name);
        return false;
    }
    return true;
}

/* Of one that has two words, what can stand as the second. */
static void no_command(const char *first, const char *second, struct sotto_problem *problem)
{
    char next[400] = "";
    size_t size = strlen(first), used = 0;
    for (const struct command *command = commands; command->name != NULL; command++)
        if (strncmp(command->name, first, size) == 0 && command->name[size] == ' ' &&
            used < sizeof next)
            used += (size_t)snprintf(next + used, sizeof next - used, "%s%s",
                                     used == 0 ? "There are: " : ", ", command->name + size + 1);
    if (used == 0)
        problem_usage(problem, "See `sotto --help` for all commands.", "There is no command `%s`.",
                      first);
    else
        problem_usage(problem, next, "There is no command `%s%s%s`.", first,
                      second[0] != '\0' ? " " : "", second);
}

bool options_parse(int argc, char **argv, struct globals *globals, const struct command **command,
                   struct args *args, const char **words, struct sotto_problem *problem)
{
    int first = 0, last = 0;
    *command = command_scan(argc, argv, &first, &last);
    args->positionals = words;
    bool only_words = false, named = first > 0;
    bool failed = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || strncmp(argv[i], "--", 2) != 0) {
            bool of_command = *command != NULL && (i == first || i == last);
            if (!of_command)
                words[args->count++] = argv[i];
            continue;
        }
        struct given given = given_parse(argv[i], i);
        bool ok = true;
        if (global_option(&given, globals, argc, argv, &i, problem, &ok)) {
            failed |= !ok;
            continue;
        }
        /* The rest is still read, so that --json and --help count wherever they stand. */
        if (!failed && *command != NULL)
            failed = !command_option(*command, &given, argc, argv, &i, args, problem);
    }
    if (globals->help || globals->version)
        return true;
    if (failed)
        return false;
    if (*command == NULL) {
        if (named)
            no_command(argv[first],
                       first + 1 < argc && strncmp(argv[first + 1], "--", 2) != 0 ? argv[first + 1]
                                                                                  : "",
                       problem);
        else
            problem_usage(problem, "See `sotto --help` for all commands.", "No command was given.");
        return false;
    }
    return count_check(*command, args, problem);
}

static bool number_parse(const char *text, uint64_t max, uint64_t *out, const char **end)
{
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    *end = p;
    return p != text;
}

bool options_number(const char *option, const char *text, uint64_t max, uint64_t *out,
                    struct sotto_problem *problem)
{
    const char *end = NULL;
    uint64_t value = 0;
    if (!number_parse(text, max, &value, &end) || *end != '\0' || value == 0) {
        problem_usage(problem, "Give a whole number.", "--%s takes a number from 1 to %llu.",
                      option, (unsigned long long)max);
        return false;
    }
    *out = value;
    return true;
}

bool options_duration(const char *option, const char *text, uint64_t *seconds,
                      struct sotto_problem *problem)
{
    const uint64_t most = 3650ULL * 86400;
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const char *end = NULL;
    uint64_t value = 0;
    if (number_parse(text, most, &value, &end) && value > 0)
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
            if (*end == units[i].unit && (*end == '\0' || end[1] == '\0') &&
                value <= most / units[i].seconds) {
                *seconds = value * units[i].seconds;
                return true;
            }
    problem_usage(problem, "Write for example 90, 15m, 12h or 7d.",
                  "--%s takes a duration, at most 3650 days.", option);
    return false;
}

bool options_size(const char *text, uint64_t *size, struct sotto_problem *problem)
{
    static const char units[] = "KMG";
    const char *end = NULL;
    uint64_t value = 0;
    if (number_parse(text, UINT64_C(1) << 30, &value, &end) && value > 0) {
        const char *unit = *end == '\0' ? NULL : strchr(units, *end);
        if (*end == '\0' || (unit != NULL && end[1] == '\0')) {
            *size = value << (unit == NULL ? 0 : 10 * (unit - units + 1));
            return true;
        }
    }
    problem_usage(problem, "Write for example 500K, 20M or 1G.", "`%.40s` is not a size.", text);
    return false;
}

bool options_switch(const char *text, bool *on, struct sotto_problem *problem)
{
    *on = strcmp(text, "on") == 0;
    if (*on || strcmp(text, "off") == 0)
        return true;
    problem_usage(problem, "Write on, or off.", "`%.40s` is neither on nor off.", text);
    return false;
}
