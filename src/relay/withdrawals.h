/* Withdrawals from jurisdictions, which sottod-orders leaves in DATA/orders/withdrawals
 * (withdrawal.h): each is told to the accounts there, and on its day they are erased. */
#ifndef RELAY_WITHDRAWALS_H
#define RELAY_WITHDRAWALS_H

#include "relay/data.h"

/* What was done of each since the start, so that little is done over and over. */
struct withdrawals {
    size_t count;
    struct withdrawal_seen {
        uint8_t id[WITHDRAWAL_ID_SIZE];
        bool staying, due; /* as it was looked at last */
        int64_t after;     /* where the round under way goes on; 0: at the beginning */
        unsigned tries;    /* rounds in a row that did not end it */
        uint64_t again_ms; /* when all of it is looked at again */
    } seen[WITHDRAWALS_MAX];
};

/* What happened. */
struct withdrawals_done {
    size_t left;       /* withdrawals that were completed */
    uint64_t accounts; /* that were erased for them */
    bool more;         /* call again: what was left is not waiting for anything */
};

/* Goes on with all of them, in so many steps that others need not wait long. now_s is looked at
 * before the files are: what was taken back in time stays. now_ms: of a clock that only runs. What
 * cannot be done now is tried again with the next call. */
void withdrawals_go_on(struct withdrawals *withdrawals, const struct config *config,
                       const sotto_env *env, struct store_port *port, uint64_t now_s,
                       uint64_t now_ms, struct withdrawals_done *done);

/* The same once, of a relay that does not serve, by its command line: options that are not the
 * relay's are passed over. */
void withdrawals_go_on_now(int argc, char **argv);

#endif
