/* The office: the folder DATA/orders with the records, the keys and the log as everybody sees it.
 *
 *   orders.db        the records (records.h)
 *   log.key          signs checkpoints; mode 0600
 *   answer.pem/.key  signs answers; self-made, until the operator puts better ones in their place
 *   log/             the log, as the serving relay gives it out (tlog/folder.h), and log/key
 *   lock             held by the command that runs
 *   outgoing/        notices that wait for their time; the serving relay delivers and removes them
 *   withdrawals/     withdrawals from jurisdictions, for the serving relay (relay/withdrawal.h)
 */
#ifndef ORDER_OFFICE_H
#define ORDER_OFFICE_H

#include <limits.h>

#include "order/decide.h"
#include "tlog/checkpoint.h"

struct office {
    char folder[PATH_MAX - 64];   /* DATA/orders */
    char database[PATH_MAX - 32]; /* DATA/relay.db */
    int lock;                     /* a descriptor; -1: none */
    const sotto_env *env;
    struct records records;
    struct tlog_key key;
    uint8_t secret[TLOG_SECRET_SIZE];
    X509 *certificate;
    EVP_PKEY *answer_key;
    char problem[ORDER_PROBLEM_MAX];
};

/* Says what is wrong in problem, and returns the error. */
__attribute__((format(printf, 3, 4))) sotto_error
office_fail(struct office *office, sotto_error error, const char *format, ...);
/* The same with the problem of the records, if there is one; what they lack is none. */
sotto_error office_of_records(struct office *office, sotto_error error);

/* Opens the office of the relay in that data directory, and makes it where there is none: its log
 * is then named origin for ever (NULL: one is made up from the key). An unfinished publication is
 * finished. Waits for another command that runs. Errors: problem. */
sotto_error office_open(const char *data, const char *origin, const sotto_env *env,
                        struct office *office);
/* What was made belongs to the relay's user afterwards, whoever ran this. */
void office_close(struct office *office);

/* Puts what the records have into the log's folder, and a signed checkpoint over it. STATE: what
 * was published contradicts the records, so that nothing may be signed. */
sotto_error office_publish(struct office *office);

/* The published checkpoint; NOT_FOUND: there is none. note may be NULL. */
sotto_error office_checkpoint(struct office *office, struct tlog_checkpoint *checkpoint,
                              sotto_buf *note);

/* Hands the notices of the records over to the serving relay, which delivers each when it is due:
 * as files outgoing/DUE-ACCOUNT-NUMBER.note; and withdrawals. Opening does so too. */
sotto_error office_hand_over(struct office *office);

/* Appends a signed note: the text, and the log's signature over it. */
sotto_error office_sign(struct office *office, sotto_bytes text, sotto_buf *out);

/* Reads a file, appended. Errors: problem. */
sotto_error office_read(struct office *office, const char *path, size_t max, sotto_buf *out);

#endif
