/* completion: what bash, zsh and fish need to complete commands and options, from the table of
 * commands. Printed by the program itself, so that it cannot be behind it. */
#include <string.h>

#include "cli/cli.h"

static const struct option_spec everywhere[] = {{"profile", "DIR", "keys and messages live there"},
                                                {"json", NULL, "one JSON object a line"},
                                                {"help", NULL, "help for the command"},
                                                {NULL, NULL, NULL}};

/* Whether this is the first command that begins with its first word; *size: of that word. */
static bool begins(const struct command *command, size_t *size)
{
    *size = strcspn(command->name, " ");
    for (const struct command *before = commands; before != command; before++)
        if (strcspn(before->name, " ") == *size && strncmp(before->name, command->name, *size) == 0)
            return false;
    return true;
}

/* "group": the first word of several commands. */
static bool is_group(const struct command *command)
{
    return strchr(command->name, ' ') != NULL;
}

/* A text within single quotes, for all three shells. */
static void quoted(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
}

static void for_each_option(const struct command *command,
                            void (*print)(const struct command *command,
                                          const struct option_spec *option))
{
    for (const struct option_spec *option = command->options; option->name != NULL; option++)
        print(command, option);
    for (const struct option_spec *option = everywhere; option->name != NULL; option++)
        print(command, option);
}

/* ---- bash ---- */

static void bash_option(const struct command *command, const struct option_spec *option)
{
    (void)command;
    printf(" --%s", option->name);
}

/* The options that name a file or folder, as a pattern. */
static void bash_paths(void)
{
    fputs("    --profile", stdout);
    for (const struct command *command = commands; command->name != NULL; command++)
        for (const struct option_spec *option = command->options; option->name != NULL; option++)
            if (option->argument != NULL &&
                (strcmp(option->argument, "PATH") == 0 || strcmp(option->argument, "DIR") == 0))
                printf(" | --%s", option->name);
    puts(")");
}

static void bash_words(const char *group, size_t size)
{
    for (const struct command *command = commands; command->name != NULL; command++) {
        size_t first;
        if (group == NULL && begins(command, &first))
            printf(" %.*s", (int)first, command->name);
        else if (group != NULL && is_group(command) && strncmp(command->name, group, size) == 0 &&
                 command->name[size] == ' ')
            printf(" %s", command->name + size + 1);
    }
}

static void print_bash(void)
{
    puts("# sotto completion bash > /usr/share/bash-completion/completions/sotto\n"
         "_sotto() {\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} said='' word "
         "words=''\n"
         "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "        case $word in -*) ;; *) said=\"$said $word\" ;; esac\n"
         "    done\n"
         "    case $prev in");
    bash_paths();
    puts("        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
         "        return ;;\n"
         "    esac\n"
         "    case $said in");
    fputs("    '')\n        words='", stdout);
    bash_words(NULL, 0);
    puts("' ;;");
    for (const struct command *command = commands; command->name != NULL; command++) {
        size_t size;
        if (begins(command, &size) && is_group(command)) {
            printf("    ' %.*s')\n        words='", (int)size, command->name);
            bash_words(command->name, size);
            puts("' ;;");
        }
        printf("    ' %s' | ' %s '*)\n        words='", command->name, command->name);
        for_each_option(command, bash_option);
        puts("' ;;");
    }
    puts("    esac\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _sotto sotto");
}

/* ---- zsh ---- */

static void zsh_described(const char *name, size_t size, const char *text)
{
    printf(" '%.*s:", (int)size, name);
    quoted(text);
    putchar('\'');
}

static void zsh_option(const struct command *command, const struct option_spec *option)
{
    (void)command;
    printf(" '--%s[", option->name);
    for (const char *p = option->help; *p != '\0'; p++) /* brackets and colons mean something */
        if (*p == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*p == '[' || *p == ']' || *p == ':' ? ' ' : *p);
    putchar(']');
    if (option->argument != NULL)
        printf(":%s:_files", option->argument);
    putchar('\'');
}

static void print_zsh(void)
{
    puts("#compdef sotto\n"
         "# sotto completion zsh > a folder of $fpath, as _sotto\n"
         "_sotto() {\n"
         "    local -a names\n"
         "    local said=\"${(j: :)${words[2,CURRENT-1]:#-*}}\"\n"
         "    case $said in");
    fputs("    '') names=(", stdout);
    for (const struct command *command = commands; command->name != NULL; command++) {
        size_t size;
        if (begins(command, &size))
            zsh_described(command->name, size,
                          is_group(command) ? "several commands" : command->summary);
    }
    puts(" ); _describe command names ;;");
    for (const struct command *command = commands; command->name != NULL; command++) {
        size_t size;
        if (begins(command, &size) && is_group(command)) {
            printf("    '%.*s') names=(", (int)size, command->name);
            for (const struct command *one = commands; one->name != NULL; one++)
                if (is_group(one) && strncmp(one->name, command->name, size + 1) == 0)
                    zsh_described(one->name + size + 1, strlen(one->name + size + 1), one->summary);
            puts(" ); _describe command names ;;");
        }
        printf("    '%s' | '%s '*) _arguments", command->name, command->name);
        for_each_option(command, zsh_option);
        puts(" '*:: :_default' ;;");
    }
    puts("    esac\n"
         "}\n"
         "_sotto \"$@\"");
}

/* ---- fish ---- */

/* The condition under which a command's options are offered. */
static void fish_seen(const char *name)
{
    printf("complete -c sotto -n '__sotto_said \"%s\"'", name);
}

static void fish_option(const struct command *command, const struct option_spec *option)
{
    fish_seen(command->name);
    printf(" -l %s%s -d '", option->name, option->argument != NULL ? " -r" : "");
    quoted(option->help);
    puts("'");
}

static void print_fish(void)
{
    puts("# sotto completion fish > ~/.config/fish/completions/sotto.fish\n"
         "function __sotto_words\n"
         "    string match -v -- '-*' (commandline -opc)[2..-1]\n"
         "end\n"
         "function __sotto_said\n"
         "    set -l said (string join ' ' -- (__sotto_words))\n"
         "    test \"$said\" = \"$argv[1]\"; or string match -q -- \"$argv[1] *\" \"$said\"\n"
         "end\n"
         "function __sotto_just\n"
         "    set -l said (string join ' ' -- (__sotto_words))\n"
         "    test \"$said\" = \"$argv[1]\"\n"
         "end\n"
         "complete -c sotto -f");
    for (const struct command *command = commands; command->name != NULL; command++) {
        size_t size;
        if (begins(command, &size)) {
            printf("complete -c sotto -n '__sotto_just \"\"' -a %.*s -d '", (int)size,
                   command->name);
            quoted(is_group(command) ? "several commands" : command->summary);
            puts("'");
        }
        if (is_group(command)) {
            size = strcspn(command->name, " ");
            printf("complete -c sotto -n '__sotto_just \"%.*s\"' -a %s -d '", (int)size,
                   command->name, command->name + size + 1);
            quoted(command->summary);
            puts("'");
        }
        for_each_option(command, fish_option);
    }
}

int run_completion(struct cli *cli, const struct args *args)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(args->positionals[0], shells[i].name) == 0) {
            shells[i].print();
            return EXIT_OK;
        }
    problem_usage(&problem, "Ask for bash, zsh or fish.", "There is no completion for `%s`.",
                  args->positionals[0]);
    return cli_problem(cli, &problem);
}
