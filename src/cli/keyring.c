/* The passphrase in the system's keyring, by the program sotto-keyring: this one does not link what
 * speaks to it, and starts it only for a profile whose file `keyring` says that it is meant to. In
 * that file is a random name, by which the keyring knows the passphrase wherever the folder lies.
 */
#include <string.h>

#include <sodium.h>

#include "cli/cli.h"
#include "core/disk.h"
#include "core/helper.h"
#include "core/vault.h"
#include "keyring/keyring.h"

/* Long enough for a person to type the keyring's own password where that asks for it. */
enum { WAIT_MS = 60000 };

static const char next_unlock[] =
    "Log in to the desktop or unlock the keyring, or give the passphrase in another way.";

static bool answered(sotto_error error, int code, struct sotto_problem *problem)
{
    const char *next = next_unlock, *message = "The keyring is locked, or refused.";
    if (error == SOTTO_OK && code == KEYRING_DONE)
        return true;
    if (error == SOTTO_NOT_FOUND) {
        message = "The program sotto-keyring, which speaks to the keyring, is not installed.";
        next = "Install it, or give the passphrase in another way.";
    } else if (error != SOTTO_OK)
        message = "The keyring did not answer.";
    else if (code == KEYRING_NOTHING) {
        message = "The keyring does not have this profile's passphrase.";
        next = "Give it the passphrase: sotto passphrase keyring on";
    } else if (code == KEYRING_AWAY)
        message = "No keyring runs in this session.";
    problem_usage(problem, next, "%s", message);
    problem->code = SOTTO_CODE_NO_KEYRING;
    problem->error = error == SOTTO_OK && code == KEYRING_NOTHING ? SOTTO_NOT_FOUND : SOTTO_STATE;
    return false;
}

/* label may be NULL. */
static bool keyring_do(const struct cli *cli, const char *what, const char *name, const char *label,
                       sotto_bytes in, sotto_buf *out, struct sotto_problem *problem)
{
    static const char *const environment[] = {"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", NULL};
    const char *const arguments[] = {what, name, label, NULL};
    const struct helper helper = {.program = "sotto-keyring",
                                  .arguments = arguments,
                                  .environment = environment,
                                  .wait_ms = WAIT_MS,
                                  .most = SOTTO_PASSPHRASE_MAX};
    sotto_buf said;
    int code = KEYRING_REFUSED;
    sotto_buf_init(&said, cli->env);
    sotto_error error = helper_run(&helper, in, &said, &code);
    if (error == SOTTO_OK && code == KEYRING_DONE && out != NULL)
        error = sotto_buf_append(out, said.data, said.size);
    sotto_buf_free(&said);
    return answered(error, code, problem);
}

bool keyring_get(const struct cli *cli, const char *name, sotto_buf *out,
                 struct sotto_problem *problem)
{
    return keyring_do(cli, "get", name, NULL, sotto_bytes_of(NULL, 0), out, problem);
}

bool keyring_put(const struct cli *cli, const char *name, sotto_bytes passphrase,
                 struct sotto_problem *problem)
{
    char label[300];
    (void)snprintf(label, sizeof label, "Sotto, %.250s", cli->profile);
    return keyring_do(cli, "put", name, label, passphrase, NULL, problem);
}

bool keyring_drop(const struct cli *cli, const char *name, struct sotto_problem *problem)
{
    return keyring_do(cli, "drop", name, NULL, sotto_bytes_of(NULL, 0), NULL, problem) ||
           problem->error == SOTTO_NOT_FOUND;
}

/* ---- The profile's file ---------------------------------------------------------------------- */

bool keyring_name(const struct cli *cli, char name[static KEYRING_NAME_SIZE])
{
    sotto_buf file;
    sotto_buf_init(&file, cli->env);
    bool good = disk_read(cli->profile, VAULT_KEYRING_FILE, KEYRING_NAME_SIZE, &file) == SOTTO_OK &&
                file.size == KEYRING_NAME_SIZE - 1;
    for (size_t i = 0; good && i < file.size; i++)
        good = strchr("0123456789abcdef", file.data[i]) != NULL && file.data[i] != '\0';
    if (good) {
        memcpy(name, file.data, file.size);
        name[file.size] = '\0';
    }
    sotto_buf_free(&file);
    return good;
}

static bool no_file(sotto_error error, struct sotto_problem *problem)
{
    problem_usage(problem, "Look at the folder's permissions, and at the room on the disk.",
                  "The file %s in the profile cannot be written.", VAULT_KEYRING_FILE);
    problem->error = error;
    problem->code = error == SOTTO_BUSY ? SOTTO_CODE_STORAGE_BUSY : SOTTO_CODE_STORAGE;
    return false;
}

enum { LOCK_MS = 10000 };

static bool name_make(const struct cli *cli, char name[static KEYRING_NAME_SIZE],
                      struct sotto_problem *problem)
{
    uint8_t random[(KEYRING_NAME_SIZE - 1) / 2];
    int lock = -1;
    sotto_error error = cli->env->random(cli->env->ctx, random, sizeof random);
    if (error == SOTTO_OK)
        error = disk_lock(cli->profile, LOCK_MS, &lock);
    if (error != SOTTO_OK)
        return no_file(error, problem);
    sodium_bin2hex(name, KEYRING_NAME_SIZE, random, sizeof random);
    error = disk_replace(cli->profile, VAULT_KEYRING_FILE, sotto_bytes_str(name));
    disk_unlock(lock);
    return error == SOTTO_OK || no_file(error, problem);
}

static bool name_forget(const struct cli *cli, struct sotto_problem *problem)
{
    int lock = -1;
    if (!disk_exists(cli->profile, VAULT_KEYRING_FILE))
        return true;
    sotto_error error = disk_lock(cli->profile, LOCK_MS, &lock);
    if (error != SOTTO_OK)
        return no_file(error, problem);
    error = disk_erase(cli->profile, VAULT_KEYRING_FILE);
    disk_unlock(lock);
    return error == SOTTO_OK || no_file(error, problem);
}

bool keyring_off(const struct cli *cli, struct sotto_problem *problem)
{
    char name[KEYRING_NAME_SIZE];
    return (!keyring_name(cli, name) || keyring_drop(cli, name, problem)) &&
           name_forget(cli, problem);
}

/* ---- The command ----------------------------------------------------------------------------- */

/* Killed at any point, no item is left that no file names. */
static bool turn_on(struct cli *cli, sotto_bytes passphrase, struct sotto_problem *problem)
{
    char name[KEYRING_NAME_SIZE];
    struct sotto_problem unheard;
    bool was_on = keyring_name(cli, name);
    if (!was_on && !name_make(cli, name, problem))
        return false;
    if (keyring_put(cli, name, passphrase, problem))
        return true;
    if (!was_on)
        (void)name_forget(cli, &unheard);
    return false;
}

/* The passphrase that opened the profile is the one to keep. */
static int run_on(struct cli *cli)
{
    sotto_buf passphrase;
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    sotto_buf_init(&passphrase, cli->env);
    cli->keep = &passphrase;
    int code = cli_open(cli);
    cli->keep = NULL;
    if (code == EXIT_OK && passphrase.size == 0) {
        problem_usage(&problem, "Give it one: sotto passphrase set",
                      "This profile has no passphrase.");
        code = cli_problem(cli, &problem);
    } else if (code == EXIT_OK && !turn_on(cli, sotto_buf_view(&passphrase), &problem))
        code = cli_problem(cli, &problem);
    else if (code == EXIT_OK)
        cli->output->done(cli, "keyring_on", NULL,
                          "On. While the keyring is unlocked, every program that you run can ask "
                          "it for the passphrase.");
    sotto_buf_free(&passphrase);
    return code;
}

static int run_off(struct cli *cli)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (!keyring_off(cli, &problem))
        return cli_problem(cli, &problem);
    cli->output->done(cli, "keyring_off", NULL,
                      problem.error == SOTTO_NOT_FOUND
                          ? "Off. The keyring showed nothing of this profile."
                          : "Off. The passphrase is not in the keyring.");
    return EXIT_OK;
}

static int run_status_of(struct cli *cli)
{
    char name[KEYRING_NAME_SIZE];
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    if (!keyring_name(cli, name)) {
        cli->output->done(cli, "keyring_off", NULL, "Off: the passphrase is not in the keyring.");
        return EXIT_OK;
    }
    if (!keyring_do(cli, "has", name, NULL, sotto_bytes_of(NULL, 0), NULL, &problem))
        return cli_problem(cli, &problem);
    cli->output->done(cli, "keyring_on", NULL, "On: the keyring has the passphrase.");
    return EXIT_OK;
}

int run_passphrase_keyring(struct cli *cli, const struct args *args)
{
    struct sotto_problem problem = {SOTTO_OK, SOTTO_CODE_OK, "", ""};
    bool on = false;
    if (strcmp(args->positionals[0], "status") == 0)
        return run_status_of(cli);
    if (!options_switch(args->positionals[0], &on, &problem)) {
        problem_usage(&problem, "Write on, off or status.",
                      "`%.80s` is none of on, off and status.", args->positionals[0]);
        return cli_problem(cli, &problem);
    }
    return on ? run_on(cli) : run_off(cli);
}
