/* Every limit of the relay that is not already one of the protocol (wire/limits.h). */
#ifndef RELAY_LIMITS_H
#define RELAY_LIMITS_H

#include "wire/limits.h"

/* ---- What is kept --------------------------------------------------------------------------- */

enum {
    KEY_PACKAGES_MAX = 200,     /* of one device */
    GRANTS_MAX = 1000,          /* of one account, unexpired */
    GRANT_USES_MAX = 100000,    /* of one grant */
    INBOX_COUNT_MAX = 10000,    /* envelopes waiting for one device */
    ROOM_ENTRIES_MAX = 1 << 20, /* entries kept of one room */
    INVITATION_USES_MAX = 1000000,

    KEY_PACKAGE_DAYS = 60, /* how long one waits to be taken: clients' are good for 88 */
    REPEAT_DAYS = 7,       /* how long a take_id or post_id is remembered, for retries */
    INVITATION_DAYS = 30,  /* life of an invitation to register */
    GRANT_DAYS_MAX = 366,  /* longest life of a grant; longer ones are cut */
    EXPIRE_ROWS = 2000,    /* erased in one go, so that people do not wait behind it */

    CODE_SECONDS = 600,      /* validity of a verification code */
    CODE_AGAIN_SECONDS = 60, /* no second code for a number within */
    CODE_TRIES = 5,          /* for one code */
    CODES_A_DAY = 5,         /* for one number */
    CODE_DIGITS = 6,

    TOKENS_A_DAY = 200,      /* default of tokens-a-day */
    TOKEN_DAYS = 7,          /* default of token-days: a key issues so long, and lives twice that */
    TOKEN_KEYS_LIVING = 16,  /* at a time; 2, but where token-days was made shorter */
    ROOM_MIB = 16,           /* default of room-mib: what a token pays for */
    ROOM_WITHOUT_TOKEN = 16, /* a room made without a token holds this part of that */
    ROOM_ENTRY_COST = 128,   /* what an entry takes beside its bytes */
};

enum {
    BLOB_UNFINISHED_DAYS = 2, /* life of an upload that nobody finishes */
    BLOB_THREADS = 4,
    BLOB_QUEUE_BYTES = 64 * 1024 * 1024, /* waiting for them */
    BLOB_SYNC_BYTES = 16 * 1024 * 1024,  /* what an upload may lose in a crash */
    BLOB_SPACE_MIB = 10 * 1024,          /* default of blob-space */
    BLOB_MAX_MIB = 2 * 1024,             /* default of blob-max */
};

#define INBOX_BYTES_MAX (64LL * 1024 * 1024)      /* of one device */
#define ROOM_BYTES_MAX (2LL * 1024 * 1024 * 1024) /* of one room */
#define ROOM_SIZE_UNLIMITED (1ULL << 40)          /* with room-mib 0: the others are the limits */

/* ---- What is under way ---------------------------------------------------------------------- */

enum {
    STORE_QUEUE_OPERATIONS = 65536, /* waiting for the store, of all connections */
    STORE_QUEUE_BYTES = 256 * 1024 * 1024,
    STORE_BATCH_OPERATIONS = 1024, /* committed together */
    STORE_BATCH_BYTES = 64 * 1024 * 1024,

    FETCH_COUNT = 256,        /* entries read at once for one subscription */
    FETCH_BYTES = 128 * 1024, /* the first entry may be larger */

    CONNECTION_TURN = 16,               /* messages of one connection before the others' turn */
    CONNECTION_REQUESTS = 64,           /* unanswered on one connection: more are left unread */
    CONNECTION_BYTES = 8 * 1024 * 1024, /* of such requests */
    CONNECTION_SUBSCRIPTIONS = 1024,
    CONNECTION_WHISPERS = 16,            /* at once; */
    CONNECTION_WHISPER_MS = 250,         /* after that, one in so long */
    CONNECTION_FETCHES = 4,              /* of its subscriptions at a time */
    CONNECTION_QUEUE_LOW = 64 * 1024,    /* outgoing: below it, subscriptions go on */
    CONNECTION_QUEUE_HIGH = 1024 * 1024, /* outgoing: above it, no more requests are read */
    CONNECTION_UNSENT = 128 * 1024, /* in the kernel, which takes some MiB for who does not read */

    /* Parts of messages whose end has not come, of all connections of a loop. The one that goes
     * over it is asked to come back later. */
    LOOP_GATHERED_BYTES = 256 * 1024 * 1024,

    CONNECTIONS_MAX = 20000, /* default of max-connections */
    CONNECTIONS_PER_ADDRESS = 1000,

    COURIER_QUEUE = 64,   /* verification codes to be handed over */
    COURIER_SECONDS = 30, /* life of one run of the command */
    THREADS_MAX = 64,
    LISTENERS_MAX = 8,
};

/* ---- Times of a connection, in seconds ------------------------------------------------------ */

enum {
    OPENING_SECONDS = 15,  /* from accept to hello */
    PING_SECONDS = 30,     /* silence after which the relay pings */
    SILENCE_SECONDS = 60,  /* silence after which it closes */
    MESSAGE_SECONDS = 180, /* from the beginning of a message to its end */
    CLOSING_SECONDS = 5,   /* for the closing handshake */
    STOP_SECONDS = 5,      /* for everything to end when the relay stops */
};

/* ---- Defaults of the rates: so many an hour from one address, which may come at once -------- */

enum {
    RATE_CONNECTIONS = 6000,
    RATE_REQUESTS = 600, /* with permission `none`, or with one that was refused */
    RATE_REGISTRATIONS = 60,
    RATE_SIGN_INS = 120, /* failed ones */
    RATE_CODES = 20,
    RATE_BLOB_MIB = 4096,   /* of new blobs without a token */
    RATE_ADDRESSES = 65536, /* remembered; a multiple of RATE_WAYS */
    RATE_WAYS = 8,
};

enum { RELAY_PORT = 7443 };

#endif
