#include "mls/tree_node.h"

#include <stddef.h>
#include <string.h>

/* A block, from its start:
 *
 *   leaf:   struct tree_node | extensions | certificates | the leaf's encoding
 *   parent: struct tree_node, as far as the parent goes | encryption key | parent hash | unmerged
 *           leaves | spare
 */
#define PARENT_HEAD (offsetof(struct tree_node, u) + sizeof(struct parent_node))

static sotto_bytes moved(sotto_bytes view, sotto_bytes from, const uint8_t *to)
{
    if (view.size == 0)
        return (sotto_bytes){0};
    return sotto_bytes_of(to + (view.data - from.data), view.size);
}

static void move_lists(struct capabilities *listed, sotto_bytes from, const uint8_t *to)
{
    listed->versions.wire = moved(listed->versions.wire, from, to);
    listed->suites.wire = moved(listed->suites.wire, from, to);
    listed->extensions.wire = moved(listed->extensions.wire, from, to);
    listed->proposals.wire = moved(listed->proposals.wire, from, to);
    listed->credentials.wire = moved(listed->credentials.wire, from, to);
}

/* Makes a copied leaf's views, which point into from, point into to instead. */
static void move_views(struct leaf_node *leaf, sotto_bytes from, const uint8_t *to)
{
    leaf->encryption_key = moved(leaf->encryption_key, from, to);
    leaf->signature_key = moved(leaf->signature_key, from, to);
    leaf->credential.identity = moved(leaf->credential.identity, from, to);
    move_lists(&leaf->capabilities, from, to);
    leaf->parent_hash = moved(leaf->parent_hash, from, to);
    leaf->signature = moved(leaf->signature, from, to);
    leaf->unsigned_wire = moved(leaf->unsigned_wire, from, to);
    leaf->wire = moved(leaf->wire, from, to);
}

uint64_t node_key_print(const struct node_maker *maker, sotto_bytes key)
{
    return fingerprint(&maker->prints, 0, key);
}

/* A block whose every byte the caller writes. */
static struct tree_node *alloc_node(const sotto_env *env, size_t size, enum node_type type)
{
    BUG_UNLESS(size <= UINT32_MAX);
    struct tree_node *node = env->resize(env->ctx, NULL, 0, size);
    if (node == NULL)
        return NULL;
    node->references = 1;
    node->size = (uint32_t)size;
    node->type = type;
    node->signature_print = 0;
    return node;
}

static sotto_error copy_leaf(const sotto_env *env, const struct leaf_node *leaf,
                             struct tree_node **node)
{
    BUG_UNLESS(leaf->wire.size > 0);
    size_t extensions_size = leaf->extensions.count * sizeof(sotto_mls_extension);
    size_t chain_size = leaf->credential.chain_count * sizeof(sotto_bytes);
    size_t size = sizeof(struct tree_node) + extensions_size + chain_size + leaf->wire.size;
    struct tree_node *made = alloc_node(env, size, NODE_LEAF);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->u.leaf = *leaf;
    sotto_mls_extension *extensions = (sotto_mls_extension *)(made + 1);
    sotto_bytes *chain = (sotto_bytes *)(extensions + leaf->extensions.count);
    uint8_t *wire = (uint8_t *)(chain + leaf->credential.chain_count);
    memcpy(wire, leaf->wire.data, leaf->wire.size);
    for (size_t i = 0; i < leaf->extensions.count; i++) {
        extensions[i].type = leaf->extensions.items[i].type;
        extensions[i].data = moved(leaf->extensions.items[i].data, leaf->wire, wire);
    }
    for (size_t i = 0; i < leaf->credential.chain_count; i++)
        chain[i] = moved(leaf->credential.chain[i], leaf->wire, wire);
    move_views(&made->u.leaf, leaf->wire, wire);
    made->u.leaf.extensions.items = leaf->extensions.count > 0 ? extensions : NULL;
    made->u.leaf.credential.chain = leaf->credential.chain_count > 0 ? chain : NULL;
    *node = made;
    return SOTTO_OK;
}

static void set_prints(const struct node_maker *maker, struct tree_node *leaf)
{
    leaf->key_print = node_key_print(maker, leaf->u.leaf.encryption_key);
    leaf->signature_print = (uint32_t)node_key_print(maker, leaf->u.leaf.signature_key);
}

sotto_error tree_node_of_leaf(const struct node_maker *maker, const struct leaf_node *leaf,
                              const struct tree_node **node)
{
    struct tree_node *made;
    TRY(copy_leaf(maker->env, leaf, &made));
    set_prints(maker, made);
    *node = made;
    return SOTTO_OK;
}

static uint8_t *append(uint8_t *at, sotto_bytes from, sotto_bytes *view)
{
    *view = sotto_bytes_of(at, from.size);
    if (from.size > 0)
        memcpy(at, from.data, from.size);
    return at + from.size;
}

static sotto_error copy_parent(const sotto_env *env, const struct parent_node *parent,
                               uint64_t key_print, size_t spare, const struct tree_node **node)
{
    size_t size = PARENT_HEAD + parent->encryption_key.size + parent->parent_hash.size +
                  parent->unmerged_leaves.wire.size + 4 * spare;
    struct tree_node *made = alloc_node(env, size, NODE_PARENT);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->key_print = key_print;
    struct parent_node *own = &made->u.parent;
    uint8_t *at =
        append((uint8_t *)made + PARENT_HEAD, parent->encryption_key, &own->encryption_key);
    at = append(at, parent->parent_hash, &own->parent_hash);
    append(at, parent->unmerged_leaves.wire, &own->unmerged_leaves.wire);
    *node = made;
    return SOTTO_OK;
}

sotto_error tree_node_of_parent(const struct node_maker *maker, const struct parent_node *parent,
                                size_t spare, const struct tree_node **node)
{
    return copy_parent(maker->env, parent, node_key_print(maker, parent->encryption_key), spare,
                       node);
}

bool tree_node_same_key(const struct tree_node *a, const struct tree_node *b)
{
    if (a == b) /* of a large tree, no key is in the processor's cache */
        return true;
    sotto_bytes first = tree_node_encryption_key(a), second = tree_node_encryption_key(b);
    /* A parent that lacks its key came from the store or is a copy of one that did: 64 bits under a
     * secret seed tell keys apart well enough. */
    return a->key_print == b->key_print &&
           (first.size == 0 || second.size == 0 || sotto_bytes_equal(first, second));
}

/* The position of the first entry that is not below leaf. */
static size_t unmerged_position(struct u32_list list, uint32_t leaf)
{
    size_t low = 0, high = u32_list_count(list);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u32_list_at(list, middle) < leaf)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t parent_node_unmerged_below(const struct parent_node *parent, uint32_t leaf)
{
    return unmerged_position(parent->unmerged_leaves, leaf);
}

bool parent_node_has_unmerged(const struct parent_node *parent, struct leaf_index leaf)
{
    size_t at = unmerged_position(parent->unmerged_leaves, leaf.value);
    return at < u32_list_count(parent->unmerged_leaves) &&
           u32_list_at(parent->unmerged_leaves, at) == leaf.value;
}

static bool has_spare(const struct tree_node *node)
{
    const struct parent_node *parent = &node->u.parent;
    size_t used = PARENT_HEAD + parent->encryption_key.size + parent->parent_hash.size +
                  parent->unmerged_leaves.wire.size;
    return node->size - used >= 4;
}

sotto_error tree_node_add_unmerged(const sotto_env *env, const struct tree_node **node,
                                   struct leaf_index leaf)
{
    if ((*node)->references > 1 || !has_spare(*node)) {
        const struct parent_node *parent = &(*node)->u.parent;
        const struct tree_node *copy;
        size_t spare = 4 + u32_list_count(parent->unmerged_leaves) / 2;
        TRY(copy_parent(env, parent, (*node)->key_print, spare, &copy));
        tree_node_release(env, *node);
        *node = copy;
    }
    /* The block is ours alone: nobody else has seen it. */
    struct u32_list *list = &((struct tree_node *)*node)->u.parent.unmerged_leaves;
    size_t at = 4 * unmerged_position(*list, leaf.value);
    uint8_t *entries = (uint8_t *)list->wire.data;
    memmove(entries + at + 4, entries + at, list->wire.size - at);
    for (unsigned i = 0; i < 4; i++)
        entries[at + i] = (uint8_t)(leaf.value >> (24 - 8 * i));
    list->wire.size += 4;
    return SOTTO_OK;
}

const struct tree_node *tree_node_share(const struct tree_node *node)
{
    if (node != NULL)
        ((struct tree_node *)node)->references++;
    return node;
}

void tree_node_release(const sotto_env *env, const struct tree_node *node)
{
    if (node == NULL)
        return;
    struct tree_node *own = (struct tree_node *)node;
    if (--own->references == 0)
        env->resize(env->ctx, own, own->size, 0); /* public: nothing to wipe */
}

void tree_node_write(struct writer *writer, const struct tree_node *node)
{
    writer_u8(writer, (uint8_t)node->type);
    if (node->type == NODE_LEAF)
        writer_fixed(writer, node->u.leaf.wire);
    else
        parent_node_write(writer, &node->u.parent);
}

/* A leaf's block without its fingerprints. */
static sotto_error read_leaf(struct reader *reader, const sotto_env *env, struct tree_node **node)
{
    struct arena arena;
    arena_init(&arena, env);
    struct leaf_node leaf;
    leaf_node_read(reader, &arena, &leaf);
    sotto_error error = SOTTO_OK;
    if (reader_ok(reader))
        error = copy_leaf(env, &leaf, node);
    arena_free(&arena);
    return error;
}

const struct tree_node *tree_node_read_leaf(struct reader *reader, const sotto_env *env,
                                            uint64_t key_print, uint32_t signature_print)
{
    struct tree_node *node = NULL;
    sotto_error error = read_leaf(reader, env, &node);
    if (error != SOTTO_OK)
        reader_fail(reader, error, "LeafNode");
    if (node == NULL)
        return NULL;
    node->key_print = key_print;
    node->signature_print = signature_print;
    return node;
}

sotto_error tree_node_of_stored_parent(const sotto_env *env, const struct parent_node *parent,
                                       uint64_t key_print, const struct tree_node **node)
{
    return copy_parent(env, parent, key_print, 0, node);
}

const struct tree_node *tree_node_read(struct reader *reader, const struct node_maker *maker)
{
    struct tree_node *leaf = NULL;
    const struct tree_node *node = NULL;
    size_t at = reader->pos;
    uint8_t type = reader_u8(reader, "Node.node_type");
    sotto_error error = SOTTO_OK;
    if (!reader_ok(reader))
        return NULL;
    if (type == NODE_LEAF) {
        error = read_leaf(reader, maker->env, &leaf);
        if (leaf != NULL)
            set_prints(maker, leaf);
        node = leaf;
    } else if (type == NODE_PARENT) {
        struct parent_node parent;
        parent_node_read(reader, &parent);
        if (reader_ok(reader))
            error = tree_node_of_parent(maker, &parent, 0, &node);
    } else {
        reader->pos = at;
        reader_fail(reader, SOTTO_VALUE, "Node.node_type");
    }
    if (error != SOTTO_OK)
        reader_fail(reader, error, "Node");
    return node;
}
