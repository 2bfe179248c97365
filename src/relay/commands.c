#include "relay/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "relay/backup.h"
#include "relay/data.h"
#include "relay/monitor.h"
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
    op->invite.label = sotto_bytes_str(config->label);
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

/* ---- Status --------------------------------------------------------------------------------- */

/* What the relay that serves says of itself. */
struct answer {
    bool serving;
    char version[32];
    uint64_t started, connections, max_connections, threads, blob_limit;
    char problems[4][64];
    size_t problem_count;
};

static void read_line(struct answer *answer, const char *key, const char *value)
{
    const struct {
        const char *key;
        uint64_t *number;
    } numbers[] = {
        {"started", &answer->started},
        {"connections", &answer->connections},
        {"max_connections", &answer->max_connections},
        {"threads", &answer->threads},
        {"blob_limit_bytes", &answer->blob_limit},
    };
    if (strcmp(key, "version") == 0)
        (void)snprintf(answer->version, sizeof answer->version, "%s", value);
    if (strcmp(key, "problem") == 0 && answer->problem_count < 4)
        (void)snprintf(answer->problems[answer->problem_count++], sizeof *answer->problems, "%s",
                       value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(key, numbers[i].key) == 0)
            *numbers[i].number = strtoull(value, NULL, 10);
}

static void ask_relay(const struct config *config, struct answer *answer)
{
    sotto_buf text;
    char *next = NULL;
    *answer = (struct answer){0};
    sotto_buf_init(&text, sotto_env_system());
    if (monitor_ask(config, &text) && sotto_buf_append(&text, (const uint8_t *)"", 1) == SOTTO_OK) {
        answer->serving = true;
        for (char *line = strtok_r((char *)text.data, "\n", &next); line != NULL;
             line = strtok_r(NULL, "\n", &next)) {
            char *space = strchr(line, ' ');
            if (space != NULL) {
                *space = '\0';
                read_line(answer, line, space + 1);
            }
        }
    }
    sotto_buf_free(&text);
}

/* "3 days 4 hours" */
static void print_span(uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    uint64_t first = seconds / units[i].seconds;
    printf("%" PRIu64 " %s%s", first, units[i].name, first == 1 ? "" : "s");
    if (i == 3)
        return;
    uint64_t second = seconds % units[i].seconds / units[i + 1].seconds;
    if (second > 0)
        printf(" %" PRIu64 " %s%s", second, units[i + 1].name, second == 1 ? "" : "s");
}

static void print_size(uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t i = 0;
    for (; size >= 1024 && i < 4; i++)
        size /= 1024;
    printf(i == 0 ? "%.0f %s" : "%.1f %s", size, units[i]);
}

static void print_addresses(const struct config *config)
{
    char path[PATH_MAX], line[512];
    data_path(config, DATA_ADDRESS, path);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    for (bool first = true; fgets(line, sizeof line, file) != NULL; first = false) {
        line[strcspn(line, "\n")] = '\0';
        if (config->json)
            printf("%s\"%s\"", first ? "" : ",", line);
        else
            printf("address       %s\n", line);
    }
    fclose(file);
}

static void print_relay(const struct config *config, const struct answer *answer, uint64_t now)
{
    uint64_t backup = backup_last(config);
    printf("data          %s\n", config->data);
    printf("serving       ");
    if (answer->serving) {
        printf("for ");
        print_span(now > answer->started ? now - answer->started : 0);
        printf(", version %s, %" PRIu64 " threads\n", answer->version, answer->threads);
    } else {
        printf(data_is_served(config) ? "yes, but it does not answer\n" : "no\n");
    }
    if (answer->serving && answer->problem_count == 0)
        printf("health        good\n");
    for (size_t i = 0; i < answer->problem_count; i++)
        printf("health        %s\n", answer->problems[i]);
    if (answer->serving)
        printf("connections   %" PRIu64 " of at most %" PRIu64 "\n", answer->connections,
               answer->max_connections);
    printf("last backup   ");
    if (backup == 0) {
        printf("never\n");
    } else {
        print_span(now > backup ? now - backup : 0);
        printf(" ago\n");
    }
    print_addresses(config);
}

static void print_store(const struct store_status *status, const struct answer *answer,
                        uint64_t database)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"accounts", status->accounts},
        {"devices", status->devices},
        {"key packages", status->key_packages},
        {"envelopes", status->envelopes},
        {"rooms", status->rooms},
        {"entries", status->entries},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%-13s %" PRIu64 "\n", rows[i].name, rows[i].value);
    printf("contents      ");
    print_size(status->bytes);
    printf("\ndatabase      ");
    print_size(database);
    printf("\n");
    printf("files         %" PRIu64 ", ", status->blobs);
    print_size(status->blob_bytes);
    if (answer->serving) {
        printf(" of at most ");
        print_size(answer->blob_limit);
    }
    printf("\n");
}

static void print_json(const struct config *config, const struct answer *answer,
                       const struct store_status *status, uint64_t database)
{
    printf("{\"serving\":%s", answer->serving ? "true" : "false");
    if (answer->serving) {
        printf(",\"version\":\"%s\",\"started\":%" PRIu64 ",\"threads\":%" PRIu64
               ",\"connections\":%" PRIu64 ",\"max_connections\":%" PRIu64
               ",\"blob_limit_bytes\":%" PRIu64 ",\"problems\":[",
               answer->version, answer->started, answer->threads, answer->connections,
               answer->max_connections, answer->blob_limit);
        for (size_t i = 0; i < answer->problem_count; i++)
            printf("%s\"%s\"", i == 0 ? "" : ",", answer->problems[i]);
        printf("]");
    }
    printf(",\"last_backup\":%" PRIu64 ",\"addresses\":[", backup_last(config));
    print_addresses(config);
    printf("],\"accounts\":%" PRIu64 ",\"devices\":%" PRIu64 ",\"key_packages\":%" PRIu64
           ",\"envelopes\":%" PRIu64 ",\"rooms\":%" PRIu64 ",\"entries\":%" PRIu64
           ",\"blobs\":%" PRIu64 ",\"blob_bytes\":%" PRIu64 ",\"content_bytes\":%" PRIu64
           ",\"database_bytes\":%" PRIu64 "}\n",
           status->accounts, status->devices, status->key_packages, status->envelopes,
           status->rooms, status->entries, status->blobs, status->blob_bytes, status->bytes,
           database);
}

int command_status(const struct config *config)
{
    char problem[CONFIG_TEXT] = "out of memory", path[PATH_MAX];
    struct stat file;
    struct answer answer;
    struct store_op *op = NULL;
    const sotto_env *env = sotto_env_system();
    data_path(config, DATA_STORE, path);
    if (stat(path, &file) != 0)
        return command_fail("there is no relay in %.400s: start `sottod`, or give its --data",
                            config->data);
    ask_relay(config, &answer);
    op = store_op_new(env, STORE_STATUS);
    if (op == NULL || !call(config, op, problem)) {
        store_op_free(op);
        return command_fail("%s", problem);
    }
    if (config->json) {
        print_json(config, &answer, &op->status, (uint64_t)file.st_size);
    } else {
        print_relay(config, &answer, env->now(env->ctx));
        print_store(&op->status, &answer, (uint64_t)file.st_size);
    }
    store_op_free(op);
    return 0;
}
