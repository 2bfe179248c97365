/* The local store: one SQLite database a profile, `profile.db` (mode 0600) in a directory of mode
 * 0700, encrypted page by page (page_cipher.h) under a key that lies beside it in `keys`, sealed
 * under a passphrase or, without one, as it is (vault.h). SQLite's page cache is plain, in memory
 * that is not locked.
 *
 * Several processes use one profile at once, so:
 *
 * - Every step that changes something is one transaction: store_begin, changes, store_commit. A
 *   transaction takes SQLite's write lock at its start, so what is read inside it is still true
 * when it commits. Keep them short, and never wait for the network inside one. Functions marked
 * [tx] must be called inside one: anything else is our own bug and aborts.
 * - What one process caches, another may change. store_room_generation says whether a group in
 * memory is still the stored one.
 *
 * Functions that read put what they find into the caller's arena: rows and the bytes and strings
 * that they point to live there, until the arena is freed. Strings are never NULL and end with NUL.
 * A list is an array in the arena; an empty one is NULL and 0. Rows given to functions are borrowed
 * for the call.
 *
 * Errors of every function: FULL (no space left; the transaction was not done: roll back), BUSY
 * (another process held the lock for ten seconds), IO, VALUE (the database is damaged, or holds
 * what it cannot: store_fault says where), NO_MEMORY, INTERNAL. store_message says it in words.
 * Others are named at the function.
 *
 * The parts: store_people.h, store_rooms.h, store_messages.h, store_changes.h, store_receipts.h,
 * store_expiry.h, store_outbox.h,
 * store_uploads.h, store_events.h, store_devices.h, store_listing.h, store_rejoin.h,
 * store_renewal.h, store_early.h, all included here. */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "base/base.h"
#include "core/vault.h"
#include "wire/ids.h"

struct store;

#define STORE_DOWNLOADS "files" /* a folder beside the database: store_downloads.h */
#define STORE_VERSION 27        /* PRAGMA user_version */
#define STORE_BUSY_MS 10000     /* how long a lock is waited for */
#define STORE_FILE "profile.db"

/* ---- Opening -------------------------------------------------------------------------------- */

/* For a program's start, before it opens anything: SQLite does not count the memory that it has,
 * which takes a lock for each piece. A library does not decide that for a whole process. */
void store_memory_uncounted(void);

/* How a profile is opened. All zero is allowed. */
struct store_access {
    /* Appends the passphrase of a locked profile; tries: how many before were wrong. False: none is
     * to be had. NULL: never. */
    bool (*passphrase)(void *ctx, unsigned tries, sotto_buf *out);
    void *ctx;
    /* For tests: the VFS below the encryption, and what a new passphrase costs. NULL: the system's,
     * and the usual. Both must outlive the store. */
    const char *vfs;
    const struct vault_cost *cost;
};

/* Opens the profile in directory, made with its missing parents if it is not there; new or older
 * databases are brought to STORE_VERSION, plain ones of older versions encrypted in place, which
 * may take a while. access may be NULL. STATE: locked, and no passphrase was given; KEY: the last
 * one given was wrong. VERSION: made by a newer Sotto, nothing was touched. On failure *store is as
 * it was and fault, which may be NULL, says why. env must outlive it. */
sotto_error store_open(const sotto_env *env, const char *directory,
                       const struct store_access *access, struct store **store, sotto_fault *fault);
/* Another store of the same profile, for another thread of this process, opened with the same key.
 * No passphrase is needed, which store_open would ask for again. Reads only what of first never
 * changes, so that first may be in use; first has to stay open for as long. */
sotto_error store_open_beside(const struct store *first, struct store **store, sotto_fault *fault);
void store_close(struct store *store); /* rolls back; NULL allowed */

/* The last failed call: its error and static text; and in SQLite's words, for a log. Never NULL. */
const sotto_fault *store_fault(const struct store *store);
const char *store_message(const struct store *store);

/* The database's path, for messages. */
const char *store_path(const struct store *store);
/* The profile's directory. */
const char *store_folder(const struct store *store);

/* Whether the key is sealed under a passphrase. */
sotto_error store_passphrase_is_set(struct store *store, bool *set);

/* Seals the key under a passphrase of 1 to VAULT_PASSPHRASE_MAX bytes (LENGTH), or under none any
 * more (NULL). The database is not touched; interrupted, the old one is good or the new one. Other
 * processes that have it open go on. */
sotto_error store_passphrase_set(struct store *store, const sotto_bytes *passphrase);

/* For tests: FULL once the database would have more pages. 0: as many as the disk holds. */
sotto_error store_limit_pages(struct store *store, uint32_t pages);
/* Reads every page and index: VALUE if something is wrong. */
sotto_error store_check(struct store *store);

/* ---- Transactions --------------------------------------------------------------------------- */

sotto_error store_begin(struct store *store);  /* STATE: in one already */
sotto_error store_commit(struct store *store); /* on failure all is rolled back */
void store_rollback(struct store *store);      /* outside a transaction: nothing */
bool store_in_transaction(const struct store *store);

/* Between these two the transactions are parts of one, later ones see what earlier ones did, and
 * none of them is durable before the end says OK: else none of them was done. One that is rolled
 * back with changes in it spoils all: those behind it fail to begin, and the end fails, so whoever
 * gathers has to be able to do it again, one by one. The write lock is held from the first on. For
 * many that would each wait for the disk: keep it short too. */
void store_gather(struct store *store);
sotto_error store_gather_end(struct store *store);

/* Between these two what is read outside of transactions is read at one time, which is cheaper for
 * many small reads: what other connections commit meanwhile is not seen, but by a transaction, and
 * after one. Keep it short, and wait for nothing. store_reads again is nothing, and likewise the
 * end of what was not begun. */
void store_reads(struct store *store);
void store_reads_end(struct store *store);

/* A number that changes when another connection has committed something (PRAGMA data_version):
 * cheap to poll. */
sotto_error store_data_version(struct store *store, uint64_t *version);
/* The same for this connection: grows with each row that it changes. */
uint64_t store_changes(const struct store *store);

/* What was erased is zeros in the database, but stands in the log as it was, sealed like all else,
 * until the log is emptied. Empties it, if this store has erased something since, or if always. If
 * another process is just reading or writing, it is left for the next call. */
void store_scrub(struct store *store, bool always);

/* ---- Small things --------------------------------------------------------------------------- */

/* Named values for what needs no table of its own. [tx] for put and erase. NOT_FOUND. */
sotto_error store_value_get(struct store *store, const char *name, struct arena *arena,
                            sotto_bytes *value);
sotto_error store_value_put(struct store *store, const char *name, sotto_bytes value);
sotto_error store_value_erase(struct store *store, const char *name);
/* The same for numbers; NOT_FOUND reads as 0. */
sotto_error store_number_get(struct store *store, const char *name, uint64_t *number);
sotto_error store_number_put(struct store *store, const char *name, uint64_t number);

/* ---- Oneself -------------------------------------------------------------------------------- */

enum store_registration {
    STORE_UNREGISTERED =
        1, /* keys are made, the relay does not know them yet, or we do not know so */
    STORE_REGISTERED = 2,
};

struct store_profile {
    enum store_registration registration;
    const char *relay;    /* address of one's own relay; may be empty */
    const char *name;     /* may be empty */
    sotto_bytes identity; /* identity_save's; a secret */
    sotto_bytes manifest; /* one's own newest */
    uint64_t inbox_seq;   /* the last envelope that was dealt with */
};

/* NOT_FOUND: no keys were made yet. */
sotto_error store_profile_get(struct store *store, struct arena *arena,
                              struct store_profile *profile);
/* [tx] Writes all of it. */
sotto_error store_profile_put(struct store *store, const struct store_profile *profile);
/* [tx] Moves inbox_seq forward: EXISTS if seq is not above it, that envelope was dealt with before.
 */
sotto_error store_inbox_advance(struct store *store, uint64_t seq);

#include "core/store_people.h"
#include "core/store_rooms.h"
#include "core/store_messages.h"
#include "core/store_changes.h"
#include "core/store_receipts.h"
#include "core/store_expiry.h"
#include "core/store_outbox.h"
#include "core/store_uploads.h"
#include "core/store_blobs.h"
#include "core/store_events.h"
#include "core/store_devices.h"
#include "core/store_listing.h"
#include "core/store_rejoin.h"
#include "core/store_renewal.h"
#include "core/store_early.h"

#endif
