/* save, album, downloads, cancel, and the bar that shows how far a file is. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- The bar ---- */

static void bar_clear(void)
{
    fputs("\r\033[K", stderr);
    (void)fflush(stderr);
}

/* One line of standard error, written again and again; away when all is done. */
static void bar_draw(void *ctx, const struct sotto_transfer *transfer)
{
    enum { WIDTH = 30 };
    (void)ctx;
    char bar[WIDTH + 1];
    const char *word = transfer->kind == SOTTO_TRANSFER_READING   ? "Reading"
                       : transfer->kind == SOTTO_TRANSFER_SENDING ? "Sending"
                                                                  : "Fetching";
    if (transfer->of == 0 || transfer->done >= transfer->of) {
        bar_clear();
        return;
    }
    const double part = (double)transfer->done / (double)transfer->of;
    for (unsigned i = 0; i < WIDTH; i++)
        bar[i] = (double)i < part * WIDTH ? '=' : ' ';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r%s [%s] %u %%, %.1f of %.1f MB\033[K", word, bar, (unsigned)(part * 100),
            (double)transfer->done / 1e6, (double)transfer->of / 1e6);
    (void)fflush(stderr);
}

static bool bar_is_seen(const struct cli *cli)
{
    return !cli->json && cli->terminal && isatty(STDERR_FILENO) == 1;
}

void transfers_show(struct cli *cli)
{
    if (bar_is_seen(cli))
        sotto_on_transfer(cli->core, bar_draw, cli);
}

void transfers_hide(struct cli *cli)
{
    sotto_on_transfer(cli->core, NULL, NULL);
    if (bar_is_seen(cli))
        bar_clear();
}

/* ---- save ---- */

struct preview {
    const char *path;
    int number; /* of an error; 0: written; -1: there is none */
};

static void preview_write(void *ctx, const struct sotto_message *message)
{
    struct preview *preview = ctx;
    if (message->preview.size == 0)
        return;
    int fd = open(preview->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, message->preview.data, message->preview.size);
    preview->number = n == (ssize_t)message->preview.size ? 0 : n < 0 ? errno : ENOSPC;
    if (fd >= 0)
        (void)close(fd);
}

static int save_preview(struct cli *cli, int64_t id, const char *path)
{
    struct preview preview = {path, -1};
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (path == NULL) {
        problem_usage(&problem, "Give its name: --to PATH", "A preview has no name of its own.");
        return cli_problem(cli, &problem);
    }
    if (sotto_message(cli->core, id, preview_write, &preview) != SOTTO_OK)
        return cli_fail(cli);
    if (preview.number == 0) {
        cli->output->saved(cli, path);
        return EXIT_OK;
    }
    if (preview.number < 0) {
        problem = (struct sotto_problem){SOTTO_NOT_FOUND, SOTTO_CODE_NOT_FOUND, "", ""};
        (void)snprintf(problem.message, sizeof problem.message,
                       "There is no preview with that message.");
    } else {
        problem = (struct sotto_problem){
            SOTTO_IO, preview.number == EEXIST ? SOTTO_CODE_EXISTS : SOTTO_CODE_STORAGE, "", ""};
        (void)snprintf(problem.message, sizeof problem.message, "%.400s cannot be written: %s.",
                       path, strerror(preview.number));
        (void)snprintf(problem.next, sizeof problem.next, "Choose another place: --to PATH");
    }
    return cli_problem(cli, &problem);
}

int run_save(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    uint64_t id = 0;
    char saved[PATH_MAX];
    if (!options_number("ID", args->positionals[0], INT64_MAX, &id, &problem)) {
        problem_usage(&problem, "`sotto history` shows the number of each file.",
                      "A file is named by its number.");
        return cli_problem(cli, &problem);
    }
    if (args->options[1] != NULL)
        return save_preview(cli, (int64_t)id, args->options[0]);
    transfers_show(cli);
    sotto_error error = sotto_save(cli->core, (int64_t)id, args->options[0], saved, sizeof saved);
    transfers_hide(cli);
    if (error != SOTTO_OK)
        return cli_fail(cli);
    cli->output->saved(cli, saved);
    return EXIT_OK;
}

/* ---- album ---- */

int run_album(struct cli *cli, const struct args *args)
{
    const char *text = args->options[0], *client_id = args->options[1];
    const size_t count = args->count - 1;
    struct sotto_id conversation;
    struct sotto_file files[SOTTO_ALBUM_MAX] = {0};
    char id[SOTTO_CLIENT_ID_MAX + 1], one[sizeof id + 24];
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK)
        return cli_fail(cli);
    for (size_t i = 0; i < count; i++) {
        files[i].path = args->positionals[i + 1];
        files[i].as_file = args->options[2] != NULL;
    }
    files[0].caption = sotto_bytes_str(text != NULL ? text : "");
    transfers_show(cli);
    sotto_error error = sotto_send_album(cli->core, &conversation, client_id, files, count, id);
    transfers_hide(cli);
    if (error != SOTTO_OK)
        return cli_fail(cli);
    int code = EXIT_OK;
    for (size_t i = 0; i < count && code == EXIT_OK; i++) {
        (void)snprintf(one, sizeof one, "%s.%zu", id, i);
        code = cli_settle(cli, &conversation, one);
    }
    return code;
}

/* ---- downloads ---- */

int run_downloads(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    const char *text = args->positionals[0];
    uint64_t most = strcmp(text, "all") == 0 ? UINT64_MAX : 0;
    if (most == 0 && strcmp(text, "off") != 0 && !options_size(text, &most, &problem))
        return cli_problem(cli, &problem);
    if (sotto_set_downloads(cli->core, most) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "downloads", NULL,
                      most == 0 ? "On this device no file is fetched unless you save it."
                                : "On this device files of contacts are fetched as they come.");
    return EXIT_OK;
}

/* ---- cancel ---- */

int run_cancel(struct cli *cli, const struct args *args)
{
    struct sotto_id conversation;
    if (sotto_find(cli->core, args->positionals[0], &conversation) != SOTTO_OK ||
        sotto_cancel_file(cli->core, &conversation, args->positionals[1]) != SOTTO_OK)
        return cli_fail(cli);
    /* What the relay has of it goes now, or when it can be reached again. */
    (void)sotto_settle(cli->core, &conversation);
    cli->output->done(cli, "cancelled", &conversation, "Taken back.");
    return EXIT_OK;
}
