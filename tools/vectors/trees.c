/* Formats of trees: tree-math, tree-operations, tree-validation, treekem. */
#include "mls/proposal.h"
#include "mls/treekem.h"
#include "mls/welcome.h"
#include "vectors/vectors.h"

/* ---- tree-math ------------------------------------------------------------------------------- */

/* The index at a place of an array; UINT32_MAX for null. */
static uint32_t index_at(const json_t *item, const char *name, size_t at)
{
    const json_t *value = json_array_get(json_object_get(item, name), at);
    return json_is_integer(value) ? (uint32_t)json_integer_value(value) : UINT32_MAX;
}

static bool tree_math(struct run *run, const json_t *item)
{
    uint32_t leaves = (uint32_t)field_uint(item, "n_leaves"), count = node_count_of(leaves);
    struct node_index root = tree_root(leaves);
    EXPECT(count == field_uint(item, "n_nodes"));
    EXPECT(root.value == field_uint(item, "root"));
    for (uint32_t i = 0; i < count; i++) {
        struct node_index x = node_at(i);
        uint32_t left = node_is_leaf(x) ? UINT32_MAX : node_left(x).value;
        uint32_t right = node_is_leaf(x) ? UINT32_MAX : node_right(x).value;
        uint32_t parent = node_equal(x, root) ? UINT32_MAX : node_parent(x).value;
        uint32_t sibling = node_equal(x, root) ? UINT32_MAX : node_sibling(x).value;
        EXPECT(left == index_at(item, "left", i) && right == index_at(item, "right", i));
        EXPECT(parent == index_at(item, "parent", i) && sibling == index_at(item, "sibling", i));
    }
    return true;
}

/* ---- Help ------------------------------------------------------------------------------------ */

static bool import(struct run *run, sotto_bytes input, struct tree **tree)
{
    sotto_fault fault = {SOTTO_OK, "", 0};
    if (tree_import(run->crypto, run->suite, input, tree, &fault) != SOTTO_OK)
        return run_fail(run, fault.what, __LINE__);
    return true;
}

bool tree_again(struct run *run, sotto_bytes input)
{
    struct tree *tree = NULL;
    sotto_fault fault = {SOTTO_OK, "", 0};
    sotto_buf again;
    sotto_buf_init(&again, sotto_env_system());
    /* The format does not tell the suite, and hashing needs one. */
    const struct suite *any = suite_by_id(SUITE_X25519_AES128_SHA256_ED25519);
    bool same = tree_import(run->crypto, any, input, &tree, &fault) == SOTTO_OK &&
                tree_export(tree, &again) == SOTTO_OK &&
                sotto_bytes_equal(sotto_buf_view(&again), input);
    tree_free(tree);
    sotto_buf_free(&again);
    return same || run_fail(run, "ratchet_tree", __LINE__);
}

static bool root_is(struct run *run, struct tree_stage *stage, sotto_bytes expected)
{
    sotto_bytes hash;
    EXPECT_OK(tree_stage_root_hash(stage, &hash));
    EXPECT(sotto_bytes_equal(hash, expected));
    return true;
}

/* ---- tree-operations ------------------------------------------------------------------------- */

static bool operate(struct run *run, const json_t *item, struct tree_stage *stage)
{
    struct reader r;
    reader_init(&r, field_bytes(run, item, "proposal"));
    struct proposal proposal;
    proposal_read(&r, &run->arena, &proposal);
    EXPECT_OK(reader_finish(&r, "proposal"));
    struct leaf_index sender = leaf_at((uint32_t)field_uint(item, "proposal_sender")), where;
    if (proposal.type == PROPOSAL_ADD)
        EXPECT_OK(tree_stage_add(stage, &proposal.u.add->leaf, &where));
    else if (proposal.type == PROPOSAL_UPDATE)
        EXPECT_OK(tree_stage_update(stage, sender, proposal.u.update));
    else
        EXPECT_OK(tree_stage_remove(stage, leaf_at(proposal.u.removed)));
    return true;
}

static bool tree_operations_on(struct run *run, const json_t *item, struct tree *tree,
                               struct tree_stage *stage, sotto_buf *after)
{
    EXPECT(sotto_bytes_equal(tree_hash(tree), field_bytes(run, item, "tree_hash_before")));
    EXPECT(operate(run, item, stage));
    EXPECT_OK(tree_stage_export(stage, after));
    EXPECT(sotto_bytes_equal(sotto_buf_view(after), field_bytes(run, item, "tree_after")));
    EXPECT(root_is(run, stage, field_bytes(run, item, "tree_hash_after")));
    EXPECT_OK(tree_stage_prepare(stage));
    tree_stage_apply(stage, tree);
    EXPECT(sotto_bytes_equal(tree_hash(tree), field_bytes(run, item, "tree_hash_after")));
    return true;
}

static bool tree_operations(struct run *run, const json_t *item)
{
    struct tree *tree = NULL;
    EXPECT(import(run, field_bytes(run, item, "tree_before"), &tree));
    struct tree_stage stage;
    tree_stage_init(&stage, tree);
    sotto_buf after;
    sotto_buf_init(&after, sotto_env_system());
    bool held = tree_operations_on(run, item, tree, &stage, &after);
    sotto_buf_free(&after);
    tree_stage_drop(&stage);
    tree_free(tree);
    return held;
}

/* ---- tree-validation ------------------------------------------------------------------------- */

static bool node_holds(struct run *run, const json_t *item, struct tree_stage *view, uint32_t i,
                       struct node_list *resolution)
{
    sotto_bytes hash;
    EXPECT_OK(tree_stage_hash(view, node_at(i), &hash));
    EXPECT(sotto_bytes_equal(
        hash, hex_bytes(run, json_array_get(json_object_get(item, "tree_hashes"), i))));
    EXPECT_OK(tree_stage_resolution(view, node_at(i), false, resolution));
    const json_t *expected = json_array_get(json_object_get(item, "resolutions"), i);
    EXPECT(json_array_size(expected) == resolution->count);
    for (size_t k = 0; k < resolution->count; k++)
        EXPECT((uint32_t)json_integer_value(json_array_get(expected, k)) ==
               resolution->items[k].value);
    return true;
}

static bool tree_validation(struct run *run, const json_t *item)
{
    struct tree *tree = NULL;
    EXPECT(import(run, field_bytes(run, item, "tree"), &tree));
    struct tree_stage view;
    tree_stage_init(&view, tree);
    bool held = true;
    uint32_t count = node_count_of(tree_leaf_count(tree));
    for (uint32_t i = 0; i < count && held; i++) {
        struct node_list resolution;
        node_list_init(&resolution, sotto_env_system());
        held = node_holds(run, item, &view, i, &resolution);
        node_list_free(&resolution);
    }
    const struct tree_rules rules = {.group_id = field_bytes(run, item, "group_id")};
    sotto_fault fault = {SOTTO_OK, "", 0};
    if (held && tree_validate(tree, &rules, &fault) != SOTTO_OK)
        held = run_fail(run, fault.what, __LINE__);
    tree_free(tree);
    return held;
}

/* ---- treekem --------------------------------------------------------------------------------- */

/* A path secret's node key: DeriveKeyPair(DeriveSecret(path_secret, "node")) (7.4). */
static bool node_key(struct run *run, sotto_bytes path_secret, struct secret *private_key)
{
    struct secret node = {0};
    sotto_buf unused;
    sotto_buf_init(&unused, sotto_env_system());
    bool made =
        crypto_derive_secret(run->crypto, run->suite, path_secret, "node", &node) == SOTTO_OK &&
        crypto_kem_derive(run->crypto, run->suite, secret_view(&node), private_key, &unused) ==
            SOTTO_OK;
    sotto_buf_free(&unused);
    return made || run_fail(run, "node key", __LINE__);
}

static bool private_of(struct run *run, const json_t *leaf, const struct tree_stage *view,
                       struct treekem_private *state)
{
    struct leaf_index own = leaf_at((uint32_t)field_uint(leaf, "index"));
    struct secret key = {0};
    treekem_private_init(state, own);
    EXPECT_OK(secret_set(&key, field_private(run, leaf, "encryption_priv")));
    treekem_private_set(state, leaf_node_index(own), &key);
    size_t number;
    json_t *entry;
    json_array_foreach(json_object_get(leaf, "path_secrets"), number, entry)
    {
        EXPECT(node_key(run, field_bytes(run, entry, "path_secret"), &key));
        treekem_private_set(state, node_at((uint32_t)field_uint(entry, "node")), &key);
    }
    EXPECT_OK(treekem_private_check(state, view));
    return true;
}

static bool context_for(struct run *run, const json_t *item, struct tree_stage *stage,
                        sotto_buf *out)
{
    struct group_context context = {
        .suite = run->suite->id,
        .group_id = field_bytes(run, item, "group_id"),
        .epoch = field_uint(item, "epoch"),
        .confirmed_transcript_hash = field_bytes(run, item, "confirmed_transcript_hash"),
    };
    EXPECT_OK(tree_stage_root_hash(stage, &context.tree_hash));
    struct writer w;
    writer_init(&w, out);
    group_context_write(&w, &context);
    EXPECT_OK(writer_finish(&w));
    return true;
}

struct path_case {
    const json_t *item;
    struct tree *tree;
    struct tree_stage stage;
    sotto_buf context, encrypted;
    struct leaf_index sender;
    struct update_path path;
};

/* Every other leaf gets the commit secret, and the path secret that the vector names. */
static bool others_decrypt(struct run *run, struct path_case *c, sotto_bytes commit_secret,
                           const json_t *path_secrets)
{
    struct tree_stage view;
    tree_stage_init(&view, c->tree);
    size_t number;
    json_t *leaf;
    json_array_foreach(json_object_get(c->item, "leaves_private"), number, leaf)
    {
        struct treekem_private state;
        EXPECT(private_of(run, leaf, &view, &state));
        if (state.own.value == c->sender.value)
            continue;
        struct secret got = {0}, expected = {0};
        sotto_fault fault = {SOTTO_OK, "", 0};
        treekem_private_prune(&state, &c->stage);
        if (treekem_decrypt(&c->stage, c->sender, &c->path, sotto_buf_view(&c->context), &state,
                            &got, &fault) != SOTTO_OK)
            return run_fail(run, fault.what, __LINE__);
        EXPECT(sotto_bytes_equal(secret_view(&got), commit_secret));
        if (path_secrets == NULL)
            continue;
        /* The path secret itself is not kept: its node's key shows that it was the right one. */
        sotto_bytes secret = hex_bytes(run, json_array_get(path_secrets, state.own.value));
        EXPECT(node_key(run, secret, &expected));
        struct node_index ancestor = leaf_common_ancestor(state.own, c->sender);
        const struct secret *key = treekem_private_find(&state, ancestor);
        EXPECT(key != NULL && sotto_bytes_equal(secret_view(key), secret_view(&expected)));
    }
    return true;
}

static bool path_given(struct run *run, const json_t *update, struct path_case *c)
{
    struct reader r;
    reader_init(&r, field_bytes(run, update, "update_path"));
    update_path_read(&r, &run->arena, &c->path);
    EXPECT_OK(reader_finish(&r, "update_path"));
    sotto_fault fault = {SOTTO_OK, "", 0};
    EXPECT_OK(leaf_node_verify(run->crypto, run->suite, &c->path.leaf,
                               field_bytes(run, c->item, "group_id"), c->sender));
    if (treekem_merge(&c->stage, c->sender, &c->path, &fault) != SOTTO_OK)
        return run_fail(run, fault.what, __LINE__);
    EXPECT(root_is(run, &c->stage, field_bytes(run, update, "tree_hash_after")));
    EXPECT(context_for(run, c->item, &c->stage, &c->context));
    return others_decrypt(run, c, field_bytes(run, update, "commit_secret"),
                          json_object_get(update, "path_secrets"));
}

static const json_t *leaf_of(const json_t *item, uint32_t index)
{
    size_t number;
    json_t *leaf;
    json_array_foreach(json_object_get(item, "leaves_private"), number, leaf)
    {
        if (field_uint(leaf, "index") == index)
            return leaf;
    }
    return NULL;
}

static bool path_made(struct run *run, struct path_case *c, struct treekem_path *made)
{
    struct tree_stage view;
    tree_stage_init(&view, c->tree);
    const json_t *leaf = leaf_of(c->item, c->sender.value);
    struct treekem_private state;
    EXPECT(leaf != NULL && private_of(run, leaf, &view, &state));
    EXPECT_OK(treekem_path_create(&c->stage, c->sender, tree_leaf(c->tree, c->sender),
                                  field_private(run, leaf, "signature_priv"),
                                  field_bytes(run, c->item, "group_id"), &state, made));
    EXPECT(context_for(run, c->item, &c->stage, &c->context));
    EXPECT_OK(treekem_path_encrypt(&c->stage, made, sotto_buf_view(&c->context), &c->encrypted));
    struct reader r;
    reader_init(&r, sotto_buf_view(&c->encrypted));
    update_path_read(&r, &run->arena, &c->path);
    EXPECT_OK(reader_finish(&r, "UpdatePath"));
    return others_decrypt(run, c, secret_view(&made->commit_secret), NULL);
}

static bool one_path(struct run *run, const json_t *item, const json_t *update, struct tree *tree,
                     bool make)
{
    struct path_case c = {
        .item = item, .tree = tree, .sender = leaf_at((uint32_t)field_uint(update, "sender"))};
    tree_stage_init(&c.stage, tree);
    sotto_buf_init(&c.context, sotto_env_system());
    sotto_buf_init(&c.encrypted, sotto_env_system());
    struct treekem_path made = {0};
    bool held = make ? path_made(run, &c, &made) : path_given(run, update, &c);
    treekem_path_wipe(&made);
    tree_stage_drop(&c.stage);
    sotto_buf_free(&c.context);
    sotto_buf_free(&c.encrypted);
    return held;
}

static bool treekem(struct run *run, const json_t *item)
{
    struct tree *tree = NULL;
    EXPECT(import(run, field_bytes(run, item, "ratchet_tree"), &tree));
    bool held = true;
    size_t number;
    json_t *update;
    json_array_foreach(json_object_get(item, "update_paths"), number, update)
    {
        held = held && one_path(run, item, update, tree, false) &&
               one_path(run, item, update, tree, true);
    }
    tree_free(tree);
    return held;
}

const struct format formats_trees[] = {
    {"tree-math", {"n_leaves", "n_nodes"}, tree_math},
    {"tree-operations", {"tree_before", "proposal"}, tree_operations},
    {"tree-validation", {"tree_hashes", "resolutions"}, tree_validation},
    {"treekem", {"leaves_private", "update_paths"}, treekem},
    {0},
};
