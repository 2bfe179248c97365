/* The overlay: its map, reading through it, and the changes that proposals make. */
#include <string.h>

#include "mls/tree_base.h"

/* ---- Map of entries -------------------------------------------------------------------------- */

#define FIRST_ENTRIES 32

static size_t slot_of(const struct tree_stage *stage, uint32_t index)
{
    size_t mask = stage->slot_count - 1;
    size_t at = (index * (size_t)0x9e3779b1u >> 7) & mask;
    while (stage->slots[at] != 0 && stage->entries[stage->slots[at] - 1].index != index)
        at = (at + 1) & mask;
    return at;
}

struct overlay_entry *overlay_find(const struct tree_stage *stage, struct node_index x)
{
    if (stage->entry_count == 0)
        return NULL;
    uint32_t number = stage->slots[slot_of(stage, x.value)];
    return number == 0 ? NULL : &stage->entries[number - 1];
}

static sotto_error overlay_grow(struct tree_stage *stage)
{
    const sotto_env *env = stage->base->env;
    size_t capacity = stage->entry_capacity == 0 ? FIRST_ENTRIES : 2 * stage->entry_capacity;
    struct overlay_entry *entries = mem_alloc(env, capacity * sizeof *entries);
    uint32_t *slots = mem_alloc(env, 2 * capacity * sizeof *slots);
    if (entries == NULL || slots == NULL) {
        mem_free(env, entries, capacity * sizeof *entries);
        mem_free(env, slots, 2 * capacity * sizeof *slots);
        return SOTTO_NO_MEMORY;
    }
    if (stage->entries != NULL)
        memcpy(entries, stage->entries, stage->entry_count * sizeof *entries);
    mem_free(env, stage->entries, stage->entry_capacity * sizeof *entries);
    mem_free(env, stage->slots, stage->slot_count * sizeof *slots);
    stage->entries = entries;
    stage->entry_capacity = capacity;
    stage->slots = slots;
    stage->slot_count = 2 * capacity;
    for (size_t i = 0; i < stage->entry_count; i++)
        slots[slot_of(stage, entries[i].index)] = (uint32_t)i + 1;
    return SOTTO_OK;
}

/* The node's entry, made if need be; new ones change nothing yet. Entries move when one is made. */
static sotto_error overlay_touch(struct tree_stage *stage, struct node_index x,
                                 struct overlay_entry **entry)
{
    *entry = overlay_find(stage, x);
    if (*entry != NULL)
        return SOTTO_OK;
    if (stage->entry_count == stage->entry_capacity)
        TRY(overlay_grow(stage));
    BUG_UNLESS(stage->entries != NULL && stage->slots != NULL);
    size_t number = stage->entry_count++;
    *entry = &stage->entries[number];
    **entry = (struct overlay_entry){.index = x.value};
    stage->slots[slot_of(stage, x.value)] = (uint32_t)number + 1;
    return SOTTO_OK;
}

/* The hash of x and of every node above it is to be computed anew. Stops at a node where this was
 * noted before, so that many changes cost each node once. */
static sotto_error mark_dirty(struct tree_stage *stage, struct node_index x)
{
    struct node_index root = tree_root(stage->leaf_count);
    stage->prepared = false;
    for (;; x = node_parent(x)) {
        struct overlay_entry *entry;
        TRY(overlay_touch(stage, x, &entry));
        if (entry->dirty)
            return SOTTO_OK;
        entry->dirty = true;
        if (node_equal(x, root))
            return SOTTO_OK;
    }
}

sotto_error overlay_put(struct tree_stage *stage, struct node_index x, const struct tree_node *node)
{
    struct overlay_entry *entry;
    sotto_error error = mark_dirty(stage, x);
    if (error == SOTTO_OK)
        error = overlay_touch(stage, x, &entry);
    if (error != SOTTO_OK) {
        tree_node_release(stage->base->env, node);
        return error;
    }
    if (entry->changed)
        tree_node_release(stage->base->env, entry->node);
    entry->changed = true;
    entry->node = node;
    return SOTTO_OK;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void tree_stage_init(struct tree_stage *stage, const struct tree *base)
{
    *stage = (struct tree_stage){
        .base = base,
        .base_version = base->version,
        .leaf_count = base->leaf_count,
        .member_count = base->member_count,
        .first_blank = base->first_blank,
    };
}

void tree_stage_drop(struct tree_stage *stage)
{
    if (stage->base == NULL)
        return;
    const struct tree *base = stage->base;
    for (size_t i = 0; i < stage->entry_count; i++)
        tree_node_release(base->env, stage->entries[i].node);
    mem_free(base->env, stage->entries, stage->entry_capacity * sizeof *stage->entries);
    mem_free(base->env, stage->slots, stage->slot_count * sizeof *stage->slots);
    for (size_t i = 0; i <= LIMIT_DEPTH; i++)
        if (stage->grown[i].nodes != NULL)
            segment_free(base, i, &stage->grown[i]);
    leaf_set_free(base->env, &stage->members);
    key_index_free(base->env, &stage->keys);
    support_free(base->env, &stage->support);
    key_index_free(base->env, &stage->grown_keys);
    support_free(base->env, &stage->grown_support);
    *stage = (struct tree_stage){0};
}

sotto_error tree_stage_prepare(struct tree_stage *stage)
{
    const struct tree *base = stage->base;
    sotto_bytes unused;
    TRY(tree_stage_root_hash(stage, &unused));
    key_index_free(base->env, &stage->grown_keys);
    support_free(base->env, &stage->grown_support);
    if (!key_index_has_room(&base->keys, stage->keys.count))
        TRY(key_index_alloc(base->env, 2 * (base->keys.count + stage->keys.count),
                            &stage->grown_keys));
    TRY(support_prepare(base->env, &base->support, &stage->support, &stage->grown_support));
    stage->prepared = true;
    return SOTTO_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

uint32_t tree_stage_leaf_count(const struct tree_stage *stage)
{
    return stage->leaf_count;
}

uint32_t tree_stage_member_count(const struct tree_stage *stage)
{
    return stage->member_count;
}

const struct tree_node *tree_stage_node(const struct tree_stage *stage, struct node_index x)
{
    if (x.value >= node_count_of(stage->leaf_count))
        return NULL;
    const struct overlay_entry *entry = overlay_find(stage, x);
    if (entry != NULL && entry->changed)
        return entry->node;
    return tree_node(stage->base, x);
}

const struct leaf_node *tree_stage_leaf(const struct tree_stage *stage, struct leaf_index leaf)
{
    if (leaf.value >= stage->leaf_count)
        return NULL;
    const struct tree_node *node = tree_stage_node(stage, leaf_node_index(leaf));
    return node == NULL ? NULL : &node->u.leaf;
}

static const struct leaf_set *members_of(const struct tree_stage *stage)
{
    return stage->membership_changed ? &stage->members : &stage->base->members;
}

bool tree_stage_next_member(const struct tree_stage *stage, struct leaf_index *leaf)
{
    uint32_t next = leaf_set_next(members_of(stage), leaf->value, stage->leaf_count);
    if (next >= stage->leaf_count)
        return false;
    leaf->value = next;
    return true;
}

bool tree_stage_is_added(const struct tree_stage *stage, struct leaf_index leaf)
{
    const struct overlay_entry *entry = overlay_find(stage, leaf_node_index(leaf));
    return entry != NULL && entry->added;
}

bool tree_stage_has_member(const struct tree_stage *stage, struct node_index x)
{
    return leaf_set_any(members_of(stage), node_first_leaf(x).value, node_leaf_span(x));
}

/* NOT_FOUND if x holds another key, or none. scratch: for a key that is not in memory. */
static sotto_error holds_key(const struct tree_stage *stage, struct node_index x,
                             enum key_kind kind, sotto_bytes key, sotto_buf *scratch)
{
    const struct tree_node *node = tree_stage_node(stage, x);
    sotto_bytes held = {0};
    if (kind == KEY_ENCRYPTION)
        TRY(tree_stage_encryption_key(stage, x, scratch, &held));
    else if (node != NULL && node->type == NODE_LEAF)
        held = node->u.leaf.signature_key;
    return held.size > 0 && sotto_bytes_equal(held, key) ? SOTTO_OK : SOTTO_NOT_FOUND;
}

/* Both tables may name nodes that have changed since; what counts is what the node holds now. */
static sotto_error find_key(const struct tree_stage *stage, enum key_kind kind, sotto_bytes key,
                            uint64_t print, struct node_index except, struct node_index *x)
{
    const struct key_index *tables[] = {&stage->base->keys, &stage->keys};
    uint32_t tag = key_index_tag(kind, print);
    sotto_error error = SOTTO_NOT_FOUND;
    sotto_buf scratch;
    sotto_buf_init(&scratch, stage->base->env);
    for (size_t i = 0; error == SOTTO_NOT_FOUND && i < 2; i++) {
        struct node_index found;
        for (size_t at = 0;
             error == SOTTO_NOT_FOUND && key_index_next(tables[i], tag, kind, &at, &found);) {
            if (!node_equal(found, except))
                error = holds_key(stage, found, kind, key, &scratch);
            if (error == SOTTO_OK)
                *x = found;
        }
    }
    sotto_buf_free(&scratch);
    return error;
}

sotto_error tree_stage_find_key(const struct tree_stage *stage, enum key_kind kind, sotto_bytes key,
                                struct node_index except, struct node_index *x)
{
    return find_key(stage, kind, key, node_key_print(&stage->base->maker, key), except, x);
}

sotto_error stage_find_double(const struct tree_stage *stage, struct node_index x,
                              enum key_kind kind, struct node_index *other)
{
    const struct tree_node *node = tree_stage_node(stage, x);
    BUG_UNLESS(node != NULL);
    if (kind == KEY_ENCRYPTION)
        return find_key(stage, kind, tree_node_encryption_key(node), node->key_print, x, other);
    return find_key(stage, kind, node->u.leaf.signature_key, node->signature_print, x, other);
}

bool tree_stage_all_support(const struct tree_stage *stage, enum support_kind kind, uint16_t type)
{
    return support_count(&stage->base->support, kind, type) +
               support_count(&stage->support, kind, type) ==
           stage->member_count;
}

/* ---- Resolutions ----------------------------------------------------------------------------- */

void node_list_init(struct node_list *list, const sotto_env *env)
{
    *list = (struct node_list){.env = env};
}

void node_list_free(struct node_list *list)
{
    mem_free(list->env, list->items, list->capacity * sizeof *list->items);
    list->items = NULL;
    list->count = list->capacity = 0;
}

sotto_error node_list_append(struct node_list *list, struct node_index x)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
        struct node_index *items = mem_alloc(list->env, capacity * sizeof *items);
        if (items == NULL)
            return SOTTO_NO_MEMORY;
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        mem_free(list->env, list->items, list->capacity * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = x;
    return SOTTO_OK;
}

static sotto_error resolve_leaf(const struct tree_stage *stage, struct leaf_index leaf,
                                bool without_added, struct node_list *list)
{
    if (without_added && tree_stage_is_added(stage, leaf))
        return SOTTO_OK;
    return node_list_append(list, leaf_node_index(leaf));
}

sotto_error tree_stage_resolution(const struct tree_stage *stage, struct node_index x,
                                  bool without_added, struct node_list *list)
{
    const struct tree_node *node = tree_stage_node(stage, x);
    if (node != NULL && node->type == NODE_LEAF)
        return resolve_leaf(stage, node_leaf_index(x), without_added, list);
    if (node != NULL) {
        struct u32_list unmerged = node->u.parent.unmerged_leaves;
        TRY(node_list_append(list, x));
        for (size_t i = 0; i < u32_list_count(unmerged); i++)
            TRY(resolve_leaf(stage, leaf_at(u32_list_at(unmerged, i)), without_added, list));
        return SOTTO_OK;
    }
    /* Where no member is, no node is: blank regions cost one look at the bits. */
    if (node_is_leaf(x) || !tree_stage_has_member(stage, x))
        return SOTTO_OK;
    TRY(tree_stage_resolution(stage, node_left(x), without_added, list));
    return tree_stage_resolution(stage, node_right(x), without_added, list);
}

size_t tree_stage_filtered_path(const struct tree_stage *stage, struct leaf_index leaf,
                                struct node_index path[static LIMIT_DEPTH])
{
    struct node_index direct[LIMIT_DEPTH];
    size_t direct_count = leaf_direct_path(leaf, stage->leaf_count, direct);
    size_t count = 0;
    for (size_t i = 0; i < direct_count; i++)
        if (tree_stage_has_member(stage, node_child_away(direct[i], leaf)))
            path[count++] = direct[i];
    return count;
}

/* ---- Changing -------------------------------------------------------------------------------- */

/* The stage's own set of members, with room for leaf_count leaves. */
static sotto_error own_members(struct tree_stage *stage, uint32_t leaf_count)
{
    const struct leaf_set *from = members_of(stage);
    if (stage->membership_changed && from->word_count * 64 >= leaf_count)
        return SOTTO_OK;
    struct leaf_set copy;
    uint32_t room = leaf_count > stage->leaf_count ? leaf_count : stage->leaf_count;
    TRY(leaf_set_copy(stage->base->env, from, room, &copy));
    leaf_set_free(stage->base->env, &stage->members);
    stage->members = copy;
    stage->membership_changed = true;
    return SOTTO_OK;
}

static sotto_error count_support(struct tree_stage *stage, const struct leaf_node *before,
                                 const struct leaf_node *after)
{
    const sotto_env *env = stage->base->env;
    if (before != NULL && after != NULL && support_same(before, after))
        return SOTTO_OK;
    if (before != NULL)
        TRY(support_count_leaf(env, &stage->support, before, -1));
    return after == NULL ? SOTTO_OK : support_count_leaf(env, &stage->support, after, 1);
}

static sotto_error add_keys(struct tree_stage *stage, struct node_index x,
                            const struct tree_node *node)
{
    const sotto_env *env = stage->base->env;
    TRY(key_index_add(env, &stage->keys, key_index_tag(KEY_ENCRYPTION, node->key_print),
                      KEY_ENCRYPTION, x));
    if (node->type != NODE_LEAF)
        return SOTTO_OK;
    return key_index_add(env, &stage->keys, key_index_tag(KEY_SIGNATURE, node->signature_print),
                         KEY_SIGNATURE, x);
}

static sotto_error count_member(struct tree_stage *stage, struct leaf_index where, bool before,
                                bool after)
{
    if (before == after)
        return SOTTO_OK;
    TRY(own_members(stage, stage->leaf_count));
    if (after) {
        leaf_set_add(&stage->members, where.value);
        stage->member_count++;
        return SOTTO_OK;
    }
    leaf_set_remove(&stage->members, where.value);
    stage->member_count--;
    if (where.value < stage->first_blank)
        stage->first_blank = where.value;
    return SOTTO_OK;
}

/* All that is counted about a leaf, before the leaf itself is put. */
static sotto_error account_leaf(struct tree_stage *stage, struct leaf_index where,
                                const struct leaf_node *before, const struct tree_node *after)
{
    TRY(count_support(stage, before, after == NULL ? NULL : &after->u.leaf));
    TRY(count_member(stage, where, before != NULL, after != NULL));
    return after == NULL ? SOTTO_OK : add_keys(stage, leaf_node_index(where), after);
}

sotto_error stage_put_leaf(struct tree_stage *stage, struct leaf_index where,
                           const struct tree_node *node, bool added)
{
    sotto_error error = account_leaf(stage, where, tree_stage_leaf(stage, where), node);
    if (error != SOTTO_OK) {
        tree_node_release(stage->base->env, node);
        return error;
    }
    TRY(overlay_put(stage, leaf_node_index(where), node));
    overlay_find(stage, leaf_node_index(where))->added = added;
    return SOTTO_OK;
}

sotto_error stage_put_parent(struct tree_stage *stage, struct node_index x,
                             const struct tree_node *node)
{
    if (node != NULL) {
        sotto_error error = add_keys(stage, x, node);
        if (error != SOTTO_OK) {
            tree_node_release(stage->base->env, node);
            return error;
        }
    }
    return overlay_put(stage, x, node);
}

sotto_error stage_grow(struct tree_stage *stage)
{
    if (stage->leaf_count == LIMIT_LEAVES)
        return SOTTO_LIMIT;
    uint32_t leaf_count = 2 * stage->leaf_count;
    size_t number = segment_count(leaf_count) - 1;
    bool in_base = leaf_count <= stage->base->leaf_count; /* shrunk before in this stage */
    if (!in_base && stage->grown[number].nodes == NULL)
        TRY(segment_alloc(stage->base, number, true, &stage->grown[number]));
    TRY(own_members(stage, leaf_count));
    stage->leaf_count = leaf_count;
    return overlay_put(stage, tree_root(leaf_count), NULL);
}

sotto_error stage_shrink(struct tree_stage *stage)
{
    while (stage->leaf_count > 1) {
        struct node_index root = tree_root(stage->leaf_count);
        if (tree_stage_has_member(stage, node_right(root)))
            return SOTTO_OK;
        /* The root falls away even if it is not blank (7.7); should the tree grow again in this
         * stage, the new root starts blank. */
        TRY(overlay_put(stage, root, NULL));
        stage->leaf_count /= 2;
    }
    return SOTTO_OK;
}

sotto_error tree_stage_claim(struct tree_stage *stage, struct leaf_index *where)
{
    uint32_t blank = leaf_set_next_absent(members_of(stage), stage->first_blank, stage->leaf_count);
    if (blank >= stage->leaf_count) {
        blank = stage->leaf_count;
        TRY(stage_grow(stage));
    }
    stage->first_blank = blank;
    where->value = blank;
    return SOTTO_OK;
}

static sotto_error add_unmerged(struct tree_stage *stage, struct leaf_index leaf)
{
    struct node_index path[LIMIT_DEPTH];
    size_t count = leaf_direct_path(leaf, stage->leaf_count, path);
    for (size_t i = 0; i < count; i++) {
        if (tree_stage_node(stage, path[i]) == NULL)
            continue;
        struct overlay_entry *entry = overlay_find(stage, path[i]);
        if (entry == NULL || !entry->changed) {
            const struct tree_node *node = tree_node_share(tree_stage_node(stage, path[i]));
            TRY(overlay_put(stage, path[i], node));
            entry = overlay_find(stage, path[i]);
        }
        /* Putting the leaf marked every hash above it already. */
        TRY(tree_node_add_unmerged(stage->base->env, &entry->node, leaf));
    }
    return SOTTO_OK;
}

sotto_error tree_stage_add(struct tree_stage *stage, const struct leaf_node *leaf,
                           struct leaf_index *where)
{
    const struct tree_node *node;
    struct leaf_index place;
    TRY(tree_stage_claim(stage, &place));
    TRY(tree_node_of_leaf(&stage->base->maker, leaf, &node));
    TRY(stage_put_leaf(stage, place, node, true));
    TRY(add_unmerged(stage, place));
    *where = place;
    return SOTTO_OK;
}

sotto_error tree_stage_update(struct tree_stage *stage, struct leaf_index where,
                              const struct leaf_node *leaf)
{
    if (tree_stage_leaf(stage, where) == NULL)
        return SOTTO_NOT_FOUND;
    TRY(tree_stage_set_leaf(stage, where, leaf));
    return tree_stage_blank_path(stage, where);
}

sotto_error tree_stage_remove(struct tree_stage *stage, struct leaf_index where)
{
    if (tree_stage_leaf(stage, where) == NULL)
        return SOTTO_NOT_FOUND;
    TRY(stage_put_leaf(stage, where, NULL, false));
    TRY(tree_stage_blank_path(stage, where));
    return stage_shrink(stage);
}

sotto_error tree_stage_set_leaf(struct tree_stage *stage, struct leaf_index where,
                                const struct leaf_node *leaf)
{
    const struct tree_node *node;
    TRY(tree_node_of_leaf(&stage->base->maker, leaf, &node));
    return stage_put_leaf(stage, where, node, false);
}

sotto_error tree_stage_set_parent(struct tree_stage *stage, struct node_index x,
                                  const struct parent_node *parent)
{
    const struct tree_node *node;
    TRY(tree_node_of_parent(&stage->base->maker, parent, 0, &node));
    return stage_put_parent(stage, x, node);
}

sotto_error tree_stage_blank_path(struct tree_stage *stage, struct leaf_index leaf)
{
    struct node_index path[LIMIT_DEPTH];
    size_t count = leaf_direct_path(leaf, stage->leaf_count, path);
    for (size_t i = 0; i < count; i++)
        if (tree_stage_node(stage, path[i]) != NULL)
            TRY(overlay_put(stage, path[i], NULL));
    return SOTTO_OK;
}
