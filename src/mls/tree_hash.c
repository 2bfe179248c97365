/* Tree hashes (RFC 9420, 7.8) and parent hashes (7.9). */
#include <string.h>

#include "mls/tree_base.h"

/* A hash input's fields in front of or behind the one long part, which is not copied. */
struct fields {
    uint8_t data[LIMIT_PUBLIC_KEY + 3 * (LIMIT_HASH + 4) + 16];
    size_t size;
};

static void put_octet(struct fields *fields, uint8_t octet)
{
    fields->data[fields->size++] = octet;
}

static void put_length(struct fields *fields, size_t length)
{
    fields->size += writer_encode_length(length, fields->data + fields->size);
}

static void put_vector(struct fields *fields, sotto_bytes bytes)
{
    put_length(fields, bytes.size);
    if (bytes.size > 0)
        memcpy(fields->data + fields->size, bytes.data, bytes.size);
    fields->size += bytes.size;
}

static sotto_bytes view(const struct fields *fields)
{
    return sotto_bytes_of(fields->data, fields->size);
}

sotto_error hash_leaf(const struct tree *tree, struct node_index x, const struct tree_node *node,
                      uint8_t *out)
{
    uint32_t leaf = node_leaf_index(x).value;
    const uint8_t head[] = {
        NODE_LEAF,     (uint8_t)(leaf >> 24), (uint8_t)(leaf >> 16), (uint8_t)(leaf >> 8),
        (uint8_t)leaf, node != NULL};
    sotto_bytes parts[2] = {sotto_bytes_of(head, sizeof head)};
    if (node != NULL)
        parts[1] = node->u.leaf.wire;
    return crypto_hash_parts(tree->crypto, tree->suite, parts, node == NULL ? 1 : 2, out);
}

sotto_error hash_parent(const struct tree *tree, const struct parent_node *parent,
                        const uint8_t *left, const uint8_t *right, uint8_t *out)
{
    size_t nh = tree->suite->nh;
    struct fields head, tail;
    head.size = tail.size = 0;
    put_octet(&head, NODE_PARENT);
    put_octet(&head, parent != NULL);
    sotto_bytes unmerged = parent == NULL ? (sotto_bytes){0} : parent->unmerged_leaves.wire;
    if (parent != NULL) {
        put_vector(&head, parent->encryption_key);
        put_vector(&head, parent->parent_hash);
        put_length(&head, unmerged.size);
    }
    put_vector(&tail, sotto_bytes_of(left, nh));
    put_vector(&tail, sotto_bytes_of(right, nh));
    sotto_bytes parts[3] = {view(&head)};
    size_t count = 1;
    if (unmerged.size > 0)
        parts[count++] = unmerged;
    parts[count++] = view(&tail);
    return crypto_hash_parts(tree->crypto, tree->suite, parts, count, out);
}

sotto_error hash_parent_input(const struct tree *tree, sotto_bytes encryption_key,
                              sotto_bytes parent_hash, sotto_bytes sibling_hash, uint8_t *out)
{
    struct fields input;
    input.size = 0;
    put_vector(&input, encryption_key);
    put_vector(&input, parent_hash);
    put_vector(&input, sibling_hash);
    sotto_bytes part = view(&input);
    return crypto_hash_parts(tree->crypto, tree->suite, &part, 1, out);
}

static sotto_error hash_base_parent(struct tree *tree, struct node_index x)
{
    const struct tree_node *node = *base_slot(tree, x);
    return hash_parent(tree, node == NULL ? NULL : &node->u.parent, base_hash(tree, node_left(x)),
                       base_hash(tree, node_right(x)), base_hash(tree, x));
}

sotto_error hash_base_leaf(struct tree *tree, struct leaf_index leaf, bool stored)
{
    struct node_index x = leaf_node_index(leaf);
    if (!stored || *base_slot(tree, x) == NULL)
        TRY(hash_leaf(tree, x, *base_slot(tree, x), base_hash(tree, x)));
    /* Each parent whose last leaf this is: one level for each low bit of the index that is set. */
    for (uint32_t bits = leaf.value; (bits & 1) != 0; bits >>= 1) {
        x = node_parent(x);
        if (!stored || *base_slot(tree, x) == NULL)
            TRY(hash_base_parent(tree, x));
    }
    return SOTTO_OK;
}

/* ---- Stages ---------------------------------------------------------------------------------- */

/* Where the hash of x is kept: in the overlay, the base, or a segment that the stage added. known:
 * whether it was computed already; to be set when it was. */
static uint8_t *hash_place(const struct tree_stage *stage, struct node_index x, bool *known,
                           uint8_t **known_octet)
{
    struct overlay_entry *entry = overlay_find(stage, x);
    *known_octet = NULL;
    if (entry != NULL) {
        *known = !entry->dirty;
        return entry->hash;
    }
    if (base_has(stage->base, x)) {
        *known = true;
        return base_hash(stage->base, x);
    }
    const struct tree_segment *segment = &stage->grown[segment_number(x)];
    *known_octet = &segment->hash_known[segment_offset(x)];
    *known = **known_octet != 0;
    return segment->hashes + segment_offset(x) * stage->base->suite->nh;
}

static sotto_error stage_hash_parent(const struct tree_stage *stage, struct node_index x,
                                     const uint8_t *left, const uint8_t *right, uint8_t *out)
{
    const struct tree_node *node = tree_stage_node(stage, x);
    if (node == NULL)
        return hash_parent(stage->base, NULL, left, right, out);
    struct parent_node parent = node->u.parent;
    sotto_buf scratch;
    sotto_buf_init(&scratch, stage->base->env);
    sotto_error error = tree_stage_encryption_key(stage, x, &scratch, &parent.encryption_key);
    if (error == SOTTO_OK)
        error = hash_parent(stage->base, &parent, left, right, out);
    sotto_buf_free(&scratch);
    return error;
}

/* Recursion goes at most LIMIT_DEPTH deep, and only into what changed or was never computed. */
static sotto_error stage_hash(const struct tree_stage *stage, struct node_index x,
                              const uint8_t **hash)
{
    bool known;
    uint8_t *known_octet;
    uint8_t *out = hash_place(stage, x, &known, &known_octet);
    *hash = out;
    if (known)
        return SOTTO_OK;
    if (node_is_leaf(x)) {
        TRY(hash_leaf(stage->base, x, tree_stage_node(stage, x), out));
    } else {
        const uint8_t *left, *right;
        TRY(stage_hash(stage, node_left(x), &left));
        TRY(stage_hash(stage, node_right(x), &right));
        TRY(stage_hash_parent(stage, x, left, right, out));
    }
    if (known_octet != NULL)
        *known_octet = 1;
    else
        overlay_find(stage, x)->dirty = false;
    return SOTTO_OK;
}

sotto_error tree_stage_hash(struct tree_stage *stage, struct node_index x, sotto_bytes *hash)
{
    BUG_UNLESS(x.value < node_count_of(stage->leaf_count));
    const uint8_t *data;
    TRY(stage_hash(stage, x, &data));
    *hash = sotto_bytes_of(data, stage->base->suite->nh);
    return SOTTO_OK;
}

sotto_error tree_stage_root_hash(struct tree_stage *stage, sotto_bytes *hash)
{
    return tree_stage_hash(stage, tree_root(stage->leaf_count), hash);
}

sotto_error tree_stage_parent_hash(struct tree_stage *stage, sotto_bytes encryption_key,
                                   sotto_bytes parent_hash, struct node_index sibling, uint8_t *out)
{
    sotto_bytes sibling_hash;
    TRY(tree_stage_hash(stage, sibling, &sibling_hash));
    return hash_parent_input(stage->base, encryption_key, parent_hash, sibling_hash, out);
}
