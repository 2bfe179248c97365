/* An environment that fails when it is told to, people whose engines stand on it, and a call that
 * is made again and again, with the first allocation or random draw failing, then the second, until
 * none fails. Every function but the calls under test asserts that it succeeds. */
#ifndef TESTS_UNIT_FAILING_H
#define TESTS_UNIT_FAILING_H

#include "sotto/mls.h"
#include "unit/mls_clients.h"

extern const sotto_env failing_env;

/* What fails from now on: allocations, or random draws. */
void failing_draws(bool draws);
bool failing_is_draws(void);

struct party {
    sotto_mls *mls;
    sotto_buf private_key, public_key, key_package, secrets;
    sotto_mls_identity identity;
    sotto_mls_group *group, *former; /* former: the one that a ReInit ended, or a branch left */
};

#define FAILING_PARTIES 4

/* Everybody, and every output of the calls. fail_every compares all of it. */
struct failing_world {
    struct party parties[FAILING_PARTIES];
    sotto_buf message, commit, welcome, info, tree, saved;
};

extern struct failing_world failing;

/* The outputs, empty; parties are zero. */
void failing_start(void);
void failing_stop(void);

/* Frees an output and begins it anew, so that it has no memory set aside. */
void failing_clear(sotto_buf *output);

/* An engine and a signature key; the identity's credential is left to the caller. */
void party_start(struct party *party, uint16_t suite, const sotto_mls_config *config);
void party_key_package(struct party *party);
void party_stop(struct party *party);

/* Until the call succeeds. After each failure, which must be the one that was made, every group and
 * every output is as before. A failure that the call does not report is an error too. Returns how
 * many there were. */
size_t fail_every(const char *name, sotto_error (*call)(void));

#endif
