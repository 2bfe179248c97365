/* A store in a folder of its own, with a clock that tests set, and one function an operation. */
#ifndef TESTS_UNIT_RELAY_WORLD_H
#define TESTS_UNIT_RELAY_WORLD_H

#include "unit/check.h"

#include "relay/store_sqlite.h"

struct relay_world {
    sotto_env env; /* the system's, but for the clock */
    uint64_t now;
    char folder[64], path[96];
    struct store *store;
    struct store_port *port; /* for calls */
    struct store_port *ear;  /* hears notices */
    struct notice heard[64]; /* without blobs */
    size_t heard_count;
    sotto_error health;
    unsigned health_changes;
    struct store_permission token; /* kind TOKEN: what do_create, do_take and do_post pay with */
    uint64_t room_size;            /* that do_create asks for */
};

enum { WORLD_DAY = 20000 }; /* the clock begins at noon of that day */

void world_begin(struct relay_world *world, const char *vfs);
/* In a folder that a disk keeps, where its pace is part of the test. */
void world_begin_on_disk(struct relay_world *world, const char *vfs);
void world_reopen(struct relay_world *world, const char *vfs);
void world_close(struct relay_world *world);  /* the files stay */
void world_end(struct relay_world *world);    /* the files go */
void world_listen(struct relay_world *world); /* collects notices so far into heard */

/* Fixed bytes from a number. */
struct room_id room_of(unsigned n);
struct gate token_gate(unsigned n); /* the gate that token n opens */
struct request_id request_of(unsigned n);

/* Each returns the code of the protocol, 0 for done. */
uint16_t do_create(struct relay_world *world, unsigned room, unsigned write, unsigned read);

struct append_try {
    unsigned room, id;
    uint64_t epoch;
    unsigned token;
    bool commit;
    unsigned next_write, next_read; /* next_read 0: none */
    sotto_bytes bytes;              /* empty: four bytes made of id */
    uint64_t seq, detail;           /* out */
};
uint16_t do_append(struct relay_world *world, struct append_try *try);
/* The operation alone, to be submitted. */
struct store_op *append_op(struct relay_world *world, const struct append_try *try);
/* A message with token and epoch; its seq or 0. */
uint64_t say(struct relay_world *world, unsigned room, unsigned id, uint64_t epoch, unsigned token);

uint16_t do_open(struct relay_world *world, unsigned room, unsigned read,
                 struct store_room_open *open);
/* The ids of the entries from seq on, as append_try.id; how many. */
size_t do_fetch(struct relay_world *world, int64_t key, uint64_t from, uint64_t until,
                unsigned *ids, size_t max);

/* A person with one account key and one device. */
struct person {
    uint8_t seed[SIGN_SEED_SIZE], sign_in_seed[SIGN_SEED_SIZE];
    struct account_id account;
    struct device_id device;
    sotto_buf manifest; /* the newest made */
    uint64_t number;
    struct session session;
};
void person_begin(struct relay_world *world, struct person *person, unsigned n);
void person_end(struct person *person);
/* Makes the next manifest; other: a second device's number, 0: none; own: still has the first. */
void person_manifest(struct person *person, bool own, unsigned other);

struct register_try {
    enum registration mode; /* 0: open */
    const char *phone, *invitation, *code, *new_code, *address;
    const char *label; /* that new accounts get */
    uint64_t detail;   /* out */
    bool send_code;    /* out */
};
uint16_t do_register(struct relay_world *world, struct person *person, struct register_try *try);
uint16_t do_put_manifest(struct relay_world *world, struct person *person);
/* With the right key. */
uint16_t do_sign_in(struct relay_world *world, struct person *person);
uint16_t do_publish(struct relay_world *world, struct person *person, const char *const *packages,
                    const char *last_resort, uint32_t *stored);
uint16_t do_grant(struct relay_world *world, struct person *person, unsigned capability,
                  uint64_t expires, uint32_t uses);
/* capability 0: none. out: the KeyPackage as text. */
uint16_t do_take(struct relay_world *world, const struct person *person, unsigned capability,
                 unsigned id, char out[static 64]);
uint16_t do_look(struct relay_world *world, const struct person *person, unsigned capability);
uint16_t do_post(struct relay_world *world, const struct person *person, unsigned capability,
                 unsigned id, const char *sealed);
uint16_t do_ack(struct relay_world *world, struct person *person, uint64_t seq);
/* The envelopes as text with their numbers: "1:abc 2:def". */
uint16_t do_inbox(struct relay_world *world, struct person *person, uint64_t from,
                  char out[static 256]);
uint16_t do_delete(struct relay_world *world, struct person *person);
/* Until nothing more expires; rows erased. */
uint64_t do_expire(struct relay_world *world, uint64_t today, int64_t ip_seconds);
/* label NULL: none */
void do_invite(struct relay_world *world, const char *code, uint32_t uses, uint64_t expires,
               const char *label);
struct issue_try {
    unsigned request; /* names the blinded elements */
    uint32_t key, count, a_day;
    uint64_t detail; /* out */
};
uint16_t do_issue(struct relay_world *world, struct person *person, struct issue_try *try);
/* Renews the issuing keys, for a life of seven days; the newest one's number. */
uint32_t do_token_keys(struct relay_world *world);
/* A token of that key, good as far as the store is told. */
struct store_permission token_of(uint32_t key, unsigned nonce);
/* size: wanted, and then what the room holds. */
uint16_t do_extend(struct relay_world *world, unsigned room, uint64_t step, uint64_t *size);
uint16_t do_status(struct relay_world *world, struct store_status *status);

/* One number of the file, by SQL of the test's own. */
int64_t world_query(struct relay_world *world, const char *sql);

#endif
