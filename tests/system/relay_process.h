/* A real sottod as a process, and clients of it over TLS and WebSocket. */
#ifndef TESTS_SYSTEM_RELAY_PROCESS_H
#define TESTS_SYSTEM_RELAY_PROCESS_H

#include <sys/types.h>

#include "unit/check.h"
#include "wire/link.h"
#include "wire/manifest.h"

struct relay_process {
    char folder[64], data[80], ready[80], log[80], listen[64];
    const char *options[16]; /* more of them, ended by NULL */
    bool sanitized;          /* memory is not what it is otherwise */
    pid_t pid;
    struct address address;
    struct tls *tls; /* of clients */
};

/* A new folder, and sottod serving it. options: NULL-ended, may be NULL. */
void relay_begin(struct relay_process *relay, const char *const *options);
void relay_start(struct relay_process *relay); /* again, on the same port */
void relay_kill(struct relay_process *relay);  /* SIGKILL */
int relay_stop(struct relay_process *relay);   /* SIGTERM; its exit status */
void relay_end(struct relay_process *relay);   /* stops it if it runs, and removes the folder */

/* Runs `sottod --data ... COMMAND`; its standard output, at most size - 1 bytes. Returns the
 * status. */
int relay_command(struct relay_process *relay, const char *command, char *out, size_t size);

/* The log so far, to be freed. */
char *relay_log(struct relay_process *relay);
/* Waits for the last verification code in the log. */
void relay_code(struct relay_process *relay, char code[static 7]);

/* ---- Clients -------------------------------------------------------------------------------- */

struct link *client_open(struct relay_process *relay, enum connection_kind kind);

/* What came back, with its bytes in a buffer of its own. */
struct reply {
    bool done;
    sotto_error error; /* REFUSED: code and detail */
    uint16_t code;
    uint64_t detail;
    struct message answer; /* valid until reply_free */
    struct arena arena;
    sotto_buf bytes;
};

/* Sends and waits; the protocol's code, 0 for done. */
uint16_t client_call(struct link *link, const struct message *message, struct reply *reply);
/* The same where only the code counts. */
uint16_t client_ask(struct link *link, const struct message *message);
void reply_free(struct reply *reply);

/* Steps a link for some milliseconds, or until done says true. */
bool client_run(struct link *link, uint32_t ms, bool (*done)(void *ctx), void *ctx);

/* ---- Rooms ---------------------------------------------------------------------------------- */

struct room_id test_room(unsigned n);
sotto_bytes test_token(unsigned n); /* 32 bytes; static, gone 64 calls later */
struct gate test_gate(unsigned n);

uint16_t client_create(struct link *link, unsigned room, unsigned write, unsigned read);
/* A message of 4 bytes made of id. Its seq in *seq, or the detail. */
uint16_t client_say(struct link *link, unsigned room, unsigned id, uint64_t epoch, unsigned token,
                    uint64_t *seq);
struct message append_of(unsigned room, unsigned id, uint64_t epoch, unsigned token,
                         sotto_bytes bytes);

/* A subscription that notes what it is pushed. */
struct listener {
    uint32_t request;
    uint64_t head, first, epoch;
    uint64_t next;  /* the seq expected next; 0: whatever comes first */
    size_t entries; /* received */
    size_t batches;
    bool gap;
    unsigned *ids; /* the ids of entries received, by arrival, if not NULL */
    size_t ids_max;
    uint16_t ended; /* code of room_end, 0: none */
    size_t envelopes;
    uint64_t last_envelope;
    size_t whispers;
    uint8_t last_whisper; /* its first byte */
};
uint16_t client_listen(struct link *link, unsigned room, unsigned read, uint64_t from,
                       struct listener *listener);
/* Until so many entries have come, or it ended. */
bool client_hear(struct link *link, struct listener *listener, size_t entries);

/* ---- People --------------------------------------------------------------------------------- */

struct member {
    uint8_t seed[SIGN_SEED_SIZE], sign_in_seed[SIGN_SEED_SIZE];
    struct account_id account;
    struct device_id device;
    sotto_buf manifest;
};
void member_begin(struct member *member, unsigned n);
void member_end(struct member *member);
uint16_t member_register(struct member *member, struct link *link, const char *phone,
                         const char *invitation, const char *code, uint64_t *detail);
uint16_t member_sign_in(struct member *member, struct link *link);
/* signer: whose key says so. */
uint16_t member_delete(const struct member *member, const struct member *signer, struct link *link,
                       bool unless_waiting, uint64_t *detail);

#endif
