/* Trees and stages as bytes: the ratchet_tree extension (12.4.3.3), what a store writes, and a
 * stage that waits on disk. */
#include "mls/tree_base.h"

sotto_error tree_stage_export(const struct tree_stage *stage, sotto_buf *ratchet_tree)
{
    /* The last member's leaf is the last node that is not blank: parents to its right would have
     * no member to their right, and the tree is truncated then. */
    uint32_t last = 0;
    for (struct leaf_index leaf = {0}; tree_stage_next_member(stage, &leaf); leaf.value++)
        last = 2 * leaf.value;
    struct writer writer;
    writer_init(&writer, ratchet_tree);
    size_t opened = writer_open(&writer);
    for (uint32_t i = 0; stage->member_count > 0 && i <= last; i++) {
        const struct tree_node *node = tree_stage_node(stage, node_at(i));
        writer_present(&writer, node != NULL);
        if (node != NULL)
            stage_node_write(&writer, stage, node_at(i));
    }
    writer_close(&writer, opened);
    return writer_finish(&writer);
}

sotto_error tree_export(const struct tree *tree, sotto_buf *ratchet_tree)
{
    struct tree_stage view;
    tree_stage_init(&view, tree);
    return tree_stage_export(&view, ratchet_tree);
}

bool tree_stage_next_change(const struct tree_stage *stage, size_t *position, struct node_index *x,
                            const struct tree_node **node)
{
    while (*position < stage->entry_count) {
        const struct overlay_entry *entry = &stage->entries[(*position)++];
        struct node_index at = node_at(entry->index);
        const struct tree_node *after = tree_stage_node(stage, at);
        if (entry->changed && after != tree_node(stage->base, at)) {
            *x = at;
            *node = after;
            return true;
        }
    }
    return false;
}

/* A stage: uint32 leaf_count; then for each change uint32 node_index, uint8 (0 blank, 1 node, 2
 * leaf that was added in this stage), and struct Node unless blank. */
enum change_kind {
    CHANGE_BLANK = 0,
    CHANGE_NODE = 1,
    CHANGE_ADDED = 2,
};

void tree_stage_write(struct writer *writer, const struct tree_stage *stage)
{
    writer_u32(writer, stage->leaf_count);
    size_t opened = writer_open(writer);
    struct node_index x;
    const struct tree_node *node;
    for (size_t at = 0; tree_stage_next_change(stage, &at, &x, &node);) {
        bool added = node != NULL && overlay_find(stage, x)->added;
        writer_u32(writer, x.value);
        writer_u8(writer, node == NULL ? CHANGE_BLANK : added ? CHANGE_ADDED : CHANGE_NODE);
        if (node != NULL)
            stage_node_write(writer, stage, x);
    }
    writer_close(writer, opened);
}

static void read_change(struct reader *reader, struct tree_stage *stage)
{
    const struct tree_node *node = NULL;
    struct node_index x = node_at(reader_u32(reader, "tree_stage.node_index"));
    uint8_t kind = reader_u8(reader, "tree_stage.change");
    if (x.value >= node_count_of(stage->leaf_count))
        reader_fail(reader, SOTTO_VALUE, "tree_stage.node_index");
    if (kind > CHANGE_ADDED)
        reader_fail(reader, SOTTO_VALUE, "tree_stage.change");
    if (kind != CHANGE_BLANK)
        node = tree_node_read(reader, &stage->base->maker);
    if (node != NULL && node_is_leaf(x) != (node->type == NODE_LEAF))
        reader_fail(reader, SOTTO_VALUE, "Node.node_type");
    if (!reader_ok(reader)) {
        tree_node_release(stage->base->env, node);
        return;
    }
    sotto_error error = node_is_leaf(x)
                            ? stage_put_leaf(stage, node_leaf_index(x), node, kind == CHANGE_ADDED)
                            : stage_put_parent(stage, x, node);
    if (error != SOTTO_OK)
        reader_fail(reader, error, "tree_stage");
}

void tree_stage_read(struct reader *reader, const struct tree *base, struct tree_stage *stage)
{
    tree_stage_init(stage, base);
    uint32_t leaf_count = reader_u32(reader, "tree_stage.leaf_count");
    if (leaf_count == 0 || leaf_count > LIMIT_LEAVES || (leaf_count & (leaf_count - 1)) != 0)
        reader_fail(reader, SOTTO_VALUE, "tree_stage.leaf_count");
    sotto_error error = SOTTO_OK;
    while (reader_ok(reader) && error == SOTTO_OK && stage->leaf_count < leaf_count)
        error = stage_grow(stage);
    if (error != SOTTO_OK)
        reader_fail(reader, error, "tree_stage");
    struct reader inner;
    reader_enter(reader, &inner, LIMIT_TREE, "tree_stage.changes");
    while (reader_more(&inner))
        read_change(&inner, stage);
    reader_leave(reader, &inner, "tree_stage.changes");
    if (reader_ok(reader) && error == SOTTO_OK && stage->leaf_count > leaf_count)
        error = stage_shrink(stage);
    if (error != SOTTO_OK)
        reader_fail(reader, error, "tree_stage");
    else if (stage->leaf_count != leaf_count)
        reader_fail(reader, SOTTO_VALUE, "tree_stage.leaf_count");
    if (!reader_ok(reader))
        tree_stage_drop(stage);
}
