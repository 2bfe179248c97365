/* group settings, continue, roles, title, description, picture, role, policy, join, ban, unban. */
#include <string.h>

#include "cli/cli.h"

static bool find(struct cli *cli, const struct args *args, struct sotto_id *conversation)
{
    return sotto_find(cli->core, args->positionals[0], conversation) == SOTTO_OK;
}

/* What was queued goes out. */
static int settle(struct cli *cli, const struct sotto_id *conversation, sotto_error error)
{
    if (error != SOTTO_OK || sotto_settle(cli->core, conversation) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "changed", conversation, "Changed.");
    return EXIT_OK;
}

static void settings_show(void *ctx, const struct sotto_conversation *one)
{
    struct cli *cli = ctx;
    cli->output->settings(cli, one);
}

int run_group_settings(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id) || sotto_conversation(cli->core, &id, settings_show, cli) != SOTTO_OK)
        return cli_fail(cli);
    return EXIT_OK;
}

static void standing_show(void *ctx, const struct sotto_standing *standing)
{
    struct cli *cli = ctx;
    cli->output->standing(cli, standing);
}

int run_group_roles(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id) ||
        sotto_group_standings(cli->core, &id, standing_show, cli) != SOTTO_OK)
        return cli_fail(cli);
    return EXIT_OK;
}

int run_group_title(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(cli, &id, sotto_group_set_title(cli->core, &id, args->positionals[1]));
}

int run_group_description(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(
        cli, &id,
        sotto_group_set_description(cli->core, &id, args->count > 1 ? args->positionals[1] : ""));
}

int run_group_picture(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id))
        return cli_fail(cli);
    if (args->options[0] == NULL)
        return settle(
            cli, &id,
            sotto_group_set_picture(cli->core, &id, args->count > 1 ? args->positionals[1] : NULL));
    if (sotto_group_save_picture(cli->core, &id, args->options[0]) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->saved(cli, args->options[0]);
    return EXIT_OK;
}

static int not_one(struct cli *cli, const char *what, const char *values)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    problem_usage(&problem, values, "`%s` is none of the values that there are.", what);
    return cli_problem(cli, &problem);
}

int run_group_role(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    enum sotto_role role;
    if (!sotto_role_named(args->positionals[2], &role))
        return not_one(cli, args->positionals[2], "Roles are member, admin and owner.");
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(cli, &id, sotto_group_set_role(cli->core, &id, args->positionals[1], role));
}

int run_group_policy(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    enum sotto_policy policy;
    enum sotto_role role;
    if (!sotto_policy_named(args->positionals[1], &policy))
        return not_one(cli, args->positionals[1], "One may add, remove, write or change.");
    if (!sotto_role_named(args->positionals[2], &role))
        return not_one(cli, args->positionals[2], "Roles are member, admin and owner.");
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(cli, &id, sotto_group_set_policy(cli->core, &id, policy, role));
}

int run_group_join(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    enum sotto_join_rule rule;
    if (!sotto_join_rule_named(args->positionals[1], &rule))
        return not_one(cli, args->positionals[1], "Rules are closed, ask and open.");
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(cli, &id, sotto_group_set_join(cli->core, &id, rule));
}

int run_group_continue(struct cli *cli, const struct args *args)
{
    struct sotto_id id, successor;
    if (!find(cli, args, &id) || sotto_group_continue(cli->core, &id, &successor) != SOTTO_OK)
        return cli_fail(cli);
    return settle(cli, &successor, SOTTO_OK);
}

int run_group_ban(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(cli, &id, sotto_group_ban(cli->core, &id, args->positionals[1]));
}

int run_group_unban(struct cli *cli, const struct args *args)
{
    struct sotto_id id;
    if (!find(cli, args, &id))
        return cli_fail(cli);
    return settle(cli, &id, sotto_group_unban(cli->core, &id, args->positionals[1]));
}
