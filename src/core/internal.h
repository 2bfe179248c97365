/* What the upper half of the core shares: struct sotto, rooms in memory, and the rules of its state
 * machine.
 *
 * What is true stands in the store; memory holds connections, a cached group a room, and what is
 * under way. So a step is always: look into the store at what is owed, do the next thing. Requests
 * are asynchronous; their answers change the store in one transaction and wake the room again.
 *
 *     CREATING --take KeyPackages, room_create--> ACTIVE --commit removes us--> REMOVED
 *                                                   |  |--own leave accepted--> LEFT (leaving.h)
 *                                                   |--log contradicts itself--> FORKED
 *                                                   |--entries expired--> REJOINING (rejoin.h)
 *
 *     ACTIVE, in this order: subscribe from the cursor; catch up to the head; post Welcomes owed;
 *     then the outbox in order: a message or leave is encrypted for the present epoch, stored,
 *     appended; a commit is made from all intents that are ready, stored with its staged epoch,
 *     appended. Nothing is applied on an answer: own entries are applied when the log shows them,
 *     known by append_id, so that there is one order and one way.
 *     Entering an epoch drops whatever was encrypted for the one before: the log has shown by then
 *     what was accepted of it. */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include <stdatomic.h>

#include "codec/reader.h"
#include "core/content.h"
#include "core/file_cipher.h"
#include "core/file_source.h"
#include "core/identity.h"
#include "core/net.h"
#include "core/outside.h"
#include "core/problem.h"
#include "core/proxy.h"
#include "core/settings.h"
#include "core/store.h"
#include "core/store_tokens.h"
#include "core/transfer.h"
#include "crypto/crypto.h"
#include "wire/envelope.h"
#include "wire/invitation.h"
#include "wire/manifest.h"

enum {
    KEY_PACKAGE_STOCK = 20,
    KEY_PACKAGE_DAYS = 88,
    KEY_PACKAGE_EARLY_S = 2 * 86400, /* how long before they were made they are good */
    KEY_PACKAGE_MAX_DAYS = 91,       /* of others': longer ones are refused (RFC 9420, 7.2) */
    CLOCKS_DIFFER_S = 172800,        /* two clocks that are wrong by a day each */
    COMMIT_INTENTS_MAX = 64,         /* gathered into one commit */
    COMMIT_PROPOSALS_MAX = 256,
    APPENDS_MAX = 32,           /* of one room on the way at once */
    APPENDS_BYTES = 256 * 1024, /* likewise: no more are begun above it */
    STALL_MS = 45000,           /* a run without any progress gives up */
    RESUBSCRIBE_MS = 10000,     /* entries that the relay spoke of and does not push */
    TRANSIENT_PAUSE_S = 5,      /* after a refusal that passes by itself */
    TOKEN_PAUSE_MS = 500,       /* between looks whether a token that is needed has come */
};

/* What a room is doing, as the run loop sees it. */
enum room_progress {
    ROOM_IDLE,  /* caught up, nothing owed that could be done now */
    ROOM_BUSY,  /* waits for an answer or a push */
    ROOM_STUCK, /* cannot go on in this run: problem says why */
};

enum room_subscription { ROOM_UNSUBSCRIBED, ROOM_SUBSCRIBING, ROOM_SUBSCRIBED };

struct room {
    struct room *next;
    struct sotto *core;
    struct room_id id;

    /* The group as of `generation` of its records; NULL: to be loaded. */
    sotto_mls_group *group;
    uint64_t generation;

    bool in_scope; /* of the present run */
    bool wake;     /* something changed: take a step */
    bool busy;     /* one request of this room is under way */
    bool gone;     /* erased from the store */
    bool left;     /* by this device: what goes wrong there is nobody's problem any more */
    enum room_progress progress;
    uint64_t retry_ms;
    struct sotto_problem problem;

    struct conn *conn;
    uint32_t conn_generation;
    uint32_t subscription;
    enum room_subscription subscribed;
    uint8_t subscribed_token[TOKEN_SIZE];
    uint64_t subscribed_from; /* the cursor when it was asked */
    uint64_t head;            /* the log's end as far as the relay told */
    uint64_t await_epoch;     /* the relay's epoch as far as it told */
    uint64_t full_size;       /* not 0: it is full, and holds so much */
    uint64_t wanted_size;     /* that it shall hold */
    uint64_t await_ms;        /* since when head or await_epoch is ahead of what was applied */
    unsigned silences;        /* how often in a row that was waited for in vain */
    bool unknown;             /* the relay says that there is no such room */

    /* What is told to whoever listens (typing.c). */
    struct {
        bool wanted, on; /* to be said; what */
        uint64_t wanted_ms;
        bool told;
        uint64_t told_ms;
    } typing;

    struct upload *upload; /* NULL: none is under way */
    unsigned upload_restarts;

    /* Appends under way: answered in any case, and then busy ends. */
    struct append_slot {
        struct room *room;
        int64_t row; /* in the outbox */
        bool leave;
    } appends[APPENDS_MAX];
    size_t appends_left;
    int64_t taking; /* the intent that take_next fetched for last; 0: none */

    /* The request under way, of any other sort. */
    int64_t doing_row;
    struct account_id doing_account;
    struct device_id doing_device;
    struct request_id doing_id; /* take_id or post_id: what a token was reserved for */
    struct conn *doing_conn;
};

enum inbox_phase {
    INBOX_DOWN,
    INBOX_SIGNING_IN,
    INBOX_SIGNED_IN,
};

/* Another relay than the profile's: where the account moves to, or what it has left. */
struct inbox_place {
    const char *relay;
    sotto_bytes sign_in;                 /* the seed of the key there */
    const struct store_profile *profile; /* registering there makes it this one; else NULL */
    bool unless_waiting; /* the account is not deleted there while its inboxes have something */
    bool only_fetch;     /* a visit leaves the account there as it is */
};

/* The signed-in connection's work: registering or signing in, grants, the inbox, KeyPackages. */
struct inbox {
    const struct inbox_place *place; /* NULL: what the profile says */
    struct conn *conn;
    uint32_t conn_generation;
    enum inbox_phase phase;
    bool busy;
    bool wanted;         /* this run wants the account connection */
    bool want_envelopes; /* and its inbox */
    bool subscribed, counted;
    bool stocked;        /* KeyPackages are as they should be */
    uint64_t counted_ms; /* when it was asked how many the relay has */
    uint64_t head, seen; /* newest seq that waited when subscribed; newest that came */
    uint64_t quiet_ms;   /* when the last envelope came */
    uint64_t ack;        /* highest seq to be acknowledged; 0: none */
    bool failed;
    uint64_t retry_ms;
    struct sotto_problem problem;
    const struct sotto_registration *registering; /* sotto_register is under way */
    bool visiting;          /* an account that moved away: what waits is fetched, then it goes */
    bool visited;           /* unless it was only to be fetched, and was */
    bool deleting, deleted; /* the account at the relay shall go; it is gone */
    sotto_bytes manifest;   /* to be published; empty: none, or the relay has it */
    uint8_t granting[CAPABILITY_SIZE];
};

/* Fetching tokens, in one session of the account connection. */
struct tokens {
    bool done;           /* no more in this session */
    bool urgent;         /* something cannot be had without */
    bool known, checked; /* newest: as told to the account; as told to nobody in particular */
    bool asking;         /* on the room connection */
    bool told;           /* the listener was, of problem */
    uint32_t wanted;     /* free ones that something costs; 0: the usual stock is enough */
    unsigned requests;   /* for tokens */
    uint64_t done_ms;
    struct token_key newest;
    struct sotto_problem problem; /* for the end of the run */
};

/* Deleting blobs at relays. */
struct blobs {
    bool busy;
    bool failed; /* not in this run */
    struct blob_id doing;
    uint64_t asked_ms, look_ms;
    uint64_t changes; /* store_changes at the last look */
};

/* Files that are fetched without being asked for: downloads.c. */
struct downloads {
    struct downloading *now; /* NULL: none */
    bool wanted;             /* by what runs: it stays connected, or fetches all */
    bool failed;             /* not in this run */
    uint64_t look_ms, pause_ms;
    uint64_t changes; /* store_changes at the last look */
};

struct sotto {
    const sotto_env *env;
    const struct outside *outside;
    struct store *store;
    struct crypto *crypto;
    struct tls *tls;
    sotto_mls *mls;

    bool has_identity;
    struct identity identity;
    struct identity_mls identity_mls;
    struct arena profile_arena;
    struct store_profile profile;

    struct conn *conns;
    struct room *rooms;
    struct inbox inbox;
    struct tokens tokens;
    struct blobs blobs;
    struct downloads downloads;
    struct order_log *order_log;    /* order_log.h; NULL: not looked at yet */
    sotto_transfer_fn *on_transfer; /* NULL: nobody wants to know */
    void *on_transfer_ctx;

    struct typing *typing; /* who types; NULL: nobody was heard yet */
    uint64_t whispered;    /* the count of one's last whisper */

    bool gathers;         /* between sotto_gather and sotto_gather_end */
    struct room *written; /* where something was queued since; NULL: nowhere */

    bool beside; /* opened by sotto_open_beside: its profile's files are another's to erase */
    bool ending; /* sotto_account_delete is under way */
    bool wiped;  /* the profile's account was deleted: sotto_close erases its files */
    uint64_t lists_seen;    /* the newest change of a list of devices that woke all rooms */
    uint64_t relay_changes; /* of the account's relay that this core knows of */
    uint64_t leave_ms;      /* when it is looked again whether the old relay can be left */
    uint64_t ended_ms;      /* when the deletion was gone on with last, where the core serves */
    bool patient;           /* sotto_listen: reconnect, random pauses */
    const struct sotto_listener *listener;
    const struct sotto_host *host;
    /* Lock-free, so that a signal handler may set it: 1 to stop, CORE_CANCEL to leave nothing. */
    atomic_int stop;
    int stop_pipe[2];
    int netwatch; /* netwatch.h; -1: none */
    uint64_t data_version;
    uint64_t scoped;    /* the number `rooms` when scope_refresh looked through them */
    uint64_t swept_ms;  /* when it was looked for messages to erase */
    uint64_t revisited; /* store_changes when join_revisit was called last, where the core serves */
    uint64_t tidied_ms; /* when search_tidy was called last, where the core serves */

    bool proxy_overridden;
    char proxy_override[PROXY_TEXT_MAX + 1];
    uint8_t proxy_used[HASH_SIZE]; /* hash of the text of what connections go through */

    char fault_text[128]; /* why a leaf was refused, for the problem */
    struct sotto_problem problem;
};

/* ---- core.c ---- */

enum { CORE_CANCEL = 2 };

uint64_t core_now_s(const struct sotto *core);
/* NOT_REGISTERED unless there is a registered account; reloads it if another process made it. */
sotto_error core_need_account(struct sotto *core);
/* The same, but a backup that was restored will do: for what only reads. */
sotto_error core_need_past(struct sotto *core);
#define CORE_RESTORED "restored" /* among the store's numbers: 1 */
/* Reads the profile and identity from the store; has_identity says whether there is one. */
sotto_error core_load_profile(struct sotto *core);
/* Sets the problem from a failure of the store. Returns error. */
sotto_error core_store_problem(struct sotto *core, sotto_error error, const char *doing);
bool core_is_own(const struct sotto *core, const struct account_id *account);
void core_id_hex(const uint8_t *id, size_t size, char *out);
/* A random client message id of 32 hex digits. */
sotto_error core_random_client_id(struct sotto *core, char out[33]);

/* ---- names.c ---- */

/* A person by name or id prefix: contacts first, then others known. Sets the problem. */
sotto_error names_person(struct sotto *core, const char *who, struct arena *arena,
                         struct store_contact *contact);
/* The same for count of them, over what is known read once. */
sotto_error names_people(struct sotto *core, const char *const *who, size_t count,
                         struct arena *arena, struct store_contact *contacts);
/* What the person is called; empty if no name is known. Lives in arena. */
const char *names_of(struct sotto *core, const struct account_id *account, struct arena *arena);
/* What a conversation is called. */
const char *names_title(struct sotto *core, const struct store_room *room, struct arena *arena);

/* ---- room.c ---- */

/* The room in memory, made if needed; NULL: no memory. */
struct room *room_of(struct sotto *core, const struct room_id *id);
void room_free_all(struct sotto *core);
/* Inside a transaction: reads the row and, if the room is CREATING or ACTIVE, or was left and is
 * followed still (leaving.h), sees to it that room->group is the stored group. The row lives in
 * arena. */
sotto_error room_enter(struct room *room, struct arena *arena, struct store_room *row);
/* Inside a transaction: saves the group's changes and the row, with epoch, members, authenticator.
 */
sotto_error room_save(struct room *room, struct store_room *row);
/* Rolls back, and forgets the cached group, which may be ahead of the store. */
void room_abort(struct room *room);
void room_forget_group(struct room *room);
/* Loads the stored group, also of a room that was stopped. NOT_FOUND: nothing is stored. */
sotto_error room_load_group(struct room *room);
/* Rolls back, and forgets all cached groups: after a failure that touched more than one room. */
void room_abort_all(struct sotto *core);
/* The connection to the room's relay; false: not now, progress says why. */
bool room_connect(struct room *room, const struct store_room *row);
/* Nothing of it is pushed any more. */
void room_unsubscribe(struct room *room);
/* One step; sets room->progress. */
void room_step(struct room *room);
/* Marks it stuck for this run, or pauses it where the core is patient. */
void room_stuck(struct room *room, const struct sotto_problem *problem);
/* Keeps a problem to be told at the end of the run; the room goes on. */
void room_note(struct room *room, const struct sotto_problem *problem);
/* Waits for a token that is being fetched. */
void room_wait_token(struct room *room);
/* A failure of the store or a library in the midst of a room's work. */
void room_local_failure(struct room *room, sotto_error error, const char *doing);
/* The write token of the group's epoch; appended. */
sotto_error room_write_token(struct room *room, sotto_buf *token);
/* The read token of the group's epoch into the row. */
sotto_error room_read_token(struct room *room, struct store_room *row);

/* Sends a request on the room connection of relay; done is called with the room. Sets busy. */
sotto_error room_request(struct room *room, struct conn *conn, const struct message *message,
                         link_answer_fn *done);

/* ---- room_receive.c ---- */

/* What came on that connection was not stored after all: it comes again. */
void rooms_unkept(struct conn *conn, sotto_error error);
/* Applies entries in one transaction. */
void room_receive(struct room *room, const struct entry *entries, size_t count);
/* Inside a transaction: the room ends in front of entry seq, and trouble, which has to live as long
 * as row, says why. What waits to be sent there fails. The caller stores the row. */
sotto_error room_stop(struct room *room, struct store_room *row, uint64_t seq, const char *trouble);

/* ---- room_send.c ---- */

/* The first row of the outbox that can be worked on, worked on: an append is under way (true,
 * busy), or nothing can be done (false). */
bool room_send_next(struct room *room);
/* The row of the outbox with that id will never be done: out with it. Fails the message in it. */
void room_outgoing_refused(struct room *room, int64_t id);
/* The conversation's row; a problem unless one may write there. */
sotto_error core_room_open(struct sotto *core, const struct room_id *id, struct arena *arena,
                           struct store_room *row);
/* Inside a transaction: queues one's own profile for the conversation: the name, and for a contact
 * in a conversation of two the picture. */
sotto_error room_queue_profile(struct sotto *core, const struct room_id *room, uint64_t epoch);
/* The name alone. */
sotto_error room_queue_name(struct sotto *core, const struct room_id *room, uint64_t epoch);
sotto_error room_queue_profile_later(struct sotto *core, const struct room_id *room);
/* Inside a transaction: the room is over: nothing of its outbox will go out. */
sotto_error room_fail_outbox(struct sotto *core, const struct room_id *room);

/* An outbox row of kind MESSAGE: what its intent holds. A file's message waits for its upload. */
enum message_intent {
    MESSAGE_INTENT_TEXT = 1,
    MESSAGE_INTENT_PROFILE = 2,
    MESSAGE_INTENT_FILE = 3,
    MESSAGE_INTENT_CHANGE = 4, /* an edit, a deletion, a reaction */
    MESSAGE_INTENT_RECEIPT = 5,
    MESSAGE_INTENT_MANIFEST = 6,
    MESSAGE_INTENT_OWN = 7,
    MESSAGE_INTENT_STATEMENT = 25,
};
/* Whether there is a row that shows it. */
static inline bool message_intent_shown(uint8_t intent)
{
    return intent == MESSAGE_INTENT_TEXT || intent == MESSAGE_INTENT_FILE;
}
struct queued_message {
    uint8_t intent;
    sotto_bytes content_id;
    sotto_bytes content;
};
sotto_error queued_message_write(const struct queued_message *message, sotto_buf *out);
sotto_error queued_message_read(sotto_bytes intent, struct queued_message *message);

/* Inside a transaction: the row that shows a message of one's own while it waits. content: kept
 * with it, may be empty. client_id is new in the room. */
sotto_error room_show_waiting(struct sotto *core, const struct room_id *room,
                              enum sotto_message_kind kind, const struct content_message *message,
                              sotto_bytes content, const char *client_id);
/* Inside a transaction: the waiting text, with the room's timer, and its row in the outbox. */
sotto_error room_text_queue(struct sotto *core, const struct store_room *row,
                            struct content_message *content, const char *client_id);
/* Inside a transaction: queues a message of one's own, whose row with that client id is there. */
sotto_error room_queue_content(struct sotto *core, const struct room_id *room, uint8_t intent,
                               sotto_bytes content_id, sotto_bytes content, const char *client_id);
/* The same, to leave at that time or later. */
sotto_error room_queue_content_later(struct sotto *core, const struct room_id *room, uint8_t intent,
                                     sotto_bytes content_id, sotto_bytes content,
                                     const char *client_id, uint64_t not_before_s);
/* Inside a transaction: one's own name first, if the members were not told yet. */
sotto_error room_queue_profile_if_owed(struct sotto *core, const struct room_id *room,
                                       uint64_t epoch);
/* *client_id if it is given and fit for a message's id, else a fresh one in fresh; the problem says
 * why not. */
sotto_error core_client_id_choose(struct sotto *core, const char **client_id,
                                  char fresh[static 33]);
/* Whether a message or a change was queued with it before. NOT_FOUND: neither. */
sotto_error core_client_id_used(struct sotto *core, const struct room_id *room,
                                const char *client_id);
/* Whether it can be sent, else a problem. */
sotto_error core_text_check(struct sotto *core, sotto_bytes text);
/* A failure in a transaction that saves a text: rolled back, and the problem. */
sotto_error core_text_failed(struct sotto *core, sotto_error error);

/* ---- change.c ---- */

/* Inside a transaction: entry seq of the log shows an edit, a deletion or a reaction of sender's.
 * What it may not change stays as it is; if what it is about is not there, it is kept for a while.
 * data: the content's bytes. */
sotto_error change_apply(struct sotto *core, const struct room_id *room,
                         const struct account_id *sender, uint64_t seq, sotto_bytes data,
                         const struct content_message *content, struct arena *arena);
/* The same, told by another device of one's own that saw it at that time, while this one was not in
 * the room yet. What this one has seen since counts. */
sotto_error change_told(struct sotto *core, const struct room_id *room,
                        const struct account_id *sender, uint64_t seq, uint64_t time_s,
                        sotto_bytes data, const struct content_message *content,
                        struct arena *arena);
/* Inside a transaction: the message, by its row, came from the past; what was kept about it is
 * applied in the log's order. */
sotto_error change_apply_kept(struct sotto *core, const struct room_id *room, int64_t local,
                              struct arena *arena);
/* The message of that number; the problem says that there is none. */
sotto_error core_message_at(struct sotto *core, int64_t id, struct arena *arena,
                            struct store_message *message);

/* ---- mention.c ---- */

/* The next account that a Markdown text mentions behind *at, which moves on. False: none. */
bool mention_next(sotto_bytes text, size_t *at, struct account_id *account);

/* ---- expire.c ---- */

/* Erases messages whose time has come. */
sotto_error expire_sweep(struct sotto *core);
/* The same in a loop: not at every turn. */
void expire_sweep_now_and_then(struct sotto *core);

/* ---- receipt.c ---- */

sotto_error receipts_on(struct sotto *core, bool *on);
/* Whether one is owed for a message that comes in that room. */
sotto_error receipt_owed(struct sotto *core, const struct store_room *room, bool *owed);
/* Inside a transaction: queues what the room owes as one message. NOT_FOUND: nothing, or not yet.
 */
sotto_error receipts_queue(struct room *room, const struct store_room *row, struct arena *arena);
/* Inside a transaction: sender's receipts came. */
sotto_error receipts_apply(struct sotto *core, const struct room_id *room,
                           const struct account_id *sender, const struct content_message *content);
/* The message's status with what receipts say. */
enum sotto_message_status receipt_status(struct sotto *core, const struct store_message *message,
                                         const struct store_room *room);

/* ---- upload.c ---- */

/* Sees to the room's next file. Sets room->progress where there is one under way. */
void upload_go_on(struct room *room, const struct store_room *row);
/* Forgets what is under way; for the end, when no request is. */
void upload_free(struct room *room);
/* Part of the run's measure of progress. */
uint64_t upload_mark(const struct room *room);

/* ---- forward.c ---- */

/* Inside a transaction: the message that failed waits again, under the same name, with what its
 * content is now. */
sotto_error message_again(struct sotto *core, const struct store_room *row,
                          const struct store_message *message, struct content_message *content);

/* ---- file_send.c ---- */

/* Inside a transaction: the waiting message about a file, and its row in the outbox. */
sotto_error file_message_queue(struct sotto *core, const struct store_room *row,
                               struct content_message *content, const char *client_id);
/* Outside a transaction: a file's message that failed waits again. */
/* sotto_send_file, as one of an album; album NULL: of none. */
sotto_error file_send(struct sotto *core, const struct sotto_id *conversation,
                      const char *client_id, const struct sotto_file *file,
                      const struct content_album *album, char *client_id_out);
sotto_error file_retry(struct sotto *core, const struct room_id *room, const char *client_id);

/* ---- blobs.c ---- */

/* One step of deleting what is owed a deletion. True: a request is under way. */
bool blobs_step(struct sotto *core);
void blobs_reset(struct sotto *core);
/* Inside a transaction: the file is not sent any more; nothing, if it is no file or the relay has
 * all of it. */
sotto_error file_fail(struct sotto *core, const struct room_id *room, const char *client_id);

/* Inside a transaction: the file is not sent, and its message goes. NOT_FOUND: there is none;
 * STATE, with the problem: it is too late. */
sotto_error file_take_back(struct sotto *core, const struct room_id *room, const char *client_id,
                           struct arena *arena);
/* The same of the files of an album, all or, if one of them is on its way, none. */
sotto_error album_take_back(struct sotto *core, const struct room_id *room, const char *client_id,
                            struct arena *arena);

/* ---- room_extend.c ---- */

/* The relay says that the room is full and holds so much. */
void room_full(struct room *room, uint64_t size);
/* Pays for more, or marks the room stuck. */
void room_extend_next(struct room *room);

/* ---- room_post.c ---- */

/* Posts the next Welcome that this room owes. True: a request is under way. */
bool room_post_next(struct room *room);

/* ---- room_commit.c ---- */

enum commit_action {
    COMMIT_ADD = 1,           /* account (its device, if that is not zero) */
    COMMIT_REMOVE = 2,        /* all leaves of account */
    COMMIT_REMOVE_DEVICE = 3, /* a device that is no longer its account's */
    COMMIT_UPDATE = 4,
    COMMIT_LEAVE = 5,    /* all leaves of account, which asked for it */
    COMMIT_REJOIN = 6,   /* a device that asked to be let in again (rejoin.h) */
    COMMIT_SETTINGS = 7, /* change, see settings.h */
};

/* Beginnings of client ids in the outbox. What goes before everything else: */
#define OUT_MANIFEST "manifest."
#define OUT_GONE "gone."
/* and a device of one's own that is to be added: */
#define OUT_OWN "own."

/* The encoding of an outbox row of kind COMMIT. made: what the commit that this row carries adds
 * and removes, as struct commit_made's encodings; empty while WANTED. */
struct commit_intent {
    uint8_t action;
    struct account_id account;
    struct device_id device;
    sotto_bytes relay;
    sotto_bytes capability;
    sotto_bytes made;
    sotto_bytes change; /* a struct settings_change's encoding; empty: none */
};
struct commit_made {
    uint8_t action; /* that of the intent */
    struct account_id account;
    struct device_id device;
};
sotto_error commit_intent_write(const struct commit_intent *intent, sotto_buf *out);
sotto_error commit_intent_read(sotto_bytes bytes, struct commit_intent *intent);
sotto_error commit_made_write(const struct commit_made *made, sotto_buf *out);
bool commit_made_next(struct reader *reader, struct commit_made *made);

/* Inside a transaction: queues an intent. client_id: unique in the room, or "". */
sotto_error commit_queue(struct sotto *core, const struct room_id *room,
                         const struct commit_intent *intent, const char *client_id,
                         uint64_t not_before_s);

/* Inside a transaction, at the head of the log: makes a commit of all intents that are ready, from
 * the head of the outbox on, and stores it in the first one's row. NOT_FOUND: none is ready or
 * needed any more. */
sotto_error commit_make(struct room *room, struct store_room *row, int64_t *carrier);

/* Inside a transaction, the group entered: whether the commit in flight, if there is one, adds that
 * device. What was taken for it (struct store_take) is what its Welcome is made of. */
sotto_error commit_lets_in(struct room *room, const struct account_id *account,
                           const struct device_id *device, struct arena *arena, bool *does);

/* Inside a transaction: the log shows that own commit `row` won: applies it. What row points to
 * lives in row_arena. */
sotto_error commit_won(struct room *room, struct store_room *row, struct arena *row_arena,
                       const struct store_outgoing *carrier, uint64_t seq);

/* What a LEAVE of that account is called in the outbox. */
void commit_leave_id(const struct account_id *account, char out[static STORE_CLIENT_ID_MAX + 1]);
/* Inside a transaction, where a commit takes an account out of the group: whether it had asked to
 * leave. That is done then, and does not take it out again when it has come back; row `but` is the
 * caller's to erase. */
sotto_error commit_left(struct sotto *core, const struct room_id *room,
                        const struct account_id *account, int64_t but, bool *asked);

/* Whether an ADD has come about. */
bool commit_add_done(struct sotto *core, const sotto_mls_group *group,
                     const struct commit_intent *intent);

/* Inside a transaction, after an epoch was entered: drops what was made for the one before. */
sotto_error commit_unseal(struct room *room, uint64_t epoch);

/* Whether an account, or one device of it, is in the group. device NULL: any. */
bool group_has(const sotto_mls_group *group, const struct account_id *account,
               const struct device_id *device, uint32_t *index);

/* ---- room_take.c ---- */

/* Fetches the next manifest or KeyPackage that an intent of this room needs. True: a request is
 * under way. */
bool take_next(struct room *room);
/* Inside a transaction: an intent that cannot be fulfilled goes, with what was taken for it; with
 * it a conversation with one person that it was to begin. */
sotto_error take_intent_drop(struct room *room, int64_t id);
/* Whether a KeyPackage was taken for that ADD. */
bool take_is_of(const struct store_take *take, const struct commit_intent *intent);
/* Whether all that the room's ADDs need is there. */
bool take_all_ready(struct room *room);
/* Whether all that an ADD needs is there. */
sotto_error take_ready(struct room *room, const struct commit_intent *intent, bool *ready);

/* ---- manifests.c ---- */

/* The newest manifest known; lives in arena. found: whether there is one. */
sotto_error manifest_newest(struct sotto *core, const struct account_id *account,
                            struct arena *arena, struct manifest *manifest, bool *found);
/* Inside a transaction: keeps an account's manifest, one's own too, if it is newer than the known
 * one. newest: the one that counts now. Errors and fault as identity_judge_manifest's. */
sotto_error manifest_learn(struct sotto *core, const struct account_id *account,
                           sotto_bytes offered, struct arena *arena, sotto_bytes *newest,
                           sotto_fault *fault);
/* The same of whichever account it is. */
sotto_error manifest_learn_any(struct sotto *core, sotto_bytes offered, struct arena *arena,
                               struct account_id *account);
/* Inside a transaction: tells the room's members, before anything else is sent. */
sotto_error room_queue_manifest(struct sotto *core, const struct room_id *room,
                                const struct account_id *account, sotto_bytes manifest,
                                uint64_t number);

/* ---- room_judge.c ---- */

/* Queues what follows from devices that came and went since the last look. */
void room_judge(struct room *room);

/* ---- own.c, own_history.c: the room among the devices of one's own account ---- */

/* The one that counts: the living one of the lowest id. NOT_FOUND. */
sotto_error own_room(struct sotto *core, struct arena *arena, struct store_room *row);
/* Inside a transaction: what another device, or this one, said there. */
sotto_error own_receive(struct sotto *core, const struct content_message *content,
                        struct arena *arena);
/* Inside a transaction; nothing where there are no other devices. records: as own_write_* made
 * them. to: whom alone it concerns, NULL for all. */
sotto_error own_queue(struct sotto *core, const struct device_id *to, sotto_bytes records);
/* The same of a record that was made, or was not (made: its error): tells all other devices, and
 * frees the record in any case. */
sotto_error own_tell(struct sotto *core, sotto_error made, sotto_buf *record);
/* The same for all, under a name that begins with prefix, in place of what is queued under such a
 * name and was not encrypted yet; to leave at not_before_s or later. */
sotto_error own_queue_instead(struct sotto *core, const char *prefix, const char *client_id,
                              uint64_t not_before_s, sotto_bytes records);
sotto_error own_tell_contact(struct sotto *core, const struct account_id *account);
sotto_error own_tell_device_name(struct sotto *core, const struct device_id *device,
                                 const char *name);
/* Inside a transaction: everything of a room up to position was read, on all devices. */
sotto_error own_read(struct sotto *core, const struct room_id *room, int64_t position);
/* Inside a transaction: a device of one's own was added to a room. Into the own one it gets all
 * that the others know. */
sotto_error own_device_added(struct sotto *core, const struct store_room *row,
                             const struct device_id *device);

/* Inside a transaction: this device was let into a room by another one of its own. */
sotto_error own_joined(struct sotto *core, const struct store_room *row,
                       const struct device_id *device);

/* Records: what stands between own_record and writer_close, which gets what that returned, is the
 * body of one. */
struct writer;
size_t own_record(struct writer *writer, uint8_t record);
enum {
    OWN_CONTACT = 1,
    OWN_READ = 2,
    OWN_DEVICE_NAME = 3,
    OWN_ROOM = 4,
    OWN_MESSAGE = 5,
    OWN_PROGRESS = 6,
    OWN_FOLLOWED = 24, /* a device is at the relay where the account moved */
    OWN_RECEIPTS = 56,
    OWN_MEMBERS = 57, /* in a backup alone: of a room that its device was in */
};
/* Positions of messages: each device gives its own behind all that others gave before it. */
#define OWN_POSITIONS (UINT64_C(1) << 40)
static inline uint64_t own_positions_next(uint64_t position)
{
    return (position / OWN_POSITIONS + 1) * OWN_POSITIONS;
}
enum { OWN_PIECE_SIZE = 256 * 1024 };
/* Where records go, in pieces of about OWN_PIECE_SIZE. The owner makes records and frees them. */
struct own_sink {
    sotto_buf records;
    sotto_error (*put)(void *ctx, sotto_bytes records);
    void *ctx;
};
/* Puts what was gathered if it is large enough, or last. */
sotto_error own_sink_flush(struct own_sink *sink, bool last);
/* All that one's devices know but conversations and messages: for a new one, and for a backup. */
sotto_error own_snapshot(struct sotto *core, struct arena *arena, struct own_sink *sink);
/* The list of conversations; the last ones are left in the sink. */
sotto_error own_rooms_write(struct sotto *core, struct arena *arena, struct own_sink *sink);
/* The members of the conversations that this device is in, for a backup. Outside of transactions.
 */
sotto_error own_members_write(struct sotto *core, struct arena *arena, struct own_sink *sink);
/* A message's record; appended. */
sotto_error own_message_write(struct sotto *core, const struct store_message *message,
                              struct arena *arena, sotto_buf *out);
/* What others said of those messages of one's own; the last ones are left in the sink. */
sotto_error own_receipts_write(struct sotto *core, const struct store_message *messages,
                               size_t count, struct arena *arena, struct own_sink *sink);
/* Inside a transaction: takes records over until the reader's end. What is not known, of a newer
 * version, or cannot be read is passed over; the error is that of the first such. */
sotto_error own_records_read(struct sotto *core, struct reader *reader, struct arena *arena);
/* The same of records without a length, as older versions wrote them. The first error ends it. */
sotto_error own_records_read_unframed(struct sotto *core, struct reader *reader,
                                      struct arena *arena);
/* Says the next piece of the past to a device that is to get it, if all before was said. */
void own_history_step(struct room *room);
/* Inside a transaction: the records of the past. */
sotto_error own_room_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error own_members_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error own_message_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error own_receipts_read(struct sotto *core, struct reader *reader);
sotto_error own_progress_read(struct sotto *core, struct reader *reader, struct arena *arena);
sotto_error own_history_status(struct sotto *core, uint64_t *given, uint64_t *of);
/* A text of the record, with a NUL, in the arena. */
const char *own_text(struct reader *reader, struct arena *arena, size_t max, const char *what);

/* ---- events ---- */

/* Inside a transaction: a line about what happened. subject may be NULL. */
sotto_error event_add(struct sotto *core, const struct room_id *room, uint64_t seq, uint32_t part,
                      enum sotto_message_kind kind, const struct account_id *sender,
                      const struct account_id *subject);
/* The same with a few words: a title, or a setting's name and value. */
sotto_error event_add_text(struct sotto *core, const struct room_id *room, uint64_t seq,
                           uint32_t part, enum sotto_message_kind kind,
                           const struct account_id *sender, const struct account_id *subject,
                           sotto_bytes text);

/* ---- inbox.c ---- */

/* One step of the account connection. True: it is still at work. */
bool inbox_step(struct sotto *core);
void inbox_reset(struct sotto *core);
/* Ends account connections, which sign in when they are wanted again: as somebody else, perhaps. */
void inbox_sign_in_anew(struct sotto *core);

/* ---- tokens.c ---- */

void tokens_reset(struct sotto *core);
/* One step of fetching, on the signed-in connection. True: a request is under way. */
bool tokens_step(struct sotto *core);

/* What a request pays with. Wiped by token_payment_wipe. */
struct token_payment {
    struct permission permission; /* points into value */
    uint8_t value[TOKEN_VALUE_SIZE];
};
/* Inside a transaction: a token for what owner names (its request id, or its room and size), the
 * same one in every retry. Nothing, where there is none or the relay is another. To be committed
 * before it is sent. */
sotto_error token_reserve(struct sotto *core, const char *relay, sotto_bytes owner,
                          struct token_payment *payment);
/* The same in a transaction of its own. */
sotto_error token_pay(struct sotto *core, const char *relay, sotto_bytes owner,
                      struct token_payment *payment);
void token_payment_wipe(struct token_payment *payment);

/* For what costs count tokens: all of them, each reserved for owner (BLOB_ID_SIZE bytes) and its
 * place, or nothing, as one permission. Both lists live in arena. */
struct token_payments {
    struct permission *permissions;
    struct token_payment *each;
    size_t count;
};
sotto_error token_pay_many(struct sotto *core, const char *relay, sotto_bytes owner, size_t count,
                           struct arena *arena, struct token_payments *payments);
/* Inside no transaction: what was paid for is done. */
sotto_error token_paid_many(struct sotto *core, sotto_bytes owner, size_t count);

/* What a refusal says of the token. */
enum token_outcome {
    TOKEN_NOT_IT, /* the refusal is about something else; the token is free again if it is final */
    TOKEN_AGAIN,  /* the token was not good and is gone: the same request again */
    TOKEN_WAIT,   /* one is needed, and being fetched: the same request a little later */
};
enum token_outcome token_refused(struct sotto *core, const char *relay, sotto_bytes owner,
                                 sotto_error error, const struct message *answer);
/* Of count tokens that were shown together: which of them was not good is not told, so all go. */
enum token_outcome token_refused_many(struct sotto *core, const char *relay, sotto_bytes owner,
                                      size_t count, sotto_error error,
                                      const struct message *answer);

/* ---- invite.c ---- */

/* A waiting request by number, or by the beginning of its conversation's or sender's id. Sets the
 * problem. */
sotto_error request_find(struct sotto *core, const char *what, struct arena *arena,
                         struct store_request *found);

/* ---- join.c ---- */

/* Inside a transaction: what an opened envelope asks for: join, or keep as a request, or nothing.
 */
sotto_error join_consider(struct sotto *core, sotto_bytes opened, uint64_t now_s);
/* Inside a transaction: joins. */
sotto_error join_room(struct sotto *core, const struct envelope *envelope,
                      const struct account_id *sender);
/* Requests that may be joined without asking: they waited for their room to end, or for the answer
 * that was given on another device. */
sotto_error join_revisit(struct sotto *core);

/* ---- groups.c ---- */

/* Inside a transaction: a new room with oneself in it, CREATING. peer: of a conversation with one
 * person, else NULL. */
sotto_error room_make(struct sotto *core, enum store_room_kind kind, const char *title,
                      const struct account_id *peer, struct room_id *id);
sotto_error room_make_with(struct sotto *core, enum store_room_kind kind, const char *title,
                           const struct account_id *peer, const struct settings *settings,
                           struct room_id *id);

/* ---- read.c ---- */

/* A stored message as faces see it; strings live in arena. */
void message_show(struct sotto *core, const struct store_message *from, struct arena *arena,
                  struct sotto_message *out);

/* Each in turn. */
void messages_show(struct sotto *core, const struct store_message *messages, size_t count,
                   sotto_message_fn *each, void *ctx);

/* ---- search.c ---- */

/* A step towards there being no word in any index of what was deleted; begun every ten minutes at
 * most. *more: there is another to do. */
sotto_error search_tidy(struct sotto *core, bool *more);

/* ---- keys.c: KeyPackages ---- */

/* Makes KeyPackages until `count` wait to be uploaded, and a last resort if there is none. */
sotto_error keys_stock(struct sotto *core, uint32_t count, bool last_resort);
/* Whether the last resort that the relay has is to be replaced. */
bool keys_last_resort_is_old(struct sotto *core);
/* Inside a transaction: one that goes to one device and not to the relay, made at made_s and good
 * for good_s seconds; package and its reference are appended. */
sotto_error keys_make_one(struct sotto *core, uint64_t made_s, uint64_t good_s, sotto_buf *package,
                          sotto_buf *reference);

/* ---- clock.c ---- */

/* In no transaction: the relay says what time it is. */
void clock_told(struct sotto *core, uint64_t relay_s);
/* What it said last: sotto_status.clock_off_s. */
sotto_error clock_off(struct sotto *core, int64_t *off_s);

/* ---- sync.c ---- */

/* Runs until the inbox (if wanted) is done and no room in scope is busy, or until the deadline. */
sotto_error run_until_settled(struct sotto *core);

#endif
