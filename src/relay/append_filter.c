#include "relay/append_filter.h"

#include <string.h>

enum {
    FIRST_HASHES = 16,
    LOOK_IDS = 16, /* reading so many in order costs about what looking for one does */
};

enum state { COUNTING, FILLING, FILLED };

struct room_filter {
    struct table_node node;
    struct room_filter *newer, *older;
    int64_t room;
    enum state state;
    uint64_t looks;   /* while counting */
    uint32_t *hashes; /* open addressing, 0: free; at most three quarters are taken */
    size_t size, count;
};

void append_filter_init(struct append_filter *filter, const sotto_env *env, size_t max_bytes)
{
    *filter = (struct append_filter){.env = env, .max_bytes = max_bytes};
    table_init(&filter->rooms, env);
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

static uint64_t hash_room(const struct append_filter *filter, int64_t room)
{
    return table_hash(&filter->rooms, sotto_bytes_of((const uint8_t *)&room, sizeof room));
}

static struct room_filter *find(const struct append_filter *filter, int64_t room)
{
    struct table_node *node = table_first(&filter->rooms, hash_room(filter, room));
    for (; node != NULL; node = table_next(node)) {
        struct room_filter *one = TABLE_ENTRY(node, struct room_filter, node);
        if (one->room == room)
            return one;
    }
    return NULL;
}

static void unlink_room(struct append_filter *filter, const struct room_filter *one)
{
    *(one->newer == NULL ? &filter->newest : &one->newer->older) = one->older;
    *(one->older == NULL ? &filter->oldest : &one->older->newer) = one->newer;
}

static void link_newest(struct append_filter *filter, struct room_filter *one)
{
    one->newer = NULL;
    one->older = filter->newest;
    *(one->older == NULL ? &filter->oldest : &one->older->newer) = one;
    filter->newest = one;
}

static size_t bytes_of(const struct room_filter *one)
{
    return sizeof *one + one->size * sizeof *one->hashes;
}

static void drop(struct append_filter *filter, struct room_filter *one)
{
    filter->bytes -= bytes_of(one);
    unlink_room(filter, one);
    table_remove(&filter->rooms, &one->node);
    mem_free(filter->env, one->hashes, one->size * sizeof *one->hashes);
    mem_free(filter->env, one, sizeof *one);
}

void append_filter_free(struct append_filter *filter)
{
    while (filter->oldest != NULL)
        drop(filter, filter->oldest);
    table_free(&filter->rooms);
}

/* NULL when out of memory. */
static struct room_filter *get(struct append_filter *filter, int64_t room)
{
    struct room_filter *one = find(filter, room);
    if (one != NULL) {
        unlink_room(filter, one);
    } else {
        one = mem_alloc(filter->env, sizeof *one);
        if (one == NULL)
            return NULL;
        one->room = room;
        if (table_add(&filter->rooms, &one->node, hash_room(filter, room)) != SOTTO_OK) {
            mem_free(filter->env, one, sizeof *one);
            return NULL;
        }
        filter->bytes += bytes_of(one);
    }
    link_newest(filter, one);
    while (filter->bytes > filter->max_bytes && filter->oldest != one)
        drop(filter, filter->oldest);
    return one;
}

/* ---- Hashes --------------------------------------------------------------------------------- */

/* The other half than the one that chooses buckets of tables. */
static uint32_t short_of(uint64_t hash)
{
    uint32_t value = (uint32_t)(hash >> 32);
    return value == 0 ? 1 : value;
}

/* Where the hash is, or would be. */
static uint32_t *place(uint32_t *hashes, size_t size, uint32_t hash)
{
    size_t at = hash & (size - 1);
    while (hashes[at] != 0 && hashes[at] != hash)
        at = (at + 1) & (size - 1);
    return &hashes[at];
}

static sotto_error grow(struct append_filter *filter, struct room_filter *one)
{
    size_t size = one->size == 0 ? FIRST_HASHES : 2 * one->size;
    uint32_t *hashes = mem_alloc(filter->env, size * sizeof *hashes);
    if (hashes == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < one->size; i++)
        if (one->hashes[i] != 0)
            *place(hashes, size, one->hashes[i]) = one->hashes[i];
    mem_free(filter->env, one->hashes, one->size * sizeof *one->hashes);
    filter->bytes += (size - one->size) * sizeof *hashes;
    one->hashes = hashes;
    one->size = size;
    return SOTTO_OK;
}

/* ---- Use ------------------------------------------------------------------------------------ */

enum filter_answer append_filter_ask(struct append_filter *filter, int64_t room, uint64_t hash,
                                     uint64_t ids)
{
    struct room_filter *one = get(filter, room);
    if (one == NULL)
        return FILTER_LOOK;
    if (one->state == FILLED)
        return one->size == 0 || *place(one->hashes, one->size, short_of(hash)) == 0 ? FILTER_NEW
                                                                                     : FILTER_LOOK;
    one->looks++;
    if (ids > FILTER_FILL_MAX || one->looks * LOOK_IDS < ids)
        return FILTER_LOOK;
    one->state = FILLING;
    return FILTER_FILL;
}

void append_filter_put(struct append_filter *filter, int64_t room, uint64_t hash)
{
    struct room_filter *one = find(filter, room);
    if (one == NULL || one->state == COUNTING)
        return;
    if (4 * one->count >= 3 * one->size && grow(filter, one) != SOTTO_OK) {
        drop(filter, one); /* it would not have all */
        return;
    }
    uint32_t *at = place(one->hashes, one->size, short_of(hash));
    one->count += *at == 0;
    *at = short_of(hash);
}

void append_filter_filled(struct append_filter *filter, int64_t room, bool all)
{
    struct room_filter *one = find(filter, room);
    if (one != NULL && all)
        one->state = FILLED;
    else if (one != NULL)
        drop(filter, one);
}
