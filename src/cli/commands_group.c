/* group create, add, remove, leave, members, update. */
#include "cli/cli.h"

/* What was queued goes out; then what was done, or why not. */
static int settle(struct cli *cli, const struct sotto_id *conversation, const char *what,
                  const char *sentence)
{
    if (sotto_settle(cli->core, conversation) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, what, conversation, sentence);
    return EXIT_OK;
}

int run_group_create(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_group_create(cli->core, args->positionals[0], args->positionals + 1, args->count - 1,
                           &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return cli_begin(cli, &conversation);
}

typedef sotto_error group_change(struct sotto *core, const struct sotto_id *conversation,
                                 const char *const *members, size_t count);

static int change(struct cli *cli, const struct args *args, group_change *queue, const char *what,
                  const char *sentence)
{
    struct sotto_id conversation;
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        queue(cli->core, &conversation, args->positionals + 1, args->count - 1) != SOTTO_OK)
        return cli_fail(cli);
    return settle(cli, &conversation, what, sentence);
}

int run_group_add(struct cli *cli, const struct args *args)
{
    return change(cli, args, sotto_group_add, "added", "Added.");
}

int run_group_remove(struct cli *cli, const struct args *args)
{
    return change(cli, args, sotto_group_remove, "removed", "Removed.");
}

int run_group_leave(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        sotto_group_leave(cli->core, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return settle(cli, &conversation, "left", "You left. The history stays here.");
}

int run_group_update(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        sotto_group_update(cli->core, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return settle(cli, &conversation, "updated", "Your keys are new.");
}

static void member_show(void *ctx, const struct sotto_member *member)
{
    struct cli *cli = ctx;
    cli->output->member(cli, member);
}

int run_group_members(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        sotto_members(cli->core, &conversation, member_show, cli) != SOTTO_OK)
        return cli_fail(cli);
    return EXIT_OK;
}
