/* The messenger without a face: one struct core is one profile directory, in this process.
 *
 * Several processes may open one profile at once (`sotto listen` beside `sotto send`): SQLite's
 * transactions are the lock, each step of the protocol is one transaction, and every step is
 * idempotent, so that a process killed at any moment loses nothing and sends nothing twice.
 *
 * Two sorts of calls. Local calls read or queue and never touch the network: what they queue is
 * durable when they return. core_settle, core_sync, core_listen, core_register and core_invite
 * reach relays; they say so. So `sotto send` is core_send (durable) and then core_settle.
 *
 * Errors. Every fallible call returns a sotto_error and leaves a core_problem that says in plain
 * words what happened and what to do next. Strings given to callbacks are borrowed for the call;
 * text that comes from other people is UTF-8 but otherwise unfiltered: a face escapes it.
 *
 * A struct core serves one thread at a time. */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "sotto/bytes.h"

struct core;

/* ---- Problems ------------------------------------------------------------------------------- */

/* What kind of trouble a problem is, for exit codes. */
enum core_trouble {
    CORE_TROUBLE_NONE,
    CORE_TROUBLE_FAILURE,  /* of this machine, of a file, or our bug */
    CORE_TROUBLE_USAGE,    /* what was asked for makes no sense */
    CORE_TROUBLE_NETWORK,  /* the relay cannot be reached; what was queued stays queued */
    CORE_TROUBLE_REFUSED,  /* the relay, or the other side, said no */
    CORE_TROUBLE_NOTFOUND, /* not found, or more than one fits */
    CORE_TROUBLE_PERSON,   /* needs something from the person, such as a code */
    CORE_TROUBLE_SECURITY, /* a wrong pin, a forked room: somebody may be lying */
};

/* code (stable, in --json), trouble */
#define CORE_CODES(X)                                    \
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
    X(BAD_FILE, "bad_file", SECURITY)

enum core_code {
#define CORE_CODE_ENUM(name, text, trouble) CORE_##name,
    CORE_CODES(CORE_CODE_ENUM)
#undef CORE_CODE_ENUM
};

struct core_problem {
    sotto_error error;
    enum core_code code;
    char message[600]; /* what happened: a sentence or two */
    char next[600];    /* what to do about it; empty if there is nothing to say */
};

const char *core_code_name(enum core_code code);  /* "not_registered" */
enum core_code core_code_named(const char *name); /* INTERNAL if there is none of that name */
enum core_trouble core_code_trouble(enum core_code code);

/* The last failed call's problem. Never NULL; code CORE_OK if none. */
const struct core_problem *core_problem(const struct core *core);

/* ---- Opening -------------------------------------------------------------------------------- */

/* Where the passphrase of a locked profile comes from: appended to out, which is wiped afterwards.
 * tries: how many that it gave were wrong. False: there is none (LOCKED), or no other one
 * (WRONG_PASSPHRASE). */
struct core_unlock {
    bool (*passphrase)(void *ctx, unsigned tries, sotto_buf *out);
    void *ctx;
};

/* Opens the profile in that directory, which is made (mode 0700) if it is not there. unlock may be
 * NULL. On failure problem is filled in and *core stays NULL. env must outlive it. */
sotto_error core_open(const sotto_env *env, const char *profile, const struct core_unlock *unlock,
                      struct core **core, struct core_problem *problem);
/* Another core on the same profile for another thread of this process, without asking for the
 * passphrase again: within a process, a profile is opened by core_open once. first may be in use;
 * it has to stay open for as long. */
sotto_error core_open_beside(const struct core *first, struct core **core,
                             struct core_problem *problem);
/* Ends connections, wipes and frees. NULL allowed. */
void core_close(struct core *core);

/* ---- The passphrase -------------------------------------------------------------------------- */

/* Local. Whether one has to be given to open this profile. */
sotto_error core_passphrase_is_set(struct core *core, bool *set);

/* Local. From now on the profile opens with this one, of 1 to CORE_PASSPHRASE_MAX bytes
 * (BAD_TEXT), or without any (NULL). Takes a moment that does not depend on the profile's size;
 * interrupted, the old one is good or the new one. */
#define CORE_PASSPHRASE_MAX 1024
sotto_error core_passphrase_set(struct core *core, const sotto_bytes *passphrase);

/* ---- Account -------------------------------------------------------------------------------- */

struct core_id {
    uint8_t bytes[32]; /* of an account or of a room */
};

/* 60 decimal digits in groups of five: two people who read the same number have the right keys. */
struct core_fingerprint {
    char digits[80];
    char name[260]; /* whom it is with; one's own for one's own */
};

struct core_account {
    bool registered;
    struct core_id account;
    char device[33]; /* hex */
    const char *name;
    const char *relay;
    const char *suite;
    bool receipts; /* whether delivery and read receipts are sent and shown */
};

struct core_registration {
    const char *relay; /* host:port or host:port#PIN; NULL: that of an earlier try */
    const char *name;  /* NULL: none yet */
    const char *phone, *invitation, *code; /* NULL: none */
};

/* Network. Makes the keys if there are none, registers, publishes KeyPackages. CODE_NEEDED: call
 * again with the code. Safe to repeat. ALREADY_REGISTERED if it is. */
sotto_error core_register(struct core *core, const struct core_registration *registration);

/* Local. Strings are valid until the next call. */
sotto_error core_account(struct core *core, struct core_account *account);

/* Local. who NULL: one's own account's; else the number shared with that contact. */
sotto_error core_fingerprint(struct core *core, const char *who, struct core_fingerprint *out);

/* Local. Changes one's own name; the conversations are told at the next settling. */
sotto_error core_set_name(struct core *core, const char *name);

/* Local. Whether delivery and read receipts are sent and shown; they are unless this is called with
 * false, which also forgets those that are here. Several receipts are one message of a room, at
 * most one every ten seconds; in rooms of more than 32 devices there are none. */
sotto_error core_set_receipts(struct core *core, bool on);

/* ---- Devices of one's own ---------------------------------------------------------------------
 *
 * A new device calls core_link and shows the link to the person; core_link_wait then waits for the
 * other device's core_device_add of it. */

typedef void core_progress_fn(void *ctx, uint64_t done, uint64_t of);

/* Local. On the new device, in a profile without an account: makes its keys, and a link that the
 * account's other device takes; appended, with a NUL. relay: the account's. name: what the device
 * is called, may be NULL. Again, until it expires: the same link. */
sotto_error core_link(struct core *core, const char *relay, const char *name, sotto_buf *link,
                      uint64_t *expires_s);
/* Network. Waits until the link was taken; then this profile is a device of the account. Joins its
 * conversations and fetches the history as long as that comes; the rest comes with later calls.
 * Killed or interrupted, the same call goes on. BAD_IDENTITY: what came was not from a device that
 * saw the link. progress, of the history, may be NULL. */
sotto_error core_link_wait(struct core *core, core_progress_fn *progress, void *ctx);

/* Network. On a device that has the account's key: lets the device of that link in, and waits a
 * while for it to be in all conversations; the rest happens with later calls. limited: it does not
 * get the account's key, and may not link or remove others. Killed or interrupted, the same call
 * goes on. device: its id, in hex. LIMITED_DEVICE; INVITATION_USED, INVITATION_EXPIRED: of the
 * link; BAD_IDENTITY: the relay changed the new device's keys. */
sotto_error core_device_add(struct core *core, const char *link, bool limited, char device[33]);

struct core_device {
    char device[33]; /* hex */
    const char *name;
    uint64_t added_s;
    bool own; /* this one */
};

/* Local. */
sotto_error core_devices(struct core *core,
                         void (*each)(void *ctx, const struct core_device *device), void *ctx);
/* Local; the other devices are told at the next settling. what: a name, or the beginning of an id.
 */
sotto_error core_device_rename(struct core *core, const char *what, const char *name);
/* Network. It is no longer the account's: the relay refuses it, and all members' clients remove it
 * from all conversations. LIMITED_DEVICE; BUSY: another device changed the list at this moment. */
sotto_error core_device_revoke(struct core *core, const char *what);

/* ---- Meeting -------------------------------------------------------------------------------- */

/* Network. A link for `uses` people, good for lifetime_s seconds; appended to link, with a NUL. */
sotto_error core_invite(struct core *core, uint32_t uses, uint64_t lifetime_s, sotto_buf *link);

struct core_request {
    int64_t id;
    struct core_id conversation;
    struct core_id sender;
    const char *sender_name; /* empty: not known */
    uint64_t time_s;
};

/* Local. People who are not contacts and want to write: their conversations wait. */
sotto_error core_requests(struct core *core,
                          void (*each)(void *ctx, const struct core_request *request), void *ctx);

/* Local: queues. what: an invitation link, or a request's number or id prefix. conversation: what
 * it leads to. Settle afterwards. Repeating it is harmless. */
sotto_error core_accept(struct core *core, const char *what, struct core_id *conversation);
sotto_error core_decline(struct core *core, const char *what);

struct core_contact {
    struct core_id account;
    const char *name; /* empty: not known yet */
    const char *relay;
    bool blocked;
};

/* Local. */
sotto_error core_contacts(struct core *core,
                          void (*each)(void *ctx, const struct core_contact *contact), void *ctx);

/* Local. One of them. NOT_FOUND: not a contact (any more). */
sotto_error core_contact(struct core *core, const struct core_id *account,
                         void (*each)(void *ctx, const struct core_contact *contact), void *ctx);

/* ---- Conversations -------------------------------------------------------------------------- */

enum core_room_state {
    CORE_ROOM_CREATING = 1, /* made here, not at the relay yet */
    CORE_ROOM_ACTIVE = 2,
    CORE_ROOM_REMOVED = 3, /* somebody removed this account */
    CORE_ROOM_LEFT = 4,
    CORE_ROOM_FORKED = 5, /* the relay's log contradicts itself */
};

const char *core_room_state_name(enum core_room_state state); /* "active" */

struct core_conversation {
    struct core_id id;
    bool group;
    enum core_room_state state;
    const char *title; /* the group's, or the other person's name */
    const char *relay;
    uint64_t epoch;
    uint64_t seq; /* of the last entry applied */
    uint32_t members;
    uint32_t waiting; /* in the outbox */
    uint32_t unread;
    uint32_t timer_s;       /* after which one's own messages disappear; 0: never */
    const char *trouble;    /* empty, or why it is forked or waits */
    char authenticator[65]; /* hex of the epoch authenticator's first 32 bytes; empty if not active
                             */
};

/* Local. */
sotto_error core_conversations(struct core *core,
                               void (*each)(void *ctx, const struct core_conversation *one),
                               void *ctx);
sotto_error core_conversation(struct core *core, const struct core_id *id,
                              void (*each)(void *ctx, const struct core_conversation *one),
                              void *ctx);

/* Local. After how many seconds messages that are written here from now on disappear: at others'
 * since they read them, here since they were sent; 0: never. Each message carries its own time, so
 * others' messages have what they chose. They are erased by whatever runs on the profile then: on
 * time where core_serve or core_listen does, else when it is opened next. USAGE: above
 * CORE_TIMER_MAX. */
#define CORE_TIMER_MAX (365u * 86400)
sotto_error core_set_timer(struct core *core, const struct core_id *conversation, uint32_t seconds);

/* Local. The conversation that who names: a title, a contact's name, an id's prefix. NOT_FOUND;
 * AMBIGUOUS, and the problem's next lists the choices. */
sotto_error core_find(struct core *core, const char *who, struct core_id *conversation);

struct core_member {
    struct core_id account;
    char device[33]; /* hex */
    const char *name;
    bool own;
};

/* Local. */
sotto_error core_members(struct core *core, const struct core_id *conversation,
                         void (*each)(void *ctx, const struct core_member *member), void *ctx);

/* ---- Messages ------------------------------------------------------------------------------- */

enum core_message_kind {
    CORE_TEXT = 1,
    CORE_UNREADABLE = 2, /* a member's message that could not be read */
    CORE_NEWER = 3,      /* content that needs a newer version of Sotto; kept */
    CORE_ADDED = 4,      /* from here on: what happened in the conversation */
    CORE_REMOVED = 5,
    CORE_LEFT = 6,
    CORE_JOINED = 7,   /* this account joined */
    CORE_FORK = 8,     /* the relay's log contradicts itself from here on */
    CORE_FILE = 9,     /* a file: text is what is said about it */
    CORE_DELETED = 10, /* was a message until its sender took it back */
};

const char *core_message_kind_name(enum core_message_kind kind); /* "text" */

enum core_message_status {
    CORE_RECEIVED = 1,
    CORE_SENT = 2,
    CORE_WAITING = 3, /* in the outbox */
    CORE_FAILED = 4,  /* will not be sent: the conversation is over */
    /* Sent, and the other person's receipt is here; between two people alone: */
    CORE_DELIVERED = 5,
    CORE_READ = 6,
};

const char *core_message_status_name(enum core_message_status status);

/* One a person and message. */
struct core_reaction {
    struct core_id sender;
    const char *name;
    bool own;
    sotto_bytes text; /* an emoji, or a word */
};

/* What a message answers. */
struct core_quote {
    int64_t id; /* 0: it is not here, or gone; then there is nothing else */
    struct core_id sender;
    const char *name;
    bool own;
    sotto_bytes text; /* its first line, CORE_QUOTE_MAX bytes at most; of a file what was said */
};
#define CORE_QUOTE_MAX 120
#define CORE_MENTIONS_MAX 64

struct core_message {
    int64_t id; /* grows with each message stored in this profile; 0 while waiting */
    struct core_id conversation;
    const char *title;
    uint64_t seq; /* in the room's log; 0 while waiting */
    enum core_message_kind kind;
    enum core_message_status status;
    bool own;
    struct core_id sender;
    const char *sender_name;
    struct core_id subject; /* who was added, removed or left */
    const char *subject_name;
    bool subject_own;
    uint64_t time_s; /* when this device stored it */
    sotto_bytes text;
    /* Of a file. The name is made harmless: one that stays in its directory. */
    const char *file_name;
    uint64_t file_size;
    const char *client_id; /* of own messages, else "" */
    uint32_t timer_s;      /* how long after it was read, own ones: sent, it is erased; 0: not */
    uint64_t erase_s;      /* when; 0: the clock does not run */
    bool markdown;         /* text is Markdown (GFM-MIMI: no HTML in it) */
    uint64_t edited_s;     /* when the newest edit came; 0: never edited */
    bool reply;
    struct core_quote quote;        /* if reply */
    const struct core_id *mentions; /* accounts, in Markdown: links to sotto:account/ and the id in
                                       base64url; CORE_MENTIONS_MAX at most */
    size_t mention_count;
    const struct core_reaction *reactions;
    size_t reaction_count;
};

typedef void core_message_fn(void *ctx, const struct core_message *message);

/* Local: queues. text: UTF-8, 1 byte to CORE_TEXT_MAX. NOT_FOUND: what it answers. client_id: at
 * most 64 printable ASCII characters, or NULL for a fresh one; the same id again in the same
 * conversation queues nothing. client_id_out, if not NULL: 65 bytes. */
#define CORE_TEXT_MAX (1024u * 1024u)
#define CORE_CLIENT_ID_MAX 64
struct core_text {
    sotto_bytes text;
    bool markdown;
    int64_t reply_to; /* the message that it answers, in the same conversation; 0: none */
};
sotto_error core_send(struct core *core, const struct core_id *conversation, const char *client_id,
                      const struct core_text *text, char *client_id_out);

/* Local: queues what message `id` says, or the file that it is, for that conversation as a message
 * of one's own; who wrote it is not told. client_id as core_send's. CANNOT_CHANGE: it is neither
 * text nor file, or the file lies at another relay than the conversation. */
sotto_error core_forward(struct core *core, int64_t id, const struct core_id *conversation,
                         const char *client_id, char *client_id_out);

/* Local: queues a text of one's own again that FAILED, under the same id. Nothing, if it waits or
 * is sent. CANNOT_CHANGE: a file, whose place may have changed. */
sotto_error core_retry(struct core *core, const struct core_id *conversation,
                       const char *client_id);

/* Local: reads the file once, whole, and queues. It is read again where it lies while it is sent,
 * in later runs too: until then it has to stay as it is. caption: UTF-8, may be empty, at most
 * CORE_CAPTION_MAX bytes. The rest as core_send. NO_FILE: it cannot be read, or is no file. */
#define CORE_CAPTION_MAX 4096
sotto_error core_send_file(struct core *core, const struct core_id *conversation,
                           const char *client_id, const char *path, sotto_bytes caption,
                           char *client_id_out);

/* Network. Fetches the file of message `id` to `to`: a directory, where it gets the name it was
 * sent under, or a file's name; NULL: the working directory. Nothing that is there is overwritten
 * (EXISTS). What was fetched when it is broken off lies beside, as .sotto-*.part, and the next call
 * goes on behind it. saved: where it is, at most size bytes with NUL. FILE_GONE: the relay does not
 * have it any more; BAD_FILE: the relay gave something else than what was sent. */
sotto_error core_save(struct core *core, int64_t id, const char *to, char *saved, size_t size);

/* Local. One message. NOT_FOUND. */
sotto_error core_message(struct core *core, int64_t id, core_message_fn *each, void *ctx);

/* Local: queue a change of message `id`, which counts once the conversation's log has it: of two
 * edits the one that the log has last. client_id as core_send's, in one space with it. done may be
 * NULL. NOT_FOUND: there is no such message; NOT_YOURS: somebody else wrote it; CANNOT_CHANGE: it
 * is of a kind that has no such change, or was deleted.
 *
 * core_edit: another text in place of a text's. core_delete: nothing in its place, a text or file,
 * at everybody who follows; what they saved of it, or what a broken client keeps, stays.
 * core_react: to a text or file; reaction: UTF-8 without control characters, at most
 * CORE_REACTION_MAX bytes, in place of an earlier one; empty: none any more. */
struct core_change {
    struct core_id conversation;
    char client_id[CORE_CLIENT_ID_MAX + 1];
};
#define CORE_REACTION_MAX 256
sotto_error core_edit(struct core *core, int64_t id, const char *client_id, sotto_bytes text,
                      bool markdown, struct core_change *done);
sotto_error core_delete(struct core *core, int64_t id, const char *client_id,
                        struct core_change *done);
sotto_error core_react(struct core *core, int64_t id, const char *client_id, sotto_bytes reaction,
                       struct core_change *done);

/* Local. What others said of a message of one's own, in the order in which that came; nothing of
 * others' messages. NOT_FOUND. */
struct core_receipt {
    struct core_id account;
    const char *name;
    enum core_message_status status; /* DELIVERED or READ */
    uint64_t time_s;                 /* when this device stored it */
};
sotto_error core_receipts(struct core *core, int64_t id,
                          void (*each)(void *ctx, const struct core_receipt *receipt), void *ctx);

/* Local. Status and seq of an own message, or of an own change of one. NOT_FOUND. */
sotto_error core_sending(struct core *core, const struct core_id *conversation,
                         const char *client_id, enum core_message_status *status, uint64_t *seq);

/* Local. The newest `limit` messages of a conversation with an id below `before` (0: the newest),
 * oldest first, and, unless before is given, what waits behind them. */
sotto_error core_history(struct core *core, const struct core_id *conversation, uint32_t limit,
                         int64_t before, core_message_fn *each, void *ctx);

/* Local. Messages in which all the words of `words` are found, or begin a word (any case, accents
 * left out), the newest first: in one conversation (NULL: in all), with an id below `before` (0: no
 * bound). BAD_TEXT: there is no word in it. */
sotto_error core_search(struct core *core, const struct core_id *conversation, const char *words,
                        uint32_t limit, int64_t before, core_message_fn *each, void *ctx);

/* Local. The person has seen the conversation's messages up to that id; a receipt may be owed. */
sotto_error core_mark_read(struct core *core, const struct core_id *conversation, int64_t id);

/* ---- Groups --------------------------------------------------------------------------------- */

/* Local: queue. Members are contacts or people known from other groups, by name or id prefix. */
sotto_error core_group_create(struct core *core, const char *title, const char *const *members,
                              size_t count, struct core_id *conversation);
sotto_error core_group_add(struct core *core, const struct core_id *conversation,
                           const char *const *members, size_t count);
sotto_error core_group_remove(struct core *core, const struct core_id *conversation,
                              const char *const *members, size_t count);
sotto_error core_group_leave(struct core *core, const struct core_id *conversation);
/* Fresh keys for one's own leaf: what a thief of the old ones had is worthless afterwards. */
sotto_error core_group_update(struct core *core, const struct core_id *conversation);

/* ---- The network ---------------------------------------------------------------------------- */

/* Network. Catches the conversation (NULL: all) up and sends what it owes, until nothing is owed.
 * Uses the room connection alone. UNREACHABLE and the like: what is owed stays in the outbox. An
 * error that ended an intent for good (no KeyPackage, invitation used) is returned once. */
sotto_error core_settle(struct core *core, const struct core_id *conversation);

/* Network. Fetches the inbox, tops up KeyPackages, then settles everything. */
sotto_error core_sync(struct core *core);

/* Network. Stays connected for seconds (0: until core_stop), reconnecting as needed, and calls
 * each for every message stored in this profile that no listener was given yet, also those that
 * another process stored. once: ends when all is caught up. Errors of the network are reported to
 * notice and do not end it, unless once. */
struct core_listener {
    void *ctx;
    core_message_fn *message;
    void (*request)(void *ctx, const struct core_request *request);
    /* The connection to a relay was lost or is back; problem NULL: back. */
    void (*notice)(void *ctx, const struct core_problem *problem);
    /* After a batch: what was given is flushed. False: it could not be, so it counts as not given.
     */
    bool (*flush)(void *ctx);
};
sotto_error core_listen(struct core *core, uint32_t seconds, bool once,
                        const struct core_listener *listener);

/* Network. As core_listen without messages, for a program that serves others beside: it stays
 * connected until core_stop, with or without an account, and waits for the host's descriptors too.
 * The host may make local calls of this core in its step; what they queue leaves at once. */
#define CORE_HOST_FDS_MAX 256
struct core_host {
    void *ctx;
    /* Fills in what else to wait for, CORE_HOST_FDS_MAX at most; returns how many. */
    size_t (*wants)(void *ctx, struct pollfd *fds);
    /* After each wait, with what poll said of them. */
    void (*step)(void *ctx, const struct pollfd *fds, size_t count);
    void (*notice)(void *ctx, const struct core_problem *problem); /* as core_listener */
};
sotto_error core_serve(struct core *core, const struct core_host *host);

/* Ends core_listen, core_serve and any other call that waits for the network soon; what follows
 * ends at once. A signal handler and another thread may call it. */
void core_stop(struct core *core);

/* ---- Events --------------------------------------------------------------------------------- */

/* What changed in the profile since, by whichever process. The newest CORE_EVENTS_KEPT are kept:
 * whoever is further behind reads everything anew. */
#define CORE_EVENTS_KEPT 10000

enum core_event_kind {
    CORE_EVENT_MESSAGE = 1,         /* there is one: received, or written and waiting */
    CORE_EVENT_MESSAGE_CHANGED = 2, /* its status, text, kind or reactions */
    CORE_EVENT_CONVERSATION = 3,    /* made, changed (title, state, members, unread), or erased */
    CORE_EVENT_CONTACT = 4,
    CORE_EVENT_REQUEST = 5,        /* made, or answered */
    CORE_EVENT_ACCOUNT = 6,        /* one's own: registered, another name, another setting */
    CORE_EVENT_MESSAGE_ERASED = 7, /* its time was over */
};

struct core_event {
    uint64_t number; /* grows by one with each; never given twice */
    enum core_event_kind kind;
    struct core_id about; /* the conversation; of a contact, the account; zero for one's account */
    int64_t erased;       /* MESSAGE_ERASED: the id that it had; 0: it never left */
    const struct core_message *message; /* as it is now; NULL: of another kind, or erased since */
};

/* Local. Events above `after`, in order, at most limit. */
sotto_error core_events(struct core *core, uint64_t after, uint32_t limit,
                        void (*each)(void *ctx, const struct core_event *event), void *ctx);
/* Local. The oldest that is kept and the newest that was given; both 0: none yet. */
sotto_error core_events_range(struct core *core, uint64_t *oldest, uint64_t *newest);

/* ---- Status --------------------------------------------------------------------------------- */

struct core_status {
    uint32_t conversations, waiting, requests, contacts;
    uint32_t tokens;              /* anonymous ones in stock */
    uint32_t token_key;           /* number of the relay's newest issuing key; 0: none seen */
    uint8_t token_key_hash[32];   /* of its announcement: the same for everybody at the relay */
    bool passphrase;              /* one is needed to open this profile */
    uint64_t history, history_of; /* messages of the past that the device which linked this one gave
                                   * so far, and how many it has; both 0: no device did */
};

/* Local. */
sotto_error core_status(struct core *core, struct core_status *status);

#endif
