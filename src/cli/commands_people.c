/* invite, accept, decline, requests, contacts. */
#include <string.h>

#include "cli/cli.h"

int run_invite(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t uses = 1;
    uint64_t lifetime = 7 * 86400;
    if ((args->options[0] != NULL &&
         !options_number("uses", args->options[0], 1000, &uses, &problem)) ||
        (args->options[1] != NULL &&
         !options_duration("expires", args->options[1], &lifetime, &problem)))
        return cli_problem(cli, &problem);
    sotto_buf link;
    sotto_buf_init(&link, cli->env);
    uint64_t expires = cli->env->now(cli->env->ctx) + lifetime;
    int code = EXIT_OK;
    if (sotto_invite(cli->core, (uint32_t)uses, lifetime, &link) != SOTTO_OK)
        code = cli_fail(cli);
    else {
        struct shown_invitation shown = {(const char *)link.data, (uint32_t)uses, expires};
        cli->output->invitation(cli, &shown);
    }
    sotto_buf_free(&link);
    return code;
}

struct conversation_ctx {
    struct cli *cli;
    size_t count;
};

static void conversation_show(void *ctx, const struct sotto_conversation *one)
{
    struct conversation_ctx *to = ctx;
    to->count++;
    to->cli->output->conversation(to->cli, one);
}

int run_accept(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_accept(cli->core, args->positionals[0], &conversation) != SOTTO_OK)
        return cli_fail(cli);
    sotto_error error = sotto_settle(cli->core, &conversation);
    struct sotto_problem problem = *sotto_problem(cli->core);
    /* An invitation that was refused leaves no conversation behind; anything else does. */
    struct conversation_ctx ctx = {cli, 0};
    (void)sotto_conversation(cli->core, &conversation, conversation_show, &ctx);
    return error == SOTTO_OK ? EXIT_OK : cli_problem(cli, &problem);
}

int run_decline(struct cli *cli, const struct args *args)
{
    if (sotto_decline(cli->core, args->positionals[0]) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "declined", NULL, "Declined.");
    return EXIT_OK;
}

static void request_show(void *ctx, const struct sotto_request *request)
{
    struct conversation_ctx *to = ctx;
    to->count++;
    to->cli->output->request(to->cli, request);
}

int run_requests(struct cli *cli, const struct args *args)
{
    (void)args;
    struct conversation_ctx ctx = {cli, 0};
    if (sotto_requests(cli->core, request_show, &ctx) != SOTTO_OK)
        return cli_fail(cli);
    if (ctx.count == 0)
        cli->output->nothing(cli, "No requests. `sotto sync` looks for new ones.");
    return EXIT_OK;
}

static void contact_show(void *ctx, const struct sotto_contact *contact)
{
    struct conversation_ctx *to = ctx;
    to->count++;
    to->cli->output->contact(to->cli, contact);
}

int run_contacts(struct cli *cli, const struct args *args)
{
    (void)args;
    struct conversation_ctx ctx = {cli, 0};
    if (sotto_contacts(cli->core, contact_show, &ctx) != SOTTO_OK)
        return cli_fail(cli);
    if (ctx.count == 0)
        cli->output->nothing(cli, "Nobody yet. Make a link with `sotto invite`, or take one with "
                                  "`sotto accept LINK`.");
    return EXIT_OK;
}
