#include "relay/table.h"

#include <string.h>

#include <sodium.h>

enum { FIRST_SIZE = 64 };

void table_init(struct table *table, const sotto_env *env)
{
    *table = (struct table){.env = env};
    crypto_shorthash_keygen(table->key);
}

void table_free(struct table *table)
{
    mem_free(table->env, table->buckets, table->size * sizeof *table->buckets);
    table->buckets = NULL;
    table->size = 0;
}

uint64_t table_hash(const struct table *table, sotto_bytes key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t number;
    crypto_shorthash(hash, key.data, key.size, table->key);
    memcpy(&number, hash, sizeof number);
    return number;
}

static struct table_node *from(struct table_node *node, uint64_t hash)
{
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
    return table->size == 0 ? NULL : from(table->buckets[hash % table->size], hash);
}

struct table_node *table_next(const struct table_node *node)
{
    return from(node->next, node->hash);
}

static void put(struct table_node **buckets, size_t size, struct table_node *node)
{
    struct table_node **bucket = &buckets[node->hash % size];
    node->next = *bucket;
    *bucket = node;
}

static sotto_error grow(struct table *table)
{
    size_t size = table->size == 0 ? FIRST_SIZE : table->size * 2;
    struct table_node **buckets = mem_alloc(table->env, size * sizeof *buckets);
    if (buckets == NULL)
        return SOTTO_NO_MEMORY;
    for (size_t i = 0; i < table->size; i++) {
        for (struct table_node *node = table->buckets[i], *next; node != NULL; node = next) {
            next = node->next;
            put(buckets, size, node);
        }
    }
    mem_free(table->env, table->buckets, table->size * sizeof *table->buckets);
    table->buckets = buckets;
    table->size = size;
    return SOTTO_OK;
}

sotto_error table_add(struct table *table, struct table_node *node, uint64_t hash)
{
    if (table->count >= table->size)
        TRY(grow(table));
    node->hash = hash;
    put(table->buckets, table->size, node);
    table->count++;
    return SOTTO_OK;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **at = &table->buckets[node->hash % table->size];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    table->count--;
}
