#include "relay/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "relay/data.h"
#include "relay/registration.h"

/* Opens the store for one operation, which is then done or not. */
static bool call(const struct config *config, struct store_op *op, char *problem)
{
    struct store *store = NULL;
    struct store_port *port = NULL;
    const sotto_env *env = sotto_env_system();
    umask(077);
    if (!data_prepare(config, problem) || !data_store(config, env, NULL, NULL, &store, problem))
        return false;
    bool good = store_port_open(store, NULL, NULL, &port) == SOTTO_OK;
    if (good)
        store_call(port, op);
    if (!good || op->code != 0) {
        snprintf(problem, CONFIG_TEXT,
                 "the relay's database could not be used now: is the disk full? Try again");
        good = false;
    }
    store_close(store);
    store_port_close(port);
    return good;
}

int command_invite(const struct config *config)
{
    const sotto_env *env = sotto_env_system();
    char problem[CONFIG_TEXT] = "out of memory", text[INVITATION_TEXT];
    struct store_op *op = store_op_new(env, STORE_INVITE);
    if (op == NULL || invitation_make(env, text) != SOTTO_OK) {
        store_op_free(op);
        return command_fail("%s", problem);
    }
    invitation_hash(sotto_bytes_str(text), op->invite.hash);
    op->invite.uses = config->uses;
    op->invite.expires = env->now(env->ctx) + INVITATION_DAYS * 86400;
    bool good = call(config, op, problem);
    store_op_free(op);
    if (!good)
        return command_fail("%s", problem);
    printf("%s\n", text);
    fprintf(stderr,
            "For %" PRIu32 " %s, %d days long: sotto register --relay ADDRESS --invitation %s\n",
            config->uses, config->uses == 1 ? "person" : "people", INVITATION_DAYS, text);
    return 0;
}

static void print_address(const struct config *config)
{
    char path[PATH_MAX], line[512];
    data_path(config, DATA_ADDRESS, path);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL)
        printf("address       %s", line);
    fclose(file);
}

int command_status(const struct config *config)
{
    char problem[CONFIG_TEXT] = "out of memory", path[PATH_MAX];
    struct stat folder;
    struct store_op *op = NULL;
    data_path(config, DATA_STORE, path);
    if (stat(path, &folder) != 0) {
        snprintf(problem, sizeof problem,
                 "there is no relay in %.400s: start `sottod`, or give its --data", config->data);
        return command_fail("%s", problem);
    }
    op = store_op_new(sotto_env_system(), STORE_STATUS);
    if (op == NULL || !call(config, op, problem)) {
        store_op_free(op);
        return command_fail("%s", problem);
    }
    const struct store_status *status = &op->status;
    printf("data          %s\n", config->data);
    printf("serving       %s\n", data_is_served(config) ? "yes" : "no");
    print_address(config);
    printf("accounts      %" PRIu64 "\n", status->accounts);
    printf("devices       %" PRIu64 "\n", status->devices);
    printf("key packages  %" PRIu64 "\n", status->key_packages);
    printf("envelopes     %" PRIu64 "\n", status->envelopes);
    printf("rooms         %" PRIu64 "\n", status->rooms);
    printf("entries       %" PRIu64 "\n", status->entries);
    printf("bytes         %" PRIu64 "\n", status->bytes);
    printf("blobs         %" PRIu64 "\n", status->blobs);
    printf("blob bytes    %" PRIu64 "\n", status->blob_bytes);
    store_op_free(op);
    return 0;
}
