/* Nodes as records of a store. Each holds its tree hash and its keys' fingerprints, so that loading
 * hashes and looks at no key; what keeps the records honest is the store's business (group_save.h).
 * Where public keys are long, a parent's has a record of its own, which need not be loaded: it is
 * fetched when the key is used, and the fingerprint in the node's record tells whether it is the
 * right one. */
#include <string.h>

#include "mls/tree_base.h"

#define LONG_KEY 256 /* a post-quantum KEM's */

bool tree_keys_apart(const struct suite *suite)
{
    return suite->npk >= LONG_KEY;
}

const struct fingerprint *tree_prints(const struct tree *tree)
{
    return &tree->maker.prints;
}

void tree_set_source(struct tree *tree, tree_fetch_fn *fetch, void *ctx)
{
    tree->fetch = fetch;
    tree->fetch_ctx = ctx;
}

/* ---- Writing --------------------------------------------------------------------------------- */

void tree_record_write(struct writer *writer, const struct tree *tree, struct node_index x)
{
    const struct tree_node *node = *base_slot(tree, x);
    writer_fixed(writer, sotto_bytes_of(base_hash(tree, x), tree->suite->nh));
    writer_u64(writer, node->key_print);
    if (node->type == NODE_LEAF) {
        writer_u32(writer, node->signature_print);
        writer_fixed(writer, node->u.leaf.wire);
        return;
    }
    if (!tree_keys_apart(tree->suite))
        writer_vector(writer, node->u.parent.encryption_key);
    writer_vector(writer, node->u.parent.parent_hash);
    writer_vector(writer, node->u.parent.unmerged_leaves.wire);
}

/* ---- Loading --------------------------------------------------------------------------------- */

sotto_error tree_load_begin(struct crypto *crypto, const struct suite *suite, uint32_t leaf_count,
                            const struct fingerprint *prints, struct tree **tree,
                            sotto_fault *fault)
{
    if (leaf_count == 0 || leaf_count > LIMIT_LEAVES || (leaf_count & (leaf_count - 1)) != 0)
        return refuse(fault, SOTTO_VALUE, "tree.leaf_count");
    struct tree *made;
    sotto_error error = tree_alloc(crypto, suite, &made);
    if (error != SOTTO_OK)
        return refuse(fault, error, "tree");
    made->maker.prints = *prints;
    error = base_reserve(made, segment_count(leaf_count));
    if (error != SOTTO_OK) {
        tree_free(made);
        return refuse(fault, error, "tree");
    }
    *tree = made;
    return SOTTO_OK;
}

static const struct tree_node *read_leaf(struct tree *tree, struct reader *reader, uint64_t print)
{
    uint32_t signature_print = reader_u32(reader, "record.signature_print");
    return tree_node_read_leaf(reader, tree->env, print, signature_print);
}

static const struct tree_node *read_parent(struct tree *tree, struct reader *reader, uint64_t print)
{
    struct parent_node parent = {0};
    const struct tree_node *node = NULL;
    if (tree_keys_apart(tree->suite))
        parent_node_read_links(reader, &parent);
    else
        parent_node_read(reader, &parent);
    sotto_error error = reader_finish(reader, "record.node");
    if (error == SOTTO_OK)
        error = tree_node_of_stored_parent(tree->env, &parent, print, &node);
    if (error != SOTTO_OK)
        reader_fail(reader, error, "record.node");
    return node;
}

sotto_error tree_load_node(struct tree *tree, struct node_index x, sotto_bytes record,
                           sotto_fault *fault)
{
    if (!base_has(tree, x) || *base_slot(tree, x) != NULL)
        return refuse(fault, SOTTO_VALUE, "record.node_index");
    struct reader reader;
    reader_init(&reader, record);
    sotto_bytes hash = reader_fixed(&reader, tree->suite->nh, "record.tree_hash");
    uint64_t print = reader_u64(&reader, "record.key_print");
    const struct tree_node *node = NULL;
    if (reader_ok(&reader))
        node =
            node_is_leaf(x) ? read_leaf(tree, &reader, print) : read_parent(tree, &reader, print);
    sotto_error error = reader_finish(&reader, "record.node");
    if (error != SOTTO_OK) {
        tree_node_release(tree->env, node);
        *fault = reader.fault;
        return error;
    }
    memcpy(base_hash(tree, x), hash.data, hash.size);
    *base_slot(tree, x) = node;
    return SOTTO_OK;
}

/* Whether a node is a parent without its key. */
static bool lacks_key(const struct tree_node *node)
{
    return node->type == NODE_PARENT && node->u.parent.encryption_key.size == 0;
}

static bool is_key_of(const struct tree *tree, const struct tree_node *node, sotto_bytes key)
{
    return key.size == tree->suite->npk && node_key_print(&tree->maker, key) == node->key_print;
}

sotto_error tree_load_key(struct tree *tree, struct node_index x, sotto_bytes key,
                          sotto_fault *fault)
{
    if (!base_has(tree, x) || node_is_leaf(x))
        return refuse(fault, SOTTO_VALUE, "record.node_index");
    const struct tree_node *node = *base_slot(tree, x), *whole;
    if (node == NULL)
        return SOTTO_NOT_FOUND;
    if (!lacks_key(node))
        return refuse(fault, SOTTO_VALUE, "record twice");
    if (!is_key_of(tree, node, key))
        return refuse(fault, SOTTO_TREE, "record.key is not that of its node");
    struct parent_node parent = node->u.parent;
    parent.encryption_key = key;
    if (tree_node_of_stored_parent(tree->env, &parent, node->key_print, &whole) != SOTTO_OK)
        return refuse(fault, SOTTO_NO_MEMORY, "tree");
    tree_node_release(tree->env, node);
    *base_slot(tree, x) = whole;
    return SOTTO_OK;
}

sotto_error tree_load_end(struct tree *tree, sotto_fault *fault)
{
    for (uint32_t i = 1; tree->fetch == NULL && i < node_count_of(tree->leaf_count); i += 2) {
        const struct tree_node *node = *base_slot(tree, node_at(i));
        if (node != NULL && lacks_key(node))
            return refuse(fault, SOTTO_TREE, "record.key is missing");
    }
    sotto_error error = base_derive(tree, true);
    return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "tree");
}

/* ---- Keys that are not in memory ------------------------------------------------------------- */

sotto_error tree_stage_encryption_key(const struct tree_stage *stage, struct node_index x,
                                      sotto_buf *scratch, sotto_bytes *key)
{
    const struct tree *tree = stage->base;
    const struct tree_node *node = tree_stage_node(stage, x);
    *key = node == NULL ? (sotto_bytes){0} : tree_node_encryption_key(node);
    if (node == NULL || !lacks_key(node))
        return SOTTO_OK;
    sotto_buf_clear(scratch);
    BUG_UNLESS(tree->fetch != NULL);
    TRY(tree->fetch(tree->fetch_ctx, x, scratch));
    if (!is_key_of(tree, node, sotto_buf_view(scratch)))
        return SOTTO_IO;
    *key = sotto_buf_view(scratch);
    return SOTTO_OK;
}

void stage_node_write(struct writer *writer, const struct tree_stage *stage, struct node_index x)
{
    const struct tree_node *node = tree_stage_node(stage, x);
    if (!lacks_key(node)) {
        tree_node_write(writer, node);
        return;
    }
    struct parent_node parent = node->u.parent;
    sotto_buf scratch;
    sotto_buf_init(&scratch, stage->base->env);
    sotto_error error = tree_stage_encryption_key(stage, x, &scratch, &parent.encryption_key);
    if (error != SOTTO_OK && writer->error == SOTTO_OK)
        writer->error = error;
    writer_u8(writer, NODE_PARENT);
    parent_node_write(writer, &parent);
    sotto_buf_free(&scratch);
}
