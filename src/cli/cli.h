/* The command line: a table of commands over sotto/sotto.h. What a command prints goes through a
 * struct output, of which there are two: for people and, with --json, for scripts. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "base/base.h"
#include "sotto/sotto.h"

/* Exit codes, documented in `sotto --help` and docs/CLI.md; they never change their meaning. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NETWORK = 3,
    EXIT_REFUSED = 4,
    EXIT_NOT_FOUND = 5,
    EXIT_PERSON = 6,
    EXIT_SECURITY = 7,
};

struct cli {
    const sotto_env *env;
    struct sotto *core; /* NULL in commands that need no profile */
    const char *profile;
    bool json;
    bool terminal; /* standard output is one */
    const struct output *output;
    struct sotto_problem
        trouble;       /* why there is no passphrase, where that is not the core's to say */
    sotto_buf *keep;   /* gets the passphrase that opened the profile; NULL: it is kept nowhere */
    bool from_keyring; /* the keyring gave one */
};

/* ---- Options -------------------------------------------------------------------------------- */

struct option_spec {
    const char *name;     /* without the dashes; NULL ends a list */
    const char *argument; /* its argument's name in the help; NULL: takes none */
    const char *help;
};

#define OPTIONS_MAX 9
#define POSITIONALS_ANY 1000

struct args {
    const char *options[OPTIONS_MAX]; /* by place in the command's list; NULL: not given */
    const char *const *positionals;
    size_t count;
};

struct command {
    const char *name;      /* "group add" */
    const char *arguments; /* "TITLE WHO..." */
    const char *summary;   /* one line */
    const char *text;      /* what else there is to say; may be NULL */
    const char *example;
    const struct option_spec *options;
    size_t least, most; /* how many positionals */
    int (*run)(struct cli *cli, const struct args *args);
    bool opens; /* it opens the profile by itself, with cli_open, if it needs it */
};

/* All commands, in the order of the help; name NULL ends it. */
extern const struct command commands[];

/* The options that every command takes. */
struct globals {
    const char *profile;
    bool json, help, version;
};

/* Splits argv into the command, its options and positionals (in words, which has room for argc).
 * False: problem says why. *command is NULL when none was named. */
bool options_parse(int argc, char **argv, struct globals *globals, const struct command **command,
                   struct args *args, const char **words, struct sotto_problem *problem);

/* Bytes, as 500K, 20M or 1G. False: problem. */
bool options_size(const char *text, uint64_t *size, struct sotto_problem *problem);

/* on or off. False: problem. */
bool options_switch(const char *text, bool *on, struct sotto_problem *problem);

/* A decimal number from 1 to max. False: problem. */
bool options_number(const char *option, const char *text, uint64_t max, uint64_t *out,
                    struct sotto_problem *problem);

/* A duration: a number and s, m, h or d; without a unit, seconds. */
bool options_duration(const char *option, const char *text, uint64_t *seconds,
                      struct sotto_problem *problem);

void help_program(FILE *out);
void help_command(FILE *out, const struct command *command);

/* ---- Output --------------------------------------------------------------------------------- */

struct shown_invitation {
    const char *link;
    uint32_t uses;
    uint64_t expires_s;
};

struct shown_sending {
    struct sotto_id conversation;
    const char *client_id;
    enum sotto_message_status status;
    uint64_t seq;
};

struct output {
    void (*message)(struct cli *cli, const struct sotto_message *message, bool with_title);
    void (*receipt)(struct cli *cli, const struct sotto_receipt *receipt);
    void (*conversation)(struct cli *cli, const struct sotto_conversation *one);
    void (*settings)(struct cli *cli, const struct sotto_conversation *one);
    void (*join_link)(struct cli *cli, const struct sotto_join_link *link);
    void (*join_request)(struct cli *cli, const struct sotto_join_request *request);
    void (*standing)(struct cli *cli, const struct sotto_standing *standing);
    void (*contact)(struct cli *cli, const struct sotto_contact *contact);
    void (*labels)(struct cli *cli, const struct sotto_labels *labels);
    void (*found)(struct cli *cli, const struct sotto_found *found);
    void (*member)(struct cli *cli, const struct sotto_member *member);
    void (*request)(struct cli *cli, const struct sotto_request *request);
    void (*account)(struct cli *cli, const struct sotto_account *account);
    void (*status)(struct cli *cli, const struct sotto_account *account,
                   const struct sotto_status *status);
    void (*invitation)(struct cli *cli, const struct shown_invitation *invitation);
    void (*backup)(struct cli *cli, const char *path, const struct sotto_backup_made *made);
    void (*exported)(struct cli *cli, const char *path, const struct sotto_exported *exported);
    void (*imported)(struct cli *cli, const struct sotto_imported *imported);
    void (*restored)(struct cli *cli, const struct sotto_restored *restored);
    void (*device_link)(struct cli *cli, const char *link, uint64_t expires_s);
    void (*phrase)(struct cli *cli, const char *phrase);
    void (*device)(struct cli *cli, const struct sotto_device *device);
    /* How far something long is, such as "History", of so many "messages"; to a terminal alone. */
    void (*progress)(struct cli *cli, const char *what, uint64_t done, uint64_t of,
                     const char *unit);
    void (*fingerprint)(struct cli *cli, const struct sotto_fingerprint *fingerprint, bool own);
    void (*proxy)(struct cli *cli, const struct sotto_proxy *proxy);
    void (*sending)(struct cli *cli, const struct shown_sending *sending);
    void (*saved)(struct cli *cli, const char *path);
    void (*message_link)(struct cli *cli, const char *link);
    /* Something was done: a word for scripts, a sentence for people. */
    void (*done)(struct cli *cli, const char *what, const struct sotto_id *conversation,
                 const char *sentence);
    /* A list had nothing in it: a sentence for people; scripts see no line. */
    void (*nothing)(struct cli *cli, const char *sentence);
    /* The connection: problem NULL when it is back. */
    void (*notice)(struct cli *cli, const struct sotto_problem *problem);
    void (*problem)(struct cli *cli, const struct sotto_problem *problem);
    void (*relay)(struct cli *cli, const struct sotto_relay *relay);
    void (*evidence)(struct cli *cli, const struct sotto_order_evidence *evidence);
    /* What the relay tells the account. */
    void (*told)(struct cli *cli, const struct sotto_notice *notice);
};

extern const struct output output_text, output_json;

/* Text from other people, made harmless for a terminal: control and direction characters and
 * bytes that are not UTF-8 become U+FFFD. With indent, line breaks are kept and what follows each
 * is indented by so many spaces, so that no message can look like two; negative: they become
 * spaces. */
void clean_print(FILE *out, sotto_bytes text, int indent);
void clean_print_str(FILE *out, const char *text);

/* A QR code in half blocks; nothing where the program was built without libqrencode. */
void qr_print(FILE *out, const char *text);

/* ---- Running -------------------------------------------------------------------------------- */

/* Prints the core's problem and gives the exit code that goes with it. */
int cli_fail(struct cli *cli);
int cli_problem(struct cli *cli, const struct sotto_problem *problem);
int cli_exit_code(const struct sotto_problem *problem);

/* Gives the core the passphrase of a locked profile; ctx: a struct cli (struct sotto_unlock). */
bool passphrase_unlock(void *ctx, unsigned tries, sotto_buf *out);

/* The system's keyring (sotto-keyring). keyring_name: what the profile's passphrase is called
 * there; false: it is not meant to be there. The others are about the item of that name; false:
 * problem. get appends. */
#define KEYRING_NAME_SIZE 33
bool keyring_name(const struct cli *cli, char name[static KEYRING_NAME_SIZE]);
bool keyring_get(const struct cli *cli, const char *name, sotto_buf *out,
                 struct sotto_problem *problem);
bool keyring_put(const struct cli *cli, const char *name, sotto_bytes passphrase,
                 struct sotto_problem *problem);
bool keyring_drop(const struct cli *cli, const char *name, struct sotto_problem *problem);
/* The item goes, then the file that names it. */
bool keyring_off(const struct cli *cli, struct sotto_problem *problem);

/* Appends the recovery phrase: what standard input says or, where that is the terminal, what it is
 * asked for without showing it. False: trouble says why. */
bool phrase_ask(struct cli *cli, sotto_buf *out);

/* The first line of a file, or what a person types on the terminal, where it is not shown; new:
 * they type it twice. Appended. False: cli->trouble. */
bool passphrase_from(struct cli *cli, const char *path, sotto_buf *out);
bool passphrase_ask(struct cli *cli, const char *question, sotto_buf *out);
bool passphrase_ask_new(struct cli *cli, const char *option, sotto_buf *out);

/* Ends of the options of registering, which begin with these five: relay, name, phone, invitation,
 * code. */
struct sotto_registration registration_of(const struct args *args);
/* Does it, and asks for the code if the relay sends one. with: what run registers with. */
sotto_error with_code(struct cli *cli, struct sotto_registration *with,
                      sotto_error (*run)(struct cli *cli, void *ctx), void *ctx);

/* Opens the profile. EXIT_OK, or the exit code of the problem that was printed. */
int cli_open(struct cli *cli);

/* The text behind the first argument, or standard input's, without its last line break: for -, or,
 * if needed, without any. EXIT_OK, or the code of the problem that was printed. */
int text_take(struct cli *cli, const struct args *args, bool needed, sotto_buf *text);

/* Sends what was queued, and says how far it is. */
int cli_settle(struct cli *cli, const struct sotto_id *conversation, const char *id);

/* A conversation begins: sends what was queued, and shows it as it stands, if it is there. */
int cli_begin(struct cli *cli, const struct sotto_id *conversation);

/* Makes a link by the options --uses and --expires, to write to oneself or, unless group is NULL,
 * to ask to join that one, and shows it. */
int cli_invite(struct cli *cli, const struct args *args, const struct sotto_id *group);

/* From now on how far files are is shown as a bar, where a person sees it; and no longer. */
void transfers_show(struct cli *cli);
void transfers_hide(struct cli *cli);

/* Sets a usage problem. */
void problem_usage(struct sotto_problem *problem, const char *next, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The commands' functions, in commands_*.c. */
int run_register(struct cli *cli, const struct args *args);
int run_link(struct cli *cli, const struct args *args);
int run_devices(struct cli *cli, const struct args *args);
int run_device_add(struct cli *cli, const struct args *args);
int run_device_rename(struct cli *cli, const struct args *args);
int run_device_revoke(struct cli *cli, const struct args *args);
int run_recover(struct cli *cli, const struct args *args);
int run_account_move(struct cli *cli, const struct args *args);
int run_account_delete(struct cli *cli, const struct args *args);
int run_phrase(struct cli *cli, const struct args *args);
int run_name(struct cli *cli, const struct args *args);
int run_receipts(struct cli *cli, const struct args *args);
int run_status(struct cli *cli, const struct args *args);
int run_passphrase_set(struct cli *cli, const struct args *args);
int run_passphrase_change(struct cli *cli, const struct args *args);
int run_passphrase_remove(struct cli *cli, const struct args *args);
int run_passphrase_keyring(struct cli *cli, const struct args *args);
int run_config_proxy(struct cli *cli, const struct args *args);
int run_relay(struct cli *cli, const struct args *args);
int run_notices(struct cli *cli, const struct args *args);
int run_notice_read(struct cli *cli, const struct args *args);
int run_fingerprint(struct cli *cli, const struct args *args);
int run_invite(struct cli *cli, const struct args *args);
int run_accept(struct cli *cli, const struct args *args);
int run_decline(struct cli *cli, const struct args *args);
int run_requests(struct cli *cli, const struct args *args);
int run_contacts(struct cli *cli, const struct args *args);
int run_picture(struct cli *cli, const struct args *args);
int run_contact_picture(struct cli *cli, const struct args *args);
int run_find(struct cli *cli, const struct args *args);
int run_add(struct cli *cli, const struct args *args);
int run_username(struct cli *cli, const struct args *args);
int run_findable(struct cli *cli, const struct args *args);
int run_contact_name(struct cli *cli, const struct args *args);
int run_contact_delete(struct cli *cli, const struct args *args);
int run_block(struct cli *cli, const struct args *args);
int run_unblock(struct cli *cli, const struct args *args);
int run_blocked(struct cli *cli, const struct args *args);
int run_verify(struct cli *cli, const struct args *args);
int run_send(struct cli *cli, const struct args *args);
int run_reply(struct cli *cli, const struct args *args);
int run_edit(struct cli *cli, const struct args *args);
int run_delete(struct cli *cli, const struct args *args);
int run_react(struct cli *cli, const struct args *args);
int run_forward(struct cli *cli, const struct args *args);
int run_retry(struct cli *cli, const struct args *args);
int run_info(struct cli *cli, const struct args *args);
int run_message_link(struct cli *cli, const struct args *args);
int run_message_find(struct cli *cli, const struct args *args);
int run_cancel(struct cli *cli, const struct args *args);
int run_save(struct cli *cli, const struct args *args);
int run_album(struct cli *cli, const struct args *args);
int run_downloads(struct cli *cli, const struct args *args);
int run_listen(struct cli *cli, const struct args *args);
int run_sync(struct cli *cli, const struct args *args);
int run_conversations(struct cli *cli, const struct args *args);
int run_pin(struct cli *cli, const struct args *args);
int run_archive(struct cli *cli, const struct args *args);
int run_mute(struct cli *cli, const struct args *args);
int run_unread(struct cli *cli, const struct args *args);
int run_draft(struct cli *cli, const struct args *args);
int run_erase(struct cli *cli, const struct args *args);
int run_typing(struct cli *cli, const struct args *args);
int run_timer(struct cli *cli, const struct args *args);
int run_history(struct cli *cli, const struct args *args);
int run_search(struct cli *cli, const struct args *args);
int run_group_create(struct cli *cli, const struct args *args);
int run_group_add(struct cli *cli, const struct args *args);
int run_group_remove(struct cli *cli, const struct args *args);
int run_group_leave(struct cli *cli, const struct args *args);
int run_group_members(struct cli *cli, const struct args *args);
int run_group_update(struct cli *cli, const struct args *args);
int run_group_settings(struct cli *cli, const struct args *args);
int run_group_roles(struct cli *cli, const struct args *args);
int run_group_title(struct cli *cli, const struct args *args);
int run_group_description(struct cli *cli, const struct args *args);
int run_group_picture(struct cli *cli, const struct args *args);
int run_group_role(struct cli *cli, const struct args *args);
int run_group_policy(struct cli *cli, const struct args *args);
int run_group_join(struct cli *cli, const struct args *args);
int run_group_ban(struct cli *cli, const struct args *args);
int run_group_link(struct cli *cli, const struct args *args);
int run_group_links(struct cli *cli, const struct args *args);
int run_group_unlink(struct cli *cli, const struct args *args);
int run_group_ask(struct cli *cli, const struct args *args);
int run_group_requests(struct cli *cli, const struct args *args);
int run_group_approve(struct cli *cli, const struct args *args);
int run_group_refuse(struct cli *cli, const struct args *args);
int run_group_continue(struct cli *cli, const struct args *args);
int run_group_unban(struct cli *cli, const struct args *args);
int run_daemon(struct cli *cli, const struct args *args);
int run_call(struct cli *cli, const struct args *args);
int run_backup(struct cli *cli, const struct args *args);
int run_import(struct cli *cli, const struct args *args);
int run_export(struct cli *cli, const struct args *args);
int run_restore(struct cli *cli, const struct args *args);
int run_completion(struct cli *cli, const struct args *args);

#endif
