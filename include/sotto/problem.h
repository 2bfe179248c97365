/* What every part of the core's interface shares: the handle, ids, problems (sotto/sotto.h). */
#ifndef SOTTO_PROBLEM_H
#define SOTTO_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "sotto/bytes.h"

SOTTO_API_BEGIN

/* An open profile. Made by sotto_open, freed by sotto_close. */
struct sotto;

struct sotto_id {
    uint8_t bytes[32]; /* of an account or of a room */
};

/* How far something long is: done of so many (0: not known yet), of what the function that takes it
 * says. Called within that function and in its thread, and calls nothing of its core but
 * sotto_stop. */
typedef void sotto_progress_fn(void *ctx, uint64_t done, uint64_t of);

/* ---- Problems ------------------------------------------------------------------------------- */

/* What kind of trouble a problem is, for exit codes. */
enum sotto_trouble {
    SOTTO_TROUBLE_NONE,
    SOTTO_TROUBLE_FAILURE,  /* of this machine, of a file, or our bug */
    SOTTO_TROUBLE_USAGE,    /* what was asked for makes no sense */
    SOTTO_TROUBLE_NETWORK,  /* the relay cannot be reached; what was queued stays queued */
    SOTTO_TROUBLE_REFUSED,  /* the relay, or the other side, said no */
    SOTTO_TROUBLE_NOTFOUND, /* not found, or more than one fits */
    SOTTO_TROUBLE_PERSON,   /* needs something from the person, such as a code */
    SOTTO_TROUBLE_SECURITY, /* a wrong pin, a forked room: somebody may be lying */
};

/* What any call may say, whatever its comment names beside, and what its caller does:
 *
 * NO_MEMORY, INTERNAL: nothing was done; again later, or give up.
 * STORAGE, STORAGE_FULL, STORAGE_BUSY: the profile's disk; nothing was done. Again when there is
 *   room, or when whichever process holds the profile for long is done.
 * STORAGE_DAMAGED, STORAGE_NEWER: the profile cannot be used: a backup, or a newer Sotto.
 * NOT_REGISTERED: there is no account yet: sotto_register, sotto_link or sotto_recover.
 * ACCOUNT_DELETED: the account is being deleted: close the profile.
 * NOT_FOUND, AMBIGUOUS: of a conversation, a message, or who: show it; the problem's next lists
 *   what could have been meant.
 * BAD_ID: client_id is not one (see sotto_send). USAGE: a value is out of its bounds.
 *
 * Calls that reach a relay also:
 *
 * UNREACHABLE, TIMEOUT, UNAVAILABLE, RATE_LIMITED: what was queued stays queued; again later.
 * STOPPED, and where it says so TIMEOUT: sotto_stop was called.
 * REFUSED, ROOM_FULL, INBOX_FULL, TOKEN_NEEDED, TOO_LONG: the relay does not do it; the problem
 *   says why, and what would help.
 * SIGN_IN_FAILED: the relay does not know this device (any more): a new profile, linked anew.
 * WRONG_PIN, TOKEN_KEYS, FORKED, BAD_IDENTITY: somebody may be lying: show it to the person.
 *   Nothing was sent, and trying again does not help.
 *
 * In the table: the code as it is in --json, which stays what it is; its trouble. */
#define SOTTO_CODES(X)                                   \
    X(OK, "ok", NONE)                                    \
    X(INTERNAL, "internal", FAILURE)                     \
    X(NO_MEMORY, "no_memory", FAILURE)                   \
    X(STORAGE, "storage", FAILURE)                       \
    X(STORAGE_FULL, "storage_full", FAILURE)             \
    X(STORAGE_BUSY, "storage_busy", FAILURE)             \
    X(STORAGE_NEWER, "storage_newer", FAILURE)           \
    X(STORAGE_DAMAGED, "storage_damaged", FAILURE)       \
    X(LOCKED, "locked", PERSON)                          \
    X(WRONG_PASSPHRASE, "wrong_passphrase", PERSON)      \
    X(USAGE, "usage", USAGE)                             \
    X(BAD_TEXT, "bad_text", USAGE)                       \
    X(BAD_NAME, "bad_name", USAGE)                       \
    X(BAD_LINK, "bad_link", USAGE)                       \
    X(BAD_ADDRESS, "bad_address", USAGE)                 \
    X(BAD_ID, "bad_id", USAGE)                           \
    X(TOO_LONG, "too_long", USAGE)                       \
    X(RELAY_NEEDED, "relay_needed", PERSON)              \
    X(NOT_REGISTERED, "not_registered", PERSON)          \
    X(ALREADY_REGISTERED, "already_registered", USAGE)   \
    X(UNREACHABLE, "unreachable", NETWORK)               \
    X(TIMEOUT, "timeout", NETWORK)                       \
    X(UNAVAILABLE, "unavailable", NETWORK)               \
    X(RATE_LIMITED, "rate_limited", NETWORK)             \
    X(WRONG_PIN, "wrong_pin", SECURITY)                  \
    X(FORKED, "forked", SECURITY)                        \
    X(BAD_IDENTITY, "bad_identity", SECURITY)            \
    X(TOKEN_KEYS, "token_keys", SECURITY)                \
    X(TOKEN_NEEDED, "token_needed", REFUSED)             \
    X(ROOM_FULL, "room_full", REFUSED)                   \
    X(REFUSED, "refused", REFUSED)                       \
    X(SIGN_IN_FAILED, "sign_in_failed", REFUSED)         \
    X(CODE_NEEDED, "code_needed", PERSON)                \
    X(WRONG_CODE, "wrong_code", PERSON)                  \
    X(INVITATION_NEEDED, "invitation_needed", PERSON)    \
    X(INVITATION_USED, "invitation_used", REFUSED)       \
    X(INVITATION_UNKNOWN, "invitation_unknown", REFUSED) \
    X(INVITATION_EXPIRED, "invitation_expired", REFUSED) \
    X(PHONE_NEEDED, "phone_needed", PERSON)              \
    X(PHONE_TAKEN, "phone_taken", REFUSED)               \
    X(NO_ACCOUNT, "no_account", REFUSED)                 \
    X(NO_KEY_PACKAGE, "no_key_package", REFUSED)         \
    X(INBOX_FULL, "inbox_full", REFUSED)                 \
    X(NOT_FOUND, "not_found", NOTFOUND)                  \
    X(AMBIGUOUS, "ambiguous", NOTFOUND)                  \
    X(NOT_MEMBER, "not_member", REFUSED)                 \
    X(ALREADY_MEMBER, "already_member", USAGE)           \
    X(NOT_YOURS, "not_yours", USAGE)                     \
    X(CANNOT_CHANGE, "cannot_change", USAGE)             \
    X(OWN_LINK, "own_link", USAGE)                       \
    X(NO_FILE, "no_file", USAGE)                         \
    X(EXISTS, "exists", USAGE)                           \
    X(DAEMON_RUNS, "daemon_runs", USAGE)                 \
    X(BUSY, "busy", REFUSED)                             \
    X(LIMITED_DEVICE, "limited_device", REFUSED)         \
    X(FILE_CHANGED, "file_changed", FAILURE)             \
    X(FILE_GONE, "file_gone", REFUSED)                   \
    X(BAD_FILE, "bad_file", SECURITY)                    \
    X(BAD_PHRASE, "bad_phrase", USAGE)                   \
    X(BLOCKED, "blocked", USAGE)                         \
    X(REJOINING, "rejoining", NETWORK)                   \
    X(CANCELLED, "cancelled", REFUSED)                   \
    X(NOT_ALLOWED, "not_allowed", REFUSED)               \
    X(USERNAME_TAKEN, "username_taken", REFUSED)         \
    X(CHANGED, "changed", SECURITY)                      \
    X(BAD_BACKUP, "bad_backup", FAILURE)                 \
    X(STOPPED, "stopped", FAILURE)                       \
    X(ACCOUNT_DELETED, "account_deleted", REFUSED)       \
    X(BAD_PICTURE, "bad_picture", USAGE)                 \
    X(BAD_EXPORT, "bad_export", FAILURE)                 \
    X(NO_KEYRING, "no_keyring", PERSON)                  \
    X(WITHDRAWN, "withdrawn", REFUSED)                   \
    X(ORDER_LOG, "order_log", SECURITY)

enum sotto_code {
#define SOTTO_CODE_ENUM(name, text, trouble) SOTTO_CODE_##name,
    SOTTO_CODES(SOTTO_CODE_ENUM)
#undef SOTTO_CODE_ENUM
};

struct sotto_problem {
    sotto_error error;
    enum sotto_code code;
    char message[600]; /* what happened: a sentence or two */
    char next[600];    /* what to do about it; empty if there is nothing to say */
};

/* What a code is called: "not_registered"; "internal" for a number that is none. Static text. */
const char *sotto_code_name(enum sotto_code code);

/* The code of that name; INTERNAL if there is none. */
enum sotto_code sotto_code_named(const char *name);

/* What kind of trouble a code is. */
enum sotto_trouble sotto_code_trouble(enum sotto_code code);

/* The last failed call's problem. Never NULL; code SOTTO_CODE_OK if none. It is the core's, and
 * good until its next call. */
const struct sotto_problem *sotto_problem(const struct sotto *core);

SOTTO_API_END

#endif
