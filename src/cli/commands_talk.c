/* send, reply, edit, delete, react, save, listen, sync, conversations, history. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- send ---- */

/* Standard input to its end. False: problem. */
static bool input_read(sotto_buf *text, struct sotto_problem *problem)
{
    uint8_t block[65536];
    if (isatty(STDIN_FILENO) == 1)
        fputs("Type the message; Ctrl-D on an empty line ends it.\n", stderr);
    bool ended = false, good = true;
    while (good && !ended) {
        ssize_t n = read(STDIN_FILENO, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        ended = n == 0;
        /* One byte over the limit is enough for the core to say so. */
        size_t room = SOTTO_TEXT_MAX + 2 > text->size ? SOTTO_TEXT_MAX + 2 - text->size : 0;
        size_t take = n > 0 && (size_t)n < room ? (size_t)n : room;
        good = n >= 0;
        if (!good)
            problem_usage(problem, "Give the text on the command line instead.",
                          "Standard input cannot be read: %s.", strerror(errno));
        else if (n > 0 && sotto_buf_append(text, block, take) != SOTTO_OK) {
            problem_usage(problem, "Send less at once.", "Out of memory.");
            good = false;
        }
    }
    wipe(block, sizeof block);
    return good;
}

static bool words_join(const struct args *args, size_t from, sotto_buf *text)
{
    for (size_t i = from; i < args->count; i++) {
        sotto_bytes word = sotto_bytes_str(args->positionals[i]);
        if ((i > from && sotto_buf_append(text, (const uint8_t *)" ", 1) != SOTTO_OK) ||
            sotto_buf_append(text, word.data, word.size) != SOTTO_OK)
            return false;
    }
    return true;
}

/* A text, or a file and what is said about it. */
static sotto_error queue(struct cli *cli, const struct args *args, sotto_bytes text,
                         const struct sotto_id *conversation, char *id)
{
    const char *client_id = args->options[0], *path = args->options[1];
    const struct sotto_file file = {.path = path,
                                    .caption = text,
                                    .as_file = args->options[3] != NULL,
                                    .voice = args->options[4] != NULL};
    if (path != NULL) {
        transfers_show(cli);
        sotto_error error = sotto_send_file(cli->core, conversation, client_id, &file, id);
        transfers_hide(cli);
        return error;
    }
    return sotto_send(cli->core, conversation, client_id,
                      &(struct sotto_text){text, args->options[2] != NULL, 0}, id);
}

int cli_settle(struct cli *cli, const struct sotto_id *conversation, const char *id)
{
    struct shown_sending shown = {
        .conversation = *conversation, .client_id = id, .status = SOTTO_STATUS_WAITING};
    transfers_show(cli);
    sotto_error error = sotto_settle(cli->core, conversation);
    transfers_hide(cli);
    struct sotto_problem problem = *sotto_problem(cli->core);
    if (sotto_sending(cli->core, conversation, id, &shown.status, &shown.seq) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->sending(cli, &shown);
    /* Sent is sent, even if something else of the conversation could not be settled. */
    if (shown.status == SOTTO_STATUS_SENT || shown.status == SOTTO_STATUS_DELIVERED ||
        shown.status == SOTTO_STATUS_READ)
        return EXIT_OK;
    if (error != SOTTO_OK)
        return cli_problem(cli, &problem);
    return EXIT_REFUSED;
}

int text_take(struct cli *cli, const struct args *args, bool needed, sotto_buf *text)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    bool from_input = (args->count == 1 && needed) ||
                      (args->count == 2 && strcmp(args->positionals[1], "-") == 0);
    if (from_input ? !input_read(text, &problem) : !words_join(args, 1, text)) {
        if (problem.code == SOTTO_CODE_OK)
            problem_usage(&problem, "Send less at once.", "Out of memory.");
        return cli_problem(cli, &problem);
    }
    if (from_input && text->size > 0 && text->data[text->size - 1] == '\n')
        text->size--;
    return EXIT_OK;
}

int run_send(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    char id[SOTTO_CLIENT_ID_MAX + 1];
    /* A wrong name is said before anybody types a long text. */
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK)
        return cli_fail(cli);
    sotto_buf text;
    sotto_buf_init(&text, cli->env);
    int code = text_take(cli, args, args->options[1] == NULL, &text);
    if (code == EXIT_OK)
        code = queue(cli, args, sotto_buf_view(&text), &conversation, id) == SOTTO_OK
                   ? cli_settle(cli, &conversation, id)
                   : cli_fail(cli);
    sotto_buf_free(&text);
    return code;
}

/* ---- reply, edit, delete, react ---- */

static void take_conversation(void *ctx, const struct sotto_message *message)
{
    *(struct sotto_id *)ctx = message->conversation;
}

/* The message that the first argument numbers. False: the problem was printed; *code. */
static bool message_take(struct cli *cli, const struct args *args, int64_t *id,
                         struct sotto_id *conversation, int *code)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t number = 0;
    if (!options_number("ID", args->positionals[0], INT64_MAX, &number, &problem)) {
        problem_usage(&problem, "`sotto history` shows the number of each message.",
                      "A message is named by its number.");
        *code = cli_problem(cli, &problem);
        return false;
    }
    *id = (int64_t)number;
    if (sotto_message(cli->core, *id, take_conversation, conversation) == SOTTO_OK)
        return true;
    *code = cli_fail(cli);
    return false;
}

int run_reply(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    struct sotto_text text = {.markdown = args->options[1] != NULL};
    char id[SOTTO_CLIENT_ID_MAX + 1];
    int code = EXIT_OK;
    if (!message_take(cli, args, &text.reply_to, &conversation, &code))
        return code;
    sotto_buf typed;
    sotto_buf_init(&typed, cli->env);
    code = text_take(cli, args, true, &typed);
    text.text = sotto_buf_view(&typed);
    if (code == EXIT_OK)
        code = sotto_send(cli->core, &conversation, args->options[0], &text, id) == SOTTO_OK
                   ? cli_settle(cli, &conversation, id)
                   : cli_fail(cli);
    sotto_buf_free(&typed);
    return code;
}

int run_edit(struct cli *cli, const struct args *args)
{
    struct sotto_change done;
    int64_t id = 0;
    int code = EXIT_OK;
    if (!message_take(cli, args, &id, &done.conversation, &code))
        return code;
    sotto_buf typed;
    sotto_buf_init(&typed, cli->env);
    code = text_take(cli, args, true, &typed);
    if (code == EXIT_OK)
        code = sotto_edit(cli->core, id, args->options[0], sotto_buf_view(&typed),
                          args->options[1] != NULL, &done) == SOTTO_OK
                   ? cli_settle(cli, &done.conversation, done.client_id)
                   : cli_fail(cli);
    sotto_buf_free(&typed);
    return code;
}

int run_delete(struct cli *cli, const struct args *args)
{
    struct sotto_change done;
    int64_t id = 0;
    int code = EXIT_OK;
    if (!message_take(cli, args, &id, &done.conversation, &code))
        return code;
    return sotto_delete(cli->core, id, args->options[0], &done) == SOTTO_OK
               ? cli_settle(cli, &done.conversation, done.client_id)
               : cli_fail(cli);
}

int run_react(struct cli *cli, const struct args *args)
{
    struct sotto_change done;
    int64_t id = 0;
    int code = EXIT_OK;
    if (!message_take(cli, args, &id, &done.conversation, &code))
        return code;
    sotto_bytes reaction = sotto_bytes_str(args->count > 1 ? args->positionals[1] : "");
    return sotto_react(cli->core, id, args->options[0], reaction, &done) == SOTTO_OK
               ? cli_settle(cli, &done.conversation, done.client_id)
               : cli_fail(cli);
}

int run_forward(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    char id[SOTTO_CLIENT_ID_MAX + 1];
    int64_t number = 0;
    int code = EXIT_OK;
    if (!message_take(cli, args, &number, &conversation, &code))
        return code;
    return sotto_find(cli->core, args->positionals[1], &conversation) == SOTTO_OK &&
                   sotto_forward(cli->core, number, &conversation, args->options[0], id) == SOTTO_OK
               ? cli_settle(cli, &conversation, id)
               : cli_fail(cli);
}

int run_retry(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    return sotto_find(cli->core, args->positionals[0], &conversation) == SOTTO_OK &&
                   sotto_retry(cli->core, &conversation, args->positionals[1]) == SOTTO_OK
               ? cli_settle(cli, &conversation, args->positionals[1])
               : cli_fail(cli);
}

/* ---- info ---- */

static void info_message(void *ctx, const struct sotto_message *message)
{
    struct cli *cli = ctx;
    cli->output->message(cli, message, true);
}

static void info_receipt(void *ctx, const struct sotto_receipt *receipt)
{
    struct cli *cli = ctx;
    cli->output->receipt(cli, receipt);
}

int run_info(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    int64_t id = 0;
    int code = EXIT_OK;
    if (!message_take(cli, args, &id, &conversation, &code))
        return code;
    if (sotto_message(cli->core, id, info_message, cli) != SOTTO_OK ||
        sotto_receipts(cli->core, id, info_receipt, cli) != SOTTO_OK)
        return cli_fail(cli);
    return EXIT_OK;
}

/* ---- links to messages ---- */

int run_message_link(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    char link[SOTTO_MESSAGE_LINK_SIZE];
    int64_t id = 0;
    int code = EXIT_OK;
    if (!message_take(cli, args, &id, &conversation, &code))
        return code;
    if (sotto_message_link(cli->core, id, link) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->message_link(cli, link);
    return EXIT_OK;
}

int run_message_find(struct cli *cli, const struct args *args)
{
    return sotto_message_find(cli->core, args->positionals[0], info_message, cli) == SOTTO_OK
               ? EXIT_OK
               : cli_fail(cli);
}

/* ---- listen ---- */

static struct sotto *listening;

static void on_signal(int number)
{
    (void)number;
    sotto_stop(listening);
}

static void listen_message(void *ctx, const struct sotto_message *message)
{
    struct cli *cli = ctx;
    cli->output->message(cli, message, true);
}

static void listen_request(void *ctx, const struct sotto_request *request)
{
    struct cli *cli = ctx;
    cli->output->request(cli, request);
}

static void listen_notice(void *ctx, const struct sotto_problem *problem)
{
    struct cli *cli = ctx;
    cli->output->notice(cli, problem);
}

static void listen_told(void *ctx, const struct sotto_notice *notice)
{
    struct cli *cli = ctx;
    cli->output->told(cli, notice);
}

static bool listen_flush(void *ctx)
{
    (void)ctx;
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

int run_listen(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t seconds = 0;
    if (args->options[1] != NULL && !options_duration("for", args->options[1], &seconds, &problem))
        return cli_problem(cli, &problem);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    listening = cli->core;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    struct sotto_listener listener = {cli,           listen_message, listen_request,
                                      listen_notice, listen_flush,   listen_told};
    bool once = args->options[0] != NULL;
    sotto_error error = sotto_listen(cli->core, (uint32_t)seconds, once, &listener);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    listening = NULL;
    return error == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

int run_sync(struct cli *cli, const struct args *args)
{
    (void)args;
    if (sotto_sync(cli->core) != SOTTO_OK)
        return cli_fail(cli);
    struct sotto_status status;
    if (sotto_status(cli->core, &status) != SOTTO_OK)
        return cli_fail(cli);
    if (status.requests > 0)
        cli->output->done(cli, "synced", NULL,
                          "All fetched and sent. Someone wants to write to you: sotto requests");
    else if (status.notices > 0)
        cli->output->done(cli, "synced", NULL,
                          "All fetched and sent. Your relay tells you something: sotto notices");
    else
        cli->output->done(cli, "synced", NULL, "All fetched and sent.");
    return EXIT_OK;
}

/* ---- reading ---- */

struct show {
    struct cli *cli;
    size_t count;
    int64_t last; /* the newest message that was shown */
};

int run_timer(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sotto_id conversation;
    uint64_t seconds = 0;
    if (strcmp(args->positionals[1], "off") != 0 &&
        !options_duration("TIME", args->positionals[1], &seconds, &problem)) {
        problem_usage(&problem, "Write for example 15m, 12h or 7d, or off.",
                      "Messages disappear after a time, or not.");
        return cli_problem(cli, &problem);
    }
    if (seconds > SOTTO_TIMER_MAX)
        seconds = (uint64_t)SOTTO_TIMER_MAX + 1; /* the core says why not */
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        sotto_set_timer(cli->core, &conversation, (uint32_t)seconds) != SOTTO_OK ||
        sotto_settle(cli->core, &conversation) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "timer", &conversation,
                      seconds > 0 ? "What is written here from now on disappears after that time."
                                  : "What is written here from now on stays.");
    return EXIT_OK;
}

static void history_show(void *ctx, const struct sotto_message *message)
{
    struct show *show = ctx;
    show->count++;
    if (message->id > show->last)
        show->last = message->id;
    show->cli->output->message(show->cli, message, false);
}

int run_history(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t limit = 50;
    uint64_t before = 0;
    if ((args->options[0] != NULL &&
         !options_number("limit", args->options[0], 1000000, &limit, &problem)) ||
        (args->options[1] != NULL &&
         !options_number("before", args->options[1], INT64_MAX, &before, &problem)))
        return cli_problem(cli, &problem);
    struct sotto_id conversation;
    struct show show = {cli, 0, 0};
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        sotto_history(cli->core, &conversation, (uint32_t)limit, (int64_t)before, history_show,
                      &show) != SOTTO_OK)
        return cli_fail(cli);
    if (show.count == 0)
        cli->output->nothing(cli, "Nothing was written here yet.");
    /* Whether they count as read matters less than that they were shown. */
    if (show.last > 0)
        (void)sotto_mark_read(cli->core, &conversation, show.last);
    return EXIT_OK;
}

/* ---- searching ---- */

static void search_show(void *ctx, const struct sotto_message *message)
{
    struct show *show = ctx;
    show->count++;
    show->cli->output->message(show->cli, message, true);
}

int run_search(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sotto_id conversation;
    struct show show = {cli, 0, 0};
    uint64_t limit = 50, before = 0;
    sotto_buf words;
    bool in_one = args->options[0] != NULL;
    if ((args->options[1] != NULL &&
         !options_number("limit", args->options[1], 1000000, &limit, &problem)) ||
        (args->options[2] != NULL &&
         !options_number("before", args->options[2], INT64_MAX, &before, &problem)))
        return cli_problem(cli, &problem);
    if (in_one && sotto_find(cli->core, args->options[0], &conversation) != SOTTO_OK)
        return cli_fail(cli);
    sotto_buf_init(&words, cli->env);
    bool joined =
        words_join(args, 0, &words) && sotto_buf_append(&words, (const uint8_t *)"", 1) == SOTTO_OK;
    int code = EXIT_OK;
    if (!joined) {
        problem_usage(&problem, "Look for less at once.", "Out of memory.");
        code = cli_problem(cli, &problem);
    } else if (sotto_search(cli->core, in_one ? &conversation : NULL, (const char *)words.data,
                            (uint32_t)limit, (int64_t)before, search_show, &show) != SOTTO_OK)
        code = cli_fail(cli);
    else if (show.count == 0)
        cli->output->nothing(cli, "Nothing was found.");
    sotto_buf_free(&words);
    return code;
}
