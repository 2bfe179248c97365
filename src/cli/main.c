#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/process.h"
#include "core/store.h"
#include "rpc/call.h"
#include "rpc/json_memory.h"

#ifndef PROGRAM_VERSION
#error "the build says the version"
#endif

/* The numbers are those of JSON-RPC's errors. */
int cli_exit_code(const struct sotto_problem *problem)
{
    return problem->code == SOTTO_CODE_OK ? EXIT_OK : call_error_code(problem);
}

int cli_problem(struct cli *cli, const struct sotto_problem *problem)
{
    cli->output->problem(cli, problem);
    return cli_exit_code(problem);
}

int cli_fail(struct cli *cli)
{
    return cli_problem(cli, sotto_problem(cli->core));
}

/* $SOTTO_PROFILE, else the XDG data directory. False: no home to put it in. */
static bool profile_default(char *out, size_t size)
{
    const char *given = getenv("SOTTO_PROFILE");
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (given != NULL && given[0] != '\0')
        n = snprintf(out, size, "%s", given);
    else if (data != NULL && data[0] == '/')
        n = snprintf(out, size, "%s/sotto", data);
    else if (home != NULL && home[0] != '\0')
        n = snprintf(out, size, "%s/.local/share/sotto", home);
    return n > 0 && (size_t)n < size;
}

int cli_open(struct cli *cli)
{
    struct sotto_problem problem;
    const struct sotto_unlock unlock = {.passphrase = passphrase_unlock, .ctx = cli};
    const char *proxy = getenv("SOTTO_PROXY");
    if (sotto_open(cli->env, cli->profile, &unlock, &cli->core, &problem) == SOTTO_OK) {
        if (proxy == NULL || sotto_use_proxy(cli->core, proxy) == SOTTO_OK)
            return EXIT_OK;
        return cli_fail(cli);
    }
    return cli_problem(cli, cli->trouble.code != SOTTO_CODE_OK ? &cli->trouble : &problem);
}

static int command_run(struct cli *cli, const struct command *command, const struct args *args)
{
    char profile[4096];
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (cli->profile == NULL) {
        if (!profile_default(profile, sizeof profile)) {
            problem_usage(&problem, "Give a directory with --profile DIR.",
                          "There is no home directory to keep the profile in.");
            return cli_problem(cli, &problem);
        }
        cli->profile = profile;
    }
    int code = command->opens ? EXIT_OK : cli_open(cli);
    if (code == EXIT_OK)
        code = command->run(cli, args);
    sotto_close(cli->core);
    cli->core = NULL;
    return code;
}

/* What was printed counts only if it arrived. */
static int output_finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    fputs("The output could not be written to its end.\n", stderr);
    return code == EXIT_OK ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    json_memory_init();
    (void)process_protect(); /* a system without it is no worse than before */
    store_memory_uncounted();
    struct globals globals = {NULL, false, false, false};
    struct args args = {{NULL}, NULL, 0};
    const struct command *command = NULL;
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    const char **words = calloc((size_t)argc + 1, sizeof *words);
    if (words == NULL) {
        fputs("Out of memory.\n", stderr);
        return EXIT_FAILED;
    }
    bool parsed = options_parse(argc, argv, &globals, &command, &args, words, &problem);
    struct cli cli = {.env = sotto_env_system(),
                      .profile = globals.profile,
                      .json = globals.json,
                      .terminal = isatty(STDOUT_FILENO) == 1,
                      .output = globals.json ? &output_json : &output_text};
    int code = EXIT_OK;
    if (globals.version)
        puts("sotto " PROGRAM_VERSION);
    else if (globals.help && command != NULL)
        help_command(stdout, command);
    else if (globals.help || argc == 1)
        help_program(argc == 1 ? stderr : stdout);
    else if (!parsed)
        code = cli_problem(&cli, &problem);
    else
        code = command_run(&cli, command, &args);
    if (argc == 1)
        code = EXIT_USAGE;
    free(words);
    return output_finish(code);
}
