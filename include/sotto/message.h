/* Messages (sotto/sotto.h). */
#ifndef SOTTO_MESSAGE_H
#define SOTTO_MESSAGE_H

#include "sotto/problem.h"

SOTTO_API_BEGIN

/* ---- Messages ------------------------------------------------------------------------------- */

enum sotto_message_kind {
    SOTTO_KIND_TEXT = 1,
    SOTTO_KIND_UNREADABLE = 2, /* a member's message that could not be read */
    SOTTO_KIND_NEWER = 3,      /* content that needs a newer version of Sotto; kept */
    SOTTO_KIND_ADDED = 4,      /* from here on: what happened in the conversation */
    SOTTO_KIND_REMOVED = 5,
    SOTTO_KIND_LEFT = 6,
    SOTTO_KIND_JOINED = 7,   /* this account joined */
    SOTTO_KIND_FORK = 8,     /* the relay's log contradicts itself from here on */
    SOTTO_KIND_FILE = 9,     /* a file: text is what is said about it */
    SOTTO_KIND_DELETED = 10, /* was a message until its sender took it back */
    SOTTO_KIND_PICTURE = 40, /* a file that is to be shown as a picture */
    SOTTO_KIND_VOICE = 41,   /* a file that is to be played: a voice note */
    SOTTO_KIND_MISSING = 11, /* messages between since_s and time_s did not reach this device */
    /* What became of a group's settings; detail says to what: */
    SOTTO_KIND_TITLE = 20,   /* another title: detail */
    SOTTO_KIND_ROLE = 21,    /* another role of the subject: "admin" */
    SOTTO_KIND_SETTING = 22, /* "picture", "description", "timer 3600", "join ask", "add admin" */
    SOTTO_KIND_BAN = 23,     /* of the subject: "banned", "allowed" */
    SOTTO_KIND_REFUSED = 24, /* the sender wrote without being allowed to; it is not kept */
    SOTTO_KIND_ACCOUNT_DELETED = 25, /* the sender's account is no more */
    /* Between two people, of the other one (the subject): */
    SOTTO_KIND_DEVICE_ADDED = 30, /* their account has another device */
    SOTTO_KIND_DEVICE_REMOVED = 31,
    SOTTO_KIND_CONFLICT = 32, /* their account's key has signed two lists of devices that contradict
                               * each other: somebody else may have it */
};

/* What a kind is called: "text". Static text. */
const char *sotto_message_kind_name(enum sotto_message_kind kind);

/* Whether there is a file to be fetched. */
static inline bool sotto_message_has_file(enum sotto_message_kind kind)
{
    return kind == SOTTO_KIND_FILE || kind == SOTTO_KIND_PICTURE || kind == SOTTO_KIND_VOICE;
}

enum sotto_message_status {
    SOTTO_STATUS_RECEIVED = 1,
    SOTTO_STATUS_SENT = 2,
    SOTTO_STATUS_WAITING = 3, /* in the outbox */
    SOTTO_STATUS_FAILED = 4,  /* will not be sent: the conversation is over */
    /* Sent, and the other person's receipt is here; between two people alone: */
    SOTTO_STATUS_DELIVERED = 5,
    SOTTO_STATUS_READ = 6,
};

/* What a status is called: "received". Static text. */
const char *sotto_message_status_name(enum sotto_message_status status);

/* One a person and message. */
struct sotto_reaction {
    struct sotto_id sender;
    const char *name;
    bool own;
    sotto_bytes text; /* an emoji, or a word */
};

/* What a message answers. */
struct sotto_quote {
    int64_t id; /* 0: it is not here, or gone; then there is nothing else */
    struct sotto_id sender;
    const char *name;
    bool own;
    sotto_bytes text; /* its first line, SOTTO_QUOTE_MAX bytes at most; of a file what was said */
};
#define SOTTO_QUOTE_MAX 120
#define SOTTO_MENTIONS_MAX 64

/* A part of a line: found, or what stands between. */
struct sotto_piece {
    sotto_bytes text;
    bool hit;
};
#define SOTTO_SNIPPET_MAX 160 /* bytes of the text in a snippet */

#define SOTTO_PREVIEW_MAX (32u * 1024u)

struct sotto_message {
    int64_t id; /* grows with each message stored in this profile; 0 while waiting */
    struct sotto_id conversation;
    const char *title;
    uint64_t seq; /* in the room's log; 0 while waiting */
    enum sotto_message_kind kind;
    enum sotto_message_status status;
    bool own;
    bool blocked;  /* its sender is: in groups, where it is kept */
    bool imported; /* from an export: nobody proved who wrote it, and when */
    struct sotto_id sender;
    const char *sender_name;
    struct sotto_id subject; /* who was added, removed or left */
    const char *subject_name;
    bool subject_own;
    uint64_t time_s;  /* when this device stored it */
    uint64_t since_s; /* of MISSING */
    sotto_bytes text;
    sotto_bytes detail; /* of what became of settings; else empty */
    /* Of a file. The name is made harmless: one that stays in its directory. */
    const char *file_name;
    uint64_t file_size;
    bool fetched; /* it was fetched already (sotto_set_downloads): sotto_save needs no network */
    const char *file_type; /* what its sender calls it, such as "image/png"; "" for anything else */
    uint32_t width, height; /* of a picture, as it is shown, in pixels */
    sotto_bytes preview;    /* of a picture: a small JPEG; empty: none. From others: only ever shown
                               by what may be broken by it */
    uint32_t duration_ms;   /* of a voice note; 0: not said */
    sotto_bytes waveform; /* of a voice note: its loudness in equal steps, 0 to 255; may be empty */
    char album[33];       /* of files that their sender sent together: the same of all; else "" */
    uint32_t album_place; /* its place among them, from 1 */
    uint32_t album_of;    /* how many they are; some may be missing, or come later */
    const char *client_id; /* of own messages, else "" */
    uint32_t timer_s;      /* how long after it was read, own ones: sent, it is erased; 0: not */
    uint64_t erase_s;      /* when; 0: the clock does not run */
    bool markdown;         /* text is Markdown (GFM-MIMI: no HTML in it) */
    uint64_t edited_s;     /* when the newest edit came; 0: never edited */
    bool reply;
    struct sotto_quote quote;        /* if reply */
    const struct sotto_id *mentions; /* accounts, in Markdown: links to sotto:account/ and the id in
                                       base64url; SOTTO_MENTIONS_MAX at most */
    size_t mention_count;
    const struct sotto_reaction *reactions;
    size_t reaction_count;
    const struct sotto_piece *snippet; /* of sotto_search: a line of text around what was found, cut
                                          where a hit begins or ends; its ends are an ellipsis where
                                          something is left out. Else empty */
    size_t snippet_count;
};

typedef void sotto_message_fn(void *ctx, const struct sotto_message *message);

#define SOTTO_TEXT_MAX (1024u * 1024u)
#define SOTTO_CLIENT_ID_MAX 64
struct sotto_text {
    sotto_bytes text; /* UTF-8, 1 byte to SOTTO_TEXT_MAX */
    bool markdown;
    int64_t reply_to; /* the message that it answers, in the same conversation; 0: none */
};

/* Local: queues text as a message. client_id: at most 64 printable ASCII characters (BAD_ID), or
 * NULL for a fresh one; the same id again in the same conversation queues nothing. client_id_out,
 * if not NULL: SOTTO_CLIENT_ID_MAX + 1 bytes, which get it with a NUL. BAD_TEXT: empty, or not
 * UTF-8; TOO_LONG; NOT_FOUND: also what it answers; NOT_MEMBER: one is not in the conversation any
 * more; FORKED: it was stopped; BLOCKED: one has blocked the person; NOT_ALLOWED: one may not write
 * there. */
sotto_error sotto_send(struct sotto *core, const struct sotto_id *conversation,
                       const char *client_id, const struct sotto_text *text, char *client_id_out);

/* Local. Between these two calls what is queued, marked or saved by calls that return is not
 * durable yet: it is when sotto_gather_end returns OK, all of it at once, which costs the disk what
 * one call alone does. On failure nothing of it was done, whatever the calls said, perhaps because
 * of one of them: make them again, without this. Only sotto_send, _edit, _delete, _react,
 * sotto_mark_read, sotto_set_draft, and calls that read, may stand between. */
void sotto_gather(struct sotto *core);
/* Local. The end of what sotto_gather began, which is durable where this returns OK. */
sotto_error sotto_gather_end(struct sotto *core);

/* Local: queues what message `id` says, or the file that it is, for that conversation as a message
 * of one's own; who wrote it is not told. client_id, client_id_out and what may be wrong with the
 * conversation: as sotto_send's. A file of one's own is named again; of somebody else's, or at
 * another relay, a copy is made when it is sent, which fails (FILE_GONE) if it is not there any
 * more. NOT_FOUND: also the message; CANNOT_CHANGE: it is neither text nor file. */
sotto_error sotto_forward(struct sotto *core, int64_t id, const struct sotto_id *conversation,
                          const char *client_id, char *client_id_out);

/* Local: queues a text or file of one's own again that FAILED, under the same client_id. Nothing,
 * if it waits or is sent. A file that the relay does not have whole is read again where it lay, as
 * it is now (NO_FILE). */
sotto_error sotto_retry(struct sotto *core, const struct sotto_id *conversation,
                        const char *client_id);

/* Local. link: to message `id`, which a person wrote: sotto://message/ and the ids of conversation
 * and message, which say nothing to others; with a NUL. It is the same on every device and at every
 * member. NOT_FOUND; CANNOT_CHANGE: it is not of a person. */
#define SOTTO_MESSAGE_LINK_SIZE 128
sotto_error sotto_message_link(struct sotto *core, int64_t id, char link[SOTTO_MESSAGE_LINK_SIZE]);

/* Local. Calls each with ctx once, for the message that link means. BAD_LINK; NOT_FOUND: it is not
 * in this profile. */
sotto_error sotto_message_find(struct sotto *core, const char *link, sotto_message_fn *each,
                               void *ctx);

/* Local. Calls each with ctx once, for message `id`. NOT_FOUND. */
sotto_error sotto_message(struct sotto *core, int64_t id, sotto_message_fn *each, void *ctx);

struct sotto_change {
    struct sotto_id conversation;
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
};
#define SOTTO_REACTION_MAX 256

/* Local: queue a change of message `id`, which counts once the conversation's log has it: of two
 * edits the one that the log has last. client_id as sotto_send's, in one space with it. *done, if
 * not NULL: how to ask for it with sotto_sending. NOT_FOUND: there is no such message; NOT_YOURS:
 * somebody else wrote it; CANNOT_CHANGE: it is of a kind that has no such change, or was deleted;
 * of its conversation as sotto_send.
 *
 * sotto_edit: another text in place of a text's, which markdown says is Markdown; of text as
 * sotto_send. sotto_delete: nothing in its place, a text or file, at everybody who follows; what
 * they saved of it, or what a broken client keeps, stays. sotto_react: to a text or file; reaction:
 * UTF-8 without control characters, at most SOTTO_REACTION_MAX bytes (BAD_TEXT), in place of an
 * earlier one; empty: none any more. */
sotto_error sotto_edit(struct sotto *core, int64_t id, const char *client_id, sotto_bytes text,
                       bool markdown, struct sotto_change *done);
sotto_error sotto_delete(struct sotto *core, int64_t id, const char *client_id,
                         struct sotto_change *done);
sotto_error sotto_react(struct sotto *core, int64_t id, const char *client_id, sotto_bytes reaction,
                        struct sotto_change *done);

struct sotto_receipt {
    struct sotto_id account;
    const char *name;
    enum sotto_message_status status; /* DELIVERED or READ */
    uint64_t time_s;                  /* when this device stored it */
};
/* Local. Calls each with ctx for what others said of message `id`, one of one's own, in the order
 * in which that came; nothing of others' messages. NOT_FOUND. */
sotto_error sotto_receipts(struct sotto *core, int64_t id,
                           void (*each)(void *ctx, const struct sotto_receipt *receipt), void *ctx);

/* Local. *status and *seq (in the room's log; 0 while it waits) of an own message, or of an own
 * change of one, by its client_id. NOT_FOUND. */
sotto_error sotto_sending(struct sotto *core, const struct sotto_id *conversation,
                          const char *client_id, enum sotto_message_status *status, uint64_t *seq);

/* Local. Calls each with ctx for the newest `limit` messages of a conversation with an id below
 * `before` (0: the newest), oldest first, and, unless before is given, what waits behind them. None
 * of a conversation that is not here. */
sotto_error sotto_history(struct sotto *core, const struct sotto_id *conversation, uint32_t limit,
                          int64_t before, sotto_message_fn *each, void *ctx);

/* Local. Calls each with ctx for messages in which all the words of `words` are found, of the last
 * one at least the beginning (any case, accents left out), each with a snippet, the one that this
 * profile stored last first, `limit` at most: in one conversation (NULL: in all), from behind
 * message `before`, the last of an earlier call, on (0: from the first on). BAD_TEXT: there is no
 * word in it. */
sotto_error sotto_search(struct sotto *core, const struct sotto_id *conversation, const char *words,
                         uint32_t limit, int64_t before, sotto_message_fn *each, void *ctx);

/* Local: queues. The person has seen the conversation's messages up to that id; a receipt may be
 * owed. */
sotto_error sotto_mark_read(struct sotto *core, const struct sotto_id *conversation, int64_t id);

SOTTO_API_END

#endif
