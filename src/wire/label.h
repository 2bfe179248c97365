/* Labels by which people find an account at its relay: usernames and phone numbers. */
#ifndef WIRE_LABEL_H
#define WIRE_LABEL_H

#include "sotto/bytes.h"

enum label_kind { LABEL_USERNAME = 1, LABEL_PHONE = 2 };

/* 3 to 32 of a to z, 0 to 9, "_", "." and "-": a letter first, a letter or digit last, and no two
 * of the three signs in a row. There is one form, so that none looks like another by its case. */
enum { USERNAME_MIN = 3, USERNAME_MAX = 32 };
bool username_is_valid(sotto_bytes username);

/* E.164: "+", then 7 to 15 digits of which the first is not 0. */
bool phone_is_valid(sotto_bytes phone);

/* Whichever of the two. */
bool label_is_valid(enum label_kind kind, sotto_bytes label);

#endif
