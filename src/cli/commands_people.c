/* invite, accept, decline, requests, contacts, contact, block, verify. */
#include <string.h>

#include "cli/cli.h"

int cli_invite(struct cli *cli, const struct args *args, const struct sotto_id *group)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t uses = 1;
    uint64_t lifetime = 7 * 86400;
    if ((args->options[0] != NULL &&
         !options_number("uses", args->options[0], SOTTO_LINK_USES_MAX, &uses, &problem)) ||
        (args->options[1] != NULL &&
         !options_duration("expires", args->options[1], &lifetime, &problem)))
        return cli_problem(cli, &problem);
    sotto_buf link;
    sotto_buf_init(&link, cli->env);
    uint64_t expires = cli->env->now(cli->env->ctx) + lifetime;
    sotto_error error = group != NULL
                            ? sotto_group_link(cli->core, group, (uint32_t)uses, lifetime, &link)
                            : sotto_invite(cli->core, (uint32_t)uses, lifetime, &link);
    if (error == SOTTO_OK) {
        struct shown_invitation shown = {(const char *)link.data, (uint32_t)uses, expires};
        cli->output->invitation(cli, &shown);
    }
    sotto_buf_free(&link);
    return error == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

int run_invite(struct cli *cli, const struct args *args)
{
    return cli_invite(cli, args, NULL);
}

static void conversation_show(void *ctx, const struct sotto_conversation *one)
{
    struct cli *cli = ctx;
    cli->output->conversation(cli, one);
}

int cli_begin(struct cli *cli, const struct sotto_id *conversation)
{
    sotto_error error = sotto_settle(cli->core, conversation);
    struct sotto_problem problem = *sotto_problem(cli->core);
    /* An invitation that was refused leaves no conversation behind; anything else does. */
    (void)sotto_conversation(cli->core, conversation, conversation_show, cli);
    return error == SOTTO_OK ? EXIT_OK : cli_problem(cli, &problem);
}

int run_accept(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_accept(cli->core, args->positionals[0], &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return cli_begin(cli, &conversation);
}

static void device_count(void *ctx, const struct sotto_device *device)
{
    (void)device;
    ++*(size_t *)ctx;
}

/* Something was changed here that one's other devices, if there are any, are to learn. */
static int changed(struct cli *cli, const char *what, const char *sentence)
{
    size_t devices = 0;
    cli->output->done(cli, what, NULL, sentence);
    if (sotto_devices(cli->core, device_count, &devices) != SOTTO_OK ||
        (devices > 1 && sotto_settle(cli->core, NULL) != SOTTO_OK))
        return cli_fail(cli);
    return EXIT_OK;
}

int run_decline(struct cli *cli, const struct args *args)
{
    bool block = args->options[0] != NULL;
    if ((block ? sotto_block_request(cli->core, args->positionals[0])
               : sotto_decline(cli->core, args->positionals[0])) != SOTTO_OK)
        return cli_fail(cli);
    return changed(cli, block ? "blocked" : "declined", block ? "Blocked." : "Declined.");
}

struct list {
    struct cli *cli;
    size_t count;
};

static void request_show(void *ctx, const struct sotto_request *request)
{
    struct list *to = ctx;
    to->count++;
    to->cli->output->request(to->cli, request);
}

int run_requests(struct cli *cli, const struct args *args)
{
    (void)args;
    struct list ctx = {cli, 0};
    if (sotto_requests(cli->core, request_show, &ctx) != SOTTO_OK)
        return cli_fail(cli);
    if (ctx.count == 0)
        cli->output->nothing(cli, "No requests. `sotto sync` looks for new ones.");
    return EXIT_OK;
}

static void contact_show(void *ctx, const struct sotto_contact *contact)
{
    struct list *to = ctx;
    to->count++;
    to->cli->output->contact(to->cli, contact);
}

int run_contacts(struct cli *cli, const struct args *args)
{
    (void)args;
    struct list ctx = {cli, 0};
    if (sotto_contacts(cli->core, contact_show, &ctx) != SOTTO_OK)
        return cli_fail(cli);
    if (ctx.count == 0)
        cli->output->nothing(cli, "Nobody yet. Make a link with `sotto invite`, or take one with "
                                  "`sotto accept LINK`.");
    return EXIT_OK;
}

int run_blocked(struct cli *cli, const struct args *args)
{
    (void)args;
    struct list ctx = {cli, 0};
    if (sotto_blocked(cli->core, contact_show, &ctx) != SOTTO_OK)
        return cli_fail(cli);
    if (ctx.count == 0)
        cli->output->nothing(cli, "You have blocked nobody.");
    return EXIT_OK;
}

int run_contact_name(struct cli *cli, const struct args *args)
{
    const char *name = args->count > 1 ? args->positionals[1] : "";
    if (sotto_contact_rename(cli->core, args->positionals[0], name) != SOTTO_OK)
        return cli_fail(cli);
    return changed(cli, "renamed", "Changed. Only your own devices see it.");
}

int run_contact_delete(struct cli *cli, const struct args *args)
{
    if (sotto_contact_delete(cli->core, args->positionals[0]) != SOTTO_OK)
        return cli_fail(cli);
    return changed(cli, "deleted", "They are no contact of yours any more.");
}

int run_block(struct cli *cli, const struct args *args)
{
    if (sotto_block(cli->core, args->positionals[0], true) != SOTTO_OK)
        return cli_fail(cli);
    return changed(cli, "blocked", "Blocked.");
}

int run_unblock(struct cli *cli, const struct args *args)
{
    if (sotto_block(cli->core, args->positionals[0], false) != SOTTO_OK)
        return cli_fail(cli);
    return changed(cli, "unblocked", "They can write to you again.");
}

int run_verify(struct cli *cli, const struct args *args)
{
    const char *what = args->positionals[0];
    const char *who = args->count > 1 ? args->positionals[1] : NULL;
    bool undo = args->options[0] != NULL, link = strncmp(what, "sotto:", 6) == 0;
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sotto_id account;
    if (link ? undo : who != NULL) {
        problem_usage(&problem, "See: sotto verify --help", "%s",
                      link ? "A code cannot be taken back: name the person."
                           : "One person at a time.");
        return cli_problem(cli, &problem);
    }
    if ((link ? sotto_verify_link(cli->core, what, who, &account)
              : sotto_set_verified(cli->core, what, !undo)) != SOTTO_OK)
        return cli_fail(cli);
    return changed(cli, undo ? "unverified" : "verified",
                   undo ? "Taken back." : "The keys are theirs. This is remembered.");
}

int run_find(struct cli *cli, const struct args *args)
{
    struct sotto_found found;
    if (sotto_find_person(cli->core, args->positionals[0], &found) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->found(cli, &found);
    return EXIT_OK;
}

int run_add(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_add_person(cli->core, args->positionals[0], args->options[0],
                         args->options[1] != NULL, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return cli_begin(cli, &conversation);
}

static int labels_show(struct cli *cli)
{
    struct sotto_labels labels;
    if (sotto_labels(cli->core, &labels) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->labels(cli, &labels);
    return EXIT_OK;
}

int run_username(struct cli *cli, const struct args *args)
{
    bool none = args->options[0] != NULL;
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (none && args->count > 0) {
        problem_usage(&problem, "See: sotto username --help", "Either a name or --remove.");
        return cli_problem(cli, &problem);
    }
    if ((none || args->count > 0) &&
        sotto_set_username(cli->core, none ? "" : args->positionals[0]) != SOTTO_OK)
        return cli_fail(cli);
    return labels_show(cli);
}

int run_findable(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    bool on = false;
    if (!options_switch(args->positionals[0], &on, &problem))
        return cli_problem(cli, &problem);
    return sotto_set_findable(cli->core, on) == SOTTO_OK ? labels_show(cli) : cli_fail(cli);
}

static int picture_save(struct cli *cli, const char *who, const char *path)
{
    if (sotto_save_picture(cli->core, who, path) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->saved(cli, path);
    return EXIT_OK;
}

int run_picture(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    bool none = args->options[0] != NULL;
    const char *save = args->options[1];
    if ((args->count > 0) + none + (save != NULL) != 1) {
        problem_usage(&problem, "See: sotto picture --help", "A file, --remove or --save PATH.");
        return cli_problem(cli, &problem);
    }
    if (save != NULL)
        return picture_save(cli, NULL, save);
    if (sotto_set_picture(cli->core, none ? NULL : args->positionals[0]) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "picture", NULL, "Changed. Your contacts learn it now.");
    return sotto_settle(cli->core, NULL) == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

int run_contact_picture(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (args->options[0] != NULL)
        return picture_save(cli, args->positionals[0], args->options[0]);
    problem_usage(&problem, "Say where to: --save PATH", "A picture is written to a file.");
    return cli_problem(cli, &problem);
}
