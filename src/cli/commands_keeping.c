/* backup, restore, export, import. */
#include <signal.h>
#include <string.h>

#include "cli/cli.h"

/* ---- Stopping: what was begun is taken back, or is left so that it can go on ---- */

static struct sotto *working;

static void on_signal(int number)
{
    (void)number;
    sotto_stop(working);
}

static void stop_on_signals(struct cli *cli)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND; /* the second time it ends at once */
    working = cli->core;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* ---- */

struct shown {
    struct cli *cli;
    const char *what, *unit;
    uint64_t percent; /* that was shown last */
};

static void on_progress(void *ctx, uint64_t done, uint64_t of)
{
    struct shown *shown = ctx;
    uint64_t percent = of > 0 ? done / (of / 100 + 1) : 0;
    if (percent == shown->percent && done < of)
        return;
    shown->percent = percent;
    shown->cli->output->progress(shown->cli, shown->what, done, of, shown->unit);
}

int run_backup(struct cli *cli, const struct args *args)
{
    struct sotto_backup_made made;
    const char *file = args->options[0];
    bool key = args->options[1] != NULL;
    struct sotto_backup backup = {.path = args->positionals[0],
                                  .account_key = args->options[2] != NULL,
                                  .replace = args->options[3] != NULL};
    sotto_buf passphrase;
    if (key && file != NULL) {
        problem_usage(&cli->trouble, "Leave one of them out.",
                      "A backup has a key or a passphrase, not both.");
        return cli_problem(cli, &cli->trouble);
    }
    sotto_buf_init(&passphrase, cli->env);
    bool given = key || (file != NULL ? passphrase_from(cli, file, &passphrase)
                                      : passphrase_ask_new(cli, "--passphrase-file", &passphrase));
    int code = EXIT_OK;
    if (!given)
        code = cli_problem(cli, &cli->trouble);
    else {
        backup.passphrase = sotto_buf_view(&passphrase);
        struct shown shown = {cli, "Backup", "messages", 0};
        stop_on_signals(cli);
        if (sotto_backup(cli->core, &backup, &made, on_progress, &shown) != SOTTO_OK)
            code = cli_fail(cli);
        else
            cli->output->backup(cli, backup.path, &made);
        wipe(&made, sizeof made);
    }
    sotto_buf_free(&passphrase);
    return code;
}

/* ---- */

struct restoring {
    const char *path;
    sotto_bytes secret;
    struct sotto_recovery recovery;
    bool history_only;
    struct sotto_restored restored;
};

static sotto_error do_restore(struct cli *cli, void *ctx)
{
    struct restoring *r = ctx;
    struct shown shown = {cli, "Restoring", "bytes", 0};
    return sotto_restore(cli->core, r->path, r->secret, r->history_only ? NULL : &r->recovery,
                         &r->restored, on_progress, &shown);
}

int run_restore(struct cli *cli, const struct args *args)
{
    sotto_buf secret;
    struct restoring r;
    memset(&r, 0, sizeof r);
    r.path = args->positionals[0];
    r.recovery.with = registration_of(args);
    r.history_only = args->options[6] != NULL;
    r.recovery.alone = args->options[7] != NULL;
    r.recovery.anew = args->options[8] != NULL;
    sotto_buf_init(&secret, cli->env);
    bool given = args->options[5] != NULL
                     ? passphrase_from(cli, args->options[5], &secret)
                     : passphrase_ask(cli, "The backup's passphrase or key: ", &secret);
    int code = EXIT_OK;
    if (!given)
        code = cli_problem(cli, &cli->trouble);
    else {
        r.secret = sotto_buf_view(&secret);
        stop_on_signals(cli);
        if (with_code(cli, &r.recovery.with, do_restore, &r) != SOTTO_OK)
            code = cli_fail(cli);
        else
            cli->output->restored(cli, &r.restored);
    }
    sotto_buf_free(&secret);
    return code;
}

/* ---- */

int run_export(struct cli *cli, const struct args *args)
{
    struct sotto_export what = {.path = args->positionals[1], .files = args->options[0] != NULL};
    struct sotto_exported exported = {0};
    struct shown shown = {cli, "Export", "messages", 0};
    if (sotto_find(cli->core, args->positionals[0], &what.conversation) != SOTTO_OK)
        return cli_fail(cli);
    stop_on_signals(cli);
    if (sotto_export(cli->core, &what, &exported, on_progress, &shown) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->exported(cli, what.path, &exported);
    return EXIT_OK;
}

int run_import(struct cli *cli, const struct args *args)
{
    struct sotto_imported imported = {0};
    struct shown shown = {cli, "Import", "bytes", 0};
    stop_on_signals(cli);
    if (sotto_import(cli->core, args->positionals[0], &imported, on_progress, &shown) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->imported(cli, &imported);
    return EXIT_OK;
}
