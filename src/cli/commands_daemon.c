/* daemon, call. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "rpc/accounts.h"
#include "rpc/json_memory.h"
#include "rpc/schema.h"
#include "rpc/server.h"

enum { SOCKET_PATH = 4200 };

/* --socket, else in the profile. */
static const char *socket_path(const struct cli *cli, const char *given, char out[SOCKET_PATH])
{
    (void)snprintf(out, SOCKET_PATH, given != NULL ? "%s" : "%s/daemon.sock",
                   given != NULL ? given : cli->profile);
    return out;
}

/* ---- daemon ---- */

static struct sotto *serving;

static void on_signal(int number)
{
    (void)number;
    sotto_stop(serving);
}

static int print_document(struct cli *cli)
{
    json_t *document = rpc_openrpc();
    char *text = json_dumps(document, JSON_INDENT(2));
    json_decref(document);
    if (text == NULL)
        return EXIT_FAILED;
    (void)cli;
    puts(text);
    json_free_t give;
    json_get_alloc_funcs(NULL, &give);
    give(text);
    return EXIT_OK;
}

static void on_accounts_signal(int number)
{
    (void)number;
    accounts_stop();
}

static int serve_accounts(struct cli *cli, const char *directory, const char *given)
{
    char path[SOCKET_PATH];
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sigaction action = {.sa_handler = on_accounts_signal};
    (void)snprintf(path, sizeof path, given != NULL ? "%s" : "%s/daemon.sock",
                   given != NULL ? given : directory);
    const struct accounts_options options = {
        .directory = directory, .socket = path, .program = "/proc/self/exe"};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return accounts_run(cli->env, &options, &problem) == SOTTO_OK ? EXIT_OK
                                                                  : cli_problem(cli, &problem);
}

int run_daemon(struct cli *cli, const struct args *args)
{
    char path[SOCKET_PATH];
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    struct sigaction action;
    if (args->options[3] != NULL)
        return print_document(cli);
    if (args->options[2] != NULL)
        return serve_accounts(cli, args->options[2], args->options[0]);
    int code = cli_open(cli);
    if (code != EXIT_OK)
        return code;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    serving = cli->core;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    bool stdio = args->options[1] != NULL;
    const struct server_options options = {
        .socket = stdio ? NULL : socket_path(cli, args->options[0], path),
    };
    sotto_error error = server_run(cli->env, cli->core, &options, &problem);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    serving = NULL;
    return error == SOTTO_OK ? EXIT_OK : cli_problem(cli, &problem);
}

/* ---- call ---- */

/* {"jsonrpc":"2.0","id":1,"method":METHOD,"params":PARAMS}. False: problem. */
static bool request_make(const struct args *args, sotto_buf *out, struct sotto_problem *problem)
{
    json_error_t error;
    json_t *params = json_object();
    if (args->count > 1) {
        const char *text = args->positionals[1];
        json_decref(params);
        params = strcmp(text, "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                                        : json_loads(text, JSON_REJECT_DUPLICATES, &error);
    }
    if (params == NULL) {
        problem_usage(problem, "Write for example '{\"name\": \"Bob\"}'.",
                      "The parameters are not JSON: %.200s.", error.text);
        return false;
    }
    json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
                                args->positionals[0], "params", params);
    bool written = json_write(request, out) == SOTTO_OK;
    json_decref(request);
    if (!written)
        problem_usage(problem, "Send less at once.", "Out of memory.");
    return written;
}

/* Prints what a response holds. Errors print as every command's do. */
static int response_show(struct cli *cli, const sotto_buf *response)
{
    struct sotto_problem problem = {SOTTO_INTERNAL, SOTTO_CODE_INTERNAL, "", ""};
    json_t *whole = json_loadb((const char *)response->data, response->size, 0, NULL);
    const json_t *error = json_object_get(whole, "error");
    const json_t *result = json_object_get(whole, "result");
    int code = EXIT_OK;
    if (result != NULL) {
        sotto_buf line;
        sotto_buf_init(&line, cli->env);
        if (json_write(result, &line) == SOTTO_OK)
            fwrite(line.data, 1, line.size, stdout);
        fputc('\n', stdout);
        sotto_buf_free(&line);
    } else {
        const char *message = json_string_value(json_object_get(error, "message"));
        const json_t *data = json_object_get(error, "data");
        const char *next = json_string_value(json_object_get(data, "next"));
        const char *name = json_string_value(json_object_get(data, "code"));
        problem.code = sotto_code_named(name != NULL ? name : "");
        (void)snprintf(problem.message, sizeof problem.message, "%s",
                       message != NULL ? message : "The daemon's answer makes no sense.");
        (void)snprintf(problem.next, sizeof problem.next, "%s", next != NULL ? next : "");
        code = cli_problem(cli, &problem);
    }
    json_decref(whole);
    return code;
}

int run_call(struct cli *cli, const struct args *args)
{
    char path[SOCKET_PATH];
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    sotto_buf request, response;
    sotto_buf_init(&request, cli->env);
    sotto_buf_init(&response, cli->env);
    int code = EXIT_OK;
    if (!request_make(args, &request, &problem)) {
        code = cli_problem(cli, &problem);
        goto out;
    }
    sotto_error error = server_ask(socket_path(cli, args->options[0], path),
                                   sotto_buf_view(&request), &response, &problem);
    if (error == SOTTO_NOT_FOUND) { /* no daemon: here; what is queued leaves with `sotto sync` */
        code = cli_open(cli);
        if (code != EXIT_OK)
            goto out;
        error = server_answer_once(cli->env, cli->core, sotto_buf_view(&request), &response);
        problem = (struct sotto_problem){error, SOTTO_CODE_NO_MEMORY, "Out of memory.", ""};
    }
    code = error == SOTTO_OK ? response_show(cli, &response) : cli_problem(cli, &problem);
out:
    sotto_buf_free(&request);
    sotto_buf_free(&response);
    return code;
}
