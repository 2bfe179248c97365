/* The messages of PROTOCOL.md: one struct a body, one reader, one writer, one table.
 *
 * A decoded message borrows from the bytes it was read from, and its lists from the arena. What is
 * read was checked whole: lengths, limits, values, no byte left over. What is written is checked in
 * the same way, so that nobody sends what the other side must refuse.
 *
 * Fields are named as in PROTOCOL.md. Public ids are values; tokens, capabilities and everything
 * of variable size are views. No global state; any thread. */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "base/base.h"
#include "wire/ids.h"
#include "wire/label.h"
#include "wire/limits.h"
#include "wire/proof.h"
#include "wire/token.h"

/* ---- Types --------------------------------------------------------------------------------- */

#define MESSAGE_ANSWER_BIT 0x8000u

enum message_type {
    MESSAGE_HELLO = 0x0001,
    MESSAGE_TOKEN_KEYS = 0x0003,
    MESSAGE_LOG_GET = 0x0004,
    MESSAGE_REGISTER = 0x0101,
    MESSAGE_SIGN_IN = 0x0102,
    MESSAGE_PUT_MANIFEST = 0x0103,
    MESSAGE_PUBLISH_KEY_PACKAGES = 0x0104,
    MESSAGE_COUNT_KEY_PACKAGES = 0x0105,
    MESSAGE_INBOX_SUBSCRIBE = 0x0106,
    MESSAGE_INBOX_ACK = 0x0107,
    MESSAGE_GRANT = 0x0108,
    MESSAGE_REVOKE = 0x0109,
    MESSAGE_DELETE_ACCOUNT = 0x010A,
    MESSAGE_ISSUE_TOKENS = 0x010B,
    MESSAGE_SET_USERNAME = 0x010C,
    MESSAGE_SET_FINDABLE = 0x010D,
    MESSAGE_GET_LABELS = 0x010E,
    MESSAGE_GET_MANIFEST = 0x0201,
    MESSAGE_TAKE_KEY_PACKAGE = 0x0202,
    MESSAGE_POST_ENVELOPE = 0x0203,
    MESSAGE_ROOM_CREATE = 0x0204,
    MESSAGE_ROOM_APPEND = 0x0205,
    MESSAGE_ROOM_SUBSCRIBE = 0x0206,
    MESSAGE_ROOM_UNSUBSCRIBE = 0x0207,
    MESSAGE_ROOM_WHISPER = 0x0208,
    MESSAGE_ROOM_EXTEND = 0x0209,
    MESSAGE_FIND = 0x020C,
    MESSAGE_BLOB_CREATE = 0x0301,
    MESSAGE_BLOB_PUT = 0x0302,
    MESSAGE_BLOB_STATUS = 0x0303,
    MESSAGE_BLOB_FINISH = 0x0304,
    MESSAGE_BLOB_GET = 0x0305,
    MESSAGE_BLOB_DELETE = 0x0306,

    /* Answers: the request's type | 0x8000. */
    MESSAGE_HELLO_OK = 0x8001,
    MESSAGE_TOKEN_KEYS_OK = 0x8003,
    MESSAGE_LOG_GET_OK = 0x8004,
    MESSAGE_REGISTER_OK = 0x8101,
    MESSAGE_SIGN_IN_OK = 0x8102,
    MESSAGE_PUT_MANIFEST_OK = 0x8103,
    MESSAGE_PUBLISH_KEY_PACKAGES_OK = 0x8104,
    MESSAGE_COUNT_KEY_PACKAGES_OK = 0x8105,
    MESSAGE_INBOX_SUBSCRIBE_OK = 0x8106,
    MESSAGE_INBOX_ACK_OK = 0x8107,
    MESSAGE_GRANT_OK = 0x8108,
    MESSAGE_REVOKE_OK = 0x8109,
    MESSAGE_DELETE_ACCOUNT_OK = 0x810A,
    MESSAGE_ISSUE_TOKENS_OK = 0x810B,
    MESSAGE_SET_USERNAME_OK = 0x810C,
    MESSAGE_SET_FINDABLE_OK = 0x810D,
    MESSAGE_GET_LABELS_OK = 0x810E,
    MESSAGE_GET_MANIFEST_OK = 0x8201,
    MESSAGE_TAKE_KEY_PACKAGE_OK = 0x8202,
    MESSAGE_POST_ENVELOPE_OK = 0x8203,
    MESSAGE_ROOM_CREATE_OK = 0x8204,
    MESSAGE_ROOM_APPEND_OK = 0x8205,
    MESSAGE_ROOM_SUBSCRIBE_OK = 0x8206,
    MESSAGE_ROOM_UNSUBSCRIBE_OK = 0x8207,
    MESSAGE_ROOM_WHISPER_OK = 0x8208,
    MESSAGE_ROOM_EXTEND_OK = 0x8209,
    MESSAGE_FIND_OK = 0x820C,
    MESSAGE_BLOB_CREATE_OK = 0x8301,
    MESSAGE_BLOB_PUT_OK = 0x8302,
    MESSAGE_BLOB_STATUS_OK = 0x8303,
    MESSAGE_BLOB_FINISH_OK = 0x8304,
    MESSAGE_BLOB_GET_OK = 0x8305,
    MESSAGE_BLOB_DELETE_OK = 0x8306,

    /* Pushes: repeat the request of the subscription. */
    MESSAGE_INBOX_ENVELOPE = 0x4106,
    MESSAGE_ROOM_ENTRIES = 0x4206,
    MESSAGE_ROOM_END = 0x4207,
    MESSAGE_ROOM_WHISPERED = 0x4208,

    MESSAGE_ERROR = 0xFFFF,
};

/* Who reads: the relay takes requests only, the client answers, pushes and errors only. */
enum message_direction { MESSAGE_TO_RELAY, MESSAGE_TO_CLIENT };

/* As in hello.connection; values may be combined where a type goes on both. */
enum connection_kind { CONNECTION_ACCOUNT = 1, CONNECTION_ROOM = 2 };

/* ---- Error codes (section 3) --------------------------------------------------------------- */

/* name, number, the name on paper, text for people */
#define WIRE_CODES(X)                                                                            \
    X(BAD_REQUEST, 1, "bad_request", "the relay did not understand this client")                 \
    X(UNKNOWN_TYPE, 2, "unknown_type", "the relay is too old for this request")                  \
    X(WRONG_CONNECTION, 3, "wrong_connection", "the request came on the wrong connection")       \
    X(LIMIT, 4, "limit", "more than the relay takes")                                            \
    X(RATE_LIMITED, 5, "rate_limited", "too many requests; wait a little")                       \
    X(UNAVAILABLE, 6, "unavailable", "the relay cannot store anything now; try again later")     \
    X(NOT_SIGNED_IN, 10, "not_signed_in", "sign in first")                                       \
    X(SIGN_IN_FAILED, 11, "sign_in_failed", "the relay does not know this device; register")     \
    X(CODE_SENT, 12, "code_sent", "a code was sent to the phone number; enter it")               \
    X(WRONG_CODE, 13, "wrong_code", "the code is wrong")                                         \
    X(INVITATION_NEEDED, 14, "invitation_needed", "this relay takes invited people only")        \
    X(INVITATION_USED, 15, "invitation_used", "the invitation is used, expired or unknown")      \
    X(PHONE_NEEDED, 16, "phone_needed", "this relay needs a phone number")                       \
    X(BAD_MANIFEST, 17, "bad_manifest", "the list of devices is not valid or not the newest")    \
    X(PHONE_TAKEN, 18, "phone_taken", "the phone number belongs to another account")             \
    X(USERNAME_TAKEN, 19, "username_taken", "the username belongs to another account")           \
    X(NO_ACCOUNT, 20, "no_account", "no such account or device on this relay")                   \
    X(NO_KEY_PACKAGE, 21, "no_key_package", "the other device cannot be reached now; try later") \
    X(CAPABILITY_USED, 22, "capability_used", "the invitation was used already")                 \
    X(CAPABILITY_UNKNOWN, 23, "capability_unknown", "the invitation is expired or revoked")      \
    X(INBOX_FULL, 24, "inbox_full", "the other device's inbox is full; try later")               \
    X(TOKEN_REFUSED, 25, "token_refused", "the token is expired or not of this relay")           \
    X(TOKEN_SPENT, 26, "token_spent", "the token was spent before")                              \
    X(TOKEN_NEEDED, 27, "token_needed", "this relay takes tokens of its own people only")        \
    X(WITHDRAWN, 28, "withdrawn", "the relay has left this jurisdiction")                        \
    X(ACCOUNT_KEY_NEEDED, 29, "account_key_needed", "the account's own key has to sign that")    \
    X(NO_ROOM, 30, "no_room", "no such room, or not open to this client")                        \
    X(ROOM_EXISTS, 31, "room_exists", "a room of this id exists already")                        \
    X(STALE_EPOCH, 32, "stale_epoch", "the room has moved on; catch up first")                   \
    X(GATE_CLOSED, 33, "gate_closed", "this client's access to the room has ended")              \
    X(ROOM_FULL, 34, "room_full", "the room is full until a token is spent on it")               \
    X(INBOX_WAITS, 35, "inbox_waits", "something waits in the account's inboxes")                \
    X(NO_BLOB, 40, "no_blob", "no such file, or it has expired")                                 \
    X(BLOB_EXISTS, 41, "blob_exists", "a file of this id exists already")                        \
    X(BLOB_INCOMPLETE, 42, "blob_incomplete", "a part of the file is missing")                   \
    X(NO_LOG, 50, "no_log", "the relay's log has no such part")

enum wire_code {
#define WIRE_CODE_ENUM(name, number, paper, text) WIRE_CODE_##name = number,
    WIRE_CODES(WIRE_CODE_ENUM)
#undef WIRE_CODE_ENUM
};

/* "stale_epoch"; "unknown" for a number not in the table. Static. */
const char *wire_code_name(uint16_t code);

/* One sentence for people. Static. */
const char *wire_code_text(uint16_t code);

/* ---- Bodies -------------------------------------------------------------------------------- */

enum permission_kind {
    PERMISSION_NONE = 0,
    PERMISSION_CAPABILITY = 1, /* value: 32 bytes */
    PERMISSION_TOKEN = 2,      /* value: TOKEN_VALUE_SIZE bytes (token_parse) */
};

struct permission {
    uint8_t kind;
    sotto_bytes value;
};

enum registration { REGISTRATION_OPEN = 1, REGISTRATION_INVITE = 2, REGISTRATION_PHONE = 3 };

struct hello {
    uint16_t version;   /* WIRE_VERSION; the reader refuses others with VERSION */
    uint8_t connection; /* enum connection_kind */
};

struct hello_ok {
    uint16_t version;
    uint8_t challenge[CHALLENGE_SIZE];
    uint8_t registration;
    uint16_t retention_days;
    uint32_t max_entry, max_envelope;
    uint64_t now; /* the relay's clock, seconds since 1970 */
    sotto_bytes name;
};

/* The body of `error`. */
struct wire_error {
    uint16_t code; /* enum wire_code, or a number newer than this client */
    uint64_t detail;
    sotto_bytes text; /* UTF-8, for people; may be empty */
};

struct register_request {
    sotto_bytes manifest; /* as bytes; manifest_read verifies it */
    struct device_id device;
    struct proof proof;
    sotto_bytes phone, invitation, code; /* each may be empty */
};

struct sign_in {
    struct account_id account;
    struct device_id device;
    struct proof proof;
};

struct delete_account {
    struct ending_proof proof;
    bool unless_waiting; /* not while something waits in an inbox of the account */
};

struct publish_key_packages {
    const sotto_bytes *key_packages; /* each one MLSMessage */
    size_t count;                    /* may be 0 when last_resort is set */
    sotto_bytes last_resort;         /* empty: unchanged */
};

struct key_package_count {
    uint32_t count;
    bool has_last_resort; /* count_key_packages only */
};

struct grant {
    struct gate capability_hash;
    uint64_t expires;
    uint32_t uses;
};

struct token_keys {
    uint32_t a_day;               /* tokens that an account gets a day; 0: none are issued */
    const struct token_key *keys; /* without a gap, each naming the one before; the last issues */
    size_t count;                 /* at least 1 */
};

struct issue_tokens {
    uint32_t key;        /* number of the key to issue with */
    sotto_bytes blinded; /* 1 to WIRE_TOKENS_MAX elements, one behind the other */
};

struct issue_tokens_ok {
    sotto_bytes evaluated; /* as many */
    sotto_bytes proof;     /* one for all: TOKEN_PROOF_SIZE bytes */
};

/* What an account is found by. */
struct labels {
    sotto_bytes username; /* empty: none */
    sotto_bytes phone;    /* empty: none */
    bool findable;        /* by its number too */
};

struct find {
    struct permission permission;
    uint8_t kind; /* enum label_kind */
    sotto_bytes label;
};

struct inbox_envelope {
    uint64_t seq;
    sotto_bytes sealed;
};

struct get_manifest {
    struct permission permission;
    struct account_id account;
};

struct take_key_package {
    struct permission permission;
    struct request_id take_id;
    struct account_id account;
    struct device_id device;
};

struct post_envelope {
    struct permission permission;
    struct request_id post_id;
    struct account_id account;
    struct device_id device;
    sotto_bytes sealed;
};

struct room_create {
    struct permission permission;
    struct room_id room;
    struct gate write_gate, read_gate;
};

struct room_extend {
    struct permission permission;
    struct room_id room;
    uint64_t size; /* that it shall hold */
};

enum entry_kind { ENTRY_MESSAGE = 1, ENTRY_COMMIT = 2 };

struct append {
    struct room_id room;
    struct request_id append_id;
    uint64_t epoch;
    sotto_bytes write_token;     /* 32 bytes */
    uint8_t kind;                /* enum entry_kind */
    struct gate next_write_gate; /* commit only */
    bool has_next_read_gate;     /* commit only */
    struct gate next_read_gate;
    sotto_bytes bytes; /* never empty */
};

/* What is told to whoever listens at that moment, and kept by nobody. */
struct room_whisper {
    struct room_id room;
    uint64_t epoch;
    sotto_bytes write_token; /* 32 bytes */
    sotto_bytes bytes;       /* 1 to WIRE_WHISPER_MAX */
};

struct entry {
    uint64_t seq, epoch;
    uint8_t kind;
    struct request_id append_id;
    sotto_bytes bytes;
};

struct room_subscribe {
    struct room_id room;
    sotto_bytes read_token; /* 32 bytes */
    uint64_t from_seq;      /* at least 1 */
};

struct room_subscribe_ok {
    uint64_t head, first, epoch;
};

struct room_entries {
    const struct entry *entries; /* ascending seq without a gap; the reader checks it */
    size_t count;                /* at least 1 */
};

/* Without a token there is one permission, of kind none; else as many tokens as the size costs. */
struct blob_create {
    const struct permission *permissions; /* at least 1 */
    size_t permission_count;
    struct blob_id blob;
    uint64_t size; /* 1 to WIRE_BLOB_MAX */
    struct gate write_gate;
};

struct blob_put {
    struct blob_id blob;
    sotto_bytes write_token; /* 32 bytes */
    uint64_t offset;
    sotto_bytes bytes; /* never empty */
};

/* What only the uploader asks. */
struct blob_owner {
    struct blob_id blob;
    sotto_bytes write_token; /* 32 bytes */
};

struct blob_state {
    uint64_t size;
    uint64_t stored; /* from the beginning without a gap; at most size */
    bool finished;
};

struct blob_get {
    struct blob_id blob;
    uint64_t offset;
    uint32_t length; /* 1 to WIRE_BLOB_PIECE_MAX */
};

struct message {
    uint16_t type;    /* enum message_type; says which member below counts (none: empty body) */
    uint32_t request; /* non-zero, except in an `error` about the connection itself */
    union {
        struct hello hello;
        struct hello_ok hello_ok;
        struct wire_error error;
        struct register_request register_request;
        struct sign_in sign_in;
        struct delete_account delete_account;
        sotto_bytes log_path; /* LOG_GET */
        sotto_bytes log_file; /* LOG_GET_OK */
        sotto_bytes manifest; /* PUT_MANIFEST, GET_MANIFEST_OK; FIND_OK: empty, nobody is found */
        struct publish_key_packages publish_key_packages;
        struct key_package_count key_package_count; /* PUBLISH_..._OK, COUNT_..._OK */
        uint64_t seq;                               /* INBOX_ACK, ROOM_APPEND_OK */
        uint64_t head;                              /* INBOX_SUBSCRIBE_OK; 0: nothing waits */
        struct grant grant;
        struct gate capability_hash; /* REVOKE */
        uint32_t first_key;          /* TOKEN_KEYS: the first wanted; 0: those that are taken now */
        struct token_keys token_keys;
        struct issue_tokens issue_tokens;
        struct issue_tokens_ok issue_tokens_ok;
        sotto_bytes username; /* SET_USERNAME; empty: none any more */
        bool findable;        /* SET_FINDABLE */
        struct labels labels; /* GET_LABELS_OK */
        struct find find;
        struct inbox_envelope inbox_envelope;
        struct get_manifest get_manifest;
        struct take_key_package take_key_package;
        sotto_bytes key_package; /* TAKE_KEY_PACKAGE_OK */
        struct post_envelope post_envelope;
        struct room_create room_create;
        struct room_extend room_extend;
        uint64_t size;        /* ROOM_EXTEND_OK: that the room holds */
        struct append append; /* ROOM_APPEND */
        struct room_whisper whisper;
        sotto_bytes whispered; /* ROOM_WHISPERED; never empty */
        struct room_subscribe room_subscribe;
        struct room_subscribe_ok room_subscribe_ok;
        uint32_t subscription; /* ROOM_UNSUBSCRIBE */
        struct room_entries room_entries;
        uint16_t end_code; /* ROOM_END: enum wire_code */
        struct blob_create blob_create;
        struct blob_put blob_put;
        struct blob_owner blob_owner; /* BLOB_STATUS, BLOB_FINISH, BLOB_DELETE */
        struct blob_state blob_state; /* BLOB_STATUS_OK */
        uint64_t blob_stored;         /* BLOB_PUT_OK */
        struct blob_get blob_get;
        sotto_bytes blob_bytes; /* BLOB_GET_OK; never empty */
    };
};

/* ---- Reading and writing ------------------------------------------------------------------- */

/* Reads one whole message. On failure fault says which field and where, message->type and
 * message->request hold what could be read of them (0 if the message is shorter), so that a relay
 * can answer, and the rest of *message is zero. A relay answers by fault->error:
 *   UNSUPPORTED  unknown_type (detail: message->type)
 *   LIMIT        limit
 *   VERSION      bad_request; hello of another protocol version
 *   NO_MEMORY    unavailable
 *   else         bad_request (detail: fault->offset)
 * bytes must live as long as *message, arena (initialised by the caller) as long as its lists. */
sotto_error message_read(sotto_bytes bytes, enum message_direction direction, struct arena *arena,
                         struct message *message, sotto_fault *fault);

/* Appends the message. ARGUMENT: a field's size or value is not what the protocol has; LIMIT: too
 * large; UNSUPPORTED: no such type. buf is then as it was. */
sotto_error message_write(const struct message *message, sotto_buf *buf);

/* The first WIRE_HEAD bytes of a message alone: type and request. A relay that pushes the same body
 * to many subscribers writes the body once and each head apart (channel_send takes parts). */
void message_head(uint16_t type, uint32_t request, uint8_t out[static WIRE_HEAD]);

/* The connections that a request may come on, as a set of enum connection_kind; 0: no request. */
unsigned message_connections(uint16_t type);

/* "room_append"; "unknown" for a number not in the table. Static. */
const char *message_name(uint16_t type);

#endif
