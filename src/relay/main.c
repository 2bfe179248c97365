/* sottod: the relay. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>
#include <sqlite3.h>

#include "relay/backup.h"
#include "relay/check.h"
#include "relay/commands.h"
#include "relay/config.h"
#include "relay/memory.h"
#include "relay/reload.h"
#include "relay/sandbox.h"
#include "relay/serve.h"
#include "relay/withdrawals.h"

/* Behind options such as --data DIR; empty: there is none. */
static const char *first_word(char **argv)
{
    for (size_t i = 1; argv[0] != NULL && argv[i] != NULL; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            return argv[i];
        if (strchr(argv[i], '=') == NULL && argv[i + 1] != NULL)
            i++;
    }
    return "";
}

/* The office that answers orders is a program of its own (src/order): beside this one, where it is
 * installed to, or where the build puts it. Returns if it is none of its commands, or not there. */
static void become_office(char **argv)
{
    static const char *const nouns[] = {"order",   "authority", "operator", "log",
                                        "witness", "report",    "withdraw"};
    static const char *const places[] = {"sottod-orders", "../libexec/sotto/sottod-orders",
                                         "../order/sottod-orders"};
    char folder[PATH_MAX - 64], path[PATH_MAX];
    const char *word = first_word(argv);
    bool office = false;
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++)
        office = office || strcmp(word, nouns[i]) == 0;
    ssize_t size = office ? readlink("/proc/self/exe", folder, sizeof folder - 1) : -1;
    if (size <= 0)
        return;
    folder[size] = '\0';
    *strrchr(folder, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        (void)execv(path, argv);
    }
    fprintf(stderr, "sottod: the program sottod-orders, which answers orders, is not installed.\n");
}

int main(int argc, char **argv)
{
    static struct config config;
    char problem[CONFIG_TEXT] = "";
    memory_of_libraries();
    if (sodium_init() < 0) {
        fprintf(stderr, "sottod: libsodium does not start.\n");
        return 1;
    }
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* counting allocations takes a lock for each */
    if (strcmp(first_word(argv), "withdraw") == 0)
        withdrawals_go_on_now(argc, argv); /* the office cannot: it has no way to erase */
    become_office(argv);
    if (!config_read(&config, argc, argv, problem)) {
        fprintf(stderr, "sottod: %s. See `sottod --help`.\n", problem);
        return 2;
    }
    if (config.check_config)
        return command_check_config(&config);
    switch (config.command) {
    case COMMAND_DEFAULTS:
        config_defaults();
        return 0;
    case COMMAND_SANDBOX:
        return command_sandbox(&config);
    case COMMAND_HELP:
        config_help();
        return 0;
    case COMMAND_VERSION:
        printf("sottod %s\n", SOTTOD_VERSION);
        return 0;
    case COMMAND_INVITE:
        return command_invite(&config);
    case COMMAND_STATUS:
        return command_status(&config);
    case COMMAND_BACKUP:
        return command_backup(&config);
    case COMMAND_RESTORE:
        return command_restore(&config);
    case COMMAND_CHECK:
        return command_check(&config);
    default:
        return serve(&config);
    }
}
