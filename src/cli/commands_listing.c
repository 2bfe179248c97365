/* conversations, pin, archive, mute, unread, draft, typing, erase. */
#include <string.h>

#include "cli/cli.h"

struct show {
    struct cli *cli;
    size_t count;
};

static void conversation_show(void *ctx, const struct sotto_conversation *one)
{
    struct show *show = ctx;
    show->count++;
    show->cli->output->conversation(show->cli, one);
}

int run_conversations(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sotto_list list = {.archived = args->options[0] != NULL, .limit = INT64_MAX};
    struct show show = {cli, 0};
    if (args->options[1] != NULL &&
        !options_number("limit", args->options[1], INT64_MAX, &list.limit, &problem))
        return cli_problem(cli, &problem);
    if (sotto_conversations(cli->core, &list, NULL, conversation_show, &show) != SOTTO_OK)
        return cli_fail(cli);
    if (show.count == 0)
        cli->output->nothing(cli, list.archived
                                      ? "Nothing is archived."
                                      : "No conversations yet. Make a link with `sotto invite`, "
                                        "or take one with `sotto accept LINK`.");
    return EXIT_OK;
}

/* The conversation that the first argument names, and the switch behind it. EXIT_OK, or the code of
 * the problem that was printed. */
static int take(struct cli *cli, const struct args *args, struct sotto_id *conversation, bool *on)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (on != NULL && !options_switch(args->positionals[1], on, &problem))
        return cli_problem(cli, &problem);
    return sotto_find(cli->core, args->positionals[0], conversation) == SOTTO_OK ? EXIT_OK
                                                                                 : cli_fail(cli);
}

/* It is saved; one's own devices learn it as soon as the relay can be reached. */
static int done(struct cli *cli, const char *what, const struct sotto_id *conversation,
                const char *sentence)
{
    cli->output->done(cli, what, conversation, sentence);
    return EXIT_OK;
}

int run_pin(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    bool on = false;
    int code = take(cli, args, &conversation, &on);
    if (code != EXIT_OK)
        return code;
    if (sotto_pin(cli->core, &conversation, on) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, on ? "pinned" : "unpinned", &conversation,
                on ? "It stands before the others." : "It has no place of its own any more.");
}

int run_archive(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    bool on = false;
    int code = take(cli, args, &conversation, &on);
    if (code != EXIT_OK)
        return code;
    if (sotto_archive(cli->core, &conversation, on) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, on ? "archived" : "unarchived", &conversation,
                on ? "It is put away: sotto conversations --archived" : "It is in the list again.");
}

int run_mute(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sotto_muting muting = {true, 0, args->options[0] != NULL};
    struct sotto_id conversation;
    const char *how = args->positionals[1];
    uint64_t seconds = 0;
    if (strcmp(how, "off") == 0)
        muting.on = false;
    else if (strcmp(how, "on") != 0) {
        if (!options_duration("TIME", how, &seconds, &problem)) {
            problem_usage(&problem, "Write for example 8h or 7d, or on, or off.",
                          "A conversation is muted for a time, or for good, or not.");
            return cli_problem(cli, &problem);
        }
        muting.until_s = cli->env->now(cli->env->ctx) + seconds;
    }
    int code = take(cli, args, &conversation, NULL);
    if (code != EXIT_OK)
        return code;
    if (sotto_mute(cli->core, &conversation, &muting) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, muting.on ? "muted" : "unmuted", &conversation,
                muting.on ? "Muted." : "Not muted any more.");
}

int run_unread(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    int code = take(cli, args, &conversation, NULL);
    if (code != EXIT_OK)
        return code;
    if (sotto_mark_unread(cli->core, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, "unread", &conversation, "Marked as unread.");
}

int run_draft(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sotto_draft draft = {.markdown = args->options[1] != NULL};
    struct sotto_id conversation;
    uint64_t reply_to = 0;
    sotto_buf text;
    if (args->options[0] != NULL &&
        !options_number("reply-to", args->options[0], INT64_MAX, &reply_to, &problem))
        return cli_problem(cli, &problem);
    int code = take(cli, args, &conversation, NULL);
    if (code != EXIT_OK)
        return code;
    sotto_buf_init(&text, cli->env);
    code = text_take(cli, args, false, &text);
    draft.text = sotto_buf_view(&text);
    draft.reply_to = (int64_t)reply_to;
    if (code == EXIT_OK && sotto_set_draft(cli->core, &conversation, &draft) != SOTTO_OK)
        code = cli_fail(cli);
    bool none = text.size == 0 && reply_to == 0;
    sotto_buf_free(&text);
    return code != EXIT_OK ? code
                           : done(cli, none ? "draft_forgotten" : "draft", &conversation,
                                  none ? "There is no draft." : "Kept.");
}

static int typing_tell(struct cli *cli, const char *who, bool on)
{
    struct sotto_id conversation;
    if (sotto_find(cli->core, who, &conversation) != SOTTO_OK ||
        sotto_set_typing(cli->core, &conversation, on) != SOTTO_OK ||
        sotto_settle(cli->core, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, on ? "typing" : "not_typing", &conversation, "Told to whoever is there.");
}

int run_typing(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    bool on = false;
    if (!options_switch(args->positionals[0], &on, &problem))
        return cli_problem(cli, &problem);
    if (args->count == 2)
        return typing_tell(cli, args->positionals[1], on);
    if (sotto_allow_typing(cli->core, on) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, on ? "typing_on" : "typing_off", NULL,
                on ? "Others see when you type." : "Nobody sees when you type, nor do you.");
}

int run_erase(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    int code = take(cli, args, &conversation, NULL);
    if (code != EXIT_OK)
        return code;
    if (sotto_erase(cli->core, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    return done(cli, "erased", &conversation, "Nothing of it is left here.");
}
