/* sottod: the relay. */
#include <stdio.h>

#include <sodium.h>
#include <sqlite3.h>

#include "relay/backup.h"
#include "relay/check.h"
#include "relay/commands.h"
#include "relay/config.h"
#include "relay/reload.h"
#include "relay/sandbox.h"
#include "relay/serve.h"

int main(int argc, char **argv)
{
    static struct config config;
    char problem[CONFIG_TEXT] = "";
    if (sodium_init() < 0) {
        fprintf(stderr, "sottod: libsodium does not start.\n");
        return 1;
    }
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* counting allocations takes a lock for each */
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
