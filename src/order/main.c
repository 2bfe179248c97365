/* sottod-orders: the office that answers lawful orders, apart from the relay that serves. `sottod`
 * starts it for the commands order, authority, operator, log, witness, report, withdraw. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <sodium.h>

#include "order/commands.h"
#include "relay/config.h"

#define COMMON "data config public "

static const struct order_command {
    const char *noun, *verb, *arguments, *options, *help;
    int (*run)(struct command_line *line);
    bool without_office;
} commands[] = {
    {"order", "check", "FILE [--document FILE]", COMMON "document",
     "says whether an order could be answered; changes nothing", command_order_check, false},
    {"order", "acknowledge", "FILE [--document FILE]", COMMON "document", "records that it came",
     command_order_acknowledge, false},
    {"order", "approve", "FILE --as NAME --key FILE [--document FILE]", COMMON "document as key",
     "one operator's approval of an answer", command_order_approve, false},
    {"order", "answer", "FILE --out FILE [--encrypt] [--document FILE]",
     COMMON "document out encrypt", "decides: answers a good order, refuses another",
     command_order_answer, false},
    {"order", "refuse", "FILE --reason TEXT --out FILE [--encrypt] [--document FILE]",
     COMMON "document out encrypt reason", "decides: no, for the operator's own reason",
     command_order_refuse, false},
    {"order", "list", "", COMMON, "all orders", command_order_list, false},
    {"order", "show", "SHA256 [--order FILE] [--out FILE]", COMMON "order out",
     "a decision, and what opens its entry of the log; writes order and answer out",
     command_order_show, false},
    {"order", "forget", "SHA256", COMMON, "erases a decision's details; the entry stays",
     command_order_forget, false},
    {"authority", "add",
     "NAME --certificate FILE --jurisdiction CC[,CC...] --kind KIND[,KIND...] (--crl FILE | "
     "--no-crl)",
     COMMON "certificate jurisdiction kind crl no-crl",
     "who may ask; KIND: court, prosecutor, police, administrative", command_authority_add, false},
    {"authority", "crl", "NAME FILE", COMMON, "newer lists of revoked certificates",
     command_authority_crl, false},
    {"authority", "list", "", COMMON, "who may ask", command_authority_list, false},
    {"authority", "remove", "NAME", COMMON, "nobody of that name may ask any more",
     command_authority_remove, false},
    {"operator", "key", "FILE", COMMON, "makes an operator's key; prints its public key",
     command_operator_key, true},
    {"operator", "add", "NAME PUBLIC-KEY", COMMON, "who may approve", command_operator_add, false},
    {"operator", "list", "", COMMON, "who may approve, and how many have to", command_operator_list,
     false},
    {"operator", "remove", "NAME", COMMON, "may approve no more", command_operator_remove, false},
    {"operator", "require", "N", COMMON, "how many approvals an answer needs (0: none)",
     command_operator_require, false},
    {"log", "show", "", COMMON, "the log's key and newest checkpoint", command_log_show, false},
    {"log", "publish", "", COMMON, "publishes what is not yet, asks the witnesses again",
     command_log_publish, false},
    {"witness", "add", "KEY URL", COMMON, "a witness to ask for cosignatures (C2SP tlog-witness)",
     command_witness_add, false},
    {"witness", "list", "", COMMON, "the witnesses", command_witness_list, false},
    {"witness", "remove", "KEY", COMMON, "asks it no more", command_witness_remove, false},
    {"report", "", "--year YEAR --out DIR", COMMON "year out",
     "the yearly report: a page for people, and CSV", command_report, false},
    {"withdraw", "list", "", COMMON, "all withdrawals, and how far they are", command_withdraw_list,
     false},
    {"withdraw", "check", "", COMMON, "whether rows are left of those whom the relay left",
     command_withdraw_check, false},
    {"withdraw", "",
     "--jurisdiction CC (--on DATE --reason TEXT [--phone-prefix +NN[,...]] [--label LABEL[,...]]\n"
     "      [--accounts] [--announce | --dry-run] | --cancel --reason TEXT)",
     COMMON "jurisdiction on reason phone-prefix label accounts announce dry-run cancel",
     "leaves a jurisdiction: without --announce it only says who is affected", command_withdraw,
     false},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int usage(const char *noun)
{
    fprintf(stderr, "usage:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (noun == NULL || strcmp(noun, commands[i].noun) == 0)
            fprintf(stderr, "  sottod %s%s%s %s\n      %s\n", commands[i].noun,
                    commands[i].verb[0] == '\0' ? "" : " ", commands[i].verb, commands[i].arguments,
                    commands[i].help);
    fprintf(stderr, "Each takes --data DIR and --config FILE as sottod does; docs/LAWFUL-ORDERS.md "
                    "explains them.\n");
    return EXIT_USAGE;
}

static const struct order_command *find(const struct args *args)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (args->count >= 1 && strcmp(args->words[0], commands[i].noun) == 0 &&
            (commands[i].verb[0] == '\0' ||
             (args->count >= 2 && strcmp(args->words[1], commands[i].verb) == 0)))
            return &commands[i];
    return NULL;
}

/* The settings that the relay itself has: its data directory and its public address. */
static bool read_settings(const struct args *args, struct config *config,
                          char problem[static CONFIG_TEXT])
{
    static const char *const names[] = {"data", "config", "public"};
    char options[3][CONFIG_TEXT + 16], *argv[4] = {(char *)"sottod"};
    int argc = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = args_value(args, names[i]);
        if (value == NULL)
            continue;
        if ((size_t)snprintf(options[i], sizeof options[i], "--%s=%s", names[i], value) >=
            sizeof options[i]) {
            snprintf(problem, CONFIG_TEXT, "the value of --%s is too long", names[i]);
            return false;
        }
        argv[argc++] = options[i];
    }
    return config_read(config, argc, argv, problem);
}

/* "host:port/orders", without the port where HTTPS has its own. */
static void name_log(const struct config *config, char origin[static CONFIG_TEXT + 16])
{
    size_t size = strcspn(config->public_address, "#");
    origin[0] = '\0';
    if (size == 0)
        return;
    if (size > 4 && strncmp(config->public_address + size - 4, ":443", 4) == 0)
        size -= 4;
    snprintf(origin, CONFIG_TEXT + 16, "%.*s/orders", (int)size, config->public_address);
}

static int run(const struct order_command *command, struct args *args)
{
    static struct config config;
    static struct office office;
    struct command_line line = {args, &office};
    char problem[CONFIG_TEXT] = "", origin[CONFIG_TEXT + 16];
    if (command->without_office)
        return command->run(&line);
    if (!read_settings(args, &config, problem))
        return orders_fail("%s", problem);
    name_log(&config, origin);
    sotto_error error = office_open(config.data, origin, sotto_env_system(), &office);
    if (error != SOTTO_OK)
        return orders_fail("%s",
                           office.problem[0] != '\0' ? office.problem : sotto_error_text(error));
    int code = command->run(&line);
    office_close(&office);
    return code;
}

int main(int argc, char **argv)
{
    static struct args args;
    umask(077);
    (void)prctl(PR_SET_DUMPABLE, 0); /* keys, and what is handed out, are in no core dump */
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return orders_fail("a library does not start");
    if (!args_read(&args, argc, argv))
        return orders_fail("%s", args.problem);
    const struct order_command *command = find(&args);
    if (command == NULL)
        return usage(args.count > 0 ? args.words[0] : NULL);
    if (!args_only(&args, command->options)) {
        orders_fail("%s", args.problem);
        return usage(command->noun);
    }
    int code = run(command, &args);
    curl_global_cleanup();
    return code == EXIT_USAGE ? usage(command->noun) : code;
}
