/* What sottod-orders does: a table of commands over the office. */
#ifndef ORDER_COMMANDS_H
#define ORDER_COMMANDS_H

#include "order/args.h"
#include "order/office.h"

/* Exit codes, as sottod's. */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

struct command_line {
    struct args *args;
    struct office *office;
};

/* args->words[0] and [1] are the command's name; the rest is its own. */
int command_authority_add(struct command_line *line);
int command_authority_crl(struct command_line *line);
int command_authority_list(struct command_line *line);
int command_authority_remove(struct command_line *line);

int command_operator_key(struct command_line *line);
int command_operator_add(struct command_line *line);
int command_operator_list(struct command_line *line);
int command_operator_remove(struct command_line *line);
int command_operator_require(struct command_line *line);

int command_order_check(struct command_line *line);
int command_order_acknowledge(struct command_line *line);
int command_order_approve(struct command_line *line);
int command_order_answer(struct command_line *line);
int command_order_refuse(struct command_line *line);
int command_order_list(struct command_line *line);
int command_order_show(struct command_line *line);
int command_order_forget(struct command_line *line);

int command_log_show(struct command_line *line);
int command_log_publish(struct command_line *line);
int command_witness_add(struct command_line *line);
int command_witness_list(struct command_line *line);
int command_witness_remove(struct command_line *line);

int command_report(struct command_line *line);

int command_withdraw(struct command_line *line);
int command_withdraw_list(struct command_line *line);
int command_withdraw_check(struct command_line *line);

/* ---- Shared --------------------------------------------------------------------------------- */

/* Says on standard error what cannot be done, in a sentence without its full stop, and returns
 * EXIT_FAILED. */
__attribute__((format(printf, 1, 2))) int orders_fail(const char *format, ...);
/* The same of what the office or its records say; returns EXIT_FAILED. */
int orders_fail_office(const struct office *office, sotto_error error);

/* Publishes what was just recorded, asks the witnesses, hands notices over, and says so. */
int orders_publish(struct office *office);

/* Writes a file anew, mode 0600, or to standard output for "-". False: it said why. */
bool orders_write(const char *path, sotto_bytes bytes);

/* Prints text from outside: control characters become spaces. */
void orders_print(FILE *file, const char *text);

#endif
