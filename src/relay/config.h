/* The relay's settings: defaults, then the configuration file, then the command line.
 *
 * They can be read again while the relay serves: some settings then count at once, the others keep
 * their values until the next start. */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include <limits.h>

#include "relay/ip.h"
#include "relay/limits.h"
#include "relay/log.h"
#include "relay/ratelimit.h"
#include "wire/message.h"

enum { CONFIG_TEXT = 1024 };

enum command {
    COMMAND_SERVE,
    COMMAND_INVITE,
    COMMAND_STATUS,
    COMMAND_BACKUP,
    COMMAND_RESTORE,
    COMMAND_CHECK,
    COMMAND_DEFAULTS,
    COMMAND_SANDBOX,
    COMMAND_HELP,
    COMMAND_VERSION
};

/* What pays for requests of the room connection; see permission.h. */
enum permissions { PERMISSIONS_LIMITED, PERMISSIONS_TOKEN };

struct config {
    enum command command;
    char argument[PATH_MAX - 32]; /* of backup, restore, check; empty: none */
    char data[PATH_MAX - 32];     /* so that what lies in it has a path */
    char file[PATH_MAX];
    char listen[LISTENERS_MAX][CONFIG_TEXT];
    size_t listen_count;             /* 0: all addresses, RELAY_PORT */
    struct networks trusted_proxies; /* whose connections begin with a PROXY header */
    char public_address[CONFIG_TEXT];
    char name[WIRE_TEXT_MAX + 1];
    enum registration registration;
    char label[33]; /* of new accounts, and of invitations; empty: none */
    char code_command[CONFIG_TEXT];
    char certificate[PATH_MAX], key[PATH_MAX];
    uint32_t retention_days, room_days;
    int64_t ip_seconds; /* 0: never kept; negative: until replaced */
    uint32_t threads;   /* 0: one a core */
    uint32_t max_connections;
    uint32_t rates[RATE_KINDS];
    uint32_t blob_space_mib, blob_max_mib;
    bool rate_limit;
    enum permissions permissions;
    uint32_t tokens_a_day, token_days, room_mib;
    char metrics[CONFIG_TEXT]; /* empty: nowhere */
    enum log_level log_level;
    enum log_format log_format;
    char ready_file[PATH_MAX];
    int32_t ready_fd; /* -1: none */
    bool allow_core;
    bool sandbox;
    uint32_t uses;    /* invite */
    bool json;        /* status */
    bool without_key; /* backup */
    bool force;       /* restore */
    bool check_config;
    int argc; /* what config_read was given, borrowed */
    char **argv;
    struct config *previous; /* whom this one replaced while serving */
};

/* Reads the command line and the file it names. False: *problem says in a sentence what was not
 * understood. */
bool config_read(struct config *config, int argc, char **argv, char problem[static CONFIG_TEXT]);

/* Reads the same command line and file once more. Settings that cannot change while the relay
 * serves are taken from old; kept(ctx, name) is called for each whose new value has to wait. False:
 * problem, and fresh means nothing. */
bool config_reread(const struct config *old, struct config *fresh,
                   void (*kept)(void *ctx, const char *name), void *ctx,
                   char problem[static CONFIG_TEXT]);

/* Prints a configuration file with every setting and its default, all in comments. */
void config_defaults(void);

/* The text of --help. */
void config_help(void);

#endif
