/* Which node holds a public key: a hash table from keys to nodes that stores no keys. It answers
 * with candidates; the caller compares with the key in the node. The hash is a fingerprint under a
 * seed of the tree's own, because peers choose the keys. */
#ifndef MLS_KEY_INDEX_H
#define MLS_KEY_INDEX_H

#include "mls/types.h"

enum key_kind {
    KEY_ENCRYPTION = 0,
    KEY_SIGNATURE = 1,
};

struct key_slot {
    uint32_t tag; /* of the key */
    uint32_t ref; /* 0: empty; else (node index << 1 | kind) + 1 */
};

struct key_index {
    struct key_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

/* print: the key's fingerprint, of which the low half counts. */
static inline uint32_t key_index_tag(enum key_kind kind, uint64_t print)
{
    return kind == KEY_SIGNATURE ? ~(uint32_t)print : (uint32_t)print;
}

/* Whether extra more entries fit without growing. */
bool key_index_has_room(const struct key_index *index, size_t extra);

/* An empty table with room for count entries. */
sotto_error key_index_alloc(const sotto_env *env, size_t count, struct key_index *index);
void key_index_free(const sotto_env *env, struct key_index *index);

/* Moves all entries of index into larger (which has room), frees index's table, and replaces it. */
void key_index_move(const sotto_env *env, struct key_index *index, struct key_index *larger);

/* Grows as needed. NO_MEMORY. */
sotto_error key_index_add(const sotto_env *env, struct key_index *index, uint32_t tag,
                          enum key_kind kind, struct node_index x);

/* There must be room. */
void key_index_put(struct key_index *index, uint32_t tag, enum key_kind kind, struct node_index x);

/* Takes an entry out, if it is there. */
void key_index_remove(struct key_index *index, uint32_t tag, enum key_kind kind,
                      struct node_index x);

/* The next node whose key may be the one sought. Start with *position = 0. */
bool key_index_next(const struct key_index *index, uint32_t tag, enum key_kind kind,
                    size_t *position, struct node_index *x);

#endif
