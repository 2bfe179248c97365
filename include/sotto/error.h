/* Errors of every Sotto library: one enumeration, one table (X-macro) for names and texts.
 *
 * Every fallible function returns a sotto_error; SOTTO_OK is zero. A failed call leaves its
 * outputs as they were unless its comment says otherwise. Where an input was refused, a
 * sotto_fault says which field and where. */
#ifndef SOTTO_ERROR_H
#define SOTTO_ERROR_H

#include <stddef.h>

#include "sotto/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* name, text for people, what the caller does about it */
#define SOTTO_ERRORS(X)                                                           \
    X(OK, "no error")                                                             \
    /* Of the environment: try again later or stop. */                            \
    X(NO_MEMORY, "out of memory")                                                 \
    X(NO_RANDOM, "the random source failed")                                      \
    X(INTERNAL, "a library underneath failed")                                    \
    X(IO, "reading or writing failed")                                            \
    X(FULL, "no space left")                                                      \
    X(BUSY, "in use by another process")                                          \
    /* Of bytes: refuse the input; the same bytes fail again. */                  \
    X(TRUNCATED, "the input ends too early")                                      \
    X(TRAILING, "bytes are left over behind the end")                             \
    X(LENGTH, "a length is not encoded as it must be, or does not fit")           \
    X(LIMIT, "a limit is exceeded")                                               \
    X(VALUE, "a field holds a value that is not allowed")                         \
    X(VERSION, "the version is not supported")                                    \
    X(UNSUPPORTED, "a suite, type or extension is not supported")                 \
    /* Of cryptography: refuse the input. */                                      \
    X(SIGNATURE, "a signature does not verify")                                   \
    X(DECRYPT, "the ciphertext cannot be opened")                                 \
    X(TAG, "an authentication tag does not verify")                               \
    X(KEY, "a key is not valid")                                                  \
    /* Of MLS: the message does not belong here, or breaks a rule of RFC 9420. */ \
    X(EPOCH, "the message belongs to another epoch")                              \
    X(GROUP, "the message belongs to another group")                              \
    X(SENDER, "the sender is not a member, or not one who may send this")         \
    X(REUSED, "this generation's key was used already, or is gone")               \
    X(PROPOSAL, "a proposal is not valid, or not with the others")                \
    X(COMMIT, "the commit is not valid")                                          \
    X(TREE, "the ratchet tree is not valid")                                      \
    X(WELCOME, "the Welcome is not for this client, or not valid")                \
    X(CREDENTIAL, "a credential was refused")                                     \
    X(CAPABILITY, "a member does not support what the group needs")               \
    X(LIFETIME, "a KeyPackage is not valid yet, or no longer")                    \
    X(PSK, "a pre-shared key is not known")                                       \
    /* Of use: the caller's order of calls. */                                    \
    X(ARGUMENT, "an argument is not valid")                                       \
    X(STATE, "not possible in this state")                                        \
    X(NOT_FOUND, "not found")                                                     \
    X(EXISTS, "exists already")                                                   \
    X(REMOVED, "this client was removed from the group")                          \
    /* Of the network and the relay. */                                           \
    X(NETWORK, "the connection failed")                                           \
    X(PIN, "the relay's certificate is not the one expected")                     \
    X(TIMEOUT, "no answer in time")                                               \
    X(REFUSED, "the relay refused")

typedef enum sotto_error {
#define SOTTO_ERROR_ENUM(name, text) SOTTO_##name,
    SOTTO_ERRORS(SOTTO_ERROR_ENUM)
#undef SOTTO_ERROR_ENUM
        SOTTO_ERROR_COUNT
} sotto_error;

/* What was wrong and where: the answer to "why was my input refused?". */
typedef struct sotto_fault {
    sotto_error error;
    const char
        *what; /* static text naming the field or rule, such as "LeafNode.signature"; never NULL */
    size_t offset; /* byte offset into the refused input; 0 where no single byte is to blame */
} sotto_fault;

/* The error's name, such as "TRUNCATED"; "UNKNOWN" for a value out of range. Static. Any thread. */
SOTTO_API const char *sotto_error_name(sotto_error error);

/* One sentence for people about error, lower case, without a full stop. Static. Any thread. */
SOTTO_API const char *sotto_error_text(sotto_error error);

#ifdef __cplusplus
}
#endif
#endif
