/* A ratchet tree: refused, or exported as it was; validated without regard to signatures, so that
 * the rules behind them are reached; then changed through a stage, whose root hash must be that of
 * the changed tree imported anew. */
#include "mls/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sotto_error believe(void *ctx, struct leaf_index index, const struct leaf_node *leaf,
                           sotto_bytes tbs)
{
    (void)ctx, (void)index, (void)leaf, (void)tbs;
    return SOTTO_OK;
}

static void check_export(const struct tree_stage *stage, sotto_bytes hash)
{
    struct tree *again;
    sotto_fault fault = {0};
    sotto_buf encoded;
    sotto_buf_init(&encoded, sotto_env_system());
    if (tree_stage_export(stage, &encoded) == SOTTO_OK &&
        tree_import(tree_crypto(stage->base), tree_suite(stage->base), sotto_buf_view(&encoded),
                    &again, &fault) == SOTTO_OK) {
        BUG_UNLESS(sotto_bytes_equal(tree_hash(again), hash));
        tree_free(again);
    }
    sotto_buf_free(&encoded);
}

/* Removes the first member and adds it again, as often as the tree has members, four times at most.
 */
static void change(struct tree *tree)
{
    struct tree_stage stage;
    tree_stage_init(&stage, tree);
    for (unsigned i = 0; i < 4 && tree_stage_member_count(&stage) > 1; i++) {
        struct leaf_index leaf = {i}, where;
        sotto_bytes hash;
        if (!tree_stage_next_member(&stage, &leaf))
            break;
        const struct tree_node *node =
            tree_node_share(tree_stage_node(&stage, leaf_node_index(leaf)));
        BUG_UNLESS(tree_stage_remove(&stage, leaf) == SOTTO_OK);
        if (i % 2 == 0)
            BUG_UNLESS(tree_stage_add(&stage, &node->u.leaf, &where) == SOTTO_OK);
        tree_node_release(sotto_env_system(), node);
        BUG_UNLESS(tree_stage_root_hash(&stage, &hash) == SOTTO_OK);
        check_export(&stage, hash);
    }
    BUG_UNLESS(tree_stage_prepare(&stage) == SOTTO_OK);
    tree_stage_apply(&stage, tree);
    tree_stage_drop(&stage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypto *crypto;
    const struct suite *suite = suite_by_id(SUITE_X25519_CHACHA_SHA256_ED25519);
    sotto_bytes input = sotto_bytes_of(data, size);
    struct tree_rules rules = {.verify = believe};
    struct tree *tree;
    sotto_fault fault = {0};
    if (crypto == NULL)
        BUG_UNLESS(crypto_new(sotto_env_system(), &crypto) == SOTTO_OK);
    if (tree_import(crypto, suite, input, &tree, &fault) != SOTTO_OK) {
        BUG_UNLESS(fault.what != NULL && fault.offset <= size);
        return 0;
    }
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    BUG_UNLESS(tree_export(tree, &again) == SOTTO_OK);
    BUG_UNLESS(sotto_bytes_equal(sotto_buf_view(&again), input));
    sotto_buf_free(&again);
    if (tree_validate(tree, &rules, &fault) == SOTTO_OK)
        change(tree);
    tree_free(tree);
    return 0;
}
