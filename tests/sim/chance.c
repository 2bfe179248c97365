/* Chance, and small containers. */
#include "sim/sim.h"

uint64_t chance_next(struct chance *chance)
{
    /* splitmix64: each state gives one value, and all are visited. */
    uint64_t z = chance->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t chance_below(struct chance *chance, uint64_t n)
{
    return n == 0 ? 0 : chance_next(chance) % n;
}

bool chance_of(struct chance *chance, uint32_t per_million)
{
    return per_million > 0 && chance_next(chance) % 1000000 < per_million;
}

uint64_t chance_around(struct chance *chance, uint64_t mean)
{
    /* The product of two: mostly less, at times nearly four times as much. */
    uint64_t a = 1 + chance_below(chance, 2048), b = 1 + chance_below(chance, 2048);
    return (mean * a / 1024) * b / 1024;
}

void *sim_alloc(size_t size)
{
    void *block = calloc(1, size == 0 ? 1 : size);
    if (block == NULL)
        abort();
    return block;
}

void *sim_grow(void **list, size_t *count, size_t *room, size_t size)
{
    if (*count == *room) {
        size_t more = *room == 0 ? 8 : *room * 2;
        void *grown = realloc(*list, more * size);
        if (grown == NULL)
            abort();
        *list = grown;
        *room = more;
    }
    void *element = (uint8_t *)*list + *count * size;
    memset(element, 0, size);
    (*count)++;
    return element;
}

void digest_of(sotto_bytes a, sotto_bytes b, struct digest *out)
{
    crypto_generichash_state state;
    uint64_t size = a.size;
    crypto_generichash_init(&state, NULL, 0, sizeof out->bytes);
    crypto_generichash_update(&state, (const uint8_t *)&size, sizeof size);
    crypto_generichash_update(&state, a.data, a.size);
    crypto_generichash_update(&state, b.data, b.size);
    crypto_generichash_final(&state, out->bytes, sizeof out->bytes);
}

static struct digest_row *place_of(const struct digest_map *map, const struct digest *key)
{
    uint64_t at;
    memcpy(&at, key->bytes, sizeof at);
    for (at %= map->size; map->rows[at].used; at = (at + 1) % map->size)
        if (memcmp(&map->rows[at].key, key, sizeof *key) == 0)
            break;
    return &map->rows[at];
}

const struct digest *digest_get(const struct digest_map *map, const struct digest *key)
{
    if (map->size == 0)
        return NULL;
    const struct digest_row *row = place_of(map, key);
    return row->used ? &row->value : NULL;
}

bool digest_put(struct digest_map *map, const struct digest *key, const struct digest *value)
{
    if (map->count * 2 >= map->size) {
        struct digest_map grown = {.size = map->size == 0 ? 1024 : map->size * 2,
                                   .count = map->count};
        grown.rows = sim_alloc(grown.size * sizeof *grown.rows);
        for (size_t i = 0; i < map->size; i++)
            if (map->rows[i].used)
                *place_of(&grown, &map->rows[i].key) = map->rows[i];
        free(map->rows);
        *map = grown;
    }
    struct digest_row *row = place_of(map, key);
    bool fresh = !row->used;
    if (fresh)
        map->count++;
    *row = (struct digest_row){.key = *key, .value = *value, .used = true};
    return fresh;
}

void digest_free(struct digest_map *map)
{
    free(map->rows);
    *map = (struct digest_map){0};
}
