/* Whole trees (RFC 9420, 7.3, 7.9.2, 12.4.3.1), and what a stage changed. */
#include <string.h>

#include "mls/tree_base.h"

/* ---- A stage: the cost follows the change ---------------------------------------------------- */

static sotto_error check_support(const struct tree_stage *stage, enum support_kind kind,
                                 struct u16_list types, bool (*is_default)(uint16_t),
                                 const char *what, sotto_fault *fault)
{
    for (size_t i = 0; i < u16_list_count(types); i++) {
        uint16_t type = u16_list_at(types, i);
        if (!(is_default != NULL && is_default(type)) && !tree_stage_all_support(stage, kind, type))
            return refuse(fault, SOTTO_CAPABILITY, what);
    }
    return SOTTO_OK;
}

/* RFC 9420, 11.1. */
static sotto_error check_required(const struct tree_stage *stage,
                                  const struct required_capabilities *required, sotto_fault *fault)
{
    TRY(check_support(stage, SUPPORT_EXTENSION, required->extensions, extension_is_default,
                      "RequiredCapabilities.extension_types: not all members support one", fault));
    TRY(check_support(stage, SUPPORT_PROPOSAL, required->proposals, proposal_is_default,
                      "RequiredCapabilities.proposal_types: not all members support one", fault));
    return check_support(stage, SUPPORT_CREDENTIAL, required->credentials, NULL,
                         "RequiredCapabilities.credential_types: not all members support one",
                         fault);
}

/* 7.3: each credential type in use is supported by all members. Both that engine can parse. */
static sotto_error check_credentials(const struct tree_stage *stage, sotto_fault *fault)
{
    static const uint16_t types[] = {CREDENTIAL_BASIC, CREDENTIAL_X509};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        int64_t users = support_count(&stage->base->support, SUPPORT_CREDENTIAL_IN_USE, types[i]) +
                        support_count(&stage->support, SUPPORT_CREDENTIAL_IN_USE, types[i]);
        if (users > 0 && !tree_stage_all_support(stage, SUPPORT_CREDENTIAL, types[i]))
            return refuse(fault, SOTTO_CAPABILITY,
                          "Credential.credential_type: not all members support it");
    }
    return SOTTO_OK;
}

/* 7.3, 16.7: no key stands in two nodes. */
static sotto_error check_unique(const struct tree_stage *stage, struct node_index x,
                                const struct tree_node *node, sotto_fault *fault)
{
    struct node_index other;
    sotto_error error = stage_find_double(stage, x, KEY_ENCRYPTION, &other);
    if (error == SOTTO_OK)
        return refuse(fault, SOTTO_TREE, "encryption_key: in the tree twice");
    if (error == SOTTO_NOT_FOUND && node->type == NODE_LEAF)
        error = stage_find_double(stage, x, KEY_SIGNATURE, &other);
    if (error == SOTTO_OK)
        return refuse(fault, SOTTO_TREE, "LeafNode.signature_key: in the tree twice");
    return error == SOTTO_NOT_FOUND ? SOTTO_OK : refuse(fault, error, "encryption_key");
}

/* Whether a node brings a key to a place where the base did not have it. A key that stayed need not
 * be looked for: whoever brought a second one is. */
static bool brings_keys(const struct tree_stage *stage, struct node_index x,
                        const struct tree_node *node)
{
    const struct tree_node *before = tree_node(stage->base, x);
    if (before == NULL || node->type == NODE_LEAF)
        return true;
    return !tree_node_same_key(before, node);
}

sotto_error tree_stage_check(const struct tree_stage *stage,
                             const struct required_capabilities *required, sotto_fault *fault)
{
    struct node_index x;
    const struct tree_node *node;
    for (size_t at = 0; tree_stage_next_change(stage, &at, &x, &node);)
        if (node != NULL && brings_keys(stage, x, node))
            TRY(check_unique(stage, x, node, fault));
    TRY(check_credentials(stage, fault));
    return required == NULL ? SOTTO_OK : check_required(stage, required, fault);
}

/* ---- A whole tree: leaves and unmerged leaves ------------------------------------------------ */

static sotto_error validate_leaf(const struct tree *tree, struct leaf_index index,
                                 const struct leaf_node *leaf, const struct tree_rules *rules,
                                 sotto_fault *fault)
{
    struct leaf_rules leaf_rules = {
        .group_id = rules->group_id,
        .index = index,
        .check_lifetime = rules->check_lifetime,
        .now = rules->now,
        .required = rules->required,
    };
    if (rules->verify == NULL)
        return leaf_node_check(tree->crypto, tree->suite, leaf, &leaf_rules, fault);
    TRY(leaf_node_check_fields(tree->crypto, tree->suite, leaf, &leaf_rules, fault));
    sotto_buf tbs;
    sotto_buf_init(&tbs, tree->env);
    sotto_error error = leaf_node_tbs(leaf, rules->group_id, index, &tbs);
    if (error == SOTTO_OK)
        error = rules->verify(rules->ctx, index, leaf, sotto_buf_view(&tbs));
    sotto_buf_free(&tbs);
    if (error == SOTTO_KEY)
        return refuse(fault, error, "LeafNode.signature_key");
    return error == SOTTO_OK ? SOTTO_OK : refuse(fault, error, "LeafNode.signature");
}

/* 12.4.3.1: an unmerged leaf is a member below the parent, and every node between that is not blank
 * lists it too. */
static sotto_error validate_unmerged(const struct tree *tree, struct node_index x,
                                     struct leaf_index leaf, sotto_fault *fault)
{
    if (!node_covers(x, leaf) || tree_leaf(tree, leaf) == NULL)
        return refuse(fault, SOTTO_TREE, "ParentNode.unmerged_leaves: no member below the node");
    for (struct node_index y = node_parent(leaf_node_index(leaf)); !node_equal(y, x);
         y = node_parent(y)) {
        const struct tree_node *between = *base_slot(tree, y);
        if (between != NULL && !parent_node_has_unmerged(&between->u.parent, leaf))
            return refuse(fault, SOTTO_TREE, "ParentNode.unmerged_leaves: not in a node between");
    }
    return SOTTO_OK;
}

static sotto_error validate_parent(const struct tree *tree, struct node_index x,
                                   const struct parent_node *parent, sotto_fault *fault)
{
    sotto_error error = crypto_kem_check(tree->crypto, tree->suite, parent->encryption_key);
    if (error != SOTTO_OK)
        return refuse(fault, error, "ParentNode.encryption_key");
    for (size_t i = 0; i < u32_list_count(parent->unmerged_leaves); i++)
        TRY(validate_unmerged(tree, x, leaf_at(u32_list_at(parent->unmerged_leaves, i)), fault));
    return SOTTO_OK;
}

/* ---- A whole tree: parent hashes (7.9.2) ----------------------------------------------------- */

/* How many of parent's unmerged leaves stand under x. */
static size_t unmerged_under(const struct parent_node *parent, struct node_index x)
{
    uint32_t first = node_first_leaf(x).value;
    return parent_node_unmerged_below(parent, first + node_leaf_span(x)) -
           parent_node_unmerged_below(parent, first);
}

/* unmerged without those in gone; both are sorted. */
static sotto_error subtract(struct u32_list unmerged, const struct parent_node *gone,
                            sotto_buf *rest)
{
    for (size_t i = 0; i < u32_list_count(unmerged); i++)
        if (!parent_node_has_unmerged(gone, leaf_at(u32_list_at(unmerged, i))))
            TRY(sotto_buf_append(rest, unmerged.wire.data + 4 * i, 4));
    return SOTTO_OK;
}

/* The original tree hash of x: as if the unmerged leaves of gone had never come (7.9). Where none
 * of them is, it is the tree hash. */
static sotto_error original_hash(const struct tree *tree, struct node_index x,
                                 const struct parent_node *gone, uint8_t *out)
{
    if (unmerged_under(gone, x) == 0) {
        memcpy(out, base_hash(tree, x), tree->suite->nh);
        return SOTTO_OK;
    }
    if (node_is_leaf(x))
        return hash_leaf(tree, x, NULL, out);
    uint8_t left[HASH_MAX], right[HASH_MAX];
    TRY(original_hash(tree, node_left(x), gone, left));
    TRY(original_hash(tree, node_right(x), gone, right));
    const struct tree_node *node = *base_slot(tree, x);
    sotto_buf rest;
    sotto_buf_init(&rest, tree->env);
    struct parent_node parent = {0};
    sotto_error error = SOTTO_OK;
    if (node != NULL) {
        parent = node->u.parent;
        error = subtract(node->u.parent.unmerged_leaves, gone, &rest);
        parent.unmerged_leaves.wire = sotto_buf_view(&rest);
    }
    if (error == SOTTO_OK)
        error = hash_parent(tree, node == NULL ? NULL : &parent, left, right, out);
    sotto_buf_free(&rest);
    return error;
}

/* The one node in the resolution of child that is not an unmerged leaf of parent. False unless
 * there is exactly one and all of parent's unmerged leaves under child are in the resolution. */
static bool find_descendant(const struct parent_node *parent, struct node_index child,
                            const struct node_list *resolution, struct node_index *descendant)
{
    size_t unmerged = 0, others = 0;
    for (size_t i = 0; i < resolution->count; i++) {
        struct node_index x = resolution->items[i];
        if (node_is_leaf(x) && parent_node_has_unmerged(parent, node_leaf_index(x))) {
            unmerged++;
        } else {
            *descendant = x;
            others++;
        }
    }
    return others == 1 && unmerged == unmerged_under(parent, child);
}

static sotto_bytes parent_hash_of(const struct tree_node *node)
{
    return node->type == NODE_LEAF ? node->u.leaf.parent_hash : node->u.parent.parent_hash;
}

/* Whether a node below child, one of the two under parent, holds the parent hash of parent. */
static sotto_error is_linked(const struct tree_stage *view, const struct parent_node *parent,
                             struct node_index child, struct node_list *resolution, bool *linked)
{
    const struct tree *tree = view->base;
    struct node_index descendant;
    *linked = false;
    resolution->count = 0;
    TRY(tree_stage_resolution(view, child, false, resolution));
    if (!find_descendant(parent, child, resolution, &descendant))
        return SOTTO_OK;
    sotto_bytes held = parent_hash_of(*base_slot(tree, descendant));
    if (held.size != tree->suite->nh)
        return SOTTO_OK;
    uint8_t sibling_hash[HASH_MAX], expected[HASH_MAX];
    TRY(original_hash(tree, node_sibling(child), parent, sibling_hash));
    TRY(hash_parent_input(tree, parent->encryption_key, parent->parent_hash,
                          sotto_bytes_of(sibling_hash, tree->suite->nh), expected));
    *linked = sotto_bytes_equal(held, sotto_bytes_of(expected, tree->suite->nh));
    return SOTTO_OK;
}

static sotto_error validate_parent_hash(const struct tree_stage *view, struct node_index x,
                                        const struct parent_node *parent, struct node_list *scratch,
                                        sotto_fault *fault)
{
    bool left, right;
    sotto_error error = is_linked(view, parent, node_left(x), scratch, &left);
    if (error == SOTTO_OK)
        error = is_linked(view, parent, node_right(x), scratch, &right);
    if (error != SOTTO_OK)
        return refuse(fault, error, "ParentNode.parent_hash");
    /* 7.9.2: "exactly one descendant of each non-blank parent node". */
    if (left == right)
        return refuse(fault, SOTTO_TREE, "ParentNode: no chain of parent hashes to one leaf");
    return SOTTO_OK;
}

/* ---- A whole tree ---------------------------------------------------------------------------- */

static sotto_error validate_node(const struct tree_stage *view, struct node_index x,
                                 const struct tree_rules *rules, sotto_fault *fault)
{
    const struct tree *tree = view->base;
    const struct tree_node *node = *base_slot(tree, x);
    if (node == NULL)
        return SOTTO_OK;
    TRY(check_unique(view, x, node, fault));
    if (node->type == NODE_LEAF)
        return validate_leaf(tree, node_leaf_index(x), &node->u.leaf, rules, fault);
    return validate_parent(tree, x, &node->u.parent, fault);
}

sotto_error tree_validate(const struct tree *tree, const struct tree_rules *rules,
                          sotto_fault *fault)
{
    struct tree_stage view;
    tree_stage_init(&view, tree);
    uint32_t count = node_count_of(tree->leaf_count);
    for (uint32_t i = 0; i < count; i++)
        TRY(validate_node(&view, node_at(i), rules, fault));
    TRY(check_credentials(&view, fault));
    struct node_list scratch;
    node_list_init(&scratch, tree->env);
    sotto_error error = SOTTO_OK;
    for (uint32_t i = 1; error == SOTTO_OK && i < count; i += 2) {
        const struct tree_node *node = *base_slot(tree, node_at(i));
        if (node != NULL)
            error = validate_parent_hash(&view, node_at(i), &node->u.parent, &scratch, fault);
    }
    node_list_free(&scratch);
    return error;
}
