/* Reaching relays, and what happened meanwhile (sotto/sotto.h). */
#ifndef SOTTO_NETWORK_H
#define SOTTO_NETWORK_H

#include <poll.h>

#include "sotto/contact.h"
#include "sotto/message.h"
#include "sotto/relay.h"

SOTTO_API_BEGIN

/* ---- The network ---------------------------------------------------------------------------- */

/* Network. Catches the conversation (NULL: all) up and sends what it owes, until nothing is owed.
 * Uses the room connection alone. UNREACHABLE and the like: what is owed stays in the outbox. An
 * error that ended an intent for good (no KeyPackage, invitation used) is returned once. */
sotto_error sotto_settle(struct sotto *core, const struct sotto_id *conversation);

/* Network. Fetches the inbox, tops up KeyPackages, then settles everything. */
sotto_error sotto_sync(struct sotto *core);

struct sotto_listener {
    void *ctx; /* passed to each; request and notice may be NULL */
    sotto_message_fn *message;
    void (*request)(void *ctx, const struct sotto_request *request);
    /* The connection to a relay was lost or is back; problem NULL: back. */
    void (*notice)(void *ctx, const struct sotto_problem *problem);
    /* After a batch: what was given is flushed. False: it could not be, so it counts as not given.
     */
    bool (*flush)(void *ctx);
    /* The relay tells the account something; each once. May be NULL. */
    sotto_notice_fn *told;
};

/* Network. Stays connected for seconds (0: until sotto_stop), reconnecting as needed, and calls the
 * listener's message for every message stored in this profile that no listener was given yet, also
 * those that another process stored. once: ends when all is caught up. Errors of the network are
 * reported to notice and do not end it, unless once; nor does a profile that another process holds,
 * or whose disk is full: what could not be stored is fetched again, until it can be. */
sotto_error sotto_listen(struct sotto *core, uint32_t seconds, bool once,
                         const struct sotto_listener *listener);

#define SOTTO_HOST_FDS_MAX 256
struct sotto_typing {
    struct sotto_id conversation;
    struct sotto_id account; /* whose fingers */
    const char *name;
    bool on;
};
struct sotto_host {
    void *ctx;
    /* Fills in what else to wait for, SOTTO_HOST_FDS_MAX at most; returns how many. */
    size_t (*wants)(void *ctx, struct pollfd *fds);
    /* After each wait, with what poll said of them. */
    void (*step)(void *ctx, const struct pollfd *fds, size_t count);
    void (*notice)(void *ctx, const struct sotto_problem *problem); /* as sotto_listener */
    /* Somebody began or ended to type; may be NULL. Nothing of it is kept, nor repeated to who was
     * not there. The end comes with their message, or when nothing was heard for ten seconds. */
    void (*typing)(void *ctx, const struct sotto_typing *typing);
};

/* Network. As sotto_listen without messages, for a program that serves others beside: it stays
 * connected until sotto_stop, with or without an account, and waits for the host's descriptors too.
 * It bears what sotto_listen bears.
 * The host may make local calls of this core in its step; what they queue leaves at once. */
sotto_error sotto_serve(struct sotto *core, const struct sotto_host *host);

/* Ends sotto_listen, sotto_serve and any other call that waits for the network, reads a file or
 * takes long, soon; what follows ends at once. A signal handler and another thread may call it. */
void sotto_stop(struct sotto *core);

/* ---- A proxy -------------------------------------------------------------------------------- */

/* Local. Everything that this profile's programs connect to from now on goes through that SOCKS5
 * proxy, or not at all; NULL or empty: none. Connections that go another way are ended, in every
 * program that has the profile open. Names are looked up by the proxy.
 *
 * "socks5://HOST:PORT": each connection shows the proxy random credentials of its own, so that Tor
 * takes it over circuits of its own. "socks5://HOST:PORT?isolate=no": none, for a proxy that knows
 * no passwords. "socks5://USER:PASSWORD@HOST:PORT": those, for all. BAD_ADDRESS. */
sotto_error sotto_set_proxy(struct sotto *core, const char *proxy);

/* Local. The same for this core, and those opened beside it later, alone, whatever the profile
 * says: proxy as in sotto_set_proxy, whose login stays in memory until it is replaced or closed. */
sotto_error sotto_use_proxy(struct sotto *core, const char *proxy);

struct sotto_proxy {
    char address[400]; /* "socks5://HOST:PORT" without a login; empty: none */
    bool isolates;     /* each connection has credentials of its own */
    bool login;        /* it has a user and a password */
    bool overridden;   /* by sotto_use_proxy */
};
/* Local. *proxy: the one in force. */
sotto_error sotto_proxy(struct sotto *core, struct sotto_proxy *proxy);

/* ---- Events --------------------------------------------------------------------------------- */

/* What changed in the profile since, by whichever process. The newest SOTTO_EVENTS_KEPT are kept:
 * whoever is further behind reads everything anew. */
#define SOTTO_EVENTS_KEPT 10000

enum sotto_event_kind {
    SOTTO_EVENT_MESSAGE = 1,         /* there is one: received, or written and waiting */
    SOTTO_EVENT_MESSAGE_CHANGED = 2, /* its status, text, kind or reactions */
    SOTTO_EVENT_CONVERSATION = 3,    /* made, changed (title, state, members, unread), or erased */
    SOTTO_EVENT_CONTACT = 4,
    SOTTO_EVENT_REQUEST = 5,        /* made, or answered */
    SOTTO_EVENT_ACCOUNT = 6,        /* one's own: registered, another name, another setting */
    SOTTO_EVENT_MESSAGE_ERASED = 7, /* its time was over */
    SOTTO_EVENT_JOIN_REQUEST = 20,  /* somebody asks to join, or was answered; or a link to join
                                       was made, used or revoked */
    SOTTO_EVENT_NOTICE = 25,        /* the relay tells the account something, or it was read */
    SOTTO_EVENT_RELAY = 26,         /* the relay's log of orders grew, or is convicted */
    SOTTO_EVENT_CONVERSATION_ERASED = 35, /* all that was said there: read it anew */
};

struct sotto_event {
    uint64_t number; /* grows by one with each; never given twice */
    enum sotto_event_kind kind;
    struct sotto_id about; /* the conversation; of a contact, the account; zero for one's account
                            * and relay; of a NOTICE, its id */
    int64_t erased;        /* MESSAGE_ERASED: the id that it had; 0: it never left */
    const struct sotto_message *message; /* as it is now; NULL: of another kind, or erased since */
};

/* Local. Calls each with ctx for events above number `after`, in order, at most limit. */
sotto_error sotto_events(struct sotto *core, uint64_t after, uint32_t limit,
                         void (*each)(void *ctx, const struct sotto_event *event), void *ctx);

/* Local. The numbers of the oldest that is kept and the newest that was given; both 0: none yet. */
sotto_error sotto_events_range(struct sotto *core, uint64_t *oldest, uint64_t *newest);

SOTTO_API_END

#endif
