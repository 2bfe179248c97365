/* The simulation: many real cores, one relay made of docs/PROTOCOL.md, one thread, no real time.
 * docs/SIMULATION.md says what it is for and what it does not show. Everything that is left to
 * chance comes from the seed, so that a run is the same whenever and wherever it is repeated. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <sodium.h>

#include "core/outside.h"
#include "core/store.h"
#include "crypto/voprf.h"
#include "sotto/sotto.h"
#include "wire/manifest.h"
#include "wire/message.h"

struct world;
struct client;
struct conn_sim;

/* ---- Chance ------------------------------------------------------------------------------------
 */

struct chance {
    uint64_t state;
};

uint64_t chance_next(struct chance *chance);
uint64_t chance_below(struct chance *chance, uint64_t n);
bool chance_of(struct chance *chance, uint32_t per_million);
/* Around mean, from nearly nothing to some times of it. */
uint64_t chance_around(struct chance *chance, uint64_t mean);

/* A set of digests with a value each. */
struct digest {
    uint8_t bytes[16];
};
struct digest_map {
    struct digest_row {
        struct digest key, value;
        bool used;
    } * rows;
    size_t size, count;
};
void digest_of(sotto_bytes a, sotto_bytes b, struct digest *out);
/* What stands there, or NULL; put: is there afterwards, true if it was not before. */
const struct digest *digest_get(const struct digest_map *map, const struct digest *key);
bool digest_put(struct digest_map *map, const struct digest *key, const struct digest *value);
void digest_free(struct digest_map *map);

void *sim_alloc(size_t size);
/* Appends a zeroed element to an array that grows. */
void *sim_grow(void **list, size_t *count, size_t *room, size_t size);

/* ---- Time: events and tasks (clock.c) ----------------------------------------------------------
 */

enum { SIM_BEGIN_S = 1800000000 };
#define SIM_DAY_MS UINT64_C(86400000)

struct task {
    struct world *world;
    ucontext_t context;
    uint8_t *stack;
    size_t stack_size;
    void (*run)(void *ctx);
    void *ctx;
    uint64_t generation; /* of its waking */
    bool started, done;
    void *fake_stack; /* of the sanitizer */
};

struct event {
    uint64_t ms, order;
    void (*happen)(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number);
    void *ctx;
    sotto_buf bytes;
    uint64_t number;
};

/* bytes may be NULL, else it is the event's. */
void world_at(struct world *world, uint64_t ms,
              void (*happen)(struct world *world, void *ctx, sotto_buf *bytes, uint64_t number),
              void *ctx, sotto_buf *bytes, uint64_t number);
/* Until nothing is to happen any more. */
void world_run(struct world *world);

void task_start(struct world *world, struct task *task, void (*run)(void *ctx), void *ctx);
/* Of the running task: until then, or until it is woken. */
void task_sleep(struct task *task, uint64_t until_ms);
void task_wake(struct task *task);
void task_free(struct task *task);

/* ---- The disk (disk.c) -------------------------------------------------------------------------
 */

#define SIM_VFS "sim"
void disk_register(struct world *world);
/* What a power cut, or the kill of the process alone, leaves of the client's files. */
void disk_crash(struct client *client, bool power);
void disk_forget(struct world *world);

/* ---- The network (net.c) -----------------------------------------------------------------------
 */

struct subscription {
    struct subscription *next; /* of the room */
    struct conn_sim *conn;
    struct sim_room *room;
    struct sim_log *log;
    uint32_t request;
    uint64_t next_seq, until;
    uint64_t order_ms; /* nothing of it arrives before what went before */
    bool withheld;
};

struct arrival {
    struct arrival *next;
    sotto_buf bytes;
};

struct conn_sim {
    struct conn_sim *next;
    struct world *world;
    struct client *client;
    unsigned holds; /* the line, the relay, events under way */
    size_t number;

    /* The client's end. */
    const struct channel_handler *handler;
    void *handler_ctx;
    struct arrival *first, **last;
    bool opening, closed;
    bool ended, over; /* the relay closed it; the client has found that out */
    struct channel_end end;
    uint64_t received;
    uint64_t up_ms; /* nothing arrives at the relay before what was sent before */

    /* The relay's. */
    bool up, greeted, signed_in;
    uint8_t kind;
    uint8_t challenge[CHALLENGE_SIZE];
    struct sim_account *account;
    struct device_id device;
    uint32_t inbox_request;
    uint64_t inbox_next, inbox_order_ms;
};

extern const struct line_type line_sim;
void conn_release(struct conn_sim *conn);
/* A core waits for connections as for descriptors, with numbers that no real one has. How many of
 * them have something for it. */
enum { SIM_FD = 1 << 20 };
int net_poll(struct world *world, struct pollfd *fds, nfds_t count);
/* The relay sends; never before not_before_ms. When it arrives. */
uint64_t conn_send(struct conn_sim *conn, const struct message *message, uint64_t not_before_ms,
                   uint64_t extra_ms);
/* The connection breaks: the relay knows at once, the client a little later. Frees nothing. */
void conn_cut(struct conn_sim *conn);
void net_cut_all(struct world *world);
uint64_t net_latency(struct world *world);

/* ---- The relay (relay.c, rooms.c, blobs.c) -----------------------------------------------------
 */

struct sim_envelope {
    uint64_t seq;
    sotto_buf sealed;
};

struct sim_package {
    sotto_buf bytes;
};

struct sim_device {
    struct device_id id;
    uint8_t sign_in_hash[HASH_SIZE];
    struct sim_package *packages;
    size_t package_count, package_room;
    sotto_buf last_resort;
    struct sim_envelope *inbox;
    size_t inbox_count, inbox_room;
    uint64_t inbox_seq;
    bool gone;
};

struct sim_account {
    struct account_id id;
    sotto_buf manifest;
    struct sim_device **devices;
    size_t device_count, device_room;
    uint64_t issued_day, issued_today;
    char username[USERNAME_MAX + 1]; /* empty: none */
};

struct sim_grant {
    struct gate hash;
    struct sim_account *account;
    uint64_t expires;
    uint32_t packages_left, envelopes_left;
};

struct sim_entry {
    uint64_t seq, epoch, time_ms;
    uint8_t kind;
    struct request_id append_id;
    sotto_buf bytes;
};

struct sim_gate {
    struct gate gate;
    uint64_t until, until_epoch; /* UINT64_MAX: open */
};

/* One branch of a room's log. */
struct sim_log {
    uint64_t epoch, next_seq, first_seq;
    uint64_t bytes;
    struct gate write_gate;
    struct sim_entry *entries; /* first_seq on */
    size_t entry_count, entry_room;
    struct sim_gate *gates;
    size_t gate_count, gate_room;
    uint64_t *when; /* each entry came, also those that have expired */
    size_t when_count, when_room;
};

/* A client asked for entries that had expired: from there on it misses some. */
struct lapse {
    struct client *client;
    uint64_t from_seq;
    bool shut; /* its gate had expired too: the relay told it nothing */
};

enum sim_fork { FORK_NONE, FORK_OPEN, FORK_HEALED };

struct sim_room {
    struct room_id id;
    uint64_t size;
    struct sim_log logs[2];
    enum sim_fork fork;
    uint64_t fork_seq; /* the commit that the branches have instead of one another */
    uint64_t heal_seq; /* the first entry that all are shown again */
    struct lapse *lapses;
    size_t lapse_count, lapse_room;
    struct subscription *subscriptions;
};

struct sim_blob {
    uint8_t hash[HASH_SIZE];
    struct gate gate;
    uint64_t size, stored;
    bool finished, gone;
    uint8_t *bytes;
};

struct repeat { /* take_id or post_id */
    struct request_id id;
    sotto_buf package;
    uint64_t time_ms;
};

/* What a relay does to its people, in millionths of each request or message. */
struct weather {
    uint32_t latency_ms, jitter_ms;
    uint32_t slow, slow_ms; /* a message that takes much longer */
    uint32_t cut_before;    /* the connection breaks before the request was done */
    uint32_t cut_after;     /* after it was done, before the answer */
    uint32_t unavailable;   /* refused for a while */
    uint32_t refuse_connection;
    uint32_t repeat_push, repeat_answer;
    uint32_t withhold;                  /* a subscription falls silent */
    uint32_t mute;                      /* a room does, for a client, however often it asks */
    uint32_t reorder, reorder_ms;       /* one room's pushes overtake another's */
    uint32_t outage_days, outage_hours; /* every so many days, for so long at most */
    uint32_t fork;                      /* of each commit appended: two histories from there on */
    uint32_t crash;                     /* of each session of a client */
    uint32_t needs_tokens;              /* nothing without a token */
    uint32_t skew_s;                    /* clients' clocks are wrong by so much at most */
    uint32_t keep_days;                 /* after which entries expire */
};

/* What people do beside writing. */
struct habits {
    bool timers, files, labels;
};

void relay_begin(struct world *world);
void relay_end(struct world *world);
bool relay_has_revoked(const struct world *world, const struct client *client);
void relay_receive(struct conn_sim *conn, sotto_bytes bytes);
void relay_closed(struct conn_sim *conn);
void relay_answer(struct conn_sim *conn, struct message *answer);
void relay_refuse(struct conn_sim *conn, uint32_t request, uint16_t code, uint64_t detail);
/* Whether it may be done, and for what; 0 or the code. Nothing is spent yet. */
struct payment {
    struct sim_grant *grant;
    struct digest nonce;
    bool token;
};
uint16_t relay_admit(struct world *world, const struct permission *permission,
                     const struct account_id *account, struct payment *payment);
void relay_spend(struct world *world, const struct payment *payment);

void rooms_request(struct conn_sim *conn, const struct message *message);
void rooms_close(struct conn_sim *conn);
void rooms_tidy(struct world *world);
struct sim_room *room_find(struct world *world, const struct room_id *id);
void rooms_heal(struct world *world);
void rooms_free(struct world *world);
void labels_request(struct conn_sim *conn, const struct message *message);
void relay_answer_empty(struct conn_sim *conn, const struct message *to);
void blobs_request(struct conn_sim *conn, const struct message *message);
void blobs_free(struct world *world);

/* ---- Cryptography that is watched (crypto.c) ---------------------------------------------------
 */

struct watched {
    sotto_mls_provider table; /* first: the provider is given back */
    struct world *world;
};
void crypto_watch(struct world *world, struct watched *watched);
/* Of an entry that the relay was shown: no key may stand under two of them. */
void crypto_seen(struct world *world, const struct request_id *append_id, sotto_bytes bytes);

/* ---- People (people.c) -------------------------------------------------------------------------
 */

struct client {
    struct world *world;
    struct person *person;
    unsigned number;
    char folder[96];
    sotto_env env;
    struct outside outside;
    uint8_t key[32]; /* of its randomness */
    uint64_t drawn;
    struct chance chance;
    struct task task;
    struct sotto *core;
    unsigned spins;      /* turns without waiting, one after the other */
    bool waiting;        /* in the wait of its core: what arrives wakes it */
    bool dead;           /* it crashed: nothing that it does leaves or lasts */
    bool power;          /* by a power cut */
    uint64_t steps_left; /* until it crashes, on its disk and network; 0: never */
    bool registered, revoked, finished;
    int64_t skew_s;
    char device[33];
    bool crowded; /* in a busy run: it is in the one group */
    struct sotto_id crowd;
};

struct person {
    struct world *world;
    unsigned number;
    char name[24];
    char account[65];
    struct client *clients[4];
    unsigned client_count;
    /* Links that others gave to it, and the one for a new device. */
    char **links;
    size_t link_count, link_room;
    char *device_link;
    struct client *linking;
};

/* A message that sotto_send or sotto_send_file took. */
struct sent {
    struct client *client;
    struct sotto_id room;
    char client_id[SOTTO_CLIENT_ID_MAX + 1];
    uint64_t number;
    uint64_t ms;
    uint32_t timer_s; /* after which it disappears; 0: never */
};

enum { HEAL_ROUNDS = 48, HEAL_FAR = 30, HEAL_QUIET = 4 };

struct options {
    uint64_t seed;
    unsigned days, people;
    unsigned messages_a_day; /* of each person; 0: as the seed says */
    bool calm;               /* a relay that does nothing wrong */
    bool busy;               /* one group of all, nothing but messages in it */
    bool quiet;              /* prints nothing but failures */
    bool tap;                /* and TAP lines */
    bool trace;              /* prints what everybody does */
};

struct world {
    struct options options;
    struct weather weather;
    struct habits habits;
    bool calm;                    /* the end: everything heals */
    bool healed;                  /* and what was broken by then has been found out by everybody */
    uint64_t rounds[HEAL_ROUNDS]; /* of healing: how many entries there were as each began */
    struct chance chance;
    uint64_t now_ms, end_ms, order;
    struct event *events; /* a heap */
    size_t event_count, event_room;
    ucontext_t context;
    void *fake_stack;
    const void *bottom;
    size_t bottom_size;

    sotto_env env; /* the relay's */
    uint8_t key[32];
    uint64_t drawn;
    bool down;
    size_t grouped; /* people whom the one group of a busy run has */
    struct conn_sim *conns;
    struct conn_sim **numbered; /* by number; NULL: it is over */
    size_t numbered_count, numbered_room;
    struct sim_account **accounts;
    size_t account_count, account_room;
    struct sim_grant **grants;
    size_t grant_count, grant_room;
    struct sim_room **rooms;
    size_t room_count, room_room;
    struct sim_blob **blobs;
    size_t blob_count, blob_room;
    struct repeat *repeats;
    size_t repeat_count, repeat_room;
    struct voprf_key token_keys[512];
    struct token_key announced[512];
    size_t token_key_count;
    struct digest_map spent, appended;

    char folder[64];
    struct person *people;
    struct client *clients;
    unsigned client_count, client_max;
    struct watched watched;
    struct digest_map sealed, keys;
    struct digest_map named; /* usernames and whose they ever were */
    struct digest_map found; /* by which client under which name first, and who it was */

    struct sent *sent;
    size_t sent_count, sent_room;
    uint64_t texts;

    crypto_generichash_state transcript;
    uint64_t requests, pushes, crashes, forks, cuts, entries;
    unsigned failures;
};

void people_begin(struct world *world);
void people_end(struct world *world);
/* Of a client's disk and network: one more step. False: it is dead. */
bool client_lives(struct client *client);
uint64_t client_now_s(const struct client *client);

/* For whoever looks for the reason of a failure: --trace. */
void client_tells(const struct client *client, const char *what, long long number);

/* ---- What people do (actions.c) ----------------------------------------------------------------
 */

/* One of the conversations that can be written to (groups: of the groups), each as likely. */
bool some_conversation(struct client *client, bool groups, struct sotto_id *id);
/* A text of its newest messages (own: of one's own); 0: none. */
int64_t some_message(struct client *client, const struct sotto_id *id, bool own);
void say(struct client *client, const struct sotto_id *id);
void change(struct client *client, const struct sotto_id *id);
void group_make(struct client *client);
void group_add(struct client *client);
void group_remove(struct client *client);
/* The first client puts all whom it knows into one group, and those whom it comes to know later. */
void crowd_gather(struct client *client);
/* A file of the message's number, and one that somebody sent; strict: it has to be there. */
void send_file(struct client *client, const struct sotto_id *id);
void fetch_file(struct client *client, bool strict);
void set_timer(struct client *client);
void name_self(struct client *client);
void find_somebody(struct client *client);
void invite(struct client *client, struct person *other);
/* What others gave to the person, and who wants to write. */
void take_links(struct client *client);
void take_request(struct client *client);

/* ---- What has to be true (check.c) -------------------------------------------------------------
 */

void world_fails(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The number that say and send_file write at the beginning of a text; 0: none. */
uint64_t message_number(sotto_bytes text);
void check_reopened(struct client *client);
void check_end(struct world *world);
void check_error(struct client *client, sotto_error error, const char *doing);

/* One run. *transcript: what was said, in order and time. False: something was not true. */
struct outcome {
    uint8_t transcript[16];
    uint64_t requests, pushes, crashes, forks, cuts, entries, texts;
    unsigned clients, rooms;
};
bool sim_run(const struct options *options, struct outcome *outcome);

#endif
