/* What sotto-keyring (src/keyring/main.c) answers. */
#ifndef KEYRING_KEYRING_H
#define KEYRING_KEYRING_H

#include "sotto/profile.h" /* SOTTO_PASSPHRASE_MAX */

/* Its exit codes: none that a program which fails by itself has. */
enum keyring_answer {
    KEYRING_DONE = 0,
    /* It has nothing of that name, or whoever was asked to unlock it did not. */
    KEYRING_NOTHING = 10,
    KEYRING_AWAY = 11,    /* there is no keyring in this session */
    KEYRING_REFUSED = 12, /* it is locked, or did not take it */
};

#endif
