/* A profile: opening, locking, how it is (sotto/sotto.h). */
#ifndef SOTTO_PROFILE_H
#define SOTTO_PROFILE_H

#include "sotto/problem.h"

SOTTO_API_BEGIN

/* ---- Opening -------------------------------------------------------------------------------- */

/* Where the passphrase of a locked profile comes from: passphrase, called with ctx, appends it to
 * out, which is wiped afterwards. tries: how many that it gave were wrong. False: there is none
 * (LOCKED), or no other one (WRONG_PASSPHRASE). */
struct sotto_unlock {
    bool (*passphrase)(void *ctx, unsigned tries, sotto_buf *out);
    void *ctx;
};

/* Local. Opens the profile in that directory, which is made (mode 0700) if it is not there. unlock:
 * asked where it is locked; NULL: nobody is. env gives memory, randomness and time, and must
 * outlive the core. On failure problem is filled in and *core is NULL. LOCKED, WRONG_PASSPHRASE;
 * STORAGE: the directory cannot be used. */
sotto_error sotto_open(const sotto_env *env, const char *profile, const struct sotto_unlock *unlock,
                       struct sotto **core, struct sotto_problem *problem);

/* Local. Another core on the same profile for another thread of this process, without asking for
 * the passphrase again: within a process, a profile is opened by sotto_open once. first may be in
 * use; it has to stay open for as long. On failure as sotto_open. */
sotto_error sotto_open_beside(const struct sotto *first, struct sotto **core,
                              struct sotto_problem *problem);

/* Ends connections, wipes all that is in memory and frees it. What is queued stays. NULL allowed.
 * After sotto_account_delete it removes the profile's files. */
void sotto_close(struct sotto *core);

/* ---- The passphrase -------------------------------------------------------------------------- */

/* Local. *set: whether a passphrase has to be given to open this profile. */
sotto_error sotto_passphrase_is_set(struct sotto *core, bool *set);

/* Local. From now on the profile opens with this passphrase, of 1 to SOTTO_PASSPHRASE_MAX bytes
 * (BAD_TEXT), or without any (NULL). Takes a moment that does not depend on the profile's size;
 * interrupted, the old one is good or the new one. What is derived from it is wiped; the caller
 * wipes its own copy. */
#define SOTTO_PASSPHRASE_MAX 1024
sotto_error sotto_passphrase_set(struct sotto *core, const sotto_bytes *passphrase);

/* ---- Status --------------------------------------------------------------------------------- */

#define SOTTO_CLOCK_OFF (2 * 3600)
struct sotto_status {
    uint32_t conversations, waiting, requests, contacts;
    uint32_t tokens;              /* anonymous ones in stock */
    uint32_t token_key;           /* number of the relay's newest issuing key; 0: none seen */
    uint8_t token_key_hash[32];   /* of its announcement: the same for everybody at the relay */
    bool passphrase;              /* one is needed to open this profile */
    uint64_t history, history_of; /* messages of the past that the device which linked this one gave
                                   * so far, and how many it has; both 0: no device did */
    /* How far this machine's clock is ahead of one's own relay's (behind: below 0), in seconds, as
     * of the last connection; 0 where it is less than SOTTO_CLOCK_OFF. Messages go all the same. */
    int64_t clock_off_s;
    uint64_t notices;     /* of the relay's to the account, unread */
    bool relay_convicted; /* the relay contradicts its log of orders: sotto_relay says in what */
};

/* Local. *status: what there is in this profile; numbers are 0 where there is no account. */
sotto_error sotto_status(struct sotto *core, struct sotto_status *status);

SOTTO_API_END

#endif
