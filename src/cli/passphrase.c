/* Where passphrases come from: a file that the environment or an option names, else the system's
 * keyring where that was asked for, else the terminal, which does not show them. Never an argument
 * or the environment itself: others can read those. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"

enum { TRIES = 3, READ_MAX = SOTTO_PASSPHRASE_MAX + 2 };

/* ---- From a file ---- */

static sotto_error read_some(int fd, uint8_t *line, size_t *size)
{
    *size = 0;
    while (*size < READ_MAX) {
        ssize_t n = read(fd, line + *size, READ_MAX - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SOTTO_IO;
        if (n == 0)
            break;
        *size += (size_t)n;
    }
    return SOTTO_OK;
}

/* The first line of the file, without its end. */
bool passphrase_from(struct cli *cli, const char *path, sotto_buf *out)
{
    uint8_t line[READ_MAX];
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    sotto_error error = fd < 0 ? SOTTO_IO : read_some(fd, line, &size);
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    if (error == SOTTO_OK) {
        const uint8_t *end = memchr(line, '\n', size);
        size = end != NULL ? (size_t)(end - line) : size;
        size -= size > 0 && line[size - 1] == '\r';
        if (size == 0 || size > SOTTO_PASSPHRASE_MAX)
            error = SOTTO_LENGTH;
        else
            error = sotto_buf_append(out, line, size);
    }
    wipe(line, sizeof line);
    if (error == SOTTO_OK)
        return true;
    problem_usage(&cli->trouble, "The passphrase is the first line of that file.",
                  "No passphrase can be read from %s: %s.", path,
                  error == SOTTO_IO ? strerror(why) : "it has to have 1 to 1024 bytes");
    cli->trouble.code = SOTTO_CODE_NO_FILE;
    return false;
}

/* ---- From the terminal ---- */

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/* One line, with the terminal's own editing. False: its end, or a signal. */
static bool read_line(int terminal, sotto_buf *out)
{
    uint8_t byte = 0;
    bool ended = false;
    while (!ended && caught == 0) {
        ssize_t n = read(terminal, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        ended = byte == '\n';
        if (!ended && out->size <= SOTTO_PASSPHRASE_MAX &&
            sotto_buf_append(out, &byte, 1) != SOTTO_OK)
            break;
    }
    byte = 0;
    return ended && caught == 0;
}

/* Asks with the echo off, and puts it back whatever ends the asking. */
static bool ask_once(int terminal, const char *question, sotto_buf *out)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    enum { STOPS = sizeof stops / sizeof stops[0] };
    struct sigaction before[STOPS];
    struct sigaction during = {.sa_handler = on_signal}; /* without SA_RESTART: read returns */
    struct termios shown, hidden;
    if (tcgetattr(terminal, &shown) != 0)
        return false;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    caught = 0;
    for (size_t i = 0; i < STOPS; i++)
        (void)sigaction(stops[i], &during, &before[i]);
    bool read = false;
    if (tcsetattr(terminal, TCSAFLUSH, &hidden) == 0) {
        ssize_t n = write(terminal, question, strlen(question));
        (void)n;
        read = read_line(terminal, out);
        n = write(terminal, "\n", 1);
        (void)n;
    }
    (void)tcsetattr(terminal, TCSAFLUSH, &shown);
    for (size_t i = 0; i < STOPS; i++)
        (void)sigaction(stops[i], &before[i], NULL);
    if (caught != 0)
        (void)raise(caught); /* ends or stops us, as it would have */
    return read && out->size > 0;
}

/* Who was stopped is asked again. */
static bool ask(int terminal, const char *question, sotto_buf *out)
{
    bool given = false;
    do {
        sotto_buf_clear(out);
        given = ask_once(terminal, question, out);
    } while (!given && caught == SIGTSTP);
    return given;
}

/* -1: there is no terminal to ask on, or nobody there to answer. */
static int terminal_open(const struct cli *cli)
{
    return cli->json ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

/* ---- */

bool phrase_ask(struct cli *cli, sotto_buf *out)
{
    uint8_t bytes[READ_MAX];
    size_t size = 0;
    bool given = false;
    if (isatty(STDIN_FILENO) == 1) {
        int terminal = terminal_open(cli);
        given = terminal >= 0 && ask(terminal, "Recovery phrase: ", out);
        if (terminal >= 0)
            (void)close(terminal);
    } else
        given = read_some(STDIN_FILENO, bytes, &size) == SOTTO_OK && size > 0 &&
                sotto_buf_append(out, bytes, size) == SOTTO_OK;
    wipe(bytes, sizeof bytes);
    if (!given)
        problem_usage(&cli->trouble, "Type it when asked, or send it to standard input.",
                      "The recovery phrase is needed: 24 words.");
    return given;
}

/* After the keyring, if the profile has its passphrase there: a terminal asks, TRIES times. */
static bool from_person(struct cli *cli, unsigned tries, const struct sotto_problem *keyring,
                        sotto_buf *out)
{
    const unsigned asked = tries - cli->from_keyring;
    const char *question = "That was not it. Passphrase: ";
    if (asked == 0 && cli->from_keyring)
        question = "The keyring holds another one. Passphrase: ";
    else if (asked == 0)
        question = keyring->code != SOTTO_CODE_OK ? "The keyring did not give it. Passphrase: "
                                                  : "Passphrase: ";
    int terminal = asked < TRIES ? terminal_open(cli) : -1;
    if (terminal < 0) {
        if (keyring->code != SOTTO_CODE_OK)
            cli->trouble = *keyring;
        return false;
    }
    bool read = ask(terminal, question, out);
    (void)close(terminal);
    return read;
}

static bool from_anywhere(struct cli *cli, unsigned tries, sotto_buf *out)
{
    char name[KEYRING_NAME_SIZE];
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    const char *path = getenv("SOTTO_PASSPHRASE_FILE");
    if (path != NULL && path[0] != '\0')
        return tries == 0 && passphrase_from(cli, path, out);
    if (tries == 0 && keyring_name(cli, name)) {
        cli->from_keyring = keyring_get(cli, name, out, &problem);
        if (cli->from_keyring)
            return true;
    }
    return from_person(cli, tries, &problem, out);
}

bool passphrase_unlock(void *ctx, unsigned tries, sotto_buf *out)
{
    struct cli *cli = ctx;
    bool given = from_anywhere(cli, tries, out);
    if (!given || cli->keep == NULL)
        return given;
    sotto_buf_clear(cli->keep);
    return sotto_buf_append(cli->keep, out->data, out->size) == SOTTO_OK;
}

static void no_terminal(struct cli *cli, const char *option)
{
    char next[200];
    (void)snprintf(next, sizeof next,
                   "Let %s PATH name a file that holds it, or run the command on a terminal, which "
                   "asks for it.",
                   option);
    problem_usage(&cli->trouble, next, "A passphrase is needed.");
}

bool passphrase_ask(struct cli *cli, const char *question, sotto_buf *out)
{
    int terminal = terminal_open(cli);
    bool given = terminal >= 0 && ask(terminal, question, out);
    if (terminal >= 0)
        (void)close(terminal);
    if (!given)
        no_terminal(cli, "--passphrase-file");
    return given;
}

/* Twice, for it cannot be seen. */
bool passphrase_ask_new(struct cli *cli, const char *option, sotto_buf *out)
{
    sotto_buf again;
    sotto_buf_init(&again, cli->env);
    int terminal = terminal_open(cli);
    if (terminal < 0) {
        no_terminal(cli, option);
        return false;
    }
    bool same = false;
    if (ask(terminal, "New passphrase: ", out) && ask(terminal, "The same again: ", &again))
        same = sotto_bytes_equal_secret(sotto_buf_view(out), sotto_buf_view(&again));
    (void)close(terminal);
    sotto_buf_free(&again);
    if (!same)
        problem_usage(&cli->trouble, "Run the command again.",
                      "Nothing was changed: the two were not the same.");
    return same;
}

/* A new one goes where the old one is. */
static bool keyring_follow(const struct cli *cli, sotto_bytes passphrase)
{
    char name[KEYRING_NAME_SIZE];
    struct sotto_problem problem;
    return !keyring_name(cli, name) || keyring_put(cli, name, passphrase, &problem);
}

/* Sets what the option or the person says. */
static int set_new(struct cli *cli, const char *path, const char *what, const char *sentence)
{
    static const char stale[] = "It is the passphrase now, but the keyring did not take it: every "
                                "command asks. Once it runs: sotto passphrase keyring on";
    sotto_buf passphrase;
    sotto_buf_init(&passphrase, cli->env);
    bool given = path != NULL ? passphrase_from(cli, path, &passphrase)
                              : passphrase_ask_new(cli, "--new-file", &passphrase);
    int code = EXIT_OK;
    if (!given) {
        code = cli_problem(cli, &cli->trouble);
    } else {
        const sotto_bytes view = sotto_buf_view(&passphrase);
        if (sotto_passphrase_set(cli->core, &view) != SOTTO_OK)
            code = cli_fail(cli);
        else
            cli->output->done(cli, what, NULL, keyring_follow(cli, view) ? sentence : stale);
    }
    sotto_buf_free(&passphrase);
    return code;
}

/* Whether there is one, as the command supposes; else the exit code. */
static bool suppose(struct cli *cli, bool wanted, int *code)
{
    bool set = false;
    if (sotto_passphrase_is_set(cli->core, &set) != SOTTO_OK) {
        *code = cli_fail(cli);
        return false;
    }
    if (set == wanted)
        return true;
    if (set)
        problem_usage(&cli->trouble, "Another one: sotto passphrase change",
                      "This profile has a passphrase already.");
    else
        problem_usage(&cli->trouble, "Give it one: sotto passphrase set",
                      "This profile has no passphrase.");
    *code = cli_problem(cli, &cli->trouble);
    return false;
}

int run_passphrase_set(struct cli *cli, const struct args *args)
{
    int code = EXIT_OK;
    if (!suppose(cli, false, &code))
        return code;
    return set_new(cli, args->options[0], "passphrase_set",
                   "Set. From now on every command asks for it. Nobody can open this profile "
                   "without it, and nobody can give it back to you.");
}

int run_passphrase_change(struct cli *cli, const struct args *args)
{
    int code = EXIT_OK;
    if (!suppose(cli, true, &code))
        return code;
    return set_new(cli, args->options[0], "passphrase_changed", "Changed.");
}

int run_passphrase_remove(struct cli *cli, const struct args *args)
{
    (void)args;
    int code = EXIT_OK;
    if (!suppose(cli, true, &code))
        return code;
    if (sotto_passphrase_set(cli->core, NULL) != SOTTO_OK)
        return cli_fail(cli);
    struct sotto_problem problem;
    cli->output->done(cli, "passphrase_removed", NULL,
                      keyring_off(cli, &problem)
                          ? "Removed. Whoever can read the profile's files can open it now."
                          : "Removed. Whoever can read the profile's files can open it now. The "
                            "keyring still holds it; once that runs: sotto passphrase keyring off");
    return EXIT_OK;
}
