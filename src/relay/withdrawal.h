/* A withdrawal from a jurisdiction as the office (src/order) hands it over to the serving relay: a
 * file DATA/orders/withdrawals/ID.withdrawal, put there whole. It says who is affected, when, and
 * what they are told. When the relay has erased what it held of them it leaves ID.left beside it.
 *
 *     sotto withdrawal v1
 *     state announced                 or staying: it was taken back
 *     jurisdiction DE
 *     on 2027-03-01
 *     phone +49 +4:                   numbers from the first on and before the second, as text
 *     label DE
 *     notice
 *     ...                             the signed note, to the end
 */
#ifndef RELAY_WITHDRAWAL_H
#define RELAY_WITHDRAWAL_H

#include "base/base.h"

enum {
    WITHDRAWAL_ID_SIZE = 16,
    WITHDRAWAL_RANGES_MAX = 512,
    WITHDRAWAL_NUMBER_MAX = 17, /* bytes of a bound: +, 15 digits of E.164, and one more */
    WITHDRAWAL_LABELS_MAX = 16,
    WITHDRAWAL_LABEL_MAX = 32, /* as a jurisdiction: letters, digits, - */
    WITHDRAWAL_NOTICE_MAX = 8 * 1024,
    WITHDRAWAL_FILE_MAX = 64 * 1024,
    WITHDRAWALS_MAX = 64, /* that a relay looks after */
    WITHDRAWAL_NAME = 2 * WITHDRAWAL_ID_SIZE + sizeof ".withdrawal",
};

#define WITHDRAWAL_FOLDER "orders/withdrawals" /* in the data directory */

/* How far the relay is with one, as its database has it (withdrawals.state). */
enum withdrawal_state {
    WITHDRAWAL_ANNOUNCED = 1,
    WITHDRAWAL_STAYING = 2,
    WITHDRAWAL_LEFT = 3,   /* nobody registers or signs in from there; rows are being erased */
    WITHDRAWAL_ERASED = 4, /* no row is left, in the write-ahead log neither */
};

struct withdrawal_range {
    char low[WITHDRAWAL_NUMBER_MAX + 1], high[WITHDRAWAL_NUMBER_MAX + 1];
};

struct withdrawal {
    uint8_t id[WITHDRAWAL_ID_SIZE]; /* random; the file's name, not in it */
    bool staying;
    char jurisdiction[WITHDRAWAL_LABEL_MAX + 1];
    char on[11]; /* 2027-03-01 */
    struct withdrawal_range ranges[WITHDRAWAL_RANGES_MAX];
    size_t range_count;
    char labels[WITHDRAWAL_LABELS_MAX][WITHDRAWAL_LABEL_MAX + 1];
    size_t label_count;
    sotto_bytes notice; /* borrowed */
};

/* When the day begins, in UTC. */
uint64_t withdrawal_on_s(const struct withdrawal *withdrawal);

/* Appends the file. VALUE: a field cannot be written. */
sotto_error withdrawal_write(const struct withdrawal *withdrawal, sotto_buf *out);
/* VALUE: not such a file, to the byte. The notice is borrowed from it, and id is left alone. */
sotto_error withdrawal_read(sotto_bytes file, struct withdrawal *withdrawal);

/* The file's name in the folder: ID.withdrawal, or ID.left. */
void withdrawal_name(const uint8_t id[static WITHDRAWAL_ID_SIZE], bool left,
                     char name[static WITHDRAWAL_NAME]);
/* False: not the name of a withdrawal's file. */
bool withdrawal_named(const char *name, uint8_t id[static WITHDRAWAL_ID_SIZE]);

/* What ID.left says: how many accounts were erased, and when that was done. */
sotto_error withdrawal_left_write(uint64_t accounts, uint64_t time_s, sotto_buf *out);
sotto_error withdrawal_left_read(sotto_bytes file, uint64_t *accounts, uint64_t *time_s);

#endif
