#include "mls/secret_tree.h"

#include <string.h>

#include "mls/tree_math.h"

/* ---- Dirty lists ----------------------------------------------------------------------------- */

static sotto_error dirty_reserve(struct dirty_list *list, const sotto_env *env, size_t extra)
{
    if (list->capacity - list->count >= extra)
        return SOTTO_OK;
    size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    while (capacity < list->count + extra)
        capacity *= 2;
    uint32_t *items = env->resize(env->ctx, list->items, list->capacity * sizeof *items,
                                  capacity * sizeof *items);
    if (items == NULL)
        return SOTTO_NO_MEMORY;
    list->items = items;
    list->capacity = capacity;
    return SOTTO_OK;
}

static void dirty_add(struct dirty_list *list, uint32_t item)
{
    BUG_UNLESS(list->count < list->capacity);
    list->items[list->count++] = item;
}

static void dirty_free(struct dirty_list *list, const sotto_env *env)
{
    mem_free(env, list->items, list->capacity * sizeof *list->items);
    *list = (struct dirty_list){0};
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

static const sotto_env *env_of(const struct secret_tree *tree)
{
    return crypto_env(tree->crypto);
}

static void ratchet_free(const sotto_env *env, struct ratchet *ratchet)
{
    if (ratchet == NULL)
        return;
    mem_free(env, ratchet->skipped, ratchet->skipped_capacity * sizeof *ratchet->skipped);
    mem_free(env, ratchet, sizeof *ratchet);
}

void secret_tree_init_empty(struct secret_tree *tree, struct crypto *crypto,
                            const struct suite *suite, uint32_t leaf_count)
{
    *tree = (struct secret_tree){.crypto = crypto, .suite = suite, .leaf_count = leaf_count};
    sparse_init(&tree->nodes, crypto_env(crypto));
    sparse_init(&tree->ratchets, crypto_env(crypto));
}

sotto_error secret_tree_init(struct secret_tree *tree, struct crypto *crypto,
                             const struct suite *suite, uint32_t leaf_count,
                             sotto_bytes encryption_secret)
{
    secret_tree_init_empty(tree, crypto, suite, leaf_count);
    uint32_t root = leaf_count - 1;
    sotto_error error = dirty_reserve(&tree->dirty_nodes, env_of(tree), 1);
    if (error == SOTTO_OK)
        error = secret_tree_put_node(tree, root, encryption_secret);
    if (error == SOTTO_OK)
        dirty_add(&tree->dirty_nodes, root);
    else
        secret_tree_free(tree);
    return error;
}

void secret_tree_free(struct secret_tree *tree)
{
    if (tree->crypto == NULL)
        return;
    const sotto_env *env = env_of(tree);
    uint32_t key;
    void *value;
    for (size_t at = 0; (value = sparse_next(&tree->nodes, &at, &key)) != NULL;)
        mem_free(env, value, sizeof(struct secret));
    for (size_t at = 0; (value = sparse_next(&tree->ratchets, &at, &key)) != NULL;)
        ratchet_free(env, value);
    sparse_free(&tree->nodes);
    sparse_free(&tree->ratchets);
    dirty_free(&tree->dirty_nodes, env);
    dirty_free(&tree->dirty_ratchets, env);
    *tree = (struct secret_tree){0};
}

sotto_error secret_tree_put_node(struct secret_tree *tree, uint32_t node, sotto_bytes secret)
{
    if (sparse_get(&tree->nodes, node) != NULL)
        return SOTTO_EXISTS;
    TRY(sparse_reserve(&tree->nodes, 1));
    struct secret *kept = mem_alloc(env_of(tree), sizeof *kept);
    if (kept == NULL)
        return SOTTO_NO_MEMORY;
    sotto_error error = secret_set(kept, secret);
    if (error != SOTTO_OK) {
        mem_free(env_of(tree), kept, sizeof *kept);
        return error;
    }
    sparse_put(&tree->nodes, node, kept);
    return SOTTO_OK;
}

sotto_error secret_tree_put_ratchet(struct secret_tree *tree, uint32_t key,
                                    const struct ratchet *ratchet)
{
    if (sparse_get(&tree->ratchets, key) != NULL)
        return SOTTO_EXISTS;
    TRY(sparse_reserve(&tree->ratchets, 1));
    struct ratchet *kept = mem_alloc(env_of(tree), sizeof *kept);
    if (kept == NULL)
        return SOTTO_NO_MEMORY;
    *kept = *ratchet;
    kept->skipped = NULL;
    kept->skipped_capacity = ratchet->skipped_count;
    kept->dirty = false;
    if (ratchet->skipped_count > 0) {
        size_t size = ratchet->skipped_count * sizeof *kept->skipped;
        kept->skipped = mem_alloc(env_of(tree), size);
        if (kept->skipped == NULL) {
            mem_free(env_of(tree), kept, sizeof *kept);
            return SOTTO_NO_MEMORY;
        }
        memcpy(kept->skipped, ratchet->skipped, size);
    }
    sparse_put(&tree->ratchets, key, kept);
    return SOTTO_OK;
}

void secret_tree_clean(struct secret_tree *tree)
{
    for (size_t i = 0; i < tree->dirty_ratchets.count; i++) {
        struct ratchet *ratchet = sparse_get(&tree->ratchets, tree->dirty_ratchets.items[i]);
        if (ratchet != NULL)
            ratchet->dirty = false;
    }
    tree->dirty_ratchets.count = 0;
    tree->dirty_nodes.count = 0;
}

/* ---- From the tree to a leaf's ratchets ------------------------------------------------------ */

/* One child's secret (section 9). */
static sotto_error derive_child(const struct secret_tree *tree, const struct secret *parent,
                                bool right, struct secret *child)
{
    return crypto_expand_with_label(tree->crypto, tree->suite, secret_view(parent), "tree",
                                    sotto_bytes_str(right ? "right" : "left"), tree->suite->nh,
                                    child);
}

static sotto_error derive_sibling(struct secret_step *step, const struct secret *parent,
                                  uint32_t node, bool right)
{
    struct secret *kept = mem_alloc(env_of(step->tree), sizeof *kept);
    if (kept == NULL)
        return SOTTO_NO_MEMORY;
    step->siblings[step->sibling_count].node = node;
    step->siblings[step->sibling_count++].secret = kept;
    return derive_child(step->tree, parent, right, kept);
}

/* The leaf's secret, from the nearest ancestor held; siblings beside the path into the step. */
static sotto_error derive_leaf(struct secret_step *step, struct secret *secret)
{
    struct secret_tree *tree = step->tree;
    uint32_t leaf_node = step->leaf * 2, at = leaf_node, root = tree->leaf_count - 1;
    const struct secret *held;
    while ((held = sparse_get(&tree->nodes, at)) == NULL) {
        if (at == root)
            return SOTTO_REUSED; /* the path was consumed and there is no ratchet */
        at = node_parent(node_at(at)).value;
    }
    step->ancestor = at;
    *secret = *held;
    while (at != leaf_node) {
        uint32_t left = node_left(node_at(at)).value;
        uint32_t right = node_right(node_at(at)).value;
        bool go_right = leaf_node > at;
        TRY(derive_sibling(step, secret, go_right ? left : right, !go_right));
        TRY(derive_child(tree, secret, go_right, secret));
        at = go_right ? right : left;
    }
    return SOTTO_OK;
}

static sotto_error reserve_path(struct secret_step *step)
{
    struct secret_tree *tree = step->tree;
    TRY(sparse_reserve(&tree->nodes, step->sibling_count));
    return dirty_reserve(&tree->dirty_nodes, env_of(tree), step->sibling_count + 1);
}

static sotto_error make_ratchets(struct secret_step *step)
{
    static const char *const labels[] = {"handshake", "application"};
    struct secret_tree *tree = step->tree;
    struct secret leaf = {0};
    sotto_error error = derive_leaf(step, &leaf);
    for (size_t i = 0; i < 2 && error == SOTTO_OK; i++) {
        step->fresh[i] = mem_alloc(env_of(tree), sizeof *step->fresh[i]);
        error = step->fresh[i] == NULL
                    ? SOTTO_NO_MEMORY
                    : crypto_expand_with_label(tree->crypto, tree->suite, secret_view(&leaf),
                                               labels[i], (sotto_bytes){0}, tree->suite->nh,
                                               &step->fresh[i]->secret);
    }
    secret_wipe(&leaf);
    if (error == SOTTO_OK)
        error = reserve_path(step);
    if (error == SOTTO_OK)
        error = sparse_reserve(&tree->ratchets, 2);
    step->ratchet = step->fresh[step->type];
    return error;
}

/* ---- Along a ratchet ------------------------------------------------------------------------- */

static sotto_error derive_key(const struct secret_tree *tree, const struct secret *secret,
                              uint32_t generation, struct message_key *out)
{
    const struct suite *suite = tree->suite;
    struct secret derived = {0};
    out->generation = generation;
    sotto_error error = crypto_derive_tree_secret(tree->crypto, suite, secret_view(secret), "key",
                                                  generation, suite->nk, &derived);
    if (error == SOTTO_OK) {
        memcpy(out->key, derived.data, suite->nk);
        error = crypto_derive_tree_secret(tree->crypto, suite, secret_view(secret), "nonce",
                                          generation, suite->nn, &derived);
    }
    if (error == SOTTO_OK)
        memcpy(out->nonce, derived.data, suite->nn);
    secret_wipe(&derived);
    return error;
}

static sotto_error take_skipped(struct secret_step *step, uint32_t generation)
{
    const struct ratchet *ratchet = step->ratchet;
    for (uint32_t i = 0; i < ratchet->skipped_count; i++) {
        if (ratchet->skipped[i].generation == generation) {
            step->key = ratchet->skipped[i];
            step->was_skipped = true;
            step->skipped_at = i;
            return SOTTO_OK;
        }
    }
    return SOTTO_REUSED;
}

/* Room for the keys that the step passes over, in the step and in the ratchet. */
static sotto_error reserve_skipped(struct secret_step *step, uint32_t passed, uint32_t kept_max)
{
    const sotto_env *env = env_of(step->tree);
    uint32_t added = passed < kept_max ? passed : kept_max;
    if (added == 0)
        return SOTTO_OK;
    step->added = mem_alloc(env, added * sizeof *step->added);
    if (step->added == NULL)
        return SOTTO_NO_MEMORY;
    step->added_capacity = added;

    struct ratchet *ratchet = step->ratchet;
    uint64_t total = (uint64_t)ratchet->skipped_count + added;
    uint32_t need = total < kept_max ? (uint32_t)total : kept_max;
    if (need <= ratchet->skipped_capacity)
        return SOTTO_OK;
    struct message_key *larger = mem_alloc(env, need * sizeof *larger);
    if (larger == NULL)
        return SOTTO_NO_MEMORY;
    if (ratchet->skipped_count > 0)
        memcpy(larger, ratchet->skipped, ratchet->skipped_count * sizeof *larger);
    mem_free(env, ratchet->skipped, ratchet->skipped_capacity * sizeof *larger);
    ratchet->skipped = larger;
    ratchet->skipped_capacity = need;
    return SOTTO_OK;
}

/* RFC 9420, 15.2. */
static sotto_error advance(struct secret_step *step, uint32_t generation,
                           const struct secret_limits *limits)
{
    const struct secret_tree *tree = step->tree;
    uint32_t at = step->ratchet->generation;
    if (generation == UINT32_MAX || generation - at > limits->forward)
        return SOTTO_LIMIT;
    uint32_t passed = generation - at;
    TRY(reserve_skipped(step, passed, limits->skipped));
    step->next = step->ratchet->secret;
    for (;; at++) {
        if (at == generation)
            TRY(derive_key(tree, &step->next, at, &step->key));
        else if (generation - at <= step->added_capacity)
            TRY(derive_key(tree, &step->next, at, &step->added[step->added_count++]));
        TRY(crypto_derive_tree_secret(tree->crypto, tree->suite, secret_view(&step->next), "secret",
                                      at, tree->suite->nh, &step->next));
        if (at == generation)
            break;
    }
    step->next_generation = generation + 1;
    return SOTTO_OK;
}

/* Finds or makes the ratchet. */
static sotto_error open_ratchet(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                                struct secret_step *step)
{
    *step = (struct secret_step){.tree = tree, .leaf = leaf, .type = type};
    if (leaf >= tree->leaf_count)
        return SOTTO_SENDER;
    TRY(dirty_reserve(&tree->dirty_ratchets, env_of(tree), 2));
    step->ratchet = sparse_get(&tree->ratchets, leaf * 2 + type);
    return step->ratchet == NULL ? make_ratchets(step) : SOTTO_OK;
}

sotto_error secret_tree_take(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                             uint32_t generation, const struct secret_limits *limits,
                             struct secret_step *step)
{
    sotto_error error = open_ratchet(tree, leaf, type, step);
    if (error == SOTTO_OK)
        error = generation < step->ratchet->generation ? take_skipped(step, generation)
                                                       : advance(step, generation, limits);
    if (error != SOTTO_OK)
        secret_step_free(step);
    return error;
}

sotto_error secret_tree_take_next(struct secret_tree *tree, uint32_t leaf, enum ratchet_type type,
                                  struct secret_step *step)
{
    static const struct secret_limits in_order = {0, 0};
    sotto_error error = open_ratchet(tree, leaf, type, step);
    if (error == SOTTO_OK)
        error = advance(step, step->ratchet->generation, &in_order);
    if (error != SOTTO_OK)
        secret_step_free(step);
    return error;
}

/* ---- Committing ------------------------------------------------------------------------------ */

static void mark_ratchet(struct secret_tree *tree, uint32_t key, struct ratchet *ratchet)
{
    if (ratchet->dirty)
        return;
    ratchet->dirty = true;
    dirty_add(&tree->dirty_ratchets, key);
}

/* The path from the ancestor to the leaf goes, the siblings beside it come (RFC 9420, 9.2). */
static void commit_path(struct secret_step *step)
{
    struct secret_tree *tree = step->tree;
    void *used = sparse_take(&tree->nodes, step->ancestor);
    mem_free(env_of(tree), used, sizeof(struct secret));
    dirty_add(&tree->dirty_nodes, step->ancestor);
    for (size_t i = 0; i < step->sibling_count; i++) {
        sparse_put(&tree->nodes, step->siblings[i].node, step->siblings[i].secret);
        dirty_add(&tree->dirty_nodes, step->siblings[i].node);
    }
    step->sibling_count = 0;
}

/* The leaf becomes two ratchets. */
static void commit_ratchets(struct secret_step *step)
{
    struct secret_tree *tree = step->tree;
    for (uint32_t i = 0; i < 2; i++) {
        sparse_put(&tree->ratchets, step->leaf * 2 + i, step->fresh[i]);
        mark_ratchet(tree, step->leaf * 2 + i, step->fresh[i]);
        step->fresh[i] = NULL;
    }
}

/* Takes count keys out, from the place at on. */
static void drop_skipped(struct ratchet *ratchet, uint32_t at, uint32_t count)
{
    uint32_t behind = ratchet->skipped_count - at - count;
    memmove(ratchet->skipped + at, ratchet->skipped + at + count,
            behind * sizeof *ratchet->skipped);
    ratchet->skipped_count -= count;
    wipe(ratchet->skipped + ratchet->skipped_count, count * sizeof *ratchet->skipped);
}

/* RFC 9420, 9.1. */
void secret_step_commit(struct secret_step *step, const struct secret_limits *limits)
{
    struct ratchet *ratchet = step->ratchet;
    if (step->fresh[0] != NULL) {
        commit_path(step);
        commit_ratchets(step);
    } else {
        mark_ratchet(step->tree, step->leaf * 2 + step->type, ratchet);
    }
    if (step->was_skipped) {
        drop_skipped(ratchet, step->skipped_at, 1);
        return;
    }
    ratchet->secret = step->next;
    ratchet->generation = step->next_generation;
    if (step->added_count == 0)
        return;
    uint64_t total = (uint64_t)ratchet->skipped_count + step->added_count;
    if (total > limits->skipped) /* the oldest go first */
        drop_skipped(ratchet, 0, (uint32_t)(total - limits->skipped));
    memcpy(ratchet->skipped + ratchet->skipped_count, step->added,
           step->added_count * sizeof *step->added);
    ratchet->skipped_count += step->added_count;
}

void secret_step_free(struct secret_step *step)
{
    if (step->tree == NULL)
        return;
    const sotto_env *env = env_of(step->tree);
    for (size_t i = 0; i < step->sibling_count; i++)
        mem_free(env, step->siblings[i].secret, sizeof(struct secret));
    ratchet_free(env, step->fresh[0]);
    ratchet_free(env, step->fresh[1]);
    mem_free(env, step->added, step->added_capacity * sizeof *step->added);
    wipe(step, sizeof *step);
}

/* ---- A leaf's own secret --------------------------------------------------------------------- */

sotto_error secret_tree_take_leaf(struct secret_tree *tree, uint32_t leaf, struct secret *secret)
{
    struct secret_step step = {.tree = tree, .leaf = leaf};
    sotto_error error = leaf < tree->leaf_count ? derive_leaf(&step, secret) : SOTTO_ARGUMENT;
    if (error == SOTTO_OK)
        error = reserve_path(&step);
    if (error == SOTTO_OK)
        commit_path(&step);
    else
        secret_wipe(secret);
    secret_step_free(&step);
    return error;
}

sotto_error sender_data_key(struct crypto *crypto, const struct suite *suite,
                            sotto_bytes sender_data_secret, sotto_bytes ciphertext,
                            struct secret *key, struct secret *nonce)
{
    sotto_bytes sample = ciphertext;
    if (sample.size > suite->nh)
        sample.size = suite->nh;
    TRY(crypto_expand_with_label(crypto, suite, sender_data_secret, "key", sample, suite->nk, key));
    return crypto_expand_with_label(crypto, suite, sender_data_secret, "nonce", sample, suite->nn,
                                    nonce);
}
