/* register, name, status, fingerprint. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* Asks on the terminal for the code. False: the person gave none. */
static bool code_ask(const struct sotto_problem *problem, char *code, size_t size)
{
    fprintf(stderr, "%s\nCode: ", problem->message);
    if (fgets(code, (int)size, stdin) == NULL)
        return false;
    code[strcspn(code, " \r\n")] = '\0';
    return code[0] != '\0';
}

/* --relay, else $SOTTO_RELAY. */
struct sotto_registration registration_of(const struct args *args)
{
    struct sotto_registration registration = {args->options[0], args->options[1], args->options[2],
                                              args->options[3], args->options[4]};
    const char *from_environment = getenv("SOTTO_RELAY");
    if (registration.relay == NULL && from_environment != NULL && from_environment[0] != '\0')
        registration.relay = from_environment;
    return registration;
}

sotto_error with_code(struct cli *cli, struct sotto_registration *with,
                      sotto_error (*run)(struct cli *cli, void *ctx), void *ctx)
{
    bool may_ask = !cli->json && isatty(STDIN_FILENO) == 1;
    sotto_error error = run(cli, ctx);
    static char code[64]; /* with keeps it */
    for (int tries = 0; error != SOTTO_OK && may_ask && tries < 5; tries++) {
        const struct sotto_problem *problem = sotto_problem(cli->core);
        if (problem->code != SOTTO_CODE_CODE_NEEDED && problem->code != SOTTO_CODE_WRONG_CODE)
            break;
        if (!code_ask(problem, code, sizeof code))
            break;
        with->code = code;
        error = run(cli, ctx);
    }
    return error;
}

static sotto_error do_register(struct cli *cli, void *ctx)
{
    return sotto_register(cli->core, ctx);
}

int run_register(struct cli *cli, const struct args *args)
{
    struct sotto_registration registration = registration_of(args);
    sotto_error error = with_code(cli, &registration, do_register, &registration);
    struct sotto_account account;
    if (error != SOTTO_OK || sotto_account(cli->core, &account) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->account(cli, &account);
    if (cli->terminal && !cli->json)
        puts("Next: sotto invite, and give the link to someone.");
    return EXIT_OK;
}

static sotto_error do_recover(struct cli *cli, void *ctx)
{
    return sotto_recover(cli->core, ctx);
}

int run_recover(struct cli *cli, const struct args *args)
{
    struct sotto_account account;
    struct sotto_recovery recovery = {.with = registration_of(args),
                                      .alone = args->options[5] != NULL,
                                      .anew = args->options[6] != NULL};
    sotto_buf phrase;
    sotto_buf_init(&phrase, cli->env);
    if (!phrase_ask(cli, &phrase)) {
        sotto_buf_free(&phrase);
        return cli_problem(cli, &cli->trouble);
    }
    recovery.phrase = sotto_buf_view(&phrase);
    sotto_error error = with_code(cli, &recovery.with, do_recover, &recovery);
    sotto_buf_free(&phrase);
    if (error != SOTTO_OK || sotto_account(cli->core, &account) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->account(cli, &account);
    return EXIT_OK;
}

static sotto_error do_move(struct cli *cli, void *ctx)
{
    return sotto_account_move(cli->core, ctx);
}

int run_account_move(struct cli *cli, const struct args *args)
{
    struct sotto_account account;
    struct sotto_registration registration = {args->options[0], NULL, args->options[1],
                                              args->options[2], args->options[3]};
    sotto_error error = with_code(cli, &registration, do_move, &registration);
    if (error != SOTTO_OK || sotto_account(cli->core, &account) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->account(cli, &account);
    if (cli->terminal && !cli->json && account.moving_from[0] != '\0')
        puts("The old relay is left when all your devices have followed: run sotto sync on each.");
    return EXIT_OK;
}

int run_account_delete(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (args->options[0] == NULL) {
        problem_usage(&problem, "If that is what you want: sotto account delete --yes",
                      "This deletes your account and everything in this profile, for good.");
        return cli_problem(cli, &problem);
    }
    char name[KEYRING_NAME_SIZE];
    bool named = keyring_name(cli, name); /* before the file that says so is gone */
    if (sotto_account_delete(cli->core, args->options[1] != NULL) != SOTTO_OK)
        return cli_fail(cli);
    if (named)
        (void)keyring_drop(cli, name, &problem); /* what it opened is gone */
    cli->output->done(cli, "account_deleted", NULL, "Deleted. Nothing of it is left here.");
    return EXIT_OK;
}

int run_phrase(struct cli *cli, const struct args *args)
{
    (void)args;
    sotto_buf phrase;
    sotto_buf_init(&phrase, cli->env);
    sotto_error error = sotto_recovery_phrase(cli->core, &phrase);
    if (error == SOTTO_OK)
        cli->output->phrase(cli, (const char *)phrase.data);
    sotto_buf_free(&phrase);
    return error == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

int run_name(struct cli *cli, const struct args *args)
{
    if (sotto_set_name(cli->core, args->positionals[0]) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "name", NULL, "Changed. Your conversations learn it now.");
    return sotto_settle(cli->core, NULL) == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

/* A proxy's password shall not stand in the list of processes: `-` reads it. */
static const char *proxy_given(const char *word, char *line, size_t size)
{
    if (strcmp(word, "none") == 0)
        return "";
    if (strcmp(word, "-") != 0)
        return word;
    if (fgets(line, (int)size, stdin) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return line[0] != '\0' ? line : "-";
}

int run_config_proxy(struct cli *cli, const struct args *args)
{
    char line[2048];
    struct sotto_proxy proxy;
    sotto_error error = SOTTO_OK;
    if (args->count > 0)
        error = sotto_set_proxy(cli->core, proxy_given(args->positionals[0], line, sizeof line));
    wipe(line, args->count > 0 ? sizeof line : 0);
    if (error == SOTTO_OK)
        error = sotto_proxy(cli->core, &proxy);
    if (error != SOTTO_OK)
        return cli_fail(cli);
    cli->output->proxy(cli, &proxy);
    return EXIT_OK;
}

int run_receipts(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    bool on = false;
    if (!options_switch(args->positionals[0], &on, &problem))
        return cli_problem(cli, &problem);
    if (sotto_set_receipts(cli->core, on) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, on ? "receipts_on" : "receipts_off", NULL,
                      on ? "Receipts are sent and shown." : "No receipts are sent or shown.");
    return EXIT_OK;
}

int run_status(struct cli *cli, const struct args *args)
{
    (void)args;
    struct sotto_status status;
    struct sotto_account account;
    if (sotto_status(cli->core, &status) != SOTTO_OK ||
        sotto_account(cli->core, &account) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->status(cli, &account, &status);
    return EXIT_OK;
}

int run_fingerprint(struct cli *cli, const struct args *args)
{
    struct sotto_fingerprint fingerprint;
    const char *who = args->count > 0 ? args->positionals[0] : NULL;
    if (sotto_fingerprint(cli->core, who, &fingerprint) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->fingerprint(cli, &fingerprint, who == NULL);
    return EXIT_OK;
}
