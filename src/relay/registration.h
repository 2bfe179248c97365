/* Verification codes and invitation codes, and the hashes they are kept as. */
#ifndef RELAY_REGISTRATION_H
#define RELAY_REGISTRATION_H

#include "relay/limits.h"
#include "wire/ids.h"

/* A fresh verification code. NO_RANDOM. */
sotto_error code_make(const sotto_env *env, char code[static CODE_DIGITS + 1]);
void code_hash(sotto_bytes phone, sotto_bytes code, uint8_t hash[static HASH_SIZE]);

/* A fresh invitation to register: "ABCD-EFGH-IJKL-MNOP". NO_RANDOM. */
enum { INVITATION_TEXT = 4 * 5 };
sotto_error invitation_make(const sotto_env *env, char text[static INVITATION_TEXT]);
/* Of an invitation as a person typed it: case, hyphens and spaces do not count. */
void invitation_hash(sotto_bytes text, uint8_t hash[static HASH_SIZE]);

#endif
