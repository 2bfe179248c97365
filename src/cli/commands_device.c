/* link, devices, device. */
#include <string.h>

#include "cli/cli.h"

static void link_progress(void *ctx, uint64_t done, uint64_t of)
{
    struct cli *cli = ctx;
    cli->output->progress(cli, "History", done, of, "messages");
}

int run_link(struct cli *cli, const struct args *args)
{
    const char *relay = args->options[0], *from_environment = getenv("SOTTO_RELAY");
    uint64_t expires_s = 0;
    struct sotto_account account;
    struct sotto_fingerprint fingerprint;
    sotto_buf link;
    if (relay == NULL && from_environment != NULL && from_environment[0] != '\0')
        relay = from_environment;
    sotto_buf_init(&link, cli->env);
    sotto_error error = sotto_link(cli->core, relay, args->options[1], &link, &expires_s);
    if (error == SOTTO_OK) {
        cli->output->device_link(cli, (const char *)link.data, expires_s);
        (void)fflush(stdout);
    }
    sotto_buf_free(&link);
    if (error == SOTTO_OK)
        error = sotto_link_wait(cli->core, link_progress, cli);
    if (error != SOTTO_OK || sotto_account(cli->core, &account) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->account(cli, &account);
    if (sotto_fingerprint(cli->core, NULL, &fingerprint) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->fingerprint(cli, &fingerprint, true);
    return EXIT_OK;
}

static void device_show(void *ctx, const struct sotto_device *device)
{
    struct cli *cli = ctx;
    cli->output->device(cli, device);
}

int run_devices(struct cli *cli, const struct args *args)
{
    (void)args;
    return sotto_devices(cli->core, device_show, cli) == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

struct one_device {
    struct cli *cli;
    const char *device;
};

static void one_show(void *ctx, const struct sotto_device *device)
{
    struct one_device *one = ctx;
    if (strcmp(device->device, one->device) == 0)
        one->cli->output->device(one->cli, device);
}

int run_device_add(struct cli *cli, const struct args *args)
{
    char device[33];
    if (sotto_device_add(cli->core, args->positionals[0], args->options[0] != NULL, device) !=
        SOTTO_OK)
        return cli_fail(cli);
    struct one_device one = {cli, device};
    return sotto_devices(cli->core, one_show, &one) == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

int run_device_rename(struct cli *cli, const struct args *args)
{
    if (sotto_device_rename(cli->core, args->positionals[0], args->positionals[1]) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "renamed", NULL, "Renamed.");
    return sotto_settle(cli->core, NULL) == SOTTO_OK ? EXIT_OK : cli_fail(cli);
}

int run_device_revoke(struct cli *cli, const struct args *args)
{
    if (sotto_device_revoke(cli->core, args->positionals[0]) != SOTTO_OK)
        return cli_fail(cli);
    cli->output->done(cli, "revoked", NULL,
                      "Removed. It reads nothing that is written from now on.");
    return EXIT_OK;
}
