#include "mls/sparse.h"

#define FIRST_CAPACITY 16

void sparse_init(struct sparse *map, const sotto_env *env)
{
    *map = (struct sparse){.env = env};
}

void sparse_free(struct sparse *map)
{
    mem_free(map->env, map->slots, map->capacity * sizeof *map->slots);
    map->slots = NULL;
    map->capacity = 0;
    map->count = 0;
}

/* Fibonacci hashing: neighbouring node indices spread over the table. */
static size_t home(const struct sparse *map, uint32_t key)
{
    return (size_t)(key * UINT32_C(2654435769) >> 7) & (map->capacity - 1);
}

/* The slot of the key, or the free one where it would go. */
static size_t find(const struct sparse *map, uint32_t key)
{
    size_t at = home(map, key);
    while (map->slots[at].value != NULL && map->slots[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return at;
}

void *sparse_get(const struct sparse *map, uint32_t key)
{
    return map->capacity == 0 ? NULL : map->slots[find(map, key)].value;
}

sotto_error sparse_reserve(struct sparse *map, size_t extra)
{
    size_t capacity = map->capacity == 0 ? FIRST_CAPACITY : map->capacity;
    while (capacity / 2 < map->count + extra)
        capacity *= 2;
    if (capacity == map->capacity)
        return SOTTO_OK;
    struct sparse larger = {.env = map->env, .capacity = capacity};
    larger.slots = mem_alloc(map->env, capacity * sizeof *larger.slots);
    if (larger.slots == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].value != NULL)
            sparse_put(&larger, map->slots[i].key, map->slots[i].value);
    sparse_free(map);
    *map = larger;
    return SOTTO_OK;
}

void sparse_put(struct sparse *map, uint32_t key, void *value)
{
    BUG_UNLESS(value != NULL && map->count < map->capacity / 2);
    size_t at = find(map, key);
    BUG_UNLESS(map->slots[at].value == NULL);
    map->slots[at] = (struct sparse_slot){.value = value, .key = key};
    map->count++;
}

void *sparse_take(struct sparse *map, uint32_t key)
{
    if (map->capacity == 0)
        return NULL;
    size_t hole = find(map, key);
    void *value = map->slots[hole].value;
    if (value == NULL)
        return NULL;
    /* Close the gap: move back each follower whose home does not lie behind the hole. */
    size_t mask = map->capacity - 1;
    for (size_t at = (hole + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t wanted = home(map, map->slots[at].key);
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct sparse_slot){0};
    map->count--;
    return value;
}

void *sparse_next(const struct sparse *map, size_t *at, uint32_t *key)
{
    while (*at < map->capacity) {
        const struct sparse_slot *slot = &map->slots[(*at)++];
        if (slot->value != NULL) {
            *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}
