/* The base: making, loading, reading, and taking a stage over. */
#include "mls/tree.h"

#include <string.h>

#include "mls/tree_base.h"

sotto_error segment_alloc(const struct tree *tree, size_t number, bool with_known,
                          struct tree_segment *segment)
{
    size_t size = segment_size(number);
    struct tree_segment made = {
        .nodes = mem_alloc(tree->env, size * sizeof(void *)),
        .hashes = mem_alloc(tree->env, size * tree->suite->nh),
        .hash_known = with_known ? mem_alloc(tree->env, size) : NULL,
    };
    if (made.nodes == NULL || made.hashes == NULL || (with_known && made.hash_known == NULL)) {
        segment_free(tree, number, &made);
        return SOTTO_NO_MEMORY;
    }
    *segment = made;
    return SOTTO_OK;
}

void segment_free(const struct tree *tree, size_t number, struct tree_segment *segment)
{
    size_t size = segment_size(number);
    if (segment->nodes != NULL)
        for (size_t i = 0; i < size; i++)
            tree_node_release(tree->env, segment->nodes[i]);
    mem_free(tree->env, segment->nodes, size * sizeof(void *));
    mem_free(tree->env, segment->hashes, size * tree->suite->nh);
    mem_free(tree->env, segment->hash_known, size);
    *segment = (struct tree_segment){0};
}

/* ---- Keys ------------------------------------------------------------------------------------ */

void base_put_keys(struct tree *tree, struct node_index x, const struct tree_node *node)
{
    key_index_put(&tree->keys, key_index_tag(KEY_ENCRYPTION, node->key_print), KEY_ENCRYPTION, x);
    if (node->type == NODE_LEAF)
        key_index_put(&tree->keys, key_index_tag(KEY_SIGNATURE, node->signature_print),
                      KEY_SIGNATURE, x);
}

void base_remove_keys(struct tree *tree, struct node_index x, const struct tree_node *node)
{
    key_index_remove(&tree->keys, key_index_tag(KEY_ENCRYPTION, node->key_print), KEY_ENCRYPTION,
                     x);
    if (node->type == NODE_LEAF)
        key_index_remove(&tree->keys, key_index_tag(KEY_SIGNATURE, node->signature_print),
                         KEY_SIGNATURE, x);
}

/* ---- Making ---------------------------------------------------------------------------------- */

sotto_error tree_alloc(struct crypto *crypto, const struct suite *suite, struct tree **tree)
{
    const sotto_env *env = crypto_env(crypto);
    struct tree *made = mem_alloc(env, sizeof *made);
    if (made == NULL)
        return SOTTO_NO_MEMORY;
    made->crypto = crypto;
    made->suite = suite;
    made->env = env;
    made->maker.env = env;
    uint8_t seed[SIPHASH_SEED];
    sotto_error error = env->random(env->ctx, seed, sizeof seed);
    if (error == SOTTO_OK) {
        fingerprint_init(&made->maker.prints, seed);
        error = segment_alloc(made, 0, false, &made->segments[0]);
    }
    wipe(seed, sizeof seed);
    made->leaf_count = 1;
    if (error != SOTTO_OK) {
        tree_free(made);
        return error;
    }
    *tree = made;
    return SOTTO_OK;
}

sotto_error base_reserve(struct tree *tree, size_t count)
{
    for (size_t i = segment_count(tree->leaf_count); i < count; i++) {
        TRY(segment_alloc(tree, i, false, &tree->segments[i]));
        tree->leaf_count = (uint32_t)segment_size(i);
    }
    return SOTTO_OK;
}

/* Members that list the same capabilities and stand behind one another are counted together. */
struct alike {
    const struct leaf_node *leaf;
    int32_t count;
};

static sotto_error count_alike(struct tree *tree, struct alike *alike)
{
    if (alike->count == 0)
        return SOTTO_OK;
    return support_count_leaf(tree->env, &tree->support, alike->leaf, alike->count);
}

/* node NULL: blank. */
static sotto_error derive_leaf(struct tree *tree, struct leaf_index leaf,
                               const struct tree_node *node, bool stored, struct alike *alike)
{
    if (node != NULL) {
        if (alike->count > 0 && !support_same(alike->leaf, &node->u.leaf)) {
            TRY(count_alike(tree, alike));
            alike->count = 0;
        }
        alike->leaf = &node->u.leaf;
        alike->count++;
        leaf_set_add(&tree->members, leaf.value);
        tree->member_count++;
    }
    return hash_base_leaf(tree, leaf, stored);
}

sotto_error base_derive(struct tree *tree, bool stored)
{
    size_t nodes = 0;
    struct alike alike = {0};
    for (uint32_t i = 0; i < node_count_of(tree->leaf_count); i++)
        nodes += *base_slot(tree, node_at(i)) != NULL;
    TRY(leaf_set_alloc(tree->env, tree->leaf_count, &tree->members));
    TRY(key_index_alloc(tree->env, 2 * nodes + 1, &tree->keys));
    /* In one pass, because a large tree does not fit the processor's cache twice. */
    for (uint32_t i = 0; i < node_count_of(tree->leaf_count); i++) {
        const struct tree_node *node = *base_slot(tree, node_at(i));
        if (node != NULL)
            base_put_keys(tree, node_at(i), node);
        if (node_is_leaf(node_at(i)))
            TRY(derive_leaf(tree, node_leaf_index(node_at(i)), node, stored, &alike));
    }
    tree->first_blank = leaf_set_next_absent(&tree->members, 0, tree->leaf_count);
    return count_alike(tree, &alike);
}

sotto_error tree_new(struct crypto *crypto, const struct suite *suite, struct tree **tree)
{
    struct tree *made;
    TRY(tree_alloc(crypto, suite, &made));
    sotto_error error = base_derive(made, false);
    if (error != SOTTO_OK) {
        tree_free(made);
        return error;
    }
    *tree = made;
    return SOTTO_OK;
}

void tree_free(struct tree *tree)
{
    if (tree == NULL)
        return;
    for (size_t i = 0; i <= LIMIT_DEPTH; i++)
        if (tree->segments[i].nodes != NULL)
            segment_free(tree, i, &tree->segments[i]);
    leaf_set_free(tree->env, &tree->members);
    key_index_free(tree->env, &tree->keys);
    support_free(tree->env, &tree->support);
    mem_free(tree->env, tree, sizeof *tree);
}

/* ---- Importing ------------------------------------------------------------------------------- */

/* Leaves stand at even places only. */
static sotto_error place_node(struct tree *tree, struct node_index x, const struct tree_node *node,
                              sotto_fault *fault)
{
    if (node_is_leaf(x) != (node->type == NODE_LEAF)) {
        tree_node_release(tree->env, node);
        return refuse(fault, SOTTO_VALUE, "Node.node_type");
    }
    *base_slot(tree, x) = node;
    return SOTTO_OK;
}

/* The nodes of an encoded ratchet tree, which says how many they are only by its end. */
static sotto_error import_nodes(struct tree *tree, struct reader *reader, sotto_fault *fault)
{
    uint32_t count = 0;
    uint32_t last = UINT32_MAX; /* not blank */
    for (; reader_more(reader); count++) {
        if (count >= LIMIT_NODES) {
            reader_fail(reader, SOTTO_LIMIT, "ratchet_tree");
            break;
        }
        if (!reader_present(reader, "ratchet_tree.node"))
            continue;
        size_t at = reader->pos;
        const struct tree_node *node = tree_node_read(reader, &tree->maker);
        if (node == NULL)
            break;
        last = count;
        sotto_error error = base_reserve(tree, segment_number(node_at(last)) + 1);
        if (error != SOTTO_OK) {
            tree_node_release(tree->env, node);
            return refuse(fault, error, "tree");
        }
        error = place_node(tree, node_at(last), node, fault);
        if (error != SOTTO_OK) {
            fault->offset = at;
            return error;
        }
    }
    /* 12.4.3.3: no blank node at the end. Nor is the last one a parent: then nothing stands to its
     * right, and the tree would have been truncated (7.7). */
    if (last == UINT32_MAX || last + 1 != count || !node_is_leaf(node_at(last)))
        reader_fail(reader, SOTTO_TREE, "ratchet_tree: the last node is not a leaf");
    if (!reader_ok(reader))
        *fault = reader->fault;
    return reader->fault.error;
}

sotto_error tree_import(struct crypto *crypto, const struct suite *suite, sotto_bytes ratchet_tree,
                        struct tree **tree, sotto_fault *fault)
{
    struct tree *made;
    sotto_error error = tree_alloc(crypto, suite, &made);
    if (error != SOTTO_OK)
        return refuse(fault, error, "tree");
    struct reader reader, inner;
    reader_init(&reader, ratchet_tree);
    reader_enter(&reader, &inner, LIMIT_TREE, "ratchet_tree");
    error = import_nodes(made, &inner, fault);
    if (error == SOTTO_OK) {
        reader_leave(&reader, &inner, "ratchet_tree");
        error = reader_finish(&reader, "ratchet_tree");
        *fault = reader.fault;
    }
    if (error == SOTTO_OK && (error = base_derive(made, false)) != SOTTO_OK)
        refuse(fault, error, "tree");
    if (error != SOTTO_OK) {
        tree_free(made);
        return error;
    }
    *tree = made;
    return SOTTO_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct crypto *tree_crypto(const struct tree *tree)
{
    return tree->crypto;
}

const struct suite *tree_suite(const struct tree *tree)
{
    return tree->suite;
}

uint32_t tree_leaf_count(const struct tree *tree)
{
    return tree->leaf_count;
}

uint32_t tree_member_count(const struct tree *tree)
{
    return tree->member_count;
}

sotto_bytes tree_hash(const struct tree *tree)
{
    return sotto_bytes_of(base_hash(tree, tree_root(tree->leaf_count)), tree->suite->nh);
}

const struct tree_node *tree_node(const struct tree *tree, struct node_index x)
{
    return base_has(tree, x) ? *base_slot(tree, x) : NULL;
}

const struct leaf_node *tree_leaf(const struct tree *tree, struct leaf_index leaf)
{
    if (leaf.value >= tree->leaf_count)
        return NULL;
    const struct tree_node *node = *base_slot(tree, leaf_node_index(leaf));
    return node == NULL ? NULL : &node->u.leaf;
}

size_t tree_memory(const struct tree *tree)
{
    size_t size = sizeof *tree + tree->members.word_count * sizeof *tree->members.words +
                  tree->keys.capacity * sizeof *tree->keys.slots +
                  tree->support.capacity * sizeof *tree->support.slots;
    size_t count = node_count_of(tree->leaf_count);
    size += count * (sizeof(struct tree_node *) + tree->suite->nh);
    for (uint32_t i = 0; i < count; i++) {
        const struct tree_node *node = *base_slot(tree, node_at(i));
        size += node == NULL ? 0 : node->size;
    }
    return size;
}

/* ---- Applying a stage ------------------------------------------------------------------------ */

/* First everything old goes out of the index, so that keys may have moved between nodes. */
static void remove_old(struct tree *tree, const struct tree_stage *stage)
{
    for (size_t i = 0; i < stage->entry_count; i++) {
        const struct overlay_entry *entry = &stage->entries[i];
        struct node_index x = node_at(entry->index);
        if (!entry->changed || !base_has(tree, x) || *base_slot(tree, x) == NULL)
            continue;
        base_remove_keys(tree, x, *base_slot(tree, x));
        tree_node_release(tree->env, *base_slot(tree, x));
        *base_slot(tree, x) = NULL;
    }
}

static void take_segments(struct tree *tree, struct tree_stage *stage)
{
    size_t old_count = segment_count(tree->leaf_count);
    size_t new_count = segment_count(stage->leaf_count);
    for (size_t i = old_count; i < new_count; i++) {
        tree->segments[i] = stage->grown[i];
        stage->grown[i] = (struct tree_segment){0};
        mem_free(tree->env, tree->segments[i].hash_known, segment_size(i));
        tree->segments[i].hash_known = NULL;
    }
    for (size_t i = new_count; i < old_count; i++)
        segment_free(tree, i, &tree->segments[i]);
    tree->leaf_count = stage->leaf_count;
}

static void put_new(struct tree *tree, struct tree_stage *stage)
{
    for (size_t i = 0; i < stage->entry_count; i++) {
        struct overlay_entry *entry = &stage->entries[i];
        struct node_index x = node_at(entry->index);
        if (!base_has(tree, x))
            continue;
        BUG_UNLESS(!entry->dirty);
        memcpy(base_hash(tree, x), entry->hash, tree->suite->nh);
        if (!entry->changed || entry->node == NULL)
            continue;
        base_put_keys(tree, x, entry->node);
        *base_slot(tree, x) = entry->node;
        entry->node = NULL; /* the reference is the base's now */
    }
}

void tree_stage_apply(struct tree_stage *stage, struct tree *tree)
{
    BUG_UNLESS(stage->base == tree && stage->base_version == tree->version && stage->prepared);
    if (stage->grown_keys.capacity != 0)
        key_index_move(tree->env, &tree->keys, &stage->grown_keys);
    remove_old(tree, stage);
    take_segments(tree, stage);
    put_new(tree, stage);
    support_merge(tree->env, &tree->support, &stage->support, &stage->grown_support);
    if (stage->membership_changed) {
        leaf_set_free(tree->env, &tree->members);
        tree->members = stage->members;
        stage->members = (struct leaf_set){0};
    }
    tree->member_count = stage->member_count;
    tree->first_blank = stage->first_blank;
    tree->version++;
    tree_stage_drop(stage);
    tree_stage_init(stage, tree);
}
