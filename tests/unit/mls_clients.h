/* Clients of the MLS engine in one process, for tests: each with its engine, keys and a store in
 * memory. Every function asserts that it succeeds. */
#ifndef TESTS_UNIT_MLS_CLIENTS_H
#define TESTS_UNIT_MLS_CLIENTS_H

#include "sotto/mls.h"
#include "unit/check.h"

struct stored {
    uint32_t kind, index;
    uint8_t *data;
    size_t size;
};

/* Records of one group, sorted by (kind, index). */
struct memory_store {
    struct stored *records;
    size_t count, capacity;
    size_t puts, erases; /* calls since the test last set them to 0 */
    size_t put_bytes;
    size_t fail_at; /* the call that fails, counted from 1; 0: none */
    size_t cursor;  /* of a load */
    bool no_keys;   /* loading leaves out records of kind 7 */
};

struct client {
    char name[24];
    uint16_t suite;
    sotto_mls *mls;
    sotto_buf private_key, public_key;
    sotto_mls_identity identity;
    sotto_buf key_package, secrets; /* the last made */
    sotto_mls_group *group;
    struct memory_store store;
    bool leaves_out_keys;
    size_t fetches; /* of records that loading left out */
    /* What the engine's callbacks answer. */
    sotto_error leaf_verdict;
    unsigned leaves_seen;
    sotto_bytes psk_id, psk;
    sotto_bytes kept_group;
    uint64_t kept_epoch;
    sotto_buf kept_psk;
};

/* config: its callbacks are replaced; NULL: all zero. One that has `stored` gets an own one, and
 * loading then leaves out what it may. */
void client_new(struct client *client, uint16_t suite, const char *name,
                const sotto_mls_config *config);
void client_new_with(struct client *client, uint16_t suite, const char *name,
                     const sotto_mls_config *config, const sotto_mls_provider *provider);
void client_free(struct client *client);

/* Makes key_package and secrets anew. */
void client_key_package(struct client *client);

void client_create(struct client *client, const char *group_id);

/* Joins by a Welcome for key_package. tree: empty if the Welcome has it. */
void client_join(struct client *client, sotto_bytes welcome, sotto_bytes tree);

/* A commit that is applied at once by its maker; appended to out. */
void client_commit(struct client *client, const sotto_mls_commit_options *options, sotto_buf *out);

/* Keeps the present epoch's resumption PSK for the engine to ask for. */
void client_keep_psk(struct client *client, const char *group_id);

void client_save(struct client *client);
sotto_error client_load(struct client *client, sotto_mls_group **group);
/* Saves, frees, loads again. */
void client_reload(struct client *client);

/* member commits an Add of each newcomer and all join by the Welcome; then everyone in others
 * processes the commit. */
void world_add(struct client *member, struct client **newcomers, size_t newcomer_count,
               struct client **others, size_t other_count);

/* All but one (NULL: all) process a commit and apply it. */
void world_process(struct client **others, size_t count, const struct client *but,
                   sotto_bytes commit);

/* All have the same epoch, authenticator and tree; each one's message is read by all others. */
void world_agrees(struct client **members, size_t count);

/* from encrypts, to reads; the text must arrive. */
void world_tell(struct client *from, struct client *to, const char *text);

void store_clear(struct memory_store *store);
const struct stored *store_find(const struct memory_store *store, uint32_t kind, uint32_t index);
bool store_equal(const struct memory_store *a, const struct memory_store *b);
void store_copy(const struct memory_store *from, struct memory_store *to);

/* For a config: says that there shall be one. */
sotto_error client_stored(void *ctx, const sotto_mls_group *group, uint32_t kind, uint32_t index,
                          sotto_buf *value);

sotto_error store_put(void *ctx, uint32_t kind, uint32_t index, sotto_bytes value);
sotto_error store_erase(void *ctx, uint32_t kind, uint32_t index);

#endif
