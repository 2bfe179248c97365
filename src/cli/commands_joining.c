/* group link, links, unlink, ask, requests, approve, refuse. */
#include "cli/cli.h"

int run_group_link(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (sotto_find(cli->core, args->positionals[0], &id) != SOTTO_OK)
        return cli_fail(cli);
    return cli_invite(cli, args, &id);
}

struct list {
    struct cli *cli;
    size_t count;
};

static void link_show(void *ctx, const struct sotto_join_link *link)
{
    struct list *list = ctx;
    list->count++;
    list->cli->output->join_link(list->cli, link);
}

int run_group_links(struct cli *cli, const struct args *args)
{
    struct list list = {cli, 0};
    (void)args;
    if (sotto_group_links(cli->core, link_show, &list) != SOTTO_OK)
        return cli_fail(cli);
    if (list.count == 0)
        cli->output->nothing(cli, "No links. Make one with `sotto group link TITLE`.");
    return EXIT_OK;
}

static bool number(struct cli *cli, const struct args *args, int64_t *out, int *code)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t value = 0;
    if (!options_number("NUMBER", args->positionals[0], INT64_MAX, &value, &problem)) {
        problem_usage(&problem, "`sotto group links` and `sotto group requests` show them.",
                      "Links and requests are named by their numbers.");
        *code = cli_problem(cli, &problem);
        return false;
    }
    *out = (int64_t)value;
    return true;
}

int run_group_unlink(struct cli *cli, const struct args *args)
{
    int64_t link = 0;
    int code = EXIT_OK;
    if (!number(cli, args, &link, &code))
        return code;
    if (sotto_group_unlink(cli->core, link) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "unlinked", NULL, "The link is good for nothing any more.");
    return EXIT_OK;
}

int run_group_ask(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (sotto_group_ask(cli->core, args->positionals[0], &id) != SOTTO_OK)
        return cli_fail(cli);
    return cli_begin(cli, &id);
}

static void request_show(void *ctx, const struct sotto_join_request *request)
{
    struct list *list = ctx;
    list->count++;
    list->cli->output->join_request(list->cli, request);
}

int run_group_requests(struct cli *cli, const struct args *args)
{
    struct list list = {cli, 0};
    (void)args;
    if (sotto_join_requests(cli->core, request_show, &list) != SOTTO_OK)
        return cli_fail(cli);
    if (list.count == 0)
        cli->output->nothing(cli, "Nobody asks.");
    return EXIT_OK;
}

int run_group_approve(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    int64_t request = 0;
    int code = EXIT_OK;
    if (!number(cli, args, &request, &code))
        return code;
    if (sotto_join_approve(cli->core, request, &id) != SOTTO_OK ||
        sotto_settle(cli->core, &id) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "approved", &id, "They are in.");
    return EXIT_OK;
}

int run_group_refuse(struct cli *cli, const struct args *args)
{
    int64_t request = 0;
    int code = EXIT_OK;
    if (!number(cli, args, &request, &code))
        return code;
    if (sotto_join_refuse(cli->core, request) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "refused", NULL, "Refused. They are not told.");
    return EXIT_OK;
}
