/* A hash table of structs that contain a node. Nodes of equal hash stand beside one another in a
 * bucket; whoever looks compares the whole key. The hash is keyed, since clients choose the keys.
 */
#ifndef RELAY_TABLE_H
#define RELAY_TABLE_H

#include "base/base.h"

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

struct table {
    const sotto_env *env;
    struct table_node **buckets;
    size_t size, count;
    uint8_t key[16];
};

void table_init(struct table *table, const sotto_env *env);
void table_free(struct table *table); /* not the nodes */
uint64_t table_hash(const struct table *table, sotto_bytes key);
struct table_node *table_first(const struct table *table, uint64_t hash); /* NULL: none */
struct table_node *table_next(const struct table_node *node);             /* of the same hash */
/* NO_MEMORY. */
sotto_error table_add(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);

/* The struct of that type whose member the node is. */
#define TABLE_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
