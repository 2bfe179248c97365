#include "relay/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tlog/leaf.h"

enum kind {
    TEXT,
    NUMBER,
    FLAG,
    SWITCH,
    LISTEN,
    NETWORKS,
    REGISTRATION,
    PERMISSIONS,
    LABEL,
    DURATION,
    LEVEL,
    FORMAT
};

struct option {
    const char *name;
    enum kind kind;
    size_t offset, size; /* of the field */
    uint32_t min, max;   /* of a NUMBER */
    bool only_command_line;
    const char *argument, *help;
};

#define FIELD(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)

static const struct option options[] = {
    {"data", TEXT, FIELD(data), 0, 0, true, "DIR",
     "where everything is kept (default: $SOTTO_DATA, else\n"
     "$XDG_STATE_HOME/sottod, else ~/.local/state/sottod)"},
    {"config", TEXT, FIELD(file), 0, 0, true, "FILE",
     "read settings from FILE: lines `name = value`, named as here"},
    {"listen", LISTEN, FIELD(listen), 0, 0, false, "ADDR:PORT",
     "where to listen, may be repeated; port 0 lets the system choose\n"
     "(default: all addresses, port 7443)"},
    {"trusted-proxy", NETWORKS, FIELD(trusted_proxies), 0, 0, false, "ADDR[/BITS]",
     "a proxy (or a network of them) that passes TLS on: what comes from\n"
     "there has to begin with a PROXY header, and the address in it\n"
     "counts as the client's; may be repeated (default: none)"},
    {"public", TEXT, FIELD(public_address), 0, 0, false, "HOST:PORT",
     "the address that people use, if it is another (a DNS name)"},
    {"name", TEXT, FIELD(name), 0, 0, false, "TEXT", "what the relay calls itself"},
    {"registration", REGISTRATION, FIELD(registration), 0, 0, false, "open|invite|phone",
     "who may have an account: everyone (default), people with an\n"
     "invitation (`sottod invite`), or with a phone number"},
    {"label", LABEL, FIELD(label), 0, 0, false, "LABEL",
     "a label such as DE that new accounts get, by which `sottod\n"
     "withdraw` finds those without a phone number; with invite: those\n"
     "that are registered with it (default: none)"},
    {"code-command", TEXT, FIELD(code_command), 0, 0, false, "CMD",
     "hands verification codes over: CMD reads the phone number and\n"
     "the code from standard input, a line each (default: the code is\n"
     "printed in the log)"},
    {"retention-days", NUMBER, FIELD(retention_days), 1, 3650, false, "N",
     "how long messages and files wait for those who are away\n"
     "(default: 30)"},
    {"room-days", NUMBER, FIELD(room_days), 1, 36500, false, "N",
     "when a room where nobody writes is forgotten (default: 365)"},
    {"ip-retention", DURATION, FIELD(ip_seconds), 0, 0, false, "none|forever|N[s|m|h|d]",
     "how long an account's last IP address is kept (default: forever,\n"
     "which is until the next one or the account's end)"},
    {"certificate", TEXT, FIELD(certificate), 0, 0, false, "FILE",
     "PEM chain to use instead of the self-made one; needs --key"},
    {"key", TEXT, FIELD(key), 0, 0, false, "FILE", "PEM private key of --certificate"},
    {"threads", NUMBER, FIELD(threads), 0, THREADS_MAX, false, "N",
     "threads that serve connections (default 0: one a core)"},
    {"max-connections", NUMBER, FIELD(max_connections), 1, 10000000, false, "N",
     "connections at a time (default: 20000)"},
    {"rate-limit", SWITCH, FIELD(rate_limit), 0, 0, false, "on|off",
     "whether one address is limited at all (default: on)"},
    {"rate-connections", NUMBER, FIELD(rates[RATE_CONNECTION]), 0, 1000000000, false, "N",
     "new connections an hour from one address (default: 6000)"},
    {"rate-requests", NUMBER, FIELD(rates[RATE_REQUEST]), 0, 1000000000, false, "N",
     "new rooms, KeyPackages taken and envelopes posted without a token\n"
     "or an invitation, an hour from one address (default: 600)"},
    {"permissions", PERMISSIONS, FIELD(permissions), 0, 0, false, "limited|token",
     "what such requests without a token or an invitation meet: the\n"
     "limit above (default), or a refusal"},
    {"tokens-a-day", NUMBER, FIELD(tokens_a_day), 0, 100000, false, "N",
     "anonymous tokens that an account gets a day (default: 200)"},
    {"token-days", NUMBER, FIELD(token_days), 1, 365, false, "N",
     "how long a key issues tokens; they are good for as long again\n"
     "(default: 7)"},
    {"room-mib", NUMBER, FIELD(room_mib), 0, 2048, false, "N",
     "how much a room holds for one token; a sixteenth of it without\n"
     "one; 0 is no limit but 2048 (default: 16)"},
    {"rate-registrations", NUMBER, FIELD(rates[RATE_REGISTRATION]), 0, 1000000000, false, "N",
     "registrations an hour from one address (default: 60)"},
    {"rate-sign-ins", NUMBER, FIELD(rates[RATE_SIGN_IN]), 0, 1000000000, false, "N",
     "failed sign-ins an hour from one address (default: 120)"},
    {"rate-codes", NUMBER, FIELD(rates[RATE_CODE]), 0, 1000000000, false, "N",
     "verification codes an hour for one address (default: 20)"},
    {"rate-blob-mib", NUMBER, FIELD(rates[RATE_BLOB]), 0, 1000000000, false, "N",
     "MiB of new files an hour from one address (default: 4096)"},
    {"blob-space", NUMBER, FIELD(blob_space_mib), 0, 1000000000, false, "MIB",
     "MiB that all files together may take (default: 10240)"},
    {"blob-max", NUMBER, FIELD(blob_max_mib), 1, 1 << 20, false, "MIB",
     "MiB of the largest file (default: 2048)"},
    {"sandbox", SWITCH, FIELD(sandbox), 0, 0, false, "on|off",
     "whether the relay gives away what it does not need once it\n"
     "serves; `sottod sandbox` tries what that is worth (default: on)"},
    {"metrics", TEXT, FIELD(metrics), 0, 0, false, "ADDR:PORT",
     "answers HTTP there: /metrics for Prometheus, and /health; without\n"
     "TLS or a password, so 127.0.0.1:9443 or the like (default: off)"},
    {"log-level", LEVEL, FIELD(log_level), 0, 0, false, "debug|info|warning|error",
     "what is logged, on standard error (default: info)"},
    {"log-format", FORMAT, FIELD(log_format), 0, 0, false, "text|json",
     "lines `time level event key=value`, or a JSON object a line\n"
     "(default: text)"},
    {"ready-file", TEXT, FIELD(ready_file), 0, 0, true, "PATH",
     "write the address to PATH once the relay serves"},
    {"ready-fd", NUMBER, FIELD(ready_fd), 0, 1000000, true, "N",
     "write the address to this descriptor once the relay serves"},
    {"allow-core", FLAG, FIELD(allow_core), 0, 0, true, NULL,
     "let debuggers and core dumps see the relay's memory"},
    {"check-config", FLAG, FIELD(check_config), 0, 0, true, NULL,
     "only say whether the settings, and the certificate if one is\n"
     "given, could be used"},
    {"uses", NUMBER, FIELD(uses), 1, INVITATION_USES_MAX, true, "N",
     "with invite: how many people may use it (default: 1)"},
    {"json", FLAG, FIELD(json), 0, 0, true, NULL, "with status: one JSON object"},
    {"without-key", FLAG, FIELD(without_key), 0, 0, true, NULL,
     "with backup: leave the relay's certificate and key out"},
    {"force", FLAG, FIELD(force), 0, 0, true, NULL,
     "with restore: erase the relay that is in the data directory"},
};

enum { OPTION_COUNT = sizeof options / sizeof *options };

/* What a reload changes at once. */
static const char *const live[] = {
    "name",
    "registration",
    "retention-days",
    "room-days",
    "ip-retention",
    "label",
    "certificate",
    "key",
    "max-connections",
    "rate-limit",
    "rate-connections",
    "rate-requests",
    "rate-codes",
    "rate-sign-ins",
    "rate-blob-mib",
    "rate-registrations",
    "log-level",
    "permissions",
    "tokens-a-day",
    "token-days",
    "room-mib",
    "trusted-proxy",
};

static bool is_live(const struct option *option)
{
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        if (strcmp(live[i], option->name) == 0)
            return true;
    return false;
}

/* ---- Values --------------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t max, uint64_t *value, const char **end)
{
    uint64_t number = 0;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > max)
            return false;
    }
    *value = number;
    *end = text;
    return true;
}

static bool set_number(void *field, const struct option *option, const char *text)
{
    uint64_t value;
    const char *end;
    if (!parse_number(text, option->max, &value, &end) || *end != '\0' || value < option->min)
        return false;
    *(uint32_t *)field = (uint32_t)value;
    return true;
}

static bool set_duration(int64_t *field, const char *text)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    uint64_t value;
    const char *end;
    if (strcmp(text, "none") == 0) {
        *field = 0;
        return true;
    }
    if (strcmp(text, "forever") == 0) {
        *field = -1;
        return true;
    }
    if (!parse_number(text, 1000000000, &value, &end))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *field = (int64_t)value * units[i].seconds;
            return true;
        }
    }
    return false;
}

static bool set_registration(enum registration *field, const char *text)
{
    if (strcmp(text, "open") == 0)
        *field = REGISTRATION_OPEN;
    else if (strcmp(text, "invite") == 0)
        *field = REGISTRATION_INVITE;
    else if (strcmp(text, "phone") == 0)
        *field = REGISTRATION_PHONE;
    else
        return false;
    return true;
}

static bool set_permissions(enum permissions *field, const char *text)
{
    bool is_token = strcmp(text, "token") == 0;
    *field = is_token ? PERMISSIONS_TOKEN : PERMISSIONS_LIMITED;
    return is_token || strcmp(text, "limited") == 0;
}

static bool set_level(enum log_level *field, const char *text)
{
    for (enum log_level level = 0; level < LOG_LEVEL_COUNT; level++) {
        if (strcmp(text, log_level_name(level)) == 0) {
            *field = level;
            return true;
        }
    }
    return false;
}

static bool set_format(enum log_format *field, const char *text)
{
    *field = strcmp(text, "json") == 0 ? LOG_JSON : LOG_TEXT;
    return *field == LOG_JSON || strcmp(text, "text") == 0;
}

static bool set_switch(bool *field, const char *text)
{
    *field = strcmp(text, "on") == 0;
    return *field || strcmp(text, "off") == 0;
}

static bool set_text(char *field, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size)
        return false;
    memcpy(field, text, length + 1);
    return true;
}

/* Letters, digits and -, as a jurisdiction. Nothing: none. */
static bool set_label(char *field, size_t size, const char *text)
{
    return (text[0] == '\0' || tlog_is_jurisdiction(sotto_bytes_str(text))) &&
           set_text(field, size, text);
}

static bool set_listen(struct config *config, const char *text)
{
    if (config->listen_count == LISTENERS_MAX)
        return false;
    return set_text(config->listen[config->listen_count++], CONFIG_TEXT, text);
}

/* Nothing: none, as the defaults have it. */
static bool set_networks(struct networks *field, const char *text)
{
    return text[0] == '\0' || networks_add(field, text);
}

static bool set(struct config *config, const struct option *option, const char *text)
{
    void *field = (char *)config + option->offset;
    switch (option->kind) {
    case TEXT:
        return set_text(field, option->size, text);
    case NUMBER:
        return set_number(field, option, text);
    case FLAG:
        *(bool *)field = true;
        return true;
    case SWITCH:
        return set_switch(field, text);
    case LISTEN:
        return set_listen(config, text);
    case NETWORKS:
        return set_networks(field, text);
    case REGISTRATION:
        return set_registration(field, text);
    case PERMISSIONS:
        return set_permissions(field, text);
    case LABEL:
        return set_label(field, option->size, text);
    case DURATION:
        return set_duration(field, text);
    case FORMAT:
        return set_format(field, text);
    default:
        return set_level(field, text);
    }
}

static const struct option *find_option(const char *name, size_t size)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return &options[i];
    return NULL;
}

/* ---- The file ------------------------------------------------------------------------------- */

static char *trim(char *text)
{
    size_t size;
    text += strspn(text, " \t");
    size = strlen(text);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        text[--size] = '\0';
    return text;
}

/* One line: empty, a comment, or `name = value`. */
static bool read_line(struct config *config, char *line, int number, char *problem)
{
    char *name = trim(line);
    if (*name == '\0' || *name == '#')
        return true;
    char *equals = strchr(name, '=');
    if (equals == NULL) {
        snprintf(problem, CONFIG_TEXT, "line %d of the configuration file is not `name = value`",
                 number);
        return false;
    }
    *equals = '\0';
    name = trim(name);
    const struct option *option = find_option(name, strlen(name));
    if (option == NULL || option->only_command_line) {
        snprintf(problem, CONFIG_TEXT, "line %d of the configuration file: no setting `%.40s`",
                 number, name);
        return false;
    }
    if (!set(config, option, trim(equals + 1))) {
        snprintf(problem, CONFIG_TEXT, "line %d of the configuration file: %s takes %s", number,
                 option->name, option->argument);
        return false;
    }
    return true;
}

static bool read_file(struct config *config, char *problem)
{
    char line[PATH_MAX + 64];
    bool good = true;
    FILE *file = fopen(config->file, "re");
    if (file == NULL) {
        snprintf(problem, CONFIG_TEXT, "the configuration file %.400s cannot be read: %s",
                 config->file, strerror(errno));
        return false;
    }
    for (int number = 1; good && fgets(line, sizeof line, file) != NULL; number++)
        good = read_line(config, line, number, problem);
    if (good && ferror(file) != 0) {
        snprintf(problem, CONFIG_TEXT, "the configuration file %.400s cannot be read: %s",
                 config->file, strerror(errno));
        good = false;
    }
    fclose(file);
    return good;
}

/* ---- The command line ----------------------------------------------------------------------- */

static bool read_word(struct config *config, const char *word, char *problem)
{
    static const struct {
        const char *word;
        enum command command;
    } words[] = {{"serve", COMMAND_SERVE},       {"invite", COMMAND_INVITE},
                 {"status", COMMAND_STATUS},     {"backup", COMMAND_BACKUP},
                 {"restore", COMMAND_RESTORE},   {"check", COMMAND_CHECK},
                 {"defaults", COMMAND_DEFAULTS}, {"sandbox", COMMAND_SANDBOX},
                 {"help", COMMAND_HELP},         {"--help", COMMAND_HELP},
                 {"-h", COMMAND_HELP},           {"--version", COMMAND_VERSION}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) == 0) {
            if (config->command != COMMAND_HELP)
                config->command = words[i].command;
            return true;
        }
    }
    bool takes_one = config->command == COMMAND_BACKUP || config->command == COMMAND_RESTORE ||
                     config->command == COMMAND_CHECK;
    if (takes_one && word[0] != '-' && config->argument[0] == '\0')
        return set_text(config->argument, sizeof config->argument, word);
    snprintf(problem, CONFIG_TEXT, "there is no %s `%.100s`", word[0] == '-' ? "option" : "command",
             word);
    return false;
}

/* An option at argv[*at], with its value in the same word or in the next. */
static bool read_option(struct config *config, int argc, char **argv, int *at, char *problem)
{
    const char *word = argv[*at] + 2, *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *option = find_option(word, size);
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (option == NULL)
        return read_word(config, argv[*at], problem);
    if (option->kind != FLAG && value == NULL && *at + 1 < argc)
        value = argv[++*at];
    if ((value == NULL) != (option->kind == FLAG) || !set(config, option, value)) {
        snprintf(problem, CONFIG_TEXT, option->argument != NULL ? "--%s takes %s" : "--%s %s",
                 option->name, option->argument != NULL ? option->argument : "takes no value");
        return false;
    }
    return true;
}

static bool read_arguments(struct config *config, int argc, char **argv, char *problem)
{
    for (int i = 1; i < argc; i++) {
        bool is_option = argv[i][0] == '-' && argv[i][1] == '-';
        if (is_option ? !read_option(config, argc, argv, &i, problem)
                      : !read_word(config, argv[i], problem))
            return false;
    }
    return true;
}

/* ---- All ------------------------------------------------------------------------------------ */

static bool find_data(struct config *config)
{
    const char *data = getenv("SOTTO_DATA"), *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    size_t size = sizeof config->data;
    int length = 0;
    if (config->data[0] != '\0')
        return true;
    if (data != NULL && data[0] != '\0')
        length = snprintf(config->data, size, "%s", data);
    else if (state != NULL && state[0] == '/')
        length = snprintf(config->data, size, "%s/sottod", state);
    else if (home != NULL && home[0] == '/')
        length = snprintf(config->data, size, "%s/.local/state/sottod", home);
    return length > 0 && (size_t)length < size;
}

static const struct config defaults = {
    .registration = REGISTRATION_OPEN,
    .retention_days = 30,
    .room_days = 365,
    .ip_seconds = -1,
    .max_connections = CONNECTIONS_MAX,
    .rates = {RATE_CONNECTIONS, RATE_REQUESTS, RATE_REGISTRATIONS, RATE_SIGN_INS, RATE_CODES,
              RATE_BLOB_MIB},
    .blob_space_mib = BLOB_SPACE_MIB,
    .blob_max_mib = BLOB_MAX_MIB,
    .rate_limit = true,
    .sandbox = true,
    .tokens_a_day = TOKENS_A_DAY,
    .token_days = TOKEN_DAYS,
    .room_mib = ROOM_MIB,
    .log_level = LOG_INFO,
    .ready_fd = -1,
    .uses = 1,
};

bool config_read(struct config *config, int argc, char **argv, char problem[static CONFIG_TEXT])
{
    *config = defaults;
    config->argc = argc;
    config->argv = argv;
    if (!read_arguments(config, argc, argv, problem))
        return false;
    if (config->file[0] != '\0' && config->command != COMMAND_HELP) {
        /* The command line once more, over what the file says. A list replaces a list. */
        size_t listen_count = config->listen_count;
        size_t proxy_count = config->trusted_proxies.count;
        config->listen_count = 0;
        config->trusted_proxies = (struct networks){0};
        if (!read_file(config, problem))
            return false;
        if (listen_count > 0)
            config->listen_count = 0;
        if (proxy_count > 0)
            config->trusted_proxies = (struct networks){0};
        config->argument[0] = '\0';
        if (!read_arguments(config, argc, argv, problem))
            return false;
    }
    if (!find_data(config)) {
        snprintf(problem, CONFIG_TEXT, "no place for the data: give --data DIR");
        return false;
    }
    if ((config->certificate[0] == '\0') != (config->key[0] == '\0')) {
        snprintf(problem, CONFIG_TEXT, "--certificate and --key go together");
        return false;
    }
    return true;
}

/* ---- Again, while serving ------------------------------------------------------------------- */

static bool is_same(const struct config *a, const struct config *b, const struct option *option)
{
    const char *left = (const char *)a + option->offset, *right = (const char *)b + option->offset;
    if (option->kind == TEXT || option->kind == LABEL)
        return strcmp(left, right) == 0;
    if (option->kind != LISTEN)
        return memcmp(left, right, option->size) == 0;
    bool same = a->listen_count == b->listen_count;
    for (size_t i = 0; same && i < a->listen_count; i++)
        same = strcmp(a->listen[i], b->listen[i]) == 0;
    return same;
}

bool config_reread(const struct config *old, struct config *fresh,
                   void (*kept)(void *ctx, const char *name), void *ctx,
                   char problem[static CONFIG_TEXT])
{
    if (!config_read(fresh, old->argc, old->argv, problem))
        return false;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *option = &options[i];
        if (is_live(option))
            continue;
        if (!is_same(old, fresh, option))
            kept(ctx, option->name);
        memcpy((char *)fresh + option->offset, (const char *)old + option->offset, option->size);
    }
    fresh->listen_count = old->listen_count;
    return true;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

static void print_default(const struct option *option)
{
    static const char *const registrations[] = {
        [REGISTRATION_OPEN] = "open",
        [REGISTRATION_INVITE] = "invite",
        [REGISTRATION_PHONE] = "phone",
    };
    const void *field = (const char *)&defaults + option->offset;
    printf("#%s =", option->name);
    switch (option->kind) {
    case TEXT:
    case LABEL:
        printf(*(const char *)field != '\0' ? " %s\n" : "%s\n", (const char *)field);
        return;
    case NUMBER:
        printf(" %u\n", *(const uint32_t *)field);
        return;
    case SWITCH:
        printf(" %s\n", *(const bool *)field ? "on" : "off");
        return;
    case LISTEN:
        printf(" *:%d\n", RELAY_PORT);
        return;
    case NETWORKS:
        printf("\n");
        return;
    case REGISTRATION:
        printf(" %s\n", registrations[*(const enum registration *)field]);
        return;
    case PERMISSIONS:
        printf(" %s\n",
               *(const enum permissions *)field == PERMISSIONS_TOKEN ? "token" : "limited");
        return;
    case DURATION: /* seconds, or one of two words */
        if (*(const int64_t *)field < 0)
            printf(" forever\n");
        else
            printf(" %llds\n", (long long)*(const int64_t *)field);
        return;
    case FORMAT:
        printf(" %s\n", *(const enum log_format *)field == LOG_JSON ? "json" : "text");
        return;
    default:
        printf(" %s\n", log_level_name(*(const enum log_level *)field));
        return;
    }
}

static void print_lines(const char *before, const char *text)
{
    for (const char *line = text; line != NULL;) {
        const char *end = strchr(line, '\n');
        printf("%s%.*s\n", before, end != NULL ? (int)(end - line) : (int)strlen(line), line);
        line = end != NULL ? end + 1 : NULL;
    }
}

void config_defaults(void)
{
    printf("# sottod.conf: the settings of a Sotto relay, each with its default.\n"
           "#\n"
           "# Take the # away from a `name = value` to change it. `sottod --check-config --config "
           "FILE`\n"
           "# says whether the file can be used. After `systemctl reload sottod`, or SIGHUP, the\n"
           "# settings marked (live) count at once, the others after the next start.\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].only_command_line)
            continue;
        printf("\n# %s%s\n", options[i].argument, is_live(&options[i]) ? " (live)" : "");
        print_lines("# ", options[i].help);
        print_default(&options[i]);
    }
}

void config_help(void)
{
    printf("sottod: a relay for Sotto. It orders and keeps what it cannot read.\n\n"
           "Usage: sottod [OPTION]...            serve, until SIGTERM or SIGINT\n"
           "       sottod invite [--uses N] [--label LABEL]  make an invitation to register here\n"
           "       sottod status                 what the relay holds, in numbers\n"
           "       sottod backup DEST            copy all of it to a new folder, also while it "
           "serves\n"
           "       sottod restore SRC            make a stopped relay of such a folder\n"
           "       sottod check [DIR]            look for damage, in a backup too\n"
           "       sottod defaults               print a configuration file to begin with\n"
           "       sottod sandbox                try what the sandbox must not allow\n"
           "       sottod order ...              answer lawful orders; also authority, operator,\n"
           "                                     log, witness, report: each tells its usage\n"
           "       sottod withdraw ...           leave a jurisdiction\n\n"
           "Without any option it makes a certificate of its own, listens on port %d and\n"
           "prints its address, which people give to `sotto register --relay`.\n\n",
           RELAY_PORT);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        printf("  --%s %s\n", options[i].name, options[i].argument ? options[i].argument : "");
        print_lines("        ", options[i].help);
    }
    printf("\nExit codes: 0 stopped in order, 1 something failed (a message says what to do),\n"
           "2 the command line or the configuration file was not understood.\n");
}
