/* The relay's store, as an asynchronous interface: operations are submitted, completions come back.
 * Nothing above it may assume that a write is local or immediate.
 *
 * An operation is decided where the state is: the store reads the present state, refuses with an
 * error code of the protocol or executes, and completes the operation when the outcome is durable.
 * Writes are executed in the order in which they were submitted by one thread. Reads see at
 * least every write that was completed before they were submitted.
 *
 * Completions and notices reach a port: a queue with a descriptor to poll. A notice tells every
 * port of an entry or an envelope that is durable now, whoever wrote it. */
#ifndef RELAY_STORE_H
#define RELAY_STORE_H

#include <stdatomic.h>

#include "relay/figures.h"
#include "relay/limits.h"
#include "relay/withdrawal.h"
#include "wire/manifest.h"
#include "wire/message.h"

struct store;
struct store_port;
struct store_op;

/* ---- Shared bytes --------------------------------------------------------------------------- */

/* A ROOM_ENTRIES message, counted, shared between subscribers and threads. Behind its first
 * WIRE_HEAD bytes it never changes once it was given out; the head is replaced by each sender. */
struct blob {
    atomic_uint refs;
    sotto_buf message;
    size_t seq_at;       /* where the entry's seq stands, if made by blob_of_append */
    sotto_bytes payload; /* Entry.bytes, if made by blob_of_append */
};

/* The push of one entry whose seq is not known yet. NO_MEMORY, LIMIT. */
sotto_error blob_of_append(const sotto_env *env, const struct append *append, struct blob **blob);
void blob_set_seq(struct blob *blob, uint64_t seq);
/* The push of several entries. */
sotto_error blob_of_entries(const sotto_env *env, const struct entry *entries, size_t count,
                            struct blob **blob);
/* The push of a whisper. */
sotto_error blob_of_whisper(const sotto_env *env, sotto_bytes bytes, struct blob **blob);
struct blob *blob_hold(struct blob *blob);
void blob_drop(struct blob *blob); /* NULL allowed */

/* What to send behind the head. */
static inline sotto_bytes blob_body(const struct blob *blob)
{
    return sotto_bytes_of(blob->message.data + WIRE_HEAD, blob->message.size - WIRE_HEAD);
}

/* ---- Operations ----------------------------------------------------------------------------- */

enum store_kind {
    /* writes */
    STORE_ROOM_CREATE,
    STORE_ROOM_APPEND,
    STORE_REGISTER,
    STORE_PUT_MANIFEST,
    STORE_PUBLISH,
    STORE_TAKE_KEY_PACKAGE,
    STORE_POST_ENVELOPE,
    STORE_NOTICE, /* the relay's own word to an account: an envelope for each of its devices */
    STORE_INBOX_ACK,
    STORE_GRANT,
    STORE_REVOKE,
    STORE_DELETE_ACCOUNT,
    STORE_SEEN,   /* an account signed in from an address */
    STORE_INVITE, /* a new invitation to register */
    STORE_EXPIRE,
    STORE_BLOB_CREATE,
    STORE_BLOB_ADVANCE, /* so much of it is durable; or it is finished */
    STORE_BLOB_DELETE,
    STORE_BLOB_EXPIRE,
    STORE_TOKEN_KEYS,   /* makes the next issuing key when it is time, erases what has ended */
    STORE_ISSUE_TOKENS, /* counts them; they are made when that is durable */
    STORE_ROOM_EXTEND,
    STORE_SET_USERNAME,
    STORE_SET_FINDABLE,
    STORE_FIND,       /* looks, and spends a token */
    STORE_WITHDRAWAL, /* goes on with leaving a jurisdiction, or with staying */
    /* reads */
    STORE_ROOM_OPEN,
    STORE_ROOM_FETCH,
    STORE_ROOM_MAY_WRITE, /* whether a write token is that of the room's epoch */
    STORE_INBOX_FETCH,
    STORE_SIGN_IN,
    STORE_GET_MANIFEST,
    STORE_COUNT_KEY_PACKAGES,
    STORE_GET_LABELS,
    STORE_STATUS,
    STORE_BLOB_FIND,
    STORE_BLOB_LIST,
    STORE_KINDS,
    STORE_BLOB_JOB, /* for blobs.h, which keeps the bytes: no engine sees it */
};

static inline bool store_kind_writes(enum store_kind kind)
{
    return kind < STORE_ROOM_OPEN;
}

/* Keys of rows. Never given out again, so that a key which outlives its row means nothing. */
struct session {
    int64_t account, device;
};

enum { ADDRESS_TEXT = 46 }; /* INET6_ADDRSTRLEN */

/* A Permission as the store needs it: a capability by its hash, a token by its nonce. */
struct store_permission {
    enum permission_kind kind;
    struct gate capability_hash;
    bool token_good; /* its output is right, for the key that it names */
    uint32_t token_key;
    uint8_t token_nonce[TOKEN_NONCE_SIZE];
};

struct store_room_create {
    struct store_permission permission;
    uint64_t size; /* that it shall hold */
    struct room_id room;
    struct gate write_gate, read_gate;
};

/* The token is hashed before it gets here. Owns a reference to blob. */
struct store_append {
    struct room_id room;
    struct request_id append_id;
    uint64_t epoch;
    struct gate gate;
    uint8_t kind;
    struct gate next_write_gate;
    bool has_next_read_gate;
    struct gate next_read_gate;
    struct blob *blob;
    uint64_t seq; /* out */
};

struct store_room_extend {
    struct store_permission permission;
    struct room_id room;
    uint64_t step; /* that one token pays for */
    uint64_t size; /* wanted; out: what it holds now */
};

struct store_token_key {
    struct token_key key;
    sotto_bytes private_key; /* empty: it has ended */
};

struct store_token_keys {
    uint64_t now;                       /* seconds since 1970, by the clock that is behind */
    uint32_t days;                      /* that a new key issues */
    const struct store_token_key *keys; /* out: all there ever were, ascending */
    size_t count;
};

struct store_issue {
    struct session session;
    uint32_t key, count, a_day;
    uint8_t request_hash[HASH_SIZE]; /* of the whole request */
    sotto_bytes blinded;             /* for the submitter */
};

struct store_device {
    struct device_id id;
    uint8_t sign_in_hash[HASH_SIZE];
};

struct store_register {
    struct account_id account;
    struct device_id device;
    sotto_bytes manifest; /* verified; of this account */
    const struct store_device *devices;
    size_t device_count;
    enum registration mode;
    sotto_bytes phone; /* empty: none */
    bool has_invitation, has_code;
    uint8_t invitation_hash[HASH_SIZE], code_hash[HASH_SIZE];
    uint8_t new_code_hash[HASH_SIZE]; /* of a fresh code, to be used if one has to be sent */
    char address[ADDRESS_TEXT];       /* empty: not to be kept */
    const char *label;                /* of an account that no labelled invitation is shown for */
    bool send_code;                   /* out, with CODE_SENT: hand the fresh code over */
    struct session session;           /* out */
};

struct store_delete_account {
    struct session session;
    bool unless_waiting; /* INBOX_WAITS, with how many, while an inbox of it has something */
};

struct store_put_manifest {
    struct session session;
    sotto_bytes manifest; /* verified; of this account */
    const struct store_device *devices;
    size_t device_count;
};

struct store_publish {
    struct session session;
    const sotto_bytes *key_packages;
    size_t count;
    sotto_bytes last_resort; /* empty: unchanged */
    uint32_t stored;         /* out; also of COUNT_KEY_PACKAGES */
    bool has_last_resort;    /* out of COUNT_KEY_PACKAGES */
};

struct store_take {
    struct store_permission permission;
    struct request_id take_id;
    struct account_id account;
    struct device_id device;
    sotto_bytes key_package; /* out */
};

struct store_post {
    struct store_permission permission;
    struct request_id post_id;
    struct account_id account;
    struct device_id device;
    sotto_bytes sealed;
};

struct store_ack {
    struct session session;
    uint64_t seq;
};

struct store_grant {
    struct session session;
    struct gate capability_hash;
    uint64_t expires;
    uint32_t uses;
};

struct store_seen {
    struct session session;
    char address[ADDRESS_TEXT];
};

struct store_invite {
    uint8_t hash[HASH_SIZE];
    uint32_t uses;
    uint64_t expires;
    sotto_bytes label; /* of the accounts that are registered with it; empty: none */
};

/* One step, of bounded work: telling devices, or erasing accounts. Steps may be repeated. */
struct store_withdrawal {
    const struct withdrawal *withdrawal; /* the submitter's */
    bool due;                            /* its day has come */
    int64_t
        after; /* 0: from the beginning. Out: to be given to the next step; 0: all were looked at */
    enum withdrawal_state state; /* out */
    uint64_t accounts;           /* out: erased so far */
};

struct store_expire {
    uint64_t today;  /* days since 1970, by the clock that is behind: it decides what is old */
    uint64_t latest; /* days since 1970, by the clock that is ahead: what lies behind it is wrong */
    uint64_t now;    /* seconds since 1970 */
    uint32_t retention_days, room_days;
    int64_t ip_seconds; /* how long a last address is kept; negative: until it is replaced */
    bool more;          /* out: there is more to erase, submit again */
    uint64_t erased;    /* out: rows */
};

struct store_room_open {
    struct room_id room;
    struct gate gate; /* SHA-256 of the read token */
    int64_t key;      /* out */
    uint64_t head, first, epoch;
    uint64_t until; /* out: UINT64_MAX, or the commit that closed this gate */
};

struct store_room_fetch {
    int64_t key;
    uint64_t from, until; /* both included */
    struct blob *blob;    /* out; NULL: none are kept in that span */
    uint64_t last;        /* out: seq of the last one in blob */
};

struct store_may_write {
    struct room_id room;
    uint64_t epoch;
    struct gate gate;
    struct blob *blob; /* for the submitter, who has it told with store_tell; owned */
};

struct store_envelope {
    uint64_t seq;
    sotto_bytes sealed;
};

struct store_inbox_fetch {
    struct session session;
    uint64_t from;
    const struct store_envelope *envelopes; /* out */
    size_t count;
    uint64_t head; /* out, where from is 0: the newest that is there; 0: none */
};

struct store_sign_in {
    struct account_id account;
    struct device_id device;
    uint8_t sign_in_hash[HASH_SIZE]; /* out */
    struct session session;          /* out */
    bool withdrawn; /* out: to be answered so if the key is right; detail and where are set */
};

struct store_get_manifest {
    struct store_permission permission;
    struct account_id account;
    sotto_bytes manifest; /* out */
};

/* GET fills in all; SET_USERNAME and SET_FINDABLE take theirs. */
struct store_labels {
    struct session session;
    sotto_bytes username, phone; /* empty: none */
    bool findable;
};

struct store_find {
    struct store_permission permission;
    enum label_kind kind;
    sotto_bytes label;
    sotto_bytes manifest; /* out; empty: nobody has it, or nobody who wants to be found by it */
};

struct store_status {
    uint64_t accounts, devices, key_packages, envelopes, rooms, entries, bytes;
    uint64_t blobs, blob_bytes;
};

/* The row of a file that people left: known by the SHA-256 of its id. */
struct store_file {
    uint8_t hash[HASH_SIZE];
    struct gate write_gate;
    uint64_t size;
    uint64_t stored; /* so much of it is known to be durable */
    bool finished;
};

/* file first: where the others have theirs. */
struct store_file_create {
    struct store_file file;
    const struct store_permission *permissions;
    size_t permission_count;
};

/* EXPIRE erases rows that are old and says which; LIST gives rows in the order of their hashes. */
struct store_file_list {
    uint64_t today; /* of EXPIRE, as of STORE_EXPIRE */
    uint32_t retention_days;
    uint8_t after[HASH_SIZE];       /* of LIST: begin behind */
    const struct store_file *files; /* out */
    size_t count;
    bool more; /* out: there may be more, submit again */
};

/* What is asked of blobs.h. */
enum blob_job { BLOB_CREATE, BLOB_PUT, BLOB_STATUS, BLOB_FINISH, BLOB_GET, BLOB_DELETE, BLOB_DROP };

struct store_blob_job {
    enum blob_job job;
    struct store_file file; /* in: hash, gate; size of CREATE and DROP. Out: all of it */
    const struct store_permission *permissions; /* of CREATE */
    size_t permission_count;
    uint64_t offset;
    uint32_t length;   /* of GET */
    sotto_bytes bytes; /* in of PUT, out of GET */
};

struct store_op {
    enum store_kind kind;
    struct arena arena; /* owns all variable bytes, of the question and of the answer */
    size_t size;        /* of those bytes, for limits */
    size_t charged;     /* the submitter's: likewise */
    size_t queued;      /* the engine's: what was counted when it was submitted */

    /* Completion: done is called by store_port_run in the thread of the port, and then the
     * operation is freed. port NULL: nobody waits. */
    struct store_port *port;
    void (*done)(struct store_op *op);
    void *ctx;
    uint32_t request; /* for the submitter */

    uint16_t code;                        /* 0: done; else enum wire_code */
    uint64_t detail;                      /* of the code */
    char where[WITHDRAWAL_LABEL_MAX + 1]; /* of WITHDRAWN: the jurisdiction */

    union {
        struct store_room_create room_create;
        struct store_append append;
        struct store_register registration;
        struct store_put_manifest put_manifest;
        struct store_publish publish; /* COUNT_KEY_PACKAGES too */
        struct store_take take;
        struct store_post post;
        struct store_ack ack;
        struct store_grant grant; /* REVOKE too */
        struct store_delete_account delete_account;
        struct store_seen seen;
        struct store_invite invite;
        struct store_withdrawal withdrawal;
        struct store_expire expire;
        struct store_token_keys token_keys;
        struct store_issue issue;
        struct store_room_extend room_extend;
        struct store_room_open room_open;
        struct store_room_fetch room_fetch;
        struct store_may_write may_write;
        struct store_inbox_fetch inbox_fetch;
        struct store_sign_in sign_in;
        struct store_get_manifest get_manifest;
        struct store_labels labels;
        struct store_find find;
        struct store_status status;
        struct store_file file; /* BLOB_ADVANCE, DELETE, FIND */
        struct store_file_create file_create;
        struct store_file_list file_list;
        struct store_blob_job blob;
    };

    struct store_op *next;         /* of the queue that it is in */
    struct store_figures *figures; /* where its completion is counted; NULL: it is not */
    uint64_t submitted_us;
};

/* NULL when out of memory. */
struct store_op *store_op_new(const sotto_env *env, enum store_kind kind);
void store_op_free(struct store_op *op); /* NULL allowed */

/* Copies bytes into the operation. NO_MEMORY. */
sotto_error store_op_copy(struct store_op *op, sotto_bytes bytes, sotto_bytes *copy);

/* Copies a manifest's list of devices into the operation. */
sotto_error store_op_devices(struct store_op *op, const struct manifest *manifest,
                             const struct store_device **devices, size_t *count);

/* ---- Notices -------------------------------------------------------------------------------- */

enum notice_kind { NOTICE_ENTRY = 1, NOTICE_ENVELOPE = 2, NOTICE_WHISPER = 3 };

struct notice {
    enum notice_kind kind;
    /* ENTRY */
    struct room_id room;
    uint64_t seq;
    struct blob *blob;
    bool closes_gate;
    struct gate closed_gate; /* the read gate that this commit closed */
    /* WHISPER: room and blob, and */
    const void *from; /* whose connection it is not told to; to be compared, not followed */
    /* ENVELOPE */
    int64_t device;
};

/* ---- Ports ---------------------------------------------------------------------------------- */

/* notice NULL: this port hears completions only. A port is closed when none of its operations is
 * under way, or after the store. IO: no descriptors left; NO_MEMORY; LIMIT: too many ports. */
sotto_error store_port_open(struct store *store, void (*notice)(void *ctx, const struct notice *),
                            void *ctx, struct store_port **port);
void store_port_close(struct store_port *port);   /* NULL allowed */
int store_port_fd(const struct store_port *port); /* readable when there is something */
/* Tells every port of a whisper, which nothing keeps: one that cannot be told for want of memory is
 * dropped. Any thread. */
void store_tell(struct store *store, const struct room_id *room, struct blob *blob,
                const void *from);
/* Calls done of what was completed and notice of what was written, in the caller's thread. */
void store_port_run(struct store_port *port);

/* ---- The store ------------------------------------------------------------------------------ */

/* Takes the operation, whatever happens. Where the store takes no more (too much is queued, or it
 * is closing) the operation completes with UNAVAILABLE. Any thread. */
void store_submit(struct store *store, struct store_op *op);

/* Submits and waits, on a port that is used for nothing else and hears no notices. The caller frees
 * the operation. */
void store_call(struct store_port *port, struct store_op *op);

/* How many operations met a row that is not what was put there, and so were refused with
 * UNAVAILABLE. Any thread. */
uint64_t store_corrupt(struct store *store);

/* What is counted. Any thread. */
const struct store_figures *store_figures(const struct store *store);

/* For what completes operations beside the store: counts from now on, until store_complete. */
void store_begin(struct store *store, struct store_op *op);

/* Executes what was submitted, then closes. No completion follows afterwards. */
void store_close(struct store *store); /* NULL allowed */

#endif
