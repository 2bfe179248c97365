/* relay, notices, notice read. */
#include "cli/cli.h"

struct shown_relay {
    struct cli *cli;
    bool convicted;
};

static void relay_show(void *ctx, const struct sotto_relay *relay)
{
    struct shown_relay *shown = ctx;
    shown->convicted = relay->state == SOTTO_ORDER_LOG_CONVICTED;
    shown->cli->output->relay(shown->cli, relay);
}

static void evidence_show(void *ctx, const struct sotto_order_evidence *evidence)
{
    struct shown_relay *shown = ctx;
    shown->cli->output->evidence(shown->cli, evidence);
}

int run_relay(struct cli *cli, const struct args *args)
{
    struct shown_relay shown = {cli, false};
    if (args->options[1] != NULL && sotto_order_log_anew(cli->core) != SOTTO_OK)
        return cli_fail(cli);
    if (sotto_relay(cli->core, relay_show, &shown) != SOTTO_OK ||
        (args->options[0] != NULL &&
         sotto_order_evidence(cli->core, evidence_show, &shown) != SOTTO_OK))
        return cli_fail(cli);
    return shown.convicted ? EXIT_SECURITY : EXIT_OK;
}

struct told {
    struct cli *cli;
    size_t count;
};

static void notice_show(void *ctx, const struct sotto_notice *notice)
{
    struct told *told = ctx;
    told->count++;
    told->cli->output->told(told->cli, notice);
}

int run_notices(struct cli *cli, const struct args *args)
{
    enum { AT_MOST = 1000 };
    struct told told = {cli, 0};
    const bool unread = args->options[0] != NULL;
    if (sotto_notices(cli->core, 0, AT_MOST, unread, NULL, notice_show, &told) != SOTTO_OK)
        return cli_fail(cli);
    if (told.count == 0)
        cli->output->nothing(cli, unread ? "No unread notices." : "The relay told nothing so far.");
    return EXIT_OK;
}

int run_notice_read(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t number = 0;
    if (args->count > 0 &&
        !options_number("NUMBER", args->positionals[0], INT64_MAX, &number, &problem))
        return cli_problem(cli, &problem);
    if (sotto_notice_mark_read(cli->core, (int64_t)number) != SOTTO_OK ||
        sotto_settle(cli->core, NULL) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "notice_read", NULL, "Read, on all your devices.");
    return EXIT_OK;
}
