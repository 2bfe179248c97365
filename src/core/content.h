/* What people say: MIMI content (draft-ietf-mimi-content) in CBOR (RFC 8949), which travels as the
 * application data of MLS messages.
 *
 * Two levels. content_write and content_read deal in the few things that Sotto does today (text,
 * reply, edit, delete, reaction, profile, file, receipts); content_encode and content_decode deal
 * in the draft's whole message structure. What is well formed but not understood is CONTENT_NEWER:
 * keep its bytes, show "needs a newer version". What is malformed is refused with a fault.
 *
 * Everything that is written is in the deterministic encoding of RFC 8949, section 4.2.1, and
 * everything that is read must be: definite lengths, shortest heads, no duplicate keys. */
#ifndef CORE_CONTENT_H
#define CORE_CONTENT_H

#include "wire/ids.h"

/* ---- Limits (the draft's "General handling", and Sotto's own) ------------------------------ */

#define CONTENT_TEXT_MAX (1024u * 1024u)              /* one text part */
#define CONTENT_MAX (CONTENT_TEXT_MAX + 128u * 1024u) /* a whole message */
#define CONTENT_OWN_MAX \
    (CONTENT_TEXT_MAX + 96u * 1024u) /* OWN: a message of the past and its place */
#define CONTENT_DEPTH_MAX 4          /* nesting of parts */
#define CONTENT_PARTS_MAX 1024
#define CONTENT_EXTENSIONS_MAX 64
#define CONTENT_KEY_MAX 255           /* a text key of an extension */
#define CONTENT_EXTENSION_MAX 4095    /* bytes of a value */
#define CONTENT_FIELD_MAX 4096        /* URLs, media types, file names, keys, ... */
#define CONTENT_EXTENSION_DEPTH_MAX 4 /* of maps, arrays, tags; the map itself is one */
#define CONTENT_TOPIC_MAX 4096
#define CONTENT_NAME_MAX 256               /* a profile's name, bytes of UTF-8 */
#define CONTENT_PICTURE_MAX (256u * 1024u) /* a profile's picture */
#define CONTENT_REACTION_MAX 256           /* one emoji sequence, or a short word */
#define CONTENT_STATUSES_MAX 1024
#define CONTENT_EXPIRES_MAX (366u * 86400) /* after reading, in seconds */
#define CONTENT_ENC_ALG 0xF503 /* file_cipher.h, of the AEAD registry's private values */

#define CONTENT_ID_SIZE 32
#define CONTENT_SALT_SIZE 16

/* ---- What Sotto says ------------------------------------------------------------------------ */

enum content_kind {
    CONTENT_TEXT = 1,
    CONTENT_REPLY = 2,      /* a text about target */
    CONTENT_EDIT = 3,       /* a text instead of target */
    CONTENT_DELETE = 4,     /* target is taken back (also: a reaction is) */
    CONTENT_REACTION = 5,   /* text is the emoji, target what it is about */
    CONTENT_PROFILE = 6,    /* text is the sender's name, or empty: it stays */
    CONTENT_NEWER = 7,      /* well formed, not understood */
    CONTENT_FILE = 8,       /* a file that waits as a blob; text is what is said about it */
    CONTENT_STATUS = 9,     /* receipts: what became of messages here */
    CONTENT_MANIFEST = 10,  /* text is an account's manifest, as bytes (wire/manifest.h) */
    CONTENT_STATEMENT = 25, /* text is what an account says of itself (wire/statement.h) */
    CONTENT_OWN = 11,       /* text is what devices of one account tell each other (own.c) */
};

/* What a file is to be shown as (PROTOCOL.md section 6, "Pictures and voice notes"). */
enum content_form {
    CONTENT_AS_FILE = 0,
    CONTENT_AS_PICTURE = 1,
    CONTENT_AS_VOICE = 2,
};
#define CONTENT_PREVIEW_MAX (32u * 1024u)
#define CONTENT_SIDE_MAX (1u << 20)                /* of a picture, in pixels */
#define CONTENT_DURATION_MAX (24u * 3600u * 1000u) /* of a voice note, in milliseconds */
#define CONTENT_PEAKS_MAX 64                       /* of its waveform */

#define CONTENT_ALBUM_SIZE 16
#define CONTENT_ALBUM_MAX 64 /* files in one */

/* That files belong together: each is a message of its own. */
struct content_album {
    sotto_bytes id;     /* CONTENT_ALBUM_SIZE bytes, the same in all of the sender's; empty: none */
    uint32_t place, of; /* from 0; 2 to CONTENT_ALBUM_MAX */
};

/* A file as a message has it: an external part, encrypted as file_cipher.h does. */
struct content_file {
    sotto_bytes blob; /* 32 bytes: the blob's id, at the relay of the room */
    sotto_bytes key;  /* 32 bytes */
    sotto_bytes hash; /* 32 bytes: SHA-256 of the blob */
    uint64_t size;    /* of the file */
    sotto_bytes name; /* UTF-8, from the sender: file_name_clean it before use; may be empty */
    sotto_bytes type; /* media type, as the sender calls it; empty: application/octet-stream */
    enum content_form form;
    uint32_t width, height; /* PICTURE: as it is shown, 1 to CONTENT_SIDE_MAX */
    sotto_bytes preview;    /* PICTURE: a JPEG, CONTENT_PREVIEW_MAX at most; may be empty */
    uint32_t duration_ms;   /* VOICE: CONTENT_DURATION_MAX at most */
    sotto_bytes waveform;   /* VOICE: its peaks in order, 0 to 255; CONTENT_PEAKS_MAX at most */
    struct content_album album;
};

/* What a member says of a message (draft-mahy-mimi-message-status). */
enum content_status_value {
    CONTENT_UNREAD = 0,
    CONTENT_DELIVERED = 1,
    CONTENT_READ = 2, /* others exist; whoever reads bears all up to 255 */
};
struct content_status {
    uint8_t id[CONTENT_ID_SIZE]; /* of the message */
    uint8_t status;              /* enum content_status_value */
};

struct content_message {
    enum content_kind kind;
    sotto_bytes text; /* UTF-8 but for MANIFEST, OWN and STATEMENT; empty for DELETE and NEWER, may
                         be for FILE */
    struct content_file file; /* FILE */
    bool has_picture;         /* PROFILE: picture is the sender's, empty: none any more */
    sotto_bytes picture;
    bool markdown;                   /* text is Markdown (GFM-MIMI), else plain */
    uint8_t target[CONTENT_ID_SIZE]; /* REPLY, EDIT, DELETE, REACTION; else zeros */
    uint32_t expires_s;              /* erase so long after it was read; 0: that does not count */
    uint32_t expires_at_s;           /* erase then, in seconds since 1970; only read */
    struct content_status *statuses; /* STATUS: at least one */
    size_t status_count;
    bool has_replaced;                 /* REACTION: it takes the place of an earlier one */
    uint8_t replaced[CONTENT_ID_SIZE]; /* of that one */
    uint8_t id[CONTENT_ID_SIZE];       /* this message's own id: filled in by both functions */
};

/* Writes one message; appends to out. message->kind, text, markdown, target and replaced say what;
 * salt comes from env. account and room: whose and where; their URIs go into the message and its
 * id. message->id is filled in. VALUE: text is not UTF-8, or empty where it may not be; LIMIT: too
 * long; ARGUMENT: a kind that cannot be written; NO_RANDOM. */
sotto_error content_write(const sotto_env *env, struct content_message *message,
                          const struct account_id *account, const struct room_id *room,
                          sotto_buf *out);

/* Reads one message from the member `account` in `room`. message's views borrow from input, and
 * live in arena where input does not hold them as they are. Errors (fault says what and where):
 * malformed, above a limit, or it names another sender or room than the ones that MLS proves
 * (SENDER). */
sotto_error content_read(sotto_bytes input, const struct account_id *account,
                         const struct room_id *room, struct arena *arena,
                         struct content_message *message, sotto_fault *fault);

/* Zero bytes to be added (sotto_mls_encrypt's padding) to application data of that size, so that
 * the PrivateMessage's content has a Padmé size of at least 256 bytes (PROTOCOL.md, section 6). */
size_t content_padding(size_t size);

/* ---- The draft's structure ------------------------------------------------------------------ */

enum content_cardinality {
    CONTENT_PART_NULL = 0,
    CONTENT_PART_SINGLE = 1,
    CONTENT_PART_EXTERNAL = 2,
    CONTENT_PART_MULTI = 3,
};

enum content_disposition {
    CONTENT_UNSPECIFIED = 0,
    CONTENT_RENDER = 1,
    CONTENT_REACT = 2,
    CONTENT_PROFILE_OF = 3,
    CONTENT_INLINE = 4,
    CONTENT_ICON = 5,
    CONTENT_ATTACHMENT = 6,
    CONTENT_SESSION = 7,
    CONTENT_PREVIEW = 8, /* 9 to 255 are unknown, and treated as render */
};

enum content_semantics {
    CONTENT_CHOOSE_ONE = 0,
    CONTENT_SINGLE_UNIT = 1,
    CONTENT_PROCESS_ALL = 2,
};

struct content_part {
    uint8_t disposition;
    sotto_bytes language; /* UTF-8, may be empty */
    enum content_cardinality cardinality;
    union {
        struct {
            sotto_bytes type; /* media type with parameters */
            sotto_bytes body;
        } single;
        struct {
            sotto_bytes type, url;
            uint32_t expires;
            uint64_t size;
            uint16_t aead;
            sotto_bytes key, nonce, aad;
            uint8_t hash;
            sotto_bytes content_hash, description, filename;
        } external;
        struct {
            enum content_semantics semantics;
            struct content_part *parts; /* at least 2 */
            size_t count;
        } multi;
    } u;
};

struct content_extension {
    bool text_key;
    int64_t number;    /* !text_key */
    sotto_bytes name;  /* text_key; 1 to 255 bytes of UTF-8 */
    sotto_bytes value; /* one CBOR item, as it stands in the message */
};

struct content {
    uint8_t salt[CONTENT_SALT_SIZE];
    bool has_replaces, has_in_reply_to, has_expires;
    uint8_t replaces[CONTENT_ID_SIZE];
    uint8_t in_reply_to[CONTENT_ID_SIZE];
    sotto_bytes topic; /* empty: none */
    struct {
        bool relative;
        uint32_t time;
    } expires;
    bool has_sender, has_room;
    sotto_bytes sender, room;             /* extensions 1 and 2: URIs */
    struct content_extension *extensions; /* the others */
    size_t extension_count;
    struct content_part part;
};

/* Appends the encoding. Extensions are sorted by their encoded keys, so that equal contents have
 * equal bytes. LIMIT, VALUE: content breaks a rule that content_decode checks. */
sotto_error content_encode(const sotto_env *env, const struct content *content, sotto_buf *out);

/* Decodes a whole message; arrays live in arena, views borrow from input. */
sotto_error content_decode(sotto_bytes input, struct arena *arena, struct content *content,
                           sotto_fault *fault);

/* The message id: 0x01 and the first 31 bytes of SHA-256 over URIs, message and salt ("Message ID"
 * in the draft). LENGTH: a URI is longer than 65535 bytes. */
sotto_error content_id(sotto_bytes message, const uint8_t salt[CONTENT_SALT_SIZE],
                       sotto_bytes sender_uri, sotto_bytes room_uri, uint8_t id[CONTENT_ID_SIZE]);

/* "sotto:account/" or "sotto:room/" and the base64url form of the id. */
#define CONTENT_URI_SIZE 64
void content_account_uri(const struct account_id *account, char uri[CONTENT_URI_SIZE]);
void content_room_uri(const struct room_id *room, char uri[CONTENT_URI_SIZE]);

#endif
